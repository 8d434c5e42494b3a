"""Which layers say most."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import nn

from tocsin.learn.perception.layer import AT_MOST, best_layers, depths, some_of
from tocsin.learn.perception.portions import folds
from tocsin.learn.perception.registry import NETWORKS
from tocsin.nets.reading import END, layers

ROWS, CLASSES = 300, 4


def telling(label: NDArray[np.int64], by: float, of: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Features float32[n, 20] that tell these classes from all others, as loudly as said."""
    rng = np.random.default_rng(seed)
    shift = rng.normal(0, by, (CLASSES, 20)) * np.isin(np.arange(CLASSES), of)[:, None]
    return (rng.normal(0, 1, (len(label), 20)) + shift[label]).astype(np.float32)


def parted(seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    label = np.random.default_rng(seed).integers(0, CLASSES, ROWS)
    return label, folds(label, np.full(ROWS, ""), seed)


def test_the_layer_that_tells_the_classes_apart_is_taken_alone() -> None:
    label, fold = parted()
    said = {
        "early": telling(label, 0.0, (), 1),
        "middle": telling(label, 1.0, (0, 1, 2, 3), 2),
        END: telling(label, 0.1, (0, 1), 3),
    }
    assert best_layers(said, label, fold, CLASSES) == ("middle",)


def test_layers_that_tell_different_classes_are_taken_side_by_side_in_their_order() -> None:
    label, fold = parted()
    said = {
        "early": telling(label, 1.0, (0,), 1),
        "middle": telling(label, 0.0, (), 2),
        END: telling(label, 1.0, (1, 2), 3),
    }
    assert best_layers(said, label, fold, CLASSES) == ("early", END)


def test_examples_that_are_never_left_out_only_teach() -> None:
    label, _ = parted()
    fold = np.where(np.arange(ROWS) < 200, -1, 0)
    true, false = telling(label, 1.0, (0, 1, 2, 3), 1), telling(label, 0.0, (), 2)
    # a layer that knows the taught examples by heart and says nothing of those that judge
    false[:200] = true[:200] * 5
    assert best_layers({"knows": true, "by heart": false}, label, fold, CLASSES) == ("knows",)


def test_layers_are_compared_by_some_of_many_examples() -> None:
    many = folds(np.zeros(5000, dtype=np.int64), np.full(5000, ""), 0)
    assert len(np.unique(some_of(many, 0))) == AT_MOST
    few = np.where(np.arange(5000) < 4600, -1, 0)
    some = some_of(few, 0)
    assert (few[some] == 0).sum() == 400
    assert (few[some] == -1).sum() == AT_MOST // 2


def test_every_network_has_layers_to_compare_and_the_last_is_one_of_them() -> None:
    for entry in NETWORKS.values():
        network: nn.Module = entry.build(3, 16 if entry.kind == "text" else min(entry.size, 16_000), 50)
        found = depths(network)
        assert found[-1] == END
        assert set(found[:-1]) <= set(layers(network))
