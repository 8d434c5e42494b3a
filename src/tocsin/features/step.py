"""Compiled: one pass over a run of events. For each: what was known just before it, then remember it."""

from __future__ import annotations

import numpy as np

from tocsin.features.ahead import FAR, GUESSES, NEAR, NEXT, ask_index, ask_nodes, ask_rows
from tocsin.features.cells import compiled, peek, peekf, poke, pokef
from tocsin.features.chains import advance, learn_label, recycle, store
from tocsin.features.program import (
    BOUNDS,
    C_COLUMNS,
    C_FEATURE,
    C_INDEX,
    C_OPERATOR,
    CLOCK,
    CONDITIONS,
    FEATURES,
    FIRST_NUMBER,
    G_COLUMNS,
    G_CONDITION,
    G_CONDITIONS,
    G_LOOKUP,
    G_SOURCE,
    G_VALUE,
    G_VALUES,
    G_WIDTH,
    GROUPS,
    HISTORIES,
    HOUR,
    I_COLUMNS,
    I_INDEX,
    I_KEY,
    I_OUT,
    INPUTS,
    KEY,
    L_COLUMNS,
    L_KINDS,
    L_STORES,
    L_TABLE,
    LOOKUPS,
    N_IDLE,
    N_LAST_NUMBER,
    N_LATE,
    N_NEWEST,
    N_RECYCLE,
    N_SEEN,
    NIGHT,
    Q_HEAD,
    Q_MASK,
    Q_TAIL,
    S_LIVE,
    S_MASK,
    S_ROOM,
    S_ROWS,
    T_COLUMNS,
    T_GROUP,
    T_GROUPS,
    T_WIDTH,
    TABLES,
    TOUCHED,
    V_AMOUNT,
    V_AT,
    V_COLUMNS,
    V_FRAUD,
    V_KIND,
    V_NUMBER,
    V_OF,
    VALUES,
    WEEKDAY,
    WEEKEND,
    ZONE_AT,
    ZONE_OFFSET,
)
from tocsin.features.readings import read
from tocsin.features.tables import (
    SWEEP_EVENTS,
    blank,
    claim,
    find,
    key_of_parts,
    ring_state,
    rows_of,
    section,
    sweep,
    table_state,
)
from tocsin.features.tokens import recall
from tocsin.schema import KIND_CODE, Kind

_PAYMENT = KIND_CODE[Kind.PAYMENT]
_LABEL = KIND_CODE[Kind.LABEL]
_HOUR, _DAY = 3_600_000_000, 86_400_000_000
FOLDS = 1021
"""Entity columns become categories by their key's remainder; 0 is "not there"."""


@compiled
def fill_values(program: int, event: int, stride: int, numbers: int, given: int, minutes: int, values: int) -> None:
    """An event's values: amount, calendar columns in the spec's zone, numbers; NaN where there is none."""
    at = peek(event, V_AT * stride)
    pokef(values, 0, float(peek(event, V_AMOUNT * stride)) if peek(event, V_KIND * stride) == _PAYMENT else np.nan)
    if minutes != 0:
        low, high = 0, rows_of(program, ZONE_AT)
        while high - low > 1:
            middle = (low + high) >> 1
            if peek(section(program, ZONE_AT, middle, 1), 0) <= at:
                low = middle
            else:
                high = middle
        local = at + peek(section(program, ZONE_OFFSET, low, 1), 0)
        hour = float(local % _DAY) / _HOUR
        weekday = (local // _DAY + 3) % 7  # 1970-01-01 was a Thursday
        pokef(values, HOUR, hour)
        pokef(values, WEEKDAY, float(weekday))
        pokef(values, WEEKEND, 1.0 if weekday >= 5 else 0.0)
        pokef(values, NIGHT, 1.0 if hour < 7.0 else 0.0)
    for i in range(given):
        x = peekf(numbers, i * stride)
        pokef(values, FIRST_NUMBER + i, x if np.isfinite(x) else np.nan)


@compiled
def touch(program: int, state: int, asked: int, key: int, at: int, guess: int) -> int:
    """The entity's row with its windows brought to the event's time, or to its own clock when that is ahead.

    Parameters
    ----------
    guess : the address of the row that :mod:`tocsin.features.ahead` found for the key, 0 when it looked for none.

    Returns
    -------
    int : the row's address; the blank row's when the entity is unknown and this lookup only reads.
    """
    t = peek(asked, L_TABLE)
    table = table_state(state, t)
    groups = section(program, TABLES, t, T_COLUMNS)
    width, stores, first = peek(groups, T_WIDTH), peek(asked, L_STORES), peek(table, S_ROWS)
    row = guess
    if row == 0 or peek(row, KEY) != key:
        slot = claim(table, width, key) if stores else find(table, key)
        row = first + 8 * slot * width
        if slot == 0:
            return row
    newest = peek(state, N_NEWEST)
    if newest - peek(row, TOUCHED) >= peek(state, N_IDLE):
        if not stores:
            return first
        blank(row, first, width, key)
    poke(row, TOUCHED, newest)
    if peek(row, CLOCK) < at:
        poke(row, CLOCK, at)
        for g in range(peek(groups, T_GROUP), peek(groups, T_GROUPS)):
            advance(program, state, g, row, at)
    return row


@compiled
def met(program: int, group: int, values: int, out: int) -> bool:
    """Whether an event meets a group's conditions; an unknown value meets none."""
    for c in range(peek(group, G_CONDITION), peek(group, G_CONDITIONS)):
        condition = section(program, CONDITIONS, c, C_COLUMNS)
        bound, index = peekf(section(program, BOUNDS, c, 1), 0), peek(condition, C_INDEX)
        x = (peekf(out, index) if out != 0 else np.nan) if peek(condition, C_FEATURE) else peekf(values, index)
        operator = peek(condition, C_OPERATOR)
        holds = (
            (operator == 0 and x <= bound)
            or (operator == 1 and x >= bound)
            or (operator == 2 and x == bound)
            or (operator == 3 and x != bound)
            or (operator == 4 and x < bound)
            or (operator == 5 and x > bound)
        )
        if np.isnan(x) or not holds:
            return False
    return True


@compiled
def remember(program: int, state: int, kind: int, number: int, values: int, chosen: int, rows: int, out: int) -> None:
    """Store an event in every group it belongs to."""
    for g in range(rows_of(program, GROUPS)):
        group = section(program, GROUPS, g, G_COLUMNS)
        source, row = peek(group, G_SOURCE), peek(rows, peek(group, G_LOOKUP))
        if (source != kind and source != -1) or row == 0 or not met(program, group, values, out):
            continue
        first = peek(group, G_VALUE)
        for i in range(peek(group, G_VALUES) - first):
            poke(chosen, i, peek(values, peek(section(program, VALUES, first + i, 1), 0)))
        store(program, state, g, row, number, chosen, rows)


@compiled
def raw_inputs(program: int, keys: int, stride: int, values: int, minor: float, out: int) -> None:
    """The columns of the event itself: the amount in whole units of money, numbers, entities folded to categories."""
    for i in range(rows_of(program, INPUTS)):
        wanted = section(program, INPUTS, i, I_COLUMNS)
        index, place = peek(wanted, I_INDEX), peek(wanted, I_OUT)
        if peek(wanted, I_KEY):
            key = peek(keys, index * stride)
            folded = np.int64(np.uint64(key) % np.uint64(FOLDS)) + 1
            pokef(out, place, float(folded) if key != 0 else 0.0)
        elif index == 0:
            pokef(out, place, peekf(values, 0) / minor)
        else:
            pokef(out, place, peekf(values, index))


@compiled
def one(
    program: int,
    state: int,
    event: int,
    stride: int,
    keys: int,
    rows: int,
    guesses: int,
    values: int,
    chosen: int,
    minor: float,
    out: int,
) -> None:
    """A payment (``out`` is its row of features) or an account event (``out`` is 0): read, then remember."""
    at, kind = peek(event, V_AT * stride), peek(event, V_KIND * stride)
    if at > peek(state, N_NEWEST):
        poke(state, N_NEWEST, at)
        if at >= peek(state, N_RECYCLE):
            recycle(program, state)
    late = 0
    for lookup in range(rows_of(program, LOOKUPS)):
        asked = section(program, LOOKUPS, lookup, L_COLUMNS)
        row = 0
        if out != 0 or (peek(asked, L_STORES) and (peek(asked, L_KINDS) >> kind) & 1):
            key = key_of_parts(program, keys, stride, lookup)
            if key != 0:
                row = touch(program, state, asked, key, at, peek(guesses, lookup))
                if peek(row, CLOCK) > at:
                    late = 1
        poke(rows, lookup, row)
    poke(state, N_LATE, peek(state, N_LATE) + late)
    if out != 0:
        raw_inputs(program, keys, stride, values, minor, out)
        for f in range(rows_of(program, FEATURES)):
            read(program, state, f, rows, values, at, out)
        if rows_of(program, HISTORIES) != 0:
            recall(program, rows, keys, stride, values, at, out)
    remember(program, state, kind, peek(event, V_NUMBER * stride), values, chosen, rows, out)


@compiled
def lacking(program: int, state: int, n: int) -> int:
    """What must grow before ``n`` more events are sure to fit: 0 nothing, t + 1 a table, -(g + 1) a ring."""
    for t in range(rows_of(program, TABLES)):
        table = table_state(state, t)
        if peek(table, S_LIVE) + 1 + n > peek(table, S_ROOM) or 2 * (peek(table, S_LIVE) + n) > peek(table, S_MASK):
            return t + 1
    for g in range(rows_of(program, GROUPS)):
        ring = ring_state(program, state, g)
        full = peek(ring, Q_HEAD) - peek(ring, Q_TAIL) + n > peek(ring, Q_MASK) + 1
        if full and peek(section(program, GROUPS, g, G_COLUMNS), G_WIDTH) != 0:
            return -(g + 1)
    return 0


@compiled
def look_ahead(
    program: int, state: int, event: int, stride: int, left: int, guesses: int, lookups: int, i: int
) -> None:
    """Ask for what the events behind this one will need."""
    keys = event + 8 * V_COLUMNS * stride
    if left > FAR:
        ask_index(program, state, keys + 8 * FAR, stride)
    if left > NEAR:
        place = guesses + 8 * lookups * ((i + NEAR) & (GUESSES - 1))
        ask_rows(program, state, keys + 8 * NEAR, stride, place)
    if left > NEXT and i >= NEAR - NEXT:
        place = guesses + 8 * lookups * ((i + NEXT) & (GUESSES - 1))
        ask_nodes(program, state, peek(event + 8 * NEXT, V_AT * stride), place)


@compiled
def run(
    program: int,
    state: int,
    events: int,
    stride: int,
    n: int,
    key_columns: int,
    numbers: int,
    minutes: int,
    scratch: int,
    minor: float,
    out: int,
    width: int,
) -> int:
    """Step over ``n`` events laid out column after column, ``stride`` cells a column.

    Returns
    -------
    int : 0 when done; else nothing was changed and :func:`lacking` says what must grow.
    """
    room = FIRST_NUMBER + numbers
    wanting = lacking(program, state, n)
    if wanting != 0:
        return wanting
    lookups = rows_of(program, LOOKUPS)
    values = scratch + 8 * lookups
    chosen = values + 8 * room
    guesses = chosen + 8 * room
    for i in range(GUESSES * lookups):
        poke(guesses, i, 0)
    for i in range(n):
        event = events + 8 * i
        look_ahead(program, state, event, stride, n - i, guesses, lookups, i)
        kind = peek(event, V_KIND * stride)
        if kind == _LABEL:
            learn_label(program, state, peek(event, V_OF * stride), peek(event, V_FRAUD * stride))
        else:
            keys = event + 8 * V_COLUMNS * stride
            fill_values(program, event, stride, keys + 8 * key_columns * stride, numbers, minutes, values)
            guess = guesses + 8 * lookups * (i & (GUESSES - 1))
            row = out if kind == _PAYMENT else 0
            one(program, state, event, stride, keys, scratch, guess, values, chosen, minor, row)
            if kind == _PAYMENT:
                out += 8 * width
        poke(state, N_LAST_NUMBER, peek(event, V_NUMBER * stride))
        seen = peek(state, N_SEEN) + 1
        poke(state, N_SEEN, seen)
        if seen & (SWEEP_EVENTS - 1) == 0:
            sweep(program, state)
    return 0
