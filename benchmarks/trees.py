"""How fast an ensemble with five exits is scored: our walk beside LightGBM's own ways, checked equal to the bit.

    make bench NAME=trees

Made rows, 80 columns of which 3 hold codes, 300 trees of 15 leaves in five stages. One thread. A table for people, and as
the last line one JSON object.
"""

from __future__ import annotations

import ctypes
import json
import os
import time
from collections.abc import Callable

import lightgbm
import numpy as np

from tocsin.artifact.trees import read_trees
from tocsin.learn.boosting import BoostingSettings, StagedTrees
from tocsin.learn.contract import Examples

QUICK = os.environ.get("QUICK") == "1"
ROWS, COLUMNS, CODES = (20_000 if QUICK else 60_000), 80, (3, 30, 60)
ENDS = (5, 25, 35, 55, 80)
BATCHES = (1, 20, 100, 1000)


def made() -> tuple[StagedTrees, np.ndarray]:
    random = np.random.default_rng(0)
    matrix = random.normal(size=(ROWS, COLUMNS))
    matrix[:, CODES] = random.integers(0, 1022, (ROWS, len(CODES)))
    odds = (
        matrix[:, 0] + matrix[:, 10] * matrix[:, 20] + matrix[:, 32] + matrix[:, 50] + 2 * (matrix[:, 60] % 7 == 0) - 6
    )
    label = (random.random(ROWS) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    matrix[random.random(matrix.shape) < 0.05] = np.nan
    trees = StagedTrees(ENDS, CODES, BoostingSettings(trees=300, leaves=15))
    return trees.fit(Examples.of(matrix, label)), matrix


def fast_row(booster: lightgbm.Booster, begin: int, count: int) -> Callable[[np.ndarray], float]:
    """LightGBM's fastest way for one row: a prepared call of its C library."""
    library, handle = lightgbm.basic._LIB, ctypes.c_void_p()
    done = library.LGBM_BoosterPredictForMatSingleRowFastInit(
        booster._handle, 1, begin, count, 1, COLUMNS, b"num_threads=1", ctypes.byref(handle)
    )
    assert done == 0
    out, length = np.zeros(1), ctypes.c_int64()
    where = out.ctypes.data_as(ctypes.POINTER(ctypes.c_double))

    def score(row: np.ndarray) -> float:
        library.LGBM_BoosterPredictForMatSingleRowFast(
            handle, row.ctypes.data_as(ctypes.c_void_p), ctypes.byref(length), where
        )
        return float(out[0])

    return score


def timed(work: Callable[[], object], least_s: float) -> float:
    """Microseconds a call: the best of five runs."""
    work()
    count, best = 1, float("inf")
    for _ in range(5):
        while True:
            start = time.perf_counter()
            for _ in range(count):
                work()
            took = time.perf_counter() - start
            if took > least_s / 5 or count > 100_000:
                break
            count *= 2
        best = min(best, took / count)
    return best * 1e6


def main() -> None:
    staged, matrix = made()
    trees, ends = read_trees(staged.text_), np.cumsum(staged.rounds_).tolist()
    begins = [0, *ends[:-1]]
    booster = lightgbm.Booster(model_str=staged.text_)
    leaf_start = np.cumsum([0, *(t["num_leaves"] for t in booster.dump_model()["tree_info"])])[:-1]

    def five_calls(rows: np.ndarray) -> np.ndarray:
        parts = [
            booster.predict(rows, raw_score=True, start_iteration=b, num_iteration=e - b, num_threads=1)
            for b, e in zip(begins, ends, strict=True)
        ]
        return np.stack(parts, axis=1)

    def leaf_table(rows: np.ndarray) -> np.ndarray:
        leaf = booster.predict(rows, pred_leaf=True, num_threads=1)
        return np.add.reduceat(trees.leaves[leaf + leaf_start], begins, axis=1)

    walked = trees.margins(matrix, ends)
    whole = [booster.predict(matrix, raw_score=True, num_iteration=e, num_threads=1) for e in ends]
    equal = bool(np.array_equal(walked, np.stack(whole, axis=1)))
    row = np.ascontiguousarray(matrix[:1])
    fast = [fast_row(booster, b, e - b) for b, e in zip(begins, ends, strict=True)]
    least = 0.2 if QUICK else 1.0
    print(f"{len(trees)} trees, {COLUMNS} columns, five exits; exits equal to LightGBM's to the bit: {equal}")
    print(
        f"{'rows a call':>12} {'our walk':>12} {'leaves+table':>13} {'5 calls':>12} {'5 fast rows':>12}   microseconds a call"
    )
    result: dict[str, object] = {"quick": QUICK, "equal": equal, "trees": len(trees)}
    for size in BATCHES:
        rows = np.ascontiguousarray(matrix[:size])
        ours = timed(lambda rows=rows: trees.margins(rows, ends), least)
        table = timed(lambda rows=rows: leaf_table(rows), least)
        calls = timed(lambda rows=rows: five_calls(rows), least)
        single = timed(lambda: [f(row) for f in fast], least) if size == 1 else None
        shown = f"{single:12.1f}" if single is not None else f"{'':>12}"
        print(f"{size:12d} {ours:12.1f} {table:13.1f} {calls:12.1f} {shown}")
        result[f"walk_us_{size}"] = round(ours, 2)
        result[f"ratio_to_leaf_table_{size}"] = round(table / ours, 2)
        result[f"ratio_to_five_calls_{size}"] = round(calls / ours, 2)
        if single is not None:
            result["ratio_to_single_row_fast"] = round(single / ours, 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
