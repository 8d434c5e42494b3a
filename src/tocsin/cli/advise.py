"""``tocsin advise``: machine learning or deep learning, which way, how long, and why; measured on one's own data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from tocsin.evaluate.advised import drawing, headline, minutes, page, score
from tocsin.evaluate.advisor import Advice
from tocsin.evaluate.examples_advice import BUDGET
from tocsin.learn.task import Told

_PATH = click.Path(path_type=Path)
MOST_THREADS = 4


@click.command()
@click.argument("data", type=_PATH)
@click.option(
    "--spec", "spec_name", default=None, help="Payments: a ready spec's name or a TOML file that describes DATA."
)
@click.option("--seconds", default=BUDGET, show_default=True, help="About how long the advice may take.")
@click.option("--report", type=_PATH, default=None, help="Write the advice as one HTML file, too.")
@click.option("--seed", default=0, show_default=True, help="The same seed measures the same examples.")
@click.option("--threads", type=click.IntRange(1), default=None, help="Cores to compute on; up to four by default.")
@click.option("--weights", type=_PATH, default=None, help="Where published weights lie; by default the user's cache.")
@click.option("--kind", default=None, help="Examples: images, sound or text, where a folder holds several.")
@click.option("--column", default=None, help="Examples: a table's column with the texts or the names of the files.")
@click.option("--label", default=None, help="Examples: a table's column with the class.")
@click.option("--split", default=None, help="Examples: a table's column with the part.")
@click.option("--group", default=None, help="Examples: a table's column with the speaker, patient and the like.")
def command(
    data: Path,
    spec_name: str | None,
    seconds: float,
    report: Path | None,
    seed: int,
    threads: int | None,
    weights: Path | None,
    **columns: str | None,
) -> None:
    """Say which way to learn from DATA, before anything is learned.

    Short trainings on parts of the examples are measured by cross-validation and drawn on to all of them; this machine's
    own speed says how long each way will take. The test part is never looked at. DATA is what `tocsin learn` takes: a
    folder or zip archive of pictures or sounds, a table of texts, or payments with --spec.

    \b
    Examples:
      tocsin advise photos/
      tocsin advise messages.csv --report advice.html
      tocsin advise world/world.parquet --spec world
    """
    used = threads or min(MOST_THREADS, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    console = Console()
    bar = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*bar, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading the data", total=1.0)

        def told(what: str, share: float) -> None:
            progress.update(task, description=what, completed=share)

        if spec_name is not None:
            advice = _payments(data, spec_name, seed, told)
        else:
            advice = _examples(data, columns, seconds, used, seed, weights, told)
    _say(console, advice)
    if report is not None:
        report.write_text(page(advice), encoding="utf-8")
        console.print(f"The advice with its pictures is in {report}.", highlight=False)


def _examples(
    data: Path,
    columns: dict[str, str | None],
    seconds: float,
    threads: int,
    seed: int,
    weights: Path | None,
    told: Told,
) -> Advice:
    from tocsin.data.collection import collect
    from tocsin.evaluate.examples_advice import advise_examples
    from tocsin.learn.perception.recipe import Recipe

    collection = collect(data, **columns)
    recipe = Recipe(weights=weights)
    return advise_examples(collection, budget=seconds, threads=threads, seed=seed, recipe=recipe, told=told)


def _payments(data: Path, spec_name: str, seed: int, told: Told) -> Advice:
    from tocsin import spec as specs
    from tocsin.data import read
    from tocsin.evaluate.payments_advice import advise_payments
    from tocsin.features import compile_plan
    from tocsin.learn.gathering import features

    began = time.perf_counter()
    spec = specs.load(spec_name)
    table = read(data, spec)
    plan = compile_plan(spec)
    examples, _ = features(table, plan, told)
    took = time.perf_counter() - began
    return advise_payments(examples, plan, source=str(data), spec=spec_name, read_seconds=took, seed=seed, told=told)


def _say(console: Console, advice: Advice) -> None:
    """The recommendation, the table, the drawing, and what would change it."""
    say: Callable[..., None] = lambda line: console.print(escape(line), highlight=False)  # noqa: E731
    say(f"{advice.what}; {advice.machine}.")
    console.print(f"[bold]{escape(headline(advice))}[/bold]", highlight=False)
    console.print(f"Next: [bold]{escape(advice.command)}[/bold]", highlight=False, soft_wrap=True)
    grid = Grid(box=None, pad_edge=False)
    for title in ("way", "expected", "time here", "rests on"):
        grid.add_column(title, no_wrap=title == "way")
    for one in advice.candidates:
        name = f"{one.way} {one.network}".strip()
        grid.add_row(escape(name), score(advice, one), minutes(one), escape(one.grounds))
    console.print(grid, highlight=False)
    for line in drawing(advice):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    for said in advice.why:
        say(f"Why: {said}")
    for said in advice.unless:
        say(f"What would change this: {said}")
    for said in advice.notes:
        say(f"Note: {said}")
    say(f"This took {advice.seconds:.0f} seconds; the test part was not looked at.")
