"""The jobs: a set, a way, a seed (and a fold) each, kept whole or not at all, so that the same command goes on."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from perceiving.sets import SETS, WAYS, Set, made_sets
from tocsin.errors import TocsinError
from tocsin.learn.perception.learned import Learned, learn
from tocsin.learn.perception.recipe import Recipe

QUICK = os.environ.get("QUICK") == "1"
FOLDER = Path(os.environ.get("TOCSIN_PERCEPTION", "runs/perception")) / ("quick" if QUICK else "")
SEEDS = (0, 1, 2) if not QUICK else (0,)
USED: tuple[Set, ...] = SETS if not QUICK else made_sets(FOLDER)
ORDER = (("plain", "extract"), ("transfer",), ("scratch",))
"""The cheapest and most telling first; all sets with the first seed before any other seed."""


@dataclass(frozen=True)
class Cell:
    """One job."""

    set: Set
    way: str
    seed: int
    fold: int | None = None

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.set.key}-{self.way}-{self.seed}" + ("" if self.fold is None else f"-fold{self.fold}")

    @property
    def path(self) -> Path:
        """Where what it came to is kept."""
        return FOLDER / f"{self.name}.json"

    @property
    def recipe(self) -> Recipe:
        """How it is learned; beyond the set's own settings all is as a user gets it."""
        how = self.set.settings.get(self.way, {})
        training = FOLDER / "training" / self.name
        folder = training if self.way in ("scratch", "transfer") else None
        return Recipe(way=self.way, seed=self.seed, folder=folder, cache=FOLDER / "cache" / self.name, **how)


def cells() -> Iterator[Cell]:
    """All jobs, in the order they are worth doing."""
    for seed in SEEDS:
        for ways in ORDER if seed == 0 else (WAYS[::-1],):
            for one in USED:
                for way in ways:
                    yield from (Cell(one, way, seed, fold) for fold in one.parts)


def run(cell: Cell) -> None:
    """Do a job, unless it is done.

    Seconds are of the processor, one thread: on a machine with other work the clock says nothing of a method.
    """
    if cell.path.exists():
        return
    torch.set_num_threads(1)
    say(cell.name)
    collection = cell.set.collection(cell.fold, cell.seed)
    spent = Spent(FOLDER / "training" / cell.name / "spent.json")
    try:
        learned = learn(collection, cell.recipe, spent.told)
    except TocsinError as error:
        if not QUICK:
            raise
        say(f"    not here: {error}")  # a machine without the published weights has no extract and no transfer
        return
    used, seconds = spent.so_far()
    write(cell.path, record(cell, learned) | {"seconds": round(used, 3), "clock": round(seconds, 3)})
    for name in ("training", "cache"):
        shutil.rmtree(FOLDER / name / cell.name, ignore_errors=True)
    found = json.loads(cell.path.read_text())
    say(f"    {cell.name}: {found['figure']:.2f} ({used:.0f} s of the processor, {seconds:.0f} s by the clock)")


class Spent:
    """Seconds of the processor and by the clock, those of earlier processes too that were killed at the same job.

    What a killed one spent since it last told of it, five seconds at most, is not counted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.before = read(path) or {"used": 0.0, "seconds": 0.0}
        self.began, self.cpu = time.monotonic(), time.process_time()
        self.kept = self.began

    def so_far(self) -> tuple[float, float]:
        """Seconds of the processor, and by the clock."""
        used, seconds = time.process_time() - self.cpu, time.monotonic() - self.began
        return self.before["used"] + used, self.before["seconds"] + seconds

    def told(self, _what: str, _share: float) -> None:
        """Keep them, as the job goes on."""
        if time.monotonic() - self.kept > 5:
            self.kept = time.monotonic()
            write(self.path, dict(zip(("used", "seconds"), self.so_far(), strict=True)))


def record(cell: Cell, learned: Learned) -> dict[str, Any]:
    """What is kept of a job."""
    assert learned.quality is not None
    quality, said = learned.quality, learned.predictions
    accuracy = 100 * quality.accuracy
    f1 = None if quality.f1 is None else 100 * quality.f1
    card = learned.card
    return {
        "cell": cell.name,
        "figure": accuracy if cell.set.figure == "accuracy" else f1,
        "accuracy": accuracy,
        "f1": f1,
        "right": int((said.probability.argmax(axis=1) == said.label).sum()),
        "judged": len(said.label),
        "taught": len(learned.portions.train),
        "log_loss": quality.log_loss,
        "calibration_error": quality.calibration_error,
        "network": card.network,
        "layer": card.layer,
        "into": card.into,
        "size": list(card.preparation.shape),
        "settings": card.settings,
        "notes": list(learned.notes),
        "megabytes": round(sum(len(content) for content in learned.files.values()) / 2**20, 2),
        "epochs": [asdict(epoch) for epoch in learned.epochs],
        "commit": commit(),
    }


def found(one: Set, way: str, seed: int) -> dict[str, float] | None:
    """The figure of a set, way and seed, its folds together; None where a job is missing."""
    records = [read(Cell(one, way, seed, fold).path) for fold in one.parts]
    there = [record for record in records if record is not None]
    if len(there) < len(records):
        return None
    figure = there[0]["figure"]
    if one.crossed:
        figure = 100 * sum(r["right"] for r in there) / sum(r["judged"] for r in there)
    return {"figure": figure, "seconds": float(np.mean([r["seconds"] for r in there])), "folds": len(there)}


def read(path: Path) -> dict[str, Any] | None:
    """A record, or None."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write(path: Path, content: dict[str, Any]) -> None:
    """A record, whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    draft.replace(path)


def commit() -> str:
    """Which state of the repository it was."""
    said = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return said.stdout.strip()


def say(line: str) -> None:
    """Progress, for whoever watches; the table comes at the end."""
    print(f"    {time.strftime('%H:%M:%S')} {line}", flush=True)
