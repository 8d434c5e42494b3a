"""``tocsin world``: make a world of payments with known fraud."""

from __future__ import annotations

from pathlib import Path

import click
import pyarrow.compute as pc
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from tocsin.data.world import MADE, STEPS, World, WorldSettings, make_world, write_world
from tocsin.data.world_plan import FRAUDS

_DEFAULT = WorldSettings()


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("world"), show_default=True, help="Folder to write."
)
@click.option("--transactions", default=_DEFAULT.transactions, show_default=True, help="Payments to make, exactly.")
@click.option("--seed", default=_DEFAULT.seed, show_default=True, help="The same seed gives the same bytes.")
@click.option("--months", default=_DEFAULT.months, show_default=True, help="Months they span.")
@click.option("--fraud-rate", default=_DEFAULT.fraud_rate, show_default=True, help="Share of payments that are fraud.")
@click.option(
    "--drift", default=_DEFAULT.drift, show_default=True, help="How much changes over the months; 0 is nothing."
)
def command(out: Path, transactions: int, seed: int, months: int, fraud_rate: float, drift: float) -> None:
    """Make a world of payments with known fraud; its people, payments and frauds do not exist.

    Writes OUT/world.parquet (payments and account events in one file) and, apart, OUT/truth.parquet (the planted kind,
    episode and ring of every fraud, by id). The ready spec for it is called `world`.

    \b
    Example:
      tocsin world --out world --transactions 200000 --seed 7
      tocsin learn world/world.parquet --spec world
    """
    settings = WorldSettings(transactions=transactions, seed=seed, months=months, fraud_rate=fraud_rate, drift=drift)
    out.mkdir(parents=True, exist_ok=True)  # what cannot be written is said before the work, not after it
    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("making a world", total=len(STEPS))

        def on_step(step: str) -> None:
            progress.update(task, description=f"making a world: {step}", completed=STEPS.index(step))

        world = make_world(settings, on_step)
        write_world(world, out, on_step)
        progress.update(task, completed=len(STEPS))
    _summarise(Console(), world, out)


def _summarise(console: Console, world: World, out: Path) -> None:
    """What was made, in words and numbers, and the next command to type."""
    events, truth = world.events, world.truth
    payments = world.settings.transactions
    first, last = events["at"][0].as_py(), events["at"][-1].as_py()
    paid = pc.is_valid(events["amount_minor"])
    fraud = pc.filter(truth["kind"], pc.is_in(truth["id"], value_set=pc.filter(events["id"], paid)))
    counts = {str(pair["values"]): pair["counts"] for pair in pc.value_counts(fraud.combine_chunks()).to_pylist()}
    console.print(f"[bold]{MADE}[/bold]")
    console.print(
        f"{payments:,} payments and {events.num_rows - payments:,} account events of {world.settings.accounts:,} accounts, "
        f"{first:%Y-%m-%d} to {last:%Y-%m-%d} (UTC); {sum(counts.values()):,} payments are fraud "
        f"({sum(counts.values()) / payments:.2%})."
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("planted")
    table.add_column("payments", justify="right")
    table.add_column("what it is")
    for kind, about in FRAUDS.items():
        table.add_row(kind, f"{counts.get(kind, 0):,}", about.about)
    console.print(table)
    console.print(
        f"Written: {out / 'world.parquet'} and, apart from it, {out / 'truth.parquet'} (no model may see it)."
    )
    console.print(f"Next:    tocsin learn {out / 'world.parquet'} --spec world", highlight=False)
