"""Examples without classes as numbers that are near where examples are alike: by a network that knows other things, or plainly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.classes import AT_ONCE, Classifier
from tocsin.data.collection import Collection
from tocsin.data.prepare import Preparation, Preparer
from tocsin.errors import BadInput, NotReady, TocsinError

Told = Callable[[str, float], None]
PLAIN = "plain"
_LONGEST = 100
"""Dimensions that are kept of many thousand words."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """Numbers of examples.

    Parameters
    ----------
    rows : int64[n], of the collection; what cannot be read is not among them.
    values : float[n, f]. words : by what they were made, for the reader. preparation : as examples were looked at.
    """

    rows: NDArray[np.int64]
    values: NDArray[Any]
    words: str
    preparation: Preparation


def embed(
    collection: Collection, *, model: Classifier | None = None, network: str | None = None, told: Told
) -> Embedding:
    """Numbers of all examples that can be read.

    Parameters
    ----------
    model : one of ours, whose features are taken. network : one of the registry with published weights, or ``plain``;
        by default the kind's own choice where its weights are here, else plain features.

    Raises
    ------
    BadInput : fewer than four examples can be read, or there is no such network for them.
    NotReady : the network's weights are not here, or what it needs is not installed.
    """
    rows = _readable(collection, told)
    if len(rows) < 4:
        raise BadInput(f"grouping needs four examples that can be read; {len(rows)} can.", field="data")
    if model is not None:
        return Embedding(rows, _by_model(model, collection, rows, told), model.version, model.card.preparation)
    if network != PLAIN and (network is not None or _has_weights(collection.kind)):
        return _by_network(collection, rows, network, told)
    return _plainly(collection, rows, told)


def _readable(collection: Collection, told: Told) -> NDArray[np.int64]:
    """The rows that are what they say they are; texts that say something."""
    from tocsin.data import images, sound

    decode = {"images": lambda raw: images.decode(raw, least=32), "sound": sound.recording}.get(collection.kind)
    good = []
    for i in range(len(collection)):
        told("reading", i / len(collection))
        try:
            raw: Any = collection.raw(i)
            if decode is not None:
                decode(raw)
            elif not raw.strip():
                continue
        except NotReady:
            raise
        except TocsinError:
            continue
        good.append(i)
    return np.array(good, dtype=np.int64)


def _by_model(model: Classifier, collection: Collection, rows: NDArray[np.int64], told: Told) -> NDArray[Any]:
    if model.kind != collection.kind:
        raise BadInput(f"the model reads {model.kind}; the examples are {collection.kind}.", field="--model")
    out, step = [], AT_ONCE[model.kind]
    for first in range(0, len(rows), step):
        told("the model looks at the examples", first / len(rows))
        out.append(model.features([collection.raw(int(i)) for i in rows[first : first + step]]))
    return np.concatenate(out)


def _has_weights(kind: str) -> bool:
    try:
        from tocsin.learn.perception.chosen import has_weights
    except ModuleNotFoundError:  # no PyTorch here
        return False
    return has_weights(kind)


def _by_network(collection: Collection, rows: NDArray[np.int64], network: str | None, told: Told) -> Embedding:
    from tocsin.learn.perception.chosen import knowing
    from tocsin.learn.perception.recipe import Recipe
    from tocsin.learn.perception.represented import represent

    recipe = Recipe(way="extract", network=network or "")
    chosen = knowing(recipe, collection.kind, 2)
    values = represent(collection, rows, chosen, None, recipe, told)
    return Embedding(
        rows, np.asarray(values), f"{chosen.entry.name}, a network that knows other things", chosen.preparation
    )


def _plainly(collection: Collection, rows: NDArray[np.int64], told: Told) -> Embedding:
    """Fixed features, each block of them as weighty as another; of texts which words they have."""
    from tocsin.learn.perception.plain import FIXED, SIZE, Scale

    told("looking for what is alike", 0.0)
    if collection.kind == "text":
        return Embedding(rows, _words(collection, rows), "the words they have", Preparation("text"))
    preparation = Preparation("images", size=SIZE) if collection.kind == "images" else Preparation("sound")
    preparer, fixed, out = Preparer(preparation), FIXED[collection.kind], []
    for first in range(0, len(rows), 64):
        told("looking at the examples", first / len(rows))
        out.append(fixed.of(preparer.prepared([collection.raw(int(i)) for i in rows[first : first + 64]])))
    values = np.concatenate(out)
    scaled = Scale.of(values, fixed.blocks(preparation.shape))(values)
    words = "colours and edges" if collection.kind == "images" else "the course of their pitches"
    return Embedding(rows, scaled, f"{words}, without a network", preparation)


def _words(collection: Collection, rows: NDArray[np.int64]) -> NDArray[Any]:
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD

    from tocsin.features.text import TextFeatures

    texts = [str(collection.raw(int(i))) for i in rows]
    try:
        found = TextFeatures(words=(1, 1), letters=(0, 0)).fit(texts).sparse(texts)
    except BadInput:
        found = TextFeatures(words=(1, 1), letters=(3, 5), least=1).fit(texts).sparse(texts)
    matrix = csr_matrix((found.data, (found.rows, found.columns)), shape=(len(texts), found.width))
    size = min(_LONGEST, min(matrix.shape) - 1)
    out: NDArray[Any] = TruncatedSVD(size, random_state=0).fit_transform(matrix) if size > 1 else matrix.toarray()
    return out
