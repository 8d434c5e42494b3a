"""The audit chain: every act of a person, each event sealed with the hash of the one before.

Changing, removing or inserting anything breaks the chain at that event, and :func:`verify` names it. Whoever holds the
file could rebuild the whole chain; so :func:`head` gives the newest hash to be kept elsewhere.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from tocsin.ledger.store import microseconds
from tocsin.ledger.tables import case_events

GENESIS = bytes(32)
_CHAIN = 0x746F6373696E  # the advisory lock under which PostgreSQL's writers take their place in the chain


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event of the chain: its place and its hash."""

    id: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Verification:
    """``broken_at`` is the first event that does not fit and ``why`` says how; ``None`` when the chain is whole."""

    events: int
    head: Head
    broken_at: int | None
    why: str | None


def append(
    connection: sa.Connection,
    *,
    at: datetime,
    kind: str,
    actor: str,
    account: str | None = None,
    subject: str | None = None,
    old: Any = None,
    new: Any = None,
) -> int:
    """Seal one event at the end of the chain, inside the write that does what it records; returns its id."""
    if connection.dialect.name != "sqlite":  # a SQLite write excludes all others already
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHAIN)))
    last = head(connection)
    row = {
        "id": last.id + 1,
        "at": microseconds(at),
        "kind": kind,
        "actor": actor,
        "account": account,
        "subject": subject,
        "old": _canonical(old),
        "new": _canonical(new),
    }
    connection.execute(case_events.insert().values(**row, previous=last.hash, hash=_seal(last.hash, row)))
    return last.id + 1


def head(connection: sa.Connection) -> Head:
    """The newest event; an empty chain ends in 32 zero bytes."""
    query = sa.select(case_events.c.id, case_events.c.hash).order_by(case_events.c.id.desc()).limit(1)
    row = connection.execute(query).first()
    return Head(row.id, bytes(row.hash)) if row else Head(0, GENESIS)


def verify(connection: sa.Connection, *, expected: Head | None = None) -> Verification:
    """Walk the whole chain; with ``expected`` (a head kept elsewhere) also find a chain rebuilt or cut short."""
    previous, count = GENESIS, 0
    raw = _TEXTS if connection.dialect.name == "sqlite" else frozenset()
    columns = [sa.cast(one, sa.LargeBinary).label(one.name) if one.name in raw else one for one in case_events.c]
    query = sa.select(*columns).order_by(case_events.c.id)
    with connection.execute(query.execution_options(stream_results=True)) as rows:
        for row in rows:
            why = _misfit(row, count + 1, previous)
            if why is None and expected and row.id == expected.id and bytes(row.hash) != expected.hash:
                why = "it is not the event whose hash was kept"
            if why:
                return Verification(count, Head(count, previous), count + 1, why)
            previous, count = bytes(row.hash), row.id
    if expected and count < expected.id:
        return Verification(count, Head(count, previous), count + 1, f"the chain ends before event {expected.id}")
    return Verification(count, Head(count, previous), None, None)


_TEXTS = frozenset(("kind", "actor", "account", "subject", "old", "new"))
_SEALED = ("id", "at", "kind", "actor", "account", "subject", "old", "new")


def _misfit(row: Any, place: int, previous: bytes) -> str | None:
    # From SQLite texts come as bytes, because a changed byte may leave something that is no text at all.
    if row.id != place:
        return f"event {place} is missing"
    if not isinstance(row.previous, bytes) or row.previous != previous:
        return "it does not follow the event before it"
    body = {name: getattr(row, name) for name in _SEALED}
    try:
        body = {name: value.decode() if isinstance(value, bytes) else value for name, value in body.items()}
        fits = isinstance(row.hash, bytes) and row.hash == _seal(previous, body)
    except UnicodeDecodeError:
        fits = False
    return None if fits else "its content is not what was sealed"


def _canonical(value: Any) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _seal(previous: bytes, row: dict[str, Any]) -> bytes:
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return blake2b(previous + text.encode(), digest_size=32).digest()
