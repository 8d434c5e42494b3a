"""A layout → the integer arrays the compiled step reads (:class:`tocsin.features.program.Program`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tocsin.features import program as p
from tocsin.features.history import amount_edges, gap_edges
from tocsin.features.layout import Group, Layout, Table, microseconds, sums_of
from tocsin.features.zones import zone_offsets
from tocsin.schema import ACCOUNT_EVENTS, KIND_CODE
from tocsin.spec import Condition, Feature, Spec

Rows = list[list[int]]


def assemble(spec: Spec, layout: Layout, names: Sequence[str], keys: Sequence[str]) -> p.Program:
    """Write a layout down as arrays.

    Parameters
    ----------
    names : the model's input columns in order; a raw column or a feature each.
    keys : the entity columns an event brings, in the order in which the step gets them.
    """
    tables, groups = list(layout.tables.values()), list(layout.groups.values())
    parts = _Parts()
    for group in groups:
        parts.add_group(layout, tables, group, names)
    ordered = {group.number: i for i, group in enumerate(g for table in tables for g in table.groups)}
    by_table = sorted(range(len(groups)), key=lambda g: ordered[g])
    place = {number: i for i, number in enumerate(by_table)}
    out = {name: i for i, name in enumerate(names)}
    first_keep = [row[p.G_KEEP] for row in parts.groups]
    raw = [name for name in names if name not in {f.name for f in spec.features}]
    return p.Program(
        tables=_ints(_table_rows(layout, tables), p.T_COLUMNS),
        lookups=_ints(_lookup_rows(layout, tables, keys), p.L_COLUMNS),
        groups=_ints([parts.groups[g] for g in by_table], p.G_COLUMNS),
        windows=_ints(parts.windows, p.W_COLUMNS),
        sums=_ints(parts.sums, p.A_COLUMNS),
        extremes=_ints(parts.extremes, p.E_COLUMNS),
        differents=_ints(parts.differents, p.D_COLUMNS),
        values=np.array(parts.values, dtype=np.int64),
        keeps=_ints(parts.keeps, p.K_COLUMNS),
        conditions=_ints(parts.conditions, p.C_COLUMNS),
        features=_ints(
            [
                _reading(layout, f, g, lookup, place[g.number], out[f.name], first_keep)
                for f, g, lookup in layout.of_feature
            ],
            p.F_COLUMNS,
        ),
        inputs=_ints([_input(layout, name, out[name], keys) for name in raw], p.I_COLUMNS),
        scale=np.array([_scale(spec, f) for f, _, _ in layout.of_feature]),
        halving=np.array(parts.halving),
        bounds=np.array(
            [c.value * (spec.minor_units if c.name == "amount" else 1.0) for g in groups for c in g.key[2]],
        ),
        zone_at=zone_offsets(spec.time.zone)[0],
        zone_offset=zone_offsets(spec.time.zone)[1],
        **_history(spec, layout, len(names), keys),
        templates=tuple(layout.template(table) for table in tables),
        columns=len(names),
        minor_units=float(spec.minor_units),
    )


class _Parts:
    """The rows that belong to groups, collected group by group."""

    def __init__(self) -> None:
        self.groups: Rows = []
        self.windows: Rows = []
        self.sums: Rows = []
        self.extremes: Rows = []
        self.differents: Rows = []
        self.values: list[int] = []
        self.keeps: Rows = []
        self.conditions: Rows = []
        self.halving: list[float] = []

    def add_group(self, layout: Layout, tables: list[Table], group: Group, names: Sequence[str]) -> None:
        store, source, where, _ = group.key
        cells = group.node_cells()
        row = [0] * p.G_COLUMNS
        row[p.G_TABLE] = tables.index(layout.tables[store])
        row[p.G_SOURCE] = source
        row[p.G_LOOKUP] = layout.lookup(store, store)
        row[p.G_DELAY], row[p.G_REACH], row[p.G_WIDTH] = group.delay, group.reach, cells["width"]
        row[p.G_HEAD], row[p.G_LEAD] = group.head, group.lead
        row[p.G_TOTAL], row[p.G_TOTALS] = group.total, group.totals
        row[p.G_NODE_TOTAL], row[p.G_NODE_RAW], row[p.G_NODE_NUMBER] = cells["total"], cells["raw"], cells["number"]
        row[p.G_PLAIN] = int(group.plain)
        row[p.G_NEWEST_FRAUD] = group.fraud_cell
        row[p.G_LONGEST] = len(self.windows) + int(np.argmax(group.spans)) if group.spans else p.NOTHING
        row[p.G_SUM], row[p.G_SUMS] = self._put(self.sums, [[k, v] for k, v in group.sums])
        row[p.G_VALUE], row[p.G_VALUES] = len(self.values), len(self.values) + len(group.values)
        self.values += group.values
        self._add_windows(row, group, cells)
        row[p.G_DIFFERENT], row[p.G_DIFFERENTS] = self._put(
            self.differents,
            [
                [
                    layout.lookup((*store, column), (*store, column)),
                    cells["different"] + 2 * i,
                    layout.tables[(*store, column)].pair_cell[group.number, column],
                ]
                for i, column in enumerate(group.different)
            ],
        )
        row[p.G_KEEP], row[p.G_KEEPS] = self._put(
            self.keeps, [[k[0], k[1], k[2], c] for k, c in zip(group.keeps, group.keep_cell, strict=True)]
        )
        self.halving += [k[3] for k in group.keeps]
        row[p.G_CONDITION], row[p.G_CONDITIONS] = self._put(
            self.conditions, [_condition(layout, c, names) for c in where]
        )
        self.groups.append(row)

    def _add_windows(self, row: list[int], group: Group, cells: dict[str, int]) -> None:
        row[p.G_WINDOW], row[p.G_WINDOWS] = len(self.windows), len(self.windows) + len(group.spans)
        for w, span in enumerate(group.spans):
            first, last = self._put(
                self.extremes,
                [
                    [group.extremes[e][1], group.extremes[e][2], group.extreme_cell(e), cells["extreme"] + 2 * e]
                    for e in group.extremes_of(w)
                ],
            )
            frauds = group.fraud_count_cell(w) if group.frauds else p.NOTHING
            self.windows.append([group.window_cell[w], span, frauds, group.different_cell(w), first, last])

    @staticmethod
    def _put(rows: Rows, new: Rows) -> tuple[int, int]:
        rows += new
        return len(rows) - len(new), len(rows)


def _condition(layout: Layout, condition: Condition, names: Sequence[str]) -> list[int]:
    operator = p.OPERATORS.index(condition.operator)
    if condition.name in {f.name for f, _, _ in layout.of_feature}:
        return [1, list(names).index(condition.name), operator]
    return [0, layout.value_column(condition.name), operator]


def _table_rows(layout: Layout, tables: list[Table]) -> Rows:
    rows, first = [], 0
    for table in tables:
        rows.append([table.width, first, first + len(table.groups), layout.lookup(table.store, table.store)])
        first += len(table.groups)
    return rows


def _lookup_rows(layout: Layout, tables: list[Table], keys: Sequence[str]) -> Rows:
    rows = []
    for store, by in layout.lookups:
        row = [0] * p.L_COLUMNS
        row[p.L_TABLE], row[p.L_STORES] = tables.index(layout.tables[store]), int(store == by)
        row[p.L_PARTS] = len(by)
        for i, column in enumerate(by):
            row[p.L_PART + i] = list(keys).index(column)
        for group in layout.tables[store].groups:
            kinds = ACCOUNT_EVENTS if group.key[1] == p.ANY_KIND else ()
            row[p.L_KINDS] |= sum(1 << KIND_CODE[kind] for kind in kinds)
            if group.key[1] != p.ANY_KIND:
                row[p.L_KINDS] |= 1 << group.key[1]
        rows.append(row)
    return rows


def _input(layout: Layout, name: str, out: int, keys: Sequence[str]) -> list[int]:
    if name in keys:
        return [1, list(keys).index(name), out]
    return [0, layout.value_column(name), out]


def _history(spec: Spec, layout: Layout, columns: int, keys: Sequence[str]) -> dict[str, p.Ints]:
    kept = layout.history
    if kept is None:
        none = np.zeros(0, dtype=np.int64)
        return {"histories": _ints([], p.H_COLUMNS), "gap_edges": none, "amount_edges": none}
    row = [0] * p.H_COLUMNS
    row[p.H_LOOKUP] = layout.lookup((kept.by,), (kept.by,))
    row[p.H_LENGTH], row[p.H_ROW], row[p.H_OUT], row[p.H_KINDS] = (
        kept.length,
        layout.history_cell,
        columns,
        len(kept.kind),
    )
    for i, column in enumerate(kept.kind):
        row[p.H_KIND + i] = list(keys).index(column)
    return {
        "histories": _ints([row], p.H_COLUMNS),
        "gap_edges": gap_edges(),
        "amount_edges": amount_edges(spec.minor_units),
    }


def _scale(spec: Spec, feature: Feature) -> float:
    in_money = ("sum", "mean", "max", "min", "std", "last", "decayed_sum", "decayed_mean")
    return float(spec.minor_units) if feature.column == "amount" and feature.statistic in in_money else 1.0


def _reading(
    layout: Layout, feature: Feature, group: Group, lookup: int, place: int, out: int, first_keep: Sequence[int]
) -> list[int]:
    """Where the step finds one feature's numbers in the entity's row."""
    row = [0] * p.F_COLUMNS
    statistic, column = feature.statistic, feature.column
    row[p.F_OP] = _reading_code(statistic, column)
    row[p.F_LOOKUP], row[p.F_OUT], row[p.F_GROUP] = lookup, out, place
    window = p.NOTHING
    if feature.span is not None and row[p.F_OP] < p.R_SINCE:
        window = group.spans.index(microseconds(feature.span))
    if row[p.F_OP] <= p.R_DEVIATION or statistic == "share":
        counted = layout.counted(feature)
        kinds = (p.SUM_COUNT,) if statistic == "share" else sums_of(statistic, column)
        if p.SUM_COUNT in kinds:
            row[p.F_COUNT], row[p.F_COUNT_TAIL] = _total(group, window, p.SUM_COUNT, counted)
        if statistic not in ("count", "share"):
            kind, value = sums_of("sum", column)[0], layout.value_column(column)
            row[p.F_SUM], row[p.F_SUM_TAIL] = _total(group, window, kind, value)
            row[p.F_VALUE], row[p.F_MINOR] = value, int(kind == p.SUM_MINOR)
        if p.SUM_SQUARE in kinds:
            row[p.F_SQUARE], row[p.F_SQUARE_TAIL] = _total(group, window, p.SUM_SQUARE, layout.value_column(column))
    if column == "fraud":
        row[p.F_ROW] = group.fraud_cell if statistic == "since" else group.fraud_count_cell(window)
    elif statistic == "distinct":
        row[p.F_ROW] = group.different_cell(window) + group.different.index(column)
    elif statistic in ("max", "min"):
        value = group.values.index(layout.value_column(column))
        extreme = group.extremes.index((window, value, 1 if statistic == "max" else -1))
        row[p.F_ROW], row[p.F_NODE] = group.extreme_cell(extreme), group.node_cells()["raw"] + value
    elif row[p.F_OP] >= p.R_SINCE:
        kept = layout.keep_of(feature, group)
        row[p.F_ROW] = group.keep_cell[group.keeps.index(kept)]
        if statistic in ("distance", "speed"):
            row[p.F_VALUE] = layout.value_column(p.LATITUDE)
            row[p.F_NODE] = layout.value_column(p.LONGITUDE)
        elif statistic in p.READINGS[p.R_DECAYED_COUNT :]:
            row[p.F_VALUE] = first_keep[group.number] + group.keeps.index(kept)
    return row


def _reading_code(statistic: str, column: str) -> int:
    if column == "fraud" and statistic == "count":
        return p.R_FRAUDS
    return p.READINGS.index("extreme" if statistic in ("max", "min") else statistic)


def _total(group: Group, window: int, kind: int, column: int) -> tuple[int, int]:
    cell = group.sum_cell(kind, column)
    return group.total + cell, group.window_cell[window] + p.TAIL_TOTAL + cell


def _ints(rows: Rows, columns: int) -> p.Ints:
    return np.array(rows, dtype=np.int64).reshape(len(rows), columns)
