"""What a margin means: calibration after each stage, and keeping it when a model is learned again on more."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.learn.contract import Examples
from tocsin.measure.calibration import Calibration, fit_calibration


def calibrate(margins: NDArray[np.float64], newest: Examples, *, way: str = "") -> list[Calibration]:
    """A calibration for each exit, float64[n, stages], on payments whose label is known.

    Two slopes (beta) where there are frauds enough to tell them apart, else one (Platt), unless ``way`` names one.
    """
    way = way or ("beta" if int((newest.label == 1).sum()) >= 200 else "platt")
    return [fit_calibration(margins[:, s], newest.label, newest.weight, way=way) for s in range(margins.shape[1])]


def read_off(margins: NDArray[np.float64], calibrations: Sequence[Calibration]) -> NDArray[np.float64]:
    """float64[n, stages]: log-odds after each stage."""
    return np.column_stack([calibration(margins[:, s]) for s, calibration in enumerate(calibrations)])


def shifted(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    calibrations: Sequence[Calibration],
    weight: NDArray[np.float64] | None,
) -> list[Calibration]:
    """The calibrations moved so that the second model expects, at every exit, as many frauds as the first.

    Parameters
    ----------
    first, second : float64[n, stages], margins of payments that neither model has seen.
    """
    moved = []
    for stage, calibration in enumerate(calibrations):
        wanted = _expected(calibration(first[:, stage]), weight)
        logit = calibration(second[:, stage])
        low, high = -10.0, 10.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if _expected(logit + middle, weight) < wanted else (low, middle)
        moved.append(msgspec.structs.replace(calibration, shift=calibration.shift + (low + high) / 2))
    return moved


def _expected(logit: NDArray[np.float64], weight: NDArray[np.float64] | None) -> float:
    return float(np.average(1 / (1 + np.exp(-logit)), weights=weight))
