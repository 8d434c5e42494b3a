"""How well classes are told apart, as numbers: what was right, which is taken for which, and whether it knows when not.

Examples whose true class is not known are for the reader to look at, not to judge by: the caller leaves them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from tocsin.measure.classes import BINS, ClassQuality, measure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_Z = 1.959964
"""Half-width of a 95 % interval in standard errors."""
_ROUNDS = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """A share with the interval in which it lies with 95 % confidence."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ClassResult:
    """One class: how many there were, how many were said, and of those how many rightly."""

    name: str
    examples: int
    said: int
    right: int
    recall: Share
    precision: Share

    @property
    def f1(self) -> float:
        """Twice the right ones over all that are or were said to be of it; 0 where there are none."""
        return 2 * self.right / (self.examples + self.said) if self.examples + self.said else 0.0


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same confidence: what was promised on average, and the share that was right."""

    promised: float
    right: float
    examples: int


@dataclass(frozen=True, slots=True)
class ClassFindings:
    """Everything the report says in numbers.

    Parameters
    ----------
    groups : how many speakers, patients... the examples come from; 0 where that is not known.
    accuracy : share of right answers; by whole groups where they are known, since examples of one group are alike.
    majority : the commonest class and its share: what one gets by always saying it.
    quality : the single numbers, and int64[k, k] of who is taken for whom.
    brier : mean squared distance of a row of probabilities from the truth.
    reliability : answers of about equal confidence, in the bins of the calibration error, from the least confident up.
    selective : (share answered, share of these right) when the least confident are left to a person, from few to all.
    """

    examples: int
    groups: int
    right: int
    accuracy: Share
    majority: tuple[str, float]
    classes: tuple[ClassResult, ...]
    quality: ClassQuality
    brier: float
    reliability: tuple[Bin, ...]
    selective: tuple[tuple[float, float], ...]


def find_classes(
    classes: Sequence[str], label: Ints, probability: Floats, *, group: Sequence[str] = (), seed: int = 0
) -> ClassFindings:
    """Measure everything once.

    Parameters
    ----------
    classes : the k names. label : int64[n], each in 0..k−1. probability : float64[n, k], rows adding up to 1.
    group : whose each example is (a speaker, a patient); the interval then comes from drawing whole groups.

    Raises
    ------
    BadInput : no examples, shapes that do not fit, a label that is no class, or a row that is no probability.
    """
    quality = measure(probability, label)
    n, said = len(label), probability.argmax(axis=1)
    right = said == label
    by_group = len(group) == n and all(group) and len(set(group)) > 1
    counts = quality.confusion.sum(axis=1)
    confidence = probability[np.arange(n), said]
    return ClassFindings(
        examples=n,
        groups=len(set(group)) if by_group else 0,
        right=int(right.sum()),
        accuracy=_by_group(right, group, seed) if by_group else wilson(int(right.sum()), n),
        majority=(classes[int(counts.argmax())], float(counts.max() / n)),
        classes=tuple(_class(name, quality.confusion, i) for i, name in enumerate(classes)),
        quality=quality,
        brier=float(((probability - np.eye(len(classes))[label]) ** 2).sum(axis=1).mean()),
        reliability=_reliability(confidence, right),
        selective=_selective(confidence, right),
    )


def wilson(right: int, of: int) -> Share:
    """A share of ``of`` trials with Wilson's 95 % interval, which stays within 0 and 1 and is honest for few trials.

    Examples
    --------
    >>> s = wilson(9, 10)
    >>> f"{s.value:.2f} {s.low:.2f} {s.high:.2f}"
    '0.90 0.60 0.98'
    """
    if of == 0:
        return Share(float("nan"), 0.0, 1.0)
    p, z = right / of, _Z
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return Share(p, max(0.0, middle - half), min(1.0, middle + half))


def mistakes(label: Ints, probability: Floats) -> Ints:
    """int64: the wrong answers, the most confident first: where the model, or the label, is worst."""
    said = probability.argmax(axis=1)
    wrong = np.flatnonzero(said != label)
    return wrong[np.argsort(-probability[wrong, said[wrong]], kind="stable")]


def doubtful(probability: Floats) -> Ints:
    """int64[n]: all answers, those between whose first and second class it is least decided first."""
    ranked = np.sort(probability, axis=1)
    second = ranked[:, -2] if probability.shape[1] > 1 else np.zeros(len(probability))
    return np.argsort(ranked[:, -1] - second, kind="stable")


def typical(label: Ints, probability: Floats, of: int) -> Ints:
    """int64: right answers for one class, the most confident first."""
    right = np.flatnonzero((label == of) & (probability.argmax(axis=1) == of))
    return right[np.argsort(-probability[right, of], kind="stable")]


def _class(name: str, matrix: Ints, i: int) -> ClassResult:
    examples, said, right = int(matrix[i].sum()), int(matrix[:, i].sum()), int(matrix[i, i])
    return ClassResult(name, examples, said, right, wilson(right, examples), wilson(right, said))


def _by_group(right: NDArray[np.bool_], group: Sequence[str], seed: int) -> Share:
    """The interval had other groups been drawn: whole groups with replacement, 1,000 times."""
    of = np.unique(np.asarray(group), return_inverse=True)[1]
    hits, count = np.bincount(of, right.astype(np.float64)), np.bincount(of)
    draws = np.random.default_rng(seed).integers(0, len(count), (_ROUNDS, len(count)))
    shares = hits[draws].sum(axis=1) / count[draws].sum(axis=1)
    low, high = np.quantile(shares, [0.025, 0.975])
    return Share(float(right.mean()), float(low), float(high))


def _reliability(confidence: Floats, right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """The bins of the calibration error, from the least confident up; one with few answers joins the next."""
    order = np.argsort(confidence, kind="stable")
    place = np.minimum((confidence[order] * BINS).astype(np.int64), BINS - 1)
    least, pieces, first = max(5, len(order) // 100), list[Ints](), 0
    for end in [*(np.flatnonzero(np.diff(place)) + 1).tolist(), len(order)]:
        if end - first >= least or end == len(order):
            pieces.append(order[first:end])
            first = end
    if len(pieces) > 1 and len(pieces[-1]) < least:
        pieces[-2:] = [np.concatenate(pieces[-2:])]
    return tuple(Bin(float(confidence[p].mean()), float(right[p].mean()), len(p)) for p in pieces)


def _selective(confidence: Floats, right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    hits = np.cumsum(right[np.argsort(-confidence, kind="stable")])
    n = len(right)
    ends = np.unique(np.maximum(1, np.ceil(np.linspace(0.05, 1, 39) * n - 1e-9).astype(np.int64)))
    return tuple((float(end / n), float(hits[end - 1] / end)) for end in ends)
