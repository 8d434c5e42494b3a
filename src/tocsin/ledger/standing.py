"""What stands against an account right now: freezes and blocks, read inside the write that decides a payment."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from tocsin.ledger.tables import accounts, blocks, freezes


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether money may leave or reach an account, and what stops it."""

    frozen_out: bool = False
    frozen_in: bool = False
    blocked_out: bool = False
    blocked_in: bool = False


FREE = Standing()


def standing_of(connection: sa.Connection, names: Collection[str], *, hold: bool = True) -> dict[str, Standing]:
    """The standing of each named account; an account without an entry is free.

    On PostgreSQL the account rows are locked shared until the write ends, so a freeze waits for the payments being
    decided and every later payment sees it; on SQLite the write itself excludes all others. What is not there cannot
    be locked: a payment being decided has made its accounts' rows before. ``hold=False`` only looks, to show it.
    """
    if not names:
        return {}
    wanted = list(names)
    if hold and connection.dialect.name != "sqlite":
        query = sa.select(accounts.c.account).where(accounts.c.account.in_(wanted)).order_by(accounts.c.account)
        connection.execute(query.with_for_update(read=True))
    rows = [
        (word, account, direction)
        for table, word in ((freezes, "frozen"), (blocks, "blocked"))
        for account, direction in connection.execute(
            sa.select(table.c.account, table.c.direction).where(table.c.status == "active", table.c.account.in_(wanted))
        )
    ]
    return fold(rows)


def fold(rows: Iterable[tuple[str, str, str]]) -> dict[str, Standing]:
    """(``frozen`` or ``blocked``, account, direction) of everything active -> the standing of each account named."""
    found: dict[str, set[str]] = {}
    for word, account, direction in rows:
        for way in ("in", "out") if direction == "both" else (direction,):
            found.setdefault(account, set()).add(f"{word}_{way}")
    return {account: Standing(**dict.fromkeys(words, True)) for account, words in found.items()}
