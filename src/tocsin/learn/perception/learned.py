"""From a collection of examples to a model: one path for every kind and every way.

train .............. | val ............. | test .............
learned from           stops, chooses,     measured here,
                       calibrates          never looked at
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.classes import ClassesCard, TaughtWith
from tocsin.data.collection import Collection
from tocsin.data.dirt import Doubt
from tocsin.errors import BadInput
from tocsin.learn.perception.beside import with_words
from tocsin.learn.perception.outcome import Outcome, Setting, Taught
from tocsin.learn.perception.portions import Portions, portions
from tocsin.learn.perception.recipe import Recipe, Way
from tocsin.learn.perception.suspicion import doubts_of
from tocsin.learn.task import Epoch, Told, silent
from tocsin.measure.classes import ClassQuality, measure, softmax


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the model says of the examples that only judge.

    Parameters
    ----------
    rows : int64[n], which of the collection. label : int64[n]. probability : float64[n, classes].
    """

    rows: NDArray[np.int64]
    label: NDArray[np.int64]
    probability: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Learned:
    """A model that is not written yet, and what is to be told of it.

    Parameters
    ----------
    card, files : for :func:`tocsin.artifact.folder.write`.
    quality : by the test; None where it is empty.
    epochs : of the training of a network.
    doubts : labels that look wrong, the firmest first; only of ways that ask each example of a model it did not teach (extract).
    notes : what a reader should know: what was chosen and why, what was left out.
    taught : features of what may be learned from; only of ways where they do not change with learning (extract, plain).
    """

    card: ClassesCard
    files: dict[str, bytes]
    quality: ClassQuality | None
    predictions: Predictions
    portions: Portions
    epochs: tuple[Epoch, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    taught: Taught | None = None


def learn(
    collection: Collection,
    recipe: Recipe,
    told: Told = silent,
    *,
    good: NDArray[np.bool_] | None = None,
    twin: NDArray[np.int64] | None = None,
) -> Learned:
    """Learn from a collection, and measure on what was never looked at.

    Parameters
    ----------
    good : bool[n], the rows that may be used (:func:`tocsin.data.dirt.dirt`); all by default.
    twin : int64[n], copies of one example have one number, and stay on one side.

    Raises
    ------
    BadInput : nothing can be learned from it, or the recipe does not fit it.
    NotReady : what the way needs is not installed, or a network's weights are not here.
    """
    if not recipe.words and collection.kind != "text":
        raise BadInput(f"--no-words is for texts; these are {collection.kind}.", field="--no-words")
    recipe, chosen_why = choose_way(recipe, collection.kind)
    rows = portions(collection, good=good, twin=twin, held_out=recipe.held_out, seed=recipe.seed)
    assert recipe.way is not None
    outcome = _ways()[recipe.way](collection, rows, recipe, told)
    if recipe.words:
        outcome = with_words(collection, rows, outcome, recipe.seed, told)
    probability = softmax(outcome.logits, outcome.temperature)
    label = collection.label[rows.test]
    quality = measure(probability, label) if len(label) else None
    card = _card(collection, recipe, rows, outcome, quality)
    notes = (*chosen_why, *collection.notes, *rows.notes, *outcome.notes)
    unseen = outcome.unseen
    doubts = doubts_of(collection, *unseen) if unseen is not None and len(unseen[0]) == len(rows.taught) else ()
    seen = Predictions(rows.test, label, probability)
    return Learned(card, outcome.files, quality, seen, rows, outcome.epochs, notes, doubts, outcome.taught)


def choose_way(recipe: Recipe, kind: str) -> tuple[Recipe, tuple[str, ...]]:
    """The way, where nobody names one: ``extract`` when a network that knows things is here, else ``scratch``; and why."""
    if recipe.way is not None:
        return recipe, ()
    if recipe.source is not None:
        return replace(recipe, way="transfer"), ()
    from tocsin.learn.perception.chosen import KNOWING, has_weights

    if recipe.layer or recipe.into or (not recipe.network and has_weights(kind, recipe.weights)):
        why = f"The way is extract, because the weights of {KNOWING[kind]} are here: it is quick and hard to beat with few examples."
        return replace(recipe, way="extract"), (why,)
    why = f"The way is scratch, because no weights of {KNOWING[kind]} are here; `tocsin networks get {KNOWING[kind]}` fetches them."
    return replace(recipe, way="scratch"), (why,)


def _ways() -> dict[Way, Callable[[Collection, Portions, Recipe, Told], Outcome]]:
    """Each way where it is told; nothing is imported that is not asked for."""

    def scratch(collection: Collection, rows: Portions, recipe: Recipe, told: Told) -> Outcome:
        from tocsin.learn.perception.scratch import learn_scratch

        return learn_scratch(collection, rows, recipe, told)

    def transfer(collection: Collection, rows: Portions, recipe: Recipe, told: Told) -> Outcome:
        from tocsin.learn.perception.transfer import learn_transfer

        return learn_transfer(collection, rows, recipe, told)

    def extract(collection: Collection, rows: Portions, recipe: Recipe, told: Told) -> Outcome:
        from tocsin.learn.perception.extract import learn_extract

        return learn_extract(collection, rows, recipe, told)

    def plain(collection: Collection, rows: Portions, recipe: Recipe, told: Told) -> Outcome:
        from tocsin.learn.perception.baseline import learn_plain

        return learn_plain(collection, rows, recipe, told)

    return {"scratch": scratch, "transfer": transfer, "extract": extract, "plain": plain}


def _card(
    collection: Collection, recipe: Recipe, rows: Portions, outcome: Outcome, quality: ClassQuality | None
) -> ClassesCard:
    source = Path(collection.source).name or collection.source
    label = collection.label[rows.taught]
    counts = np.bincount(label, minlength=len(collection.classes)).tolist()
    settings: dict[str, Setting] = {"seed": recipe.seed, "augment": recipe.augment or None, **outcome.settings}
    return ClassesCard(
        name=recipe.name or _name(source),
        kind=collection.kind,  # type: ignore[arg-type]
        classes=collection.classes,
        way=recipe.way or get_args(Way)[0],
        preparation=outcome.preparation,
        learned=TaughtWith(
            data=source,
            rows=len(label),
            classes=dict(zip(collection.classes, counts, strict=True)),
            parts={"train": len(rows.train), "val": len(rows.val), "test": len(rows.test)},
            seed=recipe.seed,
            held_out=rows.held_out,
        ),
        network=outcome.network,
        layer=outcome.layer,
        into=outcome.into,  # type: ignore[arg-type]
        temperature=outcome.temperature,
        measured=quality.figures() if quality is not None else {},
        settings=settings,
        libraries=_libraries(),
    )


def _name(source: str) -> str:
    """A model's name out of its data's."""
    stem = source.split(".", maxsplit=1)[0] or "model"
    return "".join(c if c.isalnum() or c in "-_" else "-" for c in stem.lower())


def _libraries() -> dict[str, str]:
    found = {}
    for name in ("torch", "scikit-learn", "lightgbm", "onnxruntime", "numpy", "pillow", "soundfile", "tokenizers"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
