"""How a learner of networks parts what it is given: columns from tokens, and the newest rows from those before them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.network import tokens_of
from tocsin.learn.contract import Examples


def parted(rows: NDArray[np.float64], history: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A row's own columns, and the tokens behind them.

    Parameters
    ----------
    rows : float64[n, d + history + 1], as the kernel gives them; float64[n, d] where ``history`` is 0.
    history : payments of the past a row tells.

    Returns
    -------
    float64[n, d], and int64[n, history + 1]; int64[n, 1] of zeros where there is no past.
    """
    own = rows.shape[1] - (history + 1 if history else 0)
    tokens = tokens_of(rows, own) if history else np.zeros((len(rows), 1), dtype=np.int64)
    return np.ascontiguousarray(rows[:, :own]), tokens


def parted_examples(examples: Examples, history: int) -> Examples:
    """The same examples with their tokens in their own place; None where there is no past."""
    columns, tokens = parted(examples.matrix, history)
    return replace(examples, matrix=columns, tokens=tokens.astype(np.uint32) if history else None)


def old_and_new(examples: Examples, newest: float) -> tuple[Examples, Examples]:
    """Where to learn and where to stop and judge: the newest share of the rows.

    Where either has one class only there is nothing newer to go by, and both are all rows.
    """
    cut = int(len(examples) * (1 - newest))
    old, new = examples.take(slice(0, cut)), examples.take(slice(cut, None))
    both = all(len(np.unique(part.label)) > 1 for part in (old, new))
    return (old, new) if both else (examples, examples)
