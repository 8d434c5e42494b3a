"""A customer's normal counts only what came before the payment."""

from datetime import UTC, datetime, timedelta

import msgspec

from tocsin.ledger import Ledger, microseconds
from tocsin.ledger.normal import normal_of
from tocsin.ledger.record import Recorder, Rows, TransactionRow
from tocsin.schema import Transaction

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(number: int, at: datetime, amount: int, **more: str) -> TransactionRow:
    tx = Transaction(id=str(number), at=at, amount_minor=amount, currency="EUR", account="ann", **more)
    body = msgspec.json.encode(tx)
    return TransactionRow(
        number, tx.id, b"", microseconds(at), microseconds(at), amount, "EUR", amount, "ann", None, body, False
    )


def write(ledger: Ledger, rows: list[TransactionRow]) -> None:
    with ledger.write() as c:
        Recorder(ledger).add(c, Rows(rows))


def test_normal_says_what_was_usual_and_what_is_odd(ledger: Ledger) -> None:
    days = [row(i, NOON - timedelta(days=30 - i), 1000 + i, country="FR", device="phone") for i in range(1, 21)]
    this = row(21, NOON + timedelta(hours=14), 250_000, country="BR", device="phone")
    later = row(22, NOON + timedelta(hours=14), 900_000, country="BR", device="phone")
    write(ledger, [*days, this, later])
    with ledger.read() as c:
        normal = normal_of(c, 21, currency="EUR", zone="Europe/Paris")
    assert normal.payments == 20
    assert (normal.median_minor, normal.high_minor, normal.largest_minor) == (1011, 1020, 1020)
    assert normal.hours[13] == 20
    assert sum(normal.hours) == 20
    said = {line.what: line for line in normal.lines}
    assert said["Amount"].odd
    assert said["Amount"].this == "€ 2,500.00"
    assert said["Country"].this == "BR, never before"
    assert said["Country"].odd
    assert said["Device"].this == "phone, 20 times before"
    assert not said["Device"].odd
    assert said["Hour"].usual == "13–14"
    assert said["Hour"].odd
    assert "Payee" not in said


def test_a_first_payment_has_no_normal_and_says_so(ledger: Ledger) -> None:
    write(ledger, [row(1, NOON, 500, payee="x")])
    with ledger.read() as c:
        normal = normal_of(c, 1, currency="EUR")
    assert normal.payments == 0
    assert normal.median_minor is None
    assert [line.usual for line in normal.lines] == ["no payment before", "no payment before", "none before"]


def test_payments_older_than_the_span_are_forgotten(ledger: Ledger) -> None:
    write(ledger, [row(1, NOON - timedelta(days=91), 500), row(2, NOON - timedelta(days=89), 700), row(3, NOON, 600)])
    with ledger.read() as c:
        normal = normal_of(c, 3, currency="EUR")
    assert (normal.payments, normal.largest_minor) == (1, 700)
