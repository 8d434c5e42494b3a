"""Money, times and odds as an analyst reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import log
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.desk.web import words
from tocsin.schema import StageShare

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
PARIS = ZoneInfo("Europe/Paris")


def spaced(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (248_000, "EUR", "€ 2,480.00"),
        (5, "EUR", "€ 0.05"),
        (-120, "USD", "−$ 1.20"),
        (900, "JPY", "¥ 900"),
        (1_250, "KWD", "KWD 1.250"),
        (10**15, "EUR", "€ 10,000,000,000,000.00"),
    ],
)
def test_money_to_the_last_minor_unit(minor: int, currency: str, text: str) -> None:
    assert spaced(words.money(minor, currency)) == text


def test_money_that_is_an_estimate_has_no_cents() -> None:
    assert spaced(words.about(203_849, "EUR")) == "€ 2,038"
    assert spaced(words.about(203_850, "EUR")) == "€ 2,039"
    assert spaced(words.about(900, "JPY")) == "¥ 900"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_800, "2 h 10"), (3 * 86_400, "3 days"), (2_200 * 86_400, "6 years")],
)
def test_spans(seconds: int, text: str) -> None:
    assert spaced(words.span(seconds)) == text


def test_a_deadline_that_has_passed_says_late() -> None:
    assert spaced(words.due(NOW + timedelta(minutes=48), NOW)) == "48 min"
    assert spaced(words.due(NOW - timedelta(minutes=9), NOW)) == "late 9 min"


def test_times_are_told_in_the_desks_zone() -> None:
    assert words.clock(NOW - timedelta(hours=1), NOW, PARIS) == "12:00"
    assert words.clock(NOW - timedelta(hours=14), NOW, PARIS) == "yesterday"  # 23:00 in Paris
    assert words.clock(NOW - timedelta(days=30), NOW, PARIS) == "1 Feb"
    assert words.clock(NOW - timedelta(days=300), NOW, PARIS) == "7 May 2025"
    assert words.when(NOW - timedelta(hours=1), NOW, PARIS) == "12:00"
    assert words.when(NOW - timedelta(hours=14), NOW, PARIS) == "yesterday 23:00"
    assert words.exact(NOW, PARIS) == "2026-03-03 13:00:00 CET"


@pytest.mark.parametrize(
    ("factor", "text"),
    [(1, "no change"), (1.04, "× 1.04"), (1.8, "× 1.8"), (31, "× 31"), (1_933, "× 1,933"), (1 / 1.7, "÷ 1.7")],
)
def test_odds(factor: float, text: str) -> None:
    assert spaced(words.odds(log(factor))) == text


def test_the_base_rate_in_words() -> None:
    assert spaced(words.one_in(-log(419))) == "1 in 420"
    assert spaced(words.one_in(0.0)) == "50 in 100"
    assert spaced(words.hundred(0.004)) == "fewer than 1 in 100"
    assert spaced(words.hundred(0.9999)) == "more than 99 in 100"


deltas = st.lists(st.one_of(st.none(), st.floats(-30, 30)), min_size=1, max_size=7)


@given(st.floats(-12, 3), deltas)
def test_bars_stand_on_one_scale_and_come_to_their_product(base: float, shares: list[float | None]) -> None:
    stages = tuple(StageShare(stage=f"s{place}", delta=delta) for place, delta in enumerate(shares))
    drawn = words.bars(base, stages)
    total = sum(delta for delta in shares if delta is not None)
    assert drawn.product == words.odds(total)
    asked = [(bar, delta) for bar, delta in zip(drawn.bars, shares, strict=True) if delta is not None]
    for bar, delta in asked:
        assert -1e-6 <= bar.left <= 100 + 1e-6
        assert bar.left + bar.width <= 100 + 1e-6
        start = bar.left if delta >= 0 else bar.left + bar.width
        assert start == pytest.approx(drawn.zero)  # right of "no change" when more suspicious, left when less
        scale = next(((x - drawn.zero) for x, word in drawn.ticks if word == "×10"), None)
        if scale:
            assert bar.width == pytest.approx(abs(delta) / log(10) * scale)
    assert [bar.asked for bar in drawn.bars] == [delta is not None for delta in shares]


def test_a_long_text_is_cut_at_a_word() -> None:
    assert words.short("as long as it may be", 20) == "as long as it may be"
    assert words.short("much longer, than it may be", 20) == "much longer, than …"
    assert words.short("x" * 30, 20) == "x" * 20 + " …"


def test_huge_and_tiny_odds_stay_words() -> None:
    drawn = words.bars(-700.0, (StageShare(stage="a", delta=900.0), StageShare(stage="b", delta=-5000.0)))
    assert "inf" not in drawn.product


def test_an_amount_stays_beside_its_sign() -> None:
    told = words.unbroken("an amount of € 9,417, £ 12 at 16:36 and € or $ alone")
    assert told == "an amount of €\u00a09,417, £\u00a012 at 16:36 and € or $ alone"


def test_money_is_written_alike_in_every_sentence() -> None:
    from tocsin.artifact.words import money as in_reasons
    from tocsin.schema import say_money

    for currency in ("EUR", "USD", "GBP", "JPY", "INR", "KRW", "CHF"):
        beginning = say_money(100_000, currency).split(" ")[0]
        assert spaced(words.money(100_000, currency)).startswith(f"{beginning} ")
        assert spaced(words.about(100_000, currency)).startswith(f"{beginning} ")
        assert in_reasons(1_000.0, currency) == f"{beginning} 1,000"
        assert " " not in words.unbroken(say_money(100_000, currency)) or beginning == "CHF"
