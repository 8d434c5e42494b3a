"""How good a way becomes with more examples: a power law through what was measured with few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

DRAWS = 300
_RATES = np.linspace(0.05, 1.0, 20)
_FLOORS = np.linspace(0.0, 0.9, 10)
"""Shares of the last error that no number of examples takes away."""
_AS_GOOD = 1.0
"""A floor must fit better by so much (in squared deviations) before it is believed in."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured with so many examples: the share right, and its standard deviation."""

    examples: int
    right: float
    spread: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Learning curves: the one that fits best, and others that would have been drawn had chance been another.

    Error with n examples: floor + height * n ** -rate.

    Parameters
    ----------
    points : what was measured, by rising number of examples.
    floor, height, rate : float64[1 + DRAWS]; the first is the best fit.

    References
    ----------
    Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017; Cortes et al., Learning Curves, 1993.

    Examples
    --------
    >>> true = [Point(n, 1 - 0.8 * n**-0.3, 0.002) for n in (100, 200, 400, 800)]
    >>> round(Growth.through(true).right(6400), 2), round(1 - 0.8 * 6400**-0.3, 2)
    (0.94, 0.94)
    """

    points: tuple[Point, ...]
    floor: NDArray[np.float64]
    height: NDArray[np.float64]
    rate: NDArray[np.float64]

    @classmethod
    def through(cls, points: Sequence[Point], seed: int = 0) -> Self:
        """Fit points; with one of them the curve is level."""
        n = np.array([p.examples for p in points], dtype=np.float64)
        spread = np.maximum([p.spread for p in points], 1e-3)
        measured = 1.0 - np.array([p.right for p in points])
        chance = np.random.default_rng(seed).normal(size=(DRAWS, len(points))) * spread
        errors = np.clip(np.vstack([measured, measured + chance]), 1e-4, 1.0)
        best = np.full(len(errors), np.inf)
        floor, height, rate = (np.zeros(len(errors)) for _ in range(3))
        for share in _FLOORS:
            for c in _RATES if len(points) > 1 else (0.0,):
                base = n**-c / spread
                a = share * errors[:, -1]
                b = np.maximum(0.0, ((errors - a[:, None]) / spread) @ base / (base @ base))
                off = (((errors - a[:, None] - b[:, None] * n**-c) / spread) ** 2).sum(axis=1) + _AS_GOOD * (share > 0)
                better = off < best
                best[better], floor[better], height[better], rate[better] = off[better], a[better], b[better], c
        return cls(tuple(points), floor, height, rate)

    def right(self, examples: int) -> float:
        """The share right that is expected with so many examples."""
        return float(self._rights(examples)[0])

    def between(self, examples: int) -> tuple[float, float]:
        """Where nine of ten other curves would lie there."""
        low, high = np.quantile(self._rights(examples)[1:], (0.05, 0.95))
        return min(float(low), self.right(examples)), max(float(high), self.right(examples))

    def gain(self, now: int, then: int) -> tuple[float, float, float]:
        """How much more is right with ``then`` examples than with ``now``: expected, and where nine of ten other curves lie."""
        best, *others = (self._rights(then) - self._rights(now)).tolist()
        low, high = np.quantile(others, (0.05, 0.95))
        return best, min(float(low), best), max(float(high), best)

    def _rights(self, examples: int) -> NDArray[np.float64]:
        return np.clip(1.0 - self.floor - self.height * float(max(1, examples)) ** -self.rate, 0.0, 1.0)
