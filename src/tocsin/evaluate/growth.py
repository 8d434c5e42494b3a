"""How good a way becomes with more examples: power laws through what was measured with few."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

DRAWS = 1000
_RATES = np.linspace(0.05, 1.2, 47)
_FLOORS = np.linspace(0.0, 0.95, 20)
"""Shares of the last error that no number of examples takes away."""
_NONE = 6.0
"""How much likelier no floor is than any one other, before anything is measured: 6 of 25."""


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured with so many examples: the share right, and its standard deviation."""

    examples: int
    right: float
    spread: float


@dataclass(frozen=True, slots=True)
class Growth:
    """Learning curves that what was measured may have come from, each as often as it is likely.

    Error with n examples: floor + height * n ** -rate. What is expected is the mean of the curves; the one that fits best alone
    takes what may be chance for a floor, or none where there is one, and is further off (docs/log.md).

    Parameters
    ----------
    points : what was measured, by rising number of examples.
    floor, height, rate : float64[DRAWS].

    References
    ----------
    Hestness et al., Deep Learning Scaling is Predictable, Empirically, 2017; Cortes et al., Learning Curves, 1993; Domhan et al.,
    Speeding up Automatic Hyperparameter Optimization by Extrapolation of Learning Curves, 2015 (the mean over curves).

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
        """The curves through points; with one of them they are level."""
        n = np.array([p.examples for p in points], dtype=np.float64)
        spread = np.maximum([p.spread for p in points], 1e-3)
        error = np.clip(1.0 - np.array([p.right for p in points]), 1e-4, 1.0)
        share, rate = (
            grid.ravel() for grid in np.meshgrid(_FLOORS, _RATES if len(points) > 1 else [0.0], indexing="ij")
        )
        floor = share * error[-1]
        base = n ** -rate[:, None] / spread
        left = (error - floor[:, None]) / spread
        height = np.maximum(0.0, (left * base).sum(axis=1) / (base**2).sum(axis=1))
        off = ((left - height[:, None] * base) ** 2).sum(axis=1)
        likely = np.exp((off.min() - off) / 2) * np.where(share > 0, 1.0, _NONE)
        rng = np.random.default_rng(seed)
        drawn = rng.choice(len(likely), DRAWS, p=likely / likely.sum())
        chance = rng.normal(size=DRAWS) / np.sqrt((base[drawn] ** 2).sum(axis=1))
        return cls(tuple(points), floor[drawn], np.maximum(0.0, height[drawn] + chance), rate[drawn])

    def right(self, examples: int) -> float:
        """The share right that is expected with so many examples."""
        return float(self._rights(examples).mean())

    def between(self, examples: int) -> tuple[float, float]:
        """Where nine of ten curves lie there."""
        return self._nine(self._rights(examples))

    def gain(self, now: int, then: int) -> tuple[float, float, float]:
        """How much more is right with ``then`` examples than with ``now``: expected, and where nine of ten curves lie."""
        more = self._rights(then) - self._rights(now)
        return float(more.mean()), *self._nine(more)

    def _nine(self, values: NDArray[np.float64]) -> tuple[float, float]:
        low, high = np.quantile(values, (0.05, 0.95))
        mean = float(values.mean())
        return min(float(low), mean), max(float(high), mean)

    def _rights(self, examples: int) -> NDArray[np.float64]:
        return np.clip(1.0 - self.floor - self.height * float(max(1, examples)) ** -self.rate, 0.0, 1.0)
