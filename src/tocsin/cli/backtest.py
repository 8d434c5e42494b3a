"""``tocsin backtest``: what would have happened, had it been live."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from tocsin import spec as specs
from tocsin.cli.evaluate import summarise
from tocsin.data import read
from tocsin.evaluate.backtest import Backtest, backtest
from tocsin.evaluate.replay import entity_of, examples_of, read_truth, walk
from tocsin.evaluate.report import page
from tocsin.evaluate.results import find
from tocsin.features import Kernel, compile_plan
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.transactions import Recipe
from tocsin.measure.budget import parse_goal
from tocsin.spec import parse_span


@click.command()
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--spec", "spec_name", required=True, help="A ready spec's name or a TOML file that describes DATA.")
@click.option("--every", default="30d", show_default=True, help="How long a model serves before the next is learned.")
@click.option("--budget", default=None, help="Alerts the analysts can work through, such as 100/day (the default).")
@click.option("--cost", type=float, default=None, help="Instead: what one alert costs to look at, in major units.")
@click.option("--fpr", type=float, default=None, help="Instead: the share of genuine payments that may ring.")
@click.option("--truth", type=click.Path(path_type=Path), default=None, help="Parquet of id and kind: judge by it.")
@click.option("--trees", default=BoostingSettings().trees, show_default=True, help="At most, in all stages.")
@click.option("--seed", default=0, show_default=True, help="The same seed gives the same result, to the bit.")
@click.option("--report", type=click.Path(path_type=Path), default=None, help="Write a page with pictures here.")
def command(
    data: Path,
    spec_name: str,
    every: str,
    budget: str | None,
    cost: float | None,
    fpr: float | None,
    truth: Path | None,
    trees: int,
    seed: int,
    report: Path | None,
) -> None:
    """Replay the past as if it had been live.

    At each origin a model is learned from what was known by then, thresholds are set from the budget of that moment,
    and the payments until the next origin are decided by the function that decides live. Then alerts, frauds and money
    are counted.

    \b
    Example:
      tocsin backtest world/world.parquet --spec world --every 30d --budget 100/day --report backtest.html
    """
    spec = specs.load(spec_name)
    recipe = Recipe(parse_goal(budget, cost, fpr), BoostingSettings(trees=trees, seed=seed))
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading the file", total=1.0)

        def told(what: str, share: float) -> None:
            progress.update(task, description=what, completed=share)

        table = read(data, spec)
        kind = None if truth is None else read_truth(truth, table.ids)
        plan = compile_plan(spec)
        kernel = Kernel(plan)
        examples = examples_of(table, walk(table, kernel, told))
        replayed = backtest(
            examples, entity_of(table), spec, plan, recipe, every=parse_span(every), kind=kind, told=told
        )
        told("measuring", 0.95)
        found = find(replayed.results, cost_per_alert=cost or 0.0)
    notes = _notes(replayed, every)
    console = Console()
    summarise(console, found, spec.currency, notes)
    _say_rounds(console, replayed)
    if report is not None:
        html = page(
            found,
            title=f"{spec.name}, as if it had been live",
            model=f"a model learned every {every}",
            data=data.name,
            currency=spec.currency,
            notes=notes,
        )
        report.write_text(html, encoding="utf-8")
        console.print(f"The report is in {report}.", highlight=False)


def _say_rounds(console: Console, replayed: Backtest) -> None:
    """One line an origin: what was learned from, what came of it."""
    grid = Grid(box=None, pad_edge=False)
    for title in ("learned on", "from payments", "with frauds", "review from", "alerts a day", "caught", "of frauds"):
        grid.add_column(title, justify="left" if title == "learned on" else "right")
    for one in replayed.rounds:
        results = one.results
        fraud = results.truth == 1
        grid.add_row(
            _say(one.cut),
            f"{one.learned_rows:,}",
            f"{one.learned_frauds:,}",
            f"{one.review_at:.4f}",
            f"{results.weight[results.stopped].sum() / results.days:,.1f}",
            f"{(fraud & results.stopped).sum():,}",
            f"{fraud.sum():,}",
        )
    console.print(grid, highlight=False)


def _notes(replayed: Backtest, every: str) -> list[str]:
    first = replayed.rounds[0].cut
    notes = [f"Replayed from {_say(first)}: {len(replayed.rounds)} models, a new one every {every}."]
    notes += [f"Nothing was learned on {_say(cut)}: {why}" for cut, why in replayed.skipped]
    return notes


def _say(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%d %b %Y}"
