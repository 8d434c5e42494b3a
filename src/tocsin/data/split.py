"""What a model may learn from and what it is judged by: apart in time, or apart by entity, never at random.

A random split of payments puts a card's past and future on both sides and lets labels travel back in time; its scores say
nothing about the day a model goes live. It is refused unless it is forced, to reproduce somebody's table.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from tocsin.data.table import Table
from tocsin.data.times import NEVER
from tocsin.errors import BadInput
from tocsin.schema import utc


@dataclass(frozen=True, slots=True)
class Split:
    """Payments to learn from and payments to be judged by.

    Parameters
    ----------
    train, test : bool[n_payments], never both.
    cut : microseconds UTC: the moment the model is made; ``times.NEVER`` where time plays no part.
    label : int8[n_payments], what was known at the cut: 1 fraud, 0 genuine, -1 unknown. Learn from this one; judge by
        ``table.label``.
    """

    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    cut: int
    label: NDArray[np.int8]


def split_by_time(
    table: Table,
    *,
    start: datetime | None = None,
    train: timedelta | datetime,
    delay: timedelta = timedelta(0),
    test: timedelta | datetime | None = None,
) -> Split:
    """Train | delay | test, one after the other; half-open, so a payment at a border belongs to the later part.

    Parameters
    ----------
    start : where training begins, aware; without it the first payment.
    train : how long training lasts, or the moment it ends.
    delay : the gap in which labels become known. The cut is its end: a label known later is unknown to training.
    test : how long the test lasts, or the moment it ends; without it to the last payment.

    Raises
    ------
    BadInput : a time is naive, or a part is empty.

    Examples
    --------
    ``split_by_time(table, start=datetime(2018, 7, 25, tzinfo=UTC), train=timedelta(days=7), delay=timedelta(days=7),
    test=timedelta(days=7))`` is the first test fold of the Fraud Detection Handbook.
    """
    at = table.at
    if len(at) == 0:
        raise BadInput("a split needs payments; the table has none.", field="table")
    first = micros(start, "start") if start is not None else int(at[0])
    end = _end(first, train, "train")
    cut = end + _length(delay)
    last = int(at[-1]) + 1 if test is None else _end(cut, test, "test")
    split = Split((at >= first) & (at < end), (at >= cut) & (at < last), cut, table.as_known_at(cut).label)
    for name, rows in (("train", split.train), ("test", split.test)):
        if not rows.any():
            raise BadInput(
                f"a split must have payments on both sides; {name} has none.",
                field=name,
                hint=f"The payments run from {say_time(int(at[0]))} to {say_time(int(at[-1]))}.",
            )
    return split


def walk_forward(
    table: Table,
    *,
    train: timedelta,
    delay: timedelta = timedelta(0),
    test: timedelta,
    step: timedelta | None = None,
    start: datetime | None = None,
) -> Iterator[Split]:
    """One split after another, each ``step`` (default: one test) later, while a whole test still fits.

    A model is made anew at each cut, as it would be live. Splits with an empty side are left out.
    """
    at = table.at
    if len(at) == 0:
        return
    first = micros(start, "start") if start is not None else int(at[0])
    span, gap, length = _length(train), _length(delay), _length(test)
    stride = _length(step) if step is not None else length
    if min(span, length, stride) <= 0:
        raise BadInput("train, test and step must be longer than nothing.", field="train")
    while first + span + gap + length <= int(at[-1]) + 1:
        cut = first + span + gap
        trains, tests = (at >= first) & (at < first + span), (at >= cut) & (at < cut + length)
        if trains.any() and tests.any():
            yield Split(trains, tests, cut, table.as_known_at(cut).label)
        first += stride


def split_by_entity(table: Table, entity: str = "account", *, test_share: float = 0.2, seed: int = 0) -> Split:
    """All payments of one entity on one side: judges a model by accounts (cards, retailers) it has never seen.

    Payments where the entity is missing are learnt from. The same entity falls on the same side in every file.

    Raises
    ------
    BadInput : the data set has no such entity, or the share is not between 0 and 1.
    """
    keys = table.batch.keys
    if entity not in keys:
        raise BadInput(
            f"the data set has no {entity!r}.", field="entity", hint=f"It has {', '.join(keys) or 'no entities'}."
        )
    if not 0 < test_share < 1:
        raise BadInput(f"must lie between 0 and 1; got {test_share}.", field="test_share")
    key = keys[entity][table.batch.payments]
    # Keys are hashes already; one odd multiplication by the seed's own number deals them out anew.
    deal = (key ^ np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64)) * np.uint64(0xD1342543DE82EF95)
    test = (key != 0) & ((deal >> np.uint64(40)) < np.uint64(test_share * 2**24))
    return Split(~test, test, NEVER, table.label)


def split_at_random(table: Table, *, test_share: float = 0.2, seed: int = 0, force: bool = False) -> Split:
    """Payments dealt out at random: only to reproduce a published table that did so.

    Raises
    ------
    BadInput : ``force`` is not set.
    """
    if not force:
        raise BadInput(
            "payments must not be split at random: past and future of one card would stand on both sides.",
            hint="Use split_by_time or split_by_entity; force=True reproduces a table made so.",
        )
    test = np.random.default_rng(seed).random(len(table)) < test_share
    return Split(~test, test, NEVER, table.label)


def micros(when: datetime, field: str = "at") -> int:
    """An aware time as microseconds since 1970 UTC, exactly."""
    return (utc(when, field=field) - _EPOCH) // timedelta(microseconds=1)


def say_time(at: int) -> str:
    """Microseconds UTC as people write them."""
    return (_EPOCH + timedelta(microseconds=at)).isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _length(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def _end(start: int, until: timedelta | datetime, field: str) -> int:
    return start + _length(until) if isinstance(until, timedelta) else micros(until, field)
