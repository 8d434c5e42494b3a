"""What the desk shows of its work: the queue, one alert, investigations, the audit, the people. Nothing here writes.

Every read takes the actor and asks ``access`` first. Lists are paged by keys, never by counting rows off, so the
hundredth page costs what the first does. One account's page and its timeline are in ``history``, search in ``search``.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from tocsin.desk import cases
from tocsin.desk.access import Deed, require
from tocsin.desk.model import Account, Actor, Alert, Investigation, Outcome, Role, consequence
from tocsin.errors import NotFound
from tocsin.ledger import Ledger, microseconds, moment
from tocsin.ledger.normal import Normal
from tocsin.ledger.standing import FREE, Standing, standing_of
from tocsin.ledger.tables import alerts, case_events, decisions, investigations, people, transactions
from tocsin.schema import Decision, Reason, Score, Transaction

Scope = Literal["open and mine", "open", "mine", "all"]
Cursor = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Filter:
    """Which alerts the queue shows.

    ``open and mine``: those nobody has acted on, and those of pending investigations given to me. ``all``: those of
    everybody's pending investigations too. Amounts and stakes are minor units of the base currency.
    """

    scope: Scope = "open and mine"
    stake_from_minor: int | None = None
    amount_from_minor: int | None = None
    due_before: datetime | None = None
    action: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One alert in the queue, with what one needs to choose it."""

    alert: Alert
    amount_minor: int
    currency: str
    payee: str | None
    score: Score | None
    standing: Standing
    account_alerts: int
    assigned_to: str | None


@dataclass(frozen=True, slots=True)
class Queue:
    """A page of the queue, highest stake first; totals are of the whole queue, ``next`` continues below this page."""

    rows: tuple[QueueRow, ...]
    count: int
    stake_minor: int
    oldest_at: datetime | None
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """One alert with everything the model said, and what verdicts would do."""

    alert: Alert
    payment: Transaction
    base_minor: int
    decision: Decision
    reasons: tuple[Reason, ...]
    normal: Normal | None
    account: Account
    others: tuple[Alert, ...]
    consequences: dict[Outcome, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """What has come in after an alert: the newest alert's id, how many, and their stake."""

    newest: int
    count: int
    stake_minor: int


@dataclass(frozen=True, slots=True)
class Day:
    """What was closed since a moment: how many, how many of them fraud, and the mean time from opening to verdict."""

    closed: int
    fraud: int
    mean_seconds: float | None


@dataclass(frozen=True, slots=True)
class InvestigationRow:
    """One investigation in a list."""

    investigation: Investigation
    alerts: int
    stake_minor: int
    standing: Standing


@dataclass(frozen=True, slots=True)
class CaseEvent:
    """One event of the audit chain; ``old`` and ``new`` are what its JSON says."""

    id: int
    at: datetime
    kind: str
    actor: str
    account: str | None
    subject: str | None
    old: Any
    new: Any
    hash: bytes


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the desk."""

    name: str
    role: Role
    active: bool
    has_password: bool
    created_at: datetime


def queue(
    ledger: Ledger, actor: Actor, *, wanted: Filter | None = None, after: Cursor | None = None, limit: int = 50
) -> Queue:
    """The alerts to work on: highest stake first, then oldest, then by id."""
    require(actor, Deed.READ_CASES)
    wanted = wanted or Filter()
    with ledger.read() as connection:
        parts = [sa.and_(part, *_conditions(wanted)) for part in _scopes(wanted.scope, actor.name)]
        found: list[Alert] = []
        for part in parts:
            query = _ordered(sa.select(*cases.ALERT_COLUMNS).where(part), wanted).limit(limit + 1)
            if after is not None:
                query = query.where(cases.below(*after))
            found += map(cases.alert_from, connection.execute(query))
        found.sort(key=lambda one: (-one.stake_minor, one.created_at, one.id))
        count, stake, oldest = _totals(connection, parts, wanted)
        page = found[:limit]
        last = (page[-1].stake_minor, microseconds(page[-1].created_at), page[-1].id) if len(found) > limit else None
        return Queue(_rows(connection, page), count, stake, oldest, last)


def alert(ledger: Ledger, actor: Actor, id: int) -> AlertDetail:
    """One alert: the payment, the stages, the reasons, this customer's normal, and what a verdict would do.

    Raises
    ------
    NotFound : there is no such alert.
    """
    require(actor, Deed.READ_CASES)
    with ledger.read() as connection:
        query = (
            sa.select(
                alerts,
                transactions.c.body.label("payment"),
                transactions.c.base_minor,
                decisions.c.body.label("decision"),
            )
            .join(transactions, transactions.c.number == alerts.c.number)
            .join(decisions, decisions.c.number == alerts.c.number)
            .where(alerts.c.id == id)
        )
        row = connection.execute(query).first()
        if row is None:
            raise NotFound(f"no alert {id}.", hint="Check the number.")
        found = cases.alert_from(row)
        account = cases.load(connection, found.account)
        others = tuple(one for one in cases.new_alerts(connection, found.account) if one.id != id)
        decision = msgspec.json.decode(row.decision, type=Decision)
        return AlertDetail(
            alert=found,
            payment=msgspec.json.decode(row.payment, type=Transaction),
            base_minor=row.base_minor,
            decision=decision,
            reasons=msgspec.json.decode(row.reasons, type=tuple[Reason, ...]) if row.reasons else decision.reasons,
            normal=msgspec.json.decode(row.normal, type=Normal) if row.normal else None,
            account=account,
            others=others,
            consequences=_consequences(account, found),
        )


def consequences(ledger: Ledger, actor: Actor, investigation: int) -> dict[Outcome, str]:
    """What each verdict on a pending investigation would do, in words; nothing for a final one."""
    require(actor, Deed.READ_CASES)
    with ledger.read() as connection:
        query = sa.select(investigations.c.account).where(investigations.c.id == investigation)
        name = connection.execute(query).scalar_one_or_none()
        if name is None:
            raise NotFound(f"no investigation {investigation}.", hint="Check the number.")
        account = cases.load(connection, name)
    if not account.investigation(investigation).pending:
        return {}
    return {outcome: consequence(account, investigation, outcome) for outcome in Outcome}


def news(ledger: Ledger, actor: Actor, *, after: int) -> News:
    """What rang after alert ``after``; cheap enough to ask every second."""
    require(actor, Deed.READ_CASES)
    query = sa.select(
        sa.func.coalesce(sa.func.max(alerts.c.id), after),
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(alerts.c.stake_minor), 0),
    ).where(alerts.c.id > after)
    with ledger.read() as connection:
        newest, count, stake = connection.execute(query).one()
    return News(int(newest), int(count), int(stake))


def newest_alert(ledger: Ledger, actor: Actor) -> int:
    """The id of the newest alert; 0 when there is none."""
    require(actor, Deed.READ_CASES)
    with ledger.read() as connection:
        return int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(alerts.c.id), 0))).scalar_one())


def day(ledger: Ledger, actor: Actor, *, since: datetime) -> Day:
    """What was closed since then, by everybody; mistakes are not counted."""
    require(actor, Deed.READ_CASES)
    c = investigations.c
    query = sa.select(
        sa.func.count(),
        sa.func.coalesce(sa.func.sum(sa.case((c.verdict == Outcome.FRAUD.value, 1), else_=0)), 0),
        sa.func.avg(c.finalised_at - c.opened_at),
    ).where(c.finalised_at >= microseconds(since), c.verdict != Outcome.MISTAKE.value)
    with ledger.read() as connection:
        closed, fraud, mean = connection.execute(query).one()
    return Day(int(closed), int(fraud), None if mean is None else float(mean) / 1e6)


def list_investigations(
    ledger: Ledger,
    actor: Actor,
    *,
    pending: bool = True,
    assigned_to: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> tuple[InvestigationRow, ...]:
    """Investigations: pending ones oldest first, final ones newest first; ``after`` is the last id of the page before."""
    require(actor, Deed.READ_CASES)
    c = investigations.c
    query = sa.select(investigations).where(c.status == ("pending" if pending else "final"))
    query = query.order_by(c.id if pending else c.id.desc()).limit(limit)
    if assigned_to is not None:
        query = query.where(c.assigned_to == assigned_to)
    if after is not None:
        query = query.where(c.id > after if pending else c.id < after)
    with ledger.read() as connection:
        found = [cases.investigation_from(row) for row in connection.execute(query)]
        sums = sa.select(alerts.c.investigation, sa.func.count(), sa.func.sum(alerts.c.stake_minor))
        sums = sums.where(alerts.c.investigation.in_([one.id for one in found])).group_by(alerts.c.investigation)
        of = {id: (int(count), int(stake)) for id, count, stake in connection.execute(sums)}
        standing = standing_now(connection, {one.account for one in found})
    return tuple(InvestigationRow(one, *of.get(one.id, (0, 0)), standing.get(one.account, FREE)) for one in found)


def audit_page(
    ledger: Ledger,
    actor: Actor,
    *,
    before: int | None = None,
    limit: int = 100,
    account: str | None = None,
    by: str | None = None,
    kind: str | None = None,
) -> tuple[CaseEvent, ...]:
    """The audit chain, newest first; ``before`` is the last id of the page above."""
    require(actor, Deed.READ_AUDIT)
    c = case_events.c
    query = sa.select(case_events).order_by(c.id.desc()).limit(limit)
    for column, value in ((c.account, account), (c.actor, by), (c.kind, kind)):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(c.id < before)
    with ledger.read() as connection:
        return tuple(case_event_from(row) for row in connection.execute(query))


def list_people(ledger: Ledger, actor: Actor) -> tuple[Person, ...]:
    """Everybody of the desk, by name, those switched off last."""
    require(actor, Deed.READ_PEOPLE)
    query = sa.select(people).order_by(people.c.active.desc(), people.c.name)
    with ledger.read() as connection:
        return tuple(
            Person(row.name, Role(row.role), bool(row.active), row.password_hash is not None, moment(row.created_at))
            for row in connection.execute(query)
        )


def case_event_from(row: Any) -> CaseEvent:
    """An event of the chain from its row."""
    old, new = (None if text is None else json.loads(text) for text in (row.old, row.new))
    return CaseEvent(row.id, moment(row.at), row.kind, row.actor, row.account, row.subject, old, new, bytes(row.hash))


def standing_now(connection: sa.Connection, names: Collection[str]) -> dict[str, Standing]:
    """What stands against these accounts, to be shown; holds nothing."""
    return standing_of(connection, names, hold=False)


def _scopes(scope: Scope, name: str) -> list[sa.ColumnElement[bool]]:
    pending = sa.select(investigations.c.id).where(investigations.c.status == "pending")
    mine = pending.where(investigations.c.assigned_to == name)
    new = alerts.c.status == "new"

    def joined(to: sa.Select[tuple[int]]) -> sa.ColumnElement[bool]:
        return alerts.c.investigation.in_(to)  # found from the few investigations, not from all alerts ever joined

    return {
        "open": [new],
        "open and mine": [new, joined(mine)],
        "mine": [alerts.c.locked_by == name, joined(mine)],  # only new alerts are ever held
        "all": [new, joined(pending)],
    }[scope]


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    c, found = alerts.c, []
    if wanted.stake_from_minor is not None:
        found.append(c.stake_minor >= wanted.stake_from_minor)
    if wanted.amount_from_minor is not None:
        found.append(transactions.c.base_minor >= wanted.amount_from_minor)
    if wanted.due_before is not None:
        found.append(c.due_at < microseconds(wanted.due_before))
    if wanted.action is not None:
        found.append(c.action == wanted.action)
    if wanted.text:
        found.append(sa.or_(c.why.icontains(wanted.text, autoescape=True), c.account == wanted.text))
    return found


def _joined(query: sa.Select[Any], wanted: Filter) -> sa.Select[Any]:
    if wanted.amount_from_minor is None:
        return query
    return query.join(transactions, transactions.c.number == alerts.c.number)


def _ordered(query: sa.Select[Any], wanted: Filter) -> sa.Select[Any]:
    c = alerts.c
    return _joined(query, wanted).order_by(c.stake_minor.desc(), c.created_at, c.id)


def _totals(
    connection: sa.Connection, parts: list[sa.ColumnElement[bool]], wanted: Filter
) -> tuple[int, int, datetime | None]:
    c, count, stake, oldest = alerts.c, 0, 0, []
    for part in parts:
        query = sa.select(
            sa.func.count(), sa.func.coalesce(sa.func.sum(c.stake_minor), 0), sa.func.min(c.created_at)
        ).select_from(alerts)
        row = connection.execute(_joined(query, wanted).where(part)).one()
        count, stake = count + int(row[0]), stake + int(row[1])
        oldest += [] if row[2] is None else [moment(row[2])]
    return count, stake, min(oldest, default=None)


def _rows(connection: sa.Connection, page: list[Alert]) -> tuple[QueueRow, ...]:
    names = {one.account for one in page}
    t = transactions.c
    query = (
        sa.select(t.number, t.amount_minor, t.currency, t.payee, decisions.c.body)
        .join(decisions, decisions.c.number == t.number)
        .where(t.number.in_([one.number for one in page]))
    )
    payments = {row.number: row for row in connection.execute(query)}
    standing = standing_now(connection, names)
    counts = sa.select(alerts.c.account, sa.func.count()).where(alerts.c.account.in_(names), alerts.c.status == "new")
    waiting = {name: int(count) for name, count in connection.execute(counts.group_by(alerts.c.account))}
    cared = sa.select(investigations.c.id, investigations.c.assigned_to)
    cared = cared.where(investigations.c.id.in_([one.investigation for one in page if one.investigation]))
    assigned = {row.id: row.assigned_to for row in connection.execute(cared)}
    return tuple(
        QueueRow(
            alert=one,
            amount_minor=payments[one.number].amount_minor,
            currency=payments[one.number].currency,
            payee=payments[one.number].payee,
            score=msgspec.json.decode(payments[one.number].body, type=Decision).score,
            standing=standing.get(one.account, FREE),
            account_alerts=waiting.get(one.account, 0),
            assigned_to=assigned.get(one.investigation) if one.investigation else None,
        )
        for one in page
    )


def _consequences(account: Account, found: Alert) -> dict[Outcome, str]:
    if found.status == "dismissed":
        return {}
    if found.investigation is not None and not account.investigation(found.investigation).pending:
        return {}
    return {
        outcome: consequence(account, found.investigation, outcome)
        for outcome in Outcome
        if found.investigation is not None or outcome is not Outcome.MISTAKE
    }
