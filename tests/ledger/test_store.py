"""Opening, reading and writing: what a write holds, what a read sees, what survives."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tocsin.ledger import Ledger, microseconds, moment
from tocsin.ledger.sequence import next_number, take_numbers
from tocsin.ledger.tables import accounts


def add(connection: sa.Connection, name: str) -> None:
    connection.execute(accounts.insert().values(account=name, first_seen_at=0))


def names(ledger: Ledger) -> set[str]:
    with ledger.read() as connection:
        return set(connection.execute(sa.select(accounts.c.account)).scalars())


@given(st.datetimes(min_value=datetime(1900, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_come_back_to_the_microsecond(at: datetime) -> None:
    assert moment(microseconds(at)) == at
    assert moment(microseconds(at)).tzinfo is UTC


def test_an_offset_is_the_same_moment() -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=1)))
    assert microseconds(at) == microseconds(at.astimezone(UTC)) == 1_772_362_800_000_000


def test_a_write_is_kept_whole_or_not_at_all(both: Ledger) -> None:
    with both.write() as connection:
        add(connection, "kept")
    with suppress(ZeroDivisionError), both.write() as connection:
        add(connection, "lost")
        raise ZeroDivisionError
    assert names(both) == {"kept"}


def test_a_read_keeps_nothing_and_sees_one_moment(both: Ledger) -> None:
    with both.read() as connection:
        query = sa.select(sa.func.count()).select_from(accounts)
        before = connection.execute(query).scalar_one()
        with both.write() as other:
            add(other, "meanwhile")
        assert connection.execute(query).scalar_one() == before
    with both.read() as connection:
        add(connection, "through a read")
    assert names(both) == {"meanwhile"}


def test_what_a_write_has_read_cannot_change_before_it_commits(both: Ledger) -> None:
    def count_up(_: int) -> None:
        with both.write() as connection:
            seen = next_number(connection, lock=True)
            assert take_numbers(connection, 1) == seen

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count_up, range(60)))
    with both.read() as connection:
        assert next_number(connection) == 61


def test_it_is_there_after_closing_and_opening(both: Ledger) -> None:
    with both.write() as connection:
        add(connection, "kept")
    both.close()
    again = Ledger(both.url)
    assert names(again) == {"kept"}
    again.close()


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_durability_is_sqlites_synchronous(tmp_path: Path, durability: str, synchronous: int) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite", durability=durability)  # type: ignore[arg-type]
    with ledger.read() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == synchronous
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
    ledger.close()


def test_a_bare_path_is_sqlite(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "a.sqlite")
    assert ledger.url == f"sqlite:///{tmp_path / 'a.sqlite'}"
    assert ledger.is_sqlite
    ledger.close()


def test_what_the_database_refuses_is_told_without_its_values(both: Ledger) -> None:
    ann = accounts.insert().values(account="ann", first_seen_at=424_242)
    with both.write() as connection:
        connection.execute(ann)
    with both.engine.connect() as connection, pytest.raises(sa.exc.IntegrityError) as refused:
        connection.execute(ann)
    assert "accounts" in str(refused.value)
    assert "424242" not in str(refused.value)


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_new_ledger_is_its_owners_only_in_whatever_folder(tmp_path: Path, form: str) -> None:
    tmp_path.chmod(0o755)
    before = os.umask(0o022)
    try:
        ledger = Ledger(form.format(tmp_path / "ledger.sqlite"))
        ledger.create()
        with ledger.write() as connection:
            add(connection, "ann")
            modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {f"ledger.sqlite{end}": 0o600 for end in ("", "-wal", "-shm")}
    ledger.close()


def test_a_ledger_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    Ledger(tmp_path / "ledger.sqlite").create()
    (tmp_path / "ledger.sqlite").chmod(0o640)  # its owner lets a group read it
    Ledger(tmp_path / "ledger.sqlite").create()
    assert (tmp_path / "ledger.sqlite").stat().st_mode & 0o777 == 0o640
