"""The made world holds what it promises: counts, words, determinism, honest life, labels."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from click.testing import CliRunner

from tocsin.cli.world import command
from tocsin.data import read
from tocsin.data.world import MADE, STEPS, World, WorldSettings, make_world, write_world
from tocsin.data.world_plan import FRAUD_KINDS
from tocsin.errors import BadInput
from tocsin.schema import ENTITIES, KINDS, Kind
from tocsin.spec import load


@pytest.fixture(scope="module")
def world() -> World:
    return make_world(WorldSettings(transactions=60_000, seed=5))


def _texts(table: pa.Table, name: str) -> np.ndarray:
    return np.asarray(table[name].combine_chunks().cast(pa.string()).to_numpy(zero_copy_only=False))


def _payments(world: World) -> pa.Table:
    return world.events.filter(pc.is_valid(world.events["amount_minor"]))


def test_the_payments_are_as_many_as_asked_for(world: World) -> None:
    kinds = _texts(world.events, "kind")
    assert (kinds == Kind.PAYMENT).sum() == 60_000
    assert make_world(WorldSettings(transactions=2_345, months=1)).events["amount_minor"].drop_null().length() == 2_345


def test_every_column_is_a_word_of_the_schema_and_every_kind_of_event_is_there(world: World) -> None:
    fixed = {"id", "at", "kind", "amount_minor", "currency", "latitude", "longitude"}
    told = {"credit_score", "social_event", "label", "known_at"}
    assert set(world.events.column_names) == fixed | told | set(ENTITIES)
    assert set(_texts(world.events, "kind")) == {str(k) for k in KINDS if k is not Kind.LABEL}
    assert len(pc.unique(world.events["id"])) == world.events.num_rows


def test_rows_are_in_order_of_time_inside_the_months(world: World) -> None:
    at = np.asarray(world.events["at"])
    assert (np.diff(at.astype(np.int64)) >= 0).all()
    assert at[0] >= np.datetime64("2024-12-31T23:00")  # midnight of 1 January in Berlin
    assert at[-1] < np.datetime64("2025-06-30T22:00")


def test_the_same_settings_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    settings = WorldSettings(transactions=5_000, months=2, seed=3)
    for name in ("a", "b"):
        write_world(make_world(settings), tmp_path / name)
    for file in ("world.parquet", "truth.parquet", "settings.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    other = make_world(WorldSettings(transactions=5_000, months=2, seed=4))
    assert not other.events.equals(make_world(settings).events)


def test_the_ready_spec_reads_it_without_a_problem(world: World, tmp_path: Path) -> None:
    write_world(world, tmp_path)
    table = read(tmp_path / "world.parquet", load("world"))
    assert not table.problems
    assert table.rows_bad == 0
    assert len(table) == 60_000
    assert len(table.batch) == world.events.num_rows
    assert (table.known_at[table.label >= 0] > table.at[table.label >= 0]).all()


def test_the_spec_has_five_stages_and_at_most_ninety_features() -> None:
    spec = load("world")
    assert len(spec.stages) == 5
    assert len(spec.features) <= 90


def test_fraud_is_as_frequent_as_asked_and_every_kind_is_there(world: World) -> None:
    ids = set(_texts(_payments(world), "id"))
    kinds = [k for i, k in zip(_texts(world.truth, "id"), _texts(world.truth, "kind"), strict=True) if i in ids]
    assert len(kinds) / 60_000 == pytest.approx(0.008, rel=0.05)
    assert set(kinds) == set(FRAUD_KINDS)


def test_labels_come_late_some_never_some_wrong(world: World) -> None:
    paid = _payments(world)
    fraud = np.isin(_texts(paid, "id"), _texts(world.truth, "id"))
    label = np.asarray(paid["label"].fill_null(-1))
    assert 0.01 < (label == -1).mean() < 0.06
    assert 0 < ((label == 0) & fraud).sum() < 0.1 * fraud.sum()
    assert 0 < ((label == 1) & ~fraud).sum() < 0.2 * fraud.sum()
    known = label >= 0
    late = np.asarray(paid["known_at"].filter(pa.array(known))) - np.asarray(paid["at"].filter(pa.array(known)))
    days = late / np.timedelta64(1, "D")
    assert days.min() > 0.4
    assert 5 < np.median(days) < 25
    assert np.quantile(days, 0.99) > 40


def test_people_have_days_and_weeks_and_holidays(world: World) -> None:
    paid = _payments(world)
    local = pc.assume_timezone(pc.local_timestamp(paid["at"].cast(pa.timestamp("us", "Europe/Berlin"))), "UTC")
    hours = np.bincount(np.asarray(pc.hour(local)), minlength=24)
    assert hours[2:5].sum() * 4 < hours[16:19].sum()
    shops = np.asarray(pc.equal(paid["channel"].cast(pa.string()), "shop"))
    weekday = np.bincount(np.asarray(pc.day_of_week(local))[shops], minlength=7)
    assert weekday[5] > 1.3 * weekday[1]
    day = np.bincount(np.asarray(pc.day_of_year(local))[shops], minlength=182)
    assert day[121] < 0.75 * np.median(day[114:129])  # 1 May


def test_accounts_have_their_own_hours(world: World) -> None:
    """A payment's hour is nearer to its account's other hours than to anybody's: what a borrowed rhythm betrays."""
    paid = _payments(world)
    account = np.unique(_texts(paid, "account"), return_inverse=True)[1]
    hour = np.asarray(pc.hour(paid["at"])).astype(float)
    night = (hour < 5).astype(float)
    share = np.bincount(account, night) / np.maximum(np.bincount(account), 1)
    by_chance = night.mean() * (1 - night.mean()) / np.bincount(account).mean()
    assert share.var() > 5 * by_chance


def test_payees_are_often_accounts_of_the_same_bank(world: World) -> None:
    paid = _payments(world)
    payee = paid["payee"].drop_null().cast(pa.string())
    inside = pc.is_in(payee, value_set=pc.unique(paid["account"].cast(pa.string())))
    assert 0.35 < np.asarray(inside).mean() < 0.95


def test_names_do_not_tell_who_is_a_thief(world: World) -> None:
    """Devices are numbered at random: fraudulent ones are not the last that were made."""
    paid = _payments(world).filter(pc.is_valid(_payments(world)["device"]))
    number = np.array([int(d[1:]) for d in _texts(paid, "device")])
    fraud = np.isin(_texts(paid, "id"), _texts(world.truth, "id"))
    middle = number.max() / 2
    assert abs((number[fraud] > middle).mean() - 0.5) < 0.2


def test_settings_outside_their_range_are_refused_with_the_field() -> None:
    with pytest.raises(BadInput, match="transactions"):
        WorldSettings(transactions=10)
    with pytest.raises(BadInput, match="months"):
        WorldSettings(months=0)
    with pytest.raises(BadInput, match="fraud_rate"):
        WorldSettings(fraud_rate=0.5)


def test_the_steps_are_told_in_their_order(tmp_path: Path) -> None:
    told: list[str] = []
    write_world(make_world(WorldSettings(transactions=2_000, months=1), told.append), tmp_path, told.append)
    assert tuple(told) == STEPS


def test_a_small_world_is_made_in_two_seconds_of_cpu() -> None:
    began = time.process_time()
    make_world(WorldSettings(transactions=20_000))
    assert time.process_time() - began < 2


@pytest.mark.slow
def test_a_million_payments_are_made_and_written_in_thirty_seconds_of_one_core(tmp_path: Path) -> None:
    began = time.process_time()
    write_world(make_world(WorldSettings(transactions=1_000_000)), tmp_path)
    assert time.process_time() - began < 30


def test_the_command_writes_the_world_and_says_that_it_is_made(tmp_path: Path) -> None:
    out = tmp_path / "here"
    done = CliRunner().invoke(command, ["--out", str(out), "--transactions", "3000", "--months", "2", "--seed", "9"])
    assert done.exit_code == 0, done.output
    assert MADE in done.output
    assert "3,000 payments" in done.output
    assert "tocsin learn" in done.output
    assert {f.name for f in out.iterdir()} == {"world.parquet", "truth.parquet", "settings.json"}
    assert MADE in (out / "settings.json").read_text()
