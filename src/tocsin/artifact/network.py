"""The layered network and the surprise as they are shipped: two graphs, with the trees between them.

The surprise reads an account's last payments and gives three numbers, which are columns like any other. The trees walk.
The network takes the columns, the trees' calibrated log-odds and the last payments, and gives log-odds after each
stage. What is believed of it stands on the card; with nothing believed, or untrained, the score is the trees'.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from tocsin.artifact.card import NetworkCard, SurpriseCard
from tocsin.artifact.graph import Graph
from tocsin.errors import Damaged
from tocsin.features.history import AMOUNTS, GAPS, HOURS, KINDS
from tocsin.measure.calibration import calibrated

NETWORK, SURPRISE = "network.onnx", "surprise.onnx"
SURPRISES = ("surprise", "surprise_3", "surprise_8")
"""What the surprise's columns are called: of this payment, and the mean of the last 3 and 8."""
NETWORK_LINE = "network"
"""What the network's own share of a stage is called, beside the columns' names."""
PARTS = ("gap", "hour", "kind", "amount")
"""What of a payment may surprise; the graph's second output has the nats of each."""
LARGEST = 1e12
"""Values are held within this on their way into the network: its own squares of them must stay within float32."""
_AT_ONCE = 256
"""Rows a run: what a network makes of them on the way stays within the processor's cache."""
_TOKENS = KINDS * GAPS * HOURS * AMOUNTS
_CODES = 1024


class SurpriseScorer:
    """How surprising a payment is to one who has watched its account.

    Parameters
    ----------
    graph : the ONNX file's bytes; input ``history`` int64[n, card.history + 1], outputs ``surprise`` float32[n, 3] and
        ``parts`` float32[n, 4].
    """

    def __init__(self, graph: bytes, card: SurpriseCard) -> None:
        self.card = card
        inputs = {"history": ("int64", card.history + 1)}
        self._graph = Graph(graph, SURPRISE, inputs, {"surprise": len(SURPRISES), "parts": len(PARTS)})
        _hold_finite(SURPRISE, self(_every_token(card.history)), len(SURPRISES))

    def __call__(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """float32[n, 3] in nats, by :data:`SURPRISES`.

        Parameters
        ----------
        tokens : int64[n, history + 1], oldest first, the payment itself last (:func:`tokens_of`).
        """
        return _in_pieces(len(tokens), len(SURPRISES), lambda rows: self._graph("surprise", history=tokens[rows]))

    def part(self, tokens: NDArray[np.int64]) -> list[str]:
        """For each row what of the payment surprised most, of :data:`PARTS`; empty where nothing did more than usual."""
        parts = _in_pieces(len(tokens), len(PARTS), lambda rows: self._graph("parts", history=tokens[rows]))
        more = parts - np.array(self.card.usual, dtype=np.float32)
        return [PARTS[i] if row[i] > 0 else "" for row, i in zip(more, more.argmax(axis=1), strict=True)]


class NetworkScorer:
    """What the network makes of the trees' margins.

    Parameters
    ----------
    graph : the ONNX file's bytes; inputs ``rows`` float32[n, width], ``margins`` float32[n, stages] and ``history``
        int64[n, card.history + 1], output ``exits`` float32[n, stages].
    width : how many columns the model has.
    """

    def __init__(self, graph: bytes, card: NetworkCard, width: int) -> None:
        self.card = card
        stages = len(card.trees)
        inputs = {
            "rows": ("float32", width),
            "margins": ("float32", stages),
            "history": ("int64", card.history + 1),
        }
        self._graph = Graph(graph, NETWORK, inputs, {"exits": stages})
        self._low = np.array([c.low for c in card.trees])
        self._high = np.array([c.high for c in card.trees])
        self._shift = np.array([c.shift for c in card.trees])
        tokens = _every_token(card.history)
        codes = np.repeat(np.arange(_CODES, dtype=np.float32)[:, None], width, axis=1)
        rows = np.concatenate([np.full((1, width), np.nan, dtype=np.float32), codes])
        seen = tokens[np.arange(len(rows)) % len(tokens)]
        _hold_finite(NETWORK, self._exits(rows, np.zeros((len(rows), stages), dtype=np.float32), seen), stages)

    def __call__(
        self, columns: NDArray[np.float64], margins: NDArray[np.float64], tokens: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """float64[n, stages]: log-odds after each stage, trees and network together, not calibrated.

        Parameters
        ----------
        columns : float64[n, width]. margins : float64[n, stages], the trees' own. tokens : as the surprise's.
        """
        odds, given = self.start(margins)
        exits = self._exits(network_rows(columns), given, tokens)
        joined: NDArray[np.float64] = _join(odds, given, exits, self.card.correction)
        return joined

    def start(self, margins: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """float64 and float32[n, stages]: the trees' calibrated log-odds, and as the network is given them."""
        odds = _calibrate(margins, self._low, self._high, self._shift)
        return odds, odds.astype(np.float32)

    def _exits(
        self, rows: NDArray[np.float32], margins: NDArray[np.float32], tokens: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        return _in_pieces(
            len(rows),
            margins.shape[1],
            lambda piece: self._graph("exits", rows=rows[piece], margins=margins[piece], history=tokens[piece]),
        )


def _in_pieces(rows: int, columns: int, run: Callable[[slice], NDArray[np.float32]]) -> NDArray[np.float32]:
    if 0 < rows <= _AT_ONCE:
        return run(slice(None))
    out = np.empty((rows, columns), dtype=np.float32)
    for first in range(0, rows, _AT_ONCE):
        out[first : first + _AT_ONCE] = run(slice(first, first + _AT_ONCE))
    return out


def _every_token(history: int) -> NDArray[np.int64]:
    """int64[n, history + 1]: windows in which every value a part of a token may have comes up, and an empty one."""
    n = np.arange(KINDS, dtype=np.int64)
    tokens = n + KINDS * (n % GAPS) + KINDS * GAPS * (n % HOURS) + KINDS * GAPS * HOURS * (n % AMOUNTS)
    empty = np.zeros((1, history + 1), dtype=np.int64)
    return np.concatenate([empty, np.resize(tokens, (-(-KINDS // (history + 1)), history + 1))])


def _hold_finite(name: str, out: NDArray[np.float32], columns: int) -> None:
    """Every entry of every table was read and every weight used: one that is not a number would show."""
    if out.ndim != 2 or out.shape[1] != columns or not np.isfinite(out).all():
        raise Damaged(f"it must give {columns} finite numbers for any row; it does not.", field=name)


@njit(cache=True, nogil=True)
def tokens_of(matrix: NDArray[np.float64], first: int) -> NDArray[np.int64]:
    """int64[n, columns − first]: the kernel's last columns as whole numbers; what is no token counts as no payment."""
    out = np.empty((matrix.shape[0], matrix.shape[1] - first), dtype=np.int64)
    for row in range(out.shape[0]):
        for i in range(out.shape[1]):
            token = matrix[row, first + i]
            out[row, i] = np.int64(token) if 0.0 <= token < _TOKENS else 0  # false for what is not a number
    return out


@njit(cache=True, nogil=True)
def network_rows(columns: NDArray[np.float64]) -> NDArray[np.float32]:
    """float32, same shape: columns as a network is given them, in training and in service alike; NaN stays."""
    out = np.empty(columns.shape, dtype=np.float32)
    for row in range(columns.shape[0]):
        for i in range(columns.shape[1]):
            value = columns[row, i]
            out[row, i] = np.float32(-LARGEST if value < -LARGEST else LARGEST if value > LARGEST else value)
    return out


@njit(cache=True, nogil=True)
def _calibrate(
    margins: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64], shift: NDArray[np.float64]
) -> NDArray[np.float64]:
    rows, stages = margins.shape
    out = np.empty((rows, stages))
    for row in range(rows):
        for stage in range(stages):
            out[row, stage] = calibrated(margins[row, stage], low[stage], high[stage], shift[stage])
    return out


@njit(cache=True, nogil=True)
def _join(
    odds: NDArray[np.float64], given: NDArray[np.float32], exits: NDArray[np.float32], correction: float
) -> NDArray[np.float64]:
    """Trees and what is believed of the network's difference to what it was given.

    The difference to the float32 it was given: a network that changes nothing then changes no bit. Where it has no finite
    answer, which the checks at loading let nothing through to see, the trees' score stands; a score must never be lost.
    """
    rows, stages = odds.shape
    out = np.empty((rows, stages))
    for row in range(rows):
        for stage in range(stages):
            change = np.float64(exits[row, stage]) - np.float64(given[row, stage])
            out[row, stage] = odds[row, stage] + (correction * change if np.isfinite(change) else 0.0)
    return out
