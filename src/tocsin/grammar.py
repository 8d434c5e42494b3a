"""One line of the spec is one statistic of one column by one entity: the grammar of profile features, and of spans.

    [NAME =] STATISTIC of COLUMN by ENTITY[+ENTITY] [over SPANS] [delayed SPAN] [where CONDITION [and CONDITION]]

    count of amount by card over 1h, 1d, 7d, 30d
    novelty of device by account
    share of fraud by retailer over 1d, 7d, 30d delayed 7d
    odd = deviation of amount by account over 90d
    count of amount by account over 7d where odd > 3
    sum of amount by payee[account] over 1d          # what this account received: stored by payee, read by account

What a statistic computes is the kernel's business; which columns there are, the spec's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from tocsin.errors import BadSpec, did_you_mean

CALENDAR: tuple[str, ...] = ("hour", "weekday", "weekend", "night")
"""Numbers read off the time in the spec's zone: 0-24, 0 (Monday) to 6, 0/1, 0/1 (hour up to 6)."""

SPANNED: tuple[str, ...] = (
    "count",
    "sum",
    "mean",
    "max",
    "min",
    "std",
    "distinct",
    "share",
    "ratio",
    "deviation",
)
DECAYED: tuple[str, ...] = ("decayed_count", "decayed_sum", "decayed_mean")
UNSPANNED: tuple[str, ...] = ("since", "novelty", "age", "distance", "speed", "last")
STATISTICS: dict[str, str] = {
    "count": "how many events of COLUMN",
    "sum": "their sum",
    "mean": "their mean",
    "max": "the largest",
    "min": "the smallest",
    "std": "their standard deviation",
    "distinct": "how many different values of COLUMN",
    "share": "fraud labels known by now, over events",
    "ratio": "this event's COLUMN over the window's mean",
    "deviation": "this event's COLUMN less the window's mean, in standard deviations",
    "decayed_count": "a count that halves every SPAN",
    "decayed_sum": "a sum that halves every SPAN",
    "decayed_mean": "decayed sum over decayed count",
    "since": "seconds since the last event of COLUMN",
    "novelty": "1 when this value of COLUMN was never seen with this entity",
    "age": "seconds since this value of COLUMN was first seen with this entity",
    "distance": "kilometres from the last place",
    "speed": "kilometres an hour from the last place",
    "last": "the newest known value of COLUMN",
}
_OPERATORS = ("<=", ">=", "==", "!=", "<", ">")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

Operator = Literal["<=", ">=", "==", "!=", "<", ">"]


@dataclass(frozen=True, slots=True)
class Condition:
    """``NAME OP NUMBER``: which past events a feature counts. NAME is a number, a calendar column or a named feature."""

    name: str
    operator: Operator
    value: float


@dataclass(frozen=True, slots=True)
class Feature:
    """One profile feature: one statistic over one span.

    ``by`` are the columns whose values are looked up, ``store`` those under which past events were kept (the same,
    unless the line says ``payee[account]``). ``span`` is ``None`` for statistics without a window; for decayed ones it
    is the half-life. ``delay`` moves the window back: it then covers ``(at - delay - span, at - delay]``.
    """

    name: str
    statistic: str
    column: str
    by: tuple[str, ...]
    store: tuple[str, ...]
    span: timedelta | None
    delay: timedelta
    where: tuple[Condition, ...]
    line: str


def parse_span(text: str) -> timedelta:
    """``90s``, ``5m``, ``1h``, ``7d`` or ``2w`` as a length of time."""
    match = re.fullmatch(r"\s*(\d+)\s*([smhdw])\s*", text)
    if not match or (int(match[1]) == 0 and match[2] != "s"):
        raise BadSpec(f"a span must be a whole number and one of s, m, h, d, w (such as 7d); got {text.strip()!r}.")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > 100 * 366 * _UNITS["d"]:
        raise BadSpec(f"a span must be at most a century; got {text.strip()!r}.")
    return timedelta(seconds=seconds)


def say_span(span: timedelta) -> str:
    """A span as the spec writes it: the largest unit that leaves a whole number."""
    seconds = int(span.total_seconds())
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


_LINE = re.compile(
    r"(?:(?P<name>[a-z_][a-z0-9_]*)\s*=\s*)?(?P<statistic>\w+)\s+of\s+(?P<column>\w+)\s+by\s+(?P<by>[\w\[\]+]+)"
    r"(?:\s+over\s+(?P<over>[\w,\s]+?))?(?:\s+delayed\s+(?P<delayed>\w+))?(?:\s+where\s+(?P<where>.+))?",
)


def parse_feature(line: str) -> tuple[Feature, ...]:
    """One line of the grammar as one feature a span.

    Examples
    --------
    >>> [f.name for f in parse_feature("count of amount by card over 1h, 7d")]
    ['count_amount_by_card_1h', 'count_amount_by_card_7d']
    """
    clean = line.split("#", maxsplit=1)[0].strip()
    match = _LINE.fullmatch(clean)
    form = "STATISTIC of COLUMN by ENTITY[+ENTITY] [over SPANS] [delayed SPAN] [where CONDITION]"
    if not match:
        raise BadSpec(f"a feature must read `{form}`; got `{clean}`.", field="features")
    statistic = match["statistic"]
    if statistic not in STATISTICS:
        raise BadSpec(
            f"no statistic is called {statistic!r} in `{clean}`.",
            field="features",
            hint=did_you_mean(statistic, STATISTICS),
        )
    spans: list[timedelta | None] = [parse_span(s) for s in (match["over"] or "").split(",") if s.strip()]
    if statistic in UNSPANNED and spans:
        raise BadSpec(f"{statistic} takes no `over`; got `{clean}`.", field="features")
    if statistic not in UNSPANNED and not spans:
        raise BadSpec(f"{statistic} needs `over SPANS`, such as `over 1d, 7d`; got `{clean}`.", field="features")
    by, store = _read_by(match["by"], clean)
    where = _read_where(match["where"], clean)
    base = match["name"] or f"{statistic}_{match['column']}_by_{_plain(match['by'])}" + ("_where" if where else "")
    delay = parse_span(match["delayed"]) if match["delayed"] else timedelta(0)
    if delay and not match["name"]:
        base += f"_delayed_{say_span(delay)}"
    if where and not match["name"]:
        base += "".join(f"_{c.name}_{_OPERATOR_WORDS[c.operator]}_{_plain(f'{c.value:g}')}" for c in where)
    many = len(spans) > 1 or not match["name"]
    return tuple(
        Feature(
            name=f"{base}_{say_span(span)}" if span is not None and many else base,
            statistic=statistic,
            column=match["column"],
            by=by,
            store=store,
            span=span,
            delay=delay,
            where=where,
            line=clean,
        )
        for span in (spans or [None])
    )


_OPERATOR_WORDS = {"<=": "le", ">=": "ge", "==": "eq", "!=": "ne", "<": "lt", ">": "gt"}


def _plain(text: str) -> str:
    return re.sub(r"\W+", "_", text).strip("_")


def _read_by(text: str, line: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    by, store = [], []
    for part in text.split("+"):
        match = re.fullmatch(r"(\w+)(?:\[(\w+)\])?", part)
        if not match:
            raise BadSpec(f"an entity must read NAME or STORED[READ]; got {part!r} in `{line}`.", field="features")
        store.append(match[1])
        by.append(match[2] or match[1])
    return tuple(by), tuple(store)


def _read_where(text: str | None, line: str) -> tuple[Condition, ...]:
    if not text:
        return ()
    out = []
    for part in re.split(r"\s+and\s+", text.strip()):
        match = re.fullmatch(r"(\w+)\s*(<=|>=|==|!=|<|>)\s*(-?\d+(?:\.\d+)?)", part.strip())
        if not match:
            raise BadSpec(
                f"a condition must read NAME OP NUMBER with OP one of {', '.join(_OPERATORS)}; got {part!r} in `{line}`.",
                field="features",
            )
        operator: Any = match[2]
        out.append(Condition(match[1], operator, float(match[3])))
    return tuple(out)
