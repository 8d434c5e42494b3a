"""A fresh desk for each test, on SQLite: one is made, the others are copies of its file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from scenes.desk import Scene, add_people
from tocsin.ledger import Ledger


@pytest.fixture(scope="session")
def _made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("desk") / "ledger.sqlite"
    ledger = Ledger(path)
    ledger.create()
    add_people(ledger)
    ledger.close()  # the last one out writes the log back, so the file is whole
    return path


@pytest.fixture
def scene(tmp_path: Path, _made_once: Path) -> Iterator[Scene]:
    """A ledger with people and nothing else."""
    ledger = Ledger(shutil.copy(_made_once, tmp_path / "ledger.sqlite"))
    yield Scene(ledger)
    ledger.close()
