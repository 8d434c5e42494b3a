"""Beside a network of texts, what their words alone say: the two are wrong about different texts, so together they are wrong less.

A published network knows what words mean, reads no capitals and forgets how a number was written; plain features count words,
marks and runs of letters, and know nothing else. Measured: docs/decisions/0016. The answer is the sum of both, the words' share chosen on
examples that taught neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.heads import LINEAR, linear_head
from tocsin.artifact.plain import STATE
from tocsin.data.collection import Collection
from tocsin.errors import BadInput
from tocsin.features.text import Sparse, TextFeatures
from tocsin.learn.perception.outcome import Outcome
from tocsin.learn.perception.plain import fit_line, left_out
from tocsin.learn.perception.portions import FOLDS, Portions, folds, taught_by
from tocsin.learn.task import Told, silent
from tocsin.measure.classes import fit_temperature, log_loss, softmax

SHARES = (0.25, 0.5, 1.0)
"""What is tried: how much the words count beside the network, both as sure as they may be."""
COSTS = (0.3, 1.0, 3.0)
"""Of the words' SVM."""
WORTH = 0.02
"""The words are kept where the loss falls by this share."""
LEAST = 150
"""With fewer examples that taught nothing the network answers alone: of fewer, chance alone makes words look useful."""
CHOSEN_BY, COUNTED = 2_000_000, 10_000_000
"""Letters, in all texts together, by which cost and share are chosen, and in which words are counted: a few seconds and 0.4 GB,
a minute and 2 GB. Of more, some texts are drawn."""

Ints = NDArray[np.int64]
Logits = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Tried:
    """A cost and a share, what they come to, and the logits float64[m, classes] of both together."""

    loss: float
    cost: float
    share: float
    factor: float
    together: Logits


def with_words(collection: Collection, rows: Portions, outcome: Outcome, seed: int, told: Told = silent) -> Outcome:
    """The network with the words beside it, or as it was where they help too little.

    Parameters
    ----------
    outcome : of a way with a network, ``unseen`` filled.
    """
    if collection.kind != "text" or outcome.unseen is None or len(outcome.unseen[0]) < LEAST:
        return outcome
    told("counting the words", 0.0)
    taught = np.concatenate([rows.train, rows.val])
    assert outcome.taught is None or np.array_equal(outcome.taught.rows, taught)
    texts = [str(collection.raw(int(i))) for i in taught]
    counted = _drawn(texts, COUNTED, seed)
    try:
        terms = TextFeatures().fit([texts[i] for i in counted])
    except BadInput:  # no word is in two of them
        return outcome
    features, label = terms.sparse([texts[i] for i in counted]), collection.label[taught[counted]]
    some = _drawn([texts[i] for i in counted], CHOSEN_BY, seed)
    found = _chosen(collection, rows, outcome, taught[counted[some]], features.take(some), seed, told)
    if found is None:
        return outcome
    best, alone, unseen = found
    head = fit_line(features, label, len(collection.classes), "svm", best.cost)
    assert head.weights is not None
    assert head.bias is not None
    weights, bias = head.weights * np.float32(best.factor), head.bias * np.float32(best.factor)
    whole = len(counted) == len(taught)
    note = (
        f"Beside the network the words alone are counted, at {best.share:g} of its weight: on examples that taught neither the "
        f"loss fell from {alone:.3f} to {best.loss:.3f}."
    )
    few = f"Words were counted in {len(counted):,} of {len(taught):,} texts, drawn at random: more letters take too much memory."
    test = terms.sparse([str(collection.raw(int(i))) for i in rows.test])
    return replace(
        outcome,
        files=outcome.files | {STATE: terms.save(), LINEAR: linear_head(weights, bias.astype(np.float64))},
        logits=outcome.logits + test.times(weights) + bias,
        temperature=fit_temperature(best.together, collection.label[unseen]),
        settings=outcome.settings | {"words": best.share, "words_cost": best.cost},
        notes=(*outcome.notes, note, *([few] if len(counted) < len(taught) else [])),
        taught=replace(outcome.taught, words=features) if outcome.taught is not None and whole else outcome.taught,
    )


def _drawn(texts: Sequence[str], letters: int, seed: int) -> Ints:
    """Rising numbers of texts that have so many letters together, drawn at random; all where they have no more."""
    length = np.array([len(text) for text in texts])
    order = np.random.default_rng(seed).permutation(len(texts)) if length.sum() > letters else np.arange(len(texts))
    return np.sort(order[np.cumsum(length[order]) <= letters])


def _chosen(
    collection: Collection, rows: Portions, outcome: Outcome, by: Ints, features: Sparse, seed: int, told: Told
) -> tuple[_Tried, float, Ints] | None:
    """The cost and the share that are best on examples that taught neither, the network's own loss there, and which they are.

    An example whose class was in none of those that taught says nothing of it: both are sure that it is another.

    Parameters
    ----------
    by : int64[n], rows of the collection. features : of their words.
    """
    assert outcome.unseen is not None
    unseen, said = outcome.unseen
    place = np.full(len(collection), -1)
    place[unseen] = np.arange(len(unseen))
    part = np.zeros(len(unseen), dtype=np.int64)
    if len(unseen) == len(rows.taught):  # by folds, the very ones the network's head was judged by
        part = folds(collection.label[unseen], rows.groups[unseen], seed, FOLDS)
    at = place[by]
    fold = np.where(at < 0, -1, part[at])
    label, classes = collection.label[by], len(collection.classes)
    judged = taught_by(label, fold)
    if judged.sum() < LEAST:
        return None
    network = said[at[judged]]
    temperature = fit_temperature(network, label[judged])
    alone = log_loss(softmax(network, temperature), label[judged])
    best: _Tried | None = None
    for i, cost in enumerate(COSTS):
        told("counting the words", (1 + i) / (2 + len(COSTS)))
        words = left_out(features, label, fold, classes, cost)[judged]
        sure = fit_temperature(words, label[judged])
        for share in SHARES:
            factor = share * temperature / sure
            together = network + factor * words
            loss = log_loss(softmax(together, fit_temperature(together, label[judged])), label[judged])
            if best is None or loss < best.loss:
                best = _Tried(loss, cost, share, factor, together)
    assert best is not None
    return (best, alone, by[judged]) if best.loss < (1 - WORTH) * alone else None
