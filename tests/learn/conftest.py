"""A made world that is made once: payments in a file, and what the kernel says of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tocsin import spec as specs
from tocsin.data import read
from tocsin.data.world import WorldSettings, make_world, write_world
from tocsin.features import compile_plan
from tocsin.learn.gathering import features


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of 12,000 payments in four months, three in a hundred of them frauds."""
    folder = tmp_path_factory.mktemp("world")
    write_world(make_world(WorldSettings(transactions=12_000, seed=3, months=4, fraud_rate=0.03)), folder)
    return folder / "world.parquet"


@pytest.fixture(scope="session")
def past(world: Path) -> Any:
    """Its examples, the kernel that went over them, its spec and the plan of that; nobody writes into them."""
    spec = specs.load("world")
    plan = compile_plan(spec)
    return (*features(read(world, spec), plan), spec, plan)
