"""A time zone as a short list of changes, so that compiled code can read the hour off a time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000


@lru_cache(maxsize=32)
def zone_offsets(zone: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When a zone's distance from UTC changes, and to what, both int64 in microseconds; 1970 to 2100.

    Examples
    --------
    >>> at, offset = zone_offsets("Europe/Paris")
    >>> [int(o) // 3_600_000_000 for o in offset[-2:]]
    [2, 1]
    """
    place = ZoneInfo(zone)

    def offset(seconds: int) -> int:
        shift = (_FIRST + timedelta(seconds=seconds)).astimezone(place).utcoffset() or timedelta(0)
        return shift // timedelta(microseconds=1)

    at, offsets = [-(2**62)], [offset(0)]
    end = int((_LAST - _FIRST).total_seconds())
    stride = 14 * 86_400 if zone != "UTC" else end
    for start in range(0, end, stride):
        stop = min(start + stride, end)
        # Some zones leave summer time for Ramadan, a month; no zone changes twice within a fortnight.
        _changes(start, stop, offset, at, offsets)
    return np.array(at, dtype=np.int64), np.array(offsets, dtype=np.int64)


def _changes(start: int, stop: int, offset: Callable[[int], int], at: list[int], offsets: list[int]) -> None:
    """Find the moments in ``(start, stop]`` at which the offset changes."""
    before, after = offset(start), offset(stop)
    if before == after:
        return
    while stop - start > 1:
        middle = (start + stop) // 2
        if offset(middle) == before:
            start = middle
        else:
            stop = middle
    at.append(stop * _SECOND)
    offsets.append(offset(stop))
