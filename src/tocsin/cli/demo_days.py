"""The demo's days: a made world that ends now, cut into the past, which is learned from, and the days that are played."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.data.world import WorldSettings, make_world
from tocsin.ledger import microseconds, moment
from tocsin.schema import AccountEvent, Finding, Kind, Label, Transaction

_TIME = pa.timestamp("us", tz="UTC")
_PAYMENT_WORDS = tuple(f for f in Transaction.__struct_fields__ if f not in ("extra", "credit_score", "social_event"))
_EVENT_WORDS = AccountEvent.__struct_fields__
_AT_ONCE = 20_000
_encode = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Post:
    """One thing a payment system tells the service: when it happened (microseconds), where to, what."""

    at: int
    path: str
    id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Days:
    """What was made.

    Parameters
    ----------
    past : the events before ``begins``, with the labels known by then.
    file : the same as a file, which is what learning reads.
    posts : what happens from ``begins`` to the end, labels too, in order of time.
    planted : id -> kind of fraud, to say how well it went; neither model nor service sees it.
    payments : how many there are in the past.
    """

    past: pa.Table
    file: Path
    posts: list[Post]
    planted: dict[str, str]
    begins: datetime
    ends: datetime
    payments: int

    @property
    def days_played(self) -> float:
        """Length of the played part."""
        return (self.ends - self.begins) / timedelta(days=1)


def make_days(
    folder: Path, *, transactions: int, months: int, seed: int, ends: datetime, on_step: Callable[[str], None]
) -> Days:
    """Make a world that ends at a moment and cut it: at least three days, or about 1,500 payments, are played."""
    zone = WorldSettings().zone
    start = _start_for(ends.astimezone(ZoneInfo(zone)).date(), months)
    world = make_world(WorldSettings(transactions=transactions, months=months, seed=seed, start=start), on_step)
    a_day = transactions / (months * 30.4)
    begins = ends - timedelta(days=min(max(3.0, 1_500 / a_day), months * 30.4 / 5))
    at = world.events["at"]
    cut, end = (pa.scalar(moment, _TIME) for moment in (begins, ends))
    past = world.events.filter(pc.less(at, cut))
    coming = world.events.filter(pc.and_(pc.greater_equal(at, cut), pc.less_equal(at, end)))
    labels = world.events.filter(
        pc.and_(
            pc.equal(world.events["label"], 1),
            pc.and_(pc.greater_equal(world.events["known_at"], cut), pc.less_equal(world.events["known_at"], end)),
        )
    )
    past = _as_known_at(past, cut)
    file = folder / "past.parquet"
    pq.write_table(past, file, compression="zstd", compression_level=1)
    posts = [*_events_in(coming), *_labels_in(labels)]
    posts.sort(key=lambda post: (post.at, post.path == "/v1/labels"))
    planted = dict(zip(world.truth["id"].to_pylist(), world.truth["kind"].to_pylist(), strict=True))
    payments = past.num_rows - past["amount_minor"].null_count
    return Days(past, file, posts, planted, begins, ends, payments)


def read_events(table: pa.Table) -> Iterator[Transaction | AccountEvent]:
    """Rows of a made world as what a payment system would send, in their order."""
    words = [name for name in _EVENT_WORDS if name != "kind"]
    for first in range(0, table.num_rows, _AT_ONCE):
        piece = table.slice(first, _AT_ONCE)
        columns = {name: _values(piece[name]) for name in {*_PAYMENT_WORDS, *_EVENT_WORDS}}
        payments = zip(*(columns[name] for name in _PAYMENT_WORDS), strict=True)
        events = zip(*(columns[name] for name in words), strict=True)
        for kind, payment, event in zip(columns["kind"], payments, events, strict=True):
            if kind == Kind.PAYMENT:
                yield Transaction(**dict(zip(_PAYMENT_WORDS, payment, strict=True)))
            else:
                yield AccountEvent(kind=Kind(kind), **dict(zip(words, event, strict=True)))


def _values(column: pa.ChunkedArray) -> list[Any]:
    """The column's values, ``None`` where there is none; names and times not one by one, which takes ten times as long."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(pa.string())
    if pa.types.is_string(column.type):
        return list(column.to_numpy())
    if pa.types.is_timestamp(column.type):
        return [moment(at) for at in column.cast(pa.int64()).to_numpy().tolist()]
    return list(column.to_pylist())


def body_of(value: Any) -> bytes:
    """As the payment system sends it."""
    return _encode(value)


def _events_in(table: pa.Table) -> Iterator[Post]:
    for value in read_events(table):
        path = "/v1/transactions" if isinstance(value, Transaction) else "/v1/events"
        yield Post(microseconds(value.at), path, value.id, body_of(value))


def _labels_in(table: pa.Table) -> Iterator[Post]:
    for id, known_at in zip(table["id"].to_pylist(), table["known_at"].to_pylist(), strict=True):
        label = Label(transaction_id=id, finding=Finding.FRAUD, known_at=known_at)
        yield Post(microseconds(known_at), "/v1/labels", id, body_of(label))


def _as_known_at(past: pa.Table, cut: pa.Scalar) -> pa.Table:
    """The labels a bank has at that moment, and no other."""
    known = pc.fill_null(pc.less(past["known_at"], cut), False)
    for name in ("label", "known_at"):
        place = past.column_names.index(name)
        past = past.set_column(place, name, pc.if_else(known, past[name], None))
    return past


def _start_for(last: date, months: int) -> date:
    """The first day of a world of so many months that ends with the given day, or up to three days after it."""
    end = last + timedelta(days=1)
    if end.day > 28:
        end = (end.replace(day=28) + timedelta(days=4)).replace(day=1)
    year, month = divmod(end.year * 12 + end.month - 1 - months, 12)
    return date(year, month + 1, end.day)


def fraud_kinds(planted: dict[str, str], ids: Any) -> np.ndarray[Any, np.dtype[np.object_]]:
    """object[n]: the planted kind of each payment, empty where it is honest."""
    return np.array([planted.get(str(id), "") for id in ids], dtype=object)
