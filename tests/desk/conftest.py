"""A fresh desk for each test, on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scenes.desk import Scene, add_people
from tocsin.ledger import Ledger


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    """A ledger with people and nothing else."""
    ledger = Ledger(tmp_path / "ledger.sqlite")
    ledger.create()
    add_people(ledger)
    yield Scene(ledger)
    ledger.close()
