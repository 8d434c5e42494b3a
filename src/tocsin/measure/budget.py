"""From what people can do, or what mistakes cost, to the threshold on the score.

Three ways: the analysts' budget (so many alerts a day), money, or a false-positive rate. Never F1: it weighs a missed
fraud and a false alarm by their numbers, which is nobody's cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.measure.policy import NEVER, Policy

DAY = 86_400_000_000
"""A day in microseconds."""


@dataclass(frozen=True, slots=True)
class Window:
    """Scored payments of one stretch of time, whose labels have matured.

    Parameters
    ----------
    value : float64[n], scores in [0, 1].
    fraud : int8[n], 1, 0, or -1 where nobody knows (counted as traffic, never as right or wrong).
    at : int64[n], microseconds since 1970.
    amount : float64[n], major units of the base currency.
    weight : float64[n], how many payments a row stands for; ones by default.
    """

    value: NDArray[np.float64]
    fraud: NDArray[np.int8]
    at: NDArray[np.int64]
    amount: NDArray[np.float64]
    weight: NDArray[np.float64] | None = None

    @property
    def mass(self) -> NDArray[np.float64]:
        """float64[n]: how many payments each row stands for."""
        return np.ones(len(self.value)) if self.weight is None else self.weight

    @property
    def days(self) -> float:
        """How long the window is; at least one day, so that an hour of data promises no budget of 24."""
        return max(1.0, float(self.at.max() - self.at.min()) / DAY) if len(self.at) else 1.0


@dataclass(frozen=True, slots=True)
class PerDay:
    """So many alerts a day, on average over the window; alerts include declines by score."""

    alerts: float

    def threshold(self, window: Window) -> float:
        """The lowest score at which the budget holds."""
        if not self.alerts > 0:
            raise BadInput(f"a budget must be more than 0 alerts a day; got {self.alerts:g}.", field="budget")
        score, mass = _falling(window, np.ones(len(window.value), dtype=bool))
        fits = np.cumsum(mass) <= self.alerts * window.days
        return _at_most(score, fits)


@dataclass(frozen=True, slots=True)
class FalsePositives:
    """At most this share of genuine payments rings."""

    rate: float

    def threshold(self, window: Window) -> float:
        """The lowest score at which the rate holds."""
        if not 0 < self.rate < 1:
            raise BadInput(f"a false-positive rate must lie between 0 and 1; got {self.rate:g}.", field="fpr")
        score, mass = _falling(window, window.fraud == 0)
        fits = np.cumsum(mass) <= self.rate * mass.sum()
        return _at_most(score, fits)


@dataclass(frozen=True, slots=True)
class Cost:
    """Money: an alert costs ``review`` (major units) to look at; a fraud caught saves ``saved`` of its amount."""

    review: float
    saved: float = 0.8

    def threshold(self, window: Window) -> float:
        """The score with the least total cost on the window; ties go to fewer alerts."""
        if not (self.review > 0 and 0 < self.saved <= 1):
            raise BadInput(
                f"a cost must be more than 0 and the share saved in (0, 1]; got {self.review:g} and {self.saved:g}.",
                field="cost",
            )
        known = window.fraud >= 0
        order = np.argsort(-window.value[known], kind="stable")
        score = window.value[known][order]
        gain = np.where(window.fraud[known] == 1, self.saved * window.amount[known], 0.0) - self.review
        total = np.cumsum((gain * window.mass[known])[order])
        last_of_tie = np.append(score[1:] != score[:-1], True)
        total = np.where(last_of_tie, total, -np.inf)
        if not len(total) or total.max() <= 0:
            return NEVER
        return float(score[int(np.argmax(total))])


Goal = PerDay | FalsePositives | Cost


def thresholds(goal: Goal, window: Window, *, sure: float = 0.95, least: int = 20, **chosen: Any) -> Policy:
    """The policy that keeps a goal on a window.

    Parameters
    ----------
    goal : what limits the alerts.
    window : the newest matured payments, scored by the model that will be shipped.
    sure : decline by score where at least this share of the payments above were frauds...
    least : ...and at least so many of them were seen; else nothing is declined by score.
    chosen : further fields of the policy.
    """
    review_at = goal.threshold(window)
    return Policy(review_at=review_at, decline_at=max(review_at, _sure_at(window, sure, least)), **chosen)


def parse_goal(budget: str | None = None, cost: float | None = None, fpr: float | None = None) -> Goal:
    """What the command line says: ``100/day`` (or ``100``), a cost of review, or a false-positive rate; exactly one.

    Examples
    --------
    >>> parse_goal("100/day")
    PerDay(alerts=100.0)
    """
    given = [name for name, value in (("--budget", budget), ("--cost", cost), ("--fpr", fpr)) if value is not None]
    if len(given) > 1:
        raise BadInput(f"one goal must set the threshold; got {' and '.join(given)}.", hint="Give one of them.")
    if cost is not None:
        return Cost(cost)
    if fpr is not None:
        return FalsePositives(fpr)
    number, _, unit = (budget or "100/day").partition("/")
    per = {"day": 1.0, "": 1.0, "week": 7.0, "hour": 1 / 24}.get(unit.strip())
    try:
        alerts = float(number)
    except ValueError:
        alerts = -1.0
    if per is None or not 0 < alerts < float("inf"):
        raise BadInput(f"a budget must read like 100/day; got {budget!r}.", field="--budget")
    return PerDay(alerts / per)


def _falling(window: Window, rows: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(-window.value[rows], kind="stable")
    return window.value[rows][order], window.mass[rows][order]


def _at_most(score: NDArray[np.float64], fits: NDArray[np.bool_]) -> float:
    """The lowest score all of whose ties still fit; just above the highest when not even that one fits."""
    if not len(score):
        return NEVER
    count = int(fits.sum())  # cumulative sums rise, so the fitting ones stand first
    while 0 < count < len(score) and score[count] == score[count - 1]:
        count -= 1
    return float(score[count - 1]) if count else float(min(NEVER, np.nextafter(score[0], NEVER)))


def _sure_at(window: Window, sure: float, least: int) -> float:
    """The lowest score above which the observed share of frauds is at least ``sure``."""
    known = window.fraud >= 0
    order = np.argsort(-window.value[known], kind="stable")
    score, fraud = window.value[known][order], window.fraud[known][order] == 1
    mass = window.mass[known][order]
    share = np.cumsum(fraud * mass) / np.maximum(np.cumsum(mass), 1e-300)
    last_of_tie = np.append(score[1:] != score[:-1], True) if len(score) else np.zeros(0, dtype=bool)
    good = (share >= sure) & (np.cumsum(fraud) >= least) & last_of_tie
    return float(score[np.flatnonzero(good)[-1]]) if good.any() else NEVER
