"""Bytes from outside → something the scorer may see, or one clear refusal. Nothing refused here is kept anywhere."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from math import isfinite
from typing import NamedTuple

import msgspec

from tocsin.errors import BadInput
from tocsin.ledger import microseconds
from tocsin.ledger.store import Clock
from tocsin.live.cards import Cards
from tocsin.measure import Ruling
from tocsin.money import Rates
from tocsin.schema import (
    ACCOUNT_EVENTS,
    LARGEST_AMOUNT_MINOR,
    AccountEvent,
    Label,
    Transaction,
    check_event,
    check_transaction,
    utc,
    without_card_numbers,
)
from tocsin.spec import Spec

LONGEST_TEXT = 200
"""The most characters any text of a payment or event may have."""
_TEXTS = ("card", "device", "ip", "country", "retailer", "retailer_kind", "payee", "channel", "social_event")
_EVENT_TEXTS = ("device", "ip", "payee", "country", "social_event")


class Late(NamedTuple):
    """What is answered when the deadline passes."""

    ruling: Ruling
    body: bytes


class Arrival:
    """One thing that came in and passed the door.

    ``content`` is the fingerprint by which the same id with other content is known; ``late`` is set when the deadline
    passed: what was answered instead of a score; ``fresh`` once the scorer has written it.
    """

    __slots__ = ("at", "base_minor", "body", "content", "fresh", "id", "late", "value")

    def __init__(
        self, value: Transaction | AccountEvent | Label, id: str, at: int, body: bytes, base_minor: int = 0
    ) -> None:
        self.value = value
        self.id = id
        self.at = at
        self.body = body
        self.content = blake2b(body, digest_size=16).digest()
        self.base_minor = base_minor
        self.late: Late | None = None
        self.fresh = False


class Door:
    """Reads, checks and cleans what services send.

    Parameters
    ----------
    cards : turns card numbers into tokens.
    rates : leads every amount to the base currency; a currency it does not know is refused.
    spec : says which ``extra`` names exist and whether they are numbers or texts; replaced when a model is activated.
    clock : the time now; with ``ahead`` it bounds times of the future, because one payment dated next year would make
        every later one of its entities late. ``None`` takes any time.
    """

    def __init__(self, cards: Cards, rates: Rates, spec: Spec | None, *, clock: Clock, ahead: timedelta | None) -> None:
        self._cards = cards
        self.rates = rates
        self._clock = clock
        self._ahead = ahead // timedelta(microseconds=1) if ahead is not None else None
        self._numbers: frozenset[str] = frozenset()
        self._keys: frozenset[str] = frozenset()
        if spec is not None:
            self.expect(spec)

    def expect(self, spec: Spec) -> None:
        """From now on take the extra names of this spec."""
        self._numbers, self._keys = frozenset(spec.extra_numbers), frozenset(spec.extra_keys)

    def payment(self, raw: bytes) -> Arrival:
        """One transaction from JSON. Raises ``BadInput`` naming the field and the way out."""
        tx = _read(_transactions, raw)
        tx = check_transaction(tx)
        assert isinstance(tx, Transaction)
        if tx.card:
            tx = msgspec.structs.replace(tx, card=self._cards.token(tx.card))
        _check_texts(tx, _TEXTS)
        if tx.extra:
            self._check_extra(tx)
        at = self._time(microseconds(tx.at), "at")
        base_minor = self.rates.to_base(tx.amount_minor, tx.currency)
        if base_minor > LARGEST_AMOUNT_MINOR:
            raise BadInput(
                f"an amount must be at most {LARGEST_AMOUNT_MINOR} minor units of {self.rates.base}; got more.",
                field="amount_minor",
            )
        return Arrival(tx, tx.id, at, _encode(tx), base_minor)

    def event(self, raw: bytes) -> Arrival:
        """One account event from JSON."""
        event = check_event(_read(_events, raw))
        _check_texts(event, _EVENT_TEXTS)
        return Arrival(event, event.id, self._time(microseconds(event.at), "at"), _encode(event))

    def label(self, raw: bytes) -> Arrival:
        """One label from JSON."""
        label = _read(_labels, raw)
        if not 0 < len(label.source) <= 40:
            raise BadInput(f"a source must have 1 to 40 characters; got {len(label.source)}.", field="source")
        for name, text in (("source", label.source), ("transaction_id", label.transaction_id)):
            if "\0" in text:
                raise BadInput("a text must not hold the character NUL.", field=name)
        if label.source == "verdict":
            raise BadInput(
                "a verdict comes from the desk, where somebody signs for it; got one over the wire.",
                field="source",
                hint="Use chargeback, or a name of your own.",
            )
        label = msgspec.structs.replace(label, known_at=utc(label.known_at, field="known_at"))
        at = self._time(microseconds(label.known_at), "known_at")
        return Arrival(label, label.transaction_id, at, _encode(label))

    def _time(self, at: int, field: str) -> int:
        if at < 0:
            raise BadInput("a time must be 1970 or later; got an earlier one.", field=field)
        if self._ahead is not None and at > microseconds(self._clock()) + self._ahead:
            raise BadInput(
                f"a time must not lie in the future (by more than {self._ahead / 3.6e9:g} hours); got one that does.",
                field=field,
                hint="Check the sender's clock and zone; the setting `ahead_h` says how much is forgiven.",
            )
        return at

    def _check_extra(self, tx: Transaction) -> None:
        for name, value in tx.extra.items():
            if name in self._numbers:
                if isinstance(value, str):
                    raise BadInput("must be a number; got a text.", field=f"extra.{_masked(name)}")
            elif name in self._keys:
                if not isinstance(value, str):
                    raise BadInput("must be a text; got a number.", field=f"extra.{_masked(name)}", hint="Quote it.")
                if len(value) > LONGEST_TEXT:
                    raise BadInput(f"a text must have at most {LONGEST_TEXT} characters.", field=f"extra.{name}")
            else:
                known = ", ".join(sorted(self._numbers | self._keys)) or "none"
                raise BadInput(
                    "the model's spec must name every extra; it does not name this one.",
                    field=f"extra.{_masked(name[:40])}",
                    hint=f"Extras it names: {known}.",
                )


def lines_of(raw: bytes) -> list[bytes]:
    """The JSON lines of a body, blank ones left out."""
    return [line for line in raw.split(b"\n") if line and not line.isspace()]


def _check_texts(value: Transaction | AccountEvent, names: tuple[str, ...]) -> None:
    for name in names:
        text = getattr(value, name)
        if text is not None and len(text) > LONGEST_TEXT:
            raise BadInput(f"a text must have at most {LONGEST_TEXT} characters; got {len(text)}.", field=name)
    for name in ("id", "account", *names):  # PostgreSQL keeps none, and the links are read out of these later
        text = getattr(value, name)
        if text is not None and "\0" in text:
            raise BadInput("a text must not hold the character NUL.", field=name)
    score = value.credit_score
    if score is not None and not isfinite(score):
        raise BadInput("a number must be finite; got NaN or infinity.", field="credit_score")


def _masked(text: str) -> str:
    """What was got, in a message: no long number in it, right or mistyped."""
    return without_card_numbers(text, check=False)


def _read(decoder, raw: bytes):  # type: ignore[no-untyped-def]
    """Decode, or say in words what is wrong; values never appear in the message, only names and types."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `$")
        field = where.rstrip("`").lstrip(".") or None
        hint = _way_out(message, decoder.type)
        raise BadInput(_masked(f"{message}."), field=_masked(field) if field else None, hint=hint) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        words = str(error) if isinstance(error, msgspec.DecodeError) else "the bytes are not UTF-8"
        raise BadInput(
            f"the body must be whole JSON: {_masked(words)}.",
            hint="Many at once go as JSON lines, application/x-ndjson.",
        ) from None
    except RecursionError:
        raise BadInput("the body is nested too deep.") from None


def _way_out(message: str, word: type[msgspec.Struct]) -> str | None:
    """What to send instead of words that did not decode."""
    if "unknown field" in message or "missing required field" in message:
        return f"The fields are {', '.join(word.__struct_encode_fields__)}."
    if "RFC3339" in message:
        return "Write it such as 2026-03-01T12:00:00Z, with the zone."
    if message.startswith("Invalid enum value") and word is AccountEvent:
        return f"The kinds are {', '.join(ACCOUNT_EVENTS)}."
    if message.startswith("Expected `object`"):
        return "One thing is one JSON object; many at once go as JSON lines, application/x-ndjson."
    return None


_transactions = msgspec.json.Decoder(Transaction)
_events = msgspec.json.Decoder(AccountEvent)
_labels = msgspec.json.Decoder(Label)
_encode = msgspec.json.Encoder(order="deterministic").encode
