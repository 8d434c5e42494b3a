"""Two more sets of card payments: a real one (ULB, 75 frauds to find) and a simulated one that is nearly solved (Sparkov).

    make bench NAME=cards        (QUICK=1: ULB with small rivals, a tenth of Sparkov's customers; under a minute)
    python benchmarks/cards.py ulb|sparkov        one of the two

ULB here is a subset with weights (its README says how it came to be), so every figure is weighted; differences under
0.02 AUC or 0.05 average precision are noise with 75 frauds. Sparkov is a no-harm test and nothing more. Settings, the
rivals' and ours, are chosen on a validation window at the end of the training time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars
import xgboost
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from tocsin import spec as specs
from tocsin.data import Table, read
from tocsin.features import Kernel, compile_plan
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples
from tocsin.measure.metrics import average_precision, recall_at, roc_auc

QUICK = bool(os.environ.get("QUICK"))
FOLDER = Path(os.environ.get("TOCSIN_DATA", "../shared/data")) / "fraud"
SEEDS = (0,) if QUICK else (0, 1, 2, 3, 4)
SECOND = 1_000_000
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Task:
    """Rows to learn from, rows at the end of them to choose by, rows to be judged by."""

    rows: Floats
    fraud: NDArray[np.int8]
    weight: Floats
    train: Flags
    valid: Flags
    test: Flags

    def on(self, rows: Floats) -> Task:
        """The same payments with other columns."""
        return replace(self, rows=rows)

    def judge(self, part: Flags, score: Floats) -> tuple[float, float, float]:
        """AUC, average precision, recall at 1 % false positives; weighted."""
        truth, weight = self.fraud[part], self.weight[part]
        return (
            roc_auc(truth, score, weight),
            average_precision(truth, score, weight),
            recall_at(truth, score, 0.01, weight),
        )


Fitted = Callable[[Floats], Floats]
Method = Callable[[Floats, NDArray[np.int8], Floats], Fitted]
"""From rows, fraud and weight to a function that scores other rows."""


def forest(trees: int, leaf: int) -> Method:
    def fit(rows: Floats, fraud: NDArray[np.int8], weight: Floats) -> Fitted:
        model = RandomForestClassifier(trees, min_samples_leaf=leaf, random_state=0, n_jobs=1)
        model.fit(np.nan_to_num(rows), fraud, sample_weight=weight)
        return lambda others: model.predict_proba(np.nan_to_num(others))[:, 1]

    return fit


def boosted(trees: int, depth: int, rate: float) -> Method:
    def fit(rows: Floats, fraud: NDArray[np.int8], weight: Floats) -> Fitted:
        model = xgboost.XGBClassifier(
            n_estimators=trees,
            max_depth=depth,
            learning_rate=rate,
            tree_method="exact",
            base_score=0.5,
            random_state=0,
            n_jobs=1,
        ).fit(rows, fraud, sample_weight=weight)
        return lambda others: model.predict_proba(others)[:, 1]

    return fit


def staged(settings: BoostingSettings, ends: tuple[int, ...], codes: tuple[int, ...]) -> Method:
    def fit(rows: Floats, fraud: NDArray[np.int8], weight: Floats) -> Fitted:
        examples = Examples.of(rows, fraud, weight=weight)
        model = StagedTrees(ends, codes, settings).fit(examples)
        return lambda others: model.margins(others)[:, -1]

    return fit


def chosen(task: Task, methods: dict[str, Method]) -> tuple[str, Method]:
    """The method with the best average precision in the validation window; the only one, if there is one."""
    if len(methods) == 1:
        return next(iter(methods.items()))
    early = task.train & ~task.valid
    figures = {}
    for name, method in methods.items():
        score = method(task.rows[early], task.fraud[early], task.weight[early])(task.rows[task.valid])
        figures[name] = task.judge(task.valid, score)
        print(f"    validation {name:44} {say(figures[name])}", flush=True)
    best = max(figures, key=lambda name: figures[name][1])
    return best, methods[best]


def tested(task: Task, method: Method) -> tuple[float, float, float]:
    score = method(task.rows[task.train], task.fraud[task.train], task.weight[task.train])
    return task.judge(task.test, score(task.rows[task.test]))


def run(title: str, task: Task, methods: dict[str, Method]) -> tuple[float, float, float]:
    """Choose, learn on all of the training time, judge."""
    name, method = chosen(task, methods)
    figures = tested(task, method)
    print(f"  {title:22} {say(figures)}   {name}", flush=True)
    return figures


def run_tocsin(
    task: Task,
    settings: dict[str, BoostingSettings],
    shapes: dict[str, tuple[int, ...]],
    codes: tuple[int, ...],
    seeds: tuple[int, ...] = SEEDS,
) -> Floats:
    """Choose by one seed, then one row of figures a seed. ``shapes`` are the ways to lay the columns into stages."""
    tried = {(f"{name}, {shape}"): (one, stages) for name, one in settings.items() for shape, stages in shapes.items()}
    if QUICK:
        tried = dict(list(tried.items())[-1:])
    name, _ = chosen(task, {n: staged(one, stages, codes) for n, (one, stages) in tried.items()})
    one, stages = tried[name]
    found = np.array([tested(task, staged(replace(one, seed=seed), stages, codes)) for seed in seeds])
    print(f"  {'Tocsin, ' + str(len(seeds)) + ' seeds':22} {say(found.mean(axis=0))}   {name}")
    print(f"  {'  spread':22} {say(found.std(axis=0))}", flush=True)
    return found


def kernel_rows(table: Table) -> tuple[Floats, tuple[int, ...], tuple[int, ...]]:
    plan = compile_plan(table.spec)
    kernel, stream = Kernel(plan), table.stream()
    parts = [kernel.step(stream.take(slice(first, first + 65_536))) for first in range(0, len(stream), 65_536)]
    return np.concatenate(parts)[:, : len(plan.names)], plan.ends, plan.categorical


def ulb() -> dict[str, float]:
    """Train before Time = 145,147 (two days: the last eleven hours are the test)."""
    table = read(FOLDER / "ulb_creditcard_subset.parquet", specs.load("ulb"))
    rows, ends, codes = kernel_rows(table)
    second = (table.at - np.datetime64("2013-09-01").astype("datetime64[us]").astype(np.int64)) // SECOND
    assert table.weight is not None
    train = second < 145_147
    task = Task(rows, table.label, table.weight, train, train & (second >= 110_000), ~train)
    print(f"ULB, real: {len(table):,} rows for {table.weight.sum():,.0f} payments; ", end="")
    print(f"train {table.label[train].sum()} frauds, test {table.label[~train].sum()} frauds")
    print(f"  {'':22} {HEAD}")
    random = run("random forest", task, {"25 trees": forest(25, 1)} if QUICK else FORESTS)
    rival = run("XGBoost", task, {"50 trees of depth 4": boosted(50, 4, 0.2)} if QUICK else BOOSTED)
    ours = run_tocsin(task, ULB_SETTINGS, {"stage by stage": ends, "all at once": ()}, codes)
    return {
        "ulb_auc_roc": ours[:, 0].mean(),
        "ulb_average_precision": ours[:, 1].mean(),
        "ulb_recall_at_1_percent": ours[:, 2].mean(),
        "ulb_xgboost_auc_roc": rival[0],
        "ulb_xgboost_average_precision": rival[1],
        "ulb_random_forest_average_precision": random[1],
    }


def sparkov() -> dict[str, float]:
    """Train before 2020-06-21 12:14, as the well-known twin of this set is cut."""
    table = read(FOLDER / "sparkov_transactions.parquet", specs.load("sparkov"))
    kept = np.ones(len(table), dtype=bool)
    if QUICK:
        kept = table.batch.keys["account"][table.payments] % 10 == 3
    table = _only(table, kept)
    cut, early = (
        np.datetime64(when).astype("datetime64[us]").astype(np.int64) for when in ("2020-06-21T12:14", "2020-03-01")
    )
    train = table.at < cut
    rows, ends, codes = kernel_rows(table)
    task = Task(rows, table.label, np.ones(len(table)), train, train & (table.at >= early), ~train)
    print(f"Sparkov, simulated: {len(table):,} payments; ", end="")
    print(f"train {table.label[train].sum():,} frauds, test {table.label[~train].sum():,} frauds")
    print(f"  {'':22} {HEAD}")
    rival = run("XGBoost, 8 plain", task.on(plain_columns(table)), SPARKOV_BOOSTED)
    ours = run_tocsin(task, SPARKOV_SETTINGS, {"stage by stage": ends}, codes, SEEDS[:2])
    return {
        "sparkov_auc_roc": ours[:, 0].mean(),
        "sparkov_average_precision": ours[:, 1].mean(),
        "sparkov_recall_at_1_percent": ours[:, 2].mean(),
        "sparkov_xgboost_auc_roc": rival[0],
        "sparkov_xgboost_average_precision": rival[1],
    }


def plain_columns(table: Table) -> Floats:
    """The rival's eight: amount, hour, weekday, category, city's people, age, gender, distance from home."""
    file = polars.read_parquet(FOLDER / "sparkov_transactions.parquet").with_columns(
        polars.col("trans_id").cast(polars.String)
    )
    people = polars.read_parquet(FOLDER / "sparkov_customers.parquet")
    order = polars.DataFrame({"trans_id": table.ids.tolist()})
    both = order.join(file, on="trans_id", how="left", maintain_order="left")
    both = both.join(people, on="customer_id", how="left", maintain_order="left")
    assert both["is_fraud"].to_numpy().tolist() == table.label.tolist()
    when, born = both["trans_datetime"], both["dob"].str.to_date()
    columns = [
        both["amt"].to_numpy(),
        when.dt.hour().to_numpy(),
        when.dt.weekday().to_numpy(),
        np.unique(both["category"].cast(polars.String).to_numpy(), return_inverse=True)[1],
        both["city_pop"].to_numpy(),
        (when.cast(polars.Date) - born).dt.total_days().to_numpy(),
        (both["gender"] == "F").to_numpy(),
        np.hypot(
            both["lat"].to_numpy() - both["merch_lat"].to_numpy(),
            both["long"].to_numpy() - both["merch_long"].to_numpy(),
        ),
    ]
    return np.column_stack(columns).astype(np.float64)


def _only(table: Table, kept: Flags) -> Table:
    batch = table.batch.take(table.payments[kept])
    return replace(
        table,
        batch=replace(batch, number=np.arange(1, len(batch) + 1)),
        ids=table.ids[kept],
        label=table.label[kept],
        known_at=table.known_at[kept],
        row=table.row[kept],
    )


HEAD = f"{'AUC':>6} {'AP':>8} {'recall@1%':>11}"
FORESTS = {"100 trees": forest(100, 1), "100 trees, leaves of 3": forest(100, 3)}
BOOSTED = {
    f"{trees} trees of depth {depth}, rate {rate}": boosted(trees, depth, rate)
    for trees, depth, rate in ((100, 6, 0.3), (100, 4, 0.1), (300, 4, 0.1))
}
SPARKOV_BOOSTED = {"200 trees of depth 8, rate 0.1": boosted(40 if QUICK else 200, 8, 0.1)}
_ULB = BoostingSettings(trees=200, leaves=15, rate=0.05, columns=0.5, least_rows=20, least_weight=0.001)
ULB_SETTINGS = {
    "200 trees of 15 leaves": _ULB,
    "400 trees of 8 leaves": replace(_ULB, trees=400, leaves=8),
    "300 trees of 31 leaves, rate 0.03": replace(_ULB, trees=300, leaves=31, rate=0.03, least_rows=5),
}
SPARKOV_SETTINGS = {
    "300 trees of 31 leaves": BoostingSettings(
        trees=60 if QUICK else 300, leaves=31, rate=0.06, columns=0.7, least_rows=40, least_weight=0.001
    ),
}


def say(figures: tuple[float, ...] | Floats) -> str:
    return "   ".join(f"{value:.4f}" for value in figures)


def main(parts: list[str]) -> None:
    begin = time.perf_counter()
    found: dict[str, float] = {}
    for part in parts:
        found |= {"ulb": ulb, "sparkov": sparkov}[part]()
    keys = (
        "ulb_auc_roc ulb_average_precision ulb_recall_at_1_percent ulb_xgboost_auc_roc ulb_xgboost_average_precision "
        "ulb_random_forest_average_precision sparkov_auc_roc sparkov_average_precision sparkov_recall_at_1_percent "
        "sparkov_xgboost_auc_roc sparkov_xgboost_average_precision"
    ).split()
    # In the quick run the rivals are small and Sparkov is a tenth: those figures are not the ones to follow.
    line = {key: None if QUICK or key not in found else round(float(found[key]), 4) for key in keys}
    quick = {f"quick_{key}": round(float(value), 4) for key, value in found.items()} if QUICK else {}
    seconds = round(time.perf_counter() - begin, 1)
    print(
        json.dumps(
            {
                "quick": QUICK,
                **line,
                **quick,
                "ulb_seeds": len(SEEDS),
                "sparkov_seeds": len(SEEDS[:2]),
                "seconds": seconds,
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:] or ["ulb", "sparkov"])
