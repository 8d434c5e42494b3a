"""The cells of the table: which model on which world, in order of importance, each with what it is there to tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ablation import kept
from ablation.bank import USUALLY, Bank, Floats, Lesson
from ablation.gains import HeldOut, differences, figures
from ablation.models import PLAIN, SURPRISE, Columns, Hybrid, School, ask
from ablation.study import HALF_STUDIES, STUDIES, Study

QUICK = kept.QUICK
LARGE, SMALL, HALF = (600_000, 600_000, 300_000) if not QUICK else (24_000,) * 3
# The other ablations were begun on 300,000 payments: there the known frauds are too few for the network to add anything
# (hybrid 0.688, trees with surprise 0.688), so nothing could be taken away either. Hence one whole world, one seed.
SEEDS = (101, 102, 103) if not QUICK else (7,)

Found = tuple[Floats, dict[str, Any]]
"""The score of every tested payment, and facts worth keeping."""


@dataclass(frozen=True)
class Cell:
    """One model on one world.

    Parameters
    ----------
    name : of its file. title : in the table. run : the model's scores. against : the cell it is compared with.
    """

    name: str
    title: str
    transactions: int
    seed: int
    run: Callable[[School], Found]
    lesson: Lesson = USUALLY
    against: str = ""


@lru_cache(maxsize=1)
def school(transactions: int, seed: int) -> School:
    """The bank of a cell; one is held in memory."""
    return School(Bank(transactions, seed))


def trees(columns: Columns, lesson: Lesson = USUALLY) -> Callable[[School], Found]:
    """Trees alone."""
    return lambda s: (s.tree_margins(columns, lesson)[s.tested(lesson), -1], {})


def hybrid(model: Hybrid) -> Callable[[School], Found]:
    """Trees, and a layered network on them."""

    def found(s: School) -> Found:
        answer = ask(s, model, s.tested(model.lesson))
        return answer.score, {**answer.facts}

    return found


LAGS, BOTH = Columns(("lags",)), Columns(("lags", "surprise"))
MAIN: dict[str, tuple[str, Callable[[School], Found]]] = {
    "trees": ("trees", trees(PLAIN)),
    "lags": ("trees + columns of the last five payments", trees(LAGS)),
    "surprise": ("trees + surprise", trees(SURPRISE)),
    "hybrid": ("hybrid: trees + surprise + layered network", hybrid(Hybrid())),
    "late": ("trees, given every label the network is given", trees(PLAIN, Lesson(late=True))),
    "lags-surprise": ("trees + last five + surprise", trees(BOTH)),
    "lags-hybrid": ("hybrid whose trees have the last five too", hybrid(Hybrid(BOTH))),
}
FIRST = ("trees", "lags", "surprise", "hybrid")


def _main(*groups: tuple[str, ...]) -> list[Cell]:
    order = [(seed, m) for models in groups for seed in SEEDS for m in models]
    return [Cell(f"main-{seed}-{m}", MAIN[m][0], LARGE, seed, MAIN[m][1]) for seed, m in order]


def _studies(word: str, studies: list[Study], transactions: int) -> list[Cell]:
    return [Cell(f"{word}-{s.name}", s.title, transactions, SEEDS[0], s.run, s.lesson, s.against) for s in studies]


CELLS: list[Cell] = _main(FIRST)
if not QUICK:
    CELLS += [
        *_main(("late",), ("lags-surprise",), ("lags-hybrid",)),
        *_studies("small", STUDIES, SMALL),
        *_studies("half", HALF_STUDIES, HALF),
    ]


def run(cell: Cell) -> None:
    """Work a cell out, unless it is there."""
    path = kept.FOLDER / f"{cell.name}.json"
    if path.exists():
        return
    kept.say(f"cell {cell.name}")
    began = time.monotonic()
    place = school(cell.transactions, cell.seed)
    score, facts = cell.run(place)
    kept.PIECES.mkdir(parents=True, exist_ok=True)
    np.save(kept.PIECES / f"score-{cell.name}.npy", score)
    tested = HeldOut.of(place.bank, place.tested(cell.lesson))
    record = {
        "cell": cell.name,
        "title": cell.title,
        "transactions": cell.transactions,
        "seed": cell.seed,
        **figures(tested, score),
        "facts": facts,
        **_compared(cell, tested, score),
        "seconds": round(time.monotonic() - began),
    }
    kept.write(path, record)
    kept.say(f"     {cell.name}: AP {record['average_precision']:.4f}, order {record['order_and_rhythm']}")


def _compared(cell: Cell, tested: HeldOut, score: Floats) -> dict[str, Any]:
    """The difference in AP to the cell that it is measured by, with its interval; accounts drawn anew."""
    if not cell.against or cell.against == cell.name:
        return {}
    other = np.load(kept.PIECES / f"score-{cell.against}.npy")
    found = differences([(tested, {"this": score, "that": other})], [("this", "that")])["this", "that"]
    return {"against": cell.against, "gain": found[0], "low": found[1], "high": found[2]}
