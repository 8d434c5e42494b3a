"""The made world as one reads it: payments and account events with their planted truth."""

from __future__ import annotations

import polars as pl
import pytest

from tocsin.data.world import WorldSettings, make_world


@pytest.fixture(scope="module")
def rows(request: pytest.FixtureRequest) -> pl.DataFrame:
    """Events in order of time with their planted truth (null: honest); the module's ``WORLD`` says which world."""
    settings: WorldSettings = request.module.WORLD
    world = make_world(settings)
    events, truth = pl.DataFrame(world.events), pl.DataFrame(world.truth)
    named = [c for c, kind in events.schema.items() if kind == pl.Categorical]
    events = events.with_columns(pl.col(named).cast(pl.String))
    truth = truth.with_columns(pl.col("kind").cast(pl.String)).rename({"kind": "fraud"})
    joined = events.join(truth, on="id", how="left", maintain_order="left")
    return joined.with_columns((pl.col("amount_minor") / 100).alias("euros"))


@pytest.fixture(scope="module")
def paid(rows: pl.DataFrame) -> pl.DataFrame:
    """Of these the payments."""
    return rows.filter(pl.col("kind") == "payment")
