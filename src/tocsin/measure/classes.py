"""How good the probabilities of several classes are, and how sure they may be.

``probability`` is float64[n, k], rows adding up to 1; ``label`` int64[n], the class of each row, all known. Two classes
are several classes like any others; what only two can have (AUC, average precision) takes the second for what is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.measure.metrics import average_precision, roc_auc

BINS = 15
"""Of confidence, for the expected calibration error: equal widths."""
COLDEST, HOTTEST = 1e-3, 1e3
_LEAST = 1e-12
"""A probability counts as at least this in a logarithm."""


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """How well classes were told apart on rows never learned from.

    Parameters
    ----------
    rows : how many were measured.
    accuracy : share of rows whose likeliest class is the right one.
    balanced_accuracy : mean recall of the classes that occur, so that a rare class counts as much as a frequent one.
    macro_f1 : mean F1 of the classes that occur.
    log_loss : mean nats; ``calibration_error`` : confidence against accuracy, in bins of equal width, weighted.
    roc_auc, average_precision, f1 : of the second of two classes; None where there are more, or only one occurs.
    recall, precision : float[k]; NaN for a class that does not occur, or that is never said.
    confusion : int64[k, k], the true class down, the said class across.
    """

    rows: int
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float
    roc_auc: float | None
    average_precision: float | None
    f1: float | None
    recall: tuple[float, ...]
    precision: tuple[float, ...]
    confusion: NDArray[np.int64]

    def figures(self) -> dict[str, float]:
        """The single numbers by name, for a model's card; those that are not there are left out."""
        every = "accuracy balanced_accuracy macro_f1 log_loss calibration_error roc_auc average_precision f1"
        found = {name: getattr(self, name) for name in every.split()}
        return {"rows": float(self.rows)} | {name: float(value) for name, value in found.items() if value is not None}


def softmax(logits: NDArray[np.floating], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities float64[n, k] of logits float[n, k]; a higher temperature is less sure.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [0.0, np.log(3.0)]])).round(2).tolist()
    [[0.5, 0.5], [0.25, 0.75]]
    """
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit_temperature(logits: NDArray[np.floating], label: NDArray[np.int64]) -> float:
    """The temperature at which logits are as sure as they may be, on rows that taught them nothing; 1 where there are none.

    The log-loss is convex in 1 / temperature, so bisection finds its lowest point. Few rows that all happen to be right
    would call for endless certainty; so a row's target is its class but for a share of 1 / (n + 2), as in Platt's scaling.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks" (2017); Platt, "Probabilistic Outputs for Support Vector
    Machines" (1999), for the targets, which the first does not use.
    """
    rows, classes = np.asarray(logits, dtype=np.float64), logits.shape[1]
    if not len(rows) or float(np.ptp(rows, axis=1).max()) == 0.0:
        return 1.0
    spare = 1.0 / (len(rows) + 2.0)
    target = np.full(rows.shape, spare / classes)
    target[np.arange(len(rows)), label] += 1.0 - spare
    wanted = float((target * rows).sum())
    low, high = np.log(COLDEST), np.log(HOTTEST)  # of 1 / temperature
    for _ in range(60):
        middle = (low + high) / 2
        slope = float((softmax(rows, float(np.exp(-middle))) * rows).sum()) - wanted
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(np.exp(-(low + high) / 2))


def log_loss(probability: NDArray[np.float64], label: NDArray[np.int64]) -> float:
    """Mean nats by which the right class surprises."""
    _check(probability, label)
    return float(-np.log(np.maximum(probability[np.arange(len(label)), label], _LEAST)).mean())


def calibration_error(probability: NDArray[np.float64], label: NDArray[np.int64], bins: int = BINS) -> float:
    """The expected calibration error: how far confidence and accuracy are apart, in bins of confidence, weighted.

    References
    ----------
    Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning" (2015).
    """
    _check(probability, label)
    sure = probability.max(axis=1)
    right = probability.argmax(axis=1) == label
    place = np.minimum((sure * bins).astype(np.int64), bins - 1)
    apart = np.bincount(place, right - sure, minlength=bins)
    return float(np.abs(apart).sum() / len(label))


def confusion(label: NDArray[np.int64], said: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """int64[k, k]: how often the class down was said to be the class across.

    Examples
    --------
    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(label * classes + said, minlength=classes * classes).reshape(classes, classes)


def measure(probability: NDArray[np.float64], label: NDArray[np.int64]) -> ClassQuality:
    """All of it at once.

    Raises
    ------
    BadInput : no rows, labels of another length or of no class, or something that is no probability.
    """
    _check(probability, label)
    classes = probability.shape[1]
    counts = confusion(label, probability.argmax(axis=1), classes)
    right, true, said = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    with np.errstate(invalid="ignore"):
        recall, precision = right / true, right / said
        f1 = 2 * right / (true + said)
    there = true > 0
    auc = ap = None
    if classes == 2 and there.all():
        auc = roc_auc(label, probability[:, 1])
        ap = average_precision(label, probability[:, 1])
    return ClassQuality(
        rows=len(label),
        accuracy=float(right.sum() / len(label)),
        balanced_accuracy=float(recall[there].mean()),
        macro_f1=float(f1[there].mean()),
        log_loss=log_loss(probability, label),
        calibration_error=calibration_error(probability, label),
        roc_auc=auc,
        average_precision=ap,
        f1=float(f1[1]) if classes == 2 and there[1] else None,
        recall=tuple(recall.tolist()),
        precision=tuple(precision.tolist()),
        confusion=counts,
    )


def _check(probability: NDArray[np.float64], label: NDArray[np.int64]) -> None:
    if probability.ndim != 2 or label.shape != (len(probability),):
        raise BadInput(
            f"a row needs one probability a class and one label; got {probability.shape} and {label.shape}.",
            field="probability",
        )
    if not len(label):
        raise BadInput("there must be rows to measure; got none.", field="label")
    if label.min() < 0 or label.max() >= probability.shape[1]:
        raise BadInput(
            f"a label must be a class, 0 to {probability.shape[1] - 1}; got {label.min()} to {label.max()}.",
            field="label",
        )
    if not np.isfinite(probability).all() or np.abs(probability.sum(axis=1) - 1).max() > 1e-6:
        raise BadInput("the probabilities of a row must be finite and add up to 1.", field="probability")
