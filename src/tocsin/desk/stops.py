"""Every account whose money is stopped now: frozen, blocked, since when, and how much is still pending."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from tocsin.desk.access import Deed, require
from tocsin.desk.model import Actor
from tocsin.ledger import Ledger, moment
from tocsin.ledger.tables import blocks, freezes, investigations


@dataclass(frozen=True, slots=True)
class Stop:
    """One account that is frozen, blocked or both; ``since`` is the oldest of what stands."""

    account: str
    frozen: bool
    blocked: bool
    since: datetime
    pending: int
    lift_asked: bool


def stops(ledger: Ledger, actor: Actor, *, limit: int = 200) -> tuple[Stop, ...]:
    """The accounts that are stopped, those stopped longest first."""
    require(actor, Deed.READ_CASES)
    f, b, i = freezes.c, blocks.c, investigations.c
    frozen = sa.select(f.account, f.set_at, sa.literal(1).label("frozen"), sa.literal(0).label("blocked"))
    blocked = sa.select(b.account, b.set_at, sa.literal(0), sa.literal(1))
    both = sa.union_all(frozen.where(f.status == "active"), blocked.where(b.status == "active")).subquery()
    query = (
        sa.select(
            both.c.account,
            sa.func.min(both.c.set_at).label("since"),
            sa.func.max(both.c.frozen).label("frozen"),
            sa.func.max(both.c.blocked).label("blocked"),
        )
        .group_by(both.c.account)
        .order_by(sa.func.min(both.c.set_at), both.c.account)
        .limit(limit)
    )
    with ledger.read() as connection:
        rows = connection.execute(query).all()
        names = [row.account for row in rows]
        counts = sa.select(i.account, sa.func.count()).where(i.status == "pending", i.account.in_(names))
        pending = {name: int(count) for name, count in connection.execute(counts.group_by(i.account))}
        asking = sa.select(b.account).where(b.status == "active", b.lift_asked_by.is_not(None), b.account.in_(names))
        asked = set(connection.execute(asking).scalars())
    return tuple(
        Stop(
            account=row.account,
            frozen=bool(row.frozen),
            blocked=bool(row.blocked),
            since=moment(row.since),
            pending=pending.get(row.account, 0),
            lift_asked=row.account in asked,
        )
        for row in rows
    )
