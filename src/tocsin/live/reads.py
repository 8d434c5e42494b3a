"""What services may look up: decisions, accounts, alerts, the state of the memory."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from starlette.requests import Request

from tocsin.errors import BadInput, NotFound
from tocsin.ledger import moment
from tocsin.ledger.standing import FREE, standing_of
from tocsin.ledger.tables import accounts, alerts, decisions, transactions
from tocsin.live.service import Service
from tocsin.schema import Action, Reason, Score

MOST = 1_000
_STATUSES = ("new", "joined", "dismissed")


class FoundDecision(msgspec.Struct, frozen=True, kw_only=True):
    """A decision as it was answered, with the alert's reasons once they are there (within a second or so)."""

    transaction_id: str
    number: int
    action: Action
    code: str
    score: Score | None
    reasons: tuple[Reason, ...]
    model: str
    decided_at: datetime
    deadline_passed: bool = False
    alert: int | None = None
    why: str = ""


class PastPayment(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an account's payments."""

    transaction_id: str
    at: datetime
    amount_minor: int
    currency: str
    payee: str | None
    action: Action
    code: str


class FoundAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account: whether money may leave or reach it, and its newest payments."""

    account: str
    first_seen_at: datetime
    may_pay: bool
    may_receive: bool
    payments: tuple[PastPayment, ...]


class FoundAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as services may see it; what analysts do about it stays at the desk."""

    id: int
    transaction_id: str
    account: str
    at: datetime
    created_at: datetime
    due_at: datetime
    action: Action
    score: float
    stake_minor: int
    why: str
    reasons: tuple[Reason, ...] | None
    status: str


class FoundAlerts(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts by id; ask again with ``after`` = ``last`` for what is newer."""

    alerts: tuple[FoundAlert, ...]
    last: int


class MemoryState(msgspec.Struct, frozen=True, kw_only=True):
    """The memory at one moment between two batches; equal fingerprints are equal memories, to the bit."""

    number: int
    fingerprint: str
    bytes: int
    late: int
    model: str


def decision(service: Service, request: Request) -> FoundDecision:
    """``GET /v1/decisions/{id}``."""
    id = request.path_params["id"]
    query = (
        sa.select(decisions.c.body, decisions.c.number, alerts.c.id, alerts.c.why, alerts.c.reasons)
        .join(transactions, transactions.c.number == decisions.c.number)
        .outerjoin(alerts, alerts.c.number == decisions.c.number)
        .where(transactions.c.id == _text(id, "id"))
    )
    with service.ledger.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise NotFound("no transaction of this id was decided here.", field="id")
    found: dict[str, Any] = msgspec.json.decode(row.body)
    found |= {"number": row.number, "alert": row.id, "why": row.why or ""}
    if row.reasons is not None:
        found["reasons"] = msgspec.json.decode(row.reasons)
    return msgspec.convert(found, FoundDecision)


def account(service: Service, request: Request) -> FoundAccount:
    """``GET /v1/accounts/{account}``."""
    name, limit = _text(request.path_params["account"], "account"), _number(request, "limit", 50)
    t, d = transactions.c, decisions.c
    payments = (
        sa.select(t.id, t.at, t.amount_minor, t.currency, t.payee, d.action, d.code)
        .join(decisions, d.number == t.number)
        .where(t.account == name)
        .order_by(t.at.desc())
        .limit(limit)
    )
    with service.ledger.read() as connection:
        seen = connection.execute(sa.select(accounts.c.first_seen_at).where(accounts.c.account == name)).first()
        if seen is None:
            raise NotFound("no such account was ever seen here.", field="account")
        standing = standing_of(connection, [name], hold=False).get(name, FREE)
        rows = connection.execute(payments).all()
    return FoundAccount(
        account=name,
        first_seen_at=moment(seen.first_seen_at),
        may_pay=not (standing.frozen_out or standing.blocked_out),
        may_receive=not (standing.frozen_in or standing.blocked_in),
        payments=tuple(
            PastPayment(
                transaction_id=r.id,
                at=moment(r.at),
                amount_minor=r.amount_minor,
                currency=r.currency,
                payee=r.payee,
                action=Action(r.action),
                code=r.code,
            )
            for r in rows
        ),
    )


def alerts_after(service: Service, request: Request) -> FoundAlerts:
    """``GET /v1/alerts?after=ID&limit=N&status=new``."""
    after, limit = _number(request, "after", 0, most=2**62), _number(request, "limit", 100)
    a = alerts.c
    query = (
        sa.select(
            *(a.id, a.account, a.at, a.created_at, a.due_at, a.action, a.score, a.stake_minor, a.why),
            *(a.reasons, a.status, transactions.c.id.label("transaction_id")),
        )
        .join(transactions, transactions.c.number == a.number)
        .where(a.id > after)
        .order_by(a.id)
        .limit(limit)
    )
    status = request.query_params.get("status")
    if status is not None:
        if status not in _STATUSES:
            raise BadInput(f"a status must be one of {', '.join(_STATUSES)}; got another.", field="status")
        query = query.where(a.status == status)
    with service.ledger.read() as connection:
        rows = connection.execute(query).all()
    found = tuple(
        FoundAlert(
            id=r.id,
            transaction_id=r.transaction_id,
            account=r.account,
            at=moment(r.at),
            created_at=moment(r.created_at),
            due_at=moment(r.due_at),
            action=Action(r.action),
            score=r.score,
            stake_minor=r.stake_minor,
            why=r.why,
            reasons=None if r.reasons is None else msgspec.json.decode(r.reasons, type=tuple[Reason, ...]),
            status=r.status,
        )
        for r in rows
    )
    return FoundAlerts(alerts=found, last=found[-1].id if found else after)


def memory(service: Service, _request: Request) -> MemoryState:
    """``GET /v1/memory``."""
    return MemoryState(**service.state())


def _text(value: str, field: str) -> str:
    if not 0 < len(value) <= 200 or "\0" in value:
        raise BadInput("must have 1 to 200 characters, none of them NUL; got something else.", field=field)
    return value


def _number(request: Request, name: str, default: int, *, most: int = MOST) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise BadInput(f"must be a whole number from 0 to {most}; got something else.", field=name)
    return int(text)
