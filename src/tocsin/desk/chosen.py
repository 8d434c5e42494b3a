"""Which payments a verdict may speak of: those of its alerts, and what else the account lately paid and received.

What is offered here is what ``actions.finalise`` and ``actions.judge_alerts`` take as ``payments``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from tocsin.desk.access import Deed, require
from tocsin.desk.model import Actor
from tocsin.ledger import Ledger, microseconds, moment
from tocsin.ledger.tables import alerts, decisions, transactions
from tocsin.schema import Transaction

LOOKS_BACK = timedelta(days=30)
MOST_OTHERS = 20
MOST_OF_ALERTS = 100
"""With more alerts than this nobody chooses one by one: the verdict speaks of all of them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A payment one may tick; ``who`` is the other side, ``rung`` whether an alert of the verdict is about it."""

    number: int
    at: datetime
    amount_minor: int
    currency: str
    who: str
    received: bool
    action: str
    rung: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """What a verdict may speak of.

    ``payments``: those of its alerts, then others of the last 30 days, each newest first; empty when there are too
    many alerts to choose from. ``rung``: how many its alerts are about. ``along``: the numbers that the account's
    other new alerts bring when they are taken along.
    """

    payments: tuple[Choice, ...]
    rung: int
    along: tuple[int, ...]


def choices(
    ledger: Ledger,
    actor: Actor,
    account: str,
    *,
    at: datetime,
    alerts: Sequence[int] = (),
    others: Sequence[int] = (),
    investigation: int | None = None,
) -> Choices:
    """What a verdict on these new alerts, or else on this investigation, may speak of.

    Parameters
    ----------
    at : now; other payments are offered from the 30 days before.
    others : further new alerts of the account, which the verdict may take along; their payments come with them.
    """
    require(actor, Deed.READ_CASES)
    t, since = transactions.c, microseconds(at - LOOKS_BACK)
    with ledger.read() as connection:
        rung, along = _numbers(connection, alerts, investigation), _numbers(connection, others, None)
        if len(rung) > MOST_OF_ALERTS:
            return Choices((), len(rung), along)
        page = _choices(connection, account, rung, t.number.in_(rung), len(rung))
        left = sa.and_(t.at >= since, t.number.not_in([*rung, *along]))
        paid = _choices(connection, account, (), sa.and_(t.account == account, left), MOST_OTHERS)
        mine = sa.and_(t.payee == account, t.account != account, left)
        received = _choices(connection, account, (), mine, MOST_OTHERS)
    rest = sorted([*paid, *received], key=lambda one: (one.at, one.number), reverse=True)
    return Choices((*page, *rest[:MOST_OTHERS]), len(rung), along)


def _numbers(connection: sa.Connection, ids: Sequence[int], investigation: int | None) -> tuple[int, ...]:
    c = alerts.c
    mine = c.id.in_(ids) if ids or investigation is None else c.investigation == investigation
    return tuple(connection.execute(sa.select(c.number).where(mine).order_by(c.number)).scalars())


def _choices(
    connection: sa.Connection, account: str, rung: Sequence[int], mine: sa.ColumnElement[bool], most: int
) -> list[Choice]:
    t = transactions.c
    columns = (t.number, t.at, t.amount_minor, t.currency, t.account, t.body, decisions.c.action)
    query = sa.select(*columns).join(decisions, decisions.c.number == t.number).where(mine)
    rows = connection.execute(query.order_by(t.at.desc(), t.number.desc()).limit(most))
    return [_choice(row, account, row.number in rung) for row in rows]


def _choice(row: Any, account: str, rung: bool) -> Choice:
    body = msgspec.json.decode(row.body, type=Transaction)
    received = row.account != account
    who = row.account if received else body.payee or body.retailer or ""
    return Choice(row.number, moment(row.at), row.amount_minor, row.currency, who, received, row.action, rung)
