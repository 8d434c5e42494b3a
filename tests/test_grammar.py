"""One line is one statistic: its parts, its names, its refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import BadSpec
from tocsin.grammar import DECAYED, SPANNED, STATISTICS, UNSPANNED, Condition, parse_feature, parse_span, say_span


def test_every_part_of_a_line_is_read() -> None:
    line = "hot = sum of amount by payee[account]+card over 1h, 2w delayed 7d where odd >= -3.5 and hour < 6  # why"
    one, two = parse_feature(line)
    assert (one.name, two.name) == ("hot_1h", "hot_14d")
    assert (one.statistic, one.column) == ("sum", "amount")
    assert (one.store, one.by) == (("payee", "card"), ("account", "card"))
    assert (one.span, two.span, one.delay) == (timedelta(hours=1), timedelta(weeks=2), timedelta(days=7))
    assert one.where == (Condition("odd", ">=", -3.5), Condition("hour", "<", 6.0))


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("count of amount by card over 1h, 7d", ["count_amount_by_card_1h", "count_amount_by_card_7d"]),
        ("novelty of device by account", ["novelty_device_by_account"]),
        ("odd = deviation of amount by account over 90d", ["odd"]),
        ("share of fraud by retailer over 1d delayed 7d", ["share_fraud_by_retailer_delayed_7d_1d"]),
        ("max of amount by card over 60s where hour == 3", ["max_amount_by_card_where_hour_eq_3_1m"]),
    ],
)
def test_names_follow_from_the_line(line: str, names: list[str]) -> None:
    assert [f.name for f in parse_feature(line)] == names


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("count amount by card over 1d", "must read"),
        ("cuont of amount by card over 1d", "Did you mean 'count'"),
        ("count of amount by card", "needs `over SPANS`"),
        ("novelty of device by card over 1d", "takes no `over`"),
        ("count of amount by card over soon", "span"),
        ("count of amount by card over 1d where odd ~ 3", "NAME OP NUMBER"),
        ("count of amount by card[ over 1d", "STORED"),
        ("count of amount by card over 1d delayed later", "span"),
        ("", "must read"),
    ],
)
def test_a_wrong_line_says_what_is_wrong(line: str, words: str) -> None:
    with pytest.raises(BadSpec, match=words):
        parse_feature(line)


@given(st.text(max_size=60))
def test_any_text_is_a_feature_or_a_refusal(text: str) -> None:
    for line in (text, f"count of amount by card over {text}", f"count of amount by card over 1d where {text}"):
        try:
            assert parse_feature(line)
        except BadSpec:
            continue


@given(st.integers(1, 10**6), st.sampled_from("smhdw"))
def test_a_span_said_is_the_span_read(count: int, unit: str) -> None:
    try:
        span = parse_span(f"{count}{unit}")
    except BadSpec as error:
        assert "century" in str(error)  # noqa: PT017
        return
    assert parse_span(say_span(span)) == span


def test_every_statistic_takes_a_span_or_none() -> None:
    assert sorted((*SPANNED, *DECAYED, *UNSPANNED)) == sorted(STATISTICS)
