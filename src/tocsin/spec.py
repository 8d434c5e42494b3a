"""One small file describes a data set, and training, backtest and serving all read it.

It says which columns are which words of :mod:`tocsin.schema`, how to read times, money and labels, and for each stage
of the model its raw columns and its profile features, one a line (:mod:`tocsin.grammar`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.errors import BadInput, BadSpec, did_you_mean
from tocsin.grammar import (
    CALENDAR,
    DECAYED,
    SPANNED,
    STATISTICS,
    UNSPANNED,
    Condition,
    Feature,
    Operator,
    parse_feature,
    parse_span,
    say_span,
)
from tocsin.schema import ACCOUNT_EVENTS, ENTITIES, NUMBERS, exponent_of

__all__ = [
    "CALENDAR",
    "DECAYED",
    "SPANNED",
    "STATISTICS",
    "UNSPANNED",
    "Condition",
    "Feature",
    "History",
    "Join",
    "LabelReading",
    "Operator",
    "Spec",
    "Stage",
    "TimeReading",
    "load",
    "parse",
    "parse_feature",
    "parse_span",
    "ready",
    "say_span",
]

_ROLES = (
    "id",
    "at",
    "kind",
    "amount",
    "currency",
    *ENTITIES,
    *NUMBERS,
    "social_event",
    "label",
    "known_at",
    "weight",
)

LONGEST_HISTORY = 64
"""Most payments of one entity that ``[history]`` may keep."""
MOST_KINDS = 4
"""Most columns that may say, one in place of another, of what kind a payment is."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the model: a kind of data, its raw columns and its profile features, in order."""

    name: str
    columns: tuple[str, ...]
    features: tuple[Feature, ...]


@dataclass(frozen=True, slots=True)
class TimeReading:
    """How a time column is read: an epoch and a unit for numbers, a zone for naive texts and for calendar columns.

    ``zone_given`` is whether the spec says the zone; without it, a naive time is a bad row. ``format`` is for texts that
    are not ISO 8601, in the letters of ``strptime``.
    """

    zone: str = "UTC"
    epoch: datetime | None = None
    unit: timedelta = timedelta(seconds=1)
    format: str | None = None
    zone_given: bool = False


@dataclass(frozen=True, slots=True)
class LabelReading:
    """What each value of the label column means, whom it is about, and how long it takes to become known."""

    level: Literal["payment", "account"] = "payment"
    fraud: tuple[str, ...] = ("1",)
    genuine: tuple[str, ...] = ("0",)
    unknown: tuple[str, ...] = ()
    known_after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Join:
    """Columns of a second file (beside the first) that belong to each row: ``left`` of the first equals ``right``.

    With ``replace``, the second file's name is the first one's with ``replace`` turned into ``file``.
    """

    file: str
    left: str
    right: str
    replace: str = ""


@dataclass(frozen=True, slots=True)
class History:
    """Whose last payments are kept one by one, as a network reads them: ``length`` of each value of ``by``.

    ``kind`` are the columns that say what kind of payment it was; the first that is there counts.
    """

    by: str
    kind: tuple[str, ...] = ()
    length: int = 32


@dataclass(frozen=True, slots=True)
class Spec:
    """A data set in words; :func:`load` reads one from TOML.

    ``columns`` maps a word (``at``, ``amount``, ``card``...) to the file's column; ``extra_numbers`` and
    ``extra_keys`` map further names of the owner's to columns. ``text`` is the file as read, shipped with a model.
    ``decimal`` is the mark before the fraction where numbers are written as texts.
    """

    name: str
    about: str
    columns: Mapping[str, str]
    extra_numbers: Mapping[str, str]
    extra_keys: Mapping[str, str]
    time: TimeReading
    currency: str
    amount_unit: Literal["major", "minor"]
    label: LabelReading
    joins: tuple[Join, ...]
    stages: tuple[Stage, ...]
    idle_expiry: timedelta
    memory_ceiling_mb: int
    text: str = field(repr=False)
    decimal: Literal[".", ","] = "."
    history: History | None = None

    @property
    def features(self) -> tuple[Feature, ...]:
        """Every profile feature, in the order of the stages."""
        return tuple(feature for stage in self.stages for feature in stage.features)

    @property
    def number_names(self) -> tuple[str, ...]:
        """The numbers an event of this data set may carry besides its amount."""
        return tuple(n for n in NUMBERS if n in self.columns) + tuple(self.extra_numbers)

    @property
    def key_names(self) -> tuple[str, ...]:
        """The entities and categories an event of this data set may carry."""
        return tuple(n for n in (*ENTITIES, "social_event") if n in self.columns) + tuple(self.extra_keys)

    @property
    def minor_units(self) -> int:
        """How many minor units one unit of the base currency has (100 for EUR)."""
        return int(10 ** exponent_of(self.currency))


def load(name: str | Path) -> Spec:
    """Read a spec from a path, or one of the ready ones by its name (:func:`ready`).

    Raises
    ------
    BadSpec : says which table, key or line is wrong, what was expected and what would be right.
    """
    path = Path(name)
    if path.suffix == ".toml":
        if not path.is_file():
            raise BadSpec(
                f"a spec must be a TOML file; there is none at {path}.", hint=f"Ready ones: {', '.join(ready())}."
            )
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadSpec(f"a spec must be readable text in UTF-8; {path} is not: {error}.") from error
        return parse(text, name=path.stem)
    resource = files("tocsin") / "specs" / f"{name}.toml"
    if not resource.is_file():
        raise BadSpec(
            f"no ready spec is called {str(name)!r}.",
            hint=f"{did_you_mean(str(name), ready())} A spec of your own is a path that ends in .toml.",
        )
    return parse(resource.read_text(encoding="utf-8"), name=str(name))


def ready() -> tuple[str, ...]:
    """The names of the specs that ship with Tocsin."""
    folder = files("tocsin") / "specs"
    return tuple(sorted(p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")))


def parse(text: str, *, name: str = "spec") -> Spec:
    """Read a spec from TOML text. Raises as :func:`load`."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSpec(f"a spec must be TOML: {error}.") from error
    known = {"name", "about", "columns", "time", "money", "label", "join", "stage", "history", "memory"}
    _only(tables, known, "the spec")
    columns, numbers, keys = _read_columns(_table(tables, "columns"))
    currency, unit, decimal = _read_money(_table(tables, "money"))
    idle, ceiling = _read_memory(_table(tables, "memory"))
    spec = Spec(
        name=str(tables.get("name", name)),
        about=str(tables.get("about", "")),
        columns=columns,
        extra_numbers=numbers,
        extra_keys=keys,
        time=_read_time(_table(tables, "time")),
        currency=currency,
        amount_unit=unit,
        label=_read_label(_table(tables, "label")),
        joins=tuple(_read_join(j) for j in _tables(tables, "join")),
        stages=_read_stages(_tables(tables, "stage"), columns, numbers, keys),
        idle_expiry=idle,
        memory_ceiling_mb=ceiling,
        text=text,
        decimal=decimal,
        history=_read_history(_table(tables, "history"), columns, keys) if "history" in tables else None,
    )
    for role in ("at", "amount"):
        if role not in columns:
            raise BadSpec(
                f"a data set must have a column for {role!r}; [columns] has {', '.join(columns) or 'none'}.",
                field="columns",
                hint=f'Add a line such as {role} = "YOUR_COLUMN".',
            )
    if spec.label.level == "account" and "account" not in columns:
        raise BadSpec('labels of level "account" need a column for account; [columns] has none.', field="label.level")
    return spec


def _read_money(table: dict[str, Any]) -> tuple[str, Literal["major", "minor"], Literal[".", ","]]:
    _only(table, {"currency", "unit", "decimal"}, "[money]")
    currency, unit, decimal = table.get("currency", "EUR"), table.get("unit", "major"), table.get("decimal", ".")
    try:
        exponent_of(str(currency))
    except BadInput as error:
        raise BadSpec(error.message, field="money.currency", hint=error.hint) from error
    if unit not in ("major", "minor"):
        raise BadSpec(f'must be "major" (euros) or "minor" (cents); got {unit!r}.', field="money.unit")
    if decimal not in (".", ","):
        raise BadSpec(f'must be "." (1234.56) or "," (1.234,56); got {decimal!r}.', field="money.decimal")
    return str(currency), unit, decimal


def _read_memory(table: dict[str, Any]) -> tuple[timedelta, int]:
    _only(table, {"idle", "ceiling_mb"}, "[memory]")
    ceiling = table.get("ceiling_mb", 4096)
    if not isinstance(ceiling, int) or isinstance(ceiling, bool) or ceiling < 1:
        raise BadSpec(f"must be a whole number of megabytes above 0; got {ceiling!r}.", field="memory.ceiling_mb")
    return _span(table, "idle", "400d", "memory"), ceiling


def _read_columns(table: dict[str, Any]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    numbers = _extra(table.pop("numbers", {}), "numbers")
    keys = _extra(table.pop("keys", {}), "keys")
    _only(table, set(_ROLES), "[columns]")
    taken = set(_ROLES) | set(CALENDAR) | {"fraud", "place"} | set(ACCOUNT_EVENTS)
    for name in (*numbers, *keys):
        if name in taken:
            raise BadSpec(f"{name!r} is a word of its own and cannot name an extra column.", field="columns")
    for role, column in table.items():
        if not isinstance(column, str) or not column:
            raise BadSpec(f"must be the name of a column; got {column!r}.", field=f"columns.{role}")
    return dict(table), numbers, keys


def _extra(value: Any, what: str) -> dict[str, str]:
    """Either a list of columns that keep their names or a table name = column."""
    named = {v: v for v in value if isinstance(v, str)} if isinstance(value, list) else value
    if isinstance(named, dict) and len(named) == len(value) and all(isinstance(v, str) and v for v in named.values()):
        return dict(named)
    raise BadSpec(f"must be a list of columns or a table NAME = COLUMN; got {value!r}.", field=f"columns.{what}")


def _read_time(table: dict[str, Any]) -> TimeReading:
    _only(table, {"zone", "epoch", "unit", "format"}, "[time]")
    zone = table.get("zone", "UTC")
    try:
        ZoneInfo(str(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadSpec(f"must be an IANA zone such as Europe/Paris; got {zone!r}.", field="time.zone") from error
    epoch = table.get("epoch")
    if isinstance(epoch, str):
        with suppress(ValueError):
            epoch = datetime.fromisoformat(epoch)
    if isinstance(epoch, datetime):
        if epoch.tzinfo is None:
            raise BadSpec("must say its zone; got a time without one.", field="time.epoch")
        epoch = epoch.astimezone(UTC)
    elif epoch is not None:
        raise BadSpec(f"must be a time such as 2018-04-01T00:00:00Z; got {epoch!r}.", field="time.epoch")
    written = table.get("format")
    if written is not None and (not isinstance(written, str) or "%z" in written or "%f" in written):
        raise BadSpec(
            f"must be a text in the letters of strptime, without %z and %f; got {written!r}.",
            field="time.format",
            hint="Times with an offset or with fractions of a second need ISO 8601 and no format.",
        )
    small = {"1ms": timedelta(milliseconds=1), "1us": timedelta(microseconds=1)}
    unit = small.get(str(table.get("unit"))) or _span(table, "unit", "1s", "time")
    if not unit:
        raise BadSpec('must be longer than nothing, such as "1s", "1ms" or "1d".', field="time.unit")
    return TimeReading(str(zone), epoch, unit, written, "zone" in table)


def _read_label(table: dict[str, Any]) -> LabelReading:
    _only(table, {"level", "fraud", "genuine", "unknown", "known_after"}, "[label]")
    level = table.get("level", "payment")
    if level not in ("payment", "account"):
        raise BadSpec(f'must be "payment" or "account"; got {level!r}.', field="label.level")

    said = {
        key: _values(table.get(key, default)) for key, default in (("fraud", [1]), ("genuine", [0]), ("unknown", []))
    }
    every = [v for values in said.values() for v in values]
    twice = [v for v in every if every.count(v) > 1]
    if twice:
        raise BadSpec(f"each value must mean one thing; {twice[0]!r} stands twice.", field="label")
    return LabelReading(level, **said, known_after=_span(table, "known_after", "0s", "label"))


def _values(value: Any) -> tuple[str, ...]:
    """Values of the label column as the texts they are read as: 1 and 1.0 are ``1``."""
    values = value if isinstance(value, list) else [value]
    return tuple(str(int(v)) if isinstance(v, float) and v.is_integer() else str(v) for v in values)


def _read_join(table: Any) -> Join:
    if not isinstance(table, dict) or not {"file", "left", "right"} <= table.keys():
        raise BadSpec("must have the keys file, left and right (and may have replace).", field="join")
    _only(table, {"file", "left", "right", "replace"}, "[[join]]")
    return Join(str(table["file"]), str(table["left"]), str(table["right"]), str(table.get("replace", "")))


def _entities(columns: Mapping[str, str], keys: Mapping[str, str]) -> set[str]:
    return {e for e in (*ENTITIES, "social_event") if e in columns} | set(keys)


def _read_history(table: dict[str, Any], columns: Mapping[str, str], keys: Mapping[str, str]) -> History:
    _only(table, {"by", "kind", "length"}, "[history]")
    by, kind, length = table.get("by"), table.get("kind", []), table.get("length", 32)
    kinds = [kind] if isinstance(kind, str) else kind
    if not isinstance(by, str):
        raise BadSpec(f'must be the column whose payments are kept, such as "account"; got {by!r}.', field="history.by")
    if not isinstance(kinds, list) or len(kinds) > MOST_KINDS or not all(isinstance(k, str) for k in kinds):
        raise BadSpec(
            f"must be a column or a list of up to {MOST_KINDS} columns; got {kind!r}.",
            field="history.kind",
            hint="The first of them that a payment has says of what kind it is.",
        )
    for key, column in (("by", by), *(("kind", k) for k in kinds)):
        if column not in (there := sorted(_entities(columns, keys))):
            raise BadSpec(
                f"must be an entity or a category of [columns]; got {column!r}.",
                field=f"history.{key}",
                hint=did_you_mean(column, there),
            )
    if not isinstance(length, int) or isinstance(length, bool) or not 1 <= length <= LONGEST_HISTORY:
        raise BadSpec(
            f"must be a whole number of payments from 1 to {LONGEST_HISTORY}; got {length!r}.", field="history.length"
        )
    return History(by, tuple(kinds), length)


def _read_stages(
    tables: list[Any], columns: dict[str, str], numbers: dict[str, str], keys: dict[str, str]
) -> tuple[Stage, ...]:
    entities = _entities(columns, keys)
    plain = {"amount", *CALENDAR, *numbers, *(n for n in NUMBERS if n in columns)}
    stages: list[Stage] = []
    named: dict[str, str] = {}
    for table in tables:
        _only(table, {"name", "columns", "features"}, "[[stage]]")
        stage_name = str(table.get("name", f"stage {len(stages) + 1}"))
        raw = _texts(table, "columns")
        for column in raw:
            if any(column in stage.columns for stage in stages) or raw.count(column) > 1:
                raise BadSpec(
                    f"the column {column!r} must belong to one stage; it is there twice.", field="stage.columns"
                )
            if column not in plain | entities:
                raise BadSpec(
                    f"stage {stage_name!r} names the column {column!r}, which [columns] does not have.",
                    field="stage.columns",
                    hint=did_you_mean(column, sorted(plain | entities)),
                )
        features = tuple(f for line in _texts(table, "features") for f in parse_feature(line))
        for feature in features:
            _check_feature(feature, entities, plain, set(named))
            if feature.name in named or feature.name in plain | entities:
                raise BadSpec(
                    f"the name {feature.name!r} of `{feature.line}` is taken.",
                    field="features",
                    hint="Give it another: `x = ...`.",
                )
            named[feature.name] = stage_name
        stages.append(Stage(stage_name, raw, features))
    return tuple(stages)


def _check_feature(feature: Feature, entities: set[str], plain: set[str], named: set[str]) -> None:
    """What a line names must exist, and what it conditions on must be known before it."""
    for entity in (*feature.by, *feature.store):
        if entity not in entities:
            raise BadSpec(
                f"`{feature.line}` groups by {entity!r}, which [columns] does not have.",
                field="features",
                hint=did_you_mean(entity, sorted(entities)),
            )
    counted = set(ACCOUNT_EVENTS) | {"fraud"}
    allowed = {
        "distinct": entities,
        "novelty": entities,
        "age": entities,
        "distance": {"place"},
        "speed": {"place"},
        "share": {"fraud"},
        "count": plain | counted,
        "since": plain | counted,
    }.get(feature.statistic, plain)
    if feature.column not in allowed:
        raise BadSpec(
            f"`{feature.line}`: {feature.statistic} cannot be taken of {feature.column!r}.",
            field="features",
            hint=did_you_mean(feature.column, sorted(allowed)),
        )
    for condition in feature.where:
        if condition.name not in plain | named:
            raise BadSpec(
                f"`{feature.line}` asks for {condition.name!r}, which is neither a number nor a feature named above.",
                field="features",
                hint=did_you_mean(condition.name, sorted(plain | named)),
            )


def _table(tables: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = tables.get(key, {})
    if not isinstance(value, dict):
        raise BadSpec(f"must be a table, written as [{key}]; got {value!r}.", field=key)
    return dict(value)


def _tables(tables: Mapping[str, Any], key: str) -> list[Any]:
    value = tables.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
        raise BadSpec(f"must be a list of tables, each written as [[{key}]]; got {value!r}.", field=key)
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise BadSpec(f"must be a list of texts; got {value!r}.", field=f"stage.{key}")
    return tuple(value)


def _span(table: Mapping[str, Any], key: str, default: str, where: str) -> timedelta:
    try:
        return parse_span(str(table.get(key, default)))
    except BadSpec as error:
        raise BadSpec(error.message, field=f"{where}.{key}", hint=error.hint) from error


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise BadSpec(f"{where} has no key {unknown[0]!r}.", hint=did_you_mean(unknown[0], sorted(known)))
