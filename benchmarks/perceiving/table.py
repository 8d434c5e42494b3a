"""The table for people, and the figures of the last line."""

from __future__ import annotations

from typing import Any

import numpy as np

from perceiving.cells import QUICK, SEEDS, USED, found
from perceiving.sets import SETS, WAYS, Set


def show() -> None:
    """Every set and way: the mean of the seeds there are, how far they lie apart, and the processor's minutes."""
    print(f"\n{'':18}" + "".join(f"{way:>26}" for way in WAYS) + f"{'goal':>8}")
    for one in USED:
        print(f"{one.key:18}" + "".join(f"{_said(one, way):>26}" for way in WAYS) + f"{one.goal or '':>8}")
    print(
        "\nPercent of the test part (leukemia_cells: of all, by five folds; sms_spam_f1: F1 of spam), mean of the seeds;\n"
        "in brackets the least and the greatest where there are several; then minutes of one processor for one training."
    )


def _said(one: Set, way: str) -> str:
    figures = [f for seed in SEEDS if (f := found(one, way, seed)) is not None]
    if not figures:
        return "not run"
    values = [f["figure"] for f in figures]
    apart = f" [{min(values):.1f}, {max(values):.1f}]" if len(values) > 1 else ""
    return f"{np.mean(values):.2f}{apart} {minutes(one, way):.1f}'"


def minutes(one: Set, way: str) -> float | None:
    """Minutes of one processor for one training, mean of the seeds."""
    seconds = [f["seconds"] for seed in SEEDS if (f := found(one, way, seed)) is not None]
    return float(np.mean(seconds)) / 60 if seconds else None


def mean(one: Set, way: str) -> float | None:
    """Percent, mean of the seeds there are."""
    values = [f["figure"] for seed in SEEDS if (f := found(one, way, seed)) is not None]
    return float(np.mean(values)) if values else None


def summary() -> dict[str, Any]:
    """The last line: null where it was not measured."""
    out: dict[str, Any] = {one.key: dict.fromkeys((*WAYS, "minutes")) for one in SETS}
    for one in USED:
        figures = {way: mean(one, way) for way in WAYS}
        there = {way: figure for way, figure in figures.items() if figure is not None}
        best = max(there, key=there.__getitem__) if there else None
        took = None if best is None else minutes(one, best)
        out[one.key] = {way: None if f is None else round(f, 2) for way, f in figures.items()}
        out[one.key]["minutes"] = None if took is None else round(took, 2)
    return out | {"quick": QUICK}
