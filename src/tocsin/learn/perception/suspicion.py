"""Labels that look wrong: a model that was not taught an example firmly says another class than it was given.

Firmly is measured by class: as sure as the model is, on average, of examples that were given that class. So a class that is hard
to see is not suspected as a whole.

References
----------
Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels" (2021); we list the examples off the
diagonal of its confident joint and do not estimate how many labels are wrong in all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import UNKNOWN, Collection
from tocsin.data.dirt import Doubt
from tocsin.errors import BadInput
from tocsin.learn.perception.baseline import given_of, preparation_of
from tocsin.learn.perception.heads import choose_by_folds
from tocsin.learn.perception.plain import Plain, left_out, usual_cost
from tocsin.learn.perception.portions import check_learnable, folds, groups_of, taught_by
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


SEEN = {"images": "colours and edges", "sound": "the course of their pitches", "text": "the words they have"}
"""What plain features look at."""


@dataclass(frozen=True, slots=True)
class Suspicions:
    """What was found when every label was held against a model that had not seen it.

    Parameters
    ----------
    found : the labels to look at again, the firmest doubt first.
    judged : how many labels were held against it. right : the share of them it would have said too.
    common : the share of the commonest class. by : what the model looked at, for the reader.
    network : by what network that was seen; empty for plain features.
    """

    found: tuple[Doubt, ...]
    judged: int
    right: float
    common: float
    by: str
    network: str = ""


def suspicions(
    collection: Collection,
    recipe: Recipe | None = None,
    told: Told = silent,
    *,
    good: NDArray[np.bool_] | None = None,
    twin: NDArray[np.int64] | None = None,
) -> Suspicions:
    """Judge every labelled example of a collection by heads it did not teach, in five turns.

    The features are a published network's where its weights are here, else plain ones. A class that was not taught in a turn
    is not judged in it.

    Parameters
    ----------
    good : bool[n], what can be read; all by default. twin : int64[n], copies have one number and are judged in one turn.

    Raises
    ------
    BadInput : there are not two classes, or not two that can be left out in turn.
    """
    recipe = recipe or Recipe()
    usable = collection.label != UNKNOWN if good is None else (collection.label != UNKNOWN) & good
    rows = np.flatnonzero(usable)
    check_learnable(collection, rows)
    label, groups = collection.label[rows], groups_of(collection, twin)
    fold = folds(label, groups[rows], recipe.seed)
    judged = taught_by(label, fold)
    if any(len(np.unique(label[fold != f])) < 2 for f in range(fold.max() + 1)) or not judged.any():
        raise BadInput(
            f"labels can be doubted where two classes have some to judge by when others are left out; the {len(rows):,} "
            f"examples of {len(np.unique(label)):,} classes are too few{' or of too few groups' if (groups != '').any() else ''}.",
            hint="Give several examples of each class.",
        )
    logits, by, network = _judge(collection, rows, fold, recipe, told)
    common = float(np.bincount(label[judged]).max()) / int(judged.sum())
    right = float((logits[judged].argmax(axis=1) == label[judged]).mean())
    return Suspicions(
        doubts_of(collection, rows[judged], logits[judged]), int(judged.sum()), right, common, by, network
    )


def _judge(
    collection: Collection, rows: NDArray[np.int64], fold: NDArray[np.int64], recipe: Recipe, told: Told
) -> tuple[NDArray[np.float64], str, str]:
    """float64[n, classes] of each row by what it did not teach, what that looks at, and the network if one takes part."""
    label, classes, kind = collection.label[rows], len(collection.classes), collection.kind
    seen = _by_network(collection, rows, recipe, told)
    if seen is not None:
        said, network = seen
        _, logits = choose_by_folds(said, label, fold, classes, "svm", told=told)
        return logits, f"what {network} sees", network
    model = Plain(kind, "svm")
    features = model.look(given_of(collection, rows, preparation_of(kind), told))
    cost = usual_cost(features)
    return left_out(features, label, fold, classes, cost, blocks=model.blocks_, told=told), SEEN[kind], ""


def _by_network(
    collection: Collection, rows: NDArray[np.int64], recipe: Recipe, told: Told
) -> tuple[NDArray[np.float32], str] | None:
    """float32[n, f] and the network's name; None where PyTorch or its weights are not here."""
    try:
        from tocsin.learn.perception.chosen import has_weights, knowing, texts_of
        from tocsin.learn.perception.extract import sized
        from tocsin.learn.perception.represented import represent
    except ModuleNotFoundError:  # no PyTorch here
        return None
    if not has_weights(collection.kind, recipe.weights):
        return None
    recipe = sized(collection, rows, recipe)
    chosen = knowing(recipe, collection.kind, len(collection.classes), texts_of(collection, rows))
    return represent(collection, rows, chosen, None, recipe, told), chosen.entry.name


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
    one = len(found) == 1
    labels, them = ("label looks", "it") if one else ("labels look", "them")
    return (f"{len(found):,} {labels} wrong, by a model that had not seen {them}: {shown}{more}.",)
