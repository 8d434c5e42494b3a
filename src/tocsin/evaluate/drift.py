"""Has the world moved since the model learned? Scores and features of each month against those it learned from.

The measure is the population stability index: over ten bins that held a tenth each, the sum of (now - then) x
log(now / then). It needs no labels, so it speaks weeks before the frauds are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput

DAY_US = 86_400_000_000
STEADY, CHANGED = 0.1, 0.25
"""Below the first: as it was. From the second on: something else now. The usual limits of the trade."""
LEAST, LEAST_DAYS = 200, 10
"""Fewer payments or days than this in a month say nothing: ten bins would each hold a handful, or one weekday most."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one column moved: its name, the index of each month (NaN where too few payments), and in words."""

    name: str
    months: tuple[float, ...]

    @property
    def worst(self) -> float:
        """The largest index of any month; 0 when no month could be measured."""
        known = [m for m in self.months if m == m]
        return max(known, default=0.0)

    @property
    def words(self) -> str:
        """``steady``, ``shifted`` or ``changed``."""
        return "steady" if self.worst < STEADY else "shifted" if self.worst < CHANGED else "changed"


@dataclass(frozen=True, slots=True)
class Drift:
    """The score's shift and the features', the most moved first, month by month."""

    months: tuple[str, ...]
    score: Shift
    features: tuple[Shift, ...]

    @property
    def sentence(self) -> str:
        """What a head of fraud should know of it."""
        moved = [f.name for f in self.features if f.worst >= CHANGED]
        score = {
            "steady": "The scores are spread as they were when the model learned.",
            "shifted": "The scores have shifted somewhat since the model learned.",
            "changed": "The scores are spread quite differently from when the model learned: look before trusting "
            "the threshold.",
        }[self.score.words]
        if not moved:
            return f"{score} No feature has changed much."
        more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
        return f"{score} Changed most: {', '.join(moved[:3])}{more}."


def stability(then: NDArray[np.float64], now: NDArray[np.float64], *, bins: int = 10) -> float:
    """The population stability index of a column; missing values are a bin of their own.

    Raises
    ------
    BadInput : nothing to compare with.
    """
    if not len(then) or not len(now):
        raise BadInput(f"drift needs payments on both sides; got {len(then)} then and {len(now)} now.")
    known = then[~np.isnan(then)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1])) if len(known) else np.zeros(0)
    before, after = _shares(then, edges), _shares(now, edges)
    return float(np.sum((after - before) * np.log(after / before)))


def drift(
    names: Sequence[str],
    then: NDArray[np.float64],
    now: NDArray[np.float64],
    now_at: NDArray[np.int64],
    *,
    score_then: NDArray[np.float64],
    score_now: NDArray[np.float64],
) -> Drift:
    """Compare each month with the payments the model learned from.

    Parameters
    ----------
    then, now : float64[n, columns] and float64[m, columns], the model's inputs, named by ``names``.
    now_at : int64[m], microseconds UTC.
    score_then, score_now : float64[n] and float64[m].
    """
    month = now_at.astype("datetime64[us]").astype("datetime64[M]")
    months = np.unique(month)
    rows = [month == one for one in months]
    enough = [r.sum() >= LEAST and len(np.unique(now_at[r] // DAY_US)) >= LEAST_DAYS for r in rows]

    def shift(name: str, a: NDArray[np.float64], b: NDArray[np.float64]) -> Shift:
        known = len(a) >= LEAST
        measured = (stability(a, b[r]) if ok and known else float("nan") for r, ok in zip(rows, enough, strict=True))
        return Shift(name, tuple(measured))

    features = [shift(name, then[:, i], now[:, i]) for i, name in enumerate(names)]
    return Drift(
        tuple(str(m) for m in months),
        shift("score", score_then, score_now),
        tuple(sorted(features, key=lambda f: -f.worst)),
    )


def _shares(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of each bin, missing last; an empty bin counts half a payment, so that no logarithm is infinite."""
    missing = np.isnan(values)
    counts = np.bincount(np.searchsorted(edges, values[~missing], side="right"), minlength=len(edges) + 1)
    full = np.append(counts, missing.sum()).astype(np.float64)
    return np.maximum(full, 0.5) / len(values)
