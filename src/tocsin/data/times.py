"""A file's time column as microseconds since 1970 UTC: real times, texts with or without a zone, numbers from an epoch.

A time without a zone is read in the spec's zone if the spec says one, else it is a bad row. The hour that does not
exist in spring is a bad row; in the hour that comes twice in autumn the first is meant, and a note says how many.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tocsin.data.columns import is_text, plain
from tocsin.data.problems import Findings, shown
from tocsin.errors import BadInput
from tocsin.spec import TimeReading

NEVER = int(np.iinfo(np.int64).max)
"""The ``known_at`` of what never became known."""

_DAY = 86_400_000_000
_EARLIEST = int(datetime(1900, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_LATEST = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?"
_NAIVE = rf"^\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([ T]{_CLOCK})?$"
_ZONED = rf"^\d{{4}}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[ T]{_CLOCK} ?(Z|[+-]\d{{2}}(:?[0-5]\d)?)$"
_PLAIN = r"^[+-]?\d{1,25}(\.\d*)?([eE][+-]?\d{1,2})?$"
_SAY_ZONE = 'Say the zone in the spec, such as [time] zone = "Europe/Paris", or in the text, such as 12:00:00+01:00.'


def read_times(column: pa.ChunkedArray, reading: TimeReading, name: str, found: Findings) -> NDArray[np.int64]:
    """int64[n] microseconds UTC; 0 where ``found`` now says the row is bad. Missing times are bad rows too.

    Raises
    ------
    BadInput : the column as a whole cannot be a time, or numbers come without an epoch.
    """
    there = column.is_valid().to_numpy()
    found.add(~there, name, "a time must be there; got nothing.")
    column = plain(column)
    kind = column.type
    if is_text(column):
        at = _from_texts(column, reading, name, there, found)
    elif pa.types.is_date(kind):
        at = _zoned(_micros(column.cast(pa.timestamp("us"))), there, reading, name, found)
    elif pa.types.is_timestamp(kind):
        at = _micros(pc.cast(column, pa.timestamp("us", kind.tz), safe=False))
        if kind.tz is None:
            at = _zoned(at, there, reading, name, found)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        at = _from_numbers(column, reading, name, there, found)
    else:
        raise BadInput(f"a column of times must hold times, texts or numbers; {name!r} holds {kind}.", field=name)
    outside = there & ~found.bad & ((at < _EARLIEST) | (at >= _LATEST))
    found.add(outside, name, "a time must lie between 1900 and 2200.", "Look at [time] epoch and unit in the spec.")
    return np.where(found.bad, 0, at)


def _micros(column: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(pc.fill_null(column.cast(pa.int64()), 0).to_numpy(), np.int64)


def _from_numbers(
    column: pa.ChunkedArray, reading: TimeReading, name: str, there: NDArray[np.bool_], found: Findings
) -> NDArray[np.int64]:
    value = np.asarray(pc.fill_null(pc.cast(column, pa.float64(), safe=False), 0.0).to_numpy(), np.float64)
    if reading.epoch is None:
        raise BadInput(
            f"numbers as times need a beginning; {name!r} holds numbers such as {value[0]:g} and the spec says none.",
            field=name,
            hint="Add under [time]: " + ", ".join(epoch_lines(float(np.nanmax(np.abs(value), initial=0.0)))) + ".",
        )
    found.add(there & ~np.isfinite(value), name, "a time must be finite; got NaN or infinity.")
    unit = reading.unit // timedelta(microseconds=1)
    start = (reading.epoch - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    micros = np.where(np.isfinite(value), value, 0.0) * unit
    far = np.abs(micros) > 2.0**60
    if pa.types.is_integer(column.type):  # a float holds integers to 2^53 only: half a century of quarter microseconds
        whole = np.asarray(pc.fill_null(pc.cast(column, pa.int64(), safe=False), 0).to_numpy(), np.int64)
        return np.where(far, _LATEST, np.where(far, 0, whole) * unit + start)
    return np.where(far, _LATEST, np.rint(np.where(far, 0.0, micros)).astype(np.int64) + start)


def epoch_lines(biggest: float) -> tuple[str, str]:
    """The two lines under ``[time]`` that would read numbers of this size, guessed from the size."""
    for least, unit in ((1e14, "1us"), (1e11, "1ms"), (1e8, "1s")):
        if least < biggest < least * 100:
            return "epoch = 1970-01-01T00:00:00Z", f'unit = "{unit}"'
    return "epoch = 2026-01-01T00:00:00Z", 'unit = "1s"'


def _from_texts(
    column: pa.ChunkedArray, reading: TimeReading, name: str, there: NDArray[np.bool_], found: Findings
) -> NDArray[np.int64]:
    texts = pc.utf8_trim_whitespace(column.cast(pa.string()))
    at = np.zeros(len(texts), np.int64)
    if reading.format is not None:
        parsed = pc.strptime(texts, format=reading.format, unit="us", error_is_null=True)
        bad = there & ~(parsed.is_valid().to_numpy() & reads_back(parsed, texts, reading.format))
        found.add(bad, name, lambda i: f"a time must read {reading.format}; got {shown(texts[i])}.")
        return _zoned(_micros(parsed), there & ~bad, reading, name, found)
    if reading.epoch is not None:
        numeric = _matches(texts, _PLAIN)
        bad = there & ~numeric
        found.add(bad, name, lambda i: f"a time must be a number of {reading.unit} units; got {shown(texts[i])}.")
        numbers = pc.if_else(pa.array(numeric), texts, None).cast(pa.float64())
        return _from_numbers(numbers, reading, name, there & ~bad, found)
    zoned, naive = _matches(texts, _ZONED), _matches(texts, _NAIVE)
    numeric = _matches(texts, _PLAIN)
    if numeric.any() and (numeric == there).all():
        return _from_numbers(texts.filter(pa.array(numeric)).cast(pa.float64()), reading, name, there, found)
    real = np.zeros(len(texts), bool)
    real[zoned | naive] = _day_exists(texts.filter(pa.array(zoned | naive)))
    bad = there & ~real
    found.add(
        bad,
        name,
        lambda i: f"a time must read such as 2026-03-01T12:00:00Z; got {shown(texts[i])}.",
        'For another way of writing, say it in the spec: [time] format = "%d/%m/%Y %H:%M".',
    )
    short = pc.replace_substring_regex(texts, r"(\.\d{6})\d+", r"\1")
    for mask, zone in ((zoned & real, "UTC"), (naive & real, None)):
        if mask.any():
            part = pc.replace_substring_regex(short.filter(pa.array(mask)), r" ([Z+-])", r"\1")
            at[mask] = _micros(part.cast(pa.timestamp("us", zone)))
    naive &= real
    if naive.any():
        at = np.where(naive, _zoned(at, naive, reading, name, found), at)
    return at


def _matches(texts: pa.ChunkedArray, pattern: str) -> NDArray[np.bool_]:
    return np.asarray(pc.fill_null(pc.match_substring_regex(texts, pattern), False).to_numpy(), np.bool_)


def reads_back(parsed: pa.ChunkedArray, texts: pa.ChunkedArray, form: str) -> NDArray[np.bool_]:
    """Which times, written again, give their text: Arrow reads 31 February as 3 March without a word."""

    def bare(column: pa.ChunkedArray) -> pa.ChunkedArray:
        return pc.utf8_lower(pc.replace_substring_regex(column, r"\b0+(\d)", r"\1"))

    again = pc.strftime(parsed.cast(pa.timestamp("s")), format=form)
    return np.asarray(pc.fill_null(pc.equal(bare(again), bare(texts)), False).to_numpy())


def _day_exists(texts: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Which of the texts, all of the right form, name a day their month has."""
    year, month, day = (
        np.asarray(pc.utf8_slice_codeunits(texts, a, b).cast(pa.int64()).to_numpy())
        for a, b in ((0, 4), (5, 7), (8, 10))
    )
    first = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + (month - 1)
    length = ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    return np.asarray(day <= length)


def _zoned(
    local: NDArray[np.int64], rows: NDArray[np.bool_], reading: TimeReading, name: str, found: Findings
) -> NDArray[np.int64]:
    """Wall-clock microseconds of the given rows as UTC, by the spec's zone."""
    if not reading.zone_given:
        found.add(rows, name, "a time must say its zone; got a time without one.", _SAY_ZONE)
        return local
    at, gap, fold = to_utc(local, ZoneInfo(reading.zone), rows & (local > _EARLIEST) & (local < _LATEST))
    found.add(
        gap & rows,
        name,
        f"a time must exist; this one fell in the hour the clocks of {reading.zone} skipped.",
        "Write the times in UTC or with their offset.",
    )
    if (fold & rows).any():
        found.notes.append(
            f"{int((fold & rows).sum())} times of {name!r} fall in the hour that comes twice in {reading.zone}; "
            "the first was meant, unless the file writes offsets."
        )
    return at


def to_utc(
    local: NDArray[np.int64], zone: ZoneInfo, rows: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Wall-clock microseconds as UTC; and which fell in a skipped hour, which in a doubled one (taken as the first).

    Asks the zone once a day, and once a distinct second on the few days on which its offset changes.
    """
    at = local.copy()
    gap, fold = np.zeros(len(local), bool), np.zeros(len(local), bool)
    chosen = np.flatnonzero(rows)
    days, inverse = np.unique(local[chosen] // _DAY, return_inverse=True)
    offset = np.array([_offset(int(d) * _DAY, zone, 0) for d in days], np.int64)
    # A midnight that comes twice ends its day the second time: clocks may be put back over it, from 00:01 to 23:01.
    after = np.array([_offset(int(d + 1) * _DAY, zone, 1) for d in days], np.int64)
    at[chosen] -= offset[inverse]
    moving = chosen[(offset != after)[inverse]]
    seconds, inverse = np.unique(local[moving] // 1_000_000, return_inverse=True)
    first = np.array([_offset(int(s) * 1_000_000, zone, 0) for s in seconds], np.int64)
    second = np.array([_offset(int(s) * 1_000_000, zone, 1) for s in seconds], np.int64)
    at[moving] = local[moving] - first[inverse]
    gap[moving] = (second > first)[inverse]
    fold[moving] = (second < first)[inverse]
    return at, gap, fold


def _offset(local: int, zone: ZoneInfo, fold: int) -> int:
    clock = datetime(1970, 1, 1) + timedelta(microseconds=local)  # noqa: DTZ001  a wall clock, its zone is next
    delta = clock.replace(tzinfo=zone, fold=fold).utcoffset()
    return 0 if delta is None else round(delta.total_seconds()) * 1_000_000
