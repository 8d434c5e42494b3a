"""``tocsin check`` for pictures, sounds and texts: what there is, and what is wrong with it."""

from __future__ import annotations

import csv
import json
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

from tocsin.data.arrangement import kind_of
from tocsin.data.collection import UNKNOWN, Collection, collect
from tocsin.data.dirt import Dirt, dirt
from tocsin.data.findings import CALLED, WEIGHTS, many
from tocsin.data.guess import fitting, starter
from tocsin.errors import BadInput

_TITLES = {
    "left out": ("bold red", "Left out"),
    "leak": ("bold red", "Seen before it is measured, or given away"),
    "doubt": ("bold yellow", "Labels in doubt"),
    "look": ("bold", "To look at"),
}
_CLASSES, _SHOWN = 40, 3


def are_examples(path: Path) -> bool:
    """Whether a path leads to pictures, sounds or texts rather than to payments.

    Folders, zip archives, and single pictures and sounds do; a table does when no ready spec fits it, it has not both a
    time and an amount, and it has a class.
    """
    if path.is_dir() or path.suffix.lower() == ".zip" or kind_of(path.name) in ("images", "sound"):
        return True
    try:
        if fitting(path)[0] is not None:
            return False
    except BadInput:
        return False  # whoever reads payments says what is wrong with the file
    try:
        starter(path)
    except BadInput:
        with suppress(BadInput):
            return bool(collect(path).classes)
    return False


def check_examples(path: Path, columns: dict[str, str | None], bad: Path | None) -> None:
    """Read every example, say what is there and what is wrong; the exit code is 1 when some are left out or leak.

    Parameters
    ----------
    columns : kind, column, label, split and group, as ``collect`` takes them.
    bad : a file for the examples that something is wrong with, one row each; None writes none.

    Raises
    ------
    BadInput : nothing there is an example, or not one can be used.
    """
    if bad is not None:
        _must_be_writable(bad)
    collection = collect(path, **columns)
    bar = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*bar, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("listing", total=1.0)
        report = dirt(collection, lambda what, share: progress.update(task, description=what, completed=share))
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    _say_what_there_is(console, path, collection, report)
    _say_findings(console, report, bad)
    if bad is not None:
        _write(bad, collection, report)
        console.print(f"All of them stand by name in {escape(str(bad))}.")
    if report.clean:
        name = path.resolve().name.split(".")[0]
        verb = f"learn {path} --out models/{name}" if len(collection.classes) > 1 else f"cluster {path}"
        console.print(f"Next: tocsin {escape(verb)}")
    else:
        sys.exit(1)


def _say_what_there_is(console: Console, path: Path, collection: Collection, report: Dirt) -> None:
    good = int(report.good.sum())
    classes = (
        f" of {many(len(collection.classes), 'class', 'classes')}" if collection.classes else ", none with a class"
    )
    what = many(len(collection), CALLED[collection.kind])
    console.print(f"[bold]{escape(path.resolve().name)}[/bold]: {what}{classes}, {good:,} of them good.")
    for name, said in report.facts.items():
        console.print(f"  {name}: {escape(said)}")
    groups = len({name for name in collection.group if name})
    if groups:
        console.print(f"  groups: {groups:,}")
    for note in collection.notes:
        console.print(f"Note: {escape(note)}")
    console.print(_counts(collection))


def _counts(collection: Collection) -> Grid:
    """How many examples each class has in each part."""
    parts = [part for part in ("train", "val", "test", "") if (collection.part == part).any()]
    grid = Grid(box=None, padding=(0, 2, 0, 0))
    grid.add_column("class")
    for part in parts:
        grid.add_column(part or ("no part" if len(parts) > 1 else "examples"), justify="right")
    if len(parts) > 1:
        grid.add_column("all", justify="right")
    rows = [*enumerate(collection.classes)][:_CLASSES]
    if (collection.label == UNKNOWN).any():
        rows.append((UNKNOWN, "(no class)"))
    for label, name in rows:
        of_class = collection.label == label
        counts = [int((of_class & (collection.part == part)).sum()) for part in parts]
        grid.add_row(escape(name), *(f"{n:,}" for n in counts), *([f"{sum(counts):,}"] if len(parts) > 1 else []))
    if len(collection.classes) > _CLASSES:
        grid.add_row(f"... and {len(collection.classes) - _CLASSES:,} more")
    return grid


def _say_findings(console: Console, report: Dirt, bad: Path | None) -> None:
    more = False
    if not report.findings:
        console.print("[green]No problems.[/green]")
    for weight in WEIGHTS:
        found = report.of_weight(weight)
        style, title = _TITLES[weight]
        if found:
            console.print(f"[{style}]{title}[/{style}]")
        for finding in found:
            hint = f" {finding.hint}" if finding.hint else ""
            console.print(f"  [bold]{escape(finding.kind)}[/bold]: {escape(finding.said)}{escape(hint)}")
            for shown in finding.shown[:_SHOWN]:
                console.print(f"    {escape(shown)}", overflow="ellipsis", no_wrap=True)
            if len(finding.rows) > _SHOWN:
                more = True

    if more and bad is None:
        console.print("Add --bad FILE to have all of them by name.")


_ENDINGS = (".csv", ".jsonl", ".parquet")


def _must_be_writable(path: Path) -> None:
    if path.suffix not in _ENDINGS:
        raise BadInput(f"must end in {', '.join(_ENDINGS)}; got {path.name!r}.", field="--bad")
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent}.", field="--bad")


def _write(path: Path, collection: Collection, report: Dirt) -> None:
    """One row for each example and each thing found of it: its name, class, part, what was found, and in words."""
    rows = [
        {
            "name": collection.names[row],
            "class": collection.classes[label] if (label := int(collection.label[row])) != UNKNOWN else "",
            "part": str(collection.part[row]),
            "weight": finding.weight,
            "found": finding.kind,
            "why": report.why.get(row, ""),
            "copies": int(np.int64(report.twin[row])),
        }
        for finding in report.findings
        for row in finding.rows
    ]
    names = ["name", "class", "part", "weight", "found", "why", "copies"]
    if path.suffix == ".parquet":
        pa.parquet.write_table(pa.table({name: [row[name] for row in rows] for name in names}), path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, names)
            writer.writeheader()
            writer.writerows(rows)
