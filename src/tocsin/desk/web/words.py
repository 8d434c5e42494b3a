"""Numbers and times as an analyst reads them: money with its currency, odds as × and ÷, times as distances.

Everything here is pure: what the clock says and which zone the analyst lives in are handed in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from math import exp, log
from zoneinfo import ZoneInfo

from tocsin.schema import SIGNS, StageShare, exponent_of, say_money

_THIN = "\u00a0"  # a space that never breaks the line


def money(minor: int, currency: str) -> str:
    """An amount to the last minor unit: ``€ 2,480.00``, ``KWD 1.250``, ``¥ 900``."""
    return say_money(minor, currency).replace(" ", _THIN)


def about(minor: int, currency: str) -> str:
    """An amount to the nearest whole unit, for money that is an estimate anyway: ``€ 2,038``."""
    unit = 10 ** exponent_of(currency)
    return f"{SIGNS.get(currency, currency)}{_THIN}{(minor + unit // 2) // unit:,}"


def span(seconds: float) -> str:
    """A stretch of time as one says it: ``48 s``, ``12 min``, ``2 h 10``, ``3 days``, ``6 years``."""
    seconds = abs(seconds)
    minutes = int(seconds // 60)
    if seconds < 60:
        return f"{int(seconds)}{_THIN}s"
    if minutes < 60:
        return f"{minutes}{_THIN}min"
    if minutes < 48 * 60:
        return f"{minutes // 60}{_THIN}h{_THIN}{minutes % 60:02d}"
    days = minutes // 1440
    if days < 60:
        return f"{days}{_THIN}days"
    return f"{days // 30}{_THIN}months" if days < 730 else f"{days // 365}{_THIN}years"


def due(at: datetime, now: datetime) -> str:
    """How long is left until a deadline, or how late it is: ``48 min``, ``late 9 min``."""
    left = (at - now).total_seconds()
    return span(left) if left >= 0 else f"late{_THIN}{span(left)}"


def clock(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """When something was, as near as it matters: ``14:03`` today, ``yesterday``, ``20 Nov``, ``20 Nov 2024``."""
    local, today = at.astimezone(zone), now.astimezone(zone)
    days = (today.date() - local.date()).days
    if days == 0:
        return f"{local:%H:%M}"
    if days == 1:
        return "yesterday"
    if local.year == today.year:
        return f"{local.day} {local:%b}"
    return f"{local.day} {local:%b %Y}"


def when(at: datetime, now: datetime, zone: ZoneInfo) -> str:
    """The same with the hour for other days too: ``14:03``, ``yesterday 14:03``, ``20 Nov 14:03``."""
    said = clock(at, now, zone)
    return said if ":" in said else f"{said} {at.astimezone(zone):%H:%M}"


def exact(at: datetime, zone: ZoneInfo) -> str:
    """A time to the second with its zone, for the hover."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def iso(at: datetime) -> str:
    """A time for machines (the ``datetime`` attribute)."""
    return at.isoformat()


def odds(delta: float) -> str:
    """A share of the log-odds as a factor: ``× 31``, ``÷ 1.7``, ``no change``."""
    if abs(delta) < 0.005:
        return "no change"
    sign = "×" if delta > 0 else "÷"
    return f"{sign}{_THIN}{_three_digits(exp(min(abs(delta), 700.0)))}"


def one_in(logit: float) -> str:
    """A rare probability as one says it: ``1 in 420``; an even or likely one as ``64 in 100``."""
    probability = 1 / (1 + exp(-max(min(logit, 700.0), -700.0)))
    if probability > 0.1:
        return hundred(probability)
    return f"1{_THIN}in{_THIN}{_two_digits(1 / probability)}"


def hundred(value: float) -> str:
    """A probability as a count of a hundred like cases: ``82 in 100``; never quite none and never quite all."""
    count = value * 100
    if 0 < count < 1:
        return f"fewer than 1{_THIN}in{_THIN}100"
    if 99 < count < 100:
        return f"more than 99{_THIN}in{_THIN}100"
    return f"{round(count)}{_THIN}in{_THIN}100"


def count(number: int, one: str, many: str = "") -> str:
    """``1 alert``, ``3 alerts``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def unbroken(text: str) -> str:
    """A sentence in which no line ends between a currency's sign and its amount."""
    return re.sub(rf"([{''.join(SIGNS.values())}]) (?=\d)", rf"\1{_THIN}", text)


def short(text: str, longest: int = 160) -> str:
    """The beginning of a text, to the end of a word, where there is no room for all of it."""
    if len(text) <= longest:
        return text
    return f"{text[:longest].rsplit(' ', 1)[0].rstrip(' ,;.')} …"


def _three_digits(factor: float) -> str:
    if factor < 10:
        return f"{factor:.1f}" if factor >= 1.05 else f"{factor:.2f}"
    return f"{factor:,.0f}" if factor < 1e6 else f"{factor:.1e}".replace("e+0", "·10^").replace("e+", "·10^")


def _two_digits(number: float) -> str:
    step = 10 ** max(len(str(int(number))) - 2, 0)
    return f"{round(number / step) * step:,}"


@dataclass(frozen=True, slots=True)
class Bar:
    """One stage on the log scale: ``left`` and ``width`` in hundredths of the axis, ``factor`` in words."""

    stage: str
    asked: bool
    up: bool
    left: float
    width: float
    factor: str


@dataclass(frozen=True, slots=True)
class Bars:
    """All stages of one score on one log scale around "no change", and what they come to.

    ``ticks`` are (place in hundredths, word) at the powers of ten; ``product`` is exp(logit − base).
    """

    bars: tuple[Bar, ...]
    zero: float
    ticks: tuple[tuple[float, str], ...]
    product: str
    base_rate: str
    chance: str


def bars(base: float, stages: tuple[StageShare, ...], *, least: tuple[float, float] = (-log(12), log(120))) -> Bars:
    """Lay the stages out on one log scale; the same scale for every alert unless a stage needs a longer one.

    Parameters
    ----------
    base : log-odds before anything is known of the payment.
    stages : each stage's share of the log-odds; ``None`` for one that was not asked.
    least : the shortest axis, in log-odds, so that alerts can be compared by eye.
    """
    deltas = [share.delta for share in stages if share.delta is not None]
    low, high = min([least[0], *deltas]), max([least[1], *deltas])
    place = 100 / (high - low)
    zero = -low * place

    def bar(share: StageShare) -> Bar:
        if share.delta is None:
            return Bar(share.stage, False, False, zero, 0.0, "not asked")
        left = zero + min(share.delta, 0.0) * place
        return Bar(share.stage, True, share.delta >= 0, left, abs(share.delta) * place, odds(share.delta))

    every = 1 if high - low < log(10) * 7 else 2
    ticks = [
        (zero + power * log(10) * place, "1" if power == 0 else f"{'×' if power > 0 else '÷'}{10 ** abs(power):,}")
        for power in range(-12, 13, every)
        if low - 1e-9 <= power * log(10) <= high + 1e-9
    ]
    total = sum(deltas)
    chance = hundred(1 / (1 + exp(-max(min(base + total, 700.0), -700.0))))
    return Bars(tuple(bar(share) for share in stages), zero, tuple(ticks), odds(total), one_in(base), chance)
