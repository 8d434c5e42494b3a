"""Compiled: one feature's number out of an entity's row, as it was just before the event."""

from __future__ import annotations

import numpy as np

from tocsin.features.cells import add_exact, compiled, halved, kilometres, peek, peekf, pokef, spread
from tocsin.features.chains import node_of
from tocsin.features.program import (
    CLOCK,
    F_COLUMNS,
    F_COUNT,
    F_COUNT_TAIL,
    F_GROUP,
    F_LOOKUP,
    F_MINOR,
    F_NODE,
    F_OP,
    F_OUT,
    F_ROW,
    F_SQUARE,
    F_SQUARE_TAIL,
    F_SUM,
    F_SUM_TAIL,
    F_VALUE,
    FEATURES,
    G_COLUMNS,
    G_WIDTH,
    GROUPS,
    HALVING,
    NEVER,
    R_AGE,
    R_COUNT,
    R_DECAYED_COUNT,
    R_DECAYED_MEAN,
    R_DEVIATION,
    R_DISTANCE,
    R_DISTINCT,
    R_EXTREME,
    R_FRAUDS,
    R_LAST,
    R_MEAN,
    R_NOVELTY,
    R_RATIO,
    R_SHARE,
    R_SINCE,
    R_SPEED,
    R_STD,
    R_SUM,
    SCALE,
)
from tocsin.features.tables import ring_state, section

_SECOND, _HOUR = 1e6, 3.6e9
ROUNDING = 1e-28
"""Of the running total of squares, the share below which a variance of plain numbers is rounding."""


@compiled
def difference(row: int, now: int, tail: int) -> tuple[float, float]:
    """A window's exact sum: the entity's running total less the total before the window's oldest event."""
    high, low = peekf(row, now), peekf(row, now + 1)
    high, low = add_exact(high, low, -peekf(row, tail))
    return add_exact(high, low, -peekf(row, tail + 1))


@compiled
def window_sum(row: int, feature: int) -> tuple[float, float]:
    """A window's sum in two floats; amounts are whole minor units, so nothing is rounded."""
    if peek(feature, F_MINOR):
        total = peek(row, peek(feature, F_SUM)) - peek(row, peek(feature, F_SUM_TAIL))
        high = float(total)
        return high, float(total - int(high))
    return difference(row, peek(feature, F_SUM), peek(feature, F_SUM_TAIL))


@compiled
def windowed(feature: int, row: int, op: int, values: int, scale: float) -> float:
    """Count, sum, mean, standard deviation, and this event's value against them."""
    count = 0
    if op != R_SUM:
        count = peek(row, peek(feature, F_COUNT)) - peek(row, peek(feature, F_COUNT_TAIL))
        if op == R_COUNT:
            return float(count)
    high, low = window_sum(row, feature)
    if op == R_SUM:
        return (high + low) / scale
    if count == 0:
        return np.nan
    mean = (high + low) / float(count)
    if op == R_MEAN:
        return mean / scale
    if op == R_RATIO:
        x = peekf(values, peek(feature, F_VALUE))
        return x / mean if mean != 0.0 else np.nan
    square, rest = difference(row, peek(feature, F_SQUARE), peek(feature, F_SQUARE_TAIL))
    noise = 0.0 if peek(feature, F_MINOR) else ROUNDING * peekf(row, peek(feature, F_SQUARE))
    deviation = spread(count, high, low, square, rest, noise)
    if op == R_STD:
        return deviation / scale
    x = peekf(values, peek(feature, F_VALUE))
    return (x - mean) / deviation if deviation > 0.0 else np.nan


@compiled
def kept(program: int, f: int, feature: int, row: int, op: int, values: int, now: int, scale: float) -> float:
    """What needs no window: since, novelty, age, distance, speed, last, decayed averages."""
    place = row + 8 * peek(feature, F_ROW)
    if op in (R_SINCE, R_AGE):
        then = peek(place, 0)
        return float(now - then) / _SECOND if then != NEVER else np.nan
    if op == R_NOVELTY:
        return 1.0 if peek(place, 0) == NEVER else 0.0
    if op == R_LAST:
        return peekf(place, 0) / scale
    if op in (R_DISTANCE, R_SPEED):
        latitude = peekf(values, peek(feature, F_VALUE))
        longitude = peekf(values, peek(feature, F_NODE))
        far = kilometres(peekf(place, 0), peekf(place, 1), latitude, longitude)
        if op == R_DISTANCE or np.isnan(far):
            return far
        return far / (max(float(now - peek(place, 2)), _SECOND) / _HOUR)
    count, total = peekf(place, 1), peekf(place, 2)
    if op == R_DECAYED_MEAN:  # both halve alike
        return total / count / scale if count > 0.0 else np.nan
    if count == 0.0:
        return 0.0
    speed = peekf(section(program, HALVING, peek(feature, F_VALUE), 1), 0)
    return halved(count if op == R_DECAYED_COUNT else total, max(now - peek(place, 0), 0), speed) / scale


@compiled
def read(program: int, state: int, f: int, rows: int, values: int, at: int, out: int) -> None:
    """Write one feature of this event into its column of ``out``."""
    feature = section(program, FEATURES, f, F_COLUMNS)
    row = peek(rows, peek(feature, F_LOOKUP))
    if row == 0:
        pokef(out, peek(feature, F_OUT), np.nan)
        return
    op, scale = peek(feature, F_OP), peekf(section(program, SCALE, f, 1), 0)
    if op <= R_DEVIATION:
        x = windowed(feature, row, op, values, scale)
    elif op == R_EXTREME:
        front = peek(row, peek(feature, F_ROW))
        x = np.nan
        if front != 0:
            g = peek(feature, F_GROUP)
            width = peek(section(program, GROUPS, g, G_COLUMNS), G_WIDTH)
            x = peekf(node_of(ring_state(program, state, g), width, front), peek(feature, F_NODE)) / scale
    elif op in (R_DISTINCT, R_FRAUDS):
        x = float(peek(row, peek(feature, F_ROW)))
    elif op == R_SHARE:
        count = peek(row, peek(feature, F_COUNT)) - peek(row, peek(feature, F_COUNT_TAIL))
        x = float(peek(row, peek(feature, F_ROW))) / float(count) if count > 0 else np.nan
    else:
        x = kept(program, f, feature, row, op, values, max(peek(row, CLOCK), at), scale)
    pokef(out, peek(feature, F_OUT), x)
