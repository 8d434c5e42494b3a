"""One alert as the pages tell it, whether it comes from a list or alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from tocsin.desk.model import Alert
from tocsin.desk.reads import AlertDetail, QueueRow
from tocsin.desk.web import words
from tocsin.ledger.normal import Line
from tocsin.schema import Reason, Score

_NOT_YET = "This payment does not look like this customer's. The reasons are being written down."


@dataclass(frozen=True, slots=True)
class Row:
    """What a line of the queue says. ``others`` counts further new alerts of the account; ``holder`` works on it."""

    alert: Alert
    why: str
    amount_minor: int
    currency: str
    payee: str | None
    score: Score | None
    frozen: bool
    blocked: bool
    others: int
    holder: str | None
    link: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One alert in full: the line, what weighed most, and this customer's normal."""

    row: Row
    reasons: tuple[Reason, ...]
    normal: tuple[Line, ...]


def account_link(name: str) -> str:
    """The address of an account's page."""
    return f"/accounts/{quote(name, safe='')}"


def row_of(found: QueueRow, at: datetime) -> Row:
    """A line of the queue."""
    one, stands = found.alert, found.standing
    return Row(
        alert=one,
        why=words.unbroken(one.why) or _NOT_YET,
        amount_minor=found.amount_minor,
        currency=found.currency,
        payee=found.payee,
        score=found.score,
        frozen=stands.frozen_in or stands.frozen_out,
        blocked=stands.blocked_in or stands.blocked_out,
        others=max(found.account_alerts - (one.status == "new"), 0),
        holder=one.holder(at) or found.assigned_to,
        link=f"{account_link(one.account)}?alert={one.id}",
    )


def shown_of(found: AlertDetail, at: datetime) -> Shown:
    """One alert alone."""
    one = found.alert
    of = found.account.investigation(one.investigation) if one.investigation is not None else None
    row = Row(
        alert=one,
        why=words.unbroken(one.why) or _NOT_YET,
        amount_minor=found.payment.amount_minor,
        currency=found.payment.currency,
        payee=found.payment.payee or found.payment.retailer,
        score=found.decision.score,
        frozen=bool(found.account.frozen),
        blocked=bool(found.account.blocked),
        others=len(found.others),
        holder=one.holder(at) or (of.assigned_to if of and of.pending else None),
        link=f"{account_link(one.account)}?alert={one.id}",
    )
    return Shown(row, found.reasons, found.normal.lines if found.normal else ())
