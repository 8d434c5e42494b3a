"""Labels that look wrong: a model that was not taught an example firmly says another class than it was given.

Firmly is measured by class: as sure as the model is, on average, of examples that were given that class. So a class that is hard
to see is not suspected as a whole.

References
----------
Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (2021); we list the examples off the
diagonal of its confident joint and do not estimate how many labels are wrong in all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import UNKNOWN, Collection
from tocsin.data.dirt import Doubt
from tocsin.data.prepare import Preparation, Preparer
from tocsin.learn.perception.heads import choose_by_folds
from tocsin.learn.perception.plain import FIXED, SIZE
from tocsin.learn.perception.portions import check_learnable, folds, groups_of
from tocsin.learn.perception.prepared import prepared
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.task import Told, silent
from tocsin.measure.classes import fit_temperature, softmax

LEAST = 0.5
"""How sure the other class must be at least, whatever is usual of it."""


def doubts_of(collection: Collection, rows: NDArray[np.int64], logits: NDArray[np.float64]) -> tuple[Doubt, ...]:
    """The labels to look at again, the firmest doubt first.

    Parameters
    ----------
    rows : int64[m], of known label. logits : float64[m, classes], of a model that was not taught the row.
    """
    label = collection.label[rows]
    probability = softmax(logits, fit_temperature(logits, label))
    classes = probability.shape[1]
    usual = np.array([probability[label == c, c].mean() if (label == c).any() else 1.0 for c in range(classes)])
    firm = probability >= np.maximum(usual, LEAST)
    believed = np.where(firm, probability, -1.0).argmax(axis=1)
    doubted = np.flatnonzero(firm.any(axis=1) & (believed != label))
    share = probability[doubted, believed[doubted]]
    order = np.argsort(-share, kind="stable")
    return tuple(
        Doubt(int(rows[i]), int(label[i]), int(believed[i]), float(p))
        for i, p in zip(doubted[order], share[order], strict=True)
    )


def doubts(
    collection: Collection, recipe: Recipe | None = None, told: Told = silent, *, good: NDArray[np.bool_] | None = None
) -> tuple[Doubt, ...]:
    """The same for a whole collection: every labelled example is judged by heads it did not teach, in five turns.

    The features are a published network's where its weights are here, else plain ones.

    Parameters
    ----------
    good : bool[n], what can be read; all by default.

    Raises
    ------
    BadInput : there are not two classes.
    """
    recipe = recipe or Recipe()
    usable = collection.label != UNKNOWN if good is None else (collection.label != UNKNOWN) & good
    rows = np.flatnonzero(usable)
    check_learnable(collection, rows)
    features = _features(collection, rows, recipe, told)
    label = collection.label[rows]
    fold = folds(label, groups_of(collection)[rows], recipe.seed)
    _, logits = choose_by_folds(features, label, fold, len(collection.classes), "logistic", told=told)
    return doubts_of(collection, rows, logits)


def _features(collection: Collection, rows: NDArray[np.int64], recipe: Recipe, told: Told) -> NDArray[np.float32]:
    """float32[n, f]: what there is to tell classes by."""
    from tocsin.learn.perception.chosen import has_weights, knowing, texts_of
    from tocsin.learn.perception.represented import represent

    kind = collection.kind
    if kind == "text" or has_weights(kind, recipe.weights):
        chosen = knowing(recipe, kind, len(collection.classes), texts_of(collection, rows))
        return represent(collection, rows, chosen, None, recipe, told)
    preparation = Preparation("images", size=SIZE) if kind == "images" else Preparation("sound")
    found = prepared(collection, rows, Preparer(preparation), preparation, told=told)
    return FIXED[kind].of(found.given)


def sentences(collection: Collection, found: tuple[Doubt, ...], most: int = 5) -> tuple[str, ...]:
    """In words, for whoever may put them right."""
    if not found:
        return ()
    classes = collection.classes
    shown = "; ".join(
        f"{collection.names[d.row]} is called {classes[d.given]} and looks like {classes[d.believed]}"
        for d in found[:most]
    )
    more = f", and {len(found) - most:,} more" if len(found) > most else ""
    labels = "label looks" if len(found) == 1 else "labels look"
    return (f"{len(found):,} {labels} wrong, by a model that had not seen them: {shown}{more}.",)
