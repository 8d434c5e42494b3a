"""Extract: a network that knows other things looks at the examples, and something simpler learns on what a layer says.

The quickest way with a network: every example is looked at once. The network is shipped as it came.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from tocsin.artifact.classes import NETWORK, VOCABULARY
from tocsin.artifact.heads import TREES
from tocsin.data.collection import Collection
from tocsin.learn.perception.chosen import KNOWING, Chosen, check_layer, entry_of, knowing, texts_of
from tocsin.learn.perception.heads import TITLES, Head, choose_by_folds, choose_on
from tocsin.learn.perception.layer import LEAST, best_layers, depths, some_of
from tocsin.learn.perception.outcome import Outcome, Taught
from tocsin.learn.perception.portions import FOLDS, Portions, folds
from tocsin.learn.perception.prepared import side_of
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.represented import represent
from tocsin.learn.perception.shipped import FeaturesOnly, Shipped, graph_of
from tocsin.learn.task import Told, silent
from tocsin.nets.reading import END, read

SMALLEST = 64
"""Pixels a side at which a published network still looks at the smallest pictures."""


def learn_extract(collection: Collection, rows: Portions, recipe: Recipe, told: Told = silent) -> Outcome:
    """Read a layer, learn a head on it, ship both as one graph (trees stand beside it).

    Raises
    ------
    BadInput, NotReady : the network, its weights or the layer are not there.
    """
    classes, into = len(collection.classes), recipe.into or "svm"
    recipe = sized(collection, rows.train, recipe)
    chosen = knowing(recipe, collection.kind, classes, texts_of(collection, rows.train))
    layer = check_layer(chosen.network, recipe.layer)
    every = np.concatenate([rows.train, rows.val, rows.test])
    train, val = len(rows.train), len(rows.val)
    label, taught = collection.label[every], np.arange(train + val)
    fold = np.where(taught < train, -1, 0)
    if not rows.own_val:
        fold = folds(label[taught], rows.groups[every[taught]], recipe.seed, FOLDS)
    notes: tuple[str, ...] = ()
    if layer is None:
        layer, features, notes = read_best(collection, every, chosen, recipe, fold, told)
    else:
        features = represent(collection, every, chosen, layer, recipe, told)
    if into != "trees" and not rows.own_val:
        head, said = choose_by_folds(features[taught], label[taught], fold, classes, into, told=told)
        unseen = every[taught], said
    else:
        later = features[train : train + val], label[train : train + val]
        head = choose_on(
            features[:train], label[:train], later, classes, into, seed=recipe.seed, threads=recipe.threads, told=told
        )
        unseen = rows.val, head.logits(later[0])
    files = _files(collection, rows, chosen, layer, head)
    settings = {"cost": head.cost} if into != "trees" else {"rounds": int(head.cost)}
    note = f"A {TITLES[into]} was learned on what {chosen.entry.name} says ({chosen.origin})."
    return Outcome(
        files,
        head.logits(features[train + val :]),
        head.temperature,
        chosen.preparation,
        chosen.entry.name,
        layer or "",
        into,
        {**settings, "features": features.shape[1]},
        (note, *notes),
        unseen,
        taught=Taught(every[taught], features[: train + val]),
    )


def read_best(
    collection: Collection,
    every: NDArray[np.int64],
    chosen: Chosen,
    recipe: Recipe,
    fold: NDArray[np.int64],
    told: Told = silent,
) -> tuple[str | None, NDArray[np.float32], tuple[str, ...]]:
    """Read several layers at one look, keep those that say most; their names, what they say, and a note of it.

    Parameters
    ----------
    every : the rows to read. fold : of the first of them, those that may be learned from; -1 for what is never left out.
    """
    names = depths(chosen.network)
    if len(names) == 1 or len(fold) < LEAST:
        return None, represent(collection, every, chosen, None, recipe, told), ()
    features = represent(collection, every, chosen, "+".join(names), recipe, told)
    columns = _columns(collection, every[:1], chosen, names)
    told("choosing the layers", 0.5)
    some = some_of(fold, recipe.seed)
    said = {name: features[some][:, place] for name, place in columns.items()}
    taken = best_layers(said, collection.label[every[some]], fold[some], len(collection.classes))
    note = f"Of the layers {', '.join(names)} ({END}: the last), {' and '.join(taken)} say{'s' * (len(taken) == 1)} most of these examples."
    features = np.hstack([features[:, columns[name]] for name in taken])
    return (None if taken == (END,) else "+".join(taken)), features, (note,)


def _columns(
    collection: Collection, row: NDArray[np.int64], chosen: Chosen, names: tuple[str, ...]
) -> dict[str, slice]:
    """Where each layer's numbers stand when all are read side by side."""
    given = chosen.front(torch.from_numpy(chosen.preparer.prepared([collection.raw(int(row[0]))])))
    begin, out = 0, dict[str, slice]()
    chosen.network.eval()
    with torch.no_grad():
        for name in names:
            wide = read(chosen.network, name, given).shape[1]
            out[name] = slice(begin, begin + wide)
            begin += wide
    return out


def sized(collection: Collection, rows: NDArray[np.int64], recipe: Recipe) -> Recipe:
    """The recipe with the pixels a side, where nobody told them: the network's own, but no more than twice these pictures'."""
    if collection.kind != "images" or recipe.source is not None or recipe.size is not None:
        return recipe
    found = entry_of(recipe.network or KNOWING["images"], "images")
    own = -(-side_of(collection, rows) // 16) * 16
    return replace(recipe, size=min(found.size, max(SMALLEST, 2 * own)))


def _files(collection: Collection, rows: Portions, chosen: Chosen, layer: str | None, head: Head) -> dict[str, bytes]:
    """The graph, held to real examples, and what stands beside it."""
    some = rows.train[:: max(1, len(rows.train) // 32)][:32]
    given = chosen.preparer.prepared([collection.raw(int(i)) for i in some])
    module: Shipped | FeaturesOnly
    if head.weights is not None and head.bias is not None:
        module = Shipped(chosen.front, chosen.network, layer, (head.weights, head.bias))
    else:
        module = FeaturesOnly(chosen.front, chosen.network, layer)
    files = {NETWORK: graph_of(module, given)}
    if head.trees:
        files[TREES] = head.trees.encode()
    if chosen.vocabulary is not None:
        files[VOCABULARY] = chosen.vocabulary
    return files
