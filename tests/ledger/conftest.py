"""New ledgers: on both databases, SQLite and a real PostgreSQL that pip brings, or on SQLite alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scenes.ledgers import new_ledger
from scenes.postgres import fresh_database
from tocsin.ledger import Ledger


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with nothing in it."""
    return fresh_database() if request.param == "postgresql" else f"sqlite:///{tmp_path / 'ledger.sqlite'}"


@pytest.fixture
def both(empty_url: str) -> Iterator[Ledger]:
    """A new ledger, on either database."""
    with new_ledger(empty_url) as ledger:
        yield ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A new ledger in SQLite, where the database does not matter."""
    with new_ledger(tmp_path / "ledger.sqlite") as ledger:
        yield ledger
