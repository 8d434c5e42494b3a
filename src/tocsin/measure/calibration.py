"""A margin becomes the log-odds that observed frequencies bear out.

Beta calibration on margins (Kull, Silva Filho and Flach, 2017), of which Platt's straight line is the case ``low ==
high``. Isotonic regression is left out on purpose: its steps give infinite odds, which cannot be added up.
"""

from __future__ import annotations

from math import exp, log1p

import msgspec
import numpy as np
from numba import njit
from numpy.typing import NDArray

from tocsin.errors import BadInput

CLIP = 20.0
"""Margins beyond ±20 (odds of 485 million to one) are held there: no sample bears out more."""

_PRIOR = 1.0
"""How many pseudo-observations pull towards leaving the margin as it is; keeps separable windows finite."""


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """``logit = low·min(m, 0) + high·max(m, 0) + (high − low)·log(1 + e^−|m|) + shift`` of the margin m, clipped.

    Parameters
    ----------
    low, high : slopes far below and far above even odds, at least 0, so that order is kept.
    shift : log-odds added to every margin.
    """

    low: float = 1.0
    high: float = 1.0
    shift: float = 0.0

    def __call__(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64, same shape: the calibrated log-odds of each margin."""
        flat = np.ascontiguousarray(margin, dtype=np.float64).ravel()
        out: NDArray[np.float64] = _calibrate_all(flat, self.low, self.high, self.shift)
        return out.reshape(np.shape(margin))


@njit(cache=True)
def calibrated(margin: float, low: float, high: float, shift: float) -> float:
    """One margin as calibrated log-odds: the one place where the formula stands, for learning and for serving."""
    m = min(max(margin, -CLIP), CLIP)
    return low * min(m, 0.0) + high * max(m, 0.0) + (high - low) * log1p(exp(-abs(m))) + shift


@njit(cache=True)
def logistic(logit: float) -> float:
    """Log-odds as a probability; never overflows."""
    if logit >= 0.0:
        return 1.0 / (1.0 + exp(-logit))
    e = exp(logit)
    return e / (1.0 + e)


@njit(cache=True)
def _calibrate_all(margin: NDArray[np.float64], low: float, high: float, shift: float) -> NDArray[np.float64]:
    out = np.empty_like(margin)
    for i in range(margin.shape[0]):
        out[i] = calibrated(margin[i], low, high, shift)
    return out


def fit_calibration(
    margin: NDArray[np.float64],
    fraud: NDArray[np.int8],
    weight: NDArray[np.float64] | None = None,
    *,
    way: str = "beta",
) -> Calibration:
    """Fit the calibration that makes observed frauds most likely, on rows the trees have not seen.

    Parameters
    ----------
    margin : float64[n], uncalibrated log-odds.
    fraud : int8[n], 1 or 0.
    weight : float64[n], or ``None`` for one each.
    way : ``"platt"`` (one slope) or ``"beta"`` (two; falls back to one when a slope would turn negative).

    Raises
    ------
    BadInput : fewer than two frauds or two genuine rows, so no slope can be told.
    """
    known = fraud.astype(np.float64)
    mass = np.ones(len(known)) if weight is None else np.asarray(weight, dtype=np.float64)
    if way not in ("platt", "beta"):
        raise BadInput(f'must be "platt" or "beta"; got {way!r}.', field="way")
    if not np.isfinite(margin).all():
        raise BadInput("margins must be finite; got NaN or infinity.", field="margin")
    if min(int((known == 1).sum()), int((known == 0).sum())) < 2:
        raise BadInput(
            f"calibration needs at least two frauds and two genuine payments; got {int(known.sum())} of {len(known)}.",
            hint="Make the window longer.",
        )
    m = np.clip(margin, -CLIP, CLIP)
    if way == "beta":
        rest = np.log1p(np.exp(-np.abs(m)))
        columns = np.stack([np.minimum(m, 0) - rest, np.maximum(m, 0) + rest, np.ones_like(m)], axis=1)
        low, high, shift = _most_likely(columns, known, mass, np.array([1.0, 1.0, 0.0]))
        if low >= 0 and high >= 0:
            return Calibration(low=low, high=high, shift=shift)
    slope, shift = _most_likely(np.stack([m, np.ones_like(m)], axis=1), known, mass, np.array([1.0, 0.0]))
    return Calibration(low=max(slope, 0.0), high=max(slope, 0.0), shift=shift)


def _most_likely(
    columns: NDArray[np.float64], fraud: NDArray[np.float64], mass: NDArray[np.float64], start: NDArray[np.float64]
) -> list[float]:
    """Newton's method with halved steps on the penalised log-likelihood; the penalty is towards ``start``."""

    def loss(w: NDArray[np.float64]) -> float:
        z = columns @ w
        return float(mass @ (np.logaddexp(0, z) - fraud * z) + 0.5 * _PRIOR * ((w - start) ** 2)[:-1].sum())

    penalty = np.full(len(start), _PRIOR)
    penalty[-1] = 1e-9  # the shift is free: a wrong overall rate is what calibration is for
    w = start.copy()
    best = loss(w)
    for _ in range(100):
        p = 1 / (1 + np.exp(-np.clip(columns @ w, -700, 700)))
        gradient = columns.T @ (mass * (p - fraud)) + penalty * (w - start)
        curvature = (columns * (mass * p * (1 - p))[:, None]).T @ columns + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        size = 1.0
        while (now := loss(w - size * step)) > best and size > 1e-6:
            size /= 2
        if best - now < 1e-10 * max(1.0, abs(best)):
            break
        w, best = w - size * step, now
    return [float(x) for x in w]
