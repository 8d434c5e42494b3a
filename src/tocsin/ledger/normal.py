"""This customer's normal, as the ledger knew it just before one payment: what an analyst sets beside the payment.

Frozen into the alert when it is written, so that it never changes under an analyst's hands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from tocsin.ledger.store import moment
from tocsin.ledger.tables import transactions
from tocsin.schema import Transaction, say_money

SPAN = timedelta(days=90)
"""How far back normal reaches."""
MOST = 500
"""How many of the newest payments are looked at."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the comparison, in words; ``odd`` when this payment is outside what was usual."""

    what: str
    usual: str
    this: str
    odd: bool


class Normal(msgspec.Struct, frozen=True, kw_only=True):
    """What was normal for an account before a payment.

    Amounts are minor units of ``currency``, the base currency. ``median_minor``, ``high_minor`` (19 of 20 payments are
    at or below it) and ``largest_minor`` are ``None`` when the account had not paid before. ``hours`` counts the
    payments by hour of the day, 24 numbers, in ``zone``.
    """

    days: int
    payments: int
    currency: str
    zone: str
    median_minor: int | None
    high_minor: int | None
    largest_minor: int | None
    hours: tuple[int, ...]
    lines: tuple[Line, ...]


def normal_of(connection: sa.Connection, number: int, *, currency: str, zone: str = "UTC") -> Normal:
    """The normal of the account that made payment ``number``, from what came before it.

    Parameters
    ----------
    number : the payment's place in the sequence; only payments with a smaller number count.
    currency : the base currency, in which amounts are compared.
    zone : IANA zone of the hours.
    """
    this = connection.execute(_THIS, {"number": number}).one()
    since = this.at - SPAN // timedelta(microseconds=1)
    place = {"number": number, "account": this.account, "since": since, "upto": this.at}
    past = connection.execute(_PAST, place).all()
    payment, payments = _read(this.body), [_read(row.body) for row in past]
    local = ZoneInfo(zone)
    amounts = sorted(row.base_minor for row in past)
    hours = Counter(moment(row.at).astimezone(local).hour for row in past)
    hour = moment(this.at).astimezone(local).hour
    lines = [_amount_line(amounts, this.base_minor, currency), _hour_line(hours, hour)]
    lines += [line for what, read in _COMPARED if (line := _kind_line(what, read, payment, payments))]
    return Normal(
        days=SPAN.days,
        payments=len(past),
        currency=currency,
        zone=zone,
        median_minor=_quantile(amounts, 0.5),
        high_minor=_quantile(amounts, 0.95),
        largest_minor=amounts[-1] if amounts else None,
        hours=tuple(hours.get(h, 0) for h in range(24)),
        lines=tuple(lines),
    )


_t = transactions.c
_THIS = sa.select(_t.account, _t.at, _t.base_minor, _t.body).where(_t.number == sa.bindparam("number"))
_PAST = (
    sa.select(_t.at, _t.base_minor, _t.body)
    .where(
        _t.account == sa.bindparam("account"),
        _t.at > sa.bindparam("since"),
        _t.at <= sa.bindparam("upto"),
        _t.number < sa.bindparam("number"),
    )
    .order_by(_t.at.desc())
    .limit(MOST)
)
_read = msgspec.json.Decoder(Transaction).decode
_COMPARED: tuple[tuple[str, Callable[[Transaction], str | None]], ...] = (
    ("Country", lambda t: t.country),
    ("Device", lambda t: t.device),
    ("IP address", lambda t: t.ip),
    ("Card", lambda t: t.card),
    ("Retailer", lambda t: t.retailer),
    ("Kind of retailer", lambda t: t.retailer_kind),
    ("Payee", lambda t: t.payee),
    ("Channel", lambda t: t.channel),
)


def _amount_line(amounts: Sequence[int], this: int, currency: str) -> Line:
    high, largest = _quantile(amounts, 0.95), amounts[-1] if amounts else None
    if high is None or largest is None:
        return Line(what="Amount", usual="no payment before", this=say_money(this, currency), odd=True)
    median = _quantile(amounts, 0.5) or 0
    usual = f"about {say_money(median, currency)}, at most {say_money(largest, currency)}"
    return Line(what="Amount", usual=usual, this=say_money(this, currency), odd=this > high)


def _hour_line(hours: Counter[int], hour: int) -> Line:
    """Usual are the hours that hold nine of ten payments, busiest first; written as runs such as 8–12."""
    total, held, usual = sum(hours.values()), 0, set()
    for busy, count in hours.most_common():
        if held >= 0.9 * total:
            break
        usual.add(busy)
        held += count
    words = _runs(sorted(usual)) or "no payment before"
    return Line(what="Hour", usual=words, this=f"{hour}–{hour + 1}", odd=hour not in usual)


def _runs(hours: Sequence[int]) -> str:
    runs: list[tuple[int, int]] = []
    for hour in hours:
        if runs and runs[-1][1] == hour:
            runs[-1] = (runs[-1][0], hour + 1)
        else:
            runs.append((hour, hour + 1))
    return ", ".join(f"{start}–{end}" for start, end in runs)


def _kind_line(
    what: str, read: Callable[[Transaction], str | None], payment: Transaction, payments: Sequence[Transaction]
) -> Line | None:
    """How often this value came before, and which values are usual; nothing when the payment does not carry one."""
    value = read(payment)
    if not value:
        return None
    seen = Counter(v for p in payments if (v := read(p)))
    times = seen.get(value, 0)
    top = ", ".join(name for name, _ in seen.most_common(3))
    usual = (top + (f" and {len(seen) - 3} more" if len(seen) > 3 else "")) if seen else "none before"
    word = "never before" if not times else "once before" if times == 1 else f"{times} times before"
    return Line(what=what, usual=usual, this=f"{value}, {word}", odd=not times)


def _quantile(ordered: Sequence[int], share: float) -> int | None:
    """The smallest amount at or below which ``share`` of all lie."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else None
