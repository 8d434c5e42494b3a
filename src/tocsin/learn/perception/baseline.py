"""The way ``plain`` on the path of the others: plain machine learning, what networks must beat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import Collection
from tocsin.data.prepare import Preparation, Preparer
from tocsin.learn.perception.outcome import Outcome, Taught
from tocsin.learn.perception.plain import COSTS, SIZE, Plain
from tocsin.learn.perception.portions import Portions
from tocsin.learn.perception.prepared import prepared
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.task import Told, silent


def learn_plain(collection: Collection, rows: Portions, recipe: Recipe, told: Told = silent) -> Outcome:
    """Fixed features and a linear machine or trees on them, chosen by the examples set aside for that.

    Raises
    ------
    BadInput : trees for texts.
    """
    model, preparation, logits = fit_plain(collection, rows, recipe, told=told)
    note = f"Plain features and {model.into_} on them; no network takes part."
    assert model.seen_ is not None
    taught = Taught(np.concatenate([rows.train, rows.val]), model.seen_, model.blocks_)
    into = model.into_ or "svm"
    return Outcome(model.save(), logits, model.temperature, preparation, into=into, notes=(note,), taught=taught)


def fit_plain(
    collection: Collection,
    rows: Portions,
    recipe: Recipe,
    costs: Mapping[str, tuple[float, ...]] = COSTS,
    told: Told = silent,
) -> tuple[Plain, Preparation, NDArray[np.float64]]:
    """The model, how examples are made ready for it, and its logits float64[n, classes] of the test rows.

    Parameters
    ----------
    costs : what is tried, by machine.

    Raises
    ------
    BadInput : trees for texts.
    """
    preparation = preparation_of(collection.kind, recipe.size)
    model = Plain(collection.kind, recipe.into, seed=recipe.seed, threads=recipe.threads)
    train, val, test = (given_of(collection, some, preparation, told) for some in (rows.train, rows.val, rows.test))
    label, stops = collection.label[rows.train], collection.label[rows.val]
    model.fit(train, label, len(collection.classes), later=(val, stops), costs=costs, told=told)
    return model, preparation, model.logits(test) if len(rows.test) else np.zeros((0, len(collection.classes)))


def preparation_of(kind: str, size: int | None = None) -> Preparation:
    """How examples are made ready for plain features; the size in pixels a side, or milliseconds."""
    if kind == "images":
        return Preparation("images", size=size or SIZE)
    return Preparation("sound", samples=(size or 1000) * 16) if kind == "sound" else Preparation("text")


def given_of(
    collection: Collection, rows: NDArray[np.int64], preparation: Preparation, told: Told = silent
) -> NDArray[Any] | list[str]:
    """These rows as :class:`Plain` takes them."""
    if collection.kind == "text":
        return [str(collection.raw(int(i))) for i in rows]
    return prepared(collection, rows, Preparer(preparation), preparation, told=told).given
