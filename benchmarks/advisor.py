"""Is the advice good? On ten sets: the advised way against the best way found by running all, and minutes forecast against taken.

    python benchmarks/advisor.py              advise on every set (a file each in runs/advisor/), compare with what was run
    python benchmarks/advisor.py --trees      of payments trees alone are learned, and the networks that were learned before compared
    python benchmarks/advisor.py eurosat      some of them (QUICK=1: small made sets, all ways run here, under a minute)

What the ways come to is read from runs/perception/ (benchmarks/perception.py) and, for payments, learned here, trees and network.
The advice never looks at a test part; only this comparison does. Seconds are of the processor, one thread, on both sides.
As the last line one JSON object.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import tocsin.spec as specs
from perceiving import cells
from perceiving.sets import DATA, WAYS, Set
from tocsin.data import read
from tocsin.evaluate.advisor import Advice
from tocsin.evaluate.examples_advice import advise_examples
from tocsin.evaluate.payments_advice import advise_payments
from tocsin.features import compile_plan
from tocsin.learn.gathering import features
from tocsin.learn.transactions import Recipe, learn

FOLDER = Path(os.environ.get("TOCSIN_ADVISOR", "runs/advisor")) / ("quick" if cells.QUICK else "")
PAYMENTS = {"handbook": "fraud/handbook_simulated_raw.parquet", "ulb": "fraud/ulb_creditcard_subset.parquet"}
POINTS = 2.0
BUDGET = 75.0 if not cells.QUICK else 5.0
AWAY = ("transfer",) if cells.QUICK else ()
"""Ways that are not run in a quick run."""


def advised(name: str, ask: Callable[[], Advice]) -> dict[str, Any]:
    """An advice, read or asked for."""
    path = FOLDER / f"{name}.json"
    before = cells.read(path)
    if before is not None:
        return before
    cells.say(f"advice on {name}")
    began = time.process_time()
    advice = ask()
    record = {
        "chosen": advice.chosen.way,
        "learning": advice.learning,
        "command": advice.command,
        "ways": {
            one.way: {k: v for k, v in asdict(one).items() if k not in ("growth", "way")} for one in advice.candidates
        },
        "curves": {
            one.way: [asdict(point) for point in one.growth.points]
            for one in advice.candidates
            if one.growth is not None
        },
        "why": list(advice.why),
        "unless": list(advice.unless),
        "seconds": round(time.process_time() - began, 1),
        "commit": cells.commit(),
    }
    cells.write(path, record)
    return record


def examples(one: Set) -> dict[str, Any] | None:
    """A set of the perception benchmark; None where its ways were not run."""
    asked = advised(
        one.key,
        lambda: advise_examples(one.collection(0 if one.crossed else None), budget=BUDGET, clock=time.process_time),
    )
    ran = {way: found for way in WAYS if (found := cells.found(one, way, 0)) is not None}
    return compared(
        one.key, asked, {w: f["figure"] for w, f in ran.items()}, {w: f["seconds"] / 60 for w, f in ran.items()}
    )


def payments(name: str, ways: tuple[str, ...]) -> dict[str, Any] | None:
    """A set of payments: the advice, and trees and network learned; average precision in points."""
    began = time.process_time()
    spec = specs.load(name)
    table = read(DATA / PAYMENTS[name], spec)
    plan = compile_plan(spec)
    rows, _ = features(table, plan)
    reading = time.process_time() - began

    def ask() -> Advice:
        return advise_payments(
            rows, plan, source=PAYMENTS[name], spec=name, read_seconds=reading, clock=time.process_time
        )

    asked = advised(name, ask)
    figures, minutes = {}, {}
    for way in ("trees", "network"):
        path = FOLDER / f"{name}-{way}.json"
        record = cells.read(path)
        if record is None and way not in ways:
            continue
        if record is None:
            cells.say(f"{name}: learning {way}")
            began = time.process_time()
            learned = learn(rows, spec, plan, Recipe(way=way, folder=FOLDER / "training" / f"{name}-{way}"))
            assert learned.quality is not None
            precision = 100 * learned.quality.exits[-1].average_precision
            record = {"figure": precision, "seconds": time.process_time() - began + reading}
            cells.write(path, record)
        figures[way], minutes[way] = record["figure"], record["seconds"] / 60
    return compared(name, asked, figures, minutes)


def compared(
    name: str, asked: dict[str, Any], figures: dict[str, float], minutes: dict[str, float]
) -> dict[str, Any] | None:
    """The advised way beside the best; None where the advised way itself was not run."""
    way = asked["chosen"]
    if way not in figures:
        return None
    best = max(figures, key=figures.__getitem__)
    forecast = {w: asked["ways"][w]["minutes"] for w in figures if w in asked["ways"]}
    factors = {w: max(forecast[w] / minutes[w], minutes[w] / forecast[w]) for w in forecast if forecast[w] > 0}
    return {
        "set": name,
        "advised": way,
        "came_to": figures[way],
        "expected": 100 * asked["ways"][way]["expected"],
        "interval": [100 * asked["ways"][way]["low"], 100 * asked["ways"][way]["high"]],
        "best": best,
        "best_came_to": figures[best],
        "behind": figures[best] - figures[way],
        "ran": sorted(figures),
        "forecast_minutes": forecast[way],
        "took_minutes": minutes[way],
        "factor": factors[way],
        "all_factors": factors,
        "advice_seconds": asked["seconds"],
    }


def show(found: list[dict[str, Any]]) -> None:
    """The table for people."""
    print(
        f"\n{'':18}{'advised':>10}{'expected':>22}{'came to':>9}{'best of those run':>30}{'behind':>8}{'minutes':>16}"
    )
    for one in found:
        between = f"{one['expected']:.1f} [{one['interval'][0]:.1f}, {one['interval'][1]:.1f}]"
        best = f"{one['best']} {one['best_came_to']:.1f} of {len(one['ran'])}"
        minutes = f"{one['forecast_minutes']:.1f} / {one['took_minutes']:.1f}"
        print(
            f"{one['set']:18}{one['advised']:>10}{between:>22}{one['came_to']:>9.1f}{best:>30}{one['behind']:>8.1f}{minutes:>16}"
        )
    print(
        "\nPercent right (sms_spam_f1: F1; payments: average precision), one seed; minutes forecast / taken, one thread."
    )


def main(wanted: list[str]) -> None:
    """Advise, compare, print."""
    ways = ("trees",) if "--trees" in wanted else ("trees", "network")
    wanted = [name for name in wanted if name != "--trees"]
    if cells.QUICK:
        shutil.rmtree(FOLDER, ignore_errors=True)
        for cell in cells.cells():
            if cell.way not in AWAY:
                cells.run(cell)
    asked: list[tuple[str, Callable[[], dict[str, Any] | None]]] = [
        (one.key, lambda one=one: examples(one)) for one in cells.USED
    ]
    if not cells.QUICK:
        asked += [(name, lambda name=name: payments(name, ways)) for name in PAYMENTS]
    found = [tried(ask) for name, ask in asked if not wanted or name in wanted]
    there = [one for one in found if one is not None]
    show(there)
    print(
        json.dumps(
            {
                "sets": len(there),
                "within_2_points": sum(one["behind"] <= POINTS for one in there),
                "worst_time_factor": round(max((one["factor"] for one in there), default=0.0), 2) or None,
                "all_ways_run": sum(
                    set(one["ran"]) >= {*WAYS} or set(one["ran"]) == {"trees", "network"} for one in there
                ),
                "quick": cells.QUICK,
            }
        )
    )


def tried(ask: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """What was asked; one that fails says why, and the others go on."""
    try:
        return ask()
    except Exception:
        traceback.print_exc()
        return None


if __name__ == "__main__":
    main(sys.argv[1:])
