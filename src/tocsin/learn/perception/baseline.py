"""The way ``plain`` on the path of the others: plain machine learning, what networks must beat."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import Collection
from tocsin.data.prepare import Preparation, Preparer
from tocsin.learn.perception.outcome import Outcome
from tocsin.learn.perception.plain import SIZE, Plain
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
    kind = collection.kind
    size = recipe.size or SIZE
    preparation = {
        "images": lambda: Preparation("images", size=size),
        "sound": lambda: Preparation("sound", samples=(recipe.size or 1000) * 16),
        "text": lambda: Preparation("text"),
    }[kind]()
    model = Plain(kind, recipe.into, seed=recipe.seed, threads=recipe.threads)
    train, val, test = (_given(collection, some, preparation, told) for some in (rows.train, rows.val, rows.test))
    label, stops = collection.label[rows.train], collection.label[rows.val]
    model.fit(train, label, len(collection.classes), later=(val, stops), told=told)
    logits = model.logits(test) if len(rows.test) else np.zeros((0, len(collection.classes)))
    note = f"Plain features and {model.into_} on them; no network takes part."
    return Outcome(model.save(), logits, model.temperature, preparation, into=model.into_ or "svm", notes=(note,))


def _given(
    collection: Collection, rows: NDArray[np.int64], preparation: Preparation, told: Told
) -> NDArray[Any] | list[str]:
    if collection.kind == "text":
        return [str(collection.raw(int(i))) for i in rows]
    return prepared(collection, rows, Preparer(preparation), preparation, told=told).given
