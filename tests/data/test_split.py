"""Splits: apart in time with a gap, apart by entity, and never a label from the future."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import spec
from tocsin.batch import Batch, keys_of
from tocsin.data import Table, split_by_entity, split_by_time, walk_forward
from tocsin.data.split import micros, say_time, split_at_random
from tocsin.data.times import NEVER
from tocsin.errors import BadInput
from tocsin.schema import KIND_CODE, Kind

DAY = 86_400_000_000
START = datetime(2026, 1, 1, tzinfo=UTC)
SPEC = spec.parse('[columns]\nat = "at"\namount = "amount"\naccount = "account"\nlabel = "label"')


def a_table(days: list[float], delays: list[float], accounts: list[str] | None = None) -> Table:
    """One payment at each day (sorted), a sign-in before each, every third a fraud; each label known some days later."""
    n = len(days)
    at = micros(START) + np.array([round(d * DAY) for d in sorted(days)], np.int64)
    batch = Batch(
        number=np.arange(1, 2 * n + 1, dtype=np.int64),
        at=np.repeat(at, 2),
        kind=np.tile(np.array([KIND_CODE[Kind.SIGN_IN], KIND_CODE[Kind.PAYMENT]], np.uint8), n),
        amount=np.arange(2 * n, dtype=np.int64),
        keys={"account": np.repeat(keys_of(accounts or ["a"] * n), 2)},
        numbers={},
        of=np.full(2 * n, -1, np.int64),
        fraud=np.zeros(2 * n, np.int8),
    )
    label = (np.arange(n) % 3 == 0).astype(np.int8)
    known = at + np.array([round(d * DAY) for d in delays], np.int64)
    ids = np.array([f"p{i}" for i in range(n)], object)
    return Table(SPEC, batch, ids, label, known, None, np.arange(1, n + 1))


def test_train_delay_and_test_follow_each_other() -> None:
    table = a_table([0, 1, 6.999, 7, 10, 13.999, 14, 20.999, 21], [0] * 9)
    week = timedelta(days=7)
    split = split_by_time(table, train=week, delay=week, test=week)
    assert split.train.tolist() == [True] * 3 + [False] * 6
    assert split.test.tolist() == [False] * 6 + [True, True, False]
    assert split.cut == micros(START) + 14 * DAY
    by_moment = split_by_time(table, start=START, train=START + week, delay=week, test=START + 3 * week)
    assert (by_moment.test == split.test).all()
    assert split_by_time(table, train=week).test.tolist() == [False] * 3 + [True] * 6


def test_a_label_known_after_the_cut_is_unknown_to_training() -> None:
    table = a_table([0, 1, 2, 3, 10, 11], [1, 30, 1, 30, 1, 1])
    split = split_by_time(table, train=timedelta(days=5), delay=timedelta(days=3))
    assert split.label.tolist() == [1, -1, 0, -1, -1, -1]
    assert table.label.tolist() == [1, 0, 0, 1, 0, 0]


@given(
    st.lists(st.floats(0, 30), min_size=1, max_size=30),
    st.lists(st.floats(0, 30), min_size=30, max_size=30),
    st.floats(0, 40),
)
def test_nothing_is_known_later_than_the_cut(days: list[float], delays: list[float], cut_day: float) -> None:
    table = a_table(days, delays[: len(days)])
    cut = micros(START) + round(cut_day * DAY)
    known = table.as_known_at(cut)
    told = known.label >= 0
    assert (known.known_at[told] <= cut).all()
    assert (known.known_at[~told] == NEVER).all()
    assert (known.label[table.known_at <= cut] == table.label[table.known_at <= cut]).all()
    stream = known.stream()
    assert (stream.at[stream.kind == KIND_CODE[Kind.LABEL]] <= cut).all()


@given(st.lists(st.floats(0, 60), min_size=2, max_size=60), st.integers(1, 20), st.integers(0, 10), st.integers(1, 20))
def test_walking_forward_never_looks_back(days: list[float], train: int, delay: int, test: int) -> None:
    table = a_table(days, [5.0] * len(days))
    cuts = []
    for split in walk_forward(
        table, train=timedelta(days=train), delay=timedelta(days=delay), test=timedelta(days=test)
    ):
        assert not (split.train & split.test).any()
        assert table.at[split.train].max() < split.cut - delay * DAY
        assert table.at[split.test].min() >= split.cut
        assert (split.label[table.known_at > split.cut] == -1).all()
        cuts.append(split.cut)
    assert all((b - a) % (test * DAY) == 0 and b > a for a, b in itertools.pairwise(cuts))


def test_walking_forward_covers_every_day_once() -> None:
    table = a_table([d / 2 for d in range(80)], [0] * 80)
    splits = list(walk_forward(table, train=timedelta(days=10), test=timedelta(days=5)))
    assert len(splits) == 5  # the last whole test ends on day 35; the payments end on day 39.5
    covered = np.sum([s.test for s in splits], axis=0)
    assert (covered[(table.at >= splits[0].cut) & (table.at < splits[-1].cut + 5 * DAY)] == 1).all()
    with pytest.raises(BadInput, match="longer than nothing"):
        next(walk_forward(table, train=timedelta(0), test=timedelta(days=5)))


def test_an_account_stands_on_one_side_in_every_file() -> None:
    accounts = [f"a{i % 200}" for i in range(1000)]
    table = a_table([float(i) for i in range(1000)], [0] * 1000, accounts)
    split = split_by_entity(table, "account", test_share=0.3)
    test = {a for a, t in zip(accounts, split.test, strict=True) if t}
    train = {a for a, t in zip(accounts, split.train, strict=True) if t}
    assert not test & train
    assert 40 < len(test) < 80
    again = split_by_entity(a_table([0.0] * 200, [0] * 200, accounts[:200]), "account", test_share=0.3)
    assert {a for a, t in zip(accounts, again.test, strict=False) if t} == test
    other = split_by_entity(table, "account", test_share=0.3, seed=1)
    assert (other.test != split.test).any()


def test_payments_without_the_entity_are_learnt_from() -> None:
    """Were they dealt out as one stranger, a fifth of all seeds would judge by all of them."""
    table = a_table([0.0, 1.0], [0, 0], ["a", ""])
    assert not any(split_by_entity(table, test_share=0.9, seed=seed).test[1] for seed in range(20))


def test_what_cannot_be_split_says_why() -> None:
    table = a_table([0, 1, 2], [0, 0, 0])
    with pytest.raises(BadInput, match=r"test has none.*2026-01-01 00:00:00Z to 2026-01-03"):
        split_by_time(table, train=timedelta(days=5))
    with pytest.raises(BadInput, match="zone"):
        split_by_time(table, start=datetime(2026, 1, 1), train=timedelta(days=1))  # noqa: DTZ001
    with pytest.raises(BadInput, match=r"no 'card'.*account"):
        split_by_entity(table, "card")
    with pytest.raises(BadInput, match="between 0 and 1"):
        split_by_entity(table, test_share=20)
    with pytest.raises(BadInput, match="must not be split at random"):
        split_at_random(table)
    forced = split_at_random(a_table([float(i) for i in range(500)], [0] * 500), force=True)
    assert 60 < forced.test.sum() < 140


def test_a_time_is_said_as_people_write_it() -> None:
    assert say_time(micros(datetime(2026, 3, 1, 12, tzinfo=UTC))) == "2026-03-01 12:00:00Z"
