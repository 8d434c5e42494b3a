"""Which layers of a network say most of these examples: taken side by side, one after another, while folds say that it helps.

The last layer knows what the network was taught to tell apart; half-way up there are textures and parts, which say more where
the examples are unlike what the network was taught on (satellite pictures, cells).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tocsin.learn.perception.heads import spread_of
from tocsin.measure.classes import fit_temperature, log_loss, softmax
from tocsin.nets.reading import END, layers

DECAYS = (0.01, 0.1, 1.0)
"""Of the ridge regression by which layers are compared, as shares of a standardised feature's variance."""
WORTH = 0.02
"""A layer more is worth its numbers when the loss falls by this share."""
AT_MOST = 1000
"""Examples by which layers are compared."""
LEAST = 30
"""With fewer the last layer is taken: nothing can be told by them."""

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def depths(network: nn.Module) -> tuple[str, ...]:
    """The layers worth comparing: those from half-way up, and what the head is given."""
    names = layers(network)
    return (*names[(len(names) - 1) // 2 : -1], END)


def best_layers(said: Mapping[str, Floats], label: Ints, fold: Ints, classes: int) -> tuple[str, ...]:
    """The layers to read side by side, from the input on.

    Stepwise: the best one, then whichever lowers the loss most beside it, until none is ``WORTH`` it. Compared by kernel
    ridge regression on the classes, which has a closed form, at the temperature that suits it best.

    Parameters
    ----------
    said : what each layer says, float32[n, f]. label : int64[n].
    fold : int64[n], which part each example is left out with; -1 for those that are never left out.
    """
    compared = _Compared(said, label, fold, classes)
    taken: tuple[str, ...] = ()
    lowest = np.inf
    while len(taken) < len(said):
        losses = {name: compared.loss((*taken, name)) for name in said if name not in taken}
        found = min(losses, key=losses.__getitem__)
        if not losses[found] < (1 - WORTH) * lowest and taken:
            break
        taken, lowest = (*taken, found), losses[found]
    return tuple(name for name in said if name in taken)


def some_of(fold: Ints, seed: int) -> Ints:
    """Rows by which layers are compared, rising: ``AT_MOST``, half of them of those never left out where there are such."""
    order = np.random.default_rng(seed).permutation(len(fold))
    never, left_out = order[fold[order] < 0], order[fold[order] >= 0]
    if not len(never):
        return np.sort(left_out[:AT_MOST])
    return np.sort(np.concatenate([never[: AT_MOST // 2], left_out[: AT_MOST // 2]]))


@dataclass(frozen=True, slots=True)
class _Fold:
    """Some examples left out: how alike the others are to each other and to these, by each layer (inner products)."""

    away: NDArray[np.bool_]
    target: NDArray[np.float64]
    usual: NDArray[np.float64]
    alike: dict[str, NDArray[np.float64]]
    judged: dict[str, NDArray[np.float64]]


class _Compared:
    """How alike examples are by layers read side by side is the sum of how alike they are by each: computed once."""

    def __init__(self, said: Mapping[str, Floats], label: Ints, fold: Ints, classes: int) -> None:
        self._label, target = label[fold >= 0], np.eye(classes)[label]
        self._folds = []
        for number in np.unique(fold[fold >= 0]):
            away = fold == number
            usual = target[~away].mean(axis=0)
            found = _Fold(away[fold >= 0], target[~away] - usual, usual, {}, {})
            for name, features in said.items():
                taught = features[~away]
                scaled = (features - taught.mean(axis=0, dtype=np.float64)) / spread_of(taught)
                found.alike[name] = scaled[~away] @ scaled[~away].T
                found.judged[name] = scaled[away] @ scaled[~away].T
            self._folds.append(found)

    def loss(self, names: Sequence[str]) -> float:
        """Mean nats of the examples left out, at the best of ``DECAYS``."""
        lowest = np.inf
        for decay in DECAYS:
            logits = np.zeros((len(self._label), self._folds[0].target.shape[1]))
            for fold in self._folds:
                alike = np.sum([fold.alike[name] for name in names], axis=0)
                judged = np.sum([fold.judged[name] for name in names], axis=0)
                held = alike + decay * len(alike) * np.eye(len(alike))
                logits[fold.away] = judged @ np.linalg.solve(held, fold.target) + fold.usual
            lowest = min(lowest, log_loss(softmax(logits, fit_temperature(logits, self._label)), self._label))
        return float(lowest)
