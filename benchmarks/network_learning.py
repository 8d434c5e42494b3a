"""What learning the layered network costs, and whether it does harm where trees see all there is to see (the Handbook set).

    python benchmarks/network.py learning        time and memory of one final fit, by the number of payments
    python benchmarks/network.py handbook        trees against trees and network on the Handbook's folds

A final fit is everything between a file of payments and a written model: reading, features, surprise, trees, time-forward
scores, network, gate, calibration, in a process of its own. The Handbook's protocol is that of benchmarks/handbook.py:
train on 7 days, wait 7, test on 7; the last 2 days of training stop trees and network, and both are then learned again on
all 7. Where the gate sends the network back, the trees ship, and the difference is that of the surprise alone.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from handbook import DATA, SETTINGS, TEST, VALIDATION, Floats, Payments, fold, judged
from tocsin import artifact
from tocsin import spec as specs
from tocsin.artifact.network import tokens_of
from tocsin.data import make_world, read
from tocsin.data.world import WorldSettings, write_world
from tocsin.features import compile_plan
from tocsin.learn.contract import Examples
from tocsin.learn.gathering import features, gather
from tocsin.learn.grown import Seedling, TreesAlone
from tocsin.learn.hybrid import Hybrid, Teaching, learn_hybrid
from tocsin.learn.surprise import learn_surprise
from tocsin.learn.transactions import Recipe, learn

QUICK = bool(os.environ.get("QUICK"))
SIZES = (30_000,) if QUICK else (100_000, 1_000_000, 1_700_000)
SEED = 7


def learning() -> dict[str, object]:
    """Minutes and memory of one final fit."""
    found: dict[str, object] = {}
    print(f"{'payments':>12} {'minutes':>8} {'GB at most':>11} {'of which learning':>18}  what ships")
    for payments in SIZES:
        done = subprocess.run(
            [sys.executable, __file__, "fit", str(payments)],
            capture_output=True,
            text=True,
            check=True,
            env=one_thread(),
        )
        fit = json.loads(done.stdout.splitlines()[-1])
        print(
            f"{payments:12,} {fit['minutes']:8.1f} {fit['gb']:11.2f} {fit['learn_minutes']:18.1f}  {fit['ships']}",
            flush=True,
        )
        found |= {f"learn_minutes_{payments}": fit["minutes"], f"peak_gb_{payments}": fit["gb"]}
    if not QUICK:
        found |= {"learn_minutes_1_7_million": fit["minutes"], "peak_memory_gb": fit["gb"]}
    return found


def one_thread() -> dict[str, str]:
    """The environment of a process that keeps to one core for its arithmetic."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def fit_once(payments: int, most_genuine: int | None = None) -> None:
    """In a process of its own: from the file to the model."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        subprocess.run([sys.executable, __file__, "make", str(payments), folder], check=True)
        spec, begin = specs.load("world"), time.perf_counter()
        table = read(place / "world.parquet", spec)
        plan = compile_plan(spec)
        recipe = Recipe(way="network", refit=False, most_genuine=most_genuine)
        examples, kernel = gather(table, plan, room=recipe.room(plan), most_genuine=most_genuine)
        del table
        kernel.save(place / "memory.bin")  # as the command does: nothing looks into it before the model serves
        del kernel
        began, reading = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        learned = learn(examples, spec, plan, recipe)

        def also(where: Path) -> None:
            shutil.move(place / "memory.bin", where / "memory.bin")

        artifact.write(place / "model", learned.card, learned.files, also=also)
        ends = time.perf_counter()
    print(
        json.dumps(
            {
                "minutes": round((ends - begin) / 60, 2),
                "learn_minutes": round((ends - began) / 60, 2),
                "gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
                "reading_gb": round(reading, 2),
                "rows": len(examples),
                "ships": learned.card.way,
                "average_precision": learned.card.measured.get("average_precision"),
            }
        )
    )


def handbook() -> dict[str, object]:
    """Trees against trees and network, fold by fold."""
    torch.set_num_threads(1)
    if QUICK:
        return {}
    table = read(DATA, specs.load("handbook"))
    payments, plan = Payments.of(table), compile_plan(table.spec)
    starts = (*VALIDATION, *TEST)
    matrix = features(table, plan)[0].matrix
    width = len(plan.names)
    tokens = tokens_of(matrix, width).astype(np.uint32)
    rows: list[tuple[str, Floats, Floats, bool]] = []
    print(
        f"{'training begins':16} {'trees: AUC':>10} {'AP':>8} {'CP@100':>8} {'network: AUC':>13} {'AP':>8} {'CP@100':>8}"
    )
    for start in starts:
        one = _fold(payments, matrix[:, :width], tokens, plan.ends, table.at, start)
        rows.append((start, *one))
        said = " ".join(f"{value:8.4f}" for value in (*one[0], *one[1]))
        print(f"{start:16} {said}  {'network' if one[2] else 'trees'} shipped", flush=True)
    test = rows[len(VALIDATION) :]
    trees, network = (np.mean([row[i] for row in test], axis=0) for i in (1, 2))
    return {
        "handbook_average_precision": round(float(network[1]), 4),
        "handbook_trees_average_precision": round(float(trees[1]), 4),
        "handbook_worst_origin_difference": round(min(float(row[2][1] - row[1][1]) for row in rows), 4),
        "handbook_mean_origin_difference": round(float(np.mean([row[2][1] - row[1][1] for row in rows])), 4),
        "handbook_networks_shipped": sum(row[3] for row in rows),
    }


def _fold(
    payments: Payments, columns: Floats, tokens: np.ndarray, ends: tuple[int, ...], at: np.ndarray, start: str
) -> tuple[Floats, Floats, bool]:
    """One origin: trees alone, and what the whole way ships; and whether that has a network."""
    train, test = fold(payments, start)
    settings = replace(SETTINGS["300 trees of 8 leaves, rate 0.05"], seed=0)
    stop = train[payments.day[train] >= payments.day[train[0]] + 5]
    grown, waiting = train[: len(train) - len(stop)], np.arange(train[-1] + 1, test[0])
    surprise = learn_surprise(tokens[max(0, train[0] - 300_000) : train[0]])
    wide = np.full((len(columns), 3), np.nan)
    for part in (train, waiting, test):
        wide[part] = surprise.columns(tokens[part])

    def examples(rows: np.ndarray, *, more: bool) -> Examples:
        matrix = np.column_stack([columns[rows], wide[rows]]) if more else columns[rows]
        label = payments.fraud[rows].astype(np.int8)
        return replace(Examples.of(matrix, label, at=at[rows]), tokens=tokens[rows])

    plain = Seedling(ends, (), settings)
    alone = TreesAlone(plain, plain.grow(examples(grown, more=False), examples(stop, more=False)))
    alone = alone.again(examples(train, more=False), examples(stop, more=False), examples(waiting, more=False))
    seedling = Seedling((*ends[:-1], ends[-1] + 3), (), settings)
    model = learn_hybrid(examples(grown, more=True), examples(stop, more=True), seedling, Teaching())
    shipped = model.again(examples(train, more=True), examples(stop, more=True), examples(waiting, more=True))
    of_trees = judged(payments, test, alone.margins(examples(test, more=False))[:, -1])
    of_shipped = judged(payments, test, shipped.margins(examples(test, more=True))[:, -1])
    return of_trees, of_shipped, isinstance(shipped, Hybrid)


if __name__ == "__main__":
    if sys.argv[1] == "fit":
        fit_once(int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
    if sys.argv[1] == "make":
        write_world(make_world(WorldSettings(transactions=int(sys.argv[2]), seed=SEED)), Path(sys.argv[3]))
