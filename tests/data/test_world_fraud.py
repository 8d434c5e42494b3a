"""Each kind of fraud of the made world shows its planted mark, and honest life shows some like it."""

from __future__ import annotations

import polars as pl
import pytest

from tocsin.data.world import WorldSettings, make_world
from tocsin.data.world_life import TELLING_ORDER
from tocsin.data.world_people import KIND_NAMES

ORDER = [KIND_NAMES[code] for code in TELLING_ORDER]


WORLD = WorldSettings(transactions=120_000, seed=11)


def _of(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    found = frame.filter(pl.col("fraud") == kind)
    assert len(found) > 20, kind
    return found


def _honest(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("fraud").is_null())


def _minutes(column: str) -> pl.Expr:
    return pl.col(column).dt.total_seconds() / 60


def test_stolen_cards_are_tried_with_small_amounts_then_emptied(paid: pl.DataFrame) -> None:
    episodes = _of(paid, "card_testing").group_by("episode", maintain_order=True).agg("euros", "card", "at")
    whole = episodes.filter(pl.col("euros").list.len() >= 5)
    assert whole["euros"].list.head(2).list.max().max() <= 4.0
    assert (whole["euros"].list.max() > 60).mean() > 0.95
    assert (whole["card"].list.n_unique() == 1).all()
    online = _honest(paid).filter((pl.col("channel") == "online") & (pl.col("euros") < 4))
    assert len(online) > 10 * len(episodes), "honest people also pay small amounts on the internet"


def test_honest_people_have_runs_of_small_payments_too(paid: pl.DataFrame) -> None:
    games = _honest(paid).filter(pl.col("retailer_kind").is_in(["digital_goods", "gaming"])).sort("account", "at")
    gap = _minutes("gap")
    runs = games.with_columns((pl.col("at") - pl.col("at").shift(2).over("account")).alias("gap")).filter(gap < 15)
    assert len(runs) > 100


def test_takeover_comes_with_new_tools_and_is_announced(rows: pl.DataFrame, paid: pl.DataFrame) -> None:
    taken = _of(paid, "takeover")
    earlier = _honest(paid).select("account", "device").unique()
    assert len(taken.join(earlier, on=["account", "device"], how="semi")) == 0, "the device is new to the account"
    told = rows.filter((pl.col("fraud") == "takeover") & (pl.col("kind") != "payment"))
    assert {"sign_in", "password_change", "new_device", "new_payee"} == set(told["kind"])
    first = taken.group_by("episode").agg(pl.col("at").min())
    signed = told.filter(pl.col("kind") == "sign_in").group_by("episode").agg(pl.col("at").min())
    signed = signed.join(first, on="episode", suffix="_first")
    assert (signed["at"] < signed["at_first"]).all()
    assert taken["payee"].is_in(paid["account"].unique().implode()).all(), "the money goes to a mule of this bank"


def test_honest_people_change_phones_and_pay_new_payees_at_once(rows: pl.DataFrame) -> None:
    honest = _honest(rows)
    phone = honest.filter(pl.col("kind") == "new_device").select("account", changed="at")
    sent = honest.filter(pl.col("kind") == "new_payee").join(phone, on="account")
    after = (pl.col("at") - pl.col("changed")).dt.total_hours()
    assert len(sent.filter(after.is_between(0, 48))) > 10


def test_a_borrowed_rhythm_keeps_the_tools_and_changes_the_hours(paid: pl.DataFrame) -> None:
    borrowed = _of(paid, "borrowed_rhythm")
    own = _honest(paid).filter(pl.col("device").is_not_null()).select("account", "device").unique()
    assert len(borrowed.join(own, on=["account", "device"], how="semi")) > 0.9 * len(borrowed)
    local = pl.col("at").dt.convert_time_zone("Europe/Berlin").dt.hour()

    def hours(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select("account", hour=local)

    usual = hours(_honest(paid)).join(borrowed.select("account").unique(), on="account", how="semi")
    near = usual.group_by("account").agg(pl.col("hour"))
    compared = hours(borrowed).join(near, on="account").explode("hour_right")
    gap = (pl.col("hour") - pl.col("hour_right")).abs()
    circle = pl.min_horizontal(gap, 24 - gap)
    itself = usual.join(near, on="account").explode("hour_right").select(circle.mean()).item()
    assert compared.select(circle.mean()).item() > itself + 0.4


def test_the_telling_order_is_kept_and_each_payment_is_ordinary(paid: pl.DataFrame) -> None:
    told = _of(paid, "telling_order")
    for kinds in told.group_by("episode", maintain_order=True).agg("retailer_kind")["retailer_kind"]:
        assert kinds.to_list() == [ORDER[i % 4] for i in range(len(kinds))]
    usual = _honest(paid).filter(pl.col("retailer_kind").is_in(ORDER))
    for kind in ORDER:
        fraud = told.filter(pl.col("retailer_kind") == kind)["euros"].median()
        honest = usual.filter(pl.col("retailer_kind") == kind)["euros"].median()
        assert fraud == pytest.approx(honest, rel=0.5)


def test_honest_people_visit_the_same_retailers_in_other_orders(paid: pl.DataFrame) -> None:
    honest = _honest(paid).filter(pl.col("card").is_not_null()).sort("card", "at")
    for step in range(1, 4):
        honest = honest.with_columns(
            pl.col("retailer_kind").shift(step).over("card").alias(f"kind_{step}"),
            pl.col("at").shift(step).over("card").alias(f"at_{step}"),
        )
    last = pl.concat_list("kind_3", "kind_2", "kind_1", "retailer_kind")
    quick = honest.drop_nulls("kind_3").filter((pl.col("at") - pl.col("at_3")).dt.total_hours() < 10)
    rounds = quick.filter(last.list.n_unique() == 4, last.list.eval(pl.element().is_in(ORDER)).list.all())
    orders = rounds.select(last.list.join(">").alias("order"))["order"]
    assert orders.n_unique() >= 20
    in_fraud = paid.filter(pl.col("fraud") == "telling_order")["episode"].n_unique()
    assert len(orders) > in_fraud


def _speeds(paid: pl.DataFrame) -> pl.DataFrame:
    """Kilometres an hour since the card's last place."""
    lat, lon = pl.col("latitude").radians(), pl.col("longitude").radians()
    before_lat, before_lon = lat.shift(1).over("card"), lon.shift(1).over("card")
    h = ((lat - before_lat) / 2).sin().pow(2) + lat.cos() * before_lat.cos() * ((lon - before_lon) / 2).sin().pow(2)
    hours = (pl.col("at") - pl.col("at").shift(1).over("card")).dt.total_seconds() / 3600
    placed = paid.filter(pl.col("card").is_not_null() & pl.col("latitude").is_not_null())
    return placed.with_columns((2 * 6371 * h.sqrt().arcsin() / hours).alias("speed"))


def test_impossible_travel_is_faster_than_any_plane_and_honest_cards_sometimes_are_too(paid: pl.DataFrame) -> None:
    fast = _speeds(paid)
    copied = _of(fast, "impossible_travel").group_by("episode", maintain_order=True).agg(pl.col("speed").first())
    assert (copied["speed"] > 900).all()
    honest = _honest(fast).drop_nulls("speed")
    share = (honest["speed"] > 900).mean()
    assert 0.0005 < share < 0.02
    assert (honest["speed"] > 900).sum() > len(copied)


def test_compromised_retailers_are_a_few_and_their_fraud_lies_in_some_weeks(paid: pl.DataFrame) -> None:
    found = (
        _of(paid, "compromised_retailer")
        .group_by("episode")
        .agg(
            pl.col("retailer").n_unique(),
            pl.col("account").n_unique().alias("victims"),
            pl.len(),
            (pl.col("at").max() - pl.col("at").min()).dt.total_days().alias("days"),
        )
    )
    assert (found["retailer"] == 1).all()
    assert found["days"].max() <= 62
    assert (found["victims"] > 0.5 * found["len"]).all()
    there = _of(paid, "compromised_retailer").select("retailer").unique()
    assert len(_honest(paid).join(there, on="retailer", how="semi")) > 0, "its other customers are honest"


def test_persuaded_owners_use_their_own_tools_and_a_new_payee(paid: pl.DataFrame) -> None:
    pushed = _of(paid, "authorised_push")
    own = _honest(paid).filter(pl.col("device").is_not_null()).select("account", "device").unique()
    assert len(pushed.join(own, on=["account", "device"], how="semi")) > 0.85 * len(pushed)
    paid_before = _honest(paid).select("account", "payee").drop_nulls().unique()
    assert len(pushed.join(paid_before, on=["account", "payee"], how="semi")) < 0.1 * len(pushed)
    assert (pushed["amount_minor"] % 5_000 == 0).all()


def test_fraud_drifts_over_the_months_and_can_be_held_still() -> None:
    def late_share(drift: float) -> float:
        world = make_world(WorldSettings(transactions=100_000, seed=2, drift=drift, fraud_rate=0.05))
        truth = pl.DataFrame(world.truth).with_columns(pl.col("kind").cast(pl.String))
        tested = truth.filter((pl.col("kind") == "card_testing") & pl.col("id").str.starts_with("t"))
        number = tested["id"].str.slice(1).cast(pl.Int64)
        return float((number > 50_000).mean())

    assert late_share(1.0) < late_share(0.0) - 0.05


def test_nothing_gives_fraud_away_by_being_absent(paid: pl.DataFrame) -> None:
    """Missing values are as usual among frauds of a channel as among honest payments of it, within a factor of three."""
    for column in ("device", "ip", "card", "latitude"):
        for channel in ("online", "transfer"):
            here = paid.filter(pl.col("channel") == channel)
            honest = _honest(here)[column].is_null().mean()
            fraud = here.filter(pl.col("fraud").is_not_null())[column].is_null().mean()
            assert fraud <= 3 * honest + 1e-9, (column, channel)
            assert honest <= 3 * fraud + 1e-9, (column, channel)


def test_fraud_through_the_banks_own_door_signs_in_as_honest_people_do(rows: pl.DataFrame) -> None:
    """A sign-in shortly before a transfer is as usual among frauds as among honest payments; its absence tells nothing."""
    signed = rows.filter(pl.col("kind") == "sign_in").select("account", "device", "at", signed="at").sort("at")
    sent = rows.filter((pl.col("channel") == "transfer") & pl.col("device").is_not_null()).sort("at")
    joined = sent.join_asof(signed, on="at", by=["account", "device"], check_sortedness=False)
    recent = (pl.col("at") - pl.col("signed")).dt.total_minutes() < 10
    honest = joined.filter(pl.col("fraud").is_null()).select(recent.fill_null(False).mean()).item()
    fraud = joined.filter(pl.col("fraud").is_not_null()).select(recent.fill_null(False).mean()).item()
    assert fraud > 0.6 * honest  # a company that pays its people signs in once for many
