"""What each column and the network owe to each stage's delta, in log-odds, so that it all adds up.

Two curves bend the trees' margin on its way to the score: into the log-odds a network starts from, and the stage's own
calibration. Each is followed along the straight line from what is usual to this payment, so that shares that added up
before it add up after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.shap import Explainer
from tocsin.measure.calibration import Calibration

_NOWHERE = 1e-9
"""A way shorter than this has no slope of its own."""


def divide(
    explainer: Explainer,
    columns: NDArray[np.float64],
    ends: Sequence[int],
    curves: Sequence[Calibration],
    base: float,
    network: tuple[Sequence[Calibration], NDArray[np.float64]] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Divide the deltas of rows among their columns and, in a last place of its own, the network.

    Parameters
    ----------
    columns : float64[n, d]. ends : trees summed at each stage. curves : each stage's calibration. base : where deltas start.
    network : the curves from the trees' margins to log-odds, and float64[n, stages], what the network adds to those.

    Returns
    -------
    usual : float64[stages], what every payment gets from the stage.
    share : float64[n, stages, d], or d + 1 with a network; ``usual[s] + share[i, s].sum()`` is the delta of stage s
        within 1e-9. Shares of the columns are TreeSHAP's, of the trees alone.
    """
    rows, width = columns.shape
    parts = width + (network is not None)
    share, usual = np.zeros((rows, len(ends), parts)), np.zeros(len(ends))
    summed, scaled = np.zeros((rows, width)), np.zeros((rows, parts))
    expected, begin, above = 0.0, 0, base
    for s, end in enumerate(ends):
        raw = explainer.shares(columns, begin, int(end))
        summed = summed + raw[:, :-1]
        expected += float(raw[0, -1]) if rows else 0.0
        at, now = expected, summed
        if network is not None:
            now, at = _bent(summed, at, network[0][s])
            now = np.column_stack([now, network[1][:, s]])
        now, at = _bent(now, at, curves[s])
        share[:, s] = now - scaled
        usual[s] = at - above
        scaled, above, begin = now, at, int(end)
    return usual, share


def _bent(parts: NDArray[np.float64], usual: float, curve: Calibration) -> tuple[NDArray[np.float64], float]:
    """Parts float64[n, k] of what is more than ``usual``, and the usual itself, after a curve."""
    way = parts.sum(axis=1)
    after = float(curve(np.array([usual]))[0])
    far = np.abs(way) > _NOWHERE
    slope = np.where(far, (curve(way + usual) - after) / np.where(far, way, 1.0), curve.high)
    return parts * slope[:, None], after
