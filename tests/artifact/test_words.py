"""Every statistic of the grammar says something, in the customer's terms, for any value."""

from __future__ import annotations

import math

import pytest

from tocsin import spec as specs
from tocsin.artifact.words import duration, fragment, money, span_words, words
from tocsin.features import compile_plan
from tocsin.grammar import STATISTICS

SPEC = specs.parse(
    """
name = "words"
[columns]
id = "id"
at = "at"
amount = "amount"
account = "account"
card = "card"
device = "device"
ip = "ip"
country = "country"
retailer = "retailer"
retailer_kind = "retailer_kind"
payee = "payee"
latitude = "latitude"
longitude = "longitude"
credit_score = "credit_score"
label = "label"
[columns.numbers]
age_of_contract = "age_of_contract"
[[stage]]
name = "all"
columns = ["amount", "hour", "weekday", "weekend", "night", "country", "credit_score", "age_of_contract"]
features = [
  "count of amount by card over 1h, 1d",
  "count of sign_in by account over 1d",
  "count of fraud by retailer over 30d delayed 7d",
  "count of amount by account over 30d where amount >= 8500",
  "sum of amount by account over 1h",
  "sum of amount by payee[account] over 1d",
  "mean of amount by account over 7d",
  "max of amount by account over 7d",
  "min of amount by account over 7d",
  "std of amount by account over 7d",
  "distinct of account by payee over 3d",
  "distinct of country by account over 1d",
  "share of fraud by retailer over 30d",
  "ratio of amount by account over 30d",
  "deviation of amount by account over 30d",
  "decayed_count of amount by account over 1d",
  "decayed_sum of amount by account over 1d",
  "decayed_mean of amount by account over 1d",
  "since of amount by card",
  "since of password_change by account",
  "since of address_change by account",
  "novelty of device by account",
  "novelty of ip by account",
  "age of device by account",
  "distance of place by account",
  "speed of place by account",
  "last of credit_score by account",
]
"""
)
PLAN = compile_plan(SPEC)


def say(name: str, value: float) -> str:
    return fragment(SPEC, name, value, PLAN.describe(name)).text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("amount", 2480.0, "an amount of € 2,480"),
        ("hour", 3.2, "at 03:12"),
        ("hour", 23.999, "at 00:00"),
        ("weekday", 5.0, "on a Saturday"),
        ("night", 1.0, "at night"),
        ("weekend", 0.0, "not at the weekend"),
        ("country", 17.0, "this country"),
        ("country", 0.0, "no country given"),
        ("credit_score", 540.0, "credit score 540"),
        ("age_of_contract", math.nan, "age of contract not known"),
        ("count_amount_by_card_1h", 2.0, "3rd payment by this card in the last hour"),
        ("count_amount_by_card_1d", 10.0, "11th payment by this card in the last day"),
        ("count_amount_by_card_1d", 0.0, "first payment by this card in the last day"),
        ("count_sign_in_by_account_1d", 1.0, "1 sign-in for this account in the last day"),
        ("count_sign_in_by_account_1d", 4.0, "4 sign-ins for this account in the last day"),
        ("sum_amount_by_account_1h", 2310.0, "€ 2,310 paid by this account in the last hour"),
        ("ratio_amount_by_account_30d", 11.2, "11 times the usual amount of this account"),
        ("ratio_amount_by_account_30d", 2.26, "2.3 times the usual amount of this account"),
        ("ratio_amount_by_account_30d", math.nan, "no payments by this account to compare with"),
        ("distinct_account_by_payee_3d", 4.0, "4 different accounts with this payee in the last 3 days"),
        ("distinct_country_by_account_1d", 2.0, "2 different countries with this account in the last day"),
        (
            "share_fraud_by_retailer_30d",
            0.09,
            "9.0 % of the payments with this retailer in the last 30 days reported as fraud",
        ),
        ("since_password_change_by_account", 2400.0, "40 min after a password change"),
        ("since_address_change_by_account", 20 * 86400.0, "no change of address for 20 days"),
        ("since_amount_by_card", 3.0, "3 s after the last payment by this card"),
        ("since_amount_by_card", math.nan, "no payment before by this card"),
        ("novelty_device_by_account", 1.0, "device never used before by this account"),
        ("novelty_ip_by_account", 0.0, "IP address used before by this account"),
        ("age_device_by_account", 2400.0, "device first seen with this account 40 min ago"),
        ("distance_place_by_account", 1480.0, "1,480 km from the last place of this account"),
        ("speed_place_by_account", 2100.0, "2,100 km/h from the last place of this account"),
    ],
)
def test_values_are_said_as_people_say_them(name: str, value: float, text: str) -> None:
    assert say(name, value) == text


def test_every_statistic_of_the_grammar_is_here() -> None:
    assert {f.statistic for f in SPEC.features} == set(STATISTICS)


@pytest.mark.parametrize("name", PLAN.names)
@pytest.mark.parametrize("value", [math.nan, 0.0, 1.0, -3.0, 0.04, 1e9])
def test_any_value_has_words(name: str, value: float) -> None:
    text = say(name, value)
    assert text == text.strip()
    assert 0 < len(text) < 160
    assert "_" not in text
    assert "nan" not in text


def test_other_spans_and_the_card_for_the_account_are_one_story() -> None:
    def family(name: str) -> str:
        return fragment(SPEC, name, 2.0, "").family

    assert family("count_amount_by_card_1h") == family("count_amount_by_card_1d") == family("sum_amount_by_account_1h")
    assert family("distance_place_by_account") == family("speed_place_by_account")
    assert family("novelty_device_by_account") != family("novelty_ip_by_account")


def test_money_time_and_plurals() -> None:
    assert [money(v, "EUR") for v in (12.3, 12.0, 99.99, 100.4)] == ["€ 12.30", "€ 12", "€ 99.99", "€ 100"]
    assert money(5.0, "CHF") == "CHF 5"
    assert [duration(s) for s in (40, 89, 120, 7200, 86400 * 3, 86400 * 1000)] == [
        "40 s",
        "89 s",
        "2 min",
        "2 h",
        "3 days",
        "3 years",
    ]
    assert span_words(None) == "so far"
    assert [words(w) for w in ("country", "ip", "retailer_kind", "address_change", "password_change")] == [
        "countries",
        "IP addresses",
        "kinds of retailers",
        "changes of address",
        "password changes",
    ]
