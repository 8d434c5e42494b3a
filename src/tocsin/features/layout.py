"""A spec's statistics → what to keep: tables of entities, rings of events, windows, and where every number lies.

Statistics that remember the same events under the same entity with the same delay share one *group*: one chain of
events, and one tail pointer a span for count, sum, mean and std alike. Novelty and age need no chain: they are rows
of the combined entity (account and device), which is a table like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np

from tocsin.errors import BadSpec
from tocsin.features import program as p
from tocsin.schema import ACCOUNT_EVENTS, KIND_CODE, Kind
from tocsin.spec import CALENDAR, DECAYED, Condition, Feature, History

FRAUD_MEMORY = timedelta(days=90)
"""How long a payment waits for its label when only ``since of fraud`` asks for it."""

_SUMS = {
    "count": (),
    "sum": ("sum",),
    "mean": ("count", "sum"),
    "std": ("count", "sum", "square"),
    "ratio": ("count", "sum"),
    "deviation": ("count", "sum", "square"),
}
_CELLS = {p.SUM_COUNT: 1, p.SUM_MINOR: 1, p.SUM_FLOAT: 2, p.SUM_SQUARE: 2}
_KEEP_CELLS = {p.KEEP_NEWEST: 1, p.KEEP_LAST: 1, p.KEEP_FIRST: 1, p.KEEP_PLACE: 3, p.KEEP_DECAYED: 3}

GroupKey = tuple[tuple[str, ...], int, tuple[Condition, ...], timedelta]
Keep = tuple[int, int, int, float]


def microseconds(span: timedelta) -> int:
    """A span as whole microseconds."""
    return span // timedelta(microseconds=1)


@dataclass(slots=True)
class Group:
    """Events of one source and condition, remembered under one entity with one delay."""

    key: GroupKey
    number: int
    sums: list[tuple[int, int]] = field(default_factory=list)
    spans: list[int] = field(default_factory=list)
    values: list[int] = field(default_factory=list)
    extremes: list[tuple[int, int, int]] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    keeps: list[Keep] = field(default_factory=list)
    frauds: bool = False
    newest_fraud: bool = False
    # Filled when everything is known: where in the entity's row.
    head: int = p.NOTHING
    lead: int = p.NOTHING
    total: int = p.NOTHING
    totals: int = 0
    fraud_cell: int = p.NOTHING
    keep_cell: list[int] = field(default_factory=list)
    window_cell: list[int] = field(default_factory=list)

    @property
    def delay(self) -> int:
        return microseconds(self.key[3])

    @property
    def ring(self) -> bool:
        return bool(self.spans) or self.delay > 0 or self.newest_fraud

    @property
    def reach(self) -> int:
        longest = max(self.spans, default=0)
        if self.newest_fraud:
            longest = max(longest, microseconds(FRAUD_MEMORY))
        return self.delay + longest

    @property
    def plain(self) -> bool:
        """Whether a window is nothing but totals: no delay, no labels, no extremes, no different values."""
        return self.ring and not (self.delay or self.frauds or self.extremes or self.different)

    @property
    def raw(self) -> bool:
        """Whether nodes carry the values themselves, and not only the totals before them."""
        return bool(self.values) and (self.delay > 0 or bool(self.extremes))

    def value(self, column: int) -> int:
        """The place of a value column among this group's values."""
        if column not in self.values:
            self.values.append(column)
        return self.values.index(column)

    def add_sum(self, kind: int, column: int) -> None:
        value = p.NOTHING if column == p.NOTHING else self.value(column)
        if (kind, value) not in self.sums:
            self.sums.append((kind, value))

    def sum_cell(self, kind: int, column: int) -> int:
        """Where a total begins, counted from the first of the group's totals."""
        value = p.NOTHING if column == p.NOTHING else self.values.index(column)
        before = self.sums[: self.sums.index((kind, value))]
        return sum(_CELLS[k] for k, _ in before)

    def node_cells(self) -> dict[str, int]:
        """Where the parts of a node lie; ``width`` is its size in cells, 0 when the group keeps no events."""
        at = p.NODE_HEADER
        cells = {"number": p.NOTHING}
        if self.frauds:
            cells["number"], at = at, at + 1
        cells["total"], at = at, at + self.totals
        cells["raw"] = p.NOTHING
        if self.raw:
            cells["raw"], at = at, at + len(self.values)
        cells["different"], at = at, at + 2 * len(self.different)
        cells["extreme"], at = at, at + 2 * len(self.extremes)
        cells["width"] = at if self.ring else 0
        return cells

    def lay_out(self, at: int) -> int:
        """Take the group's cells of the entity's row from ``at`` on; return the first free one."""
        if self.ring:
            self.head, at = at, at + 1
            if self.delay:
                self.lead, at = at, at + 1
        self.totals = sum(_CELLS[kind] for kind, _ in self.sums)
        self.total, at = at, at + self.totals
        if self.newest_fraud:
            self.fraud_cell, at = at, at + 1
        for keep in self.keeps:
            self.keep_cell.append(at)
            at += _KEEP_CELLS[keep[0]]
        for window in range(len(self.spans)):
            self.window_cell.append(at)
            at += p.TAIL_TOTAL + self.totals + int(self.frauds) + len(self.different)
            at += 2 * sum(1 for w, _, _ in self.extremes if w == window)
        return at

    def fraud_count_cell(self, window: int) -> int:
        return self.window_cell[window] + p.TAIL_TOTAL + self.totals

    def different_cell(self, window: int) -> int:
        return self.fraud_count_cell(window) + int(self.frauds)

    def extreme_cell(self, extreme: int) -> int:
        window = self.extremes[extreme][0]
        earlier = sum(1 for w, _, _ in self.extremes[:extreme] if w == window)
        return self.different_cell(window) + len(self.different) + 2 * earlier

    def extremes_of(self, window: int) -> list[int]:
        return [e for e, (w, _, _) in enumerate(self.extremes) if w == window]


@dataclass(slots=True)
class Table:
    """The entities of one kind (card, or account and device), each with one row of cells."""

    store: tuple[str, ...]
    groups: list[Group] = field(default_factory=list)
    width: int = p.HEADER
    pair_cell: dict[tuple[int, str], int] = field(default_factory=dict)


@dataclass(slots=True)
class Layout:
    """Everything a spec needs kept. ``values`` are the numbers an event carries, ``keys`` its entity columns."""

    numbers: tuple[str, ...]
    tables: dict[tuple[str, ...], Table] = field(default_factory=dict)
    groups: dict[GroupKey, Group] = field(default_factory=dict)
    lookups: list[tuple[tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    of_feature: list[tuple[Feature, Group, int]] = field(default_factory=list)
    history: History | None = None
    history_cell: int = p.NOTHING

    def value_column(self, name: str) -> int:
        """The place of a number, of the amount or of a calendar column among an event's values."""
        if name == "amount":
            return p.AMOUNT
        if name in CALENDAR:
            return p.HOUR + CALENDAR.index(name)
        return p.FIRST_NUMBER + self.numbers.index(name)

    def lookup(self, store: tuple[str, ...], by: tuple[str, ...]) -> int:
        """The number of "this table, by these columns"; a table's storing lookup is there as soon as the table is."""
        if len(store) > p.MOST_PARTS:
            raise BadSpec(
                f"an entity may have up to {p.MOST_PARTS} parts; got {'+'.join(store)}.",
                field="features",
                hint="Leave one out, or make one column of two in the data.",
            )
        if store not in self.tables:
            self.tables[store] = Table(store)
            self.lookups.append((store, store))
        if (store, by) not in self.lookups:
            self.lookups.append((store, by))
        return self.lookups.index((store, by))

    def group(self, feature: Feature, store: tuple[str, ...]) -> Group:
        key = (store, _source(feature), feature.where, feature.delay)
        if key not in self.groups:
            self.groups[key] = Group(key, len(self.groups))
            self.tables[store].groups.append(self.groups[key])
        return self.groups[key]

    def add_window(self, feature: Feature) -> None:
        """Make room for one feature's chain and window; windows are told first, so that they can be put in order."""
        store, by = _entity(feature)
        lookup = self.lookup(store, by)
        group = self.group(feature, store)
        self.of_feature.append((feature, group, lookup))
        if feature.span is not None and feature.statistic not in DECAYED:
            span = microseconds(_span(feature))
            # Shortest first: the longest window lets go of a node for good, so it must be the last to move on.
            group.spans = sorted({*group.spans, span})

    def add(self, feature: Feature, group: Group) -> None:
        """Make room for what one feature needs in its chain, sharing what another already keeps."""
        store = feature.store
        if feature.statistic == "distinct":
            self.lookup((*store, feature.column), (*store, feature.column))
            if feature.column not in group.different:
                group.different.append(feature.column)
        self._keep(feature, group)

    def _keep(self, feature: Feature, group: Group) -> None:
        statistic, column = feature.statistic, feature.column
        if column == "fraud":
            group.frauds = True
            group.newest_fraud = group.newest_fraud or statistic == "since"
            if statistic == "share":
                group.add_sum(p.SUM_COUNT, p.NOTHING)
        elif statistic in _SUMS:
            for kind in sums_of(statistic, column):
                group.add_sum(kind, self.counted(feature) if kind == p.SUM_COUNT else self.value_column(column))
        elif statistic in ("max", "min"):
            entry = (group.spans.index(microseconds(_span(feature))), *self._extreme(feature, group))
            if entry not in group.extremes:
                group.extremes.append(entry)
        elif statistic != "distinct":
            keep = self.keep_of(feature, group)
            if keep not in group.keeps:
                group.keeps.append(keep)

    def _extreme(self, feature: Feature, group: Group) -> tuple[int, int]:
        return group.value(self.value_column(feature.column)), 1 if feature.statistic == "max" else -1

    def counted(self, feature: Feature) -> int:
        """Which value must be there for an event to count; every payment has an amount and a time."""
        if feature.column in ("amount", "fraud", *CALENDAR) or counts_kind(feature):
            return p.NOTHING
        return self.value_column(feature.column)

    def keep_of(self, feature: Feature, group: Group) -> Keep:
        """What to keep for a statistic without a window: kind, value, second value, half-lives a microsecond."""
        statistic, column = feature.statistic, feature.column
        if statistic == "since":
            wanted = self.counted(feature)
            return p.KEEP_NEWEST, p.NOTHING if wanted == p.NOTHING else group.value(wanted), p.NOTHING, 0.0
        if statistic in ("novelty", "age"):
            return p.KEEP_FIRST, p.NOTHING, p.NOTHING, 0.0
        if statistic in ("distance", "speed"):
            if not {p.LATITUDE, p.LONGITUDE} <= set(self.numbers):
                raise BadSpec(
                    f"`{feature.line}` needs the columns latitude and longitude, which [columns] does not have.",
                    field="features",
                    hint="Add both, or leave the line out.",
                )
            latitude = group.value(self.value_column(p.LATITUDE))
            return p.KEEP_PLACE, latitude, group.value(self.value_column(p.LONGITUDE)), 0.0
        value = group.value(self.value_column(column))
        if statistic == "last":
            return p.KEEP_LAST, value, p.NOTHING, 0.0
        return p.KEEP_DECAYED, value, p.NOTHING, 1.0 / microseconds(_span(feature))

    def finish(self) -> None:
        """Give every group its cells, now that everything is known."""
        for table in self.tables.values():
            for group in table.groups:
                table.width = group.lay_out(table.width)
        for group in self.groups.values():
            for column in group.different:
                pairs = self.tables[(*group.key[0], column)]
                pairs.pair_cell[group.number, column] = pairs.width
                pairs.width += 1
        if self.history is not None:
            table = self.tables[(self.history.by,)]
            self.history_cell = table.width
            table.width += p.HISTORY_TOKENS + (self.history.length + 1) // 2

    def template(self, table: Table) -> p.Ints:
        """The row of an entity of which nothing is known: int64[width]."""
        row = np.zeros(table.width, dtype=np.int64)
        row[p.CLOCK] = row[p.TOUCHED] = p.NEVER
        floats = row.view(np.float64)
        for group in table.groups:
            if group.newest_fraud:
                row[group.fraud_cell] = p.NEVER
            for keep, cell in zip(group.keeps, group.keep_cell, strict=True):
                if keep[0] in (p.KEEP_NEWEST, p.KEEP_FIRST):
                    row[cell] = p.NEVER
                elif keep[0] == p.KEEP_LAST:
                    floats[cell] = np.nan
                elif keep[0] == p.KEEP_PLACE:
                    floats[cell : cell + 2] = np.nan
                    row[cell + 2] = p.NEVER
        if self.history is not None and table.store == (self.history.by,):
            row[self.history_cell + p.HISTORY_NEWEST] = p.NEVER
        return row


def sums_of(statistic: str, column: str) -> tuple[int, ...]:
    """The totals a windowed statistic of a column is made of."""
    kinds = {
        "count": p.SUM_COUNT,
        "sum": p.SUM_MINOR if column == "amount" else p.SUM_FLOAT,
        "square": p.SUM_SQUARE,
    }
    return tuple(kinds[part] for part in (("count",) if statistic == "count" else _SUMS[statistic]))


def counts_kind(feature: Feature) -> bool:
    """Whether a feature counts account events of one kind; of a credit score one may also take the mean, as a number."""
    return feature.column in ACCOUNT_EVENTS and feature.statistic in ("count", "since")


def _span(feature: Feature) -> timedelta:
    if not feature.span:
        raise BadSpec(f"`{feature.line}` needs a span longer than nothing.", field="features")
    return feature.span


def _entity(feature: Feature) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Under which columns a feature's events are kept, and by which they are looked up."""
    if feature.statistic in ("novelty", "age"):
        return (*feature.store, feature.column), (*feature.by, feature.column)
    return feature.store, feature.by


def _source(feature: Feature) -> int:
    """Which events a feature remembers: payments, one kind of account event, or (for ``last``) whatever carries it."""
    if feature.statistic == "last":
        return p.ANY_KIND
    return KIND_CODE[Kind(feature.column)] if counts_kind(feature) else KIND_CODE[Kind.PAYMENT]


def lay_out(features: Sequence[Feature], numbers: tuple[str, ...], history: History | None = None) -> Layout:
    """What a spec's features, and the last payments of an entity, need kept.

    Raises
    ------
    BadSpec : a line asks for what an event does not carry.
    """
    layout = Layout(numbers, history=history)
    for feature in features:
        layout.add_window(feature)
    if history is not None:
        layout.lookup((history.by,), (history.by,))
    for feature, group, _ in layout.of_feature:
        layout.add(feature, group)
    layout.finish()
    return layout
