"""The process killed in the middle of an action: afterwards nothing of it is there, and everything before it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from scenes.desk import ANA, Scene, add_people
from scenes.postgres import fresh_database
from tocsin.desk import actions
from tocsin.desk.model import Direction
from tocsin.ledger import Ledger, audit, tables

# Stops for ever just before the Nth event is sealed: the writes before it have been sent, nothing is committed.
CHILD = """
import sys, time
from datetime import datetime, UTC
from tocsin.desk import actions
from tocsin.desk.model import Actor, Direction, Outcome, Role
from tocsin.ledger import Ledger, audit

url, what, id, stop = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
append, sealed = audit.append, []

def stopping(connection, **event):
    sealed.append(event["kind"])
    if len(sealed) == stop:
        print("in the middle", flush=True)
        time.sleep(600)
    return append(connection, **event)

audit.append = stopping
ledger, ana = Ledger(url), Actor("ana", Role.ANALYST)
how = {"at": datetime(2026, 3, 3, tzinfo=UTC)}
if what == "freeze":
    actions.freeze(ledger, ana, alerts=[id], direction=Direction.OUT, reason="takeover", **how)
else:
    actions.finalise(ledger, ana, investigation=id, outcome=Outcome.FRAUD, reason_code="takeover", **how)
if stop == 0:
    print("answered", flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
    ledger = Ledger(fresh_database() if request.param == "postgresql" else tmp_path / "ledger.sqlite")
    ledger.create()
    add_people(ledger)
    yield Scene(ledger)
    ledger.close()


def _everything(scene: Scene) -> dict[str, list[Any]]:
    with scene.ledger.read() as connection:
        return {
            table.name: sorted(map(repr, connection.execute(sa.select(table)).all()))
            for table in tables.metadata.sorted_tables
        }


def _kill(scene: Scene, what: str, id: int, stop: int) -> None:
    arguments = [sys.executable, "-c", CHILD, scene.ledger.url, what, str(id), str(stop)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        said = child.stdout.readline().strip()
        os.kill(child.pid, signal.SIGKILL)
    assert said == ("in the middle" if stop else "answered")


def test_killed_in_the_middle_nothing_of_it_is_there_killed_after_all_of_it_is(scene: Scene) -> None:
    alert = scene.alert("A")
    before = _everything(scene)
    for stop in (1, 3):  # opened and joined; frozen
        _kill(scene, "freeze", alert, stop)
        assert _everything(scene) == before
    _kill(scene, "freeze", alert, 0)
    assert len(_everything(scene)["freezes"]) == 1

    opened = actions.open_investigation(scene.ledger, ANA, at=scene.now, subject="x", account="B")
    actions.freeze(scene.ledger, ANA, at=scene.now, account="B", direction=Direction.IN, reason="y")
    before = _everything(scene)
    for stop in (1, 3):  # the verdict; the block
        _kill(scene, "finalise", opened.id, stop)
        assert _everything(scene) == before
    _kill(scene, "finalise", opened.id, 0)
    with scene.ledger.read() as connection:
        assert audit.verify(connection).broken_at is None
        active = sa.select(tables.freezes.c.account).where(tables.freezes.c.status == "active")
        assert set(connection.execute(active).scalars()) == {"A"}
        assert list(connection.execute(sa.select(tables.blocks.c.account)).scalars()) == ["B"]
