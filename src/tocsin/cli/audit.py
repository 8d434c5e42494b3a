"""``tocsin audit``: is the chain of what people did whole, and where does it end."""

from __future__ import annotations

from pathlib import Path

import click

from tocsin.app import read_settings
from tocsin.errors import BadInput, Damaged, NotFound
from tocsin.ledger import Ledger, audit, backup

_data = click.option("--data", "folder", type=click.Path(path_type=Path), help="The data folder [tocsin-data].")
_ledger = click.option("--ledger", help="Or the ledger itself: a file, or a database URL.")


@click.group()
def command() -> None:
    """Verify the audit chain, print its newest hash.

    Every act of a person is an event sealed with the hash of the one before. Whoever holds the database could rebuild
    the whole chain; so keep the newest hash elsewhere, on paper or with somebody else, and verify against it.

    \b
    Example:
        tocsin audit head                      # 1042:9f3c...
        tocsin audit verify --head 1042:9f3c...
    """


@command.command()
@_data
@_ledger
def head(folder: Path | None, ledger: str | None) -> None:
    """Print the newest event's number and hash, to be kept elsewhere."""
    opened = _open(folder, ledger)
    with opened.read() as connection:
        newest = audit.head(connection)
    opened.close()
    click.echo(f"{newest.id}:{newest.hash.hex()}")


@command.command()
@click.option("--head", "kept", metavar="ID:HEX", help="What `tocsin audit head` printed earlier.")
@_data
@_ledger
def verify(kept: str | None, folder: Path | None, ledger: str | None) -> None:
    """Walk the whole chain; name the first event that does not fit and end with 2 if there is one."""
    expected = None if kept is None else _head_from(kept)
    opened = _open(folder, ledger)
    with opened.read() as connection:
        found = audit.verify(connection, expected=expected)
    opened.close()
    if found.broken_at is not None:
        raise Damaged(
            f"the audit chain is broken at event {found.broken_at}: {found.why}.",
            hint=f"The {found.events} events before it are whole. Compare with a backup.",
        )
    click.echo(f"The audit chain is whole: {found.events} events, the newest {found.head.id}:{found.head.hash.hex()}.")
    if expected is None:
        click.echo("A chain cut short or rebuilt is found only with --head, the hash kept elsewhere.", err=True)


def _open(folder: Path | None, url: str | None) -> Ledger:
    # Never makes a ledger: an empty one would verify, and say nothing of the one that was meant.
    settings = read_settings(folder=folder, ledger=url)
    found = Ledger(settings.ledger or settings.folder / backup.LEDGER)
    path = found.engine.url.database
    if found.is_sqlite and not (path and Path(path).is_file()):
        found.close()
        raise NotFound(f"there is no ledger at {path}.", field="ledger", hint="Name it by --data or --ledger.")
    return found


def _head_from(text: str) -> audit.Head:
    number, _, digest = text.strip().partition(":")
    if not (
        number.isascii() and number.isdigit() and len(digest) == 64 and set(digest.lower()) <= set("0123456789abcdef")
    ):
        raise BadInput(
            f"a kept hash must be a number, a colon and 64 hexadecimal digits; got {text[:80]!r}.",
            field="--head",
            hint="Give it exactly as `tocsin audit head` printed it.",
        )
    return audit.Head(int(number), bytes.fromhex(digest))
