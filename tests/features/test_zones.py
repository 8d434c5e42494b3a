"""Time zones as lists of changes, against the zone database's own answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tocsin.features.zones import zone_offsets


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/New_York", "Africa/Casablanca", "Asia/Kolkata"])
def test_offsets_equal_the_zone_database(zone: str) -> None:
    at, offset = zone_offsets(zone)
    rng = np.random.default_rng(5)
    for seconds in rng.integers(0, 4_000_000_000, 2_000):
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(seconds))
        place = int(np.searchsorted(at, int(seconds) * 1_000_000, side="right")) - 1
        expected = moment.astimezone(ZoneInfo(zone)).utcoffset()
        assert timedelta(microseconds=int(offset[place])) == expected


def test_the_change_itself_is_found_to_the_second() -> None:
    at, offset = zone_offsets("Europe/Paris")
    change = int(datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()) * 1_000_000
    assert change in at.tolist()
    assert offset[at.tolist().index(change)] == 2 * 3_600_000_000
