"""``tocsin check`` for pictures, sounds and texts: what there is, and what is wrong with it."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tocsin.cli.bar import steps
from tocsin.data.arrangement import kind_of
from tocsin.data.collection import UNKNOWN, Collection, collect
from tocsin.data.dirt import DOUBTED, Dirt, Doubt, dirt
from tocsin.data.findings import CALLED, WEIGHTS, many, name_of
from tocsin.data.guess import fitting, starter
from tocsin.errors import BadInput
from tocsin.evaluate.headline import sure
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.task import Told

if TYPE_CHECKING:
    from tocsin.learn.perception.suspicion import Suspicions

_TITLES = {
    "left out": ("bold red", "Left out"),
    "leak": ("bold red", "Seen before it is measured, or given away"),
    "doubt": ("bold yellow", "Labels in doubt"),
    "look": ("bold", "To look at"),
}
_CLASSES, _SHOWN, _SUSPECTED = 40, 3, 20
_MOST_THREADS = 4
_HARDLY = 0.7
"""A model that leaves more than so much of the errors of saying the commonest class throughout has doubts that mean little."""


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


def check_examples(path: Path, columns: dict[str, str | None], bad: Path | None, suspicions: bool = False) -> None:
    """Read every example, say what is there and what is wrong; the exit code is 1 when some are left out or leak.

    Parameters
    ----------
    columns : kind, column, label, split and group, as ``collect`` takes them.
    bad : a file for the examples that something is wrong with, one row each; None writes none.
    suspicions : whether every label is held against a model that had not seen its example, too.

    Raises
    ------
    BadInput : nothing there is an example, or not one can be used; there are not two classes where labels are suspected.
    """
    if bad is not None:
        _must_be_writable(bad)
    collection = collect(path, **columns)
    if suspicions:
        _must_tell_apart(collection, path)
    with steps("listing") as (_, told):
        report = dirt(collection, told)
        suspected = _suspect(collection, report, told) if suspicions else None
        if suspected is not None:
            report = report.doubting(suspected.found)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    _say_what_there_is(console, path, collection, report)
    _say_findings(console, collection, report, bad)
    if suspected is not None:
        _say_suspected(console, collection, suspected)
    if bad is not None:
        _write(bad, collection, report)
        console.print(f"All of them stand by name in {escape(str(bad))}.")
    if report.doubts:
        console.print(
            "Next: look at each of them. If its label is wrong, move the file to its class's folder or mend its row in the "
            "table, and check again; if it is right, leave it: it shows a model what is rare. Nothing was changed here."
        )
    if report.clean:
        name = path.resolve().name.split(".")[0]
        verb = f"learn {path} --out models/{name}" if len(collection.classes) > 1 else f"cluster {path}"
        console.print(f"{'Then' if report.doubts else 'Next'}: tocsin {escape(verb)}")
    else:
        sys.exit(1)


def _must_tell_apart(collection: Collection, path: Path) -> None:
    """Refuse before anything is read what no label can be suspected of."""
    there = np.unique(collection.label[collection.label != UNKNOWN])
    if len(there) < 2:
        what = f"all are of one, {collection.classes[there[0]]!r}" if len(there) else "none has a class"
        raise BadInput(
            f"labels are suspected by telling two classes or more apart; of {many(len(collection), 'example')} {what}.",
            field="--suspicions",
            hint=f"Put the files into one folder a class, or name a table's column with --label; without classes: tocsin cluster {path}",
        )


def _suspect(collection: Collection, report: Dirt, told: Told) -> Suspicions:
    from tocsin.cli.learn_transactions import check_torch, has_torch
    from tocsin.learn.perception.suspicion import suspicions

    told("looking for a network that knows things", 0.0)
    threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
    if has_torch():
        check_torch(threads)
    return suspicions(collection, Recipe(threads=threads), told, good=report.good, twin=report.twin)


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


def _say_findings(console: Console, collection: Collection, report: Dirt, bad: Path | None) -> None:
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
            if finding.kind == DOUBTED:
                console.print(_suspected(collection, report.doubts))
            if len(finding.rows) > (_SUSPECTED if finding.kind == DOUBTED else _SHOWN):
                more = True
    if more and bad is None:
        console.print("Add --bad FILE to have all of them by name.")


def _suspected(collection: Collection, doubts: Sequence[Doubt]) -> Grid:
    """The firmest doubts: which example, what it is called, what it looks like, how firmly."""
    grid = Grid(box=None, padding=(0, 2, 0, 0))
    grid.add_column("    " + CALLED[collection.kind], overflow="fold")
    grid.add_column("called", overflow="fold")
    grid.add_column("looks like", overflow="fold")
    grid.add_column("how firmly", justify="right", no_wrap=True)
    for doubt in doubts[:_SUSPECTED]:
        given, believed = collection.classes[doubt.given], collection.classes[doubt.believed]
        named = name_of(collection, doubt.row)
        grid.add_row(*(escape(word) for word in (f"    {named}", given, believed)), sure(doubt.share))
    if len(doubts) > _SUSPECTED:
        grid.add_row(f"    ... and {len(doubts) - _SUSPECTED:,} more")
    return grid


def _say_suspected(console: Console, collection: Collection, suspected: Suspicions) -> None:
    """By what labels were suspected and how far that may be trusted; and that none was, where none was."""
    if not suspected.found:
        console.print("[green]No label looks wrong.[/green]")
    console.print(
        f"Each of {suspected.judged:,} labels was held against a machine that had not seen its example, on "
        f"{escape(suspected.by)}; it says the same of {suspected.right:.1%}."
    )
    if 1 - suspected.right > _HARDLY * (1 - suspected.common):
        console.print(
            f"That is little more than the {suspected.common:.1%} of saying the commonest class throughout, so its doubts "
            "mean little here."
        )
    if not suspected.network:
        console.print(
            "No network's weights are here, so it looked at plain features; a network sees more: `tocsin networks` says which "
            "there are and gets them."
        )


_ENDINGS = (".csv", ".jsonl", ".parquet")


def _must_be_writable(path: Path) -> None:
    if path.suffix not in _ENDINGS:
        raise BadInput(f"must end in {', '.join(_ENDINGS)}; got {path.name!r}.", field="--bad")
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent}.", field="--bad")


def _write(path: Path, collection: Collection, report: Dirt) -> None:
    """One row for each example and each thing found of it: its name, class, part, what was found, and in words.

    Of a label in doubt also the class that is believed and how firmly, 0 to 1.
    """
    believed = {doubt.row: doubt for doubt in report.doubts}
    rows = [
        {
            "name": collection.names[row],
            "class": collection.classes[label] if (label := int(collection.label[row])) != UNKNOWN else "",
            "part": str(collection.part[row]),
            "weight": finding.weight,
            "found": finding.kind,
            "why": report.why.get(row, ""),
            "copies": int(np.int64(report.twin[row])),
            "believed": collection.classes[doubt.believed] if doubt else "",
            "firmly": round(doubt.share, 4) if doubt else None,
        }
        for finding in report.findings
        for row in finding.rows
        for doubt in [believed.get(row) if finding.kind == DOUBTED else None]
    ]
    names = ["name", "class", "part", "weight", "found", "why", "copies", "believed", "firmly"]
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
