"""The whole story in one command, and that it notices when it does not come out as it must."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from tocsin import spec as specs
from tocsin.app import Settings
from tocsin.cli.demo import command
from tocsin.cli.demo_days import Days, _start_for, make_days
from tocsin.cli.demo_found import find
from tocsin.cli.demo_past import keep_past
from tocsin.cli.demo_proof import prove
from tocsin.cli.demo_stream import Served
from tocsin.data import read
from tocsin.data.world import WorldSettings
from tocsin.data.world_people import make_calendar
from tocsin.desk import Actor, Role
from tocsin.desk.access import first_admin
from tocsin.desk.people import add_person
from tocsin.errors import BadInput
from tocsin.features import compile_plan
from tocsin.learn.gathering import features
from tocsin.ledger import Ledger, microseconds, now
from tocsin.ledger.record import AlertRow, Recorder, Rows
from tocsin.ledger.tables import alerts, transactions
from tocsin.live import Memory

ENDS = datetime(2025, 11, 20, 15, tzinfo=UTC)
SMALL = ["--transactions", "20000", "--until", "2025-11-20T15:00:00"]
ANA = Actor("ana", Role.ANALYST)


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Days:
    folder = tmp_path_factory.mktemp("days")
    return make_days(folder, transactions=4_000, months=3, seed=2, ends=ENDS, on_step=lambda step: None)


@pytest.fixture
def ledger(tmp_path: Path) -> Any:
    made = Ledger(tmp_path / "ledger.sqlite")
    made.create()
    yield made
    made.close()


def _link(ledger: Ledger) -> str:
    """Ana's one-time link."""
    first_admin(ledger, at=ENDS)
    return add_person(ledger, Actor("admin", Role.ADMIN), at=now(), name="ana", role=Role.ANALYST)


def _keep(ledger: Ledger, days: Days) -> Any:
    stream = read(days.file, specs.load("world")).stream()
    assert keep_past(ledger, days.past, stream, lambda share: None) == len(stream)
    return stream


def test_the_demo_runs_to_its_end_and_checks_its_outcome() -> None:
    done = CliRunner().invoke(command, ["--once", *SMALL])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    for line in (
        "This world is made",
        "alerts a day",
        "equals the one that learned, to the bit",
        "payments answered, one a request",
        "alerts are in the queue",
        "ana freezes account",
        "its next payment is declined",
        "the verdict on the last pending investigation releases it",
        "its next payment is answered as usual",
        "the audit chain verifies",
        "Everything came out as it must",
    ):
        assert line in said


@pytest.mark.slow
def test_the_demo_stays_open_with_the_way_in_as_its_last_lines_until_interrupted(tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [sys.executable, "-c", "from tocsin.cli.main import main; main()", "demo", *SMALL, "--port", "0"]
    with out.open("w") as file:
        demo = subprocess.Popen(arguments, stdout=file, stderr=subprocess.DEVNULL, env={**os.environ, "COLUMNS": "200"})
    try:
        until = time.monotonic() + 240
        while "Sign in" not in out.read_text():
            assert demo.poll() is None, out.read_text()
            assert time.monotonic() < until, out.read_text()
            time.sleep(0.2)
        assert "[LightGBM]" not in out.read_text()
        last = out.read_text().strip().splitlines()[-2:]
        assert re.search(r"The desk: +http://127\.0\.0\.1:\d+", last[0])
        assert re.search(r"Sign in, once, as ana: http://127\.0\.0\.1:\d+/welcome/\S+", last[1])
        demo.send_signal(signal.SIGINT)
        assert demo.wait(timeout=60) == 0
    finally:
        demo.kill()
        demo.wait()


def test_the_past_holds_no_label_of_later_and_the_stream_everything_after(days: Days) -> None:
    known = days.past["known_at"].drop_null().to_pylist()
    assert known
    assert max(known) < days.begins
    assert days.past["label"].null_count == days.past["known_at"].null_count
    assert max(days.past["at"].to_pylist()) < days.begins
    times = [post.at for post in days.posts]
    assert times == sorted(times)
    assert microseconds(days.begins) <= times[0]
    assert times[-1] <= microseconds(ENDS)


def test_a_label_is_told_only_of_a_payment_that_was_sent_before(days: Days) -> None:
    sent = set(days.past["id"].to_pylist())
    labels = 0
    for post in days.posts:
        if post.path == "/v1/labels":
            assert post.id in sent
            labels += 1
        sent.add(post.id)
    assert labels > 0
    assert {"/v1/transactions", "/v1/events", "/v1/labels"} == {post.path for post in days.posts}


@pytest.mark.parametrize("months", [1, 6])
def test_the_world_ends_with_the_day_asked_for_or_up_to_three_days_later(months: int) -> None:
    for offset in range(0, 366, 5):
        last = date(2025, 3, 1) + timedelta(days=offset)
        start = _start_for(last, months)
        calendar = make_calendar(WorldSettings(start=start, months=months))
        end = start + timedelta(days=calendar.days - 1)
        assert 0 <= (end - last).days <= 3, last


def test_the_kept_past_replays_to_the_memory_that_learned(days: Days, ledger: Ledger, tmp_path: Path) -> None:
    spec = specs.load("world")
    plan = compile_plan(spec)
    _, kernel = features(read(days.file, spec), plan)
    stream = _keep(ledger, days)
    memory = Memory(ledger, spec, plan, tmp_path / "memory")
    memory.restore()
    assert memory.last_number == len(stream)
    assert memory.kernel.fingerprint() == kernel.fingerprint()


def test_finds_are_counted_by_kind() -> None:
    kinds = np.array(["cycle", "", "fan_in", "cycle", ""], dtype=object)
    found = find(kinds, np.array([True, True, False, True, False]), 2.0)
    assert (found.planted["cycle"], found.rung["cycle"]) == (2, 2)
    assert (found.planted["fan_in"], found.rung["fan_in"]) == (1, 0)
    assert (found.alerts, found.precision, found.recall) == (3, 2 / 3, 2 / 3)


class _Client:
    """Shows every page and answers every payment with an approval that never looked at a freeze."""

    def __init__(self, number: int, page: bytes = b"welcome, ana") -> None:
        self.number = number
        self.page = page

    def ask(self, method: str, path: str, body: bytes | None = None, *, cookie: str = "") -> tuple[int, bytes]:
        return 200, self.page

    def answer(self, method: str, path: str, body: bytes | None = None) -> Any:
        return {"action": "approve", "number": self.number}

    def close(self) -> None:
        pass


def test_no_alert_is_a_clear_failure(ledger: Ledger) -> None:
    with pytest.raises(click.ClickException, match="alerts must have appeared"):
        prove(ledger, _Client(1), ANA, _link(ledger), lambda line: None)  # type: ignore[arg-type]


def test_a_link_that_leads_nowhere_is_a_clear_failure(ledger: Ledger) -> None:
    client = _Client(1)
    client.ask = lambda method, path, body=None: (404, b"")  # type: ignore[method-assign]
    with pytest.raises(click.ClickException, match="one-time link must lead ana"):
        prove(ledger, client, ANA, "link", lambda line: None)  # type: ignore[arg-type]


def _ring(ledger: Ledger, days: Days) -> tuple[int, str]:
    """An alert for the newest payment of the past; its number and its account."""
    stream = _keep(ledger, days)
    number = int(stream.number[stream.payments][-1])
    columns = sa.select(transactions.c.account).where(transactions.c.number == number)
    with ledger.write() as connection:
        account = str(connection.execute(columns).scalar_one())
        alert = AlertRow(number, account, 0, 0, 1, "review", 0.9, 100, "unusual", b"")
        Recorder(ledger).add(connection, Rows(alerts=[alert]))
        connection.execute(alerts.update().values(why="unusual"))
    return number, account


def test_a_desk_that_does_not_show_the_alert_is_a_clear_failure(days: Days, ledger: Ledger) -> None:
    number, account = _ring(ledger, days)
    with pytest.raises(click.ClickException, match=f"must show the queue with account {account}"):
        prove(ledger, _Client(number), ANA, _link(ledger), lambda line: None)  # type: ignore[arg-type]


def test_a_payment_that_passes_a_freeze_is_a_clear_failure(days: Days, ledger: Ledger) -> None:
    number, account = _ring(ledger, days)
    client = _Client(number, f"ana {account}".encode())
    with pytest.raises(click.ClickException, match="must be declined by the freeze; it was answered approve"):
        prove(ledger, client, ANA, _link(ledger), lambda line: None)  # type: ignore[arg-type]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    done = CliRunner().invoke(command, ["--once", "--data", str(tmp_path)])
    assert isinstance(done.exception, BadInput)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_world_of_the_future_is_refused() -> None:
    done = CliRunner().invoke(command, ["--once", "--until", "2999-01-01"])
    assert isinstance(done.exception, BadInput)


def test_a_port_in_use_is_said_with_the_way_out(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(click.ClickException, match=rf"port {port} cannot be used .*--port"):
            Served(Settings(folder=tmp_path, port=port))
