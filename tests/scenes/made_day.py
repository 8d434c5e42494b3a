"""A made day at the desk, written as the scorer would write it: for the tests of the pages and the pictures in the guide.

Nothing here is measured or learnt; names, amounts and odds are invented so that every page has something to show.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from math import exp, log
from typing import Any

import msgspec
import sqlalchemy as sa

from tocsin.ledger import Ledger, microseconds
from tocsin.ledger.normal import Line, Normal
from tocsin.ledger.sequence import take_numbers
from tocsin.ledger.tables import account_events, accounts, alerts, decisions, transactions

BASE = -log(419)
STAGES = ("amount, time", "user, device, IP", "place", "payee, credit", "history")

# why, amount in cents, payee, odds of each stage, minutes ago, minutes until due,
# and what is normal for the customer: (what, normal, this payment, unusual)
STORIES: tuple[tuple[str, int, str, tuple[float, ...], int, int, tuple[tuple[str, str, str, bool], ...]], ...] = (
    (
        "A phone never seen before signed in from Lisbon 40 minutes after the password was changed, and sends 11 times "
        "the usual amount to a new payee.",
        248_000,
        "P-771",
        (1.8, 31, 9.5, 6.2, 1 / 1.7),
        12,
        48,
        (
            ("amount", "€ 12 to 240", "€ 2,480.00", True),
            ("device", "one phone, 3 years", "new, 40 min", True),
            ("country", "FR, 98 %", "PT", True),
            ("payee", "11 known", "new, 3 min", True),
            ("hour", "8 to 21 h", "14 h", False),
        ),
    ),
    (
        "Third transfer today to a payee first seen yesterday, shared with 4 accounts.",
        490_000,
        "P-118",
        (2.2, 1 / 1.3, 1.4, 38, 3.1),
        25,
        72,
        (("amount", "€ 40 to 1,900", "€ 4,900.00", True), ("payee", "6 known", "new, 1 day", True)),
    ),
    (
        "17 small payments in 6 minutes, then a large one.",
        129_900,
        "R-204",
        (19, 7.4, 1.2, 1.9, 14),
        31,
        80,
        (("amount", "€ 3 to 95", "€ 1,299.00", True), ("payments an hour", "0 to 2", "18", True)),
    ),
    (
        "Just under the reporting limit for the fourth time in a week.",
        985_000,
        "P-902",
        (3.1, 1.1, 1.1, 5.4, 4.2),
        44,
        9,
        (("amount", "€ 200 to 1,100", "€ 9,850.00", True), ("transfers a week", "1", "4", True)),
    ),
    (
        "Paris and Lagos within 50 minutes.",
        41_520,
        "R-551",
        (1.1, 1.6, 160, 2.0, 1.3),
        58,
        122,
        (("country", "FR, 99 %", "NG", True), ("speed from the last place", "under 120 km/h", "5,600 km/h", True)),
    ),
    (
        "Retailer with 9 frauds reported this month.",
        26_000,
        "R-087",
        (1.2, 1 / 1.2, 1 / 1.6, 58, 1.9),
        71,
        160,
        (("amount", "€ 8 to 310", "€ 260.00", False), ("frauds at the retailer", "0 a month", "9", True)),
    ),
    (
        "Amount 14 times this customer's usual.",
        70_200,
        "R-319",
        (46, 1.1, 1.3, 1.5, 1.8),
        88,
        185,
        (("amount", "€ 9 to 120", "€ 702.00", True),),
    ),
    (
        "Salary arrived and 96 % of it leaves for three new payees within 20 minutes.",
        214_000,
        "P-344",
        (2.9, 3.4, 1.0, 24, 6.1),
        18,
        66,
        (("Amount", "€ 20 to 480", "€ 2,140.00", True), ("Payee", "9 known", "new, 12 min", True)),
    ),
    (
        "Four accounts on one phone, this one opened 6 days ago.",
        38_000,
        "P-118",
        (1.3, 44, 1.2, 3.3, 2.4),
        39,
        97,
        (("Device", "one phone, 6 days", "shared with 3", True), ("Amount", "€ 5 to 60", "€ 380.00", True)),
    ),
    (
        "The customer is on the phone while paying, and the payee was named in two scams this week.",
        1_260_000,
        "P-655",
        (3.6, 1.7, 1.1, 9.2, 1 / 1.4),
        52,
        131,
        (("Amount", "€ 15 to 900", "€ 12,600.00", True), ("Payee", "22 known", "new, 2 min", True)),
    ),
    (
        "First payment at night in 14 months.",
        12_000,
        "R-640",
        (6.0, 2.2, 1.5, 1 / 1.9, 4.4),
        96,
        190,
        (("hour", "7 to 22 h", "3 h", True), ("amount", "€ 5 to 160", "€ 120.00", False)),
    ),
)


def fill(ledger: Ledger, at: datetime, count: int = len(STORIES)) -> list[int]:
    """Put ``count`` alerts into the ledger, newest account history first written; returns the alerts' ids."""
    return [alert(ledger, at, which) for which in range(count)]


def alert(ledger: Ledger, at: datetime, which: int = 0, *, account: str | None = None, **change: Any) -> int:
    """One alert with its account's recent past, the payment, the decision and what was frozen into the alert."""
    why, amount, payee, odds, ago, due, normal = STORIES[which % len(STORIES)]
    account = account or account_of(which)
    amount, why = change.get("amount_minor", amount), change.get("why", why)
    paid_at = at - timedelta(minutes=ago, seconds=which % 60)
    with ledger.write() as connection:
        new = connection.execute(sa.select(accounts).where(accounts.c.account == account)).first() is None
        for name in {account, payee}:
            _account(connection, name, at - timedelta(days=2200))
        if new:
            _past(connection, account, paid_at, which)
        total = BASE + sum(log(one) for one in odds)
        number = payment(connection, paid_at, account, amount, payee, "review", total, odds)
        return int(
            connection.execute(
                alerts.insert()
                .values(
                    number=number,
                    account=account,
                    at=microseconds(paid_at),
                    created_at=microseconds(paid_at + timedelta(seconds=1)),
                    due_at=microseconds(at + timedelta(minutes=change.get("due", due))),
                    action="review",
                    score=_chance(total),
                    stake_minor=round(_chance(total) * amount),
                    why=why,
                    reasons=json.dumps(_reasons(odds)).encode(),
                    normal=_normal(normal),
                    status="new",
                )
                .returning(alerts.c.id)
            ).scalar_one()
        )


def account_of(which: int) -> str:
    """The name of the account that story number ``which`` happens to."""
    return f"A-{(10418 + which * 9973) % 90000 + 10000}"


def _normal(rows: tuple[tuple[str, str, str, bool], ...]) -> bytes:
    lines = tuple(Line(what=what.capitalize(), usual=usual, this=this, odd=odd) for what, usual, this, odd in rows)
    return msgspec.json.encode(
        Normal(
            days=90,
            payments=41,
            currency="EUR",
            zone="UTC",
            median_minor=4_200,
            high_minor=24_000,
            largest_minor=31_000,
            hours=(0,) * 8 + (3,) * 13 + (0,) * 3,
            lines=lines,
        )
    )


def payment(
    connection: sa.Connection,
    at: datetime,
    account: str,
    amount: int,
    payee: str,
    action: str,
    logit: float | None = None,
    odds: tuple[float, ...] = (),
    *,
    cause: str = "score",
) -> int:
    """A payment and the answer to it; returns its number."""
    number = take_numbers(connection, 1)
    body = {
        "id": f"tx-{number}",
        "at": at.isoformat(),
        "amount_minor": amount,
        "currency": "EUR",
        "account": account,
        "payee": payee,
    }
    connection.execute(
        transactions.insert().values(
            number=number,
            id=body["id"],
            content=number.to_bytes(16, "big"),
            at=microseconds(at),
            received_at=microseconds(at),
            amount_minor=amount,
            currency="EUR",
            base_minor=amount,
            account=account,
            payee=payee,
            body=json.dumps(body).encode(),
            late=False,
        )
    )
    shares = [{"stage": stage, "delta": log(one)} for stage, one in zip(STAGES, odds, strict=False)]
    score = None if logit is None else {"value": _chance(logit), "logit": logit, "base": BASE, "stages": shares}
    answer = {
        "transaction_id": body["id"],
        "number": number,
        "action": action,
        "code": "declined" if action == "decline" else "ok",
        "score": score,
        "reasons": [],
        "model": "2026-11-20",
        "decided_at": at.isoformat(),
    }
    connection.execute(
        decisions.insert().values(
            number=number,
            action=action,
            code=answer["code"],
            cause=cause,
            score=None if logit is None else _chance(logit),
            body=json.dumps(answer).encode(),
            model="2026-11-20",
            decided_at=microseconds(at),
        )
    )
    return number


def _past(connection: sa.Connection, account: str, at: datetime, which: int) -> None:
    for days, amount, payee in ((9, 4_210, "R-100"), (4, 1_890, "R-231"), (2, 6_400, "R-100"), (1, 2_150, "R-019")):
        _account(connection, payee, at - timedelta(days=900))
        payment(connection, at - timedelta(days=days, minutes=7 * which), account, amount, payee, "approve", BASE - 1.2)
    if which % 4 == 0:
        for minutes, kind in ((40, "password_change"), (38, "new_device"), (37, "sign_in"), (3, "new_payee")):
            number = take_numbers(connection, 1)
            place = {"country": "PT", "device": "device-7f3a"} if kind in ("new_device", "sign_in") else {}
            payee = {"payee": "P-771"} if kind == "new_payee" else {}
            when = at - timedelta(minutes=minutes)
            body = {"id": f"ev-{number}", "at": when.isoformat(), "kind": kind, "account": account} | place | payee
            connection.execute(
                account_events.insert().values(
                    number=number,
                    id=body["id"],
                    content=number.to_bytes(16, "big"),
                    at=microseconds(when),
                    received_at=microseconds(when),
                    kind=kind,
                    account=account,
                    body=json.dumps(body).encode(),
                )
            )


def _account(connection: sa.Connection, name: str, at: datetime) -> None:
    if connection.execute(sa.select(accounts).where(accounts.c.account == name)).first() is None:
        connection.execute(accounts.insert().values(account=name, first_seen_at=microseconds(at)))


def _reasons(odds: tuple[float, ...]) -> list[dict[str, Any]]:
    texts = (
        ("amount against this customer's mean of 30 days", 11.2),
        ("time since this device was first seen with the account", 2_400.0),
        ("distance from the last place", 1_450.0),
        ("time since the payee was added", 180.0),
        ("payments by this account in the last day", 3.0),
    )
    ranked = sorted(zip(odds, texts, STAGES, strict=True), key=lambda one: -abs(log(one[0])))
    return [
        {"text": text, "feature": text.replace(" ", "_"), "stage": stage, "value": value, "delta": log(one) * 0.8}
        for one, (text, value), stage in ranked[:3]
    ]


def _chance(logit: float) -> float:
    return 1 / (1 + exp(-logit))
