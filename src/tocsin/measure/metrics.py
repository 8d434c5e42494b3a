"""How good a score is. Every function takes weights, because a sampled set lies without them.

``truth`` is 1 for fraud and 0 for genuine; ``score`` is higher for more suspicious; ``weight`` is how many payments a
row stands for (``None``: one each). Rows whose truth is unknown must be left out by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tocsin.errors import BadInput

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Metric = Callable[[Floats, Floats, Floats], float]
"""``metric(truth, score, weight) -> number``; :func:`bootstrap` resamples any of them."""


class Curve(NamedTuple):
    """Precision and recall when everything from ``threshold`` up is called fraud; thresholds fall."""

    threshold: Floats
    precision: Floats
    recall: Floats


class Reliability(NamedTuple):
    """Bins of equal weight, in order of score: mean score, observed share of fraud, and total weight of each."""

    score: Floats
    observed: Floats
    weight: Floats


class Interval(NamedTuple):
    """A measured value and the ends of its bootstrap interval."""

    value: float
    low: float
    high: float


class Money(NamedTuple):
    """What a set of decisions did, in the unit of the amounts.

    ``saved`` is the fraud stopped, less what the alerts cost to work through.
    """

    at_stake: float
    stopped: float
    missed: float
    held_genuine: float
    cost: float

    @property
    def saved(self) -> float:
        """Fraud stopped less the cost of the alerts."""
        return self.stopped - self.cost


def roc_auc(truth: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The chance that a fraud scores above a genuine payment, ties counting half.

    Raises
    ------
    BadInput : lengths differ, a number is not finite, or one of the two classes is missing.
    """
    _, fraud, genuine = _steps(*_checked(truth, score, weight))
    true_rate = np.concatenate(([0.0], fraud)) / fraud[-1]
    false_rate = np.concatenate(([0.0], genuine)) / genuine[-1]
    return float(np.trapezoid(true_rate, false_rate))


def average_precision(truth: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The mean precision over the frauds, in order of score (the area under the steps, not interpolated)."""
    _, fraud, genuine = _steps(*_checked(truth, score, weight))
    precision = fraud / (fraud + genuine)
    return float(np.sum(np.diff(fraud, prepend=0.0) * precision) / fraud[-1])


def precision_recall(truth: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> Curve:
    """Precision and recall at every threshold, the strictest first."""
    threshold, fraud, genuine = _steps(*_checked(truth, score, weight))
    return Curve(threshold, fraud / (fraud + genuine), fraud / fraud[-1])


def recall_at(truth: ArrayLike, score: ArrayLike, false_rate: float, weight: ArrayLike | None = None) -> float:
    """The share of fraud found when at most ``false_rate`` of the genuine payments are called fraud.

    A threshold is a score that occurs, so this is what one could really set; nothing is interpolated between two.
    """
    _, fraud, genuine = _steps(*_checked(truth, score, weight))
    allowed = genuine / genuine[-1] <= false_rate
    return float(fraud[allowed][-1] / fraud[-1]) if allowed.any() else 0.0


def brier(truth: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The mean squared distance of a probability from what happened; 0 is perfect."""
    t, s, w = _checked(truth, score, weight, both=False)
    return float(np.average((s - t) ** 2, weights=w))


def log_loss(truth: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The mean surprise in nats of a probability; scores are kept a rounding error away from 0 and 1."""
    t, s, w = _checked(truth, score, weight, both=False)
    p = np.clip(s, np.finfo(np.float64).eps, 1 - np.finfo(np.float64).eps)
    return float(np.average(-(t * np.log(p) + (1 - t) * np.log1p(-p)), weights=w))


def reliability(
    truth: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None, *, bins: int = 10, frauds: bool = True
) -> Reliability:
    """What was promised beside what happened, in bins of equal weight.

    Parameters
    ----------
    frauds : cut the bins so that each holds an equal share of the *fraud*, which is where decisions are taken; with
        under 1 % fraud, bins of equal payments would all but one sit at a score of nothing.
    """
    t, s, w = _checked(truth, score, weight, both=False)
    order = np.argsort(s, kind="stable")
    t, s, w = t[order], s[order], w[order]
    mass = w * t if frauds and t.any() else w
    reached = np.cumsum(mass) / mass.sum()
    edge = np.minimum((np.maximum(reached - 1e-12, 0) * bins).astype(np.int64), bins - 1)
    total = np.bincount(edge, w, bins).astype(np.float64)
    full = total > 0
    return Reliability(
        (np.bincount(edge, w * s, bins)[full] / total[full]),
        (np.bincount(edge, w * t, bins)[full] / total[full]),
        total[full],
    )


def calibration_error(
    truth: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None, *, bins: int = 15, frauds: bool = False
) -> float:
    """The expected calibration error: how far a promised share of fraud lies from the observed one, on average.

    Over bins of equal weight (see :func:`reliability`), because bins of equal width would put nearly every payment
    into the first.
    """
    curve = reliability(truth, score, weight, bins=bins, frauds=frauds)
    return float(np.average(np.abs(curve.score - curve.observed), weights=curve.weight))


def card_precision(
    truth: ArrayLike, score: ArrayLike, card: ArrayLike, day: ArrayLike, k: int = 100, *, remove_detected: bool = True
) -> float:
    """Card Precision@k: of the ``k`` cards rung for each day, the share that had a fraud that day; the mean over days.

    A card's score is its highest of the day. A card found to be defrauded is blocked, so it leaves the later days
    (``remove_detected``). The divisor is ``k`` on every day, also on one with fewer cards.

    References
    ----------
    Le Borgne, Siblini, Lebichot, Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection" (2022),
    precision top-k metrics. Ties are broken by the card's place in sorted order, so the result is the same every run.
    """
    t, s, _ = _checked(truth, score, None, both=False)
    cards = np.unique(np.asarray(card), return_inverse=True)[1]
    days = np.asarray(day)
    if len(cards) != len(t) or len(days) != len(t):
        raise BadInput(
            f"every payment must have a card and a day; got {len(t)} payments, {len(cards)} cards, {len(days)} days."
        )
    found = np.zeros(cards.max() + 1, dtype=bool)
    shares = []
    for one in np.unique(days):
        rows = np.flatnonzero(days == one)
        rows = rows[~found[cards[rows]]]
        present, of = np.unique(cards[rows], return_inverse=True)
        highest = np.full(len(present), -np.inf)
        np.maximum.at(highest, of, s[rows])
        struck = np.bincount(of, t[rows], len(present)) > 0
        top = np.argsort(-highest, kind="stable")[:k]
        shares.append(float(struck[top].sum()) / k)
        if remove_detected:
            found[present[top[struck[top]]]] = True
    return float(np.mean(shares))


def still_unknown(
    truth: ArrayLike, card: ArrayLike, day: ArrayLike, *, start: int, train: int = 7, delay: int = 7, test: int = 7
) -> Ints:
    """The rows of the test days whose card was not yet known to be compromised.

    Known are the cards with a fraud in the training days and, for test day d, those with one on any day up to
    ``start + train + d - 1``: what the label delay lets one know on that morning.

    Parameters
    ----------
    start : first training day; ``train``, ``delay`` and ``test`` are numbers of days.

    Returns
    -------
    int64[m] : positions in order of time, day by day.
    """
    t, cards, days = np.asarray(truth), np.asarray(card), np.asarray(day)
    known = np.unique(cards[(t == 1) & (days >= start) & (days < start + train)])
    rows = []
    for d in range(test):
        known = np.union1d(known, cards[(t == 1) & (days == start + train + d - 1)])
        today = np.flatnonzero(days == start + train + delay + d)
        rows.append(today[~np.isin(cards[today], known)])
    return np.concatenate(rows)


def money(
    truth: ArrayLike, amount: ArrayLike, stopped: ArrayLike, *, cost_per_alert: float = 0.0, alerts: float | None = None
) -> Money:
    """What decisions did to the money at stake.

    Parameters
    ----------
    stopped : bool[n], whether the payment was held or declined, so that a fraud did not go out.
    cost_per_alert : what it costs to work through one alert, in the unit of ``amount``.
    alerts : how many alerts there were; every stopped payment, if not given.
    """
    t, a = np.asarray(truth, dtype=np.float64), np.asarray(amount, dtype=np.float64)
    held = np.asarray(stopped, dtype=bool)
    if not len(t) == len(a) == len(held):
        raise BadInput(f"truth, amount and stopped must be equally long; got {len(t)}, {len(a)} and {len(held)}.")
    count = float(held.sum()) if alerts is None else alerts
    return Money(
        at_stake=float(a @ t),
        stopped=float(a[held] @ t[held]),
        missed=float(a[~held] @ t[~held]),
        held_genuine=float(a[held] @ (1 - t[held])),
        cost=count * cost_per_alert,
    )


def bootstrap(
    metric: Metric,
    truth: ArrayLike,
    score: ArrayLike,
    entity: ArrayLike,
    weight: ArrayLike | None = None,
    *,
    rounds: int = 200,
    level: float = 0.9,
    seed: int = 0,
) -> Interval:
    """How far a number could have come out differently, had other entities been in the set.

    Whole entities are drawn with replacement, because the payments of one card are not independent; a draw that
    leaves no fraud (or nothing else) is not counted.
    """
    t, s, w = _checked(truth, score, weight)
    of = np.unique(np.asarray(entity), return_inverse=True)[1]
    chance = np.random.default_rng(seed)
    entities = int(of.max()) + 1
    drawn = []
    for _ in range(rounds):
        times = np.bincount(chance.integers(0, entities, entities), minlength=entities)[of] * w
        if times @ t > 0 and times @ (1 - t) > 0:
            kept = times > 0
            drawn.append(metric(t[kept], s[kept], times[kept]))
    if not drawn:
        raise BadInput("no draw held both fraud and genuine payments.", hint="Measure on a longer span.")
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(metric(t, s, w), float(low), float(high))


def _checked(
    truth: ArrayLike, score: ArrayLike, weight: ArrayLike | None, *, both: bool = True
) -> tuple[Floats, Floats, Floats]:
    t, s = np.asarray(truth, dtype=np.float64), np.asarray(score, dtype=np.float64)
    w = np.ones(len(t)) if weight is None else np.asarray(weight, dtype=np.float64)
    if not len(t) == len(s) == len(w):
        raise BadInput(f"truth, score and weight must be equally long; got {len(t)}, {len(s)} and {len(w)}.")
    if not (np.isfinite(s).all() and np.isfinite(w).all() and (w >= 0).all()):
        raise BadInput("scores must be finite and weights finite and not negative.", field="score")
    if not np.isin(t, (0.0, 1.0)).all():
        raise BadInput("truth must be 1 (fraud) or 0 (genuine).", field="truth", hint="Leave unknown ones out.")
    if both and not (w @ t > 0 and w @ (1 - t) > 0):
        raise BadInput(
            f"there must be both fraud and genuine payments; got {int(t.sum())} frauds in {len(t)}.",
            field="truth",
            hint="Measure on a longer span.",
        )
    return t, s, w


def _steps(truth: Floats, score: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """Distinct scores from the highest down, and the weight of fraud and of genuine at or above each."""
    order = np.argsort(-score, kind="stable")
    s, fraud, genuine = score[order], np.cumsum((weight * truth)[order]), np.cumsum((weight * (1 - truth))[order])
    ends = np.concatenate((np.flatnonzero(np.diff(s)), [len(s) - 1]))
    ends = ends[fraud[ends] + genuine[ends] > 0]
    return s[ends], fraud[ends], genuine[ends]
