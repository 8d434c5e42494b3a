"""Events as columns, in the order in which they reach the memory: what a file is read into, what the service collects
from its waiting requests, and the only thing the feature kernel steps over.

Training and serving build the same columns by the same functions, so a feature cannot differ between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from tocsin.schema import KIND_CODE, Kind

MISSING_KEY = np.uint64(0)
"""The key of a value that is not there; no text hashes to it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A run of events, column by column, in one order.

    Parameters
    ----------
    number : int64[n], strictly increasing: the place of each row in the one sequence.
    at : int64[n], microseconds since 1970-01-01 UTC.
    kind : uint8[n], a code of ``schema.KIND_CODE``.
    amount : int64[n], whole minor units of the base currency; 0 where the row is no payment.
    keys : entity or category name -> uint64[n] from :func:`key_of`; ``MISSING_KEY`` where absent.
    numbers : name -> float64[n]; NaN where absent.
    of : int64[n], for a label the ``number`` of its payment, else -1.
    fraud : int8[n], for a label 1 (fraud) or 0 (genuine), else 0.
    """

    number: NDArray[np.int64]
    at: NDArray[np.int64]
    kind: NDArray[np.uint8]
    amount: NDArray[np.int64]
    keys: Mapping[str, NDArray[np.uint64]]
    numbers: Mapping[str, NDArray[np.float64]]
    of: NDArray[np.int64]
    fraud: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def payments(self) -> NDArray[np.bool_]:
        """bool[n]: which rows are payments; only these get a row of features."""
        return np.equal(self.kind, KIND_CODE[Kind.PAYMENT])

    def take(self, rows: slice | NDArray[np.int64] | NDArray[np.bool_]) -> Batch:
        """The given rows, in the given order."""
        return Batch(
            self.number[rows],
            self.at[rows],
            self.kind[rows],
            self.amount[rows],
            {name: column[rows] for name, column in self.keys.items()},
            {name: column[rows] for name, column in self.numbers.items()},
            self.of[rows],
            self.fraud[rows],
        )


def key_of(text: str) -> int:
    """A text as a 64-bit key, the same on every machine and in every run; never 0.

    Blake2b cut to 8 bytes: two of ten million entities collide with probability 3e-6.
    """
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") or 1


def keys_of(texts: Iterable[str | None]) -> NDArray[np.uint64]:
    """uint64[n]: the key of each text, ``MISSING_KEY`` for ``None`` and for the empty text."""
    known: dict[str, int] = {}
    out = []
    for text in texts:
        if not text:
            out.append(0)
            continue
        key = known.get(text)
        if key is None:
            key = known[text] = key_of(text)
        out.append(key)
    return np.array(out, dtype=np.uint64)
