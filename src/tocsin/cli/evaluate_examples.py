"""``tocsin evaluate`` for models of pictures, sounds and texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

from tocsin.artifact.classes import NETWORK, load
from tocsin.data.collection import collect
from tocsin.evaluate.attribution import explainer
from tocsin.evaluate.classcharts import course_of
from tocsin.evaluate.confusion import ClassFindings, find_classes
from tocsin.evaluate.headline import first_sentence, sentences
from tocsin.evaluate.judging import judge
from tocsin.evaluate.matrix import pairs
from tocsin.evaluate.pictured import write_report

_SHOWN = 12


def evaluate_examples(folder: Path, data: Path, told: Mapping[str, Any]) -> None:
    """Measure a model on examples whose class is known, say it in words, and write the report if one is wanted.

    Parameters
    ----------
    told : the options of ``tocsin evaluate`` by their names.
    """
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    report: Path | None = told["report"]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("opening", total=1.0)

        def say(what: str, share: float) -> None:
            progress.update(task, description=what, completed=share)

        model = load(folder)
        asked = {name: told[name] for name in ("column", "label", "split", "group")}
        collection = collect(data, kind=told["kind"] or (model.kind if data.is_dir() else None), **asked)
        judged = judge(model, collection, part=told["part"], told=say)
        if report is None:
            group = [collection.group[i] for i in judged.rows.tolist()]
            found = find_classes(model.classes, judged.label, judged.probability, group=group)
        else:
            network = folder / NETWORK
            found = write_report(
                report,
                model.card,
                collection,
                judged.rows,
                judged.probability,
                judged.label,
                explainer(model, network.read_bytes() if network.is_file() else None),
                course_of(folder),
                notes=judged.notes,
                told=say,
            )
    console = Console(highlight=False)
    console.print(f"[bold]{escape(first_sentence(model.card, found))}[/bold]")
    for note in (*sentences(found), *judged.notes):
        console.print(escape(note))
    _classes(console, found)
    if report is not None:
        console.print(f"The report is in {escape(str(report))}.")


def _classes(console: Console, found: ClassFindings) -> None:
    """Class by class, the weakest first, and what each is most often taken for."""
    mixed: dict[str, str] = {}
    for true, said, often, _ in pairs(found):
        mixed.setdefault(true, f"{said} ({often:,})")
    grid = Grid(box=None, pad_edge=False)
    grid.add_column("class")
    for title in ("examples", "found", "right when said", "taken for"):
        grid.add_column(title, justify="right")
    there = sorted((c for c in found.classes if c.examples), key=lambda c: c.recall.value)
    for c in there[:_SHOWN]:
        said = f"{c.precision.value:.1%}" if c.said else "–"
        grid.add_row(escape(c.name), f"{c.examples:,}", f"{c.recall.value:.1%}", said, escape(mixed.get(c.name, "")))
    console.print(grid)
    if len(there) > _SHOWN:
        console.print(f"... and {len(there) - _SHOWN} classes it finds more of.")
