"""One account's page: how it stands, what is frozen and until when, and its timeline, newest first.

The timeline merges what the account paid, what it received, what happened to it and what people did about it, from
four tables that are each read by their own index; a page costs the same however long the history is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from tocsin.desk import cases
from tocsin.desk.access import Deed, require
from tocsin.desk.model import Account, Actor, Alert, Freeze, Investigation
from tocsin.desk.reads import CaseEvent, case_event_from, standing_now
from tocsin.errors import NotFound
from tocsin.ledger import Ledger, microseconds, moment
from tocsin.ledger.standing import FREE, Standing
from tocsin.ledger.tables import (
    account_events,
    accounts,
    alerts,
    case_events,
    decisions,
    investigations,
    labels,
    transactions,
)
from tocsin.schema import AccountEvent

Place = tuple[int, int, int]
"""Where a page of the timeline ended: the time in microseconds, which source, which row."""
MOST_NEWS = 20
MOST_ALERTS = 100
What = Literal["paid", "received", "event", "case"]


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment in the timeline; ``cause`` says whether the score, a freeze or a block decided it."""

    number: int
    id: str
    at: datetime
    amount_minor: int
    currency: str
    account: str
    payee: str | None
    action: str
    cause: str
    score: float | None
    late: bool
    alert: int | None
    finding: str | None


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline; exactly one of ``payment``, ``event`` and ``case`` is there."""

    at: datetime
    what: What
    payment: Payment | None = None
    event: AccountEvent | None = None
    case: CaseEvent | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """A page of the timeline, newest first; ``next`` continues below it, ``first`` is the place of its first line."""

    entries: tuple[Entry, ...]
    next: Place | None
    first: Place = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Progress:
    """A freeze that stands: how many of the investigations it waits for are final."""

    freeze: Freeze
    final: int
    total: int
    pending: tuple[Investigation, ...]


@dataclass(frozen=True, slots=True)
class AccountPage:
    """Everything the case page shows of one account; ``alerts`` are the new and the pending ones, the newest 100."""

    account: Account
    standing: Standing
    first_seen_at: datetime
    freezes: tuple[Progress, ...]
    alerts: tuple[Alert, ...]
    due_at: datetime | None
    timeline: Timeline


def account_page(ledger: Ledger, actor: Actor, name: str, *, limit: int = 50) -> AccountPage:
    """One account with the newest page of its timeline.

    Raises
    ------
    NotFound : the account was never seen.
    """
    require(actor, Deed.READ_CASES)
    with ledger.read() as connection:
        first = connection.execute(sa.select(accounts.c.first_seen_at).where(accounts.c.account == name)).first()
        if first is None:
            raise NotFound("no such account has been seen.", field="account", hint="Check how it is written.")
        account = cases.load(connection, name)
        pending = [one.id for one in account.pending]
        query = sa.select(*cases.ALERT_COLUMNS).where(
            alerts.c.account == name,
            sa.or_(alerts.c.status == "new", alerts.c.investigation.in_(pending)),
        )
        open_alerts = tuple(
            cases.alert_from(row) for row in connection.execute(query.order_by(alerts.c.id.desc()).limit(MOST_ALERTS))
        )
        dues = [one.due_at for one in open_alerts] + [one.due_at for one in account.pending if one.due_at is not None]
        return AccountPage(
            account=account,
            standing=standing_now(connection, [name]).get(name, FREE),
            first_seen_at=moment(first.first_seen_at),
            freezes=tuple(progress(account, one) for one in account.active_freezes),
            alerts=open_alerts,
            due_at=min(dues, default=None),
            timeline=_timeline(connection, name, None, limit),
        )


def timeline(ledger: Ledger, actor: Actor, name: str, *, after: Place | None = None, limit: int = 50) -> Timeline:
    """A page of what happened to the account, newest first; ``after`` is where the page above ended."""
    require(actor, Deed.READ_CASES)
    with ledger.read() as connection:
        return _timeline(connection, name, after, limit)


def progress(account: Account, freeze: Freeze) -> Progress:
    """How far the investigations are that a freeze waits for: all of its own and whatever else is pending."""
    ids = {*freeze.investigations, *(one.id for one in account.pending)}
    pending = tuple(one for one in account.pending if one.id in ids)
    return Progress(freeze, len(ids) - len(pending), len(ids), pending)


def account_of_investigation(ledger: Ledger, actor: Actor, id: int) -> str:
    """Whose investigation it is."""
    require(actor, Deed.READ_CASES)
    with ledger.read() as connection:
        query = sa.select(investigations.c.account).where(investigations.c.id == id)
        name = connection.execute(query).scalar_one_or_none()
    if name is None:
        raise NotFound(f"no investigation {id}.", hint="Check the number.")
    return str(name)


def news(ledger: Ledger, actor: Actor, name: str, *, after: Place) -> int:
    """How many lines stand above a place in an account's timeline, at most ``MOST_NEWS``; cheap enough for every second."""
    require(actor, Deed.READ_CASES)
    with ledger.read() as connection:
        return sum(place > after for place, _ in _found(connection, name, None, MOST_NEWS)[:MOST_NEWS])


def _timeline(connection: sa.Connection, name: str, after: Place | None, limit: int) -> Timeline:
    found = _found(connection, name, after, limit)
    page = found[:limit]
    first, last = (page[0][0], page[-1][0]) if page else ((0, 0, 0), None)
    return Timeline(tuple(entry for _, entry in page), last if len(found) > limit else None, first)


def _found(connection: sa.Connection, name: str, after: Place | None, limit: int) -> list[tuple[Place, Entry]]:
    found: list[tuple[Place, Entry]] = []
    for rank, read in enumerate((_paid, _received, _happened, _done)):
        found += [
            ((microseconds(entry.at), rank, key), entry) for key, entry in read(connection, name, rank, after, limit)
        ]
    return sorted(found, key=lambda pair: pair[0], reverse=True)


Found = list[tuple[int, Entry]]


def _below(
    at: sa.ColumnElement[int], key: sa.ColumnElement[int], rank: int, after: Place | None
) -> sa.ColumnElement[bool]:
    # Newest first by (time, source, row): what is left of this source below the place a page ended.
    if after is None:
        return sa.true()
    last_at, last_rank, last_key = after
    if rank < last_rank:
        return at <= last_at
    if rank > last_rank:
        return at < last_at
    return sa.and_(at <= last_at, sa.or_(at < last_at, key < last_key))


def _payments(
    connection: sa.Connection, mine: sa.ColumnElement[bool], what: What, rank: int, after: Place | None, limit: int
) -> Found:
    t = transactions.c
    page = (
        sa.select(t.number, t.id, t.at, t.amount_minor, t.currency, t.account, t.payee, t.late)
        .where(mine, _below(t.at, t.number, rank, after))
        .order_by(t.at.desc(), t.number.desc())
        .limit(limit + 1)
        .subquery()
    )
    query = (
        sa.select(page, decisions.c.action, decisions.c.cause, decisions.c.score, alerts.c.id.label("alert"))
        .join(decisions, decisions.c.number == page.c.number)
        .outerjoin(alerts, alerts.c.number == page.c.number)
    )
    rows = connection.execute(query).all()
    said = _findings(connection, [row.number for row in rows])
    return [(row.number, Entry(moment(row.at), what, payment=_payment(row, said.get(row.number)))) for row in rows]


def _payment(row: Any, finding: str | None) -> Payment:
    return Payment(
        number=row.number,
        id=row.id,
        at=moment(row.at),
        amount_minor=row.amount_minor,
        currency=row.currency,
        account=row.account,
        payee=row.payee,
        action=row.action,
        cause=row.cause,
        score=row.score,
        late=bool(row.late),
        alert=row.alert,
        finding=finding,
    )


def _findings(connection: sa.Connection, numbers: list[int]) -> dict[int, str]:
    """What each payment was found to be, by whatever was said of it last; the memory takes its labels in this order."""
    c = labels.c
    query = sa.select(c.transaction_number, c.finding).where(c.transaction_number.in_(numbers))
    query = query.order_by(c.number)
    return {row.transaction_number: row.finding for row in connection.execute(query)}


def _paid(connection: sa.Connection, name: str, rank: int, after: Place | None, limit: int) -> Found:
    return _payments(connection, transactions.c.account == name, "paid", rank, after, limit)


def _received(connection: sa.Connection, name: str, rank: int, after: Place | None, limit: int) -> Found:
    mine = sa.and_(transactions.c.payee == name, transactions.c.account != name)
    return _payments(connection, mine, "received", rank, after, limit)


def _happened(connection: sa.Connection, name: str, rank: int, after: Place | None, limit: int) -> Found:
    c = account_events.c
    query = sa.select(c.number, c.at, c.body).where(c.account == name, _below(c.at, c.number, rank, after))
    rows = connection.execute(query.order_by(c.at.desc(), c.number.desc()).limit(limit + 1))
    return [
        (row.number, Entry(moment(row.at), "event", event=msgspec.json.decode(row.body, type=AccountEvent)))
        for row in rows
    ]


def _done(connection: sa.Connection, name: str, rank: int, after: Place | None, limit: int) -> Found:
    c = case_events.c
    query = sa.select(case_events).where(c.account == name, _below(c.at, c.id, rank, after))
    rows = connection.execute(query.order_by(c.at.desc(), c.id.desc()).limit(limit + 1))
    return [(row.id, Entry(moment(row.at), "case", case=case_event_from(row))) for row in rows]
