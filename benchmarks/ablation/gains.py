"""Figures of a score, and how far a difference of two could have come out otherwise: by drawing accounts anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ablation.bank import Bank, Floats
from tocsin.data.world_plan import FRAUD_KINDS
from tocsin.measure.metrics import average_precision, recall_at

ORDER_AND_RHYTHM = ("telling_order", "borrowed_rhythm", "mule_ring")
FALSE_RATE = 0.01
Which = Callable[["HeldOut"], NDArray[np.bool_]]


@dataclass(frozen=True)
class HeldOut:
    """Held-out payments: int8[m] label, int64[m] kind and account."""

    label: NDArray[np.int8]
    kind: NDArray[np.int64]
    account: NDArray[np.int64]

    @classmethod
    def of(cls, bank: Bank, rows: NDArray[np.int64]) -> HeldOut:
        """Of a bank."""
        return cls(bank.label[rows], bank.kind[rows], bank.account[rows])

    @property
    def all(self) -> NDArray[np.bool_]:
        """bool[m]: every payment."""
        return np.ones(len(self.label), dtype=bool)

    @property
    def order(self) -> NDArray[np.bool_]:
        """bool[m]: frauds of order and rhythm, and what is genuine."""
        return self.against(*ORDER_AND_RHYTHM)

    def against(self, *kinds: str) -> NDArray[np.bool_]:
        """bool[m]: frauds of these kinds, and what is genuine."""
        return (self.label == 0) | np.isin(self.kind, [FRAUD_KINDS.index(kind) for kind in kinds])


def figures(tested: HeldOut, score: Floats) -> dict[str, Any]:
    """AP of all frauds and of order and rhythm; by kind AP, recall at 1 % false positives, and how many there are."""
    label = tested.label
    kinds = {}
    for kind in FRAUD_KINDS:
        rows = tested.against(kind)
        if (label[rows] == 1).any():
            truth, found = label[rows], score[rows]
            kinds[kind] = {
                "average_precision": average_precision(truth, found),
                "recall": recall_at(truth, found, FALSE_RATE),
                "frauds": int(truth.sum()),
            }
    rows = tested.order
    return {
        "average_precision": average_precision(label, score),
        "order_and_rhythm": average_precision(label[rows], score[rows]) if (label[rows] == 1).any() else None,
        "recall": recall_at(label, score, FALSE_RATE),
        "frauds": int(label.sum()),
        "kinds": kinds,
    }


def differences(
    worlds: Sequence[tuple[HeldOut, Mapping[str, Floats]]],
    pairs: Sequence[tuple[str, str]],
    part: str = "all",
    *,
    rounds: int = 1000,
    level: float = 0.9,
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Of each pair of models the difference in AP, mean over the worlds, with the ends of its interval.

    In every round the accounts of each world are drawn anew with replacement, all payments of an account together, and the
    same draw judges every model (paired).

    Parameters
    ----------
    worlds : of each the held-out payments and the score of every model.
    part : ``all`` frauds or ``order`` and rhythm.
    """
    drawn = np.array([_aps(*world, part, rounds, w) for w, world in enumerate(worlds)])  # worlds, models, rounds + 1
    mean, names = drawn.mean(axis=0), list(worlds[0][1])
    out = {}
    for more, less in pairs:
        gain = mean[names.index(more)] - mean[names.index(less)]
        low, high = np.nanquantile(gain[1:], [(1 - level) / 2, (1 + level) / 2])
        out[more, less] = (float(gain[0]), float(low), float(high))
    return out


def _aps(tested: HeldOut, scores: Mapping[str, Floats], part: str, rounds: int, world: int) -> Floats:
    """float64[models, rounds + 1]: AP as measured, then of every draw."""
    rows = getattr(tested, part)
    label, account = tested.label[rows], np.unique(tested.account[rows], return_inverse=True)[1]
    accounts, random = int(account.max()) + 1, np.random.default_rng([world, 5])
    ranked = [Ranked.of(label, score[rows], account) for score in scores.values()]
    out = np.full((len(ranked), rounds + 1), np.nan)
    for r in range(rounds + 1):
        times = np.bincount(random.integers(0, accounts, accounts), minlength=accounts) if r else np.ones(accounts)
        out[:, r] = [one.average_precision(times) for one in ranked]
    return out


@dataclass(frozen=True)
class Ranked:
    """Payments from the highest score down, so that a draw of accounts costs a sum and no sorting.

    Parameters
    ----------
    account : int64[n], by rank. frauds : int64[f], the ranks of the frauds. ends : int64[f], the last rank that has the
        same score as that fraud.
    """

    account: NDArray[np.int64]
    frauds: NDArray[np.int64]
    ends: NDArray[np.int64]

    @classmethod
    def of(cls, label: NDArray[np.int8], score: Floats, account: NDArray[np.int64]) -> Ranked:
        """Sort once."""
        order = np.argsort(-score, kind="stable")
        falling = -score[order]
        frauds = np.flatnonzero(label[order] == 1)
        return cls(account[order], frauds, np.searchsorted(falling, falling[frauds], "right") - 1)

    def average_precision(self, times: NDArray[Any]) -> float:
        """As ``measure.metrics.average_precision`` with every account counted so many times; NaN without a fraud."""
        weight = times[self.account]
        fraud = weight[self.frauds]
        if not fraud.sum():
            return float("nan")
        above = np.cumsum(weight)[self.ends]
        found = np.cumsum(fraud)[np.searchsorted(self.frauds, self.ends, "right") - 1]
        there = fraud > 0
        return float(fraud[there] @ (found[there] / above[there]) / fraud.sum())
