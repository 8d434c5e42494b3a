"""What the demo's model learns from the past, and what it finds, by planted kind of fraud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.table import Table as Grid

from tocsin import artifact
from tocsin import spec as specs
from tocsin.batch import Batch
from tocsin.cli.demo_days import Days, fraud_kinds
from tocsin.cli.learn_transactions import check_torch, has_torch
from tocsin.data import read
from tocsin.data.world_plan import FRAUDS
from tocsin.features import compile_plan
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.gathering import features
from tocsin.learn.transactions import Learned, Recipe, learn
from tocsin.measure.budget import DAY, PerDay

HELD_OUT = 0.12
"""Share of the past, the newest, that the model never sees and is judged by."""


@dataclass(frozen=True, slots=True)
class Found:
    """How well alerts met planted fraud: counts by kind, and what analysts get to see a day."""

    planted: dict[str, int]
    rung: dict[str, int]
    alerts: int
    days: float

    @property
    def true_alerts(self) -> int:
        """Alerts that were fraud."""
        return sum(self.rung.values())

    @property
    def precision(self) -> float:
        """Share of the alerts that were fraud."""
        return self.true_alerts / self.alerts if self.alerts else 0.0

    @property
    def recall(self) -> float:
        """Share of the planted frauds that rang."""
        planted = sum(self.planted.values())
        return self.true_alerts / planted if planted else 0.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """The model's folder and version, the events it learned from in their order, the memory's fingerprint, its finds, and
    what is to be said of how it learned."""

    model: Path
    version: str
    stream: Batch
    memory: str
    found: Found
    said: str


def learn_from(days: Days, folder: Path, told: Callable[[str, float], None]) -> Lesson:
    """Learn from the past and judge on its newest part by the planted truth."""
    if has_torch():
        check_torch()
    spec = specs.load("world")
    table = read(days.file, spec)
    plan = compile_plan(spec)
    examples, kernel = features(table, plan, told)
    a_day = days.payments / max((table.at[-1] - table.at[0]) / DAY, 1.0)
    # As many alerts a day as analysts would want: about twice the frauds that come.
    recipe = Recipe(
        goal=PerDay(max(2.0, round(a_day * 0.016))),
        boosting=BoostingSettings(trees=200, rate=0.1, threads=2),
        way="network" if has_torch() else "trees",
        held_out=HELD_OUT,
        name="demo",
    )
    learned = learn(examples, spec, plan, recipe, source=days.file.name, told=told)
    model = folder / "model"
    card = artifact.write(model, learned.card, learned.files)
    held_out = learned.windows.held_out
    scored = artifact.load(model).score(examples.matrix[held_out])
    rang = scored.value >= card.policy.review_at
    span = float(examples.at[-1] - examples.at[held_out][0]) / DAY
    found = find(fraud_kinds(days.planted, table.ids[held_out]), rang, span)
    return Lesson(model, card.version, table.stream(), kernel.fingerprint(), found, _said(learned))


def _said(learned: Learned) -> str:
    """What became of the network, in a sentence or two."""
    card = learned.card
    if card.network is not None and learned.verdict is not None:
        return f"Trees and a layered network on them, in {len(card.stages)} stages. {learned.verdict.words}"
    if not has_torch():
        return "Trees in stages; without PyTorch no network was taught on them."
    return " ".join(["Trees in stages.", learned.verdict.words if learned.verdict else "", *learned.notes[-1:]])


def find(kinds: NDArray[np.object_], rang: NDArray[np.bool_], days: float) -> Found:
    """Compare alerts with the planted truth.

    Parameters
    ----------
    kinds : object[n], the planted kind of each payment, empty where honest.
    rang : bool[n], whether an alert rang for it.
    """
    planted = {kind: int((kinds == kind).sum()) for kind in FRAUDS}
    rung = {kind: int(rang[kinds == kind].sum()) for kind in FRAUDS}
    return Found(planted, rung, int(rang.sum()), days)


def show(before: Found, live: Found | None = None) -> Grid:
    """A table for people: each kind of fraud, how many there were and how many rang, before and live."""
    grid = Grid(box=None, pad_edge=False)
    grid.add_column("planted fraud")
    columns = [found for found in (before, live) if found is not None]
    for name in ("held out", "live")[: len(columns)]:
        grid.add_column(name, justify="right")
        grid.add_column("found", justify="right")
    for kind in FRAUDS:
        cells = [kind.replace("_", " ")]
        for found in columns:
            planted = found.planted[kind]
            cells += [f"{planted:,}", f"{found.rung[kind] / planted:.0%}" if planted else ""]
        grid.add_row(*cells)
    cells = ["[bold]all[/bold]"]
    for found in columns:
        cells += [f"{sum(found.planted.values()):,}", f"{found.recall:.0%}"]
    grid.add_row(*cells)
    return grid


def say(found: Found) -> str:
    """In one sentence what an analyst would have had to look at."""
    return (
        f"{found.alerts / max(found.days, 1e-9):.1f} alerts a day, {found.precision:.0%} of them fraud; "
        f"{found.recall:.0%} of all planted fraud rang."
    )
