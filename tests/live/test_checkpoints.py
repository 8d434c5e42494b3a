"""Checkpoints happen beside the commits, and the ledger is whole before and after."""

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from tocsin.ledger import Ledger
from tocsin.ledger.tables import accounts
from tocsin.live import checkpoints
from tocsin.live.checkpoints import Checkpoints


@pytest.fixture
def ledger(tmp_path: Path):
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.create()
    yield ledger
    ledger.close()


def fill(ledger: Ledger, start: int, count: int) -> None:
    with ledger.write() as c:
        c.execute(
            accounts.insert(), [{"account": f"{i:0190}", "first_seen_at": i} for i in range(start, start + count)]
        )


def in_file(tmp_path: Path) -> int:
    """How many accounts stand in the file itself, its log left out."""
    (tmp_path / "copy.sqlite").write_bytes((tmp_path / "ledger.sqlite").read_bytes())
    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    (found,) = copy.execute("SELECT count(*) FROM accounts").fetchone()
    copy.close()
    return int(found)


def test_commits_leave_the_file_alone_and_a_run_moves_the_log(ledger: Ledger, tmp_path: Path) -> None:
    one = Checkpoints(ledger)
    one.run()
    for i in range(20):
        fill(ledger, 1_000 * i, 1_000)  # SQLite alone would have moved these: its log is far beyond 1,000 pages
    assert in_file(tmp_path) == 0
    one.run()
    assert in_file(tmp_path) == 20_000
    with ledger.read() as c:
        assert c.execute(sa.select(sa.func.count()).select_from(accounts)).scalar_one() == 20_000
    one.close()


def test_a_log_beyond_its_limit_is_begun_anew(ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "LONGEST_LOG_BYTES", 1 << 20)
    one = Checkpoints(ledger)
    log = tmp_path / "ledger.sqlite-wal"
    sizes = []
    for i in range(12):
        fill(ledger, 1_000 * i, 1_000)
        one.run()
        sizes.append(log.stat().st_size)
    assert max(sizes) < 3 * sizes[0] + (4 << 20)
    one.close()


def test_a_file_that_cannot_be_opened_is_only_told(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    one = Checkpoints(ledger)
    one._path = "/nowhere/at/all"
    with pytest.raises(sqlite3.OperationalError):
        sqlite3.connect(one._path)
    one.run()
    assert "could not be moved" in caplog.text
    postgres = Ledger("postgresql+psycopg://nobody@localhost/none")
    Checkpoints(postgres).run()
    postgres.close()
