"""``tocsin cluster``: what is alike among examples that nobody has named."""

from __future__ import annotations

import csv
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table as Grid

from tocsin.artifact.classes import load
from tocsin.data.arrangement import KINDS
from tocsin.data.collection import Collection, collect
from tocsin.errors import BadInput
from tocsin.evaluate.clusters import Clusters, check_number, cluster
from tocsin.evaluate.clustersheet import cluster_page, first_words, group_words, notes
from tocsin.evaluate.embedding import Embedding, embed

_PATH = click.Path(path_type=Path)
_LONGEST = 90


@click.command()
@click.argument("data", type=_PATH)
@click.option("--into", default="auto", show_default=True, help="How many groups; auto finds it.")
@click.option("--model", type=_PATH, default=None, help="Group by what a model of yours sees.")
@click.option(
    "--network",
    default=None,
    help="Group by a network with published weights, or plain. [the kind's own, if it is here]",
)
@click.option("--report", type=_PATH, default=Path("groups.html"), show_default=True, help="The contact sheet.")
@click.option("--csv", "table", type=_PATH, default=None, help="Also a table of file, cluster and distance.")
@click.option("--kind", type=click.Choice(KINDS), default=None, help="Which kind, where DATA holds several.")
@click.option("--column", default=None, help="A table's column of texts or of file names.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same groups.")
def command(
    data: Path,
    into: str,
    model: Path | None,
    network: str | None,
    report: Path,
    table: Path | None,
    kind: str | None,
    column: str | None,
    seed: int,
) -> None:
    """Group pictures, sounds or texts by likeness, and show the groups.

    For a folder, archive or table nobody has sorted yet: the page shows each group from its centre outwards and what fits it
    least. Classes that are there play no part; the page says how far the groups agree with them.

    \b
    Examples:
      tocsin cluster photographs/
      tocsin cluster letters.csv --into 12 --report letters.html
      tocsin cluster photographs/ --csv photographs/index.csv
    """
    wanted = _number(into)
    if model is not None and network is not None:
        raise BadInput("one thing to group by may be named; got --model and --network.", field="--network")
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("opening", total=1.0)

        def told(what: str, share: float) -> None:
            progress.update(task, description=what, completed=share)

        collection = collect(data, kind=kind, column=column)
        if wanted is not None:
            check_number(wanted, len(collection))
        embedding = embed(collection, model=None if model is None else load(model), network=network, told=told)
        told("grouping", 0.0)
        found = cluster(embedding.values, wanted, seed=seed)
        told("drawing the page", 0.8)
        report.write_text(cluster_page(collection, embedding, found), encoding="utf-8")
        if table is not None:
            _write(table, collection, embedding, found)
    _say(collection, embedding, found, report, table)


def _number(into: str) -> int | None:
    if into == "auto":
        return None
    try:
        return int(into)
    except ValueError:
        raise BadInput(f"must be a number of groups, or auto; got {into!r}.", field="--into") from None


def _write(path: Path, collection: Collection, embedding: Embedding, found: Clusters) -> None:
    """file, cluster (1 is the largest) and distance from its centre."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "cluster", "distance"])
        for row, group, distance in zip(
            embedding.rows.tolist(), found.of.tolist(), found.distance.tolist(), strict=True
        ):
            writer.writerow([collection.names[row], group + 1, f"{distance:.4f}"])


def _say(collection: Collection, embedding: Embedding, found: Clusters, report: Path, table: Path | None) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{escape(first_words(collection, found))}[/bold]")
    console.print(f"Grouped by {escape(embedding.words)}.")
    for note in notes(collection, embedding, found):
        console.print(escape(note))
    grid = Grid(box=None, pad_edge=False)
    for title in ("group", "examples", "share"):
        grid.add_column(title, justify="right", min_width=len(title))
    said = group_words(collection, embedding, found)
    grid.add_column("" if not any(said) else "what is in it", overflow="ellipsis", no_wrap=True, max_width=_LONGEST)
    for group, (size, words) in enumerate(zip(found.sizes, said, strict=True)):
        grid.add_row(str(group + 1), f"{size:,}", f"{size / len(found.of):.0%}", escape(words))
    console.print(grid)
    beside = f", the table in {escape(str(table))}" if table is not None else ""
    console.print(f"The contact sheet is in {escape(str(report))}{beside}.")
