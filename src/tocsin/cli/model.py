"""``tocsin model``: which model decides."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.app import console_user, open_ledger, read_settings
from tocsin.artifact import load
from tocsin.errors import BadInput
from tocsin.ledger import models, now

_data = click.option("--data", "folder", type=click.Path(path_type=Path), help="The data folder [tocsin-data].")
_ledger = click.option("--ledger", help="Or the ledger itself, as a database URL.")


@click.group()
def command() -> None:
    """Activate a model, roll back, list. A running service takes it over within seconds, without a pause.

    \b
    Example:
        tocsin model activate models/world-2
        tocsin model rollback
    """


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
