"""``tocsin evaluate``: how good a model is on payments, pictures, sounds or texts it has not seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from click.core import ParameterSource
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from tocsin.artifact import Artifact, load
from tocsin.artifact.seal import PAYMENTS, kind_of
from tocsin.cli.learn_transactions import MEMORY, early_sentence
from tocsin.data import Table, read
from tocsin.data.arrangement import KINDS
from tocsin.errors import BadInput
from tocsin.evaluate.drift import Drift, drift
from tocsin.evaluate.replay import Told, entity_of, examples_of, read_truth, results_of, walk
from tocsin.evaluate.report import page, sentence
from tocsin.evaluate.results import Findings, Results, find
from tocsin.features import Kernel
from tocsin.learn.contract import Examples
from tocsin.measure.budget import DAY
from tocsin.measure.early import EarlyAnswers, early_answers
from tocsin.schema import utc

OF_PAYMENTS = ("truth", "since", "alert_cost")
OF_EXAMPLES = ("part", "kind", "column", "label", "split", "group")
"""Options that only models of payments, or of pictures, sounds and texts, have."""
MOST_THEN = 200_000
"""As many of the payments it learned from are compared with what came after; more would say the same."""


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--report", type=click.Path(path_type=Path), default=None, help="Write a page with pictures here.")
@click.option(
    "--truth", type=click.Path(path_type=Path), default=None, help="Parquet of id and kind: judge by it, kind by kind."
)
@click.option(
    "--since", default=None, help="Judge payments from this time on; by default those the model never looked at."
)
@click.option("--alert-cost", default=0.0, show_default=True, help="What working through one alert costs.")
@click.option("--part", default=None, help="Of examples: the part to judge by, or all [test, where there is one].")
@click.option(
    "--kind", type=click.Choice(KINDS), default=None, help="Of examples: which kind, where DATA holds several."
)
@click.option("--column", default=None, help="Of examples: a table's column of texts or of file names.")
@click.option("--label", default=None, help="Of examples: a table's column of classes.")
@click.option("--split", default=None, help="Of examples: a table's column of parts.")
@click.option("--group", default=None, help="Of examples: a table's column that says whose each is.")
def command(model: Path, data: Path, report: Path | None, **options: Any) -> None:
    """Measure a model on what it has not seen.

    A model of payments: all of DATA passes through the memory, in order of time; only payments the model never looked
    at while learning are judged, by its own thresholds. Data that begins after what it learned from goes on from the
    memory beside it. A model of pictures, sounds or texts: the examples of DATA whose class is known, its test part
    where it has one.

    \b
    Examples:
      tocsin evaluate model world/world.parquet --truth world/truth.parquet --report report.html
      tocsin evaluate pets photographs/ --report report.html
    """
    strange = OF_EXAMPLES if kind_of(model) == PAYMENTS else OF_PAYMENTS
    for name in strange:
        if click.get_current_context().get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise BadInput(
                f"it is not for models of {kind_of(model)}, such as {model}.",
                field=f"--{name.replace('_', '-')}",
                hint="Leave it out.",
            )
    if kind_of(model) == PAYMENTS:
        _evaluate_payments(model, data, report, **{name: options[name] for name in OF_PAYMENTS})
    else:
        from tocsin.cli.evaluate_examples import evaluate_examples

        evaluate_examples(model, data, options | {"report": report})


def _evaluate_payments(
    model: Path, data: Path, report: Path | None, truth: Path | None, since: str | None, alert_cost: float
) -> None:
    """Replay, judge, and say it in words."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading the file", total=1.0)

        def told(what: str, share: float) -> None:
            progress.update(task, description=what, completed=share)

        artifact = load(model)
        table = read(data, artifact.spec)
        kind = None if truth is None else read_truth(truth, table.ids)
        begin = _begin(artifact, since)
        kernel, warm = _memory(artifact, model, table)
        examples = _known(artifact, examples_of(table, walk(table, kernel, told)))
        unseen = examples.at >= begin
        if not unseen.any():
            raise BadInput(
                f"no payment of {data.name} is new to the model: it looked at everything before {_say(begin)}.",
                field="data",
                hint="Give later data, or --since to judge by payments it has seen.",
            )
        told("scoring", 0.5)
        results = results_of(
            artifact, examples.take(unseen), entity_of(table)[unseen], kind=None if kind is None else kind[unseen]
        )
        told("measuring", 0.8)
        found = find(results, cost_per_alert=alert_cost)
        moved = _moved(artifact, examples, unseen, told)
    notes = _notes(artifact, begin, since is not None, kind is not None, warm)
    currency = artifact.spec.currency
    summarise(Console(), found, currency, notes)
    if moved is not None:
        Console().print(moved.sentence, highlight=False)
    early = early_of(artifact, results)
    if early is not None:
        Console().print(early_sentence(early), highlight=False)
    if report is not None:
        html = page(
            found,
            title=f"How good is {artifact.version}?",
            model=artifact.version,
            data=data.name,
            currency=currency,
            drift=moved,
            early=early,
            notes=notes,
        )
        report.write_text(html, encoding="utf-8")
        Console().print(f"The report is in {report}.", highlight=False)


def summarise(console: Console, found: Findings, currency: str, notes: list[str]) -> None:
    """The first sentence, the notes, and the figures stage by stage."""
    console.print(f"[bold]{sentence(found, currency)}[/bold]", highlight=False)
    for note in notes:
        console.print(note, highlight=False)
    grid = Grid(box=None, pad_edge=False)
    grid.add_column("after stage")
    grid.add_column("average precision", justify="right")
    grid.add_column("frauds found at 1 % false alarms", justify="right")
    for stage in found.stages:
        grid.add_row(stage.name, f"{stage.average_precision:.3f}", f"{stage.recall:.1%}")
    console.print(grid, highlight=False)
    auc, ap = found.roc_auc, found.average_precision
    console.print(
        f"AUC {auc.value:.4f} ({auc.low:.4f} to {auc.high:.4f}), average precision {ap.value:.4f} ({ap.low:.4f} to "
        f"{ap.high:.4f}), Card Precision@100 {found.card_precision_at_100:.3f}, calibration error "
        f"{found.calibration_error:.4f}; {found.payments:,} payments, {found.frauds:,} frauds.",
        highlight=False,
    )
    if found.kinds:
        kinds = ", ".join(f"{k.name} {k.recall:.0%} of {k.frauds}" for k in found.kinds)
        console.print(f"Caught by kind: {kinds}.", highlight=False)


def early_of(artifact: Artifact, results: Results) -> EarlyAnswers | None:
    """What the model's early approvals did to these payments, if its policy has any."""
    if not artifact.policy.approve_below:
        return None
    return early_answers(
        results.exits,
        results.truth,
        results.amount,
        artifact.policy,
        stages=results.stages,
        columns=[stage.columns for stage in artifact.card.stages],
        weight=results.weight,
    )


def _begin(artifact: Artifact, since: str | None) -> int:
    """The moment from which payments are judged, in microseconds UTC."""
    if since is not None:
        try:
            when = datetime.fromisoformat(since)
        except ValueError as error:
            raise BadInput(f"must be a time such as 2026-03-01T00:00:00Z; got {since!r}.", field="--since") from error
        return int(utc(when, field="--since").timestamp() * 1e6)
    until = artifact.card.learned.until
    return int(datetime.fromisoformat(until).timestamp() * 1e6) if until else -(2**62)


def _known(artifact: Artifact, examples: Examples) -> Examples:
    """What is known of the payments, by the rule the model was learned with for those nobody said anything of."""
    days = artifact.card.settings.get("genuine_after_days")
    if not days:
        return examples
    return replace(examples, genuine_after=int(float(days) * DAY)).as_known_at_last()


def _memory(artifact: Artifact, folder: Path, table: Table) -> tuple[Kernel, bool]:
    """A fresh memory, or the one beside the model where the data begins after what it remembers."""
    path = folder / MEMORY
    last = datetime.fromisoformat(artifact.card.learned.last).timestamp() * 1e6
    if path.is_file() and len(table.batch) and int(table.batch.at[0]) > last:
        return Kernel.load(path, artifact.plan), True
    return Kernel(artifact.plan), False


def _moved(artifact: Artifact, examples: Examples, unseen: NDArray[np.bool_], told: Told) -> Drift | None:
    """Scores and features of each unseen month against what the model learned from, if the data holds any of that."""
    then = np.flatnonzero(~unseen)
    if len(then) < 1000:
        return None
    told("looking for drift", 0.9)
    then = then[:: max(1, len(then) // MOST_THEN)]
    before, now = examples.matrix[then], examples.matrix[unseen]
    names = [artifact.plan.describe(name) for name in artifact.plan.names]
    return drift(
        names,
        before,
        now,
        examples.at[unseen],
        score_then=artifact.score(before).value,
        score_now=artifact.score(now).value,
    )


def _notes(artifact: Artifact, begin: int, chosen: bool, by_truth: bool, warm: bool) -> list[str]:
    notes = []
    if begin > 0:
        why = "as asked" if chosen else "which the model never looked at while learning"
        notes.append(f"Judged are the payments from {_say(begin)} on, {why}.")
    else:
        notes.append("The model does not say until when it learned: some of these payments may not be new to it.")
    if warm:
        notes.append("Their history goes on from the memory beside the model.")
    if days := artifact.card.settings.get("genuine_after_days"):
        notes.append(f"As when it learned, payments of which nobody said anything for {days:g} days count as genuine.")
    if by_truth:
        notes.append("True is what the truth file says; labels that came late, never or wrong play no part in it.")
    return notes


def _say(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1e6, UTC):%d %b %Y, %H:%M} UTC"
