"""The kernel against a reference that looks at every earlier event again, and against itself cut otherwise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.batch import Batch
from tocsin.features import Kernel, compile_plan
from tocsin.schema import ACCOUNT_EVENTS, KIND_CODE, KINDS, Kind
from tocsin.spec import CALENDAR, Feature, Spec, parse

SECOND = 1_000_000
START = 1_700_000_000 * SECOND
COLUMNS = """
[columns]
at = "at"
amount = "amount"
account = "account"
device = "device"
retailer = "retailer"
payee = "payee"
latitude = "lat"
longitude = "lon"
credit_score = "score"
numbers = ["balance"]
[time]
zone = "Europe/Paris"
[memory]
idle = "300s"
"""
LINES = (
    "count of amount by account over 10s, 60s",
    "sum of amount by account over 60s, 30s, 10s",
    "mean of amount by account over 30s, 60s",
    "std of amount by account over 60s",
    "big = deviation of amount by account over 100s",
    "ratio of amount by account+device over 60s",
    "count of amount by payee[account] over 60s",
    "sum of amount by payee[account] over 30s delayed 10s",
    "max of amount by account over 10s, 60s",
    "min of amount by device over 30s",
    "max of balance by account over 30s delayed 20s",
    "min of balance by retailer over 60s where amount > 5",
    "distinct of device by account over 60s, 10s",
    "max of amount by retailer over 60s, 20s",
    "distinct of retailer by account over 60s delayed 10s",
    "distinct of device by payee[account] over 60s",
    "share of fraud by retailer over 30s, 60s delayed 20s",
    "share of fraud by device over 60s",
    "count of fraud by account over 60s delayed 5s",
    "sum of balance by account over 30s, 60s",
    "mean of balance by device over 60s",
    "std of balance by account over 30s",
    "count of balance by account over 60s",
    "deviation of balance by account over 60s",
    "decayed_count of amount by account over 30s",
    "decayed_sum of amount by account over 30s",
    "decayed_mean of amount by device over 20s",
    "decayed_sum of balance by account over 30s delayed 15s",
    "since of amount by account",
    "since of balance by device",
    "since of amount by account delayed 20s",
    "novelty of device by account",
    "novelty of retailer by account delayed 30s",
    "novelty of account by payee[account]",
    "age of device by account",
    "distance of place by account",
    "speed of place by account",
    "last of credit_score by account",
    "last of amount by device",
    "mean of credit_score by account over 60s",
    "count of credit_score by account over 60s",
    "since of credit_score by account",
    "count of sign_in by account over 60s",
    "since of new_device by account",
    "count of sign_in by device over 30s",
    "often = count of amount by device over 60s",
    "count of amount by account over 60s where amount >= 10.5",
    "sum of amount by account over 60s where balance != 2",
    "count of amount by account over 60s where weekday < 7 and hour >= 0",
    "share of fraud by account over 60s where amount < 20",
)
CONDITIONED = (
    "count of amount by account over 60s where often > 1",
    "novelty of device by account where often <= 2",
    "distinct of retailer by account over 60s where often >= 1 and amount > 3",
)


def make_spec(lines: list[str], idle: str = "300s") -> Spec:
    text = COLUMNS.replace("300s", idle)
    text += (
        '[[stage]]\nname = "all"\ncolumns = ["amount", "hour", "weekday", "weekend", "night", "balance", "device"]\n'
    )
    return parse(text + "features = [\n" + ",\n".join(f'"{line}"' for line in lines) + "\n]\n")


@dataclass
class Entity:
    """What the reference knows of one entity: its clock, and for each group the events it remembers."""

    clock: int
    touched: int
    stored: dict[tuple, list[dict]] = field(default_factory=dict)


class Naive:
    """The rules of docs/features.md, written down as plainly as possible; every statistic looks at all events again."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.idle = spec.idle_expiry // timedelta(microseconds=1)
        self.entities: dict[tuple, Entity] = {}
        self.newest = -(10**18)
        self.late = 0
        self.queues: dict[tuple, list[dict]] = {}
        self.reach: dict[tuple, int] = {}
        self.tables: dict[tuple, set[int]] = {}
        for f in spec.features:
            group, reach = self.group(f), self.micro(f.delay)
            if f.span is not None and not f.statistic.startswith("decayed"):
                reach += self.micro(f.span)
            if f.statistic == "since" and f.column == "fraud":
                reach += self.micro(timedelta(days=90))
            self.reach[group] = max(self.reach.get(group, 0), reach)
            kinds = {group[1]} if group[1] is not None else {KIND_CODE[k] for k in ACCOUNT_EVENTS}
            self.tables.setdefault(self.store(f), set()).update(kinds)
        self.idle = max([self.idle, *self.reach.values()])

    @staticmethod
    def micro(span: timedelta) -> int:
        return span // timedelta(microseconds=1)

    @staticmethod
    def store(f: Feature) -> tuple:
        return (*f.store, f.column) if f.statistic in ("novelty", "age") else f.store

    @staticmethod
    def by(f: Feature) -> tuple:
        return (*f.by, f.column) if f.statistic in ("novelty", "age") else f.by

    def group(self, f: Feature) -> tuple:
        """Features that remember the same events share how long those are kept."""
        source: int | None = KIND_CODE[Kind.PAYMENT]
        if f.statistic == "last":
            source = None
        elif counts_kind(f):
            source = KIND_CODE[Kind(f.column)]
        return (self.store(f), source, f.where, f.delay)

    def key(self, columns: tuple, event: dict) -> tuple | None:
        parts = tuple(event[c] for c in columns)
        return None if 0 in parts else parts

    def touch(self, store: tuple, key: tuple | None, at: int, create: bool) -> Entity | None:
        if key is None:
            return None
        entity = self.entities.get((store, key))
        if entity is not None and self.newest - entity.touched >= self.idle:
            entity = None
        if entity is None:
            if not create:
                return None
            entity = self.entities[store, key] = Entity(at, self.newest)
        entity.clock, entity.touched = max(entity.clock, at), self.newest
        return entity

    def step(self, event: dict) -> list[float] | None:
        if event["kind"] == KIND_CODE[Kind.LABEL]:
            self.label(event)
            return None
        at, payment = event["at"], event["kind"] == KIND_CODE[Kind.PAYMENT]
        if at > self.newest:
            self.newest = at
            for group, queue in self.queues.items():
                while queue and queue[0]["time"] + self.reach[group] <= at:
                    queue.pop(0)["gone"] = True
        own = {}
        for store, kinds in self.tables.items():
            if payment or event["kind"] in kinds:
                own[store] = self.touch(store, self.key(store, event), at, True)
        row: list[float] = []
        late = any(e is not None and e.clock > at for e in own.values())
        if payment:
            seen = {}
            for f in self.spec.features:
                if self.by(f) != self.store(f):
                    found = self.touch(self.store(f), self.key(self.by(f), event), at, False)
                    seen[self.store(f), self.by(f)] = found
                    late = late or (found is not None and found.clock > at)
            event["features"] = {}
            for f in self.spec.features:
                entity = own[self.store(f)] if self.by(f) == self.store(f) else seen[self.store(f), self.by(f)]
                known = self.key(self.by(f), event) is not None
                event["features"][f.name] = self.feature(f, entity, event) if known else math.nan
            row = self.raw(event) + [event["features"][f.name] for f in self.spec.features]
        self.late += late
        for group in dict.fromkeys(self.group(f) for f in self.spec.features):
            store, source, where, _ = group
            if (source is not None and source != event["kind"]) or own.get(store) is None:
                continue
            if all(self.meets(c, event) for c in where):
                kept = {**event, "time": own[store].clock, "gone": False, "fraud": 0, "owner": own[store]}
                own[store].stored.setdefault(group, []).append(kept)
                if self.reach[group]:
                    self.queues.setdefault(group, []).append(kept)
        return row if payment else None

    def label(self, label: dict) -> None:
        for group, queue in self.queues.items():
            for kept in [e for e in queue if e["number"] == label["of"] and e["fraud"] != label["fraud"]]:
                owner, delay = kept["owner"], self.micro(group[3])
                frauds = [
                    e for e in owner.stored[group] if e["fraud"] and (e["time"] <= owner.clock - delay or e["gone"])
                ]
                kept["fraud"] = label["fraud"]
                if not label["fraud"] and frauds and kept["time"] == max(e["time"] for e in frauds):
                    for other in frauds:  # the one before it is looked for among the payments still kept
                        other["fraud"] = 0 if other["gone"] else other["fraud"]

    def value(self, name: str, event: dict) -> float:
        if name == "amount":
            return event["amount"] / 100 if event["kind"] == KIND_CODE[Kind.PAYMENT] else math.nan
        if name in CALENDAR:
            local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event["at"])).astimezone(
                ZoneInfo("Europe/Paris")
            )
            hour = local.hour + local.minute / 60 + local.second / 3600 + local.microsecond / 3.6e9
            return {
                "hour": hour,
                "weekday": float(local.weekday()),
                "weekend": float(local.weekday() >= 5),
                "night": float(local.hour <= 6),
            }[name]
        return event[name]

    def meets(self, condition: object, event: dict) -> bool:
        name, bound = condition.name, condition.value
        x = event["features"].get(name, math.nan) if "features" in event and name in event["features"] else None
        if x is None:
            x = math.nan if name in {f.name for f in self.spec.features} else self.value(name, event)
        operators = {
            "<=": x <= bound,
            ">=": x >= bound,
            "==": x == bound,
            "!=": x != bound,
            "<": x < bound,
            ">": x > bound,
        }
        return not math.isnan(x) and operators[condition.operator]

    def raw(self, event: dict) -> list[float]:
        names = ("amount", "hour", "weekday", "weekend", "night", "balance")
        return [self.value(n, event) for n in names] + [float(event["device"] % 1021 + 1 if event["device"] else 0)]

    def feature(self, f: Feature, entity: Entity | None, event: dict) -> float:
        now = entity.clock if entity else event["at"]
        group, delay = self.group(f), self.micro(f.delay)
        past = [e for e in (entity.stored.get(group, []) if entity else []) if e["time"] <= now - delay or e["gone"]]
        if f.statistic.startswith("decayed"):
            return self.decayed(f, past, now - delay)
        if f.span is not None:
            begin = now - delay - self.micro(f.span)
            return self.windowed(f, [e for e in past if e["time"] > begin and not e["gone"]], event)
        return self.unspanned(f, past, event, now)

    def windowed(self, f: Feature, window: list[dict], event: dict) -> float:
        name, statistic = f.column, f.statistic
        if name == "fraud":
            frauds = sum(e["fraud"] for e in window)
            return float(frauds) if statistic == "count" else (frauds / len(window) if window else math.nan)
        if statistic == "distinct":
            return float(len({e[name] for e in window} - {0}))
        if counts_kind(f):
            return float(len(window))
        values = [v for v in (self.value(name, e) for e in window) if not math.isnan(v)]
        if statistic in ("count", "sum"):
            return float(len(values)) if statistic == "count" else math.fsum(values)
        if not values:
            return math.nan
        mean = math.fsum(values) / len(values)
        if statistic in ("mean", "max", "min"):
            return {"mean": mean, "max": max(values), "min": min(values)}[statistic]
        if statistic == "ratio":
            return self.value(name, event) / mean if mean else math.nan
        if len(values) < 2:
            return math.nan
        spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
        if statistic == "std":
            return spread
        return (self.value(name, event) - mean) / spread if len(set(values)) > 1 else math.nan

    def decayed(self, f: Feature, past: list[dict], now: int) -> float:
        values = [(self.value(f.column, e), e["time"]) for e in past]
        values = [(v, t) for v, t in values if not math.isnan(v)]
        now = max([now, *(t for _, t in values)])  # what was let go early may be ahead of a late entity's clock
        weights = [(v, 2.0 ** (-(now - t) / self.micro(f.span))) for v, t in values]
        count, total = math.fsum(w for _, w in weights), math.fsum(v * w for v, w in weights)
        if f.statistic == "decayed_mean":
            return total / count if weights else math.nan
        return count if f.statistic == "decayed_count" else total

    def unspanned(self, f: Feature, past: list[dict], event: dict, now: int) -> float:
        if f.statistic in ("distance", "speed"):
            places = [e for e in past if not math.isnan(e["latitude"] + e["longitude"])]
            if not places or math.isnan(event["latitude"] + event["longitude"]):
                return math.nan
            far = great_circle(places[-1], event)
            return far if f.statistic == "distance" else far / (max(now - places[-1]["time"], SECOND) / SECOND / 3600)
        if f.statistic in ("novelty", "age"):
            if f.statistic == "novelty":
                return 0.0 if past else 1.0
            return (now - past[0]["time"]) / SECOND if past else math.nan
        if f.column == "fraud":
            past = [e for e in past if e["fraud"]]
        elif not counts_kind(f):
            past = [e for e in past if not math.isnan(self.value(f.column, e))]
        if not past:
            return math.nan
        if f.statistic == "last":
            return self.value(f.column, past[-1])
        return (now - max(e["time"] for e in past)) / SECOND


def counts_kind(f: Feature) -> bool:
    return f.column in ACCOUNT_EVENTS and f.statistic in ("count", "since")


def great_circle(a: dict, b: dict) -> float:
    """By the angle between two vectors: another formula than the kernel's."""

    def vector(p: dict) -> np.ndarray:
        lat, lon = math.radians(p["latitude"]), math.radians(p["longitude"])
        return np.array([math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)])

    u, v = vector(a), vector(b)
    return 6371.0088 * math.atan2(float(np.linalg.norm(np.cross(u, v))), float(u @ v))


def keys(column: str) -> st.SearchStrategy[int]:
    return st.sampled_from((0, 1, 2, 3) if column != "account" else (1, 2, 3, 0))


EVENT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(
            [0, 0, 0, 0, 0, 0, KIND_CODE[Kind.SIGN_IN], KIND_CODE[Kind.NEW_DEVICE], KIND_CODE[Kind.CREDIT_SCORE], 8, 8]
        ),
        "gap": st.sampled_from([0, 0, 1, 5, 5, 10, 20, 30, 60, 350, -5, -10, -40, -120]),
        "amount": st.integers(0, 3000),
        "account": keys("account"),
        "device": keys("device"),
        "retailer": keys("retailer"),
        "payee": keys("payee"),
        "latitude": st.sampled_from([math.nan, 48.0, 48.5, -33.0]),
        "longitude": st.sampled_from([math.nan, 2.0, 151.0]),
        "credit_score": st.sampled_from([math.nan, 500.0, 700.0]),
        "balance": st.sampled_from([math.nan, 0.0, 2.0, 0.1, -7.25, 1e9]),
        "back": st.integers(1, 12),
        "fraud": st.sampled_from([1, 1, 0]),
    }
)
LABEL = KIND_CODE[Kind.LABEL]
assert KINDS[LABEL] is Kind.LABEL
assert LABEL == 8


def number_events(drawn: list[dict]) -> list[dict]:
    """Give drawn events their places and times; a label points at an earlier event, mostly a payment."""
    events, clock = [], START
    for i, event in enumerate(drawn):
        at = clock + event["gap"] * SECOND
        clock = max(clock, at)
        kept = {k: v for k, v in event.items() if k not in ("gap", "back", "fraud")}
        label = event["kind"] == LABEL
        of = max(2, 3 + 2 * i - 2 * event["back"]) if label else -1
        if label:
            kept |= {"account": 0, "device": 0, "retailer": 0, "payee": 0, "amount": 0}
        events.append(
            {**kept, "number": 2 + 2 * i, "at": at, "of": of - of % 2, "label": event["fraud"] if label else 0}
        )
    return events


def to_batch(events: list[dict]) -> Batch:
    def column(name: str, dtype: type) -> np.ndarray:
        return np.array([e[name] for e in events], dtype=dtype)

    return Batch(
        number=column("number", np.int64),
        at=column("at", np.int64),
        kind=column("kind", np.uint8),
        amount=np.array([e["amount"] if e["kind"] == 0 else 0 for e in events], dtype=np.int64),
        keys={name: column(name, np.uint64) for name in ("account", "device", "retailer", "payee")},
        numbers={name: column(name, np.float64) for name in ("latitude", "longitude", "credit_score", "balance")},
        of=column("of", np.int64),
        fraud=column("label", np.int8),
    )


def by_the_book(spec: Spec, events: list[dict]) -> tuple[np.ndarray, Naive]:
    naive = Naive(spec)
    rows = [naive.step({**e, "fraud": e["label"]}) for e in events]
    width = len(compile_plan(spec).names)
    return np.array([r for r in rows if r is not None], dtype=float).reshape(-1, width), naive


def cut(events: list[dict], sizes: list[int]) -> list[Batch]:
    parts, at = [], 0
    while at < len(events):
        size = sizes[len(parts) % len(sizes)]
        parts.append(to_batch(events[at : at + size]))
        at += size
    return parts


STREAMS = st.lists(EVENT, min_size=1, max_size=45).map(number_events)
SPECS = st.lists(st.sampled_from(LINES), min_size=1, max_size=8, unique=True).flatmap(
    lambda lines: st.lists(st.sampled_from(CONDITIONED), max_size=2, unique=True).map(
        lambda more: (
            [line for line in lines if not (more and line.startswith("often"))]
            + (["often = count of amount by device over 60s", *more] if more else [])
        )
    )
)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.tobytes() == b.tobytes()


@MANY
@given(lines=SPECS, events=STREAMS)
def test_equal_to_a_reference_that_looks_at_everything_again(lines: list[str], events: list[dict]) -> None:
    spec = make_spec(lines)
    kernel = Kernel(compile_plan(spec))
    expected, naive = by_the_book(spec, events)
    got = kernel.step(to_batch(events))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-7)
    exact = [
        i
        for i, name in enumerate(kernel.plan.names)
        if name.startswith(("count", "distinct", "novelty", "share", "max", "min", "last", "often"))
    ]
    np.testing.assert_array_equal(got[:, exact], expected[:, exact])
    assert kernel.late == naive.late


def test_every_statistic_at_once_on_a_long_stream() -> None:
    spec = make_spec([*LINES, *CONDITIONED])
    rng = np.random.default_rng(7)
    drawn = [
        {
            "kind": int(rng.choice([0, 0, 0, 0, 1, 3, 6, 8])),
            "gap": int(
                rng.choice([0, 1, 2, 5, 10, 20, -5, -30, 400], p=[0.2, 0.2, 0.2, 0.1, 0.1, 0.1, 0.05, 0.04, 0.01])
            ),
            "amount": int(rng.integers(0, 3000)),
            **{k: int(rng.integers(0, 6)) for k in ("account", "device", "retailer", "payee")},
            "latitude": float(rng.choice([np.nan, 48.0, 10.0])),
            "longitude": float(rng.choice([np.nan, 2.0, -70.0])),
            "credit_score": float(rng.choice([np.nan, 500.0])),
            "balance": float(rng.choice([np.nan, 1.5, 0.1, 1e9])),
            "back": int(rng.integers(1, 30)),
            "fraud": int(rng.integers(0, 2)),
        }
        for _ in range(1500)
    ]
    events = number_events(drawn)
    expected, naive = by_the_book(spec, events)
    kernel = Kernel(compile_plan(spec))
    got = kernel.step(to_batch(events))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-7)
    assert kernel.late == naive.late > 0


def test_newest_fraud_and_its_correction() -> None:
    spec = make_spec(["since of fraud by account", "since of fraud by retailer delayed 20s"], idle="100d")
    rng = np.random.default_rng(3)
    drawn = [
        {
            "kind": int(rng.choice([0, 0, 8])),
            "gap": int(rng.choice([0, 1, 10, 30, -10, 86_400 * 20], p=[0.1, 0.3, 0.3, 0.2, 0.05, 0.05])),
            "amount": 100,
            **{k: int(rng.integers(0, 3)) for k in ("account", "device", "retailer", "payee")},
            **dict.fromkeys(("latitude", "longitude", "credit_score", "balance"), math.nan),
            "back": int(rng.integers(1, 15)),
            "fraud": int(rng.integers(0, 2)),
        }
        for _ in range(800)
    ]
    events = number_events(drawn)
    expected, _ = by_the_book(spec, events)
    got = Kernel(compile_plan(spec)).step(to_batch(events))
    np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert np.isfinite(got[:, -2:]).any()


@MANY
@given(lines=SPECS, events=STREAMS, sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_one_batch_is_many_and_one_by_one_to_the_bit(lines: list[str], events: list[dict], sizes: list[int]) -> None:
    plan = compile_plan(make_spec(lines))
    whole, many, single = Kernel(plan), Kernel(plan), Kernel(plan)
    expected = whole.step(to_batch(events))
    assert same_bits(expected, np.concatenate([many.step(part) for part in cut(events, sizes)]))
    assert same_bits(expected, np.concatenate([single.step(part) for part in cut(events, [1])]))
    assert whole.fingerprint() == many.fingerprint() == single.fingerprint()
    assert whole.last_number == events[-1]["number"]


@MANY
@given(lines=SPECS, events=STREAMS, where=st.floats(0, 1))
def test_snapshot_and_continue_is_continue_to_the_bit(
    lines: list[str], events: list[dict], where: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan, at = compile_plan(make_spec(lines)), int(where * len(events))
    path: Path = tmp_path_factory.mktemp("memory") / "kernel"
    straight = Kernel(plan)
    straight.step(to_batch(events[:at])) if at else None
    straight.save(path)
    loaded, twin = Kernel.load(path, plan), straight.copy()
    assert loaded.fingerprint() == straight.fingerprint() == twin.fingerprint()
    rest = to_batch(events[at:]) if at < len(events) else None
    if rest is not None:
        expected = straight.step(rest)
        assert same_bits(expected, loaded.step(rest))
        assert same_bits(expected, twin.step(rest))
    assert loaded.fingerprint() == straight.fingerprint() == twin.fingerprint()


@MANY
@given(lines=SPECS, events=STREAMS, other=STREAMS, where=st.floats(0, 1))
def test_changing_the_future_changes_nothing(
    lines: list[str], events: list[dict], other: list[dict], where: float
) -> None:
    plan, at = compile_plan(make_spec(lines)), max(1, int(where * len(events)))
    shift = events[at - 1]["number"]
    future = [{**e, "number": e["number"] + shift} for e in other]
    one, two = Kernel(plan), Kernel(plan)
    past = one.step(to_batch(events))
    changed = two.step(to_batch(events[:at] + future))
    payments = sum(e["kind"] == 0 for e in events[:at])
    assert same_bits(past[:payments], changed[:payments])


def test_windows_written_longest_first_still_keep_what_the_shorter_ones_hold() -> None:
    spec = make_spec(["count of amount by account over 60s, 30s"])
    rest = dict.fromkeys(("latitude", "longitude", "credit_score", "balance"), math.nan)
    keys_of_one = {"account": 1, "device": 0, "retailer": 0, "payee": 0}
    drawn = [
        {"kind": 0, "gap": gap, "amount": 1, **keys_of_one, **rest, "back": 1, "fraud": 0} for gap in (0, 50, 20, 25)
    ]
    got = Kernel(compile_plan(spec)).step(to_batch(number_events(drawn)))
    assert got[:, -2:].tolist() == [[0, 0], [1, 0], [1, 1], [2, 1]]
