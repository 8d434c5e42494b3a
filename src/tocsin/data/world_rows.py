"""Rows of the made world while it is being made: columns of codes, joined and cut, not yet names and not yet in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.schema import KIND_CODE, Kind

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Column = NDArray[Any]

SECONDS_A_DAY = 86_400
NOBODY = -1
"""The code of whatever a row does not have: no card, no device, no fraud."""

CHANNELS: tuple[str, ...] = ("shop", "online", "transfer", "cash")
SHOP, ONLINE, TRANSFER, CASH = range(4)

# What a row may carry: its type and what stands there when nobody said anything.
_COLUMNS: dict[str, tuple[type, float]] = {
    "at": (np.float64, 0.0),  # seconds of local time since the world's first midnight
    "kind": (np.uint8, KIND_CODE[Kind.PAYMENT]),
    "amount": (np.int64, 0),  # cents
    "account": (np.int32, NOBODY),
    "card": (np.int32, NOBODY),
    "device": (np.int32, NOBODY),
    "ip": (np.int32, NOBODY),
    "city": (np.int32, NOBODY),  # where the row gets its country, and its place unless it is in a shop
    "retailer": (np.int32, NOBODY),
    "payee": (np.int32, NOBODY),
    "channel": (np.int8, NOBODY),
    "credit_score": (np.float64, np.nan),
    "social_event": (np.int8, NOBODY),
    "truth": (np.int8, NOBODY),  # index into FRAUD_KINDS
    "episode": (np.int32, NOBODY),
    "ring": (np.int32, NOBODY),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """Columns of equal length; every column of the world is there, filled with :data:`NOBODY` where it says nothing."""

    columns: dict[str, Column]

    def __len__(self) -> int:
        return len(self.columns["at"])

    def __getitem__(self, name: str) -> Column:
        return self.columns[name]

    @property
    def payments(self) -> Flags:
        """bool[n]: which rows are payments, the others being account events."""
        return np.asarray(self.columns["kind"] == KIND_CODE[Kind.PAYMENT])

    def take(self, which: Ints | Flags | slice) -> Rows:
        """The given rows, in the given order."""
        return Rows({name: column[which] for name, column in self.columns.items()})

    def tagged(self, **columns: Column | int) -> Rows:
        """The same rows with some columns replaced (a scalar stands for every row)."""
        fresh = {name: _filled(name, value, len(self)) for name, value in columns.items()}
        return Rows({**self.columns, **fresh})


def rows(at: Floats, **columns: Column | float) -> Rows:
    """Rows at the given local seconds; a scalar stands for every row, a column not named is empty."""
    unknown = columns.keys() - _COLUMNS.keys()
    assert not unknown, f"no such column of the made world: {unknown}"
    named = {"at": at, **columns}
    n = len(at)
    return Rows({name: _filled(name, named.get(name, fill), n) for name, (_, fill) in _COLUMNS.items()})


def join(parts: Iterable[Rows]) -> Rows:
    """All rows of all parts, one part after the other."""
    parts = list(parts)
    return Rows({name: np.concatenate([part.columns[name] for part in parts]) for name in _COLUMNS})


def _filled(name: str, value: Column | float, n: int) -> Column:
    kind = _COLUMNS[name][0]
    if isinstance(value, np.ndarray):
        assert len(value) == n, f"column {name} of the made world has {len(value)} rows instead of {n}"
        return value.astype(kind, copy=False)
    return np.full(n, value, dtype=kind)


def cents(euros: Floats) -> Ints:
    """Euros as whole cents, at least one."""
    return np.maximum(np.rint(euros * 100), 1).astype(np.int64)


def spread(sizes: Ints) -> tuple[Ints, Ints]:
    """For groups of the given sizes: the group of each member, and its place inside the group.

    Examples
    --------
    >>> [part.tolist() for part in spread(np.array([2, 3]))]
    [[0, 0, 1, 1, 1], [0, 1, 0, 1, 2]]
    """
    group = np.repeat(np.arange(len(sizes)), sizes)
    first = np.cumsum(sizes) - sizes
    return group, np.arange(len(group)) - first[group]


def running(gaps: Floats, group: Ints) -> Floats:
    """Gaps as time since the group's first member: a running sum that starts at 0 in each group.

    ``group`` must be sorted; the first gap of each group is ignored.
    """
    total = np.cumsum(gaps)
    starts = np.flatnonzero(np.r_[True, group[1:] != group[:-1]]) if len(group) else np.empty(0, np.int64)
    sizes = np.diff(np.r_[starts, len(group)])
    return total - np.repeat(total[starts], sizes)


def kilometres(latitude: Floats, longitude: Floats, latitude_2: Floats, longitude_2: Floats) -> Floats:
    """Great-circle distance between places in degrees (haversine, a sphere of 6371 km)."""
    a, b, c, d = (np.radians(x) for x in (latitude, longitude, latitude_2, longitude_2))
    h = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return np.asarray(2 * 6371.0 * np.arcsin(np.sqrt(np.clip(h, 0, 1))))
