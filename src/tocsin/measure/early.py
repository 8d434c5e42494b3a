"""Early answers: below which score a payment may be approved before every kind of data was asked, and what that loses.

A payment whose score after a stage lies below the stage's limit is approved there, and the later stages are not asked
(:func:`tocsin.measure.policy.answers_at`). Lost are the frauds for which all stages together would have rung; a fraud that
no stage would have rung for is not lost by answering sooner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.measure.policy import Policy

_STEPS = 50
"""The leak is spent in about so many steps, each where it saves most; finer steps would choose the same."""


@dataclass(frozen=True, slots=True)
class AnsweredAt:
    """What one stage answered by itself.

    Parameters
    ----------
    limit : approved when the score after the stage is below; 0 for never.
    traffic : share of all payments that were approved here.
    lost, lost_money : share of all known frauds, and of their money, approved here though all stages would have rung.
    """

    stage: str
    limit: float
    traffic: float
    lost: float
    lost_money: float


@dataclass(frozen=True, slots=True)
class EarlyAnswers:
    """What early answers did to a window of payments; ``lookups_saved`` is the share of all columns never looked up."""

    stages: tuple[AnsweredAt, ...]
    frauds: int
    lookups_saved: float

    @property
    def traffic(self) -> float:
        """Share of all payments answered before the last stage."""
        return sum(stage.traffic for stage in self.stages)

    @property
    def lost(self) -> float:
        """Share of all known frauds let through that all stages would have rung for."""
        return sum(stage.lost for stage in self.stages)

    @property
    def lost_money(self) -> float:
        """The same of the frauds' money."""
        return sum(stage.lost_money for stage in self.stages)


def stages_asked(exits: NDArray[np.float64], policy: Policy) -> NDArray[np.int64]:
    """int64[n]: how many stages each payment needed; :func:`~tocsin.measure.policy.answers_at` for all rows at once.

    Parameters
    ----------
    exits : float64[n, stages], the calibrated score after each stage.
    """
    asked = np.full(len(exits), exits.shape[1], dtype=np.int64)
    for stage in range(min(len(policy.approve_below), exits.shape[1]) - 1, -1, -1):
        asked[exits[:, stage] < policy.approve_below[stage]] = stage + 1
    return asked


def early_limits(
    exits: NDArray[np.float64],
    fraud: NDArray[np.int8],
    *,
    review_at: float,
    leak: float,
    columns: Sequence[int],
    weight: NDArray[np.float64] | None = None,
) -> tuple[float, ...]:
    """Limits that save the most look-ups while at most this share of the frauds is expected to be lost.

    A limit always lies at the score of a fraud, and that fraud is counted as lost too: below the k-th lowest of m
    frauds lie k of m + 1 new ones on average, not k − 1. So with few frauds nothing is answered early at all.

    Parameters
    ----------
    exits : float64[n, stages], calibrated, of payments the model has not learned from.
    fraud : int8[n], 1, 0, or -1 where nobody knows (counted as traffic only).
    leak : share of all known frauds that may be lost.
    columns : after each stage, how many columns have been looked up.

    Returns
    -------
    A limit for each stage but the last, for ``Policy.approve_below``; empty when nothing can be answered early.

    Raises
    ------
    BadInput : the leak is no share.
    """
    if not 0 < leak < 1:
        raise BadInput(f"a leak must be a share of the frauds between 0 and 1; got {leak:g}.", field="--early-leak")
    mass = np.ones(len(exits)) if weight is None else weight
    cost = np.where((fraud == 1) & (exits[:, -1] >= review_at), mass, 0.0)
    left = leak * float(mass[fraud == 1].sum())
    least = left / _STEPS
    limits = np.zeros(exits.shape[1] - 1)
    orders = [np.argsort(exits[:, stage], kind="stable") for stage in range(len(limits))]
    open_ = np.ones(len(exits), dtype=bool)
    while True:
        best = (0.0, 0.0, -1, 0.0)  # look-ups saved for each fraud, limit, stage, cost
        for stage, order in enumerate(orders):
            rows = order[open_[order]]
            rows = rows[exits[rows, stage] >= limits[stage]]
            saved = mass * float(columns[-1] - columns[stage])
            step = _best_step(exits[rows, stage], cost[rows], saved[rows], left, least, review_at)
            if step[0] > best[0]:
                best = (step[0], step[1], stage, step[2])
        _, limit, stage, spent = best
        if stage < 0:
            break
        limits[stage], left = limit, left - spent
        open_ &= exits[:, stage] >= limit
    return tuple(float(limit) for limit in limits) if limits.any() else ()


def carry_over(
    limits: Sequence[float],
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    weight: NDArray[np.float64] | None = None,
) -> tuple[float, ...]:
    """Limits chosen for one model, for another that takes its place: each stage answers the same share of the traffic.

    A model grown again on more is surer of itself at the low end than the one the limits were chosen for; the same numbers
    would answer, and lose, more than was agreed. It needs no labels.

    Parameters
    ----------
    first, second : float64[n, stages], what the two say of the same payments, which neither has learned from.
    """
    mass = np.ones(len(first)) if weight is None else weight
    carried = []
    for stage, limit in enumerate(limits):
        share = float(mass[first[:, stage] < limit].sum())
        order = np.argsort(second[:, stage], kind="stable")
        within = int((np.cumsum(mass[order]) <= share).sum())
        carried.append(float(second[order[min(within, len(order) - 1)], stage]) if share > 0 else 0.0)
    return tuple(carried)


def _best_step(
    score: NDArray[np.float64],
    cost: NDArray[np.float64],
    saved: NDArray[np.float64],
    left: float,
    least: float,
    review_at: float,
) -> tuple[float, float, float]:
    """Of one stage's open payments, in rising order: look-ups saved for each fraud lost, the new limit, what it costs."""
    frauds = np.flatnonzero(cost > 0)
    frauds = frauds[: int((score[frauds] < review_at).sum()) + 1]  # no limit may lie above the threshold of review
    if not len(frauds):
        return 0.0, 0.0, 0.0
    limit = np.minimum(score[frauds], review_at)
    first = np.searchsorted(score, limit, side="left")  # what ties with the limit is not below it
    gained = np.concatenate([[0.0], np.cumsum(saved)])[first]
    spent = np.cumsum(cost[frauds])
    fits = (spent <= left + 1e-9) & (gained > 0)
    fits &= (spent >= least - 1e-9) | (spent == spent[fits].max() if fits.any() else False)
    if not fits.any():
        return 0.0, 0.0, 0.0
    worth = np.where(fits, gained / spent, 0.0)
    at = int(np.argmax(worth))
    return float(worth[at]), float(limit[at]), float(spent[at])


def early_answers(
    exits: NDArray[np.float64],
    fraud: NDArray[np.int8],
    amount: NDArray[np.float64],
    policy: Policy,
    *,
    stages: Sequence[str],
    columns: Sequence[int],
    weight: NDArray[np.float64] | None = None,
) -> EarlyAnswers:
    """Count what a policy's early answers did: traffic and look-ups saved, frauds lost.

    Parameters
    ----------
    amount : float64[n], major units.
    stages, columns : the stages' names, and how many columns have been looked up after each.
    """
    mass = np.ones(len(exits)) if weight is None else weight
    asked = stages_asked(exits, policy)
    known = fraud == 1
    rung = known & (exits[:, -1] >= policy.review_at)
    told = []
    for stage, name in enumerate(stages[:-1]):
        here = asked == stage + 1
        told.append(
            AnsweredAt(
                name,
                policy.approve_below[stage] if stage < len(policy.approve_below) else 0.0,
                _share(mass[here].sum(), mass.sum()),
                _share(mass[here & rung].sum(), mass[known].sum()),
                _share((mass * amount)[here & rung].sum(), (mass * amount)[known].sum()),
            )
        )
    looked_up = np.asarray(columns, dtype=np.float64)[asked - 1]
    saved = 1 - _share(float((mass * looked_up).sum()), float(mass.sum()) * columns[-1]) if len(exits) else 0.0
    return EarlyAnswers(tuple(told), int(known.sum()), saved)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
