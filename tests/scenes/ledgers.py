"""New ledgers, closed when a test is done."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tocsin.ledger import Ledger


@contextmanager
def new_ledger(where: str | Path) -> Iterator[Ledger]:
    """A ledger with its tables and nothing in them, in a file or at a database's URL."""
    ledger = Ledger(where)
    ledger.create()
    yield ledger
    ledger.close()
