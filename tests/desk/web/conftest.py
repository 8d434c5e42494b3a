"""A desk on a fresh ledger, a clock that stands still until told, and people who are signed in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from starlette.applications import Starlette

from scenes.ledgers import new_ledger
from scenes.visitors import Clock, Person
from tocsin.desk import access
from tocsin.desk.model import Role
from tocsin.desk.web import Desk, routes
from tocsin.ledger import Ledger


@pytest.fixture(autouse=True)
def _quick_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same hash with the smallest work, so that a hundred people sign in within seconds."""
    monkeypatch.setattr(access, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    access._nobodys.cache_clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with new_ledger(tmp_path / "desk.sqlite") as ledger:
        yield ledger


@pytest.fixture
def desk(ledger: Ledger, clock: Clock) -> Desk:
    return Desk(ledger, clock=clock, secure_cookies=False)


@pytest.fixture
def app(desk: Desk) -> Starlette:
    return Starlette(routes=routes(desk))


@pytest.fixture
def person(app: Starlette, desk: Desk) -> Callable[..., Person]:
    def make(name: str, role: Role = Role.ANALYST) -> Person:
        return Person(app, desk, name, role)

    return make


@pytest.fixture
def ana(person: Callable[..., Person]) -> Person:
    return person("ana")
