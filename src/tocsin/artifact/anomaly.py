"""The anomaly score as it is shipped: an ONNX graph and the values that stand in for missing ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.card import AnomalyCard
from tocsin.artifact.graph import Graph

ANOMALY = "anomaly.onnx"
NAME = "anomaly"
"""What the score is called where it is a feature."""

_AT_ONCE = 4096
"""Rows a call: a network holds some thousand numbers for each while it works."""


class AnomalyScorer:
    """How unlike all others a row is, without labels.

    Parameters
    ----------
    graph : the ONNX file's bytes; one input ``rows`` float32[n, columns], an output ``scores`` float32[n, 1].
    card : which columns it reads and what stands in for a missing value.
    """

    def __init__(self, graph: bytes, card: AnomalyCard) -> None:
        width = len(card.columns)
        self._graph = Graph(graph, ANOMALY, {"rows": ("float32", width)}, {"scores": 1})
        self._columns = np.array(card.columns, dtype=np.int64)
        self._fill = np.array(card.fill, dtype=np.float64)

    def __call__(self, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[n] in [0, 1], higher is more unlike the others; 0.5 is about usual."""
        if not len(matrix):
            return np.zeros(0)
        rows = ready(matrix, self._columns, self._fill)
        parts = [self._graph("scores", rows=rows[i : i + _AT_ONCE]) for i in range(0, len(rows), _AT_ONCE)]
        return np.asarray(np.clip(np.concatenate(parts).astype(np.float64).ravel(), 0.0, 1.0))


def ready(matrix: NDArray[np.float64], columns: NDArray[np.int64], fill: NDArray[np.float64]) -> NDArray[np.float32]:
    """float32[n, len(columns)]: the columns a forest reads, missing values filled, within what float32 holds."""
    chosen = matrix[:, columns]
    limit = float(np.finfo(np.float32).max) / 4
    filled: NDArray[np.float32] = np.clip(np.where(np.isnan(chosen), fill, chosen), -limit, limit).astype(np.float32)
    return filled
