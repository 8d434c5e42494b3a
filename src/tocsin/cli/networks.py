"""``tocsin networks``: what networks there are for pictures, sounds and texts, and the weights of those that know something."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tocsin.data.arrangement import KINDS
from tocsin.errors import BadInput, NotReady, TocsinError

if TYPE_CHECKING:  # the networks are torch modules, and other commands answer without PyTorch
    from tocsin.learn.perception.registry import Entry

READS = {"images": "pictures", "sound": "sounds", "text": "texts"}
"""A kind in words."""


@click.group(invoke_without_command=True)
@click.option("--kind", type=click.Choice(KINDS), default=None, help="Only those for this kind of example.")
@click.option("--weights", type=click.Path(path_type=Path), default=None, help="Where the weights lie [the cache].")
@click.pass_context
def command(context: click.Context, kind: str | None, weights: Path | None) -> None:
    """The networks for pictures, sounds and texts, and whether their published weights are here.

    \b
    Example:
        tocsin networks --kind images
        tocsin networks get mobilenet_v2
    """
    if context.invoked_subcommand is None:
        from tocsin.learn.perception.registry import NETWORKS, of_kind
        from tocsin.learn.perception.weights import cache

        wide = None if sys.stdout.isatty() else 160
        console = Console(width=wide, highlight=False)
        console.print(_table(of_kind(kind) if kind else tuple(NETWORKS.values()), weights))
        console.print(
            f"[dim]Weights are kept in {escape(str(weights or cache()))}; fetch them: tocsin networks get NAME[/dim]"
        )


def _table(shown: tuple[Entry, ...], where: Path | None) -> Table:
    from tocsin.learn.perception.weights import find

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("network", "reads", "learns", "made for"):
        table.add_column(name, no_wrap=True, justify="right" if name == "learns" else "left")
    table.add_column("published weights: how good, by whom", overflow="fold", ratio=1)
    for name in ("MB", "licence", "here"):
        table.add_column(name, no_wrap=True, justify="right" if name == "MB" else "left")
    for one in shown:
        published = one.pretrained
        table.add_row(
            one.name,
            READS[one.kind],
            f"{one.parameters / 1e6:.1f} M" if one.parameters >= 1e6 else f"{one.parameters / 1e3:.0f} k",
            _made_for(one),
            escape(published.accuracy) if published else "[dim]none; it is learned from nothing[/dim]",
            f"{published.megabytes:.0f}" if published else "",
            published.licence if published else "",
            ("[green]yes[/green]" if find(one.name, where) else "no") if published else "",
        )
    return table


def _made_for(one: Entry) -> str:
    """What size of example it was made for."""
    if one.kind == "images":
        return f"{one.size} × {one.size} pixels"
    return f"{one.size / 16_000:g} s at 16 kHz" if one.kind == "sound" else f"{one.size} {_cut(one)}"


def _cut(one: Entry) -> str:
    return "pieces of words" if one.tokens == "wordpiece" else "words"


@command.command()
@click.argument("name")
@click.option("--to", "folder", type=click.Path(path_type=Path, file_okay=False), help="Into this folder [the cache].")
def get(name: str, folder: Path | None) -> None:
    """Fetch the published weights of network NAME, or of all networks.

    What is here already is not fetched again. A download that was stopped goes on where it stopped.
    """
    from tocsin.learn.perception.registry import NETWORKS, entry

    wanted = [one for one in NETWORKS.values() if one.pretrained] if name == "all" else [entry(name)]
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    for one in wanted:
        try:
            path = fetched(one.name, folder)
        except TocsinError as error:
            if name != "all":
                raise
            failed.append(one.name)
            click.echo(f"{one.name}: {error}", err=True)
        else:
            click.echo(f"{one.name}: {path}")
    if failed:
        raise NotReady(f"all weights were to be fetched; {len(failed)} could not be: {', '.join(failed)}.")


@command.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The file of weights, NAME.safetensors.")
@click.option("--network", default="resnet20", show_default=True, help="A network for pictures.")
@click.option("--size", type=int, default=None, help="Pixels a side [the network's].")
@click.option("--epochs", type=int, default=None, help="Rounds over the pictures [what fits the minutes].")
@click.option("--minutes", type=float, default=None, help="About how long it may take [10].")
@click.option("--augment", type=click.Choice(["flips", "turns"]), default="flips", help="turns: no up and no down.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same weights.")
def pretrain(data: Path, out: Path, **told: Any) -> None:
    """Teach a network by pictures nobody has labelled: DATA is a folder or a zip, and its labels are not looked at.

    What comes of it is a file of weights: tocsin learn FEW --way transfer --network NETWORK --weights FILE begins from it.
    """
    from tocsin.data.collection import collect
    from tocsin.learn.checkpoint import replace
    from tocsin.learn.perception.recipe import Recipe
    from tocsin.learn.perception.selfsupervised import pretrain as teach

    if out.suffix != ".safetensors":
        raise BadInput(
            f"the weights are written as safetensors; got {out.name}.", field="--out", hint="NAME.safetensors"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    collection = collect(data, kind="images")
    recipe = Recipe(folder=out.with_name(f"{out.stem}.training"), **told)
    with _progress() as progress:
        task = progress.add_task("reading the pictures", total=1.0)
        made = teach(
            collection, recipe, lambda what, share: progress.update(task, description=escape(what), completed=share)
        )
    replace(out, made.weights)
    first, last = made.trained.start, made.trained.judged
    click.echo(
        f"{out}: {told['network']}, taught by {made.pictures:,} pictures; two views of one: {first:.3f} → {last:.3f} apart"
    )
    click.echo(f"Begin from it: tocsin learn FEW --way transfer --network {told['network']} --weights {out}")


def _progress() -> Progress:
    """A bar that says how far it is."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)


def fetched(name: str, folder: Path | None) -> Path:
    """Fetch with a bar that says how far it is."""
    from tocsin.learn.perception.weights import fetch

    with _progress() as progress:
        task = progress.add_task(f"fetching {name}", total=1.0)
        return fetch(name, folder, lambda what, share: progress.update(task, description=escape(what), completed=share))
