"""Examples made ready once, held where there is room: in memory, or in a file that is read as it is needed."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import Collection
from tocsin.data.images import decode
from tocsin.data.prepare import Preparation, Preparer
from tocsin.learn.task import Told, silent

IN_MEMORY = 1 << 30
"""Bytes; what is larger lies in a file."""
AT_ONCE = 64
_LOOKED_AT = 40


@dataclass(frozen=True, slots=True)
class Prepared:
    """Some examples of a collection as a network takes them, and their classes.

    Parameters
    ----------
    given : uint8[n, s, s, 3], float32[n, samples] or int64[n, length].
    label : int64[n].
    """

    given: NDArray[Any]
    label: NDArray[np.int64]
    _file: Any = None  # a file that goes with the array

    def __len__(self) -> int:
        return len(self.label)


def shape_of(preparation: Preparation) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """What one prepared example is: its shape and its type."""
    if preparation.kind == "images":
        return (preparation.size, preparation.size, 3), np.dtype(np.uint8)
    if preparation.kind == "sound":
        return (preparation.samples,), np.dtype(np.float32)
    return (preparation.length,), np.dtype(np.int64)


def side_of(collection: Collection, rows: NDArray[np.int64]) -> int:
    """Pixels of the shorter side of pictures, their median by some of these rows."""
    some = rows[:: max(1, len(rows) // _LOOKED_AT)]
    return int(np.median([min(decode(_bytes(collection.raw(int(i)))).shape[:2]) for i in some]))


def _bytes(raw: bytes | str) -> bytes:
    assert isinstance(raw, bytes)
    return raw


def prepared(
    collection: Collection,
    rows: NDArray[np.int64],
    preparer: Preparer,
    preparation: Preparation,
    *,
    told: Told = silent,
    what: str = "reading the examples",
) -> Prepared:
    """Read and prepare these rows, one after another.

    Raises
    ------
    BadInput : an example cannot be read; its name is in the message.
    """
    shape, kind = shape_of(preparation)
    size = len(rows) * int(np.prod(shape)) * kind.itemsize
    file = None
    given: NDArray[Any]
    if size > IN_MEMORY:
        file = tempfile.NamedTemporaryFile(prefix="tocsin-", suffix=".prepared")  # noqa: SIM115 (it goes with the array)
        given = np.memmap(Path(file.name), dtype=kind, mode="w+", shape=(len(rows), *shape))
    else:
        given = np.empty((len(rows), *shape), dtype=kind)
    for begin in range(0, len(rows), AT_ONCE):
        told(what, begin / len(rows))
        some = rows[begin : begin + AT_ONCE]
        given[begin : begin + len(some)] = preparer.prepared([collection.raw(int(i)) for i in some])
    return Prepared(given, collection.label[rows], file)
