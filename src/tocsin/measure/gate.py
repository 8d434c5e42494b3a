"""The no-harm gate: what builds on the trees ships only where it does not rank worse than they do.

Both rank the same matured payments at several origins, each learned only from what was known before. Whole accounts are
drawn with replacement, the same ones for both, so what is measured is the difference and not the luck of the draw. The
gate is passed when the mean difference over the origins is no worse than a stated little, and at no origin the whole
interval lies below nothing; in average precision and, where cards and days are known, in Card Precision@k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tocsin.errors import BadInput

ALLOWED = 0.003
"""How much worse the mean over the origins may be."""
AP = "average precision"


@dataclass(frozen=True, slots=True)
class Origin:
    """One stretch of matured payments, ranked by both; rows whose label nobody knows are left out.

    Parameters
    ----------
    name : what it is called in the verdict, such as the day it begins.
    trees, network : float64[n], scores or log-odds; higher is more suspicious.
    fraud : int8[n], 1, 0, or -1 where nobody knows.
    entity : integers[n], the account or card that paid; each row by itself, if not given.
    day : integers[n]; with it and ``entity``, Card Precision@k is measured too.
    weight : float64[n], how many payments a row stands for; not for Card Precision@k, which counts cards.
    """

    name: str
    trees: NDArray[np.float64]
    network: NDArray[np.float64]
    fraud: NDArray[np.int8]
    entity: NDArray[np.integer] | None = None
    day: NDArray[np.integer] | None = None
    weight: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """What one measure says at one origin; ``low`` and ``high`` are the ends of the interval of the difference."""

    origin: str
    measure: str
    trees: float
    network: float
    low: float
    high: float
    level: float = 0.9

    @property
    def value(self) -> float:
        """Network less trees; above 0 the network is better."""
        return self.network - self.trees

    @property
    def worse(self) -> bool:
        """Whether the whole interval lies below 0."""
        return self.high < 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it may ship, what was measured at each origin, and both in words."""

    passed: bool
    differences: tuple[Difference, ...]
    words: str

    @property
    def worst(self) -> Difference:
        """The lowest difference in average precision."""
        return min((d for d in self.differences if d.measure == AP), key=lambda d: d.value)


def gate(
    origins: Sequence[Origin],
    *,
    k: int = 100,
    rounds: int = 200,
    level: float = 0.9,
    allowed: float = ALLOWED,
    seed: int = 0,
    called: str = "the network",
) -> Verdict:
    """Whether what was built on the trees may ship in their place.

    Parameters
    ----------
    k : cards a day, for Card Precision@k.
    rounds, level : draws of accounts, and how much of them an interval holds.
    allowed : how much worse the mean over the origins may be.
    called : what is judged, for the words.

    Raises
    ------
    BadInput : no origin; lengths differ; a score is not finite; an origin without frauds or without genuine payments.
    """
    if not origins:
        raise BadInput("a gate needs at least one origin to measure at; got none.", field="origins")
    if k < 1 or rounds < 1 or not 0 < level < 1:
        raise BadInput(f"k and rounds must be at least 1, level in (0, 1); got {k}, {rounds} and {level:g}.")
    found: list[Difference] = []
    for number, origin in enumerate(origins):
        found += _differences(origin, k, rounds, level, np.random.default_rng([seed, number]))
    measures = list(dict.fromkeys(d.measure for d in found))
    faults = [fault for measure in measures for fault in _faults(measure, found, allowed)]
    return Verdict(not faults, tuple(found), _words(found, measures, faults, called))


def _differences(origin: Origin, k: int, rounds: int, level: float, chance: np.random.Generator) -> list[Difference]:
    rows = _checked(origin)
    n = len(rows.fraud)
    of = np.arange(n) if rows.entity is None else np.unique(rows.entity, return_inverse=True)[1]
    entities = int(of.max()) + 1
    mass = rows.weight if rows.weight is not None else np.ones(n)
    frauds = np.bincount(of, mass * (rows.fraud == 1), entities)
    genuine = np.bincount(of, mass * (rows.fraud == 0), entities)
    ranked = [_Ranked.of(score, rows.fraud, mass, of) for score in (rows.trees, rows.network)]
    daily = []
    if rows.entity is not None and rows.day is not None:
        daily = [_Daily.of(score, rows.fraud, of, rows.day, entities) for score in (rows.trees, rows.network)]
    points = [(1, np.ones(entities, dtype=np.int64))]
    draws = ((0, np.bincount(chance.integers(0, entities, entities), minlength=entities)) for _ in range(rounds))
    said: list[tuple[float, ...]] = []
    for always, times in (*points, *draws):
        if always or (times @ frauds > 0 and times @ genuine > 0):
            said.append((*(r.precision(times) for r in ranked), *(d.precision(times, k) for d in daily)))
    table = np.array(said)
    out = []
    for column, measure in ((0, AP), (2, f"Card Precision@{k}"))[: 1 + bool(daily)]:
        drawn = (table[1:, column + 1] - table[1:, column]) if len(table) > 1 else np.array([-np.inf, np.inf])
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
        trees, network = (float(v) for v in table[0, column : column + 2])
        out.append(Difference(origin.name, measure, trees, network, float(low), float(high), level))
    return out


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Rows from the highest score down to the last fraud; what lies below changes no precision."""

    fraud: NDArray[np.float64]
    genuine: NDArray[np.float64]
    last_of_tie: NDArray[np.bool_]
    entity: NDArray[np.int64]

    @classmethod
    def of(
        cls, score: NDArray[np.float64], fraud: NDArray[np.int8], mass: NDArray[np.float64], of: NDArray[np.int64]
    ) -> _Ranked:
        order = np.argsort(-score, kind="stable")
        falling, struck = score[order], fraud[order] == 1
        lowest = falling[np.flatnonzero(struck)[-1]]
        order = order[: int(np.searchsorted(-falling, -lowest, side="right"))]
        falling, struck = score[order], fraud[order] == 1
        ends = np.append(falling[1:] != falling[:-1], True)
        return cls(mass[order] * struck, mass[order] * ~struck, ends, of[order])

    def precision(self, times: NDArray[np.int64]) -> float:
        """Average precision when each entity is there so many times."""
        return float(_average_precision(self.fraud, self.genuine, self.last_of_tie, self.entity, times))


@dataclass(frozen=True, slots=True)
class _Daily:
    """Each day's cards from the highest score down; day d's stand from ``begins[d]`` to ``begins[d + 1]``."""

    card: NDArray[np.int64]
    struck: NDArray[np.bool_]
    begins: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        score: NDArray[np.float64],
        fraud: NDArray[np.int8],
        of: NDArray[np.int64],
        day: NDArray[np.integer],
        cards: int,
    ) -> _Daily:
        days = np.unique(day, return_inverse=True)[1].astype(np.int64)
        pairs, pair = np.unique(days * cards + of, return_inverse=True)
        highest = np.full(len(pairs), -np.inf)
        np.maximum.at(highest, pair, score)
        struck = np.bincount(pair, fraud == 1, len(pairs)) > 0
        order = np.lexsort((pairs % cards, -highest, pairs // cards))
        begins = np.searchsorted(pairs // cards, np.arange(int(days.max()) + 2))
        return cls((pairs % cards)[order], struck[order], begins.astype(np.int64))

    def precision(self, times: NDArray[np.int64], k: int) -> float:
        """Card Precision@k when each card is there so many times."""
        return float(_card_precision(self.card, self.struck, self.begins, times.copy(), k))


@njit(cache=True, nogil=True)
def _average_precision(
    fraud: NDArray[np.float64],
    genuine: NDArray[np.float64],
    last_of_tie: NDArray[np.bool_],
    entity: NDArray[np.int64],
    times: NDArray[np.int64],
) -> float:
    """As ``metrics.average_precision`` with each row's weight times its entity's."""
    frauds, all_of_them, before, total = 0.0, 0.0, 0.0, 0.0
    for row in range(len(fraud)):
        there = times[entity[row]]
        frauds += there * fraud[row]
        all_of_them += there * (fraud[row] + genuine[row])
        if last_of_tie[row] and frauds > before:
            total += (frauds - before) * frauds / all_of_them
            before = frauds
    return total / frauds if frauds > 0.0 else 0.0


@njit(cache=True, nogil=True)
def _card_precision(
    card: NDArray[np.int64], struck: NDArray[np.bool_], begins: NDArray[np.int64], left: NDArray[np.int64], k: int
) -> float:
    """As ``metrics.card_precision`` with ``left[c]`` cards like card c; those found leave the later days."""
    days = len(begins) - 1
    hits = 0
    for d in range(days):
        rung = 0
        for i in range(begins[d], begins[d + 1]):
            now = min(left[card[i]], k - rung)
            rung += now
            if struck[i]:
                hits += now
                left[card[i]] -= now
            if rung == k:
                break
    return hits / (k * days)


def _checked(origin: Origin) -> Origin:
    """The rows whose label is known.

    Raises
    ------
    BadInput : names the origin and what is wrong with it.
    """
    n = len(origin.fraud)
    columns = {name: getattr(origin, name) for name in ("trees", "network", "entity", "day", "weight")}
    for name, column in columns.items():
        if column is not None and np.shape(column) != (n,):
            raise BadInput(
                f"at origin {origin.name} there must be one value for each of {n} rows; got {np.shape(column)}.",
                field=name,
            )
    known = np.isin(origin.fraud, (0, 1))
    if not (np.isfinite(origin.trees[known]).all() and np.isfinite(origin.network[known]).all()):
        raise BadInput(f"scores at origin {origin.name} must be finite.", field="score")
    mass = np.ones(n) if origin.weight is None else np.asarray(origin.weight, dtype=np.float64)
    if not (np.isfinite(mass).all() and (mass >= 0).all()):
        raise BadInput(f"weights at origin {origin.name} must be finite and not negative.", field="weight")
    known &= mass > 0
    frauds = int((origin.fraud[known] == 1).sum())
    if frauds in (0, int(known.sum())):
        raise BadInput(
            f"at origin {origin.name} there must be both fraud and genuine payments; got {frauds} frauds in "
            f"{int(known.sum())} known payments.",
            hint="Measure on a longer span.",
        )
    return Origin(
        origin.name,
        np.asarray(origin.trees, dtype=np.float64)[known],
        np.asarray(origin.network, dtype=np.float64)[known],
        np.asarray(origin.fraud)[known],
        None if origin.entity is None else np.asarray(origin.entity)[known],
        None if origin.day is None else np.asarray(origin.day)[known],
        mass[known],
    )


def _faults(measure: str, found: Sequence[Difference], allowed: float) -> list[str]:
    """What is against shipping, each as the end of a sentence."""
    own = [d for d in found if d.measure == measure]
    mean = float(np.mean([d.value for d in own]))
    faults = []
    if mean < -allowed:
        faults.append(f"its {measure} is {-mean:.3f} lower on average, and {allowed:g} is allowed")
    return faults + [
        f"at {d.origin} its {measure} is surely lower: {d.network:.3f} against {d.trees:.3f} "
        f"({d.level:.0%} of the draws between {d.low:+.3f} and {d.high:+.3f})"
        for d in own
        if d.worse
    ]


def _words(found: Sequence[Difference], measures: Sequence[str], faults: Sequence[str], called: str) -> str:
    origins = len({d.origin for d in found})
    over = f"{origins} origins" if origins > 1 else "one origin"
    said = []
    for measure in measures:
        own = [d for d in found if d.measure == measure]
        worst = min(own, key=lambda d: d.value)
        least = f", least {worst.value:+.3f} [{worst.low:+.3f}, {worst.high:+.3f}] at {worst.origin}"
        mean = float(np.mean([d.value for d in own]))
        said.append(f"{measure} {mean:+.3f}" + (least if origins > 1 else f" [{worst.low:+.3f}, {worst.high:+.3f}]"))
    measured = f"Against the trees, over {over}: {'; '.join(said)}."
    if not faults:
        return f"{called[:1].upper()}{called[1:]} does no harm. {measured}"
    return f"The trees ship without {called}: {'; '.join(faults)}. {measured}"
