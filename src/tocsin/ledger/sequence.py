"""The one sequence: everything that reaches the memory gets the next number, and the memory consumes that order."""

from __future__ import annotations

import sqlalchemy as sa

from tocsin.ledger.tables import sequence


def take_numbers(connection: sa.Connection, count: int) -> int:
    """Reserve ``count`` numbers inside a write and return the first; on PostgreSQL this also orders the writers.

    A rolled-back write gives its numbers back, so the sequence has no gap.
    """
    statement = (
        sequence.update()
        .where(sequence.c.name == "events")
        .values(next=sequence.c.next + count)
        .returning(sequence.c.next)
    )
    return int(connection.execute(statement).scalar_one()) - count


def next_number(connection: sa.Connection, *, lock: bool = False) -> int:
    """The number the next thing will get; with ``lock`` nobody else can take it before this write ends."""
    query = sa.select(sequence.c.next).where(sequence.c.name == "events")
    return int(connection.execute(query.with_for_update() if lock else query).scalar_one())
