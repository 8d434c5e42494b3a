"""Scores for rows that are themselves learned from: each by a learner that saw only what was known before.

A model that builds on scores (a network on trees) must learn from scores as poor as those it will get. In-sample ones
are far too good, and folds dealt out at random let the future in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.learn.contract import Examples


class Fitted(Protocol):
    """Anything that learns and then gives a margin or a score a row."""

    def fit(self, examples: Examples) -> Any:
        """Learn."""
        ...


def forward_scores(
    examples: Examples,
    make: Callable[[], Fitted],
    read: Callable[[Any, NDArray[np.float64]], NDArray[np.float64]],
    *,
    blocks: int = 3,
) -> NDArray[np.float64]:
    """Cut the rows into blocks of time; score each by a learner that saw the blocks before it.

    At each cut a label that became known later is unknown to the learner, whatever it says now.

    Parameters
    ----------
    make : a new learner, unlearned, the same each time.
    read : ``read(learner, matrix)``, what is wanted of it: float64[n] or float64[n, stages].
    blocks : how many; the first is scored by nobody.

    Returns
    -------
    float64[n] or float64[n, stages]; NaN in the first block, and in any before which nothing could be learned.
    """
    if not 2 <= blocks <= max(2, len(examples)):
        raise BadInput(f"must be at least 2 and at most the number of rows; got {blocks}.", field="blocks")
    out: NDArray[np.float64] | None = None
    for begin, end in zip(block_cuts(examples, blocks)[:-1], block_cuts(examples, blocks)[1:], strict=True):
        cut = int(examples.at[begin]) if begin < len(examples) else 0
        past = examples.as_known_at(cut)
        if begin == 0 or begin == end or len(np.unique(past.label[past.is_known()])) < 2:
            continue
        scores = read(make().fit(past), examples.matrix[begin:end])
        if out is None:
            out = np.full((len(examples), *scores.shape[1:]), np.nan)
        out[begin:end] = scores
    return np.full(len(examples), np.nan) if out is None else out


def block_cuts(examples: Examples, blocks: int) -> list[int]:
    """The first row of each block, and the number of rows at the end; rows of one time are never parted."""
    n = len(examples)
    cuts = [int(np.searchsorted(examples.at, examples.at[n * k // blocks])) for k in range(blocks)] if n else [0]
    return [*cuts, n]
