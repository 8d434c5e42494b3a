"""Rows on their way into LightGBM's bins, a piece at a time: no copy of all of them for an early stage's columns or for the
rows whose label is known.

LightGBM wants its numbers side by side. Some columns of a matrix, or some of its rows, are not, so it copies them first, and
that copy used to be what most of the memory went to. What it draws to cut the bins by, and the bins, are the same either way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

AT_ONCE = 16_384
"""Rows copied at once."""


class Piecewise(lightgbm.Sequence):  # type: ignore[misc]
    """Some rows and the first columns of a matrix, where they lie.

    Parameters
    ----------
    matrix : float64[n, d]. rows : int64[m], places in it, rising; None for all. end : how many columns.
    """

    batch_size = AT_ONCE

    def __init__(self, matrix: NDArray[np.float64], rows: NDArray[np.int64] | None, end: int) -> None:
        self.matrix, self.rows, self.end = matrix, rows, end

    def __len__(self) -> int:
        return len(self.matrix) if self.rows is None else len(self.rows)

    def __getitem__(self, index: Any) -> NDArray[np.float64]:
        """One row float64[end], or a piece of them, in C order."""
        places = index if self.rows is None else self.rows[index]
        return np.ascontiguousarray(self.matrix[places, : self.end])

    def pieces(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        """All of it, in pieces: which of its own rows, and float64[k, end] in C order."""
        for first in range(0, len(self), AT_ONCE):
            part = slice(first, min(first + AT_ONCE, len(self)))
            yield part, self[part]


class Binned(lightgbm.Dataset):  # type: ignore[misc]
    """LightGBM's rows that are read piece by piece with all their parameters.

    LightGBM itself passes on a few only, without the seed, so that other rows would be drawn to cut the bins by, and without
    the wish for quiet and for one thread.
    """

    _bins = False

    def get_params(self) -> dict[str, Any]:
        """All of them until the bins are made; then those a booster is to agree with."""
        return dict(super().get_params() if self._bins else self.params)

    def construct(self) -> Binned:
        """Make the bins."""
        super().construct()
        self._bins = True
        return self


def given(matrix: NDArray[np.float64], rows: NDArray[np.int64] | None, end: int) -> NDArray[np.float64] | Piecewise:
    """What LightGBM is given: the matrix itself where it lies as LightGBM wants it, else a piece at a time."""
    if rows is None and end == matrix.shape[1] and matrix.flags.c_contiguous:
        return matrix
    return Piecewise(matrix, rows, end)


def raw_scores(
    booster: Any, matrix: NDArray[np.float64], rows: NDArray[np.int64] | None, end: int, *, trees: int, threads: int
) -> NDArray[np.float64]:
    """float64[m]: the margin of the first ``trees`` trees for rows of a matrix."""
    read = Piecewise(matrix, rows, end)
    out = np.empty(len(read))
    for part, piece in read.pieces():
        out[part] = booster.predict(piece, raw_score=True, num_iteration=trees, num_threads=threads)
    return out
