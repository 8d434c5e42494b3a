"""``tocsin explain``: why one payment got its score, as odds, in words, and as an exact sum."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import exp, log
from pathlib import Path

import click
import msgspec
import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from tocsin.app import open_ledger, read_settings
from tocsin.artifact import Artifact, load
from tocsin.artifact.words import money
from tocsin.cli.learn_transactions import MEMORY
from tocsin.data import Table, read
from tocsin.errors import NotFound
from tocsin.evaluate.replay import walk
from tocsin.features import Kernel
from tocsin.ledger.tables import alerts, decisions, transactions
from tocsin.measure.policy import decide
from tocsin.schema import Decision, Reason, Score, StageShare

HALF = 16
"""How many characters a bar may reach to each side of "no change"."""


@dataclass(frozen=True, slots=True)
class Told:
    """All that is said of one payment."""

    head: str
    why: str
    score: Score
    reasons: tuple[Reason, ...]
    outcome: str
    network: tuple[float, ...] = ()
    """Of each stage's share what the network gave, where there is one and the row is at hand."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("what", nargs=-1, required=True, metavar="[DATA] ID")
@click.option(
    "--data", "folder", type=click.Path(path_type=Path), help="The data folder of a payment that was answered."
)
@click.option("--ledger", default=None, help="Or its ledger, as a database URL.")
@click.option("--top", default=5, show_default=True, help="How many reasons.")
def command(model: Path, what: tuple[str, ...], folder: Path | None, ledger: str | None, top: int) -> None:
    """Say why one payment got its score: the base rate, what each stage made of it, the strongest reasons, the sum.

    With a file DATA its payment ID is scored as it would have been live. Without one the answer given to ID is read
    from the ledger, with the reasons kept in its alert.

    \b
    Examples:
      tocsin explain model world/world.parquet p-1204
      tocsin explain model p-1204 --data tocsin-data
    """
    if len(what) > 2:
        raise click.UsageError("Give one ID, or DATA and one ID.")
    artifact = load(model)
    if len(what) == 2:
        told = _from_file(artifact, model, Path(what[0]), what[1], top)
    else:
        told = _from_ledger(artifact, what[0], folder, ledger, top)
    _show(Console(), told)


def _from_file(artifact: Artifact, folder: Path, data: Path, payment: str, top: int) -> Told:
    """Replay the file up to its end and score the one payment with what was known just before it."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading the file", total=1.0)
        table = read(data, artifact.spec)
        places = np.flatnonzero(table.ids == payment)
        if not len(places):
            raise NotFound(
                f"{data.name} has no payment {payment!r}.", field="id", hint="Ids are in the spec's id column."
            )
        place = int(places[0])
        matrix = walk(
            table,
            _memory(artifact, folder, table),
            lambda words, share: progress.update(task, description=words, completed=share),
        )
    row = matrix[place : place + 1]
    scored = artifact.score(row)
    reasons = artifact.reasons(row, top)[0]
    stages = tuple(
        StageShare(stage=name, delta=float(delta))
        for name, delta in zip(artifact.stage_names, scored.delta[0], strict=True)
    )
    score = Score(value=float(scored.value[0]), logit=float(scored.logit[0]), base=scored.base, stages=stages)
    ruling = decide(score.value, artifact.policy)
    label = {1: "a known fraud", 0: "known to be genuine"}.get(int(table.label[place]), "not known to be either")
    outcome = f"By the model's own thresholds: {ruling.action}. It is {label}."
    head = _head(artifact, table, place, payment)
    return Told(head, artifact.why(reasons), score, reasons, outcome, _network(artifact, row))


def _network(artifact: Artifact, row: NDArray[np.float64]) -> tuple[float, ...]:
    """What the network gave of each stage's share, log-odds; empty for a model without one."""
    if artifact.card.network is None:
        return ()
    return tuple(float(share) for share in artifact.shares(row)[1][0, :, -1])


def _memory(artifact: Artifact, folder: Path, table: Table) -> Kernel:
    """The memory beside the model where the file begins after what the model learned from, else an empty one."""
    last = datetime.fromisoformat(artifact.card.learned.last).timestamp() * 1e6
    if (folder / MEMORY).is_file() and int(table.batch.at[0]) > last:
        return Kernel.load(folder / MEMORY, artifact.plan)
    return Kernel(artifact.plan)


def _head(artifact: Artifact, table: Table, place: int, payment: str) -> str:
    amount = float(table.amount[place]) / artifact.spec.minor_units
    at = datetime.fromtimestamp(float(table.at[place]) / 1e6, UTC)
    return f"{payment} · {money(amount, artifact.spec.currency)} · {at:%Y-%m-%d %H:%M} UTC · {artifact.version}"


def _from_ledger(artifact: Artifact, payment: str, folder: Path | None, url: str | None, top: int) -> Told:
    """What was answered, and the reasons kept with its alert."""
    ledger = open_ledger(read_settings(folder=folder, ledger=url))
    query = (
        sa.select(
            *(decisions.c.body, alerts.c.why, alerts.c.reasons, alerts.c.inputs),
            *(transactions.c.base_minor, transactions.c.at),
        )
        .join(transactions, transactions.c.number == decisions.c.number)
        .outerjoin(alerts, alerts.c.number == decisions.c.number)
        .where(transactions.c.id == payment)
    )
    with ledger.read() as connection:
        found = connection.execute(query).first()
    ledger.close()
    if found is None:
        raise NotFound(
            f"the ledger has no answer to a payment {payment!r}.",
            field="id",
            hint="Name its folder with --data, or explain a payment of a file: tocsin explain MODEL DATA ID.",
        )
    decision = msgspec.json.decode(found.body, type=Decision)
    reasons = msgspec.json.decode(found.reasons, type=tuple[Reason, ...]) if found.reasons else ()
    amount = money(found.base_minor / artifact.spec.minor_units, artifact.spec.currency)
    at = datetime.fromtimestamp(found.at / 1e6, UTC)
    head = f"{payment} · {amount} · {at:%Y-%m-%d %H:%M} UTC · {decision.model}"
    outcome = f"It was answered {decision.action}."
    if decision.score is None:
        raise NotFound(f"{payment!r} was answered {decision.action} without a score.", field="id")
    if not reasons:
        outcome += " Reasons are kept for alerts; this payment has none."
    asked_all = all(share.delta is not None for share in decision.score.stages)
    mine = found.inputs and asked_all and decision.model == artifact.version
    network = _network(artifact, np.frombuffer(found.inputs)[None]) if mine else ()
    return Told(head, found.why or "", decision.score, reasons[:top], outcome, network)


def _show(console: Console, told: Told) -> None:
    score = told.score
    console.print(f"[bold]{escape(told.head)}[/bold]", highlight=False)
    if told.why:
        console.print(f"{escape(told.why)}.", highlight=False)
    console.print(f"\nWhat each kind of data said (odds against the base of 1 in {1 + exp(-score.base):,.0f})")
    longest = max([abs(s.delta) for s in score.stages if s.delta is not None] + [log(2)])
    grid = Grid(box=None, pad_edge=False, show_header=False)
    for _ in range(2):
        grid.add_column()
    grid.add_column(justify="right")
    grid.add_column(style="dim")
    for i, share in enumerate(score.stages):
        if share.delta is None:
            grid.add_row(escape(share.stage), "", "not asked")
        else:
            learned = f"of it the network {_odds(told.network[i])}" if told.network else ""
            grid.add_row(escape(share.stage), _bar(share.delta, longest), _odds(share.delta), learned)
    grid.add_row(
        "[bold]All together[/bold]", f"about {_chance(score.value)}", f"[bold]{_odds(score.logit - score.base)}[/bold]"
    )
    console.print(grid, highlight=False)
    if told.reasons:
        console.print("\nThe strongest reasons")
        words = Grid(box=None, pad_edge=False, show_header=False)
        words.add_column()
        words.add_column(style="dim")
        words.add_column(justify="right")
        for reason in told.reasons:
            words.add_row(escape(reason.text), escape(reason.stage), _odds(reason.delta))
        console.print(words, highlight=False)
    parts = "".join(f" {'-' if s.delta < 0 else '+'} {abs(s.delta)!r}" for s in score.stages if s.delta is not None)
    console.print(f"\nExactly, in log-odds: {score.base!r}{parts} = {score.logit!r}", highlight=False)
    console.print(f"Score {score.value:.6f}. {escape(told.outcome)}", highlight=False)


def _bar(delta: float, longest: float) -> str:
    """A bar to the right for more suspicious, to the left for less, on one log scale."""
    length = round(HALF * abs(delta) / longest)
    full = "█" * length if length else "▏"
    if delta >= 0:
        return " " * HALF + f"[red]{full}[/red]"
    return " " * (HALF - len(full)) + f"[blue]{full}[/blue]"


def _odds(delta: float) -> str:
    times = exp(abs(delta))
    number = f"{times:,.0f}" if times >= 10 else f"{times:.1f}"
    return f"{'×' if delta >= 0 else '÷'} {number}"


def _chance(value: float) -> str:
    if value >= 0.01:
        return f"{value * 100:.0f} in 100"
    return f"1 in {1 / value:,.0f}" if value > 0 else "none"
