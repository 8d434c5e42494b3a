"""``tocsin backup``: copy the ledger and the memory while running, or restore them."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.app import Settings, read_settings
from tocsin.ledger import Ledger, backup, now

_data = click.option("--data", "folder", type=click.Path(path_type=Path), help="The data folder [tocsin-data].")


@click.group()
def command() -> None:
    """Copy the ledger and the memory while running, or restore them.

    \b
    Example:
        tocsin backup make /backups/monday
        tocsin backup restore /backups/monday --data tocsin-restored
    """


@command.command()
@click.argument("to", type=click.Path(path_type=Path))
@_data
def make(to: Path, folder: Path | None) -> None:
    """Copy everything into the new directory TO; payments go on being decided meanwhile.

    The copy holds the card key, so keep it as secret as the data folder.
    """
    settings = read_settings(folder=folder)
    ledger = Ledger(settings.ledger or settings.folder / backup.LEDGER)
    manifest = backup.make(ledger, settings.folder, to, at=now())
    ledger.close()
    click.echo(f"{to} holds everything up to number {manifest.next_number - 1:,}, in {len(manifest.files)} files.")


@command.command()
@click.argument("source", type=click.Path(path_type=Path))
@_data
def restore(source: Path, folder: Path | None) -> None:
    """Put the backup SOURCE into an empty data folder; `tocsin serve` goes on from there."""
    settings: Settings = read_settings(folder=folder)
    manifest = backup.restore(source, settings.folder)
    click.echo(
        f"{settings.folder} is as it was at number {manifest.next_number - 1:,}, {manifest.made_at:%Y-%m-%d %H:%M} UTC."
    )
