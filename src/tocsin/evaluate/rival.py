"""What plain machine learning makes of the same examples, where finding out is cheap: what a network must beat."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import Collection
from tocsin.evaluate.headline import Rival
from tocsin.learn.perception.baseline import fit_plain, given_of, preparation_of
from tocsin.learn.perception.plain import Plain, fit_line
from tocsin.learn.perception.portions import Portions
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.task import Told, silent

SECONDS = 30.0
"""Of one core; a rival that takes longer is not asked unless one says so: ``tocsin learn --way plain``."""
COSTS = {"svm": (0.1, 0.3, 1.0)}
"""Fewer than the way ``plain`` tries, and no trees: this is to know whether a network is needed at all."""
_FITS = 6.0
"""The tries and the last fit on all, in fits at the middle cost."""
_SOME = 200
WORDS = {
    "images": "Plain machine learning (a linear machine on colours and edges)",
    "sound": "Plain machine learning (a linear machine on the course of pitches)",
    "text": "Plain machine learning (a linear machine on the words there are)",
}


def against_plain(
    collection: Collection,
    rows: Portions,
    right: NDArray[np.bool_],
    *,
    seed: int = 0,
    seconds: float = SECONDS,
    clock: Callable[[], float] = time.process_time,
    told: Told = silent,
) -> tuple[Rival | None, float]:
    """Learn plainly from what a model learned from, and be judged by what it was judged by.

    Parameters
    ----------
    right : bool[n], whether the model was right on each row of the test.
    seconds : as much as it may take by a forecast from some of the examples.

    Returns
    -------
    The rival, None where it would take longer; and the forecast in seconds.
    """
    expected = _forecast(collection, rows, clock, told)
    if expected > seconds:
        return None, expected
    recipe = Recipe(way="plain", into="svm", seed=seed)
    _, _, logits = fit_plain(collection, rows, recipe, COSTS, told)
    theirs = logits.argmax(axis=1) == collection.label[rows.test]
    apart = right.astype(np.int64) - theirs
    margin = 1.96 * float(apart.std()) / max(1, len(apart)) ** 0.5
    return Rival(WORDS[collection.kind], float(theirs.mean()), margin), expected


def _forecast(collection: Collection, rows: Portions, clock: Callable[[], float], told: Told) -> float:
    """Seconds it will take by this machine's speed: looking at every example once, and the fits."""
    import sklearn.svm  # noqa: F401  (opening it is no part of what is timed)

    told("how long plain machine learning would take", 0.0)
    kind, taught = collection.kind, rows.taught
    some = taught[np.linspace(0, len(taught) - 1, min(_SOME, len(taught))).astype(int)]
    preparation = preparation_of(kind)
    if kind != "text":  # what is opened and compiled once is no part of it either
        Plain(kind, "svm").look(given_of(collection, some[:2], preparation))
    model = Plain(kind, "svm")
    began = clock()
    features = model.look(given_of(collection, some, preparation))
    looked = clock() - began
    label = collection.label[some]
    if len(np.unique(label)) > 1:
        began = clock()
        fit_line(features, label, len(collection.classes), "svm", COSTS["svm"][1], blocks=model.blocks_)
    fit = clock() - began
    return (looked * (len(taught) + len(rows.test)) + _FITS * fit * len(taught)) / len(some)
