"""The Fraud Detection Handbook's published protocol: its rivals reproduced, then Tocsin's trees on Tocsin's features.

    make bench NAME=handbook        (QUICK=1: one fold, a short history, under a minute)
    python benchmarks/handbook.py xgboost tocsin       only these (of: logistic forest xgboost tocsin)

Train on 7 days, wait 7 for the labels, test on 7; four test folds. Every choice, the rivals' and ours, is made on four
earlier validation folds. Cards known to be compromised leave the test days. Simulated data: it says little about a bank.

Reference: Le Borgne, Siblini, Lebichot, Bontempi, "Reproducible Machine Learning for Credit Card Fraud Detection -
Practical Handbook", Université Libre de Bruxelles, 2022, chapters 3 to 5.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tocsin import spec as specs
from tocsin.data import Table, read
from tocsin.features import Kernel, compile_plan
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.measure.metrics import average_precision, card_precision, roc_auc, still_unknown

QUICK = bool(os.environ.get("QUICK"))
DATA = Path(os.environ.get("TOCSIN_DATA", "../shared/data")) / "fraud" / "handbook_simulated_raw.parquet"
DAY_US, WEEK = 86_400_000_000, 7
VALIDATION = ("2018-06-20", "2018-06-27", "2018-07-04", "2018-07-11")
TEST = ("2018-07-25", "2018-08-01", "2018-08-08", "2018-08-15")
SEEDS = (0,) if QUICK else (0, 1, 2, 3, 4)
GOAL = {"auc_roc": 0.90, "average_precision": 0.76, "card_precision_at_100": 0.325}
PUBLISHED = {
    "logistic regression": (0.868, 0.623, 0.297),
    "random forest": (0.870, 0.678, 0.299),
    "XGBoost": (0.869, 0.687, 0.303),
}
MEASURES = ("auc_roc", "average_precision", "card_precision_at_100")
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Scores = Callable[[Floats, Ints, Floats], Iterator[tuple[str, Floats]]]
"""Fits on (rows, fraud) and yields (parameters in words, scores of other rows) for every setting tried."""


@dataclass(frozen=True)
class Payments:
    """The payments' plain columns, in order of time."""

    day: Ints
    second: Ints
    card: Ints
    terminal: Ints
    amount: Floats
    fraud: Ints

    @classmethod
    def of(cls, table: Table) -> Payments:
        at = table.at
        first = np.datetime64("2018-04-01").astype("datetime64[us]").astype(np.int64)
        keys = {name: column[table.payments] for name, column in table.batch.keys.items()}
        return cls(
            (at - first) // DAY_US,
            (at - first) // 1_000_000,
            np.unique(keys["account"], return_inverse=True)[1],
            np.unique(keys["retailer"], return_inverse=True)[1],
            table.amount / table.spec.minor_units,
            (table.label == 1).astype(np.int64),
        )


def fold(payments: Payments, start: str) -> tuple[Ints, Ints]:
    """Rows to train on and rows to be judged by."""
    first = (date.fromisoformat(start) - date(2018, 4, 1)).days
    train = np.flatnonzero((payments.day >= first) & (payments.day < first + WEEK))
    return train, still_unknown(payments.fraud, payments.card, payments.day, start=first)


def judged(payments: Payments, rows: Ints, score: Floats) -> Floats:
    """The three published measures, in the order of ``MEASURES``."""
    truth = payments.fraud[rows]
    return np.array(
        [
            roc_auc(truth, score),
            average_precision(truth, score),
            card_precision(truth, score, payments.card[rows], payments.day[rows], 100),
        ]
    )


def published_features(p: Payments) -> Floats:
    """The book's 15 features: the payment itself is in the customer's windows; the terminal's end 7 days ago."""
    clock = p.second % 86_400
    columns = [p.amount, (((p.second // 86_400) + 6) % 7 >= 5) * 1.0, (clock // 3600 <= 6) * 1.0]
    for days in (1, 7, 30):
        number, total = windowed(p.card, p.second, (np.ones(len(p.amount)), p.amount), days, 0)
        columns += [number, total / number]
    for days in (1, 7, 30):
        number, frauds = windowed(p.terminal, p.second, (np.ones(len(p.amount)), p.fraud * 1.0), days, 7)
        columns += [number, np.divide(frauds, number, out=np.zeros(len(number)), where=number > 0)]
    return np.column_stack(columns)


def windowed(key: Ints, second: Ints, values: tuple[Floats, ...], days: int, delay: int) -> list[Floats]:
    """Sums over (t - delay - days, t - delay] of the same key; without delay up to the payment itself."""
    order = np.lexsort((np.arange(len(key)), key))
    stride = 2**26
    place = key[order] * stride + second[order]
    end = second[order] - delay * 86_400
    before = key[order] * stride + np.maximum(end - days * 86_400, -1)
    low = np.searchsorted(place, before, side="right")
    if delay:
        high = np.searchsorted(place, key[order] * stride + np.maximum(end, -1), side="right")
    else:
        high = np.arange(1, len(key) + 1)
    sums = []
    for value in values:
        total = np.concatenate(([0.0], np.cumsum(value[order])))
        out = np.empty(len(key))
        out[order] = total[high] - total[low]
        sums.append(out)
    return sums


def logistic(rows: Floats, fraud: Ints, others: Floats) -> Iterator[tuple[str, Floats]]:
    """The book's grid of C."""
    for c in (1.0,) if QUICK else (0.1, 1.0, 10.0, 100.0):
        model = LogisticRegression(C=c, random_state=0).fit(rows, fraud)
        yield f"C={c:g}", model.predict_proba(others)[:, 1]


def forest(rows: Floats, fraud: Ints, others: Floats) -> Iterator[tuple[str, Floats]]:
    """The book's grid; a forest of 25 trees is the first 25 of one of 100, so each depth is grown once."""
    for depth in (20,) if QUICK else (5, 10, 20, 50):
        most = 25 if QUICK else 100
        model = RandomForestClassifier(most, max_depth=depth, random_state=0, n_jobs=1).fit(rows, fraud)
        votes = np.cumsum([tree.predict_proba(others.astype(np.float32))[:, 1] for tree in model.estimators_], axis=0)
        for trees in (25, 50, 100):
            if trees <= most:
                yield f"{trees} trees of depth {depth}", votes[trees - 1] / trees


def boosted(rows: Floats, fraud: Ints, others: Floats) -> Iterator[tuple[str, Floats]]:
    """The book's grid, grown as XGBoost did then: exactly, from a chance of one half."""
    for depth in (3,) if QUICK else (3, 6, 9):
        for rate in (0.3,) if QUICK else (0.1, 0.3):
            model = xgboost.XGBClassifier(
                max_depth=depth,
                n_estimators=50 if QUICK else 100,
                learning_rate=rate,
                random_state=0,
                tree_method="exact",
                base_score=0.5,
                n_jobs=1,
            ).fit(rows, fraud)
            for trees in (50,) if QUICK else (25, 50, 100):
                yield (
                    f"{trees} trees of depth {depth}, rate {rate}",
                    model.predict_proba(others, iteration_range=(0, trees))[:, 1],
                )


def rival(payments: Payments, features: Floats, method: Scores, starts: tuple[str, ...]) -> dict[str, Floats]:
    """Every setting's mean measures over some folds; inputs standardised as in the book."""
    found: dict[str, list[Floats]] = {}
    for start in starts:
        train, test = fold(payments, start)
        scale = StandardScaler().fit(features[train])
        rows, others = scale.transform(features[train]), scale.transform(features[test])
        for setting, score in method(rows, payments.fraud[train], others):
            found.setdefault(setting, []).append(judged(payments, test, score))
    return {setting: np.mean(values, axis=0) for setting, values in found.items()}


def best_of(payments: Payments, features: Floats, method: Scores) -> Floats:
    """As in the book: for each measure, the test figure of the setting that was best on the validation folds by it."""
    if QUICK:
        return next(iter(rival(payments, features, method, TEST[:1]).values()))
    valid, test = (rival(payments, features, method, starts) for starts in (VALIDATION, TEST))
    chosen = [max(valid, key=lambda s, m=m: valid[s][m]) for m in range(len(MEASURES))]
    return np.array([test[setting][m] for m, setting in enumerate(chosen)])


# What was tried on the validation folds in the last round; docs/log.md has the rounds before.
SETTINGS: dict[str, BoostingSettings] = {
    "200 trees of 15 leaves, rate 0.05": BoostingSettings(
        trees=200, leaves=15, rate=0.05, columns=0.4, least_rows=40, least_weight=0.001
    ),
    "300 trees of 8 leaves, rate 0.05": BoostingSettings(
        trees=300, leaves=8, rate=0.05, columns=0.4, least_rows=40, least_weight=0.001
    ),
    "500 trees of 15 leaves, rate 0.02": BoostingSettings(
        trees=500, leaves=15, rate=0.02, columns=0.4, least_rows=40, least_weight=0.001
    ),
}


def kernel_features(table: Table, wanted: NDArray[np.bool_]) -> tuple[Floats, tuple[int, ...], float]:
    """The ready spec's features of the wanted payments, where each stage ends, and the kernel's events a second.

    Labels reach the memory seven days after the payment, so no feature knows more than the protocol allows.
    """
    plan = compile_plan(table.spec)
    kernel = Kernel(plan)
    stream = table.stream()
    kept: list[Floats] = []
    begin, done = time.perf_counter(), 0
    for first in range(0, len(stream), 65_536):
        rows = kernel.step(stream.take(slice(first, first + 65_536)))[:, : len(plan.names)]
        kept.append(rows[wanted[done : done + len(rows)]])
        done += len(rows)
    return np.concatenate(kept), plan.ends, len(stream) / (time.perf_counter() - begin)


def tocsin(
    payments: Payments, features: Floats, place: Ints, ends: tuple[int, ...], settings: BoostingSettings, start: str
) -> Floats:
    """One fold, one seed."""
    train, test = fold(payments, start)
    rows = Examples.of(features[place[train]], payments.fraud[train].astype(np.int8))
    model = StagedTrees(ends, (), settings).fit(rows)
    return judged(payments, test, model.margins(features[place[test]])[:, -1])


def choose(payments: Payments, features: Floats, place: Ints, ends: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Setting and stages (stage by stage, or all columns at once) with the best average precision in validation."""
    shapes = {"stage by stage": ends, "all columns at once": ()}
    if QUICK:
        return next(iter(SETTINGS)), ()
    tried = {}
    for shape, stages in shapes.items():
        for name, settings in SETTINGS.items():
            figures = np.mean([tocsin(payments, features, place, stages, settings, s) for s in VALIDATION], axis=0)
            tried[name, stages] = figures
            print(f"  validation, {shape:20} {name:38} {say(figures)}", flush=True)
    return max(tried, key=lambda key: tried[key][1])


def say(figures: Floats) -> str:
    return "   ".join(f"{value:.4f}" for value in figures)


def main(parts: list[str]) -> None:
    begin = time.perf_counter()
    table = read(DATA, specs.load("handbook"))
    if QUICK:
        table = _short(table)
    payments = Payments.of(table)
    train, test = fold(payments, TEST[0])
    frauds, judged_frauds = payments.fraud[train].sum(), payments.fraud[test].sum()
    print(f"{len(table):,} payments; first test fold: train {len(train):,} / {frauds} frauds, ", end="")
    print(f"test {len(test):,} / {judged_frauds}")
    print(f"{'mean of the test folds':34} {'AUC':>6} {'AP':>8} {'CP@100':>10}   published")
    theirs = rivals(payments, parts)
    ours = trees(table, payments) if "tocsin" in parts else np.empty((0, len(MEASURES)))
    _last_line(ours, theirs.get("XGBoost"), time.perf_counter() - begin)


def rivals(payments: Payments, parts: list[str]) -> dict[str, Floats]:
    """The published models on the published features, each at the book's best settings."""
    plain = published_features(payments)
    found = {}
    methods = {"logistic": logistic, "forest": forest, "xgboost": boosted}
    for name, (part, method) in zip(PUBLISHED, methods.items(), strict=True):
        if part not in parts:
            continue
        found[name] = best_of(payments, plain, method)
        print(f"{name:34} {say(found[name])}   {PUBLISHED[name]}", flush=True)
    return found


def trees(table: Table, payments: Payments) -> Floats:
    """Tocsin: settings chosen in validation, then one row of measures a seed on the test folds."""
    wanted = np.zeros(len(table), dtype=bool)
    for start in TEST[:1] if QUICK else (*VALIDATION, *TEST):
        for rows in fold(payments, start):
            wanted[rows] = True
    features, ends, speed = kernel_features(table, wanted)
    place = np.cumsum(wanted) - 1
    print(f"{features.shape[1]} features of the spec `handbook`, {speed:,.0f} events/s", flush=True)
    setting, stages = choose(payments, features, place, ends)
    print(f"chosen in validation: {setting}, {'stage by stage' if stages else 'all columns at once'}")
    runs = []
    for seed in SEEDS:
        settings = replace(SETTINGS[setting], seed=seed)
        folds = [tocsin(payments, features, place, stages, settings, f) for f in (TEST[:1] if QUICK else TEST)]
        runs.append(np.mean(folds, axis=0))
        print(f"  Tocsin, seed {seed:<20} {say(runs[-1])}", flush=True)
    found = np.array(runs)
    print(
        f"{'Tocsin, mean of ' + str(len(SEEDS)) + ' seeds':34} {say(found.mean(axis=0))}   goal {tuple(GOAL.values())}"
    )
    print(f"{'  spread over the seeds':34} {say(found.std(axis=0))}")
    return found


def _short(table: Table) -> Table:
    """Only what the first test fold needs, with five weeks of history."""
    day = (table.at - np.datetime64("2018-04-01").astype("datetime64[us]").astype(np.int64)) // DAY_US
    rows = (day >= 80) & (day < 136)
    batch = table.batch.take(table.payments[rows])
    return replace(
        table,
        batch=replace(batch, number=np.arange(1, len(batch) + 1)),
        ids=table.ids[rows],
        label=table.label[rows],
        known_at=table.known_at[rows],
        row=table.row[rows],
    )


def _last_line(ours: Floats, xgboost_figures: Floats | None, seconds: float) -> None:
    """One fold with a short history is no measurement of the published table: its figures get names of their own."""
    line: dict[str, float | bool | None] = {"quick": QUICK}
    for i, measure in enumerate(MEASURES):
        mean = round(float(ours[:, i].mean()), 4) if len(ours) else None
        rival = None if xgboost_figures is None else round(float(xgboost_figures[i]), 4)
        line[measure] = None if QUICK else mean
        line[f"xgboost_{measure}"] = None if QUICK else rival
        if QUICK:
            line[f"first_fold_{measure}"], line[f"first_fold_xgboost_{measure}"] = mean, rival
        else:
            line[f"{measure}_spread"] = round(float(ours[:, i].std()), 4) if len(ours) else None
    print(json.dumps({**line, "seeds": len(ours), "seconds": round(seconds, 1)}))


if __name__ == "__main__":
    main(sys.argv[1:] or ["logistic", "forest", "xgboost", "tocsin"])
