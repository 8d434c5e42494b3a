"""``tocsin model``: what a model is, and which one decides."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from tocsin.app import console_user, open_ledger, read_settings
from tocsin.artifact import load
from tocsin.artifact.card import Card, read_card
from tocsin.artifact.classes import ClassesCard, read_classes_card
from tocsin.artifact.seal import PAYMENTS, kind_of
from tocsin.cli.predict import harmless
from tocsin.errors import BadInput
from tocsin.ledger import models, now

_data = click.option("--data", "folder", type=click.Path(path_type=Path), help="The data folder [tocsin-data].")
_ledger = click.option("--ledger", help="Or the ledger itself, as a database URL.")


@click.group()
def command() -> None:
    """Show a model; activate one, roll back, list. A running service takes it over within seconds, without a pause.

    \b
    Example:
        tocsin model show models/cats
        tocsin model activate models/world-2
        tocsin model rollback
    """


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
def show(path: Path) -> None:
    """What the model in directory PATH is, in words, after checking every file of it."""
    lines = _payments(read_card(path)) if kind_of(path) == PAYMENTS else _classes(read_classes_card(path))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, said in lines:
        if said:
            grid.add_row(name, harmless(said))
    Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120).print(grid)


def _classes(card: ClassesCard) -> list[tuple[str, str]]:
    """A card of classes in words."""
    learned, counts = card.learned, card.learned.classes
    named = [f"{name} ({counts[name]:,})" if name in counts else name for name in card.classes]
    more = f", ... {len(named) - 30} more" if len(named) > 30 else ""
    return [
        ("model", card.version),
        ("reads", {"images": "pictures", "sound": "sounds", "text": "texts"}[card.kind]),
        ("tells apart", f"{len(named)} classes: {', '.join(named[:30])}{more}"),
        ("learned by", _way(card)),
        ("from", f"{learned.data}: {learned.rows:,} examples ({_counts(learned.parts)}), seed {learned.seed}"),
        ("held out", learned.held_out),
        ("measured", _numbers(card.measured)),
        ("prepares", _prepared(card)),
        ("temperature", f"{card.temperature:.3g}"),
        *_rest(card.settings, card.libraries, card.files),
        ("use it", "tocsin predict MODEL FILE; tocsin serve MODEL"),
    ]


def _way(card: ClassesCard) -> str:
    """How it was learned, in one sentence."""
    heads = {"svm": "a linear support-vector machine", "logistic": "logistic regression", "trees": "boosted trees"}
    into = heads.get(card.into, "")
    share = card.settings.get("words")
    words = f"; beside it the words, counted, at {share:g} of its weight" if share else ""
    if card.way == "scratch":
        return f"scratch: the network {card.network}, from random weights{words}"
    if card.way == "transfer":
        return f"transfer: the network {card.network}, taught on from weights it came with{words}"
    if card.way == "extract":
        layer = f"the layer {card.layer}" if card.layer else "the last layer"
        return f"extract: what {layer} of {card.network} says, into {into or 'a linear head'}{words}"
    return f"plain: {card.layer or 'plain features'}, into {into or 'a linear head'}; no network"


def _prepared(card: ClassesCard) -> str:
    """What becomes of an example before it is read."""
    ready = card.preparation
    if card.kind == "images":
        fits = {
            "cover": "what is too long is cut off",
            "squash": "its shape is given up",
            "pad": "grey is put beside it",
        }
        return f"every picture as {ready.size} × {ready.size} pixels; {fits[ready.fit]}"
    if card.kind == "sound":
        return (
            f"every sound as {ready.samples / ready.rate:.3g} s in one channel at {ready.rate / 1000:g} kHz, its middle"
        )
    if card.way == "plain":
        return "every text whole"
    return f"the first {ready.length} {'word pieces' if ready.tokens == 'wordpiece' else 'words'} of every text"


def _payments(card: Card) -> list[tuple[str, str]]:
    """A card of payments in words."""
    learned = card.learned
    stages = ", ".join(f"{stage.name} ({stage.trees} trees)" if stage.trees else stage.name for stage in card.stages)
    return [
        ("model", card.version),
        ("reads", "payments"),
        (
            "learned by",
            {"trees": "boosted trees", "anomaly": "an anomaly score alone"}.get(card.way, "trees and a network"),
        ),
        ("stages", stages),
        (
            "from",
            f"{learned.data}: {learned.rows:,} payments, {learned.frauds:,} frauds, {learned.first} to {learned.last}",
        ),
        ("measured", _numbers(card.measured)),
        ("reviews", f"from a score of {card.policy.review_at:.4g}, declines from {card.policy.decline_at:.4g}"),
        *_rest(card.settings, card.libraries, card.files),
        ("use it", "tocsin serve MODEL; tocsin evaluate MODEL DATA"),
    ]


def _rest(settings: dict[str, Any], libraries: dict[str, str], files: dict[str, str]) -> list[tuple[str, str]]:
    return [
        ("settings", ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None)),
        ("made with", ", ".join(f"{name} {version}" for name, version in libraries.items())),
        ("files", f"{', '.join(files)}: all as they were written"),
    ]


def _numbers(measured: dict[str, float]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in measured.items())


def _counts(parts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in parts.items())


@command.command()
@click.argument("path", type=click.Path(path_type=Path))
@_data
@_ledger
def activate(path: Path, folder: Path | None, ledger: str | None) -> None:
    """Put the model in directory PATH in force."""
    settings = read_settings(folder=folder, ledger=ledger)
    model = load(path)
    if not settings.rates and model.spec.currency != settings.currency:
        raise BadInput(
            f"the model's base currency must be the ledger's, {settings.currency}; it is {model.spec.currency}.",
            field="currency",
        )
    opened = open_ledger(settings)
    with opened.write() as connection:
        done = models.activate(
            connection,
            version=model.version,
            path=str(path.resolve()),
            fingerprint=model.version,
            actor=console_user(),
            at=now(),
        )
    opened.close()
    click.echo(f"{done.version} is in force.")


@command.command()
@_data
@_ledger
def rollback(folder: Path | None, ledger: str | None) -> None:
    """Put the model before the one in force in force again."""
    opened = open_ledger(read_settings(folder=folder, ledger=ledger))
    with opened.write() as connection:
        done = models.roll_back(connection, actor=console_user(), at=now())
    opened.close()
    click.echo(f"{done.version} is in force again.")


@command.command("list")
@_data
@_ledger
def list_(folder: Path | None, ledger: str | None) -> None:
    """Every activation, newest first; the first is in force."""
    opened = open_ledger(read_settings(folder=folder, ledger=ledger))
    with opened.read() as connection:
        past = models.history(connection)
    opened.close()
    for one in past:
        click.echo(f"{one.at:%Y-%m-%d %H:%M}  {one.version}  {one.actor}  {one.path}")
    if not past:
        click.echo("No model was ever in force; `tocsin model activate PATH` puts one in force.")
