"""Laundering in the made world is a graph between accounts, and shows its planted marks."""

from __future__ import annotations

import polars as pl

from tocsin.data.world import WorldSettings

THRESHOLD = 10_000


WORLD = WorldSettings(transactions=150_000, seed=21)


def _of(frame: pl.DataFrame, kind: str) -> pl.DataFrame:
    found = frame.filter(pl.col("fraud") == kind)
    assert len(found) > 20, kind
    return found


def test_structured_payments_lie_below_the_threshold_and_honest_ones_do_too(paid: pl.DataFrame) -> None:
    below = _of(paid, "structuring")
    assert below["euros"].max() < THRESHOLD
    assert below["euros"].min() >= 0.85 * THRESHOLD
    per_account = below.group_by("episode").agg(pl.col("account").n_unique(), pl.col("euros").sum(), pl.len())
    assert (per_account["account"] == 1).all()
    assert (per_account.filter(pl.col("len") >= 4)["euros"] > THRESHOLD).all()
    near = paid.filter(
        pl.col("fraud").is_null() & pl.col("euros").is_between(0.86 * THRESHOLD, THRESHOLD, closed="left")
    )
    assert len(near) > 0.3 * len(below)
    assert len(paid.filter(pl.col("fraud").is_null() & (pl.col("euros") > THRESHOLD))) > 0


def test_rings_share_devices_and_addresses_over_two_hops(rows: pl.DataFrame) -> None:
    ring = _of(rows, "mule_ring")
    for _, members in ring.group_by("ring"):
        accounts = members["account"].unique().to_list()
        links = {a: set[str]() for a in accounts}
        direct = 0
        for column in ("device", "ip"):
            for shared in members.select("account", column).unique().group_by(column).agg("account")["account"]:
                for a in shared:
                    links[a] |= set(shared) - {a}
                direct += len(shared) > 1
        assert direct >= 2
        seen, front = {accounts[0]}, {accounts[0]}
        hops = 0
        while front:
            front = {b for a in front for b in links[a]} - seen
            seen |= front
            hops += bool(front)
        assert seen == set(accounts), "the whole ring hangs together"
        assert hops >= 2, "and not by one hop only"


def test_households_share_devices_too(paid: pl.DataFrame) -> None:
    honest = paid.filter(pl.col("fraud").is_null() & pl.col("device").is_not_null())
    shared = honest.group_by("device").agg(pl.col("account").n_unique().alias("n")).filter(pl.col("n") > 1)
    assert len(shared) > 20


def test_mules_pass_on_what_came_in_within_hours(paid: pl.DataFrame) -> None:
    """Most of what victims sent to a mule leaves the mule again within two days, less a fee."""
    stolen = paid.filter(pl.col("fraud").is_in(["takeover", "authorised_push"]) & pl.col("ring").is_not_null())
    onward = _of(paid, "mule_ring").select("account", left="at", out="euros")
    passed = stolen.select("id", "payee", "at", "euros").join(onward, left_on="payee", right_on="account")
    share = pl.col("out") / pl.col("euros")
    hours = (pl.col("left") - pl.col("at")).dt.total_seconds() / 3600
    matched = passed.filter(hours.is_between(0, 48) & share.is_between(0.79, 0.98))["id"].n_unique()
    assert matched > 0.3 * len(_of(paid, "mule_ring"))


def test_fans_gather_and_scatter_within_days(paid: pl.DataFrame) -> None:
    for kind, one, many in (("fan_in", "payee", "account"), ("fan_out", "account", "payee")):
        fans = (
            _of(paid, kind)
            .group_by("episode")
            .agg(
                pl.col(one).n_unique().alias("one"),
                pl.col(many).n_unique().alias("many"),
                pl.len(),
                (pl.col("at").max() - pl.col("at").min()).dt.total_hours().alias("hours"),
            )
        )
        whole = fans.filter(pl.col("len") >= 8)
        assert len(whole) > 0
        assert (fans["one"] == 1).all()
        assert (whole["many"] >= 7).all()
        assert (whole["hours"] <= 96).all()


def test_honest_fans_exist_salaries_and_collections(paid: pl.DataFrame) -> None:
    honest = paid.filter(pl.col("fraud").is_null() & pl.col("payee").is_not_null())
    day = pl.col("at").dt.date().alias("day")
    out = honest.group_by("account", day).agg(pl.col("payee").n_unique().alias("n"))
    into = honest.group_by("payee", pl.col("at").dt.truncate("1w")).agg(pl.col("account").n_unique().alias("n"))
    assert (out["n"] >= 8).sum() > 5
    assert (into["n"] >= 6).sum() > 5


def test_cycles_come_back_to_where_they_began(paid: pl.DataFrame) -> None:
    closed = 0
    for _, hops in _of(paid, "cycle").sort("at").group_by("episode"):
        if len(hops) < 3:
            continue
        assert hops["payee"][:-1].to_list() == hops["account"][1:].to_list(), "each passes on to the next"
        assert (hops["euros"].diff().drop_nulls() < 0).all(), "less a fee"
        closed += hops["payee"][-1] == hops["account"][0]
    assert closed > 0


def test_members_of_rings_have_lower_credit_on_average(rows: pl.DataFrame) -> None:
    members = _of(rows, "mule_ring").select("account").unique()
    scores = rows.filter(pl.col("kind") == "credit_score")
    inside = scores.join(members, on="account", how="semi")["credit_score"].mean()
    outside = scores.join(members, on="account", how="anti")["credit_score"].mean()
    assert inside < outside - 15
