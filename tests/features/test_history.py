"""The last payments of an entity: golden cases by hand, what a token says, where the edges lie, columns for trees."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.batch import Batch
from tocsin.errors import BadInput, NotReady
from tocsin.features import Kernel, Plan, compile_plan
from tocsin.features.history import (
    AMOUNTS,
    FOLD,
    GAPS,
    HOURS,
    KINDS,
    amount_edges,
    categories_of_lags,
    gap_edges,
    lag_columns,
    unpack,
)
from tocsin.schema import KIND_CODE, Kind
from tocsin.spec import load, parse

MINUTE = 60_000_000
SPEC = """
[columns]
at = "at"
amount = "amount"
account = "account"
retailer_kind = "kind"
channel = "channel"
[time]
zone = "Europe/Berlin"
[memory]
idle = "10d"
[history]
by = "account"
kind = ["retailer_kind", "channel"]
length = 3
[[stage]]
name = "all"
columns = ["amount"]
features = ["count of amount by account over 1d", "since of amount by account"]
"""
NIGHT = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
"""01:30 in Berlin; half an hour later the clocks there jump from 2 to 3."""


def micro(when: datetime) -> int:
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def batch(*rows: dict, first: int = 1) -> Batch:
    """Rows of ``at`` (minutes after NIGHT), and optionally amount (cents), account, kind, channel, event, of, fraud."""
    n = len(rows)
    keys = {"account": "account", "retailer_kind": "kind", "channel": "channel"}
    return Batch(
        number=np.arange(first, first + n, dtype=np.int64),
        at=np.array([micro(NIGHT) + round(r["at"] * MINUTE) for r in rows], dtype=np.int64),
        kind=np.array([KIND_CODE[r.get("event", Kind.PAYMENT)] for r in rows], dtype=np.uint8),
        amount=np.array([r.get("amount", 0) for r in rows], dtype=np.int64),
        keys={name: np.array([r.get(key, 0) for r in rows], dtype=np.uint64) for name, key in keys.items()},
        numbers={},
        of=np.array([r.get("of", -1) for r in rows], dtype=np.int64),
        fraud=np.array([r.get("fraud", 0) for r in rows], dtype=np.int8),
    )


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compile_plan(parse(SPEC))


def tokens(plan: Plan, rows: np.ndarray) -> np.ndarray:
    """int64[n, K + 1, 4]: kind, gap, hour, amount of each payment told."""
    assert rows.shape[1] == plan.width
    told = rows[:, len(plan.names) :]
    assert (told == np.floor(told)).all()
    return np.stack(unpack(told.astype(np.int64)), axis=2)


NONE = [0, 0, 0, 0]


def test_the_last_payments_oldest_first_then_this_one(plan: Plan) -> None:
    rows = Kernel(plan).step(
        batch(
            {"at": 0, "account": 7, "kind": 4095 * 3 + 10, "channel": 5, "amount": 1000},
            {"at": 1, "account": 7, "channel": 5, "amount": 42},
            {"at": 31, "account": 8, "kind": 10, "amount": 41},
            {"at": 31, "account": 7, "amount": 300_000},
            {"at": 31 + 24 * 60, "account": 7, "kind": 4094, "channel": 9, "amount": 0},
            {"at": 31 + 25 * 60, "account": 7, "kind": 4095, "channel": 9, "amount": 10**12},
        )
    )
    first, second = [11, 0, 1, 7], [6, 3, 1, 2]  # 10.00: 2 log2(11) = 6.92; a minute: 2 log2(2) = 2
    third, fourth = [0, 10, 3, 24], [4095, 21, 3, 1]  # 30 minutes: 9.91; 3,000.00: 23.1; a day: 20.98
    fifth = [1, 12, 4, 31]
    got = tokens(plan, rows)
    assert got[0].tolist() == [NONE, NONE, NONE, first]
    assert got[1].tolist() == [NONE, NONE, first, second]
    assert got[2].tolist() == [NONE, NONE, NONE, [11, 0, 3, 1]]
    assert got[3].tolist() == [NONE, first, second, third]
    assert got[4].tolist() == [first, second, third, fourth]
    assert got[5].tolist() == [second, third, fourth, fifth]  # 4,095 folds to 1, as 0 would if 0 were a key


def test_an_hour_is_the_zones_own_across_its_changes(plan: Plan) -> None:
    spring = [{"at": minute, "account": 1} for minute in (0, 29.99, 30, 90)]
    hours = tokens(plan, Kernel(plan).step(batch(*spring)))[:, -1, 2]
    assert hours.tolist() == [1, 1, 3, 4]  # 01:30, 01:59, then 03:00 and 04:00: there is no 2 that night
    back = (micro(datetime(2026, 10, 25, 0, 30, tzinfo=UTC)) - micro(NIGHT)) / MINUTE
    autumn = [{"at": back + minute, "account": 1} for minute in (0, 30, 89, 90)]
    hours = tokens(plan, Kernel(plan).step(batch(*autumn)))[:, -1, 2]
    assert hours.tolist() == [2, 2, 2, 3]  # two o'clock comes twice


def test_a_late_payment_follows_at_once_and_no_time_runs_back(plan: Plan) -> None:
    rows = Kernel(plan).step(
        batch(
            {"at": 60, "account": 1},
            {"at": 0, "account": 1},
            {"at": 60, "account": 1},
            {"at": 61, "account": 1},
        )
    )
    assert tokens(plan, rows)[:, -1, 1].tolist() == [
        0,
        1,
        1,
        3,
    ]  # a minute after the newest, not an hour after the last
    assert tokens(plan, rows)[:, -1, 2].tolist() == [3, 1, 3, 3]  # its hour stays its own


def test_only_payments_leave_a_token(plan: Plan) -> None:
    kernel = Kernel(plan)
    kernel.step(
        batch(
            {"at": 0, "account": 1, "amount": 100},
            {"at": 1, "account": 1, "event": Kind.SIGN_IN},
            {"at": 2, "event": Kind.LABEL, "of": 1, "fraud": 1},
        )
    )
    got = tokens(plan, kernel.step(batch({"at": 3, "account": 1, "amount": 100}, first=4)))[0]
    assert got.tolist() == [NONE, NONE, [0, 0, 1, 3], [0, 5, 1, 3]]


def test_a_gap_is_from_payment_to_payment_whatever_else_the_entity_did() -> None:
    spec = SPEC.replace('"since of amount by account"', '"since of sign_in by account"')
    plan = compile_plan(parse(spec))
    rows = Kernel(plan).step(
        batch(
            {"at": 0, "account": 1},
            {"at": 60, "account": 1, "event": Kind.SIGN_IN},
            {"at": 30, "account": 1},  # late for the account, whose sign-in came first, and on time as a payment
        )
    )
    assert tokens(plan, rows)[1, -1, 1] == 10


def test_a_payment_of_nobody_has_no_past_and_leaves_none(plan: Plan) -> None:
    rows = Kernel(plan).step(
        batch({"at": 0, "kind": 10, "amount": 100}, {"at": 5, "kind": 10, "amount": 100}, {"at": 6, "account": 1})
    )
    got = tokens(plan, rows)
    assert got[1].tolist() == [NONE, NONE, NONE, [11, 0, 1, 3]]
    assert got[2].tolist() == [NONE, NONE, NONE, [0, 0, 1, 1]]


def test_a_forgotten_entity_has_no_past(plan: Plan) -> None:
    kernel = Kernel(plan, idle_expiry=timedelta(days=1))
    day = 24 * 60
    rows = kernel.step(batch({"at": 0, "account": 1}, {"at": day - 1, "account": 1}, {"at": 3 * day, "account": 1}))
    assert (tokens(plan, rows)[:, :-1].sum(axis=2) > 0).sum(axis=1).tolist() == [0, 1, 0]
    assert tokens(plan, rows)[:, -1, 1].tolist() == [0, 21, 0]


def test_a_slot_given_back_and_taken_again_holds_nothing_of_before(plan: Plan) -> None:
    kernel = Kernel(plan, idle_expiry=timedelta(days=1))
    kernel.step(batch(*({"at": i / 100, "account": 1 + i, "amount": 5} for i in range(300))))
    later = [{"at": 9 * 24 * 60 + i / 100, "account": 1, "amount": 5} for i in range(2000)]
    kernel.step(batch(*later, first=301))
    assert kernel.entities == 1  # the sweep has been round
    fresh = kernel.step(batch(*({"at": 10 * 24 * 60, "account": 5000 + i} for i in range(200)), first=3000))
    assert not tokens(plan, fresh)[:, :-1].any()


def test_one_payment_may_be_all_that_is_kept_and_64_may() -> None:
    for length in (1, 2, 64):
        plan = compile_plan(parse(SPEC.replace("length = 3", f"length = {length}")))
        kernel = Kernel(plan)
        rows = kernel.step(batch(*({"at": i, "account": 1, "kind": i + 1} for i in range(150))))
        kinds = tokens(plan, rows)[:, :, 0]
        for i in range(150):
            expected = [k + 2 if k >= 0 else 0 for k in range(i - length, i + 1)]
            assert kinds[i].tolist() == expected
        assert plan.history == length
        assert plan.width == len(plan.names) + length + 1


def test_a_spec_may_keep_payments_and_count_nothing() -> None:
    plan = compile_plan(parse(SPEC.split("features", maxsplit=1)[0]))
    assert plan.entities == (("account",),)
    kernel = Kernel(plan)
    rows = kernel.step(batch({"at": 0, "account": 1, "amount": 100}, {"at": 1, "account": 1, "amount": 100}))
    assert rows[:, 0].tolist() == [1.0, 1.0]
    assert tokens(plan, rows)[1].tolist() == [NONE, NONE, [0, 0, 1, 3], [0, 3, 1, 3]]


def test_without_the_table_a_row_is_what_it_was() -> None:
    bare = compile_plan(parse(SPEC.replace(SPEC[SPEC.index("[history]") : SPEC.index("[[stage]]")], "")))
    full = compile_plan(parse(SPEC))
    assert bare.history == 0
    assert bare.width == len(bare.names) == len(full.names)
    assert bare.fingerprint != full.fingerprint
    events = batch(*({"at": i * 7, "account": 1 + i % 3, "amount": i} for i in range(50)))
    got, more = Kernel(bare).step(events), Kernel(full).step(events)
    assert got.tobytes() == np.ascontiguousarray(more[:, : len(full.names)]).tobytes()
    kept = Kernel(full).bytes_an_entity()["account"] - Kernel(bare).bytes_an_entity()["account"]
    assert kept == 8 * (2 + 2)  # when, where, and three tokens of four bytes


def test_what_is_kept_belongs_to_the_plan() -> None:
    plans = {
        compile_plan(parse(SPEC.replace(*change))).fingerprint
        for change in (
            ("", ""),
            ("length = 3", "length = 4"),
            ('kind = ["retailer_kind", "channel"]', ""),
            ('kind = ["retailer_kind", "channel"]', 'kind = ["channel", "retailer_kind"]'),
            ('by = "account"\nkind', 'by = "channel"\nkind'),
            ("[history]", '[money]\ncurrency = "JPY"\n[history]'),
        )
    }
    assert len(plans) == 6


def test_a_world_account_keeps_its_last_32_payments_in_144_bytes() -> None:
    spec = load("world")
    plan, text = compile_plan(spec), spec.text
    start = text.index("[history]")
    bare = compile_plan(parse(text[:start] + text[text.index("[[stage]]") :]))
    assert plan.history == 32
    assert Kernel(plan).bytes_an_entity()["account"] - Kernel(bare).bytes_an_entity()["account"] == 144
    assert Kernel(plan).bytes_an_event() == Kernel(bare).bytes_an_event()


def test_a_snapshot_keeps_the_past_and_another_length_may_not_read_it(plan: Plan, tmp_path: Path) -> None:
    kernel = Kernel(plan)
    kernel.step(batch(*({"at": i, "account": 1 + i % 2, "kind": i + 1} for i in range(9))))
    kernel.save(tmp_path / "memory")
    rest = batch(*({"at": 20 + i, "account": 1 + i % 2, "kind": 50 + i} for i in range(9)), first=10)
    loaded, twin = Kernel.load(tmp_path / "memory", plan), kernel.copy()
    expected = kernel.step(rest)
    assert loaded.step(rest).tobytes() == expected.tobytes() == twin.step(rest).tobytes()
    assert loaded.fingerprint() == kernel.fingerprint() == twin.fingerprint()


def test_a_full_memory_refuses_and_leaves_the_past_as_it_was(plan: Plan) -> None:
    kernel = Kernel(plan, ceiling_bytes=40_000)
    kernel.step(batch(*({"at": i, "account": 1} for i in range(4))))
    before = kernel.fingerprint()
    many = batch(*({"at": 5 + i / 1000, "account": 10 + i} for i in range(900)), first=5)
    with pytest.raises(NotReady):
        kernel.step(many)
    assert kernel.fingerprint() == before
    got = tokens(plan, kernel.step(batch({"at": 6, "account": 1}, first=5)))
    assert (got[0, :, 3] == 1).all()


def test_a_table_that_grows_moves_the_past_with_its_rows(plan: Plan) -> None:
    kernel = Kernel(plan)
    kernel.step(batch(*({"at": i, "account": 1 + i, "kind": 100 + i} for i in range(10))))
    kernel.step(batch(*({"at": 20 + i / 100, "account": 1000 + i} for i in range(3000)), first=100))
    got = tokens(plan, kernel.step(batch(*({"at": 90, "account": 1 + i} for i in range(10)), first=5000)))
    assert got[:, -2, 0].tolist() == [101 + i for i in range(10)]


# --- tokens and their edges --------------------------------------------------------------------------------------------


@given(
    st.tuples(st.integers(0, FOLD), st.integers(0, GAPS - 1), st.integers(0, HOURS - 1), st.integers(0, AMOUNTS - 1))
)
def test_a_token_is_exact_as_a_float_and_comes_apart_again(parts: tuple[int, int, int, int]) -> None:
    kind, gap, hour, amount = parts
    token = kind + KINDS * gap + KINDS * GAPS * hour + KINDS * GAPS * HOURS * amount
    assert 0 <= token < 2**32
    assert int(np.float32(token % KINDS)) == kind
    assert tuple(int(part) for part in unpack(np.array(int(float(token))))) == parts


def test_edges_are_where_the_logarithm_reaches_the_next_whole_number() -> None:
    for edges, unit in (
        (gap_edges(), MINUTE),
        (amount_edges(100), 100),
        (amount_edges(1), 1),
        (amount_edges(1000), 1000),
    ):
        assert len(edges) == 30
        for j, edge in enumerate(edges.tolist(), start=1):
            reached = (unit + edge) ** 2 >= 2**j * unit**2
            just_below = (unit + edge - 1) ** 2 < 2**j * unit**2
            assert reached
            assert just_below
    assert gap_edges()[-1] == 32_767 * MINUTE
    assert amount_edges(100)[:4].tolist() == [42, 100, 183, 300]


@given(cents=st.integers(0, 10**9), seconds=st.integers(0, 10**8))
def test_a_code_is_what_the_formula_says(plan: Plan, cents: int, seconds: int) -> None:
    gap = 1 + int(np.searchsorted(gap_edges(), seconds * 1_000_000, side="right"))
    amount = 1 + int(np.searchsorted(amount_edges(100), cents, side="right"))
    rows = Kernel(plan).step(batch({"at": 0, "account": 1}, {"at": seconds / 60, "account": 1, "amount": cents}))
    forgotten = seconds >= 10 * 86_400
    assert tokens(plan, rows)[1, -1, [1, 3]].tolist() == [0 if forgotten else gap, amount]
    by_logarithm = 2 * math.log2(1 + cents / 100)
    if abs(by_logarithm - round(by_logarithm)) > 1e-9:  # at the edge itself a logarithm may fall on either side
        assert amount == min(31, 1 + math.floor(by_logarithm))


# --- columns for trees -------------------------------------------------------------------------------------------------


def test_lag_columns_are_the_payments_before_this_one_the_newest_first(plan: Plan) -> None:
    rows = Kernel(plan).step(
        batch(
            {"at": 0, "account": 7, "kind": 10, "amount": 1000},
            {"at": 1, "account": 7, "amount": 42},
            {"at": 31, "account": 7, "kind": 30, "amount": 300_000},
        )
    )
    history = rows[:, len(plan.names) :].astype(np.int64)
    names, columns = lag_columns(history, last=2)
    assert names == (
        "kind_1_back", "gap_1_back", "hour_1_back", "amount_1_back",
        "kind_2_back", "gap_2_back", "hour_2_back", "amount_2_back",
    )  # fmt: skip
    assert columns.dtype == np.float64
    assert np.isnan(columns[0]).all()
    assert columns[1, :4].tolist() == [11, 0, 1, 7]
    assert np.isnan(columns[1, 4:]).all()
    assert columns[2].tolist() == [0, 3, 1, 2, 11, 0, 1, 7]
    assert categories_of_lags(50, 2) == (50, 54)
    assert lag_columns(history, last=3)[1][:, :8].tobytes() == columns.tobytes()


def test_lag_columns_say_how_many_there_are() -> None:
    with pytest.raises(BadInput, match="1 to 3 payments back; got 4"):
        lag_columns(np.zeros((2, 4), dtype=np.int64), last=4)
    names, columns = lag_columns(np.zeros((0, 6), dtype=np.int64))
    assert columns.shape == (0, 20)
    assert len(names) == 20
