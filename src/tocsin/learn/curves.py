"""The curves of a training, as a page that shows itself anew while it is under way, and as numbers for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tocsin.learn.checkpoint import replace
from tocsin.learn.task import LoopSettings, Progress


def draw(folder: Path, settings: LoopSettings, progress: Progress, notes: Sequence[str]) -> None:
    """Write ``training.json`` and ``training.html``, each in one step.

    Raises
    ------
    OSError : the folder cannot be written.
    """
    numbers = {
        "finished": progress.finished,
        "step": progress.step,
        "peak_rate": progress.peak,
        "judged_before": progress.start,
        "best": progress.best,
        "epochs": [asdict(epoch) for epoch in progress.epochs],
        "settings": asdict(settings),
        "doctor": list(notes),
    }
    replace(folder / "training.json", json.dumps(numbers, indent=1).encode())
