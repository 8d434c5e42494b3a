"""Between the model and the tables: an account as the ledger holds it, and what a move changed written back.

``hold`` takes the account for this write alone (PostgreSQL: its row ``FOR UPDATE``; SQLite: the write already excludes
all others), so two people's moves follow one another and payments being decided, which hold the row shared, finish
first. It knows no rule: which moves are legal is the model's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.desk.model import LOCK_LASTS, Account, Alert, Block, Direction, Freeze, Investigation, Outcome, Verdict
from tocsin.errors import NotFound
from tocsin.ledger import microseconds, moment
from tocsin.ledger.tables import accounts, alerts, blocks, freeze_investigations, freezes, investigations

ALERT_COLUMNS = [one for one in alerts.c if one.name not in ("reasons", "normal", "inputs")]
"""What an ``Alert`` needs; the rest is large and read only where one alert is shown."""


def hold(connection: sa.Connection, name: str, at: datetime | None = None) -> Account:
    """The account, held until the write ends; with ``at`` one never seen before gets its row.

    Raises
    ------
    NotFound : the account was never seen and ``at`` is not given.
    """
    on_sqlite = connection.dialect.name == "sqlite"
    if at is not None:
        insert: Any = sqlite.insert if on_sqlite else postgresql.insert
        row = {"account": name, "first_seen_at": microseconds(at)}
        connection.execute(insert(accounts).values(**row).on_conflict_do_nothing())
    query = sa.select(accounts.c.account).where(accounts.c.account == name)
    if connection.execute(query if on_sqlite else query.with_for_update()).first() is None:
        raise NotFound("no such account has been seen.", field="account", hint="Check how it is written.")
    return load(connection, name)


def load(connection: sa.Connection, name: str) -> Account:
    """The account with everything decided about it, oldest first; empty when nothing was."""
    served: dict[int, list[int]] = defaultdict(list)
    pairs = sa.select(freeze_investigations).join(freezes, freezes.c.id == freeze_investigations.c.freeze)
    for row in connection.execute(
        pairs.where(freezes.c.account == name).order_by(freeze_investigations.c.investigation)
    ):
        served[row.freeze].append(row.investigation)

    def rows(table: sa.Table) -> sa.CursorResult[Any]:
        return connection.execute(sa.select(table).where(table.c.account == name).order_by(table.c.id))

    return Account(
        name=name,
        investigations=tuple(map(investigation_from, rows(investigations))),
        freezes=tuple(_freeze_from(row, tuple(served[row.id])) for row in rows(freezes)),
        blocks=tuple(map(_block_from, rows(blocks))),
    )


def save(connection: sa.Connection, before: Account, after: Account) -> Account:
    """Write what differs; returns ``after`` with the ids that new entries were given."""
    new = {0: 0}
    kept = []
    for one in after.investigations:
        if one.id == 0:
            one = replace(one, id=_insert(connection, investigations, _investigation_row(one)))
            new[0] = one.id
        elif one not in before.investigations:
            _update(connection, investigations, one.id, _investigation_row(one))
        kept.append(one)
    frozen = [
        _save_freeze(connection, before, replace(one, investigations=tuple(new.get(i, i) for i in one.investigations)))
        for one in after.freezes
    ]
    blocked = []
    for block in after.blocks:
        if block.id == 0:
            block = replace(block, id=_insert(connection, blocks, _block_row(block)))
        elif block not in before.blocks:
            _update(connection, blocks, block.id, _block_row(block))
        blocked.append(block)
    return Account(after.name, tuple(kept), tuple(frozen), tuple(blocked))


def _save_freeze(connection: sa.Connection, before: Account, freeze: Freeze) -> Freeze:
    known: set[int] = set()
    if freeze.id == 0:
        freeze = replace(freeze, id=_insert(connection, freezes, _freeze_row(freeze)))
    else:
        old = next(one for one in before.freezes if one.id == freeze.id)
        known = set(old.investigations)
        if old != freeze:
            _update(connection, freezes, freeze.id, _freeze_row(freeze))
    pairs = [{"freeze": freeze.id, "investigation": one} for one in freeze.investigations if one not in known]
    if pairs:
        connection.execute(freeze_investigations.insert(), pairs)
    return freeze


def alerts_of(connection: sa.Connection, ids: list[int]) -> list[Alert]:
    """These alerts, in the order asked for.

    Raises
    ------
    NotFound : one of them does not exist.
    """
    rows = connection.execute(sa.select(*ALERT_COLUMNS).where(alerts.c.id.in_(ids)))
    found = {row.id: alert_from(row) for row in rows}
    missing = [one for one in ids if one not in found]
    if missing:
        raise NotFound(f"no alert {missing[0]}.", field="alert")
    return [found[one] for one in ids]


def new_alerts(connection: sa.Connection, account: str) -> list[Alert]:
    """The account's alerts that nobody has acted on, oldest first."""
    query = sa.select(*ALERT_COLUMNS).where(alerts.c.account == account, alerts.c.status == "new").order_by(alerts.c.id)
    return [alert_from(row) for row in connection.execute(query)]


def lock_new_alerts(connection: sa.Connection, account: str, by: str, at: datetime) -> None:
    """Take every new alert of the account, if each of them may be taken; there may be hundreds, so in one statement."""
    for one in new_alerts(connection, account):
        one.lock(by, at)
    mine = sa.and_(alerts.c.account == account, alerts.c.status == "new")
    connection.execute(alerts.update().where(mine).values(locked_by=by, locked_at=microseconds(at)))


def unlock_alerts(connection: sa.Connection, account: str, by: str) -> None:
    """Give back whatever somebody holds of the account."""
    held = sa.and_(alerts.c.account == account, alerts.c.locked_by == by)
    connection.execute(alerts.update().where(held).values(locked_by=None, locked_at=None))


def next_new_alert(
    connection: sa.Connection, name: str, at: datetime, after: int | None, skipped: Sequence[int]
) -> int | None:
    """The first alert in the queue's order, below ``after`` or else from the top, that nobody but ``name`` holds."""
    c = alerts.c
    free = sa.or_(c.locked_by.is_(None), c.locked_by == name, c.locked_at <= microseconds(at - LOCK_LASTS))
    query = sa.select(c.id).where(c.status == "new", free, c.id.not_in(skipped))
    query = query.order_by(c.stake_minor.desc(), c.created_at, c.id).limit(1)
    if after is not None:
        last = connection.execute(sa.select(c.stake_minor, c.created_at, c.id).where(c.id == after)).first()
        if last is not None:
            found = connection.execute(
                query.where(below(last.stake_minor, last.created_at, last.id))
            ).scalar_one_or_none()
            if found is not None:
                return int(found)
    found = connection.execute(query).scalar_one_or_none()
    return None if found is None else int(found)


def below(stake_minor: int, created_at: int, id: int) -> sa.ColumnElement[bool]:
    """Alerts that come later in the queue: less at stake, then younger."""
    c = alerts.c
    younger = sa.or_(c.created_at > created_at, sa.and_(c.created_at == created_at, c.id > id))
    return sa.and_(c.stake_minor <= stake_minor, sa.or_(c.stake_minor < stake_minor, younger))


def save_alert(connection: sa.Connection, alert: Alert) -> None:
    """Write where an alert stands now; what the model said of it never changes."""
    names = ("status", "investigation", "dismissed_by", "dismissed_reason", "locked_by")
    values = {name: getattr(alert, name) for name in names} | {"locked_at": _at(alert.locked_at)}
    _update(connection, alerts, alert.id, values)


def alert_from(row: Any) -> Alert:
    """An alert from its row."""
    return Alert(
        id=row.id,
        number=row.number,
        account=row.account,
        at=moment(row.at),
        created_at=moment(row.created_at),
        due_at=moment(row.due_at),
        action=row.action,
        score=row.score,
        stake_minor=row.stake_minor,
        why=row.why,
        status=row.status,
        investigation=row.investigation,
        dismissed_by=row.dismissed_by,
        dismissed_reason=row.dismissed_reason,
        locked_by=row.locked_by,
        locked_at=when(row.locked_at),
    )


def investigation_from(row: Any) -> Investigation:
    """An investigation from its row."""
    verdict = None
    if row.status == "final":
        verdict = Verdict(
            Outcome(row.verdict), row.reason_code, row.note or "", row.finalised_by, moment(row.finalised_at)
        )
    return Investigation(
        id=row.id,
        account=row.account,
        subject=row.subject,
        opened_by=row.opened_by,
        opened_at=moment(row.opened_at),
        assigned_to=row.assigned_to,
        due_at=when(row.due_at),
        verdict=verdict,
    )


def when(at: int | None) -> datetime | None:
    """A time that may be missing."""
    return None if at is None else moment(at)


def _at(value: datetime | None) -> int | None:
    return None if value is None else microseconds(value)


def _investigation_row(one: Investigation) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "account": one.account,
        "subject": one.subject,
        "status": "pending" if verdict is None else "final",
        "opened_by": one.opened_by,
        "opened_at": _at(one.opened_at),
        "assigned_to": one.assigned_to,
        "due_at": _at(one.due_at),
        "verdict": verdict and verdict.outcome.value,
        "reason_code": verdict and verdict.reason_code,
        "note": verdict and verdict.note,
        "finalised_by": verdict and verdict.by,
        "finalised_at": verdict and _at(verdict.at),
    }


def _freeze_from(row: Any, served: tuple[int, ...]) -> Freeze:
    return Freeze(
        id=row.id,
        account=row.account,
        direction=Direction(row.direction),
        reason=row.reason,
        set_by=row.set_by,
        set_at=moment(row.set_at),
        investigations=served,
        fraud_in=row.fraud_in,
        ended_by_investigation=row.ended_by_investigation,
        ended_at=when(row.ended_at),
    )


def _freeze_row(one: Freeze) -> dict[str, Any]:
    return {
        "account": one.account,
        "direction": one.direction.value,
        "reason": one.reason,
        "set_by": one.set_by,
        "set_at": _at(one.set_at),
        "status": "active" if one.active else "ended",
        "fraud_in": one.fraud_in,
        "ended_by_investigation": one.ended_by_investigation,
        "ended_at": _at(one.ended_at),
    }


def _block_from(row: Any) -> Block:
    return Block(
        id=row.id,
        account=row.account,
        direction=Direction(row.direction),
        reason=row.reason,
        investigation=row.investigation,
        set_by=row.set_by,
        set_at=moment(row.set_at),
        lift_asked_by=row.lift_asked_by,
        lift_reason=row.lift_reason,
        lift_asked_at=when(row.lift_asked_at),
        lifted_by=row.lifted_by,
        lifted_at=when(row.lifted_at),
    )


def _block_row(one: Block) -> dict[str, Any]:
    return {
        "account": one.account,
        "direction": one.direction.value,
        "reason": one.reason,
        "investigation": one.investigation,
        "set_by": one.set_by,
        "set_at": _at(one.set_at),
        "status": "active" if one.active else "lifted",
        "lift_asked_by": one.lift_asked_by,
        "lift_reason": one.lift_reason,
        "lift_asked_at": _at(one.lift_asked_at),
        "lifted_by": one.lifted_by,
        "lifted_at": _at(one.lifted_at),
    }


def _insert(connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> int:
    return int(connection.execute(table.insert().values(**values).returning(table.c.id)).scalar_one())


def _update(connection: sa.Connection, table: sa.Table, id: int, values: dict[str, Any]) -> None:
    connection.execute(table.update().where(table.c.id == id).values(**values))
