"""Extract: a network that knows other things looks at the examples, and something simpler learns on what a layer says.

The quickest way with a network: every example is looked at once. The network is shipped as it came.
"""

from __future__ import annotations

import numpy as np

from tocsin.artifact.classes import NETWORK, VOCABULARY
from tocsin.artifact.heads import TREES
from tocsin.data.collection import Collection
from tocsin.learn.perception.chosen import Chosen, check_layer, knowing, texts_of
from tocsin.learn.perception.heads import TITLES, Head, choose_by_folds, choose_on
from tocsin.learn.perception.outcome import Outcome
from tocsin.learn.perception.portions import FOLDS, Portions, folds
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.represented import represent
from tocsin.learn.perception.shipped import FeaturesOnly, Shipped, graph_of
from tocsin.learn.task import Told, silent


def learn_extract(collection: Collection, rows: Portions, recipe: Recipe, told: Told = silent) -> Outcome:
    """Read a layer, learn a head on it, ship both as one graph (trees stand beside it).

    Raises
    ------
    BadInput, NotReady : the network, its weights or the layer are not there.
    """
    classes, into = len(collection.classes), recipe.into or "svm"
    chosen = knowing(recipe, collection.kind, classes, texts_of(collection, rows.train))
    layer = check_layer(chosen.network, recipe.layer)
    every = np.concatenate([rows.train, rows.val, rows.test])
    features = represent(collection, every, chosen, layer, recipe, told)
    train, val = len(rows.train), len(rows.val)
    label = collection.label[every]
    unseen = None
    if into != "trees" and not rows.own_val:
        taught = np.arange(train + val)
        fold = folds(label[taught], rows.groups[every[taught]], recipe.seed, FOLDS)
        head, said = choose_by_folds(features[taught], label[taught], fold, classes, into, told=told)
        unseen = every[taught], said
    else:
        later = features[train : train + val], label[train : train + val]
        head = choose_on(
            features[:train], label[:train], later, classes, into, seed=recipe.seed, threads=recipe.threads, told=told
        )
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
        (note,),
        unseen,
    )


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
