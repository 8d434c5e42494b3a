"""What a person may do about payments and accounts: one function each, the only writers of what people decide.

Every function asks ``access`` first, holds the account, makes one legal move of the ``model``, writes it and leaves an
event in the audit chain, all in **one** database transaction: it happens whole or not at all. All take the ledger, the
actor, and ``at``, the moment by the caller's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from tocsin.desk import cases, labelling
from tocsin.desk.access import Deed, require
from tocsin.desk.model import (
    Account,
    Actor,
    Alert,
    Block,
    Direction,
    Freeze,
    Investigation,
    Outcome,
    Role,
    said,
    verdict_of,
)
from tocsin.errors import BadInput, Conflict, NotFound
from tocsin.ledger import Ledger, audit, tables
from tocsin.ledger.sequence import next_number


@dataclass(frozen=True, slots=True)
class Closed:
    """What a verdict did: the investigation as it is now, freezes that ended, blocks set, payments labelled."""

    investigation: Investigation
    ended: tuple[Freeze, ...]
    blocks: tuple[Block, ...]
    labels: int


@dataclass(slots=True)
class _Case:
    """An account held in one write, with the account as it was when it was last saved."""

    connection: sa.Connection
    actor: Actor
    at: datetime
    account: Account

    def move(self, after: Account) -> None:
        self.account = cases.save(self.connection, self.account, after)

    def tell(self, kind: str, subject: str, *, old: Any = None, new: Any = None) -> int:
        name = self.account.name
        return audit.append(
            self.connection,
            at=self.at,
            kind=kind,
            actor=self.actor.name,
            account=name,
            subject=subject,
            old=old,
            new=new,
        )


@contextmanager
def _case(
    ledger: Ledger,
    actor: Actor,
    at: datetime,
    *,
    name: str | None = None,
    of: sa.Select[Any] | None = None,
    numbered: bool = False,
) -> Iterator[_Case]:
    # ``numbered``: labels will be written. Locks are taken in one order everywhere: sequence, account, chain.
    with ledger.write() as connection:
        if numbered:
            next_number(connection, lock=True)
        if of is not None:
            name = connection.execute(of).scalar_one_or_none()
            if name is None:
                raise NotFound("no such alert, investigation or block.", hint="Check the number.")
            yield _Case(connection, actor, at, cases.hold(connection, name))
        else:
            assert name is not None
            said(name, "account", longest=200)
            yield _Case(connection, actor, at, cases.hold(connection, name, at))


def open_investigation(
    ledger: Ledger,
    actor: Actor,
    *,
    at: datetime,
    subject: str,
    alerts: Sequence[int] = (),
    account: str | None = None,
    due_at: datetime | None = None,
) -> Investigation:
    """Begin work on one account, from alerts of that account or on the account itself; it is assigned to the actor.

    Raises
    ------
    Conflict : an alert is not new, or somebody else holds it.
    BadInput : the alerts belong to several accounts, or neither alerts nor an account is named.
    """
    require(actor, Deed.INVESTIGATE)
    with _on(ledger, actor, at, alerts, account) as case:
        return _open(case, subject, alerts, due_at)


def join_alert(ledger: Ledger, actor: Actor, *, at: datetime, alert: int, investigation: int) -> Alert:
    """Make a new alert part of a pending investigation of the same account."""
    require(actor, Deed.INVESTIGATE)
    with _case(ledger, actor, at, of=_account_of_alert(alert)) as case:
        found = case.account.investigation(investigation)
        if not found.pending:
            raise Conflict(
                f"an alert can join only a pending investigation; {investigation} is final.", hint="Reopen it."
            )
        return _join(case, cases.alerts_of(case.connection, [alert])[0], investigation)


def dismiss_alert(ledger: Ledger, actor: Actor, *, at: datetime, alert: int, reason: str) -> Alert:
    """Put a new alert aside, saying why, without an investigation; it makes no label."""
    require(actor, Deed.DISMISS_ALERT)
    reason = said(reason, "reason")
    with _case(ledger, actor, at, of=_account_of_alert(alert)) as case:
        after = cases.alerts_of(case.connection, [alert])[0].dismiss(actor.name, reason, at)
        cases.save_alert(case.connection, after)
        case.tell("alert_dismissed", f"alert {alert}", old="new", new={"status": "dismissed", "reason": reason})
        return after


def assign(ledger: Ledger, actor: Actor, *, at: datetime, investigation: int, to: str, reason: str) -> Investigation:
    """Give a pending investigation to an analyst or senior, saying why."""
    require(actor, Deed.ASSIGN)
    reason = said(reason, "reason")
    with _case(ledger, actor, at, of=_account_of(tables.investigations, investigation)) as case:
        _check_works(case.connection, to)
        before = case.account.investigation(investigation).assigned_to
        case.move(case.account.assign(investigation, to))
        case.tell("assigned", f"investigation {investigation}", old=before, new={"to": to, "reason": reason})
        return case.account.investigation(investigation)


def note(
    ledger: Ledger, actor: Actor, *, at: datetime, account: str, text: str, investigation: int | None = None
) -> int:
    """Write down what was found, for whoever reads it next; returns the number of the event that holds it."""
    require(actor, Deed.NOTE)
    text = said(text, "note")
    with _case(ledger, actor, at, name=account) as case:
        if investigation is not None:
            case.account.investigation(investigation)
        subject = "account" if investigation is None else f"investigation {investigation}"
        return case.tell("note", subject, new={"text": text})


def freeze(
    ledger: Ledger,
    actor: Actor,
    *,
    at: datetime,
    direction: Direction,
    reason: str,
    account: str | None = None,
    investigations: Sequence[int] = (),
    alerts: Sequence[int] = (),
    subject: str = "unusual payment",
) -> Freeze:
    """Stop the account's money until every pending investigation of it is final.

    Parameters
    ----------
    account, alerts : which account; freezing from new alerts opens an investigation for them.
    investigations : the pending ones it is set for; by default all of the account.

    Raises
    ------
    Conflict : nothing is pending, one named is final, or the direction is frozen already.
    """
    require(actor, Deed.FREEZE)
    reason = said(reason, "reason")
    with _on(ledger, actor, at, alerts, account) as case:
        found = cases.alerts_of(case.connection, list(dict.fromkeys(alerts)))
        joined = {one.investigation for one in found if one.investigation is not None}
        fresh = [one.id for one in found if one.investigation is None]
        if fresh:
            joined.add(_open(case, subject, fresh, None, urgent=True).id)
        wanted = tuple(sorted({*investigations, *joined}))
        new = Freeze(0, case.account.name, direction, reason, actor.name, at, wanted)
        case.move(case.account.freeze(new))
        made = case.account.freezes[-1]
        told = {"direction": direction.value, "reason": reason, "investigations": list(made.investigations)}
        case.tell("frozen", f"freeze {made.id}", new=told)
        return made


def finalise(
    ledger: Ledger,
    actor: Actor,
    *,
    at: datetime,
    investigation: int,
    outcome: Outcome,
    reason_code: str,
    note: str = "",
    payments: Sequence[int] | None = None,
) -> Closed:
    """Close a pending investigation with a verdict; the last one of the account ends its freezes in this transaction.

    Parameters
    ----------
    outcome : genuine, fraud or inconclusive (:func:`finalise_as_mistake` is another thing).
    payments : numbers of the payments the verdict speaks of, paid by or to the account; by default those of the
        investigation's alerts. Fraud and genuine label them, inconclusive labels nothing.
    """
    require(actor, Deed.FINALISE)
    if outcome is Outcome.MISTAKE:
        raise BadInput(
            "a verdict must be genuine, fraud or inconclusive; got mistake.", hint="Finalise it as a mistake."
        )
    with _case(ledger, actor, at, of=_account_of(tables.investigations, investigation), numbered=True) as case:
        return _close(case, investigation, outcome, reason_code, note, payments)


def finalise_as_mistake(ledger: Ledger, actor: Actor, *, at: datetime, investigation: int, reason: str) -> Closed:
    """Close an investigation that should not have been opened, saying why; it makes no label."""
    require(actor, Deed.FINALISE)
    with _case(ledger, actor, at, of=_account_of(tables.investigations, investigation)) as case:
        return _close(case, investigation, Outcome.MISTAKE, "mistake", reason, None)


def judge_alerts(
    ledger: Ledger,
    actor: Actor,
    *,
    at: datetime,
    alerts: Sequence[int],
    outcome: Outcome,
    reason_code: str,
    note: str = "",
    subject: str = "unusual payment",
    payments: Sequence[int] | None = None,
) -> Closed:
    """Give a verdict straight from the queue: opens an investigation for new alerts of one account and closes it.

    ``payments`` are those the verdict speaks of, as in :func:`finalise`.
    """
    require(actor, Deed.FINALISE)
    if outcome is Outcome.MISTAKE:
        raise BadInput("a verdict must be genuine, fraud or inconclusive; got mistake.", hint="Dismiss the alert.")
    with _on(ledger, actor, at, alerts, None, numbered=True) as case:
        opened = _open(case, subject, alerts, None)
        return _close(case, opened.id, outcome, reason_code, note, payments)


def reopen(ledger: Ledger, actor: Actor, *, at: datetime, investigation: int, reason: str) -> Investigation:
    """Make a final investigation pending again, saying why; it revives no freeze and lifts no block."""
    require(actor, Deed.REOPEN)
    reason = said(reason, "reason")
    with _case(ledger, actor, at, of=_account_of(tables.investigations, investigation)) as case:
        before = case.account.investigation(investigation).verdict
        case.move(case.account.reopen(investigation))
        old = before and {"outcome": before.outcome.value, "reason_code": before.reason_code, "by": before.by}
        case.tell("reopened", f"investigation {investigation}", old=old, new={"reason": reason})
        return case.account.investigation(investigation)


def ask_to_lift_block(ledger: Ledger, actor: Actor, *, at: datetime, block: int, reason: str) -> Block:
    """Ask that a block be lifted, saying why; a senior other than you answers."""
    require(actor, Deed.ASK_TO_LIFT)
    reason = said(reason, "reason")
    with _case(ledger, actor, at, of=_account_of(tables.blocks, block)) as case:
        after = case.account.block(block).ask_to_lift(actor.name, reason, at)
        return _move_block(case, after, "lift_asked", {"reason": reason})


def lift_block(ledger: Ledger, actor: Actor, *, at: datetime, block: int, reason: str = "") -> Block:
    """Lift a block that somebody else asked about and somebody else set.

    Raises
    ------
    NotAllowed : the actor is no senior, asked for it, or set it.
    Conflict : nobody has asked, or it is lifted.
    """
    require(actor, Deed.LIFT)
    with _case(ledger, actor, at, of=_account_of(tables.blocks, block)) as case:
        before = case.account.block(block)
        told = {"asked_by": before.lift_asked_by, "asked_because": before.lift_reason, "reason": reason.strip()}
        return _move_block(case, before.lift(actor.name, at), "lifted", told)


def refuse_to_lift(ledger: Ledger, actor: Actor, *, at: datetime, block: int, reason: str) -> Block:
    """Say no to a question about a block, saying why; it stays, and may be asked about again."""
    require(actor, Deed.LIFT)
    reason = said(reason, "reason")
    with _case(ledger, actor, at, of=_account_of(tables.blocks, block)) as case:
        return _move_block(case, case.account.block(block).refuse_lift(), "lift_refused", {"reason": reason})


def take_alert(ledger: Ledger, actor: Actor, *, at: datetime, alert: int) -> Alert:
    """Hold a new alert, and every other new one of its account, for fifteen minutes."""
    require(actor, Deed.TAKE_ALERT)
    with _case(ledger, actor, at, of=_account_of_alert(alert)) as case:
        return _take(case, alert)


def release_alert(ledger: Ledger, actor: Actor, *, at: datetime, alert: int) -> Alert:
    """Give a held alert, and the others of its account, back to the queue."""
    require(actor, Deed.TAKE_ALERT)
    with _case(ledger, actor, at, of=_account_of_alert(alert)) as case:
        after = cases.alerts_of(case.connection, [alert])[0].release(actor.name, at)
        cases.unlock_alerts(case.connection, case.account.name, actor.name)
        case.tell("alert_released", f"alert {alert}", old=actor.name)
        return after


def take_next(ledger: Ledger, actor: Actor, *, at: datetime, after: int | None = None) -> Alert | None:
    """Hold the next alert of the queue that nobody else works on, going down from ``after`` and then from the top.

    The one moved on from is given back if the actor held it. Returns ``None`` when there is nothing for the actor.
    """
    require(actor, Deed.TAKE_ALERT)
    skipped = [] if after is None else [after]
    if after is not None:
        with suppress(Conflict):  # decided already, or not held: nothing to give back
            release_alert(ledger, actor, at=at, alert=after)
    while True:
        with ledger.read() as connection:
            wanted = cases.next_new_alert(connection, actor.name, at, after, skipped)
        if wanted is None:
            return None
        try:
            return take_alert(ledger, actor, at=at, alert=wanted)
        except Conflict:  # somebody was faster between looking and holding
            skipped.append(wanted)


@contextmanager
def _on(
    ledger: Ledger, actor: Actor, at: datetime, alerts: Sequence[int], account: str | None, *, numbered: bool = False
) -> Iterator[_Case]:
    """The case of these alerts, which must all be of one account, or of the account named."""
    if not alerts:
        if account is None:
            raise BadInput("alerts or an account must be named; got neither.", field="account")
        with _case(ledger, actor, at, name=account, numbered=numbered) as case:
            yield case
        return
    with _case(ledger, actor, at, of=_account_of_alert(alerts[0]), numbered=numbered) as case:
        found = cases.alerts_of(case.connection, list(alerts))
        if {one.account for one in found} != {account or case.account.name}:
            raise BadInput(
                "the alerts of one investigation must all be of one account; these are of several.",
                field="alerts",
                hint="Open an investigation for each account.",
            )
        yield case


def _open(
    case: _Case, subject: str, alerts: Sequence[int], due_at: datetime | None, *, urgent: bool = False
) -> Investigation:
    subject = said(subject, "subject", longest=80)
    found = cases.alerts_of(case.connection, list(dict.fromkeys(alerts)))
    due_at = due_at or min((one.due_at for one in found), default=None)
    who = case.actor.name
    case.move(case.account.open(Investigation(0, case.account.name, subject, who, case.at, who, due_at)))
    opened = case.account.investigations[-1]
    case.tell("investigation_opened", f"investigation {opened.id}", new={"subject": subject, "assigned_to": who})
    for alert in found:
        _join(case, alert, opened.id, urgent=urgent)
    return opened


def _join(case: _Case, alert: Alert, investigation: int, *, urgent: bool = False) -> Alert:
    after = alert.join(investigation, case.actor.name, case.at, urgent=urgent)
    cases.save_alert(case.connection, after)
    case.tell("alert_joined", f"alert {alert.id}", old="new", new={"investigation": investigation})
    return after


def _close(
    case: _Case, investigation: int, outcome: Outcome, reason_code: str, text: str, payments: Sequence[int] | None
) -> Closed:
    verdict = verdict_of(outcome, reason_code, text, case.actor.name, case.at)
    before = case.account
    case.move(before.finalise(investigation, verdict))
    marked = labelling.label(case.connection, case.account.name, investigation, outcome, case.at, payments)
    told = {"outcome": outcome.value, "reason_code": reason_code, "note": verdict.note, "payments": marked}
    case.tell("finalised", f"investigation {investigation}", old="pending", new=told)
    ended = tuple(new for old, new in zip(before.freezes, case.account.freezes, strict=True) if old.active > new.active)
    for one in ended:
        case.tell("freeze_ended", f"freeze {one.id}", old="active", new={"by_investigation": investigation})
    blocked = case.account.blocks[len(before.blocks) :]
    for block in blocked:
        why = {"direction": block.direction.value, "reason": block.reason, "investigation": block.investigation}
        case.tell("blocked", f"block {block.id}", new=why)
    return Closed(case.account.investigation(investigation), ended, blocked, len(marked))


def _take(case: _Case, alert: int) -> Alert:
    wanted = cases.alerts_of(case.connection, [alert])[0]
    if wanted.status != "new":
        raise Conflict(f"only a new alert can be taken; alert {alert} is {wanted.status}.", hint="Take the next one.")
    cases.lock_new_alerts(case.connection, case.account.name, case.actor.name, case.at)
    case.tell("alert_taken", f"alert {alert}", old=wanted.locked_by, new=case.actor.name)
    return wanted.lock(case.actor.name, case.at)


def _move_block(case: _Case, after: Block, kind: str, told: dict[str, Any]) -> Block:
    case.move(case.account.with_block(after))
    case.tell(kind, f"block {after.id}", new=told)
    return after


def _account_of_alert(alert: int) -> sa.Select[Any]:
    return _account_of(tables.alerts, alert)


def _account_of(table: sa.Table, id: int) -> sa.Select[Any]:
    return sa.select(table.c.account).where(table.c.id == id)


def _check_works(connection: sa.Connection, name: str) -> None:
    query = sa.select(tables.people.c.role).where(tables.people.c.name == name, tables.people.c.active)
    if connection.execute(query).scalar_one_or_none() not in (Role.ANALYST, Role.SENIOR):
        raise BadInput(
            "an investigation must be given to an analyst or a senior of this desk; got somebody else.",
            field="to",
            hint="`tocsin user list` shows who is there.",
        )
