"""Activations: the newest is in force, rolling back activates the one before."""

from datetime import UTC, datetime

import pytest

from tocsin.errors import Conflict
from tocsin.ledger import Ledger, audit, models

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def put(c, version: str):
    return models.activate(c, version=version, path=f"/m/{version}", fingerprint=version * 8, actor="ada", at=NOON)


def test_the_newest_activation_is_in_force_and_leaves_an_event(ledger: Ledger) -> None:
    with ledger.write() as c:
        assert models.current(c) is None
        put(c, "a")
        put(c, "b")
    with ledger.read() as c:
        now = models.current(c)
        assert now is not None
        assert (now.version, now.path, now.at) == ("b", "/m/b", NOON)
        assert models.path_of(c, "a") == "/m/a"
        assert models.path_of(c, "z") is None
        assert audit.verify(c).events == 2


def test_rolling_back_skips_the_same_model_put_in_force_twice(ledger: Ledger) -> None:
    with ledger.write() as c:
        put(c, "a")
        put(c, "b")
        put(c, "b")
        assert models.roll_back(c, actor="ada", at=NOON).version == "a"
        assert models.roll_back(c, actor="ada", at=NOON).version == "b"


def test_rolling_back_the_only_model_is_refused(ledger: Ledger) -> None:
    with ledger.write() as c:
        put(c, "a")
        with pytest.raises(Conflict, match="none"):
            models.roll_back(c, actor="ada", at=NOON)
