"""From what a network or plain features make of an example to one number a class: linear, or boosted trees."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import Damaged

if TYPE_CHECKING:  # what compiles features is not loaded where no payment is scored
    from tocsin.features.text import Sparse

LINEAR, TREES = "head.npz", "trees.txt"


class Head(Protocol):
    """Features to logits; ``width`` is how many features it reads."""

    width: int

    def __call__(self, features: Any) -> NDArray[np.float64]:
        """float32[n, width], for a linear head with or without its zeros → float64[n, classes]."""
        ...


class LinearHead:
    """One weighted sum a class, as a linear support-vector machine or a logistic regression leaves it.

    Parameters
    ----------
    content : the bytes of ``head.npz`` (:func:`linear_head`).

    Raises
    ------
    Damaged : it is no such file, or its shapes do not fit.
    """

    def __init__(self, content: bytes, classes: int) -> None:
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as kept:
                self.weights = np.asarray(kept["weights"], dtype=np.float32)
                self.bias = np.asarray(kept["bias"], dtype=np.float64)
        except Exception as error:  # NumPy raises what the zip, the header or the reader inside it raises
            raise Damaged(f"it cannot be read as a linear head: {error}.", field=LINEAR) from error
        if self.weights.ndim != 2 or self.weights.shape[1] != classes or self.bias.shape != (classes,):
            raise Damaged(
                f"must have weights of {classes} classes and one bias each; it has {self.weights.shape} and "
                f"{self.bias.shape}.",
                field=LINEAR,
            )
        self.width = len(self.weights)

    def __call__(self, features: NDArray[np.float32] | Sparse) -> NDArray[np.float64]:
        """float32[n, width] → float64[n, classes]."""
        if not isinstance(features, np.ndarray):
            return features.times(self.weights) + self.bias
        return np.asarray((features @ self.weights).astype(np.float64) + self.bias)


class TreesHead:
    """Boosted trees, one after another for each class, as LightGBM's text has them.

    Parameters
    ----------
    text : ``trees.txt``; two classes may be one margin, whose other side is the first class.
    """

    def __init__(self, text: str, classes: int) -> None:
        from tocsin.artifact.trees import read_trees  # compiled, and most models of classes have no trees

        self._classes = classes
        per_round = 1 if classes == 2 and "\nnum_tree_per_iteration=1\n" in text else classes
        self._trees = read_trees(text, classes=per_round)
        self._of = [replace(self._trees, roots=self._trees.roots[i::per_round].copy()) for i in range(per_round)]
        self.width = self._trees.width

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """float32[n, width] → float64[n, classes]: the sum of each class's trees."""
        rows = np.ascontiguousarray(features, dtype=np.float64)
        logits = np.zeros((len(rows), self._classes))
        for i, trees in enumerate(self._of, start=self._classes - len(self._of)):
            logits[:, i] = trees.margins(rows, [len(trees)])[:, 0]
        return logits


def linear_head(weights: NDArray[np.float32], bias: NDArray[np.float64]) -> bytes:
    """``head.npz`` of weights float32[features, classes] and bias float64[classes].

    What was learned on standardised features has the standardising in these already: divide the weights by the
    deviations, and take the means times the weights off the bias. Two classes have two columns, such as zeros and the margin.
    """
    file = io.BytesIO()
    np.savez(file, weights=np.asarray(weights, dtype=np.float32), bias=np.asarray(bias, dtype=np.float64))
    return file.getvalue()
