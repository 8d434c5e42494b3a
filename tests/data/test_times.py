"""Wall clocks to UTC, against Python's own zones, one by one."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.data.times import to_utc

ZONES = ["UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu"]
ZONES += ["America/St_Johns", "Pacific/Apia", "Asia/Pyongyang", "Europe/Dublin"]
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  a wall clock
HOUR = 3_600_000_000


@cache
def near_changes(zone: str) -> list[int]:
    """Wall-clock microseconds around every change of the zone's offset from 2010 to 2030."""
    place, out = ZoneInfo(zone), []
    hours = [datetime(2010, 1, 1, tzinfo=UTC) + timedelta(days=d) for d in range(7_000)]
    for day, after in itertools.pairwise(hours):
        if day.astimezone(place).utcoffset() == after.astimezone(place).utcoffset():
            continue
        for hour in range(24):
            moment = day + timedelta(hours=hour)
            if moment.astimezone(place).utcoffset() != (moment + timedelta(hours=1)).astimezone(place).utcoffset():
                wall = moment.astimezone(place).replace(tzinfo=None)
                out += [(wall - EPOCH) // timedelta(microseconds=1) + HOUR * k // 4 for k in range(-10, 14)]
    return out


def one_by_one(local: int, zone: ZoneInfo) -> tuple[int, bool, bool]:
    wall = EPOCH + timedelta(microseconds=local)
    first = wall.replace(tzinfo=zone).astimezone(UTC)
    back = first.astimezone(zone).replace(tzinfo=None)
    second = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    at = (first.replace(tzinfo=None) - EPOCH) // timedelta(microseconds=1)
    gap = back != wall
    return at, gap, not gap and first != second


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ZONES), st.data())
def test_wall_clocks_are_read_as_python_reads_them(zone: str, data: st.DataObject) -> None:
    place = ZoneInfo(zone)
    edges = near_changes(zone)
    free = st.integers(0, 4 * 10**15)
    some = st.one_of(free, st.sampled_from(edges)) if edges else free
    local = np.array(data.draw(st.lists(some, min_size=1, max_size=200)), np.int64)
    at, gap, fold = to_utc(local, place, np.ones(len(local), bool))
    expected = [one_by_one(int(x), place) for x in local]
    assert gap.tolist() == [e[1] for e in expected]
    assert fold.tolist() == [e[2] for e in expected]
    assert at[~gap].tolist() == [e[0] for e in expected if not e[1]]


def test_rows_left_out_stay_as_they_are() -> None:
    local = np.array([0, 1], np.int64)
    at, gap, fold = to_utc(local, ZoneInfo("Asia/Tokyo"), np.array([True, False]))
    assert at.tolist() == [-9 * HOUR, 1]
    assert not gap.any()
    assert not fold.any()


def test_an_hour_that_is_doubled_across_midnight_is_told() -> None:
    """St. John's put its clocks back at one minute past midnight: the last hour of the day before came twice."""
    place, day = ZoneInfo("America/St_Johns"), datetime(2010, 11, 6, 22) - EPOCH  # noqa: DTZ001  a wall clock
    local = np.array([(day + timedelta(minutes=m)) // timedelta(microseconds=1) for m in (60, 61, 119, 120, 121)])
    at, gap, fold = to_utc(local, place, np.ones(len(local), bool))
    assert fold.tolist() == [False, True, True, True, False]
    assert not gap.any()
    assert at.tolist() == [one_by_one(int(x), place)[0] for x in local]
