"""Which payment is which: ids made from a row when the file has none, and ids that come twice."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


def made_ids(columns: Iterable[NDArray[np.generic]]) -> NDArray[np.object_]:
    """object[n]: an id from what stands in each row, the same in every file the row stands in.

    Rows that are equal in every column get ``-2``, ``-3``... in their order, so no two ids are the same.
    """
    mixed: NDArray[np.uint64] | None = None
    for column in columns:
        bits = np.ascontiguousarray(column, dtype=column.dtype.newbyteorder("="))
        if bits.dtype.itemsize < 8:
            bits = bits.astype(np.int64)
        mixed = _mix(bits.view(np.uint64) if mixed is None else bits.view(np.uint64) ^ mixed)
    if mixed is None or len(mixed) == 0:
        return np.zeros(0, object)
    digits = mixed.astype(">u8").tobytes().hex()
    ids = np.array([digits[i : i + 16] for i in range(0, len(digits), 16)], object)
    again = _occurrence(mixed)
    for place in np.flatnonzero(again):
        ids[place] = f"{ids[place]}-{again[place] + 1}"
    return ids


def _mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's last steps: every bit in moves half of the bits out."""
    value = value + np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(value ^ (value >> np.uint64(31)))


def _occurrence(value: NDArray[np.uint64]) -> NDArray[np.int64]:
    """int64[n]: how many equal values stand before each."""
    order = np.argsort(value, kind="stable")
    ordered = value[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    lengths = np.diff(np.append(starts, len(ordered)))
    out = np.empty(len(value), np.int64)
    out[order] = np.arange(len(value)) - np.repeat(starts, lengths)
    return out


def repeated(ids: pa.ChunkedArray, good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """bool[n]: good rows whose id stands in an earlier good row."""
    codes = np.asarray(pc.fill_null(pc.dictionary_encode(ids).combine_chunks().indices, -1).to_numpy(False), np.int64)
    rows = np.flatnonzero(good & (codes >= 0))
    _, first = np.unique(codes[rows], return_index=True)
    out = np.zeros(len(codes), bool)
    out[rows] = True
    out[rows[first]] = False
    return out
