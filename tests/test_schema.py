"""The words: what a transaction and an account event must be, and how money is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import BadInput
from tocsin.schema import (
    ACCOUNT_EVENTS,
    CURRENCIES,
    KIND_CODE,
    KINDS,
    LARGEST_AMOUNT_MINOR,
    AccountEvent,
    Kind,
    Transaction,
    check_event,
    check_transaction,
    exponent_of,
    utc,
    without_card_numbers,
)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def a_payment(**changes: Any) -> Transaction:
    return Transaction(**{"id": "p", "at": AT, "amount_minor": 100, "currency": "EUR", "account": "a", **changes})


def an_event(**changes: Any) -> AccountEvent:
    return AccountEvent(**{"id": "e", "at": AT, "kind": Kind.SIGN_IN, "account": "a", **changes})


def test_a_right_payment_comes_back_in_utc() -> None:
    paris = AT.astimezone(timezone(timedelta(hours=1)))
    got = check_transaction(a_payment(at=paris, latitude=-90.0, longitude=180.0, extra={"age": 3.0, "job": "x"}))
    assert got.at == AT
    assert got.at.tzinfo is UTC
    assert check_event(an_event(at=paris)).at.tzinfo is UTC


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"id": ""}, "id"),
        ({"id": "x" * 201}, "id"),
        ({"account": ""}, "account"),
        ({"amount_minor": -1}, "amount_minor"),
        ({"amount_minor": LARGEST_AMOUNT_MINOR + 1}, "amount_minor"),
        ({"currency": "EURO"}, "currency"),
        ({"currency": "eur"}, "currency"),
        ({"at": datetime(2026, 3, 1)}, "at"),  # noqa: DTZ001
        ({"latitude": 90.1}, "latitude"),
        ({"longitude": -181.0}, "longitude"),
        ({"latitude": float("nan")}, "latitude"),
        ({"credit_score": float("inf")}, "credit_score"),
        ({"extra": {"age": float("nan")}}, "extra.age"),
    ],
)
def test_a_wrong_payment_names_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_transaction(a_payment(**changes))
    assert caught.value.field == field
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": Kind.PAYMENT}, "kind"),
        ({"kind": Kind.LABEL}, "kind"),
        ({"id": ""}, "id"),
        ({"account": "x" * 201}, "account"),
        ({"credit_score": float("nan")}, "credit_score"),
        ({"latitude": float("nan")}, "latitude"),
        ({"at": datetime(2026, 3, 1)}, "at"),  # noqa: DTZ001
    ],
)
def test_a_wrong_event_names_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_event(an_event(**changes))
    assert caught.value.field == field


@given(st.text(max_size=20))
def test_no_refusal_repeats_a_card_number(card: str) -> None:
    number = f"4111111111111111{card}"
    with pytest.raises(BadInput) as caught:
        check_transaction(a_payment(card=number, amount_minor=-1))
    assert number not in str(caught.value)


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4), ("USD", 2)])
def test_minor_units_follow_the_currency(currency: str, digits: int) -> None:
    assert exponent_of(currency) == digits


def test_every_currency_has_an_exponent() -> None:
    assert all(0 <= exponent_of(c) <= 4 and len(c) == 3 and c.isupper() for c in CURRENCIES)


def test_kinds_are_numbered_for_good() -> None:
    """Codes are stored in ledgers and snapshots: a new kind goes before the label at the cost of a migration."""
    assert [k.value for k in KINDS] == [
        *("payment", "sign_in", "password_change", "new_device", "new_payee", "address_change"),
        *("credit_score", "social_event", "label"),
    ]
    assert list(KIND_CODE.values()) == list(range(9))
    assert set(ACCOUNT_EVENTS) == set(KINDS) - {Kind.PAYMENT, Kind.LABEL}


def test_a_time_without_a_zone_is_refused_with_the_way_out() -> None:
    with pytest.raises(BadInput, match="2026-03-01T12:00:00Z"):
        utc(datetime(2026, 3, 1))  # noqa: DTZ001


def test_unknown_fields_are_refused_not_dropped() -> None:
    body = msgspec.json.encode(a_payment())
    assert msgspec.json.decode(body, type=Transaction) == a_payment()
    with pytest.raises(msgspec.ValidationError, match="acount"):
        msgspec.json.decode(body[:-1] + b',"acount":"x"}', type=Transaction)


@pytest.mark.parametrize("number", ["4111111111111111", "4111 1111 1111 1111", "3782-822463-10005", "6759649826438453"])
def test_card_numbers_are_masked_and_other_numbers_stay(number: str) -> None:
    assert without_card_numbers(f"({number})") == "([card number])"
    wrong = number[:-1] + str((int(number[-1]) + 1) % 10)
    assert without_card_numbers(f"({wrong})") == f"({wrong})"
    assert (
        without_card_numbers("2 000 000 on 2026-03-01 12:00, case 1204") == "2 000 000 on 2026-03-01 12:00, case 1204"
    )


def test_without_the_check_every_long_number_is_masked() -> None:
    for number in ("4111 1111 1111 1111", "4111 1111 1111 1112", "123456789012", "1234567890123456789012345"):
        assert without_card_numbers(f"unknown field `{number}` here", check=False) == "unknown field `[number]` here"
    assert without_card_numbers("amount 1999, line 12, 2026-03-01", check=False) == "amount 1999, line 12, 2026-03-01"
