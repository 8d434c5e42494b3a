"""Compiled: entities by key. An open-addressing index of (key, slot) beside rows of cells; slot 0 is the blank row.

A slot is taken in the order in which entities appear and given back by :func:`sweep` at fixed places of the
sequence, so that the memory is the same however the events were cut into batches.
"""

from __future__ import annotations

from tocsin.features.cells import compiled, peek, poke
from tocsin.features.program import (
    CLOCK,
    FOREVER,
    KEY,
    L_COLUMNS,
    L_PART,
    L_PARTS,
    LOOKUPS,
    N_CELLS,
    N_IDLE,
    N_NEWEST,
    Q_CELLS,
    S_BOUND,
    S_CELLS,
    S_CURSOR,
    S_FREE,
    S_INDEX,
    S_LIVE,
    S_MASK,
    S_PASS,
    S_ROWS,
    S_USED,
    T_COLUMNS,
    T_WIDTH,
    TABLES,
    TOUCHED,
)

SWEEP_EVENTS = 64
"""How many events lie between two looks for idle entities; a power of two."""
SWEEP_ROWS = 4 * SWEEP_EVENTS
"""How many rows of a table are looked at each time: more than there can be new ones since."""


@compiled
def section(program: int, which: int, row: int, columns: int) -> int:
    """The address of a row of a section of the program."""
    return program + 8 * (peek(program, 2 * which) + row * columns)


@compiled
def rows_of(program: int, which: int) -> int:
    """How many rows a section has."""
    return peek(program, 2 * which + 1)


@compiled
def table_state(state: int, table: int) -> int:
    """The address of a table's state."""
    return state + 8 * (N_CELLS + table * S_CELLS)


@compiled
def ring_state(program: int, state: int, group: int) -> int:
    """The address of the state of a group's ring."""
    return state + 8 * (N_CELLS + rows_of(program, TABLES) * S_CELLS + group * Q_CELLS)


@compiled
def row_at(state: int, table: int, place: int) -> int:
    """The address of the row that :func:`place_of` named."""
    return peek(table_state(state, table), S_ROWS) + 8 * place


@compiled
def place_of(state: int, table: int, row: int) -> int:
    """Which row an address is, as a number that stays when the table grows: its distance from the first, in cells."""
    return (row - peek(table_state(state, table), S_ROWS)) >> 3


@compiled
def home(key: int, mask: int) -> int:
    """Where a key wants to be in the index."""
    mixed = (key ^ (key >> 32)) * -7046029254386353131
    return (mixed ^ (mixed >> 29)) & mask


@compiled
def key_of_parts(program: int, keys: int, stride: int, lookup: int) -> int:
    """The key under which a lookup finds this event: the column's own, or several mixed; 0 when one is missing."""
    asked = section(program, LOOKUPS, lookup, L_COLUMNS)
    parts = peek(asked, L_PARTS)
    key = peek(keys, peek(asked, L_PART) * stride)
    if parts == 1 or key == 0:
        return key
    for i in range(1, parts):
        part = peek(keys, peek(asked, L_PART + i) * stride)
        if part == 0:
            return 0
        key = (key ^ (key >> 31)) * -4658895280553007687 + i
        key ^= part * -7723592293110705685
        key ^= key >> 29
    return key if key != 0 else 1


@compiled
def find(table: int, key: int) -> int:
    """The slot of a key, 0 when there is none. ``table`` is the address of the table's state."""
    index, mask = peek(table, S_INDEX), peek(table, S_MASK)
    place = home(key, mask)
    while True:
        there = peek(index, 2 * place)
        if there == key:
            return peek(index, 2 * place + 1)
        if there == 0:
            return 0
        place = (place + 1) & mask


@compiled
def blank(row: int, template: int, width: int, key: int) -> None:
    """Make a row that of an entity of which nothing is known."""
    for i in range(width):
        poke(row, i, peek(template, i))
    poke(row, KEY, key)


@compiled
def claim(table: int, width: int, key: int) -> int:
    """The slot of a key, taken now if there was none. There must be room (:func:`reserve` sees to it)."""
    index, mask = peek(table, S_INDEX), peek(table, S_MASK)
    place = home(key, mask)
    while True:
        there = peek(index, 2 * place)
        if there == key:
            return peek(index, 2 * place + 1)
        if there == 0:
            break
        place = (place + 1) & mask
    rows = peek(table, S_ROWS)
    slot = peek(table, S_FREE)
    if slot != 0:
        poke(table, S_FREE, peek(rows, slot * width + CLOCK))
    else:
        slot = peek(table, S_USED)
        poke(table, S_USED, slot + 1)
    poke(table, S_LIVE, peek(table, S_LIVE) + 1)
    blank(rows + 8 * slot * width, rows, width, key)
    poke(index, 2 * place, key)
    poke(index, 2 * place + 1, slot)
    return slot


@compiled
def forget(table: int, width: int, slot: int) -> None:
    """Give a slot back and close the gap in the index."""
    index, mask = peek(table, S_INDEX), peek(table, S_MASK)
    row = peek(table, S_ROWS) + 8 * slot * width
    key = peek(row, KEY)
    gap = home(key, mask)
    while peek(index, 2 * gap) != key:
        gap = (gap + 1) & mask
    place = gap
    while True:
        place = (place + 1) & mask
        there = peek(index, 2 * place)
        if there == 0:
            break
        # Move it back unless its home lies in the cyclic interval (gap, place].
        if ((place - home(there, mask)) & mask) >= ((place - gap) & mask):
            poke(index, 2 * gap, there)
            poke(index, 2 * gap + 1, peek(index, 2 * place + 1))
            gap = place
    poke(index, 2 * gap, 0)
    poke(index, 2 * gap + 1, 0)
    for i in range(width):
        poke(row, i, 0)
    poke(row, CLOCK, peek(table, S_FREE))
    poke(table, S_FREE, slot)
    poke(table, S_LIVE, peek(table, S_LIVE) - 1)


@compiled
def sweep(program: int, state: int) -> None:
    """Look at the next rows of each table and forget the entities idle for too long.

    A pass over the whole table finds the longest-idle entity; the next one begins when that one is an eighth too old.
    What is read never depends on it: an entity idle for too long counts as unknown whether it was swept or not.
    """
    newest, idle = peek(state, N_NEWEST), peek(state, N_IDLE)
    for t in range(rows_of(program, TABLES)):
        table = table_state(state, t)
        waiting = peek(table, S_CURSOR) == 1 and newest - peek(table, S_BOUND) < idle + (idle >> 3)
        if peek(table, S_LIVE) == 0 or waiting:
            continue
        width = peek(section(program, TABLES, t, T_COLUMNS), T_WIDTH)
        slot = peek(table, S_CURSOR)
        for _ in range(SWEEP_ROWS):
            if slot >= peek(table, S_USED):
                poke(table, S_BOUND, min(peek(table, S_PASS), newest))
                poke(table, S_PASS, FOREVER)
                slot = 1
                break
            row = peek(table, S_ROWS) + 8 * slot * width
            if peek(row, KEY) != 0:
                if newest - peek(row, TOUCHED) >= idle:
                    forget(table, width, slot)
                else:
                    poke(table, S_PASS, min(peek(table, S_PASS), peek(row, TOUCHED)))
            slot += 1
        poke(table, S_CURSOR, slot)


@compiled
def rebuild(table: int, width: int) -> None:
    """Fill an empty index from the rows."""
    index, mask, rows = peek(table, S_INDEX), peek(table, S_MASK), peek(table, S_ROWS)
    for slot in range(1, peek(table, S_USED)):
        key = peek(rows, slot * width + KEY)
        if key == 0:
            continue
        place = home(key, mask)
        while peek(index, 2 * place) != 0:
            place = (place + 1) & mask
        poke(index, 2 * place, key)
        poke(index, 2 * place + 1, slot)
