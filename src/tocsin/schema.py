"""The words everything else is written in; units are fixed here and nowhere else.

Times are aware UTC ``datetime``. Money is whole minor units with a currency. A score is in [0, 1] and higher is more
suspicious. ``at`` is when it happened, ``known_at`` when a label became known.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from math import isfinite

import msgspec

from tocsin.errors import BadInput

# ISO 4217: currencies whose minor unit is not a hundredth. Everything else three letters long has two digits.
_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
_TWO_DIGITS = frozenset(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY "
    "COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS "
    "INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR "
    "MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD "
    "SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG".split()
)
CURRENCIES: frozenset[str] = _TWO_DIGITS | _EXPONENTS.keys()
LARGEST_AMOUNT_MINOR = 10**15
"""Sums of windows stay exact in 64-bit integers below this; ten trillion in a currency of two digits."""


SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
"""Currencies that people write with a sign; all others by their code."""


def say_money(amount_minor: int, currency: str) -> str:
    """An amount to the last minor unit, as people read it.

    Examples
    --------
    >>> say_money(248_000, "EUR"), say_money(-1_250, "KWD"), say_money(900, "JPY")
    ('€ 2,480.00', '−KWD 1.250', '¥ 900')
    """
    digits = exponent_of(currency)
    whole, rest = divmod(abs(amount_minor), 10**digits)
    text = f"{whole:,}" + (f".{rest:0{digits}d}" if digits else "")
    return f"{'−' if amount_minor < 0 else ''}{SIGNS.get(currency, currency)} {text}"


def exponent_of(currency: str) -> int:
    """How many digits the currency's minor unit has (EUR 2, JPY 0, KWD 3).

    Raises
    ------
    BadInput : the code is not one of ISO 4217.
    """
    if currency in _TWO_DIGITS:
        return 2
    if currency in _EXPONENTS:
        return _EXPONENTS[currency]
    raise BadInput(
        f"a currency must be an ISO 4217 code such as EUR; got {currency[:6]!r}.",  # less than would tell a card number
        field="currency",
        hint="Write the three letters in capitals.",
    )


class Kind(StrEnum):
    """What kind of event reaches the memory."""

    PAYMENT = "payment"
    SIGN_IN = "sign_in"
    PASSWORD_CHANGE = "password_change"
    NEW_DEVICE = "new_device"
    NEW_PAYEE = "new_payee"
    ADDRESS_CHANGE = "address_change"
    CREDIT_SCORE = "credit_score"
    SOCIAL_EVENT = "social_event"
    LABEL = "label"


KINDS: tuple[Kind, ...] = tuple(Kind)
KIND_CODE: dict[Kind, int] = {kind: code for code, kind in enumerate(KINDS)}
ACCOUNT_EVENTS: tuple[Kind, ...] = KINDS[1:-1]

# The words a spec may give to a file's columns, and the names a transaction carries over HTTP.
ENTITIES: tuple[str, ...] = (
    "account",
    "card",
    "device",
    "ip",
    "retailer",
    "payee",
    "country",
    "retailer_kind",
    "channel",
)
NUMBERS: tuple[str, ...] = ("latitude", "longitude", "credit_score")


class Transaction(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One payment as it comes in, before anyone has judged it.

    ``amount_minor`` counts whole minor units of ``currency``. ``card`` may be a card number at the door only; it is
    replaced by a keyed token before anything else sees it. ``extra`` holds whatever else the spec names: numbers or
    short texts.
    """

    id: str
    at: datetime
    amount_minor: int
    currency: str
    account: str
    card: str | None = None
    device: str | None = None
    ip: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    country: str | None = None
    retailer: str | None = None
    retailer_kind: str | None = None
    payee: str | None = None
    channel: str | None = None
    credit_score: float | None = None
    social_event: str | None = None
    extra: dict[str, float | str] = {}


class AccountEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that happened to an account and is not a payment: a sign-in, a new device, a credit score."""

    id: str
    at: datetime
    kind: Kind
    account: str
    device: str | None = None
    ip: str | None = None
    payee: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    credit_score: float | None = None
    social_event: str | None = None


class Finding(StrEnum):
    """What a label says of a payment or an account."""

    FRAUD = "fraud"
    GENUINE = "genuine"


class Label(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became known about a payment, when, and from whom (a chargeback, a verdict)."""

    transaction_id: str
    finding: Finding
    known_at: datetime
    source: str = "chargeback"


class Action(StrEnum):
    """What the payment system is told to do."""

    APPROVE = "approve"
    REVIEW = "review"
    DECLINE = "decline"


class StageShare(msgspec.Struct, frozen=True, kw_only=True):
    """What one kind of data said: its share of the log-odds, or ``None`` when it was not asked."""

    stage: str
    delta: float | None


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A score that adds up: ``base`` plus every stage's ``delta`` is ``logit``; ``value`` is its logistic, in [0, 1]."""

    value: float
    logit: float
    base: float
    stages: tuple[StageShare, ...]


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """One feature's share of a stage, in words and in log-odds; ``value`` is ``None`` where nothing was known."""

    text: str
    feature: str
    stage: str
    value: float | None
    delta: float


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one transaction; the same id gets the same answer for ever.

    ``deadline_passed`` marks an answer that is the owner's choice because no score came in time; it has no score.
    """

    transaction_id: str
    number: int
    action: Action
    code: str
    score: Score | None
    reasons: tuple[Reason, ...]
    model: str
    decided_at: datetime
    deadline_passed: bool = False


def utc(value: datetime, *, field: str = "at") -> datetime:
    """Turn an aware time into UTC.

    Raises
    ------
    BadInput : the time is naive, so nobody can say when it was.
    """
    if value.tzinfo is None:
        raise BadInput(
            "a time must say its zone; got a time without one.",
            field=field,
            hint="Write it as 2026-03-01T12:00:00Z or with an offset such as +01:00.",
        )
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise BadInput("a time must lie in the years 1 to 9999, in UTC too; got one outside.", field=field) from None


def check_transaction(tx: Transaction) -> Transaction:
    """Hold a transaction to what must be true of it; return it with its time in UTC.

    Raises
    ------
    BadInput : names the field, what must hold, and the way out; never the value of a card number.
    """
    if not 0 < len(tx.id) <= 200:
        raise BadInput(f"an id must have 1 to 200 characters; got {len(tx.id)}.", field="id")
    if not 0 < len(tx.account) <= 200:
        raise BadInput(f"an account must have 1 to 200 characters; got {len(tx.account)}.", field="account")
    if not 0 <= tx.amount_minor <= LARGEST_AMOUNT_MINOR:
        raise BadInput(
            f"an amount must be between 0 and {LARGEST_AMOUNT_MINOR} minor units; got one outside.",
            field="amount_minor",
            hint="A refund is a payment of its own with the retailer as account.",
        )
    exponent_of(tx.currency)
    for name in NUMBERS:
        value = getattr(tx, name)
        if value is not None and not isfinite(value):
            raise BadInput("a number must be finite; got NaN or infinity.", field=name, hint="Leave it out instead.")
    _check_place(tx.latitude, tx.longitude)
    for name, value in tx.extra.items():
        if isinstance(value, float) and not isfinite(value):
            raise BadInput("a number must be finite; got NaN or infinity.", field=f"extra.{name}")
    return msgspec.structs.replace(tx, at=utc(tx.at))


def check_event(event: AccountEvent) -> AccountEvent:
    """Hold an account event to what must be true of it; return it with its time in UTC."""
    if event.kind in (Kind.PAYMENT, Kind.LABEL):
        raise BadInput(
            f"an account event's kind must be one of {', '.join(ACCOUNT_EVENTS)}; got {event.kind}.",
            field="kind",
            hint="Payments go to /v1/transactions, labels to /v1/labels.",
        )
    if not 0 < len(event.id) <= 200:
        raise BadInput(f"an id must have 1 to 200 characters; got {len(event.id)}.", field="id")
    if not 0 < len(event.account) <= 200:
        raise BadInput(f"an account must have 1 to 200 characters; got {len(event.account)}.", field="account")
    if event.credit_score is not None and not isfinite(event.credit_score):
        raise BadInput("a number must be finite; got NaN or infinity.", field="credit_score")
    _check_place(event.latitude, event.longitude)
    return msgspec.structs.replace(event, at=utc(event.at))


def _check_place(latitude: float | None, longitude: float | None) -> None:
    if latitude is not None and not -90 <= latitude <= 90:
        raise BadInput(f"a latitude must be between -90 and 90 degrees; got {latitude}.", field="latitude")
    if longitude is not None and not -180 <= longitude <= 180:
        raise BadInput(f"a longitude must be between -180 and 180 degrees; got {longitude}.", field="longitude")


_DIGITS_LIKE_A_CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){11,18}(?!\d)")
_LONG_NUMBER = re.compile(r"\d(?:[ -]?\d){11,}")


def without_card_numbers(text: str, *, check: bool = True) -> str:
    """A text with every card number in it masked.

    Parameters
    ----------
    check : mask 12 to 19 digits that pass Luhn's check, and leave other long numbers (references, times), of which one
        in ten passes by chance: for what people write, which is sealed for ever. False masks every number of 12 digits
        or more, mistyped cards too: for messages that say what was got, where no number is missed.

    Examples
    --------
    >>> without_card_numbers("she paid with 4111 1111 1111 1111 at noon, case 123456789012")
    'she paid with [card number] at noon, case 123456789012'
    >>> without_card_numbers("got 4111 1111 1111 1112", check=False)
    'got [number]'
    """
    if not check:
        return _LONG_NUMBER.sub("[number]", text)
    return _DIGITS_LIKE_A_CARD.sub(lambda found: "[card number]" if _passes_luhn(found[0]) else found[0], text)


def _passes_luhn(text: str) -> bool:
    digits = [int(one) for one in text if one.isdecimal()][::-1]
    return (sum(digits[::2]) + sum(sum(divmod(2 * one, 10)) for one in digits[1::2])) % 10 == 0
