"""One small file describes a data set, and training, backtest and serving all read it.

It says which columns are which words of :mod:`tocsin.schema`, how to read times, money and labels, and for each stage
of the model its raw columns and its profile features, one a line (:mod:`tocsin.grammar`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tocsin.errors import BadSpec
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
class Spec:
    """A data set in words; :func:`load` reads one from TOML.

    ``columns`` maps a word (``at``, ``amount``, ``card``...) to the file's column; ``extra_numbers`` and
    ``extra_keys`` map further names of the owner's to columns. ``text`` is the file as read, shipped with a model.
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
            raise BadSpec(f"a spec must be a TOML file; there is none at {path}.", hint=_known())
        return parse(path.read_text(encoding="utf-8"), name=path.stem)
    resource = files("tocsin") / "specs" / f"{name}.toml"
    if not resource.is_file():
        raise BadSpec(f"no ready spec is called {str(name)!r}.", hint=_known())
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
    known = {"name", "about", "columns", "time", "money", "label", "join", "stage", "memory"}
    _only(tables, known, "the spec")
    columns, numbers, keys = _read_columns(_table(tables, "columns"))
    money = _table(tables, "money")
    _only(money, {"currency", "unit"}, "[money]")
    currency = str(money.get("currency", "EUR"))
    exponent_of(currency)
    unit = money.get("unit", "major")
    if unit not in ("major", "minor"):
        raise BadSpec(f'must be "major" (euros) or "minor" (cents); got {unit!r}.', field="money.unit")
    memory = _table(tables, "memory")
    _only(memory, {"idle", "ceiling_mb"}, "[memory]")
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
        joins=tuple(_read_join(j) for j in tables.get("join", [])),
        stages=_read_stages(tables.get("stage", []), columns, numbers, keys),
        idle_expiry=parse_span(str(memory.get("idle", "400d"))),
        memory_ceiling_mb=int(memory.get("ceiling_mb", 4096)),
        text=text,
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


def _read_columns(table: dict[str, Any]) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    numbers = _extra(table.pop("numbers", {}), "numbers")
    keys = _extra(table.pop("keys", {}), "keys")
    _only(table, set(_ROLES), "[columns]")
    taken = set(_ROLES) | set(CALENDAR) | {"fraud", "place"} | set(ACCOUNT_EVENTS)
    for name in (*numbers, *keys):
        if name in taken:
            raise BadSpec(f"{name!r} is a word of its own and cannot name an extra column.", field="columns")
    return {role: str(column) for role, column in table.items()}, numbers, keys


def _extra(value: Any, what: str) -> dict[str, str]:
    """Either a list of columns that keep their names or a table name = column."""
    if isinstance(value, list):
        return {str(v): str(v) for v in value}
    if isinstance(value, dict):
        return {str(k): str(v) for k, v in value.items()}
    raise BadSpec(f"must be a list of columns or a table NAME = COLUMN; got {value!r}.", field=f"columns.{what}")


def _read_time(table: dict[str, Any]) -> TimeReading:
    _only(table, {"zone", "epoch", "unit", "format"}, "[time]")
    zone = str(table.get("zone", "UTC"))
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise BadSpec(f"must be an IANA zone such as Europe/Paris; got {zone!r}.", field="time.zone") from error
    epoch = table.get("epoch")
    if isinstance(epoch, str):
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
    unit = table.get("unit", "1s")
    small = {"1ms": timedelta(milliseconds=1), "1us": timedelta(microseconds=1)}
    return TimeReading(
        zone,
        epoch,
        small[unit] if unit in small else parse_span(str(unit)),
        written,
        "zone" in table,
    )


def _read_label(table: dict[str, Any]) -> LabelReading:
    _only(table, {"level", "fraud", "genuine", "unknown", "known_after"}, "[label]")
    level = table.get("level", "payment")
    if level not in ("payment", "account"):
        raise BadSpec(f'must be "payment" or "account"; got {level!r}.', field="label.level")

    def values(key: str, default: list[object]) -> tuple[str, ...]:
        return tuple(str(v) for v in table.get(key, default))

    return LabelReading(
        level,
        values("fraud", [1]),
        values("genuine", [0]),
        values("unknown", []),
        parse_span(str(table.get("known_after", "0s"))),
    )


def _read_join(table: Any) -> Join:
    if not isinstance(table, dict) or not {"file", "left", "right"} <= table.keys():
        raise BadSpec("must have the keys file, left and right (and may have replace).", field="join")
    _only(table, {"file", "left", "right", "replace"}, "[[join]]")
    return Join(str(table["file"]), str(table["left"]), str(table["right"]), str(table.get("replace", "")))


def _read_stages(
    tables: Any, columns: dict[str, str], numbers: dict[str, str], keys: dict[str, str]
) -> tuple[Stage, ...]:
    entities = {e for e in (*ENTITIES, "social_event") if e in columns} | set(keys)
    plain = {"amount", *CALENDAR, *numbers, *(n for n in NUMBERS if n in columns)}
    stages: list[Stage] = []
    named: dict[str, str] = {}
    for table in tables:
        _only(table, {"name", "columns", "features"}, "[[stage]]")
        stage_name = str(table.get("name", f"stage {len(stages) + 1}"))
        raw = tuple(str(c) for c in table.get("columns", []))
        for column in raw:
            if column not in plain | entities:
                raise BadSpec(
                    f"stage {stage_name!r} names the column {column!r}, which [columns] does not have.",
                    field="stage.columns",
                    hint=f"Known: {', '.join(sorted(plain | entities))}.",
                )
        features = tuple(f for line in table.get("features", []) for f in parse_feature(str(line)))
        for feature in features:
            _check_feature(feature, entities, plain, set(named))
            if feature.name in named:
                raise BadSpec(
                    f"the feature {feature.name!r} is there twice.",
                    field="features",
                    hint="Name one: `x = ...`.",
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
                hint=f"Known: {', '.join(sorted(entities))}.",
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
            hint=f"Possible here: {', '.join(sorted(allowed))}.",
        )
    for condition in feature.where:
        if condition.name not in plain | named:
            raise BadSpec(
                f"`{feature.line}` asks for {condition.name!r}, which is neither a number nor a feature named above.",
                field="features",
            )


def _table(tables: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = tables.get(key, {})
    if not isinstance(value, dict):
        raise BadSpec(f"must be a table, written as [{key}]; got {value!r}.", field=key)
    return dict(value)


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise BadSpec(f"{where} has no key {unknown[0]!r}.", hint=f"Known keys: {', '.join(sorted(known))}.")


def _known() -> str:
    return f"Ready ones: {', '.join(ready()) or 'none'}."
