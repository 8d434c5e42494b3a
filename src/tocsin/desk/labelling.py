"""Verdicts become labels: what the next model learns from, known at the moment of the verdict.

Fraud marks the chosen payments, genuine marks them genuine, inconclusive and mistakes say nothing. A label takes its
number from the one sequence, so the memory learns it in the order of arrival. Of a chargeback
and a verdict the one that came last holds; both stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from tocsin.desk.model import Outcome
from tocsin.errors import BadInput
from tocsin.ledger import microseconds
from tocsin.ledger.sequence import take_numbers
from tocsin.ledger.tables import alerts, labels, transactions
from tocsin.schema import Finding

_FINDINGS = {Outcome.FRAUD: Finding.FRAUD, Outcome.GENUINE: Finding.GENUINE}
MOST_PAYMENTS = 1000
"""One verdict speaks of at most so many payments."""


def label(
    connection: sa.Connection,
    account: str,
    investigation: int,
    outcome: Outcome,
    at: datetime,
    payments: Sequence[int] | None,
) -> list[int]:
    """Write the labels of a verdict; returns the numbers of the payments they are about, in order.

    Raises
    ------
    BadInput : a chosen payment is neither paid by nor to the account, or there are too many.
    """
    finding = _FINDINGS.get(outcome)
    if finding is None:
        return []
    if payments is None:
        chosen = _payments_of(connection, investigation)
    else:
        chosen = sorted(set(payments))
        _check(connection, account, chosen)
    known_at = microseconds(at)
    said_already = sa.select(labels.c.transaction_number).where(
        labels.c.transaction_number.in_(chosen),
        labels.c.source == "verdict",
        labels.c.finding == finding.value,
        labels.c.known_at == known_at,
    )
    repeated = set(connection.execute(said_already).scalars())
    fresh = [number for number in chosen if number not in repeated]
    if fresh:
        first = take_numbers(connection, len(fresh))
        rows = [
            {
                "number": first + place,
                "transaction_number": number,
                "finding": finding.value,
                "source": "verdict",
                "investigation": investigation,
                "known_at": known_at,
            }
            for place, number in enumerate(fresh)
        ]
        connection.execute(labels.insert(), rows)
    return chosen


def _payments_of(connection: sa.Connection, investigation: int) -> list[int]:
    query = sa.select(alerts.c.number).where(alerts.c.investigation == investigation).order_by(alerts.c.number)
    return list(connection.execute(query).scalars())


def _check(connection: sa.Connection, account: str, chosen: list[int]) -> None:
    if len(chosen) > MOST_PAYMENTS:
        raise BadInput(
            f"one verdict must speak of at most {MOST_PAYMENTS} payments; got {len(chosen)}.",
            field="payments",
            hint="Open several investigations.",
        )
    t = transactions.c
    query = sa.select(t.number).where(t.number.in_(chosen), sa.or_(t.account == account, t.payee == account))
    known = set(connection.execute(query).scalars())
    strange = [number for number in chosen if number not in known]
    if strange:
        raise BadInput(
            f"a verdict must speak of payments by or to its account; payment number {strange[0]} is neither.",
            field="payments",
        )
