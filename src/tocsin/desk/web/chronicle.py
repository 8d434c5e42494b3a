"""What happened, in words: the lines of an account's timeline and of the audit, from what the ledger holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from tocsin.desk.history import Entry, Payment
from tocsin.desk.model import REASON_CODES, Direction
from tocsin.desk.reads import CaseEvent
from tocsin.desk.web.words import count, money
from tocsin.schema import AccountEvent, Kind

REASON_WORDS: dict[str, str] = {code: text for codes in REASON_CODES.values() for code, text in codes.items()}

_UNTOLD = frozenset({"alert_taken", "alert_released"})  # in the audit, but nothing that happened to the account
_EVENTS = {
    Kind.SIGN_IN: "Signed in",
    Kind.PASSWORD_CHANGE: "Password changed",
    Kind.NEW_DEVICE: "New device",
    Kind.NEW_PAYEE: "Payee added",
    Kind.ADDRESS_CHANGE: "Address changed",
    Kind.CREDIT_SCORE: "Credit score",
    Kind.SOCIAL_EVENT: "Social event",
}
_DEEDS = {
    "frozen": ("Frozen", "red"),
    "freeze_ended": ("Freeze ended", "green"),
    "blocked": ("Blocked", "red"),
    "lift_asked": ("Asked to lift the block", "amber"),
    "lift_refused": ("Block kept", "red"),
    "lifted": ("Block lifted", "green"),
    "investigation_opened": ("opened", "amber"),
    "finalised": ("final", "green"),
    "reopened": ("reopened", "amber"),
    "assigned": ("assigned", ""),
    "alert_dismissed": ("dismissed", ""),
    "alert_joined": ("joined", ""),
    "note": ("Note", ""),
}
_CAUSES = {"freeze": "declined, frozen", "block": "declined, blocked", "deadline": "answered without a score"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline: what, then quietly the rest, and perhaps a tag. ``colour`` is of its dot."""

    at: datetime
    text: str
    quiet: str = ""
    colour: str = ""
    tag: str = ""
    tag_colour: str = ""
    whole_day: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wrote down."""

    at: datetime
    by: str
    text: str


def lines(entries: Sequence[Entry], me: str, now: datetime, zone: ZoneInfo) -> list[Line]:
    """The timeline, newest first; what was ordinary on an earlier day is one line a day."""
    today = now.astimezone(zone).date()

    def day_of_ordinary(entry: Entry) -> tuple[Any, ...]:
        day = entry.at.astimezone(zone).date()
        return ("day", day) if day != today and _ordinary(entry) else ("one", id(entry))

    told: list[Line] = []
    for _, group in groupby(entries, day_of_ordinary):
        together = list(group)
        if len(together) > 1:
            told.append(_many([one.payment for one in together if one.payment]))
        else:
            told += _told(together[0], me)
    return told


def notes(entries: Sequence[Entry]) -> list[Note]:
    """The notes among these entries."""
    return [
        Note(one.at, one.case.actor, str((one.case.new or {}).get("text", "")))
        for one in entries
        if one.case is not None and one.case.kind == "note"
    ]


def _ordinary(entry: Entry) -> bool:
    paid = entry.payment
    return (
        entry.what == "paid" and paid is not None and paid.action == "approve" and not paid.alert and not paid.finding
    )


def _many(payments: Sequence[Payment]) -> Line:
    currencies = {one.currency for one in payments}
    total = f", {money(sum(one.amount_minor for one in payments), currencies.pop())}" if len(currencies) == 1 else ""
    return Line(payments[0].at, f"{count(len(payments), 'payment')}{total}", "as usual", whole_day=True)


def _told(entry: Entry, me: str) -> Iterator[Line]:
    if entry.payment is not None:
        yield _payment(entry.payment, received=entry.what == "received")
    elif entry.event is not None:
        yield _event(entry.event, entry.at)
    elif entry.case is not None and entry.case.kind not in _UNTOLD:
        yield _deed(entry.case, me)


def _payment(one: Payment, *, received: bool) -> Line:
    amount = money(one.amount_minor, one.currency)
    text = f"{amount} from {one.account}" if received else amount + (f" to {one.payee}" if one.payee else "")
    quiet = _CAUSES.get(one.cause, "declined" if one.action == "decline" else "")
    if one.finding:
        quiet = f"{quiet}, {one.finding}" if quiet else one.finding
    colour = "red" if one.action == "decline" or one.finding == "fraud" else "accent" if one.alert else ""
    tag = f"{one.score:.2f}" if one.alert and one.score is not None else ""
    return Line(one.at, text, quiet + (", came late" if one.late else ""), colour, tag, "mine")


def _event(one: AccountEvent, at: datetime) -> Line:
    parts = [one.payee, one.device, one.country, one.ip, one.social_event]
    if one.credit_score is not None:
        parts.append(f"{one.credit_score:g}")
    known = ", ".join(part for part in parts if part)
    telling = one.kind in (Kind.PASSWORD_CHANGE, Kind.NEW_DEVICE, Kind.NEW_PAYEE, Kind.ADDRESS_CHANGE)
    return Line(at, _EVENTS.get(one.kind, str(one.kind)), known, "accent" if telling else "")


def _deed(one: CaseEvent, me: str) -> Line:
    new = one.new if isinstance(one.new, dict) else {}
    word, colour = _DEEDS.get(one.kind, (one.kind.replace("_", " "), ""))
    subject = (one.subject or "")[:1].upper() + (one.subject or "")[1:]
    tag = ""
    if one.kind in ("frozen", "blocked"):
        text = f"{word}, {Direction(new.get('direction', 'both')).words}"
    elif one.kind == "finalised":
        tag = str(new.get("outcome", ""))
        text, colour = f"{subject}: {tag}", "red" if tag == "fraud" else "green"
    elif word[:1].isupper():
        text = word
    else:
        text = f"{subject} {word}"
    if one.kind == "assigned":
        text += f" to {new.get('to', '')}"
    said = new.get("reason") or new.get("note") or new.get("text") or new.get("subject")
    said = said or REASON_WORDS.get(str(new.get("reason_code")), "")
    who = "you" if one.actor == me else one.actor
    return Line(one.at, text, f"{who}: “{said}”" if said else who, colour)


def deed_in_words(one: CaseEvent) -> str:
    """An event of the audit: its kind and what it was about."""
    kind = one.kind.replace("_", " ")
    return f"{kind} · {one.subject}" if one.subject and one.subject not in kind else kind


def value_in_words(value: Any) -> str:
    """What an event says was before or after, without the brackets."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return ", ".join(
            f"{name.replace('_', ' ')}: {value_in_words(one)}" for name, one in value.items() if one not in ("", None)
        )
    if isinstance(value, list):
        return ", ".join(map(value_in_words, value))
    return str(value)
