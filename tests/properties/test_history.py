"""The last payments the kernel tells, against a reference that keeps a plain list, and against itself cut otherwise."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.batch import Batch
from tocsin.data import WorldSettings, make_world, read
from tocsin.data.world import write_world
from tocsin.evaluate.replay import walk
from tocsin.features import Kernel, Plan, compile_plan
from tocsin.learn.gathering import features
from tocsin.schema import KIND_CODE, Kind
from tocsin.spec import load, parse

SPEC = """
[columns]
at = "at"
amount = "amount"
account = "account"
payee = "payee"
retailer_kind = "trade"
channel = "channel"
[time]
zone = "ZONE"
[memory]
idle = "30d"
[history]
by = "account"
kind = KIND
length = LENGTH
[[stage]]
name = "all"
columns = ["amount"]
features = [
    "count of amount by account over 1d",
    "count of sign_in by account over 1d",
    "share of fraud by account over 1d",
    "passed_on = sum of amount by account[payee] over 1d",
]
"""
ZONES = ("Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "UTC")
STARTS = [  # just before clocks change somewhere, and a time long ago with another offset
    datetime(2026, 3, 29, 0, 20, tzinfo=UTC),
    datetime(2025, 10, 25, 23, 50, tzinfo=UTC),
    datetime(2026, 10, 3, 15, 10, tzinfo=UTC),
    datetime(1986, 1, 1, tzinfo=UTC) - timedelta(hours=6),
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PAYMENT, SIGN_IN, LABEL = (KIND_CODE[k] for k in (Kind.PAYMENT, Kind.SIGN_IN, Kind.LABEL))
IDLE = timedelta(days=30)


@dataclass
class Account:
    """What the reference knows of one account."""

    touched: datetime
    newest: datetime | None = None
    past: list[list[int]] = field(default_factory=list)


class PlainHistory:
    """The rules of docs/features.md, "The last payments", written down as plainly as possible."""

    def __init__(self, zone: str, kinds: list[str], length: int) -> None:
        self.zone, self.kinds, self.length = ZoneInfo(zone), kinds, length
        self.accounts: dict[int, Account] = {}
        self.newest = EPOCH

    def touch(self, name: int, create: bool) -> Account | None:
        account = self.accounts.get(name)
        if account is not None and self.newest - account.touched >= IDLE:
            account = None
        if account is None and create and name:
            account = self.accounts[name] = Account(self.newest)
        if account is not None:
            account.touched = self.newest
        return account

    def step(self, event: dict) -> list[list[int]] | None:
        if event["kind"] == LABEL:
            return None
        self.newest = max(self.newest, event["at"])
        account = self.touch(event["account"], create=True)
        if event["kind"] != PAYMENT:
            return None
        self.touch(event["payee"], create=False)  # that account's payments are looked at too, so it is not idle
        keys = [event[k] for k in self.kinds if event[k]]
        code = [keys[0] % 4095 + 1 if keys else 0, 0, event["at"].astimezone(self.zone).hour]
        code.append(self.code(Fraction(event["amount"], 100)))
        if account is None:
            return [[0] * 4] * self.length + [code]
        if account.newest is not None:
            since = max(event["at"] - account.newest, timedelta(0))
            code[1] = self.code(Fraction(since // timedelta(microseconds=1), 60_000_000))
        told = [*([[0] * 4] * self.length + account.past)[-self.length :], code]
        account.past.append(code)
        account.newest = max(account.newest or event["at"], event["at"])
        return told

    @staticmethod
    def code(x: Fraction) -> int:
        """``min(31, 1 + floor(2 log2(1 + x)))``: the largest ``j`` with ``(1 + x)² >= 2^j``, in exact fractions."""
        square, j = (1 + x) ** 2, 0
        while square >= 2 ** (j + 1) and j < 30:
            j += 1
        return 1 + j


EVENT = st.fixed_dictionaries(
    {
        "kind": st.sampled_from([PAYMENT] * 7 + [SIGN_IN, SIGN_IN, LABEL]),
        "gap": st.one_of(
            st.sampled_from(
                [0, 1, 24.852813, 24.852814, 60, 1800, 3600, 7200, 86_400, -1, -3600, 2_591_999, 2_592_001]
            ),
            st.floats(0, 30_000),
        ),
        "amount": st.one_of(
            st.sampled_from([0, 41, 42, 99, 100, 182, 183, 3_276_699, 3_276_700]), st.integers(0, 10**7)
        ),
        "account": st.integers(0, 3),
        "payee": st.integers(0, 3),
        "retailer_kind": st.sampled_from([0, 0, 5, 4094, 4095, 2**64 - 1]),
        "channel": st.sampled_from([0, 7, 4095 * 10**6]),
        "back": st.integers(1, 6),
    }
)


def number_events(drawn: list[dict], start: datetime) -> list[dict]:
    events, clock = [], start
    for i, event in enumerate(drawn):
        at = clock + timedelta(microseconds=round(event["gap"] * 1e6))
        clock = max(clock, at)
        label = event["kind"] == LABEL
        named = dict.fromkeys(("account", "payee", "retailer_kind", "channel", "amount"), 0) if label else {}
        events.append(
            {**event, **named, "at": at, "number": 1 + i, "of": max(1, 1 + i - event["back"]) if label else -1}
        )
    return events


def to_batch(events: list[dict]) -> Batch:
    return Batch(
        number=np.array([e["number"] for e in events], dtype=np.int64),
        at=np.array([(e["at"] - EPOCH) // timedelta(microseconds=1) for e in events], dtype=np.int64),
        kind=np.array([e["kind"] for e in events], dtype=np.uint8),
        amount=np.array([e["amount"] if e["kind"] == PAYMENT else 0 for e in events], dtype=np.int64),
        keys={
            name: np.array([e[name] for e in events], dtype=np.uint64)
            for name in ("account", "payee", "retailer_kind", "channel")
        },
        numbers={},
        of=np.array([e["of"] for e in events], dtype=np.int64),
        fraud=np.array([int(e["kind"] == LABEL) for e in events], dtype=np.int8),
    )


def make_plan(zone: str, kinds: list[str], length: int) -> Plan:
    return compile_plan(parse(SPEC.replace("ZONE", zone).replace("KIND", repr(kinds)).replace("LENGTH", str(length))))


def cut(events: list[dict], sizes: list[int]) -> list[Batch]:
    parts, at = [], 0
    while at < len(events):
        size = sizes[len(parts) % len(sizes)]
        parts.append(to_batch(events[at : at + size]))
        at += size
    return parts


SPECS = st.tuples(
    st.sampled_from(ZONES),
    st.sampled_from([[], ["retailer_kind"], ["retailer_kind", "channel"], ["channel", "account"]]),
    st.sampled_from([1, 2, 3, 8]),
)
STREAMS = st.tuples(st.lists(EVENT, min_size=1, max_size=60), st.sampled_from(STARTS)).map(
    lambda drawn: number_events(*drawn)
)
MANY = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(spec=SPECS, events=STREAMS)
def test_equal_to_a_plain_list_an_account(spec: tuple[str, list[str], int], events: list[dict]) -> None:
    plan, plain = make_plan(*spec), PlainHistory(*spec)
    expected = [told for told in map(plain.step, events) if told is not None]
    rows = Kernel(plan).step(to_batch(events))
    kinds, gaps, hours = 1, 4096, 4096 * 32
    tokens = [[k * kinds + g * gaps + h * hours + a * hours * 32 for k, g, h, a in told] for told in expected]
    assert rows[:, len(plan.names) :].tolist() == [[float(t) for t in told] for told in tokens]


def test_a_long_stream_of_few_accounts_goes_round_and_round() -> None:
    rng = np.random.default_rng(5)
    drawn = [
        {
            "kind": int(rng.choice([PAYMENT, PAYMENT, PAYMENT, SIGN_IN])),
            "gap": float(rng.choice([0, 40, 900, 40_000, -300, 2_600_000], p=[0.1, 0.3, 0.3, 0.2, 0.09, 0.01])),
            "amount": int(rng.lognormal(7, 2)),
            "account": int(rng.integers(0, 12)),
            "payee": int(rng.integers(0, 12)),
            "retailer_kind": int(rng.integers(0, 20)),
            "channel": int(rng.integers(0, 4)),
            "back": 1,
        }
        for _ in range(3000)
    ]
    test_equal_to_a_plain_list_an_account.hypothesis.inner_test(
        ("Europe/Berlin", ["retailer_kind", "channel"], 32), number_events(drawn, STARTS[0])
    )


@MANY
@given(spec=SPECS, events=STREAMS, sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4), where=st.floats(0, 1))
def test_however_it_is_cut_and_across_a_snapshot_it_is_the_same_past(
    spec: tuple[str, list[str], int],
    events: list[dict],
    sizes: list[int],
    where: float,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    plan, at = make_plan(*spec), int(where * len(events))
    path: Path = tmp_path_factory.mktemp("memory") / "kernel"
    whole, parts, single = Kernel(plan), Kernel(plan), Kernel(plan)
    expected = whole.step(to_batch(events)).tobytes()
    assert np.concatenate([parts.step(part) for part in cut(events, sizes)]).tobytes() == expected
    first = [single.step(part) for part in cut(events[:at], [1])]
    single.save(path)
    restored = Kernel.load(path, plan)
    assert restored.fingerprint() == single.fingerprint()
    rest = [restored.step(part) for part in cut(events[at:], sizes)]
    assert np.concatenate([*first, *rest]).tobytes() == expected
    assert whole.fingerprint() == parts.fingerprint() == restored.fingerprint()


@MANY
@given(spec=SPECS, events=STREAMS, other=STREAMS, where=st.floats(0, 1))
def test_changing_the_future_changes_nothing(
    spec: tuple[str, list[str], int], events: list[dict], other: list[dict], where: float
) -> None:
    plan, at = make_plan(*spec), max(1, int(where * len(events)))
    later = [{**e, "number": e["number"] + at} for e in other]
    past = Kernel(plan).step(to_batch(events))
    changed = Kernel(plan).step(to_batch(events[:at] + later))
    payments = sum(e["kind"] == PAYMENT for e in events[:at])
    assert past[:payments].tobytes() == changed[:payments].tobytes()


def test_learning_a_backtest_and_single_steps_tell_the_same_past(tmp_path: Path) -> None:
    write_world(make_world(WorldSettings(transactions=4000, months=2, seed=7)), tmp_path)
    table = read(tmp_path / "world.parquet", load("world"))
    plan = compile_plan(table.spec)
    learned, kernel = features(table, plan)
    replayed = walk(table, Kernel(plan), lambda _what, _share: None)
    assert learned.matrix.tobytes() == replayed.tobytes()
    stream, live = table.stream(), Kernel(plan)
    singly = [live.step(stream.take(slice(i, i + 1))) for i in range(len(stream))]
    assert np.concatenate(singly).tobytes() == replayed.tobytes()
    assert live.fingerprint() == kernel.fingerprint()
    told = replayed[:, len(plan.names) :]
    assert ((told > 0).sum(axis=1) > 5).mean() > 0.5
