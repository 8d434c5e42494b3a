"""What the compiled step is told: every statistic of a spec as rows of small integer arrays.

Nothing here computes; these are the column numbers of the arrays, shared by the layout (which fills them) and the
compiled code (which reads them), and the one dataclass that holds the arrays.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

# A table's row (one entity): its key, its clock (newest time seen), the newest time overall when it was last touched.
KEY, CLOCK, TOUCHED, HEADER = 0, 1, 2, 3
# A ring's node (one remembered event): when, its owner and the distance to the owner's next node, when that one was.
NODE_TIME, NODE_LINK, NODE_NEXT_TIME, NODE_HEADER = 0, 1, 2, 3
RELEASED = 0xFFFFFFFF  # in place of the distance: no window holds this node any more

# tables: how wide a row is, which groups live in it, the lookup that stores.
T_WIDTH, T_GROUP, T_GROUPS, T_STORE, T_COLUMNS = 0, 1, 2, 3, 4
# lookups: table, does it also store, how many keys, up to four key columns, which account events touch it (bits).
L_TABLE, L_STORES, L_PARTS, L_PART, L_KINDS, L_COLUMNS = 0, 1, 2, 3, 7, 8
MOST_PARTS = 4
# groups: events of one source and condition, remembered under one entity with one delay.
(G_TABLE, G_SOURCE, G_LOOKUP, G_DELAY, G_REACH, G_WIDTH, G_HEAD, G_LEAD, G_TOTAL, G_TOTALS) = range(10)
(G_NODE_TOTAL, G_NODE_RAW, G_NODE_NUMBER, G_NEWEST_FRAUD, G_LONGEST) = range(10, 15)
(G_SUM, G_SUMS, G_WINDOW, G_WINDOWS, G_VALUE, G_VALUES) = range(15, 21)
(G_DIFFERENT, G_DIFFERENTS, G_KEEP, G_KEEPS, G_CONDITION, G_CONDITIONS, G_PLAIN, G_COLUMNS) = range(21, 29)
# windows: where in the row, how long, where the frauds and the distinct counters are, which extremes.
W_ROW, W_SPAN, W_FRAUDS, W_DISTINCT, W_EXTREME, W_EXTREMES, W_COLUMNS = 0, 1, 2, 3, 4, 5, 6
# Inside a window: the oldest node it holds (0: none), its time, the totals before it.
TAIL, TAIL_TIME, TAIL_TOTAL = 0, 1, 2
# sums: what is totalled, of which of the group's values.
A_KIND, A_VALUE, A_COLUMNS = 0, 1, 2
SUM_COUNT, SUM_MINOR, SUM_FLOAT, SUM_SQUARE = 0, 1, 2, 3
# extremes: which value, its sign (1 max, -1 min), where in the row (front, back), where in the node (before, after).
E_VALUE, E_SIGN, E_ROW, E_NODE, E_COLUMNS = 0, 1, 2, 3, 4
# different values: lookup of (entity, value), where in the node (superseded by, pair), where in the pair's row.
D_LOOKUP, D_NODE, D_PAIR, D_COLUMNS = 0, 1, 2, 3
# kept without a window: what, of which value (and second value), where in the row.
K_KIND, K_VALUE, K_SECOND, K_ROW, K_COLUMNS = 0, 1, 2, 3, 4
KEEP_NEWEST, KEEP_LAST, KEEP_FIRST, KEEP_PLACE, KEEP_DECAYED = 0, 1, 2, 3, 4
# conditions: on a value column or on a feature of the row, which operator.
C_FEATURE, C_INDEX, C_OPERATOR, C_COLUMNS = 0, 1, 2, 3
OPERATORS = ("<=", ">=", "==", "!=", "<", ">")
# features: which reading of which lookup, into which column; where count, sum and squares are, now and at the tail.
(F_OP, F_LOOKUP, F_OUT, F_COUNT, F_COUNT_TAIL, F_SUM, F_SUM_TAIL, F_SQUARE, F_SQUARE_TAIL, F_VALUE, F_MINOR) = range(11)
(F_ROW, F_GROUP, F_NODE, F_COLUMNS) = range(11, 15)
READINGS = (
    "count",
    "sum",
    "mean",
    "std",
    "ratio",
    "deviation",
    "extreme",
    "distinct",
    "share",
    "frauds",
    "since",
    "novelty",
    "age",
    "distance",
    "speed",
    "last",
    "decayed_count",
    "decayed_sum",
    "decayed_mean",
)
(R_COUNT, R_SUM, R_MEAN, R_STD, R_RATIO, R_DEVIATION, R_EXTREME, R_DISTINCT, R_SHARE, R_FRAUDS) = range(10)
(R_SINCE, R_NOVELTY, R_AGE, R_DISTANCE, R_SPEED, R_LAST, R_DECAYED_COUNT, R_DECAYED_SUM, R_DECAYED_MEAN) = range(10, 19)
# raw inputs: a value column or a folded key, into which column.
I_KEY, I_INDEX, I_OUT, I_COLUMNS = 0, 1, 2, 3

# histories (none or one): lookup, how many payments, where in the row, where among the outputs, up to four kind columns.
H_LOOKUP, H_LENGTH, H_ROW, H_OUT, H_KINDS, H_KIND, H_COLUMNS = 0, 1, 2, 3, 4, 5, 9
# Inside a row: when the newest payment was, which half cell holds the oldest one; then the tokens, two a cell.
HISTORY_NEWEST, HISTORY_OLDEST, HISTORY_TOKENS = 0, 1, 2

# What every event carries besides the spec's own numbers.
AMOUNT, HOUR, WEEKDAY, WEEKEND, NIGHT, FIRST_NUMBER = 0, 1, 2, 3, 4, 5
LATITUDE, LONGITUDE = "latitude", "longitude"
ANY_KIND = -1
NOTHING = -1

# Where a section of the program begins (in cells) and how many rows it has: two cells each at the program's start.
SECTIONS = (
    "tables",
    "lookups",
    "groups",
    "windows",
    "sums",
    "extremes",
    "differents",
    "values",
    "keeps",
    "conditions",
    "features",
    "inputs",
    "scale",
    "halving",
    "bounds",
    "zone_at",
    "zone_offset",
    "histories",
    "gap_edges",
    "amount_edges",
)
(TABLES, LOOKUPS, GROUPS, WINDOWS, SUMS, EXTREMES, DIFFERENTS, VALUES, KEEPS, CONDITIONS) = range(10)
(FEATURES, INPUTS, SCALE, HALVING, BOUNDS, ZONE_AT, ZONE_OFFSET) = range(10, 17)
HISTORIES, GAP_EDGES, AMOUNT_EDGES = 17, 18, 19

# The state: of the whole, then of each table, then of each group's ring; integers, in cells.
(N_NEWEST, N_RECYCLE, N_SEEN, N_LATE, N_LAST_NUMBER, N_IDLE, N_CELLS) = range(7)
(S_ROWS, S_ROOM, S_USED, S_FREE, S_LIVE, S_INDEX, S_MASK, S_CURSOR, S_PASS, S_BOUND, S_CELLS) = range(11)
(Q_ADDRESS, Q_MASK, Q_HEAD, Q_TAIL, Q_CELLS) = range(5)
NEVER = -(2**62)
FOREVER = 2**62

# An event's cells, column after column, before its keys and numbers.
(V_NUMBER, V_AT, V_KIND, V_AMOUNT, V_OF, V_FRAUD, V_COLUMNS) = range(7)


@dataclass(frozen=True, slots=True)
class Program:
    """The arrays of one plan; rows in the order of the spec, columns as named above.

    ``scale`` is float64[features]: what a feature's money is divided by (the minor units of one unit, else 1).
    ``halving`` is float64[keeps]: half-lives a microsecond. ``bounds`` is float64[conditions]. ``gap_edges`` are in
    microseconds and ``amount_edges`` in minor units, int64[30], rising; empty where there is no history.
    """

    tables: Ints
    lookups: Ints
    groups: Ints
    windows: Ints
    sums: Ints
    extremes: Ints
    differents: Ints
    values: Ints
    keeps: Ints
    conditions: Ints
    features: Ints
    inputs: Ints
    scale: Floats
    halving: Floats
    bounds: Floats
    zone_at: Ints
    zone_offset: Ints
    histories: Ints
    gap_edges: Ints
    amount_edges: Ints
    templates: tuple[Ints, ...]
    columns: int
    minor_units: float

    def cells(self) -> Ints:
        """Everything in one run of cells: the sections' places first, then the sections."""
        parts = [np.ascontiguousarray(getattr(self, name)) for name in SECTIONS]
        at, places = 2 * len(SECTIONS), []
        for part in parts:
            places += [at, len(part)]
            at += part.size
        return np.concatenate([np.array(places, dtype=np.int64), *(part.view(np.int64).ravel() for part in parts)])
