"""Compiled: an entity's last payments, each a token of four small codes; told first, then this payment is added.

They live in the entity's own row, so they are copied, kept, forgotten and counted with it.
"""

from __future__ import annotations

import numpy as np

from tocsin.features.cells import compiled, peek, peek_half, peekf, poke, poke_half, pokef
from tocsin.features.history import FOLD, GAPS, HOURS, KINDS
from tocsin.features.program import (
    AMOUNT,
    AMOUNT_EDGES,
    GAP_EDGES,
    H_COLUMNS,
    H_KIND,
    H_KINDS,
    H_LENGTH,
    H_LOOKUP,
    H_OUT,
    H_ROW,
    HISTORIES,
    HISTORY_NEWEST,
    HISTORY_OLDEST,
    HISTORY_TOKENS,
    HOUR,
    NEVER,
)
from tocsin.features.tables import rows_of, section


@compiled
def code_of(program: int, edges: int, x: int) -> int:
    """1 and one more for each of the rising edges that ``x`` has reached."""
    low, high = 0, rows_of(program, edges)
    while low < high:
        middle = (low + high) >> 1
        if peek(section(program, edges, middle, 1), 0) <= x:
            low = middle + 1
        else:
            high = middle
    return low + 1


@compiled
def kind_of(history: int, keys: int, stride: int) -> int:
    """The payment's kind: the first of the columns that is there, folded; 0 when none is."""
    for i in range(peek(history, H_KINDS)):
        key = peek(keys, peek(history, H_KIND + i) * stride)
        if key != 0:
            return int(np.uint64(key) % np.uint64(FOLD)) + 1
    return 0


@compiled
def recall(program: int, rows: int, keys: int, stride: int, values: int, at: int, out: int) -> None:
    """Write the last payments of this payment's entity, the newest last, and this payment itself; then remember it.

    A payment that comes late follows the newest one at once: the order is that of arrival, and no gap is negative.
    """
    history = section(program, HISTORIES, 0, H_COLUMNS)
    row, length = peek(rows, peek(history, H_LOOKUP)), peek(history, H_LENGTH)
    told = out + 8 * peek(history, H_OUT)
    amount = code_of(program, AMOUNT_EDGES, int(peekf(values, AMOUNT)))
    token = kind_of(history, keys, stride) + KINDS * GAPS * (int(peekf(values, HOUR)) + HOURS * amount)
    if row == 0:  # nobody knows whose payment it is
        for i in range(length):
            pokef(told, i, 0.0)
        pokef(told, length, float(token))
        return
    place = row + 8 * peek(history, H_ROW)
    newest, oldest, tokens = peek(place, HISTORY_NEWEST), peek(place, HISTORY_OLDEST), place + 8 * HISTORY_TOKENS
    for i in range(oldest, length):
        pokef(told, i - oldest, float(peek_half(tokens, i)))
    for i in range(oldest):
        pokef(told, length - oldest + i, float(peek_half(tokens, i)))
    if newest != NEVER:
        token += KINDS * code_of(program, GAP_EDGES, max(at - newest, 0))
    pokef(told, length, float(token))
    poke_half(tokens, oldest, token)
    poke(place, HISTORY_OLDEST, oldest + 1 if oldest + 1 < length else 0)
    poke(place, HISTORY_NEWEST, max(newest, at))
