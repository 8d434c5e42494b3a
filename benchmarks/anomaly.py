"""Anomaly scores without labels side by side: the isolation forest, the autoencoder, and both.

    make bench NAME=anomaly        (QUICK=1: one week, one seed, small networks; under a minute)
    python benchmarks/anomaly.py handbook|unlabelled|kernel|world|ulb        only these

The Handbook prints an autoencoder (AUC 0.836, AP 0.180, CP@100 0.217) and a forest (0.808, 0.164, 0.190) for one validation
week: learned on 11 to 17 July 2018, judged on 25 to 31 July. Here that week, and the mean of all four validation weeks. No
label is read while learning; but three of the book's 15 columns are themselves made of labels (a terminal's share of
frauds), so the table also shows the other twelve alone. "Both" is the mean of the two ranks.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from handbook import DATA, VALIDATION, Payments, fold, judged, published_features
from tocsin import spec as specs
from tocsin.data import read
from tocsin.data.world import WorldSettings, make_world, write_world
from tocsin.features import compile_plan
from tocsin.learn.autoencoder import Restoring
from tocsin.learn.contract import Examples
from tocsin.learn.gathering import features
from tocsin.learn.unsupervised import IsolationForest
from tocsin.measure.metrics import average_precision, recall_at, roc_auc

QUICK = bool(os.environ.get("QUICK"))
SEEDS = (0,) if QUICK else (0, 1, 2)
WEEKS = VALIDATION[-1:] if QUICK else VALIDATION
PLAIN = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13)
"""The book's columns but the terminal's share of frauds over 1, 7 and 30 days."""
PUBLISHED = {"forest": (0.808, 0.164, 0.190), "autoencoder": (0.836, 0.180, 0.217)}
Floats = NDArray[np.float64]
Judge = Callable[[Floats], Floats]


def learned(rows: Examples, codes: tuple[int, ...], seed: int) -> dict[str, IsolationForest | Restoring]:
    """Both, from rows whose labels are hidden."""
    hidden = Examples.of(rows.matrix, np.full(len(rows), -1, dtype=np.int8), at=rows.at, weight=rows.weight)
    small = {"epochs": 2, "wide": 32, "deals": 4, "most_rows": 20_000} if QUICK else {}
    return {
        "forest": IsolationForest(codes, seed=seed).fit(hidden),
        "autoencoder": Restoring(codes, seed=seed, **small).fit(hidden),
    }


def compared(rows: Examples, others: Floats, judge: Judge, codes: tuple[int, ...] = ()) -> dict[str, Floats]:
    """Name -> measures float64[seeds, measures]."""
    found: dict[str, list[Floats]] = {}
    for seed in SEEDS:
        scores = {name: learner.score(others) for name, learner in learned(rows, codes, seed).items()}
        scores["both"] = sum(_ranks(score) for score in scores.values()) / 2
        for name, score in scores.items():
            found.setdefault(name, []).append(judge(score))
    return {name: np.array(values) for name, values in found.items()}


def _ranks(score: Floats) -> Floats:
    """From 0 to 1, the same for equal scores."""
    ordered = np.sort(score)
    return (np.searchsorted(ordered, score, "left") + np.searchsorted(ordered, score, "right")) / (2 * len(score))


def handbook(columns: str) -> dict[str, float]:
    """The four validation weeks on the book's columns (``book`` or ``book without labels``) or the ``kernel``'s."""
    table = read(DATA, specs.load("handbook"))
    payments = Payments.of(table)
    codes: tuple[int, ...] = ()
    if columns == "kernel":
        plan = compile_plan(table.spec)
        matrix, codes = features(table, plan)[0].matrix[:, : len(plan.names)], plan.categorical
    else:
        matrix = published_features(payments)[:, PLAIN if columns == "book without labels" else slice(None)]
    weeks: dict[str, list[Floats]] = {}
    for start in WEEKS:
        train, test = fold(payments, start)
        rows = Examples.of(matrix[train], payments.fraud[train].astype(np.int8))
        found = compared(rows, matrix[test], lambda score, test=test: judged(payments, test, score), codes)
        for name, values in found.items():
            weeks.setdefault(name, []).append(values)
            print(f"    {columns}, {start}, {name:12} {say(values.mean(axis=0))}", flush=True)
    print(f"Handbook, {columns}: {matrix.shape[1]} columns; AUC, AP, CP@100, mean of {len(SEEDS)} seeds (spread)")
    keys: dict[str, float] = {}
    prefix = {"book": "", "book without labels": "unlabelled_", "kernel": "kernel_"}[columns]
    for name, values in weeks.items():
        last, mean = values[-1], np.mean(values, axis=0)
        published = PUBLISHED.get(name, "") if columns == "book" else ""
        print(f"  {name:12} week of 11 July {say(last.mean(axis=0))} ({say(last.std(axis=0))})  published {published}")
        print(f"  {'':12} mean of {len(WEEKS)} weeks {say(mean.mean(axis=0))} ({say(mean.std(axis=0))})", flush=True)
        for i, measure in enumerate(("roc_auc", "average_precision", "card_precision_100")):
            keys[f"{prefix}{name}_{measure}"] = last[:, i].mean()
            keys[f"{prefix}{name}_{measure}_four_weeks"] = mean[:, i].mean()
    return keys


def world() -> dict[str, float]:
    """A made world (seed 7): learned from the first 60 % of the payments, judged on the rest."""
    with tempfile.TemporaryDirectory() as folder:
        write_world(make_world(WorldSettings(transactions=20_000 if QUICK else 100_000, seed=7)), Path(folder))
        table = read(Path(folder) / "world.parquet", specs.load("world"))
    plan = compile_plan(table.spec)
    examples = features(table, plan)[0]
    begins = int(examples.at[int(len(examples) * 0.6)])
    return _split("world", "Made world, kernel's columns", examples, examples.at < begins, plan)


def ulb() -> dict[str, float]:
    """The real cards with their weights: learned before Time = 145,147."""
    table = read(DATA.parent / "ulb_creditcard_subset.parquet", specs.load("ulb"))
    plan = compile_plan(table.spec)
    examples = features(table, plan)[0]
    second = (examples.at - np.datetime64("2013-09-01").astype("datetime64[us]").astype(np.int64)) // 1_000_000
    return _split("ulb", "ULB, real", examples, second < 145_147, plan)


def _split(key: str, title: str, examples: Examples, train: NDArray[np.bool_], plan: object) -> dict[str, float]:
    width, codes = len(plan.names), plan.categorical  # type: ignore[attr-defined]
    examples = Examples.of(
        examples.matrix[:, :width], examples.label, at=examples.at, known_at=examples.known_at, weight=examples.weight
    )
    test = examples.take(~train).known()

    def judge(score: Floats) -> Floats:
        given = test.label, score
        measures = roc_auc(*given, test.weight), average_precision(*given, test.weight)
        return np.array([*measures, recall_at(*given, 0.01, test.weight)])

    found = compared(examples.take(train), test.matrix, judge, codes)
    print(
        f"{title}: {train.sum():,} rows to learn from, {(test.label == 1).sum()} frauds among {len(test):,} to judge by;"
    )
    print("  AUC, AP, recall at 1 % false positives (spread over the seeds)")
    for name, values in found.items():
        print(f"  {name:12} {say(values.mean(axis=0))} ({say(values.std(axis=0))})", flush=True)
    measures = ("roc_auc", "average_precision", "recall_at_1_percent")
    return {f"{key}_{name}_{m}": values[:, i].mean() for name, values in found.items() for i, m in enumerate(measures)}


def say(figures: Floats) -> str:
    return " ".join(f"{value:.4f}" for value in figures)


PARTS: dict[str, Callable[[], dict[str, float]]] = {
    "handbook": lambda: handbook("book"),
    "unlabelled": lambda: handbook("book without labels"),
    "kernel": lambda: handbook("kernel"),
    "world": world,
    "ulb": ulb,
}


def main(parts: list[str]) -> None:
    torch.set_num_threads(1)
    begin = time.perf_counter()
    found: dict[str, float] = {}
    for part in parts:
        found |= PARTS[part]()
    keys = [f"{n}_{m}" for n in PUBLISHED for m in ("roc_auc", "average_precision", "card_precision_100")]
    line: dict[str, object] = {"quick": QUICK} | dict.fromkeys(keys)
    # Small networks for one week are no measurement: their figures get names of their own.
    line |= {f"quick_{key}" if QUICK else key: round(float(value), 4) for key, value in found.items()}
    print(json.dumps({**line, "seeds": len(SEEDS), "seconds": round(time.perf_counter() - begin, 1)}))


if __name__ == "__main__":
    main(sys.argv[1:] or (["handbook", "ulb"] if QUICK else list(PARTS)))
