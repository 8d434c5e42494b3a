"""Rates: exact, to the even cent, the same one by one and in columns."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import BadInput
from tocsin.money import Rates
from tocsin.schema import exponent_of

RATES = 'base = "EUR"\ndate = 2026-03-01\n[rates]\nUSD = 0.92\nJPY = 0.0061\nKWD = 3\n'


def load(folder: Path, text: str) -> Rates:
    path = folder / "rates.toml"
    path.write_text(text)
    return Rates.load(path)


def test_a_rates_file_is_read_exactly(tmp_path: Path) -> None:
    rates = load(tmp_path, RATES)
    assert (rates.base, rates.day, rates.of["JPY"]) == ("EUR", date(2026, 3, 1), Fraction(61, 10_000))
    assert rates.to_base(1000, "USD") == 920
    assert rates.to_base(1000, "JPY") == 610
    assert rates.to_base(1000, "KWD") == 300  # one dinar has 1000 fils
    assert rates.to_base(7, "EUR") == 7
    assert (rates.knows("USD"), rates.knows("EUR"), rates.knows("CHF")) == (True, True, False)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("base = 5", "another shape"),
        ("[rates]\nUSD = 1", "another shape"),
        ("base = 'EUR'\nrate = 1", "'rate'"),
        ("base = 'EURO'", "ISO 4217"),
        ("base = 'EUR'\n[rates]\nUSD = -1", "above 0"),
        ("base = 'EUR'\n[rates]\nUSD = inf", "above 0"),
        ("base = 'EUR'\n[rates]\nUSD = nan", "above 0"),
        ("base = 'EUR'\n[rates]\nUSD = 'much'", "above 0"),
        ("base = 'EUR'\n[rates]\ndollar = 1", "ISO 4217"),
        ("base = 'EUR'\ndate = 'today'", "without quotes"),
        ("base = ", "TOML"),
    ],
)
def test_a_wrong_rates_file_says_what_is_wrong(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        load(tmp_path, text)


def test_no_file_and_no_rate_say_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="readable"):
        Rates.load(tmp_path / "none.toml")
    with pytest.raises(BadInput, match=r"CHF = 0.92 under \[rates\]"):
        load(tmp_path, RATES).to_base(1, "CHF")


@given(
    st.lists(st.integers(0, 10**15), min_size=1, max_size=20),
    st.sampled_from(["USD", "JPY", "KWD", "EUR"]),
    st.decimals(Decimal("0.000001"), Decimal(1000), places=6),
)
def test_columns_equal_one_by_one_and_decimals(amounts: list[int], currency: str, rate: Decimal) -> None:
    rates = Rates("EUR", {} if currency == "EUR" else {currency: Fraction(rate)})
    own = Decimal(1) if currency == "EUR" else rate
    many = rates.all_to_base(np.array(amounts, np.int64), currency).tolist()
    assert many == [rates.to_base(a, currency) for a in amounts]
    digits = 2 - exponent_of(currency)
    exact = [int((a * own).scaleb(digits).quantize(Decimal(1), ROUND_HALF_EVEN)) for a in amounts]
    assert many == exact
