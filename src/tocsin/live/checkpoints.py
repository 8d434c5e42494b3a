"""Moving what was committed from SQLite's log into its file, beside the scoring thread and not within its commits.

By itself SQLite does this inside whichever commit finds the log long, and that commit waits for the disk: half a second
on a busy one, and everyone behind it. Here a connection of its own does it once a second.
"""

from __future__ import annotations

import logging
import sqlite3
from typing import Any

import sqlalchemy as sa

from tocsin.ledger import Ledger

log = logging.getLogger("tocsin.live")
LONGEST_LOG_BYTES = 256 << 20
"""Beyond this the log is begun anew even if a commit must wait for that."""


class Checkpoints:
    """Takes the checkpoints of a SQLite ledger out of its commits; does nothing on PostgreSQL."""

    def __init__(self, ledger: Ledger) -> None:
        self._path = ledger.engine.url.database if ledger.is_sqlite else None
        self._connection: sqlite3.Connection | None = None
        if self._path is None:
            return

        @sa.event.listens_for(ledger.engine, "connect")
        def _on_connect(connection: Any, _record: Any) -> None:
            connection.execute("PRAGMA wal_autocheckpoint=0")

        ledger.engine.dispose()  # connections made before do not know it

    def run(self) -> None:
        """Move what can be moved without anyone waiting; always called from one thread."""
        if self._path is None:
            return
        try:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, timeout=5)
            _, pages, moved = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            (size,) = self._connection.execute("PRAGMA page_size").fetchone()
            if pages * size > LONGEST_LOG_BYTES:
                self._connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
            log.debug("checkpoint: %d of %d pages", moved, pages)
        except sqlite3.Error as error:
            log.warning("the log of the ledger could not be moved into its file, it grows: %s", error)

    def close(self) -> None:
        """Give the connection back."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
