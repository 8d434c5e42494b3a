"""``tocsin check``: read a data set and say in words what is in it and what is wrong; here payments."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tocsin import spec as specs
from tocsin.cli.check_examples import are_examples, check_examples
from tocsin.data.guess import fitting, starter
from tocsin.data.split import say_time
from tocsin.data.summary import Summary, sparkline, summarise
from tocsin.data.transactions import read
from tocsin.errors import BadInput
from tocsin.money import Rates
from tocsin.schema import exponent_of
from tocsin.spec import Spec


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--spec", "spec_name", metavar="SPEC", help="Payments: a ready spec's name, or a path ending in .toml.")
@click.option("--events", type=click.Path(path_type=Path), help="Payments: a second file with the account events.")
@click.option("--rates", type=click.Path(path_type=Path), help="Payments: rates to the base currency (TOML).")
@click.option("--starter", "print_starter", is_flag=True, help="Payments: print a first spec for this file and stop.")
@click.option("--bad", type=click.Path(path_type=Path), help="Put what is bad aside here (.csv, .jsonl, .parquet).")
@click.option("--suspicions", is_flag=True, help="Examples: name labels that look wrong; thousands take minutes.")
@click.option("--kind", help="Examples: images, sound or text, where a folder holds several.")
@click.option("--column", help="Examples: a table's column of texts or of file names.")
@click.option("--label", help="Examples: a table's column with the class.")
@click.option("--split", help="Examples: a table's column with the part, or COLUMN=VALUE for the test.")
@click.option("--group", help="Examples: a table's column with the speaker, patient or the like.")
def command(
    file: Path,
    spec_name: str | None,
    events: Path | None,
    rates: Path | None,
    print_starter: bool,
    bad: Path | None,
    suspicions: bool,
    **columns: str | None,
) -> None:
    """Read a data set and say in words what is in it and what is wrong with what.

    Payments: FILE is CSV, JSON lines or Parquet, plain or compressed by gzip, zstd or bz2. Without --spec the ready spec
    that fits the columns is taken, or, where none fits, a first guess.

    Pictures, sounds, texts: FILE is a folder or zip archive with a folder a class, or a table with a column of texts or
    of file names. Named are unreadable files, copies and near-copies (across train and test above all), classes too
    small or given away by the size of their files, silent or clipped sounds, harmed texts. With --suspicions every label
    is held against a model that had not seen its example, in five turns, and the labels it firmly contradicts are listed,
    the firmest first; with --bad FILE all of them, with the class believed. Look at them: it may be the model that is wrong.

    The exit code is 0 when all is good and 1 when some is bad; what is good goes through all the same wherever it is read.

    \b
    Examples:
      tocsin check payments.csv
      tocsin check payments.csv --starter > mine.toml
      tocsin check payments.csv.gz --spec mine.toml --bad bad.csv
      tocsin check photos/
      tocsin check photos/ --suspicions --bad doubts.csv
      tocsin check messages.csv --column body --label folder
    """
    of_payments = {"--spec": spec_name, "--events": events, "--rates": rates, "--starter": print_starter or None}
    given = next((name for name, value in of_payments.items() if value is not None), None)
    of_examples = {f"--{name}": value for name, value in columns.items()} | {"--suspicions": suspicions or None}
    asked = next((name for name, value in of_examples.items() if value is not None), None)
    if given and asked:
        raise BadInput(f"{given} is about payments and {asked} about examples; give one of them.", field=asked)
    if suspicions and asked == "--suspicions" and file.exists() and not are_examples(file):
        raise BadInput(
            f"{file.name} is read as payments; labels are suspected of pictures, sounds and texts.",
            field="--suspicions",
            hint="If it is a table of texts or of file names, say --column and --label.",
        )
    if asked or (given is None and are_examples(file)):
        check_examples(file, columns, bad, suspicions)
        return
    if print_starter:
        click.echo(starter(file), nl=False)
        return
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    with Console(stderr=True).status(f"reading {file.name}"):
        spec, chosen = _choose(file, spec_name)
        table = read(file, spec, events=events, rates=Rates.load(rates) if rates else None, bad_rows=bad)
        summary = summarise(table)
    console.print(f"[bold]{escape(file.name)}[/bold], read by {escape(chosen)}.")
    console.print(_facts(summary))
    if summary.entities and summary.payments:
        console.print(_entities(summary))
    for note in summary.notes:
        console.print(f"Note: {escape(note)}")
    _say_problems(console, summary, bad)
    if summary.rows_bad:
        sys.exit(1)


def _choose(file: Path, name: str | None) -> tuple[Spec, str]:
    """The spec to read by, and how to call it."""
    if name is not None:
        return specs.load(name), f"the spec {name}"
    fits, _ = fitting(file)
    if fits is not None:
        return fits, f"the ready spec {fits.name}, whose columns it has"
    text = starter(file)
    guessed = specs.parse(text, name=file.name.split(".")[0])
    words = ", ".join(f"{word} = {column}" for word, column in guessed.columns.items())
    doubts = [line.partition("# look:") for line in text.splitlines() if "# look:" in line]
    look = "; ".join(f"{said.strip()} ({why.strip()})" for said, _, why in doubts)
    return guessed, (
        f"a guess, as no ready spec fits: {words} (tocsin check {file} --starter > mine.toml keeps it)"
        + (f". Guessed too, so look: {look}" if look else "")
    )


def _facts(summary: Summary) -> Grid:
    grid = Grid.grid(padding=(0, 2))
    good = summary.rows_in - summary.rows_bad
    grid.add_row("rows", f"{summary.rows_in:,}: {good:,} good, {summary.rows_bad:,} bad")
    events = ", ".join(f"{count:,} {kind}" for kind, count in summary.events.items())
    grid.add_row("payments", f"{summary.payments:,}" + (f"; and account events: {events}" if events else ""))
    if summary.first is not None and summary.last is not None:
        days = len(summary.per_day)
        grid.add_row("span", f"{say_time(summary.first)} to {say_time(summary.last)}, {_count(days, 'day')}")
        grid.add_row(
            "rows a day",
            f"{sparkline(summary.per_day, 40)}  {summary.per_day.min():,} to {summary.per_day.max():,}, "
            f"{_round(summary.per_day.mean())} on average",
        )
    if summary.payments:
        unit = 10 ** exponent_of(summary.currency)
        digits = exponent_of(summary.currency)
        zero = f", {summary.zero_amounts:,} are zero" if summary.zero_amounts else ""
        grid.add_row(
            "amounts",
            f"median {summary.amount_median / unit:,.{digits}f}, largest {summary.amount_largest / unit:,.{digits}f}, "
            f"in all {summary.amount_sum / unit:,.{digits}f} {summary.currency}{zero}",
        )
        _label_rows(grid, summary)
    return grid


def _label_rows(grid: Grid, summary: Summary) -> None:
    labels = summary.labels
    if not labels.fraud + labels.genuine:
        grid.add_row("fraud", "no payment has a label")
        return
    weighted = " by weight" if labels.weighted else ""
    unknown = f", {labels.unknown:,} unknown" if labels.unknown else ""
    grid.add_row(
        "fraud", f"{labels.fraud:,} of {labels.fraud + labels.genuine:,} known, {labels.rate:.2%}{weighted}{unknown}"
    )
    if labels.delay_median is not None and labels.delay_most is not None:
        if labels.delay_most.total_seconds() == 0:
            said = "known at once; real ones take days: without \\[label] known_after in the spec, scores flatter"
        elif labels.delay_median == labels.delay_most:
            said = f"frauds are known after {_days(labels.delay_most)}"
        else:
            said = f"half of the frauds known after {_days(labels.delay_median)}, 95 % after {_days(labels.delay_most)}"
        grid.add_row("label delay", said)


def _days(delay: timedelta) -> str:
    days = delay.total_seconds() / 86_400
    return f"{days:.1f} days" if days >= 1 else f"{days * 24:.1f} hours"


def _entities(summary: Summary) -> Grid:
    grid = Grid(box=None, padding=(0, 2, 0, 0))
    grid.add_column("who and what")
    grid.add_column("different", justify="right")
    grid.add_column("payments without", justify="right")
    for entity in summary.entities:
        grid.add_row(entity.name, f"{entity.distinct:,}", f"{entity.missing:.1%}" if entity.missing else "none")
    return grid


def _say_problems(console: Console, summary: Summary, bad: Path | None) -> None:
    if not summary.problems:
        console.print("[green]No problems.[/green]")
        return
    rest = "The rest went through." if summary.rows_bad < summary.rows_in else "Not one row could be read."
    console.print(f"[bold red]{_count(summary.rows_bad, 'bad row')}.[/bold red] {rest}")
    for kind in sorted(summary.problems, key=lambda k: -k.count):
        where = " ".join(x for x in (kind.file, kind.column) if x) or "the row itself"
        rows = ", ".join(f"{row:,}" for row in kind.rows) + (", ..." if kind.count > len(kind.rows) else "")
        times = f"{kind.count:,} times, first in rows {rows}" if kind.count > 1 else f"in row {rows}"
        console.print(f"  [bold]{escape(where)}[/bold], {times}: {escape(kind.example)}")
        if kind.hint:
            console.print(f"    {escape(kind.hint)}")
    if bad is not None:
        console.print(f"They stand in {escape(str(bad))}, each with what is wrong.")
    else:
        console.print("Add --bad FILE to put them aside.")


def _round(mean: float) -> str:
    return f"{mean:,.0f}" if mean >= 10 else f"{mean:.1f}"


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")
