"""The last payments of an entity as small codes: what a token says, and how the kernel's columns of them are read.

A token is one payment: of what kind it was, how long after the one before, at which hour, how much. The kernel keeps
the tokens themselves, and no model's impression of them, so any model can read them and be changed without the past
being gone through again. What a model makes of them is not known here.
"""

from __future__ import annotations

from math import isqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput

FOLD = 4095
"""Kinds become codes by their key's remainder; 0 is "not there"."""
KINDS, GAPS, HOURS, AMOUNTS = 4096, 32, 32, 32
"""How many values each part of a token may take; of the hours, 24 are used."""
NOBODY = 0
"""In place of a token: no payment."""
_MINUTE = 60_000_000


class Payments(NamedTuple):
    """Tokens taken apart, each part int64 in the tokens' shape; all 0 where there was no payment.

    Parameters
    ----------
    kind : ``key % FOLD + 1``, 0 where the payment's kind is not known.
    gap : 0 for an entity's first payment, else from 1 (under 25 seconds) to 31 (above 22 days), two steps a doubling.
    hour : 0 to 23, in the spec's zone.
    amount : from 1 (nothing, or less than 0.42) to 31 (from 32,767 units of money), two steps a doubling.
    """

    kind: NDArray[np.int64]
    gap: NDArray[np.int64]
    hour: NDArray[np.int64]
    amount: NDArray[np.int64]


def unpack(tokens: NDArray[np.int64]) -> Payments:
    """Take tokens apart.

    Parameters
    ----------
    tokens : int64[...], ``kind + KINDS * gap + KINDS * GAPS * hour + KINDS * GAPS * HOURS * amount``.

    Examples
    --------
    >>> payment = unpack(np.array([7 + KINDS * (3 + GAPS * (13 + HOURS * 12))]))
    >>> [int(part[0]) for part in payment]
    [7, 3, 13, 12]
    """
    gap, hour, amount = tokens // KINDS, tokens // (KINDS * GAPS), tokens // (KINDS * GAPS * HOURS)
    return Payments(tokens % KINDS, gap % GAPS, hour % HOURS, amount)


def lag_columns(history: NDArray[np.int64], last: int = 5) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The payments before this one as columns of their own: the plainest way to show trees an order.

    Parameters
    ----------
    history : int64[n, K + 1], what stands behind the columns of a row: K payments, the newest last, and this one.
    last : how many of the K become columns, from the newest back.

    Returns
    -------
    names : ``kind_1_back``, ``gap_1_back``, ``hour_1_back``, ``amount_1_back``, ``kind_2_back``... 1 is the newest.
        Kinds are codes, for trees to split as categories (:func:`categories_of_lags`).
    columns : float64[n, 4 * last]; NaN where there was no payment.

    Raises
    ------
    BadInput : fewer than ``last`` payments are kept.
    """
    rows, kept = history.shape[0], history.shape[1] - 1
    if not 1 <= last <= kept:
        raise BadInput(f"columns can be made of 1 to {kept} payments back; got {last}.", field="last")
    tokens = history[:, -2 : -2 - last : -1]
    parts = np.stack(unpack(tokens), axis=2).astype(np.float64)
    parts[tokens == NOBODY] = np.nan
    names = tuple(f"{part}_{back}_back" for back in range(1, last + 1) for part in Payments._fields)
    return names, np.ascontiguousarray(parts.reshape(rows, 4 * last))


def categories_of_lags(first: int, last: int = 5) -> tuple[int, ...]:
    """Which of :func:`lag_columns` hold codes and not amounts, when they stand from column ``first`` on."""
    return tuple(range(first, first + 4 * last, 4))


def gap_edges() -> NDArray[np.int64]:
    """int64[30], microseconds: a payment ``g`` after the one before has the gap ``1 + (edges <= g).sum()``.

    That is ``min(31, 1 + floor(2 log2(1 + minutes)))`` in whole numbers, the same on every machine.
    """
    return _edges(_MINUTE, GAPS)


def amount_edges(minor_units: int) -> NDArray[np.int64]:
    """int64[30], minor units: an amount ``a`` has the code ``1 + (edges <= a).sum()``; as :func:`gap_edges`."""
    return _edges(minor_units, AMOUNTS)


def _edges(unit: int, codes: int) -> NDArray[np.int64]:
    """The smallest whole ``x`` for which ``2 log2(1 + x / unit)`` reaches 1, 2, 3...: ``(unit + x)² >= 2^j unit²``."""
    squares = [(1 << j) * unit * unit for j in range(1, codes - 1)]
    return np.array([1 + isqrt(square - 1) - unit for square in squares], dtype=np.int64)
