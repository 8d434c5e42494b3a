"""The measurements behind an advice: learning curves by cross-validation, and this machine's own speed, within a budget.

Everything is done on examples that may be learned from; the test part is never read.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import Collection
from tocsin.evaluate.growth import Growth, Point
from tocsin.features.text import Sparse
from tocsin.learn.perception.baseline import given_of, preparation_of
from tocsin.learn.perception.plain import COSTS, FIXED, Plain, fit_line, logits_of, taken, usual_cost
from tocsin.learn.perception.portions import Portions, folds, share
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.task import Told, silent

Clock = Callable[[], float]
SIZES = (0.125, 0.25, 0.5, 1.0)
FOLDS = 4
LEAST = 48
"""Fewer examples than this tell nothing of what more would bring."""
RARE = 0.25
"""Share of the examples below which one of two classes is rare."""

Features = NDArray[np.float32] | Sparse


@dataclass(frozen=True, slots=True)
class Trial:
    """What one way came to.

    Parameters
    ----------
    growth : its learning curve. rows : how many examples it was measured with.
    seconds : forecast of learning from all, by this machine's speed. network : of the registry; empty for none.
    """

    growth: Growth
    rows: int
    seconds: float
    network: str = ""


def some_rows(collection: Collection, rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """About so many of the rows, each class with its share, no group cut in two."""
    if len(rows) <= most:
        return rows
    groups = np.asarray(collection.group)[rows]
    return rows[share(collection.label[rows], groups, most / len(rows), seed)]


def curve(
    features: Features,
    label: NDArray[np.int64],
    groups: NDArray[np.str_],
    classes: int,
    *,
    blocks: tuple[int, ...] = (),
    words: Features | None = None,
    rare: int | None = None,
    seed: int = 0,
    told: Told = silent,
) -> tuple[Growth, float]:
    """A linear machine's learning curve by cross-validation, and the seconds one fit on the most examples took.

    Each fold is judged by machines that learned from an eighth, a quarter, half and all of the others; a point's deviation is
    that of the folds, and not less than that of so many coins.

    Parameters
    ----------
    words : of texts, counted beside a network's features: what both machines say is added (:mod:`tocsin.learn.perception.beside`).
    rare : the class whose F1 is measured in place of the share right (:func:`rare_class`).
    """
    fold = folds(label, groups, seed, FOLDS)
    right: dict[float, list[float]] = {size: [] for size in SIZES}
    counts: dict[float, list[int]] = {size: [] for size in SIZES}
    slowest = 0.0
    for f in range(FOLDS):
        others, judged = np.flatnonzero(fold != f), np.flatnonzero(fold == f)
        for size in SIZES:
            told("measuring how examples help", (f + size) / FOLDS)
            rows = others if size == 1.0 else others[share(label[others], groups[others], size, seed + f)]
            if len(np.unique(label[rows])) < 2 or not len(judged):
                continue
            began = time.process_time()
            cost = usual_cost(features)
            head = fit_line(taken(features, rows), label[rows], classes, "svm", cost, blocks=blocks, seed=seed)
            slowest = max(slowest, time.process_time() - began)
            said = logits_of(head, taken(features, judged))
            if words is not None:
                counted = fit_line(taken(words, rows), label[rows], classes, "svm", usual_cost(words), seed=seed)
                said = said + logits_of(counted, taken(words, judged))
            right[size].append(scored(said.argmax(axis=1), label[judged], rare))
            counts[size].append(len(rows))
    points = []
    for size in SIZES:
        if right[size]:
            mean = float(np.mean(right[size]))
            coins = len(label) if rare is None else int((label == rare).sum())
            held = (mean * coins + 1) / (coins + 2)  # all right of a few is not certainty
            coin = np.sqrt(held * (1 - held) / coins)
            between = float(np.std(right[size])) / np.sqrt(max(1, len(right[size]) - 1))
            points.append(Point(round(float(np.mean(counts[size]))), mean, max(float(coin), between)))
    return Growth.through(points, seed), slowest


def few_of(label: NDArray[np.int64], most: int = 600) -> NDArray[np.int64]:
    """At most so many rows by which a machine is timed, of several classes where there are: examples often come class by class.

    Examples
    --------
    >>> few_of(np.array([0] * 900 + [1]), 3).tolist()
    [0, 450, 900]
    """
    order = np.argsort(label, kind="stable")
    return np.sort(order[np.linspace(0, len(order) - 1, min(most, len(order))).astype(int)])


def rare_class(collection: Collection, rows: NDArray[np.int64]) -> int | None:
    """Of two classes the one that is under a quarter of the examples: nearly all is right when it is never said."""
    counts = np.bincount(collection.label[rows], minlength=len(collection.classes))
    return int(counts.argmin()) if len(counts) == 2 and counts.min() < RARE * counts.sum() else None


def scored(said: NDArray[np.int64], label: NDArray[np.int64], rare: int | None) -> float:
    """The share right, or the F1 of a rare class."""
    if rare is None:
        return float((said == label).mean())
    both = int(((said == rare) & (label == rare)).sum())
    return 2 * both / max(1, int((said == rare).sum() + (label == rare).sum()))


def try_plain(
    collection: Collection,
    rows: Portions,
    budget: float,
    *,
    seed: int = 0,
    clock: Clock = time.perf_counter,
    told: Told = silent,
) -> Trial:
    """Plain features: their learning curve, and how long learning from all takes."""
    taught, kind = rows.taught, collection.kind
    first = taught[np.linspace(0, len(taught) - 1, min(24, len(taught))).astype(int)]
    began = clock()
    if kind != "text":
        FIXED[kind].of(given_of(collection, first, preparation_of(kind)))
    each = (clock() - began) / len(first)
    most = 6000 if kind == "text" else max(LEAST, min(4000, int(0.5 * budget / max(each, 1e-5))))
    used = some_rows(collection, taught, most, seed)
    label, groups = collection.label[used], np.asarray(collection.group)[used]
    given = given_of(collection, used, preparation_of(kind), told)
    model = Plain(kind)
    features, blocks = model.look(given), model.blocks_
    growth, fit = curve(
        features,
        label,
        groups,
        len(collection.classes),
        blocks=blocks,
        rare=rare_class(collection, taught),
        seed=seed,
        told=told,
    )
    began = clock()
    rest = _other_machines(features, label, len(collection.classes), blocks, seed)
    grown = len(rows.train) / max(1.0, len(used) * (1 - 1 / FOLDS))
    # the SVM at every cost and once more on all; what else is tried is timed for itself
    fits = fit * grown * (len(COSTS["svm"]) + 1.5) + (rest or clock() - began) * len(rows.train) / max(1, len(used))
    seconds = each * (len(taught) + len(rows.test)) + fits
    return Trial(growth, len(used), seconds)


def _other_machines(
    features: Features, label: NDArray[np.int64], classes: int, blocks: tuple[int, ...], seed: int
) -> float:
    """Seconds of what plain tries besides the SVM, on these examples: regressions, and trees by a few rounds of them."""
    few = few_of(label)
    scale = len(label) / max(1, len(few))
    began = time.process_time()
    fit_line(taken(features, few), label[few], classes, "logistic", COSTS["logistic"][0], blocks=blocks, seed=seed)
    lines = (time.process_time() - began) * scale * 3
    if isinstance(features, Sparse):
        return lines
    import lightgbm

    began = time.process_time()
    settings = {"objective": "multiclass", "num_class": classes, "num_leaves": 15, "num_threads": 1, "verbosity": -1}
    more = {"feature_fraction": min(1.0, 100 / features.shape[1]), "seed": seed, "force_row_wise": True}
    lightgbm.train(settings | more, lightgbm.Dataset(features, label, params=settings | more), ROUNDS_TIMED)
    return lines + (time.process_time() - began) * ROUNDS_USUAL / ROUNDS_TIMED


ROUNDS_TIMED, ROUNDS_USUAL = 10, 180
"""Rounds of trees that are grown to time them, and what early stopping usually leaves of 400."""


def try_extract(
    collection: Collection,
    rows: Portions,
    recipe: Recipe,
    budget: float,
    *,
    clock: Clock = time.perf_counter,
    told: Told = silent,
) -> Trial:
    """A published network's features: their learning curve, and how long looking at all and learning takes.

    Raises
    ------
    NotReady : PyTorch or the weights are not here.
    """
    from tocsin.learn.perception.chosen import knowing, texts_of
    from tocsin.learn.perception.extract import read_best, sized
    from tocsin.learn.perception.heads import fit_linear

    classes = len(collection.classes)
    recipe = sized(collection, rows.train, recipe)
    chosen = knowing(recipe, collection.kind, classes, texts_of(collection, rows.train))
    taught, label, groups = rows.taught, collection.label, np.asarray(collection.group)
    with tempfile.TemporaryDirectory() as folder:
        here = replace(recipe, cache=Path(folder))

        def look(some: NDArray[np.int64], told: Told = silent) -> tuple[NDArray[np.float32], float]:
            began = clock()
            fold = folds(label[some], groups[some], recipe.seed)
            features = np.asarray(read_best(collection, some, chosen, here, fold, told)[1])
            return features, clock() - began

        times = []
        for count in (LEAST, 2 * LEAST):
            some = taught[np.linspace(0, len(taught) - 1, min(count, len(taught))).astype(int)]
            times.append(look(some)[1])
        each = max((times[1] - times[0]) / LEAST, 1e-5)
        fixed = max(0.0, times[0] - LEAST * each)
        most = max(LEAST, int((0.6 * budget - 2 * fixed) / each))
        used = some_rows(collection, taught, most, recipe.seed)
        features, seconds = look(used, told)
    each = max(1e-5, (seconds - fixed) / len(used))
    rare = rare_class(collection, taught)
    words, counting = None, 0.0
    if collection.kind == "text" and recipe.words:
        words = Plain("text").look(given_of(collection, used, preparation_of("text")))
        began = clock()
        fit_line(words, label[used], classes, "svm", usual_cost(words), seed=recipe.seed)
        counting = (clock() - began) * len(taught) / max(1, len(used)) * (4 if rows.own_val else 13)
    growth, _ = curve(features, label[used], groups[used], classes, words=words, rare=rare, seed=recipe.seed, told=told)
    few = few_of(label[used])
    began = clock()
    fit_linear(features[few], label[used][few], classes, "svm", 3e-4)
    one = (clock() - began) * len(taught) / max(1, len(few))
    fits = one * (5 if rows.own_val else 5 * 5 * 0.8 + 1)
    seconds = each * (len(taught) + len(rows.test)) + 2 * fixed + fits + counting
    return Trial(growth, len(used), seconds, chosen.entry.name)
