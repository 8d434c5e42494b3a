"""The spec file: what it says is what is read, and whatever is wrong with it is said in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin import spec
from tocsin.errors import BadSpec

LEAST = '[columns]\nat = "t"\namount = "a"\naccount = "w"\n'


def test_the_least_spec_has_sensible_readings() -> None:
    got = spec.parse(LEAST)
    assert (got.name, got.currency, got.amount_unit, got.minor_units) == ("spec", "EUR", "major", 100)
    assert (got.time.zone, got.time.zone_given, got.time.epoch) == ("UTC", False, None)
    assert got.label == spec.LabelReading()
    assert (got.key_names, got.number_names, got.stages) == (("account",), (), ())
    assert got.idle_expiry == timedelta(days=400)


def test_everything_said_is_read() -> None:
    got = spec.parse(
        """
name = "mine"
about = "ours"
[columns]
at = "t"
amount = "a"
account = "w"
card = "c"
latitude = "lat"
social_event = "s"
numbers = { age = "AGE" }
keys = ["job"]
[time]
zone = "Asia/Tokyo"
epoch = 2018-04-01T00:00:00+02:00
unit = "1ms"
[money]
currency = "JPY"
unit = "minor"
[label]
level = "account"
fraud = ["yes", 1.0]
genuine = "no"
unknown = [2]
known_after = "2w"
[[join]]
file = "b.csv"
left = "w"
right = "id"
[[stage]]
name = "one"
columns = ["amount", "hour", "job"]
[[stage]]
features = ["odd = deviation of amount by card over 90d", "count of age by card over 1d, 7d where odd > 3 and hour <= 6"]
[memory]
idle = "10d"
ceiling_mb = 100
""",
        name="other",
    )
    assert (got.name, got.about, got.currency, got.amount_unit, got.minor_units) == ("mine", "ours", "JPY", "minor", 1)
    assert got.time == spec.TimeReading(
        "Asia/Tokyo", datetime(2018, 3, 31, 22, tzinfo=UTC), timedelta(milliseconds=1), None, True
    )
    assert got.label == spec.LabelReading("account", ("yes", "1"), ("no",), ("2",), timedelta(weeks=2))
    assert got.joins == (spec.Join("b.csv", "w", "id"),)
    assert got.key_names == ("account", "card", "social_event", "job")
    assert got.number_names == ("latitude", "age")
    assert [s.name for s in got.stages] == ["one", "stage 2"]
    assert [f.span for f in got.features] == [timedelta(days=90), timedelta(days=1), timedelta(days=7)]
    assert (got.idle_expiry, got.memory_ceiling_mb) == (timedelta(days=10), 100)


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ("[columns", None, "must be TOML"),
        ("[colums]", None, "Did you mean 'columns'"),
        ("columns = 3", "columns", r"\[columns\]"),
        ('[columns]\nat = "t"', "columns", 'amount = "YOUR_COLUMN"'),
        ('[columns]\nacount = "t"', None, "Did you mean 'account' or 'amount'"),
        ("[columns]\nat = 3", "columns.at", "name of a column"),
        (LEAST + "numbers = 3", "columns.numbers", "list of columns"),
        (LEAST + 'numbers = ["hour"]', "columns", "word of its own"),
        (LEAST + '[time]\nzone = "Paris"', "time.zone", "Europe/Paris"),
        (LEAST + '[time]\nzone = "../etc"', "time.zone", "IANA"),
        (LEAST + '[time]\nepoch = "once"', "time.epoch", "2018-04-01T00:00:00Z"),
        (LEAST + "[time]\nepoch = 2018-04-01T00:00:00", "time.epoch", "zone"),
        (LEAST + '[time]\nunit = "day"', "time.unit", "span"),
        (LEAST + '[time]\nunit = "0s"', "time.unit", "longer than nothing"),
        (LEAST + '[time]\nformat = "%Y %z"', "time.format", "ISO 8601"),
        (LEAST + '[money]\ncurrency = "EURO"', "money.currency", "ISO 4217"),
        (LEAST + '[money]\nunit = "cents"', "money.unit", "minor"),
        (LEAST + '[money]\ndecimal = ";"', "money.decimal", r"1\.234,56"),
        (LEAST + '[label]\nlevel = "card"', "label.level", "account"),
        (LEAST + "[label]\nfraud = [0]", "label", "stands twice"),
        (LEAST + '[label]\nknown_after = "99999w"', "label.known_after", "century"),
        ('[columns]\nat = "t"\namount = "a"\n[label]\nlevel = "account"', "label.level", "need a column for account"),
        (LEAST + '[[join]]\nfile = "x"', "join", "left and right"),
        (LEAST + "[stage]\n", "stage", r"\[\[stage\]\]"),
        (LEAST + "[[stage]]\ncolumns = 5", "stage.columns", "list of texts"),
        (LEAST + '[[stage]]\ncolumns = ["amont"]', "stage.columns", "Did you mean 'amount'"),
        (LEAST + '[[stage]]\ncolumns = ["amount"]\n[[stage]]\ncolumns = ["amount"]', "stage.columns", "one stage"),
        (LEAST + '[[stage]]\nfeatures = ["count of amount by card over 1d"]', "features", "groups by 'card'"),
        (LEAST + '[[stage]]\nfeatures = ["mean of acount by account over 1d"]', "features", "Did you mean 'amount'"),
        (LEAST + '[[stage]]\nfeatures = ["sum of account by account over 1d"]', "features", "cannot be taken of"),
        (LEAST + '[[stage]]\nfeatures = ["distance of amount by account"]', "features", "There are: place"),
        (LEAST + '[[stage]]\nfeatures = ["hour = since of amount by account"]', "features", "taken"),
        (
            LEAST + '[[stage]]\nfeatures = ["count of amount by account over 1d where odd > 3"]',
            "features",
            "named above",
        ),
        (
            LEAST + '[[stage]]\nfeatures = ["since of amount by account", "since of amount by account"]',
            "features",
            "taken",
        ),
        (LEAST + "[memory]\nceiling_mb = 0.5", "memory.ceiling_mb", "above 0"),
        (LEAST + '[memory]\nidle = "long"', "memory.idle", "7d"),
        (LEAST + "[history]", "history.by", 'such as "account"'),
        (LEAST + "[history]\nby = 3", "history.by", "got 3"),
        (LEAST + '[history]\nby = "acount"', "history.by", "Did you mean 'account'"),
        (LEAST + '[history]\nby = "amount"', "history.by", "entity or a category"),
        (LEAST + '[history]\nby = "account"\nkind = "channel"', "history.kind", "got 'channel'"),
        (LEAST + '[history]\nby = "account"\nkind = ["account", 3]', "history.kind", "up to 4 columns"),
        (LEAST + f'[history]\nby = "account"\nkind = {["account"] * 5}', "history.kind", "up to 4 columns"),
        (LEAST + '[history]\nby = "account"\nlength = 0', "history.length", "from 1 to 64"),
        (LEAST + '[history]\nby = "account"\nlength = 65', "history.length", "got 65"),
        (LEAST + '[history]\nby = "account"\nlength = true', "history.length", "got True"),
        (LEAST + '[history]\nby = "account"\nlenght = 5', None, "Did you mean 'length'"),
    ],
)
def test_what_is_wrong_is_said(text: str, field: str | None, words: str) -> None:
    with pytest.raises(BadSpec, match=words) as caught:
        spec.parse(text)
    assert caught.value.field == field


def test_a_history_names_whose_payments_and_what_kind_they_are() -> None:
    assert spec.parse(LEAST).history is None
    assert spec.parse(LEAST + '[history]\nby = "account"').history == spec.History("account", (), 32)
    one = spec.parse(LEAST + '[history]\nby = "account"\nkind = "account"\nlength = 64').history
    assert one == spec.History("account", ("account",), 64)
    keyed = LEAST.replace("[columns]", '[columns]\nchannel = "c"\nkeys = ["trade"]')
    several = spec.parse(keyed + '[history]\nby = "account"\nkind = ["trade", "channel"]\nlength = 1').history
    assert several == spec.History("account", ("trade", "channel"), 1)


ATOMS = st.one_of(
    st.integers(-5, 5),
    st.floats(allow_nan=False),
    st.booleans(),
    st.datetimes(),
    st.sampled_from(["", "amount", "account", "t", "1d", "UTC", "EUR", "major", "count of amount by account over 1d"]),
)
KEYS = st.sampled_from(
    "name columns time money label join stage memory at amount account numbers zone epoch unit format currency level "
    "fraud known_after file left right features idle ceiling_mb keys about x".split()
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    ATOMS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=10,
)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=5), st.booleans())
def test_no_file_gets_more_than_a_refusal(tables: dict[str, Any], whole: bool) -> None:
    if whole:
        tables = {**tables, "columns": {"at": "t", "amount": "a", "account": "w"}}
    try:
        got = spec.parse(tomli_w.dumps(tables))
    except BadSpec as error:
        assert error.message[-1] in ".;" or error.message.endswith("`")  # noqa: PT017
    else:
        assert {"at", "amount"} <= set(got.columns)


def test_a_spec_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(LEAST)
    assert spec.load(tmp_path / "mine.toml").name == "mine"
    assert spec.load("handbook").name == "handbook"
    with pytest.raises(BadSpec, match="Did you mean 'handbook'"):
        spec.load("handbok")
    with pytest.raises(BadSpec, match=r"Ready ones: .*handbook"):
        spec.load(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'name = "\xfc"')
    with pytest.raises(BadSpec, match="UTF-8"):
        spec.load(tmp_path / "latin.toml")


@pytest.mark.parametrize("name", spec.ready())
def test_a_ready_spec_says_what_it_is_and_has_stages(name: str) -> None:
    got = spec.load(name)
    assert got.name == name
    assert len(got.about) > 20
    assert len(got.stages) >= 2
    assert "amount" in got.stages[0].columns
    assert spec.parse(got.text) == got
