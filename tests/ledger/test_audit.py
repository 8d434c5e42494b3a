"""The chain: one changed byte anywhere is found and named; what is cut off, too, by whoever kept the newest hash."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tocsin.ledger import Ledger, audit
from tocsin.ledger.audit import GENESIS, Head
from tocsin.ledger.tables import case_events

AT = datetime(2026, 3, 2, 9, 0, 0, 123_456, tzinfo=UTC)
EVENTS: list[dict[str, Any]] = [
    {"kind": "note", "actor": "ana", "account": "A", "subject": "account", "new": {"text": 'é "quoted" \\ \n line'}},
    {"kind": "frozen", "actor": "ben", "account": "B", "subject": "freeze 1", "old": None, "new": {"direction": "out"}},
    {
        "kind": "role_changed",
        "actor": "ada",
        "subject": "person ana",
        "old": {"role": "analyst"},
        "new": [1, None, 2.5],
    },
    {"kind": "signed_in", "actor": "ana"},
]


def fill(ledger: Ledger) -> Head:
    for event in EVENTS:
        with ledger.write() as connection:
            audit.append(connection, at=AT, **event)
    with ledger.read() as connection:
        return audit.head(connection)


def verify(ledger: Ledger, expected: Head | None = None) -> audit.Verification:
    with ledger.read() as connection:
        return audit.verify(connection, expected=expected)


def test_a_chain_that_nobody_touched_verifies(both: Ledger) -> None:
    empty = verify(both)
    assert (empty.events, empty.head, empty.broken_at) == (0, Head(0, GENESIS), None)
    head = fill(both)
    assert head.id == len(EVENTS)
    found = verify(both, head)
    assert (found.events, found.head, found.broken_at, found.why) == (len(EVENTS), head, None, None)


def test_the_chain_goes_on_after_a_restart_and_a_write_that_fails_leaves_no_hole(both: Ledger) -> None:
    head = fill(both)
    again = Ledger(both.url)
    try:
        with again.write() as connection:
            audit.append(connection, at=AT, kind="note", actor="ana")
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    assert verify(again, head).events == len(EVENTS)
    with again.write() as connection:
        assert audit.append(connection, at=AT, kind="note", actor="ana") == len(EVENTS) + 1
    assert verify(again, head).broken_at is None
    again.close()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("chain") / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.create()
    fill(ledger)
    ledger.close()
    return path


def _cells() -> list[tuple[int, str]]:
    return [(id, column.name) for id in range(1, len(EVENTS) + 1) for column in case_events.c]


@pytest.mark.parametrize(("id", "column"), _cells())
def test_any_changed_byte_of_any_column_of_any_event_is_found_and_named(file: Path, id: int, column: str) -> None:
    """Every byte of the cell, three ways; beside Tocsin, with nothing but the file in hand."""
    raw = sqlite3.connect(file, isolation_level=None)
    ledger = Ledger(file)
    kind, value = raw.execute(
        f"SELECT typeof({column}), CAST({column} AS BLOB) FROM case_events WHERE id = ?", (id,)
    ).fetchone()
    changes = (
        [b"x"] if value is None else [_with(value, place, bit) for place in range(len(value)) for bit in (1, 32, 128)]
    )
    if kind == "integer" and value is not None:
        changes = [one for one in changes if one.isdigit()]
    cast = {"text": "TEXT", "null": "TEXT", "integer": "INTEGER", "blob": "BLOB"}[kind]
    for changed in changes:
        raw.execute("BEGIN")
        if column == "id" and raw.execute("SELECT 1 FROM case_events WHERE id = ?", (int(changed),)).fetchone():
            raw.execute("ROLLBACK")
            continue
        raw.execute(f"UPDATE case_events SET {column} = CAST(? AS {cast}) WHERE id = ?", (changed, id))
        raw.execute("COMMIT")
        found = verify(ledger)
        assert found.broken_at == id, (changed, found)
        back = changed if column != "id" else None
        where = (int(back or changed) if column == "id" else id,)
        raw.execute(f"UPDATE case_events SET {column} = CAST(? AS {cast}) WHERE id = ?", (value, *where))
    assert verify(ledger).broken_at is None
    ledger.close()
    raw.close()


def _with(value: bytes, place: int, bit: int) -> bytes:
    return value[:place] + bytes([value[place] ^ bit]) + value[place + 1 :]


@pytest.mark.parametrize("change", ["at = CAST(at AS TEXT) || 'x'", "hash = 'text'", "previous = 1", "kind = x'00'"])
def test_a_value_of_another_kind_is_found_too(tmp_path: Path, change: str) -> None:
    # Only SQLite lets one in.
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.create()
    fill(ledger)
    with ledger.write() as connection:
        connection.execute(sa.text(f"UPDATE case_events SET {change} WHERE id = 2"))
    assert verify(ledger).broken_at == 2
    ledger.close()


@pytest.mark.parametrize("column", [column.name for column in case_events.c if column.name != "id"])
def test_a_changed_column_is_found_on_both_databases(both: Ledger, column: str) -> None:
    fill(both)
    changed: Any = 1 if column == "at" else bytes(32) if column in ("previous", "hash") else "changed"
    with both.write() as connection:
        connection.execute(case_events.update().where(case_events.c.id == 2).values({column: changed}))
    assert verify(both).broken_at == 2


def test_a_missing_event_is_named(both: Ledger) -> None:
    fill(both)
    with both.write() as connection:
        connection.execute(case_events.delete().where(case_events.c.id == 2))
    found = verify(both)
    assert (found.broken_at, found.why, found.events) == (2, "event 2 is missing", 1)


def test_a_chain_cut_short_is_found_by_the_hash_kept_elsewhere(both: Ledger) -> None:
    head = fill(both)
    with both.write() as connection:
        connection.execute(case_events.delete().where(case_events.c.id >= 3))
    assert verify(both).broken_at is None  # whoever holds only the file cannot know
    found = verify(both, head)
    assert (found.broken_at, found.why) == (3, "the chain ends before event 4")


def test_a_chain_rebuilt_whole_is_found_by_the_hash_kept_elsewhere(both: Ledger) -> None:
    head = fill(both)
    with both.write() as connection:
        connection.execute(case_events.delete())
        for event in EVENTS:
            audit.append(connection, at=AT, **(event | {"actor": "somebody else"}))
    assert verify(both).broken_at is None
    found = verify(both, head)
    assert (found.broken_at, found.why) == (4, "it is not the event whose hash was kept")


def test_two_events_that_change_places_are_found(both: Ledger) -> None:
    fill(both)
    with both.write() as connection:
        for old, new in ((2, 9), (3, 2), (9, 3)):
            connection.execute(case_events.update().where(case_events.c.id == old).values(id=new))
    assert verify(both).broken_at == 2
