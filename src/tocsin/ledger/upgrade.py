"""Bringing a ledger to the newest tables, by Alembic's migrations, safely when several processes start at once.

The whole way is one transaction under the write order (SQLite: ``BEGIN IMMEDIATE``; PostgreSQL: an advisory lock): one
process upgrades, the others wait and find it done, and a process killed half-way leaves the old ledger.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from tocsin.errors import NotReady

if TYPE_CHECKING:
    from tocsin.ledger.store import Ledger

NEWEST = "0001"
"""The revision this code reads and writes; said here so that an up-to-date ledger opens without loading Alembic."""
_UPGRADING = 0x746F6373696F


def upgrade(ledger: Ledger) -> None:
    """Make the tables of an empty database, or bring those of an older one to the newest.

    Raises
    ------
    NotReady : the ledger was made by a newer Tocsin, or holds tables that no migration made.
    """
    with ledger.read() as connection:
        if _revision(connection) == NEWEST:
            return
    with ledger.write() as connection:
        if not ledger.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_UPGRADING)))
        revision = _revision(connection)
        if revision != NEWEST:
            _check(connection, revision)
            _run(connection)


def _run(connection: sa.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, NEWEST)


def _check(connection: sa.Connection, revision: str | None) -> None:
    if revision is None:
        if sa.inspect(connection).has_table("transactions"):
            raise NotReady(
                "a ledger must be made by Tocsin's migrations; this one has tables and no version.",
                hint="Start a new file, and keep this one.",
            )
    elif revision > NEWEST:
        raise NotReady(
            f"a ledger must be as old as the program or older; it is at {revision}, this program at {NEWEST}.",
            hint="Install the newer Tocsin that wrote it.",
        )


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)
