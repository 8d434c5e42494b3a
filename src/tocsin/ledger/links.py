"""Which accounts used which card, device, address or payee: looked up when somebody searches, never on the way of a payment.

The links are read out of what is already recorded, in the order of the sequence, a piece at a time; how far that has
come is itself a row of ``sequence``. So the path every payment takes pays nothing for them, and a reader is told how
much is still to be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.ledger.store import Ledger
from tocsin.ledger.tables import account_events, links, sequence, transactions

WORDS: tuple[str, ...] = ("card", "device", "ip", "payee")
PIECE = 5_000


class _Seen(msgspec.Struct):
    account: str
    card: str | None = None
    device: str | None = None
    ip: str | None = None
    payee: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """An account that was seen with something, first at this place of the sequence."""

    word: str
    value: str
    account: str
    first_number: int


def catch_up(ledger: Ledger, *, pieces: int = 4) -> int:
    """Read up to so many pieces of what came in since the last time; returns how many numbers are left to read.

    Safe when several processes do it at once: the piece is written by whoever is first, and by nobody twice.
    """
    for _ in range(pieces):
        with ledger.read() as connection:
            start, end = _place(connection, "links"), _place(connection, "events")
            stop = min(end, start + PIECE)
            found = _read(connection, start, stop)
        if start < stop and not _write(ledger, start, stop, found):
            continue
        if stop == end:
            return 0
    return end - stop


def linked(connection: sa.Connection, value: str, *, limit: int = 50) -> list[Link]:
    """The accounts seen with exactly this card token, device, address or payee, first seen first."""
    query = sa.select(links).where(links.c.value == value, links.c.word.in_(WORDS))
    query = query.order_by(links.c.word, links.c.first_number).limit(limit)
    return [Link(row.word, row.value, row.account, row.first_number) for row in connection.execute(query)]


def _place(connection: sa.Connection, name: str) -> int:
    query = sa.select(sequence.c.next).where(sequence.c.name == name)
    return int(connection.execute(query).scalar_one_or_none() or 1)


def _read(connection: sa.Connection, start: int, stop: int) -> list[dict[str, Any]]:
    decode = msgspec.json.Decoder(_Seen).decode
    found: dict[tuple[str, str, str], int] = {}
    for table in (transactions, account_events):
        c = table.c
        query = sa.select(c.number, c.body).where(c.number >= start, c.number < stop).order_by(c.number)
        for number, body in connection.execute(query):
            seen = decode(body)
            for word in WORDS:
                value = getattr(seen, word)
                if value is not None:
                    found.setdefault((word, value, seen.account), number)
    return [
        {"word": word, "value": value, "account": account, "first_number": number}
        for (word, value, account), number in sorted(found.items())
    ]


def _write(ledger: Ledger, start: int, stop: int, found: list[dict[str, Any]]) -> bool:
    insert: Any = sqlite.insert if ledger.is_sqlite else postgresql.insert
    with ledger.write() as connection:
        connection.execute(insert(sequence).values(name="links", next=1).on_conflict_do_nothing())
        here = sequence.update().where(sequence.c.name == "links", sequence.c.next == start).values(next=stop)
        if connection.execute(here).rowcount != 1:
            return False  # somebody else has read this piece
        if found:
            connection.execute(insert(links).on_conflict_do_nothing(), found)
        return True
