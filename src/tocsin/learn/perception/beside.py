"""Beside a network of texts, what their words alone say: the two are wrong about different texts, so together they are wrong less.

A published network knows what words mean, reads no capitals and forgets how a number was written; plain features count words,
marks and runs of letters, and know nothing else. Measured: docs/log.md. The answer is the sum of both, the words' share chosen on
examples that taught neither.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.heads import LINEAR, linear_head
from tocsin.artifact.plain import STATE
from tocsin.data.collection import Collection
from tocsin.errors import BadInput
from tocsin.features.text import Sparse, TextFeatures
from tocsin.learn.perception.outcome import Outcome
from tocsin.learn.perception.plain import fit_line, logits_of
from tocsin.learn.perception.portions import FOLDS, Portions, folds
from tocsin.learn.task import Told, silent
from tocsin.measure.classes import fit_temperature, log_loss, softmax

SHARES = (0.25, 0.5, 1.0)
"""What is tried: how much the words count beside the network, both as sure as they may be."""
COSTS = (0.3, 1.0, 3.0)
"""Of the words' SVM."""
WORTH = 0.02
"""The words are kept where the loss falls by this share."""
LEAST = 30
"""With fewer examples that taught nothing the network answers alone."""

Ints = NDArray[np.int64]
Logits = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Tried:
    """A cost and a share, what they come to, and the logits float64[m, classes] of both together, as sure as they may be."""

    loss: float
    cost: float
    factor: float
    share: float
    together: Logits


def with_words(collection: Collection, rows: Portions, outcome: Outcome, seed: int, told: Told = silent) -> Outcome:
    """The network with the words beside it, or as it was where they help too little.

    Parameters
    ----------
    outcome : of a way with a network, ``unseen`` filled.
    """
    if collection.kind != "text" or outcome.unseen is None or len(outcome.unseen[0]) < LEAST:
        return outcome
    unseen, said = outcome.unseen
    label, classes = collection.label, len(collection.classes)
    taught = np.concatenate([rows.train, rows.val])  # in this order they stand in an outcome's ``taught``, too
    texts = [str(collection.raw(int(i))) for i in taught]
    told("counting the words", 0.0)
    try:
        terms = TextFeatures().fit(texts)
    except BadInput:  # no word is in two of them
        return outcome
    features = terms.sparse(texts)
    place = np.searchsorted(taught, unseen, sorter=(order := np.argsort(taught)))
    judged = order[place]
    others = np.setdiff1d(np.arange(len(taught)), judged)
    fold = np.full(len(taught), -1)
    fold[judged] = 0 if len(others) else folds(label[unseen], rows.groups[unseen], seed, FOLDS)
    alone = log_loss(softmax(said, outcome.temperature), label[unseen])
    tried = []
    for i, cost in enumerate(COSTS):
        told("counting the words", (1 + i) / (2 + len(COSTS)))
        words = _left_out(features, label[taught], fold, classes, cost)[judged]
        sure = fit_temperature(words, label[unseen])
        for share in SHARES:
            factor = share * outcome.temperature / sure
            together = said + factor * words
            loss = log_loss(softmax(together, fit_temperature(together, label[unseen])), label[unseen])
            tried.append(_Tried(loss, cost, factor, share, together))
    best = min(tried, key=lambda one: one.loss)
    if not best.loss < (1 - WORTH) * alone:
        return outcome
    head = fit_line(features, label[taught], classes, "svm", best.cost)
    assert head.weights is not None
    assert head.bias is not None
    weights, bias = head.weights * np.float32(best.factor), head.bias * np.float32(best.factor)
    test = terms.sparse([str(collection.raw(int(i))) for i in rows.test])
    note = (
        f"Beside the network the words alone are counted, at {best.share:g} of its weight: on examples that taught neither the "
        f"loss fell from {alone:.3f} to {best.loss:.3f}."
    )
    return replace(
        outcome,
        files=outcome.files | {STATE: terms.save(), LINEAR: linear_head(weights, bias.astype(np.float64))},
        logits=outcome.logits + logits_of(replace(head, weights=weights, bias=bias), test),
        temperature=fit_temperature(best.together, label[unseen]),
        settings=outcome.settings | {"words": best.share},
        notes=(*outcome.notes, note),
        unseen=(unseen, best.together),
        taught=None if outcome.taught is None else replace(outcome.taught, words=features),
    )


def _left_out(features: Sparse, label: Ints, fold: Ints, classes: int, cost: float) -> Logits:
    """float64[n, classes]: of each example what a machine says that learned from the others; of those never left out nothing."""
    out = np.zeros((len(label), classes))
    for number in np.unique(fold[fold >= 0]):
        away = fold == number
        head = fit_line(features.take(~away), label[~away], classes, "svm", cost)
        out[away] = logits_of(head, features.take(away))
    return out
