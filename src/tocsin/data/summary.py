"""What a table holds, in numbers a person asks for first: how much, since when, who, how often fraud, how late known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from tocsin.data.problems import Problem
from tocsin.data.table import Table
from tocsin.data.times import NEVER
from tocsin.schema import KINDS

_DAY = 86_400_000_000
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class Entity:
    """How many different values an entity has in all, and the share of payments that have none."""

    name: str
    distinct: int
    missing: float


@dataclass(frozen=True, slots=True)
class Labels:
    """What is known. ``rate`` counts each row as often as its weight says; delays are between payment and knowledge."""

    fraud: int
    genuine: int
    unknown: int
    rate: float
    weighted: bool
    delay_median: timedelta | None
    delay_most: timedelta | None


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """Problems of one kind in one column: how many, the first rows, the first in full, and the way out."""

    file: str
    column: str
    count: int
    rows: tuple[int, ...]
    example: str
    hint: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A table in numbers; times in microseconds UTC, amounts in minor units of ``currency``."""

    rows_in: int
    rows_bad: int
    payments: int
    events: dict[str, int]
    first: int | None
    last: int | None
    per_day: NDArray[np.int64]
    entities: tuple[Entity, ...]
    labels: Labels
    currency: str
    amount_median: float
    amount_largest: int
    amount_sum: int
    zero_amounts: int
    problems: tuple[ProblemKind, ...]
    notes: tuple[str, ...]


def summarise(table: Table) -> Summary:
    """Count a table once through."""
    batch, amount = table.batch, table.amount
    codes, counts = np.unique(batch.kind[~batch.payments], return_counts=True)
    at = batch.at
    days = np.bincount((at - at[0] // _DAY * _DAY) // _DAY) if len(at) else np.zeros(0, np.int64)
    return Summary(
        rows_in=table.rows_in,
        rows_bad=table.rows_bad,
        payments=len(table),
        events={KINDS[code].value: int(count) for code, count in zip(codes, counts, strict=True)},
        first=int(at[0]) if len(at) else None,
        last=int(at[-1]) if len(at) else None,
        per_day=days,
        entities=tuple(_entity(name, keys, batch.payments) for name, keys in batch.keys.items()),
        labels=_labels(table),
        currency=table.spec.currency,
        amount_median=float(np.median(amount)) if len(amount) else 0.0,
        amount_largest=int(amount.max(initial=0)),
        amount_sum=int(amount.sum()),
        zero_amounts=int((amount == 0).sum()),
        problems=kinds_of(table.problems),
        notes=table.notes,
    )


def _entity(name: str, keys: NDArray[np.uint64], pays: NDArray[np.bool_]) -> Entity:
    missing = float((keys[pays] == 0).mean()) if pays.any() else 0.0
    return Entity(name, len(np.unique(keys[keys != 0])), missing)


def _labels(table: Table) -> Labels:
    known = table.label >= 0
    fraud = table.label == 1
    weight = np.ones(len(table)) if table.weight is None else table.weight
    whole = float(weight[known].sum())
    told = fraud & (table.known_at != NEVER)
    delay = (table.known_at - table.at)[told]
    median, most = np.quantile(delay, (0.5, 0.95)) if len(delay) else (None, None)
    return Labels(
        int(fraud.sum()),
        int((table.label == 0).sum()),
        int((~known).sum()),
        float(weight[fraud].sum()) / whole if whole else float("nan"),
        table.weight is not None,
        None if median is None else timedelta(microseconds=round(median)),
        None if most is None else timedelta(microseconds=round(most)),
    )


def kinds_of(problems: Sequence[Problem]) -> tuple[ProblemKind, ...]:
    """Problems put together: what stands before the first semicolon is what must hold, and so the kind."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.file, problem.column, problem.what.split(";", 1)[0]), []).append(problem)
    return tuple(
        ProblemKind(file, column, len(group), tuple(p.row for p in group[:5]), group[0].what, group[0].hint)
        for (file, column, _), group in groups.items()
    )


def sparkline(counts: NDArray[np.int64], width: int = 60) -> str:
    """Counts as a line of bars, lowest to highest; neighbours are put together where there are more than ``width``.

    Examples
    --------
    >>> sparkline(np.array([0, 2, 4, 8]))
    '▁▂▄█'
    """
    if len(counts) == 0:
        return ""
    per = -(-len(counts) // width)
    padded = np.append(counts, np.zeros(-len(counts) % per, np.int64)).reshape(-1, per)
    filled = np.minimum(per, len(counts) - per * np.arange(len(padded)))
    mean = padded.sum(axis=1) / filled
    top = mean.max()
    return "".join(_BARS[min(7, int(m / top * 7.999))] if top else _BARS[0] for m in mean)
