"""``tocsin key``: who may call the live service."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.app import console_user, open_ledger, read_settings
from tocsin.ledger import keys, now

_data = click.option("--data", "folder", type=click.Path(path_type=Path), help="The data folder [tocsin-data].")
_ledger = click.option("--ledger", help="Or the ledger itself, as a database URL.")


@click.group()
def command() -> None:
    """Make, list and revoke API keys. Nothing is served without one.

    \b
    Example:
        tocsin key new shop
        tocsin key revoke shop
    """


@command.command()
@click.argument("name")
@_data
@_ledger
def new(name: str, folder: Path | None, ledger: str | None) -> None:
    """Make a key for the service NAME and print it, once."""
    opened = open_ledger(read_settings(folder=folder, ledger=ledger))
    with opened.write() as connection:
        key = keys.new(connection, name, at=now(), actor=console_user())
    opened.close()
    click.echo(key)
    click.echo("Keep it now: it cannot be shown again.", err=True)


@command.command("list")
@_data
@_ledger
def list_(folder: Path | None, ledger: str | None) -> None:
    """Every key by name, with its beginning and its end."""
    opened = open_ledger(read_settings(folder=folder, ledger=ledger))
    with opened.read() as connection:
        found = keys.all_keys(connection)
    opened.close()
    for key in found:
        end = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "in force"
        click.echo(f"{key.name}  made {key.created_at:%Y-%m-%d %H:%M}  {end}")
    if not found:
        click.echo("There is no key; `tocsin key new NAME` makes one.")


@command.command()
@click.argument("name")
@_data
@_ledger
def revoke(name: str, folder: Path | None, ledger: str | None) -> None:
    """End the key of the service NAME; a running service forgets it within a second."""
    opened = open_ledger(read_settings(folder=folder, ledger=ledger))
    with opened.write() as connection:
        keys.revoke(connection, name, at=now(), actor=console_user())
    opened.close()
    click.echo(f"The key {name} opens nothing any more.")
