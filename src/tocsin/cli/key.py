"""``tocsin key``: who may call the live service."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.app import console_user, open_ledger, read_settings
from tocsin.ledger import keys, now

_data = click.option("--data", "folder", type=click.Path(path_type=Path), help="The data folder [tocsin-data].")


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
def new(name: str, folder: Path | None) -> None:
    """Make a key for the service NAME and print it, once."""
    ledger = open_ledger(read_settings(folder=folder))
    with ledger.write() as connection:
        key = keys.new(connection, name, at=now(), actor=console_user())
    ledger.close()
    click.echo(key)
    click.echo("Keep it now: it cannot be shown again.", err=True)


@command.command("list")
@_data
def list_(folder: Path | None) -> None:
    """Every key by name, with its beginning and its end."""
    ledger = open_ledger(read_settings(folder=folder))
    with ledger.read() as connection:
        found = keys.all_keys(connection)
    ledger.close()
    for key in found:
        end = f"revoked {key.revoked_at:%Y-%m-%d %H:%M}" if key.revoked_at else "in force"
        click.echo(f"{key.name}  made {key.created_at:%Y-%m-%d %H:%M}  {end}")
    if not found:
        click.echo("There is no key; `tocsin key new NAME` makes one.")


@command.command()
@click.argument("name")
@_data
def revoke(name: str, folder: Path | None) -> None:
    """End the key of the service NAME; a running service forgets it within a second."""
    ledger = open_ledger(read_settings(folder=folder))
    with ledger.write() as connection:
        keys.revoke(connection, name, at=now(), actor=console_user())
    ledger.close()
    click.echo(f"The key {name} opens nothing any more.")
