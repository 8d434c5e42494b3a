"""Opening the one database, and the only two ways to touch it: ``read`` and ``write``.

SQLite (WAL) by default, PostgreSQL by URL, the same SQLAlchemy Core code. A write takes the database's write order at
once (``BEGIN IMMEDIATE``; on PostgreSQL the sequence row's lock is the first thing a numbered write takes), so what it
reads cannot change before it commits.

On PostgreSQL every write takes its locks in this order, so that no two wait for each other: the sequence, then account
rows, then the audit chain.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

Durability = Literal["process", "power"]
Clock = Callable[[], datetime]


def now() -> datetime:
    """The wall clock, in UTC; passed in wherever time matters so that tests can pass their own."""
    return datetime.now(UTC)


def microseconds(at: datetime) -> int:
    """An aware time as whole microseconds since 1970 UTC, exactly."""
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment(at: int) -> datetime:
    """Whole microseconds since 1970 as an aware UTC time; the inverse of :func:`microseconds`."""
    seconds, rest = divmod(at, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROOM = 1 << 16
"""Bytes that must find room for the ledger to count as writable: more than one batch of payments usually takes."""


class Ledger:
    """The one database.

    Parameters
    ----------
    url : ``sqlite:///path/to/file.sqlite``, a bare path, or ``postgresql+psycopg://...``.
    durability : ``process`` (SQLite ``synchronous=NORMAL``: what was answered survives a killed process, not a power
        cut) or ``power`` (``synchronous=FULL``: survives both, 350-440 commits a second).
    """

    def __init__(self, url: str | Path, *, durability: Durability = "process") -> None:
        text = str(url)
        self.url = text if "://" in text else f"sqlite:///{text}"
        self.is_sqlite = self.url.startswith("sqlite")
        self.durability = durability
        arguments: dict[str, Any] = {}
        if self.is_sqlite:
            arguments = {"connect_args": {"timeout": 30, "check_same_thread": False}, "poolclass": QueuePool}
        # What the database refuses goes to the log without the values: a name, a note, a hash.
        self.engine = sa.create_engine(self.url, hide_parameters=True, **arguments)
        if self.is_sqlite:
            self._prepare_sqlite()

    def _prepare_sqlite(self) -> None:
        synchronous = "NORMAL" if self.durability == "process" else "FULL"

        @sa.event.listens_for(self.engine, "connect")
        def _on_connect(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # the driver must not begin transactions of its own
            for pragma in (
                "journal_mode=WAL",
                f"synchronous={synchronous}",
                "foreign_keys=ON",
                "busy_timeout=30000",
                "cache_size=-65536",
            ):
                connection.execute(f"PRAGMA {pragma}")

        @sa.event.listens_for(self.engine, "begin")
        def _on_begin(connection: sa.Connection) -> None:
            mode = connection.get_execution_options().get("tocsin_begin", "DEFERRED")
            connection.exec_driver_sql(f"BEGIN {mode}")

    def create(self) -> None:
        """Make the file and whatever tables are missing, or bring older ones to the newest; safe from several at once."""
        from tocsin.ledger.upgrade import upgrade  # it needs what stands above

        self._make_file()
        upgrade(self)

    def _make_file(self) -> None:
        """A new SQLite file is its owner's only, whatever folder it lies in; SQLite gives its companions the same mode."""
        path = self.engine.url.database if self.is_sqlite else None
        if path and path != ":memory:" and not path.startswith("file:"):
            with suppress(OSError):  # it is there, or it cannot be made, which the database itself says better
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One consistent view; nothing written through it is kept."""
        level = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.engine.connect().execution_options(**level) as connection, connection.begin() as transaction:
            yield connection
            transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """One transaction that holds the write order from its first statement; commits at the end, or nothing."""
        with self.engine.connect().execution_options(tocsin_begin="IMMEDIATE") as connection, connection.begin():
            yield connection

    def check_writable(self) -> None:
        """Write something that needs room and take it away again, committed; raises whatever the database refuses.

        A write that only changes what is there would still pass on a disk that has no room for a payment.
        """
        scratch = sa.Table("tocsin_scratch", sa.MetaData(), sa.Column("room", sa.LargeBinary))
        with self.write() as connection:
            scratch.create(connection)
            connection.execute(scratch.insert().values(room=bytes(_ROOM)))
            scratch.drop(connection)

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()
