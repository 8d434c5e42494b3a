"""The table for people, and the figures of the last line."""

from __future__ import annotations

from typing import Any

import numpy as np

from ablation import kept
from ablation.bank import USUALLY, Bank
from ablation.cells import CELLS, HALF, LARGE, MAIN, QUICK, SEEDS, SMALL
from ablation.gains import HeldOut, differences
from ablation.study import QUESTIONS
from tocsin.data.world_plan import FRAUD_KINDS

ROUNDS = 1000 if not QUICK else 100
LOSS = 0.05
"""A kind of fraud that loses more than so much of its recall is named."""
PAIRS = (
    ("hybrid", "trees"),
    ("hybrid", "lags"),
    ("hybrid", "surprise"),
    ("lags", "trees"),
    ("surprise", "trees"),
    ("hybrid", "late"),
    ("late", "trees"),
    ("lags-surprise", "lags"),
    ("lags-hybrid", "lags-surprise"),
    ("lags-hybrid", "lags"),
    ("lags-hybrid", "hybrid"),
)
Record = dict[str, Any]


def record_of(name: str) -> Record | None:
    """What a cell came to, or None where it was not run."""
    return kept.read(kept.FOLDER / f"{name}.json")


def show() -> None:
    """Everything there is, and what is not."""
    mains()
    gains = gains_found()
    print(f"\nDifferences in AP, {len(SEEDS)} worlds, 90 % intervals of {ROUNDS} draws of accounts:")
    for pair, parts in gains.items():
        said = "   ".join(f"{part} {g:+.4f} [{low:+.4f} {high:+.4f}]" for part, (g, low, high) in parts.items())
        print(f"  {pair:34}{said}")
    kinds()
    if not QUICK:
        studies()


def mains() -> None:
    """The main models, AP of all frauds and of order and rhythm, each world."""
    print(f"\n{LARGE:,} payments, worlds {SEEDS}: AP of all frauds / of order and rhythm")
    for model, (title, _) in MAIN.items():
        found = [record_of(f"main-{seed}-{model}") for seed in SEEDS]
        print(f"  {title:52}" + "".join(f"{_ap(one):>18}" for one in found))


def _ap(record: Record | None) -> str:
    if record is None:
        return "not run"
    order = record["order_and_rhythm"]
    return f"{record['average_precision']:.4f} / {'none' if order is None else f'{order:.4f}'}"


def found_of(model: str, kind: str) -> tuple[float, int] | None:
    """Of all frauds of a kind, in all the worlds together, the share found at 1 % false positives, and how many there are."""
    records = [record_of(f"main-{seed}-{model}") for seed in SEEDS]
    parts = [one["kinds"][kind] for one in records if one is not None and kind in one["kinds"]]
    frauds = sum(part["frauds"] for part in parts)
    if None in records or not frauds:
        return None
    return sum(part["recall"] * part["frauds"] for part in parts) / frauds, frauds


def kinds() -> None:
    """Recall by kind, and the kinds that lose."""
    models = [m for m in MAIN if all(record_of(f"main-{seed}-{m}") for seed in SEEDS)]
    print(
        "\nShare found at 1 % false positives by kind, all worlds together\n"
        + " " * 24
        + "".join(f"{m:>15}" for m in models)
    )
    for kind in FRAUD_KINDS:
        found = [found_of(m, kind) for m in models]
        count = next((one[1] for one in found if one is not None), 0)
        print(f"  {kind:22}" + "".join(f"{'-' if r is None else f'{r[0]:.3f}':>15}" for r in found) + f"{count:>8}")
    for rival in ("trees", "lags"):
        print(f"  the hybrid loses more than {LOSS} to {rival} in: {', '.join(losers(rival)) or 'no kind'}")


def losers(rival: str) -> list[str]:
    """Kinds in which the hybrid finds less than the rival by more than the loss that may pass in silence."""
    out = []
    for kind in FRAUD_KINDS:
        ours, theirs = found_of("hybrid", kind), found_of(rival, kind)
        if ours is not None and theirs is not None and theirs[0] - ours[0] > LOSS:
            out.append(f"{kind} ({ours[0]:.3f} against {theirs[0]:.3f} of {ours[1]} frauds)")
    return out


def gains_found() -> dict[str, dict[str, tuple[float, float, float]]]:
    """Differences of the main models whose cells are all there; worked out once for each set of cells."""
    names = [m for m in MAIN if all(record_of(f"main-{seed}-{m}") for seed in SEEDS)]
    pairs = [pair for pair in PAIRS if set(pair) <= set(names)]
    if not pairs:
        return {}
    path = kept.FOLDER / "gains.json"
    before = kept.read(path)
    if before is not None and before["models"] == names and before["rounds"] == ROUNDS:
        return before["gains"]
    worlds = []
    for seed in SEEDS:
        scores = {m: np.load(kept.PIECES / f"score-main-{seed}-{m}.npy") for m in names}
        bank = Bank(LARGE, seed)
        rows = np.flatnonzero(bank.under(USUALLY).windows.held_out & (bank.label >= 0))
        worlds.append((HeldOut.of(bank, rows), scores))
    parts = {part: differences(worlds, pairs, part, rounds=ROUNDS) for part in ("all", "order")}
    out = {f"{a} - {b}": {part: parts[part][a, b] for part in parts} for a, b in pairs}
    kept.write(path, {"models": names, "rounds": ROUNDS, "gains": out})
    return out


def studies() -> None:
    """The cells on one world, question by question."""
    print(f"\nOne world, {SMALL:,} payments, seed {SEEDS[0]} (half: {HALF:,}): AP of all frauds / of order and rhythm")
    for question in QUESTIONS:
        print(f"\n{question.asked}\n  Goes if: {question.kill}")
        for name in question.cells:
            full = name if name.startswith("half-") else f"small-{name}"
            cell = next(c for c in CELLS if c.name == full)
            record = record_of(cell.name)
            line = f"  {cell.title:68}{_ap(record):>18}"
            if record is not None and "gain" in record:
                against = record["against"].removeprefix("small-")
                line += f"   {record['gain']:+.4f} [{record['low']:+.4f} {record['high']:+.4f}] against {against}"
            print(line)
            for detail in _details(record):
                print(f"      {detail}")


def _details(record: Record | None) -> list[str]:
    """What a cell has to say beyond one figure."""
    facts = {} if record is None else record["facts"]
    rows = [row for name in ("exits", "missing", "months") for row in facts.get(name, [])]
    return ["   ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()) for row in rows]


def summary() -> Record:
    """The last line: null where it was not measured."""
    found = gains_found()
    nothing = {"all": (None,) * 3, "order": (None,) * 3}
    trees, lags = found.get("hybrid - trees", nothing), found.get("hybrid - lags", nothing)
    flat = None if QUICK else record_of("small-flat")
    complete = not QUICK and all(record_of(cell.name) for cell in CELLS)
    return {
        "world_gain_average_precision": trees["all"][0],
        "world_gain_low": trees["all"][1],
        "world_gain_high": trees["all"][2],
        "world_gain_over_lag_columns": lags["all"][0],
        "world_gain_over_lag_columns_low": lags["all"][1],
        "world_gain_order_and_rhythm": trees["order"][0],
        "world_gain_order_and_rhythm_low": trees["order"][1],
        "kinds_that_lose": losers("trees"),
        "layered_minus_flat": None if flat is None else -flat["gain"],
        "complete": complete,
    }
