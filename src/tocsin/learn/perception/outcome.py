"""What a way of learning gives back, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tocsin.data.prepare import Preparation
from tocsin.features.text import Sparse
from tocsin.learn.task import Epoch

Ints = NDArray[np.int64]
Setting = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Taught:
    """The examples that may be learned from, as whatever decides is given them: there already, so to be learned on again cheaply.

    Parameters
    ----------
    rows : int64[m], of the collection. features : [m, f] of each.
    blocks : how many columns, one after another, tell of one thing; empty for one block.
    words : of texts whose words are counted beside a network.
    """

    rows: Ints
    features: NDArray[np.float32] | Sparse
    blocks: tuple[int, ...] = ()
    words: Sparse | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was learned, and what it says of the examples that only judge.

    Parameters
    ----------
    files : name -> content, as ``artifact.classes`` reads them.
    logits : float64[n, classes] of the test rows, before the temperature.
    temperature : by examples that taught nothing.
    network, layer, into : as the card has them.
    settings : what was chosen, by name.
    unseen : of ways with a network. Rows that may be learned from, and logits float64[m, classes] of each from a model that it had
        not taught: all of them by folds (extract), or those that stop and choose.
    epochs : of the training of a network, all phases one after another, numbered through.
    taught : of ways whose features do not change with learning (extract, plain).
    """

    files: dict[str, bytes]
    logits: NDArray[np.float64]
    temperature: float
    preparation: Preparation
    network: str = ""
    layer: str = ""
    into: str = ""
    settings: dict[str, Setting] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    unseen: tuple[Ints, NDArray[np.float64]] | None = None
    epochs: tuple[Epoch, ...] = ()
    taught: Taught | None = None
