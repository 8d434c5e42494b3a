"""Compiled: ask for cells before they are needed, so that the memory's latency passes while other events are done.

Nothing here changes or decides anything: a wrong guess costs a little time. Three looks ahead: at an event far off,
its place in the index; nearer, its entity's row; nearer still, the nodes its windows will let go of.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import int64, types
from numba.core import cgutils
from numba.extending import intrinsic

from tocsin.features.cells import compiled, peek, poke
from tocsin.features.chains import node_of
from tocsin.features.program import (
    G_COLUMNS,
    G_DELAY,
    G_HEAD,
    G_WIDTH,
    G_WINDOW,
    G_WINDOWS,
    GROUPS,
    L_COLUMNS,
    L_TABLE,
    LOOKUPS,
    S_INDEX,
    S_MASK,
    S_ROWS,
    T_COLUMNS,
    T_GROUP,
    T_GROUPS,
    T_WIDTH,
    TABLES,
    TAIL,
    TAIL_TIME,
    W_COLUMNS,
    W_ROW,
    W_SPAN,
    WINDOWS,
)
from tocsin.features.tables import find, home, key_of_parts, ring_state, rows_of, section, table_state

FAR, NEAR, NEXT = 12, 8, 4
"""How many events ahead the index, the row and the nodes are asked for."""
GUESSES = 16
"""How many events' guessed slots are kept; a power of two above ``NEAR``."""
_LINES = 8


@intrinsic
def _prefetch(typing: Any, address: Any) -> Any:
    """Ask for the cache line at ``address``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        small = ir.IntType(32)
        pointer = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
        shape = ir.FunctionType(ir.VoidType(), [pointer.type, small, small, small])
        function = cgutils.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        builder.call(function, [pointer, ir.Constant(small, 0), ir.Constant(small, 3), ir.Constant(small, 1)])
        return context.get_dummy_value()

    return types.void(int64), emit


prefetch: Callable[[int], None] = _prefetch


@compiled
def ask_index(program: int, state: int, keys: int, stride: int) -> None:
    """Ask for the index entries of an event's entities."""
    for lookup in range(rows_of(program, LOOKUPS)):
        key = key_of_parts(program, keys, stride, lookup)
        table = table_state(state, peek(section(program, LOOKUPS, lookup, L_COLUMNS), L_TABLE))
        prefetch(peek(table, S_INDEX) + 16 * home(key, peek(table, S_MASK)))


@compiled
def ask_rows(program: int, state: int, keys: int, stride: int, guesses: int) -> None:
    """Ask for the first lines of an event's entities' rows, and keep which rows they are."""
    for lookup in range(rows_of(program, LOOKUPS)):
        key = key_of_parts(program, keys, stride, lookup)
        t = peek(section(program, LOOKUPS, lookup, L_COLUMNS), L_TABLE)
        table = table_state(state, t)
        row = 0
        slot = find(table, key) if key != 0 else 0
        if slot != 0:
            cells = peek(section(program, TABLES, t, T_COLUMNS), T_WIDTH)
            row = peek(table, S_ROWS) + 8 * slot * cells
            for line in range(min((cells + 7) >> 3, _LINES)):
                prefetch(row + 64 * line)
            prefetch(row + 8 * cells - 8)
        poke(guesses, lookup, row)


@compiled
def ask_nodes(program: int, state: int, at: int, guesses: int) -> None:
    """Ask for the nodes an event's entities will let go of, and for those that will be linked to it."""
    for lookup in range(rows_of(program, LOOKUPS)):
        row = peek(guesses, lookup)
        if row == 0:
            continue
        t = peek(section(program, LOOKUPS, lookup, L_COLUMNS), L_TABLE)
        groups = section(program, TABLES, t, T_COLUMNS)
        for g in range(peek(groups, T_GROUP), peek(groups, T_GROUPS)):
            group = section(program, GROUPS, g, G_COLUMNS)
            width = peek(group, G_WIDTH)
            if width == 0:
                continue
            ring, now = ring_state(program, state, g), at - peek(group, G_DELAY)
            prefetch(node_of(ring, width, peek(row, peek(group, G_HEAD))) + 8)
            for w in range(peek(group, G_WINDOW), peek(group, G_WINDOWS)):
                window = section(program, WINDOWS, w, W_COLUMNS)
                place = row + 8 * peek(window, W_ROW)
                if peek(place, TAIL_TIME) <= now - peek(window, W_SPAN) and peek(place, TAIL) != 0:
                    node = node_of(ring, width, peek(place, TAIL))
                    prefetch(node)
                    prefetch(node + 8 * width - 8)
