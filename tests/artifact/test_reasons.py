"""Reasons are the strongest shares, each saying something else; the sentence names what is new first."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from tocsin.artifact.reasons import reasons_of
from tocsin.schema import Reason


def row(made: Any, **values: float) -> np.ndarray:
    ordinary = {
        "amount": 20.0,
        "hour": 14.0,
        "ratio_amount_by_account_30d": 1.0,
        "device": 5.0,
        "novelty_device_by_account": 0.0,
        "age_device_by_account": 9e6,
        "since_password_change_by_account": 9e6,
        "country": 3.0,
        "novelty_country_by_account": 0.0,
        "count_amount_by_account_1d": 1.0,
    }
    return np.array([[{**ordinary, **values}[name] for name in made.model.plan.names]])


def takeover(made: Any) -> np.ndarray:
    return row(
        made,
        novelty_device_by_account=1.0,
        novelty_country_by_account=1.0,
        since_password_change_by_account=2400.0,
        age_device_by_account=np.nan,
        ratio_amount_by_account_30d=11.0,
    )


def test_a_takeover_is_told_as_one(made: Any) -> None:
    (reasons,) = made.model.reasons(takeover(made), top=4)
    assert len(reasons) == 4
    assert {r.stage for r in reasons} <= set(made.model.stage_names)
    features = [r.feature for r in reasons]
    assert len(set(features)) == 4
    assert "since_password_change_by_account" in features
    assert {"novelty_device_by_account", "age_device_by_account"} & set(features)  # either tells that it is new
    why = made.model.why(reasons)
    assert why.startswith("A device never used, ")
    assert why.endswith(", 40 min after a password change")


def test_deltas_are_the_shares_strongest_first(made: Any) -> None:
    matrix = takeover(made)
    (reasons,) = made.model.reasons(matrix, top=3)
    _, share = made.model.shares(matrix)
    assert [r.delta for r in reasons] == sorted((r.delta for r in reasons), reverse=True)
    for reason in reasons:
        stage = made.model.stage_names.index(reason.stage)
        assert share[0, stage, made.model.inputs.index(reason.feature)] == reason.delta > 0
    assert reasons[0].delta == share.max()


def test_a_payment_without_a_reason_says_so(made: Any) -> None:
    assert made.model.why(()) == "Nothing single stands out; many small things add up"
    assert made.model.reasons(takeover(made), top=0) == [()]
    assert made.model.reasons(takeover(made)[:0]) == []


def test_the_sentence_gathers_what_is_new(made: Any) -> None:
    def reason(feature: str, value: float | None) -> Reason:
        return Reason(text="", feature=feature, stage="x", value=value, delta=1.0)

    told = made.model.why(
        (
            reason("since_password_change_by_account", 2400.0),
            reason("ratio_amount_by_account_30d", 11.0),
            reason("novelty_device_by_account", 1.0),
            reason("novelty_country_by_account", 1.0),
        )
    )
    assert told == "A device and a country never used, 11 times the usual amount, 40 min after a password change"
    assert made.model.why((reason("age_device_by_account", 2400.0),)) == "A device first seen 40 min ago"
    assert made.model.why((reason("ratio_amount_by_account_30d", None),)) == "No payments to compare with"


def test_that_all_values_together_did_it_is_said_only_where_nothing_else_is(made: Any) -> None:
    def reason(feature: str, value: float | None = None) -> Reason:
        return Reason(text="", feature=feature, stage="x", value=value, delta=1.0)

    together, amount = reason("network.together"), reason("ratio_amount_by_account_30d", 11.0)
    assert made.model.why((together, amount)) == "11 times the usual amount"
    assert made.model.why((together,)) == "How these values come together"
    assert made.model.why((reason("network.order"), amount)).startswith("11 times the usual amount, ")


def test_reasons_survive_being_written_down_where_nothing_is_known(made: Any) -> None:
    matrix = np.full((1, len(made.model.plan.names)), np.nan)
    (reasons,) = made.model.reasons(matrix, top=10)
    assert reasons
    assert all(r.value is None for r in reasons)
    assert msgspec.json.decode(msgspec.json.encode(reasons), type=tuple[Reason, ...]) == reasons


def test_a_model_without_labels_names_the_odd_value(without_labels: Any) -> None:
    odd = row(without_labels, amount=1e6)
    (reasons,) = without_labels.model.reasons(odd, top=1)
    assert [r.feature for r in reasons] == ["amount"]
    assert without_labels.model.why(reasons) == "An amount of € 1,000,000"
    usual = row(without_labels, ratio_amount_by_account_30d=1.5)
    told = [r.feature for r in without_labels.model.reasons(usual, top=1)[0]]
    assert told != ["amount"]


def test_an_age_is_told_as_new_only_where_there_was_something_to_be_new(made: Any) -> None:
    names = list(made.model.inputs)
    share = np.zeros((len(made.model.stage_names), len(names)))
    share[1, names.index("age_device_by_account")] = 1.0
    (told,) = reasons_of(made.model.spec, made.model.plan, names, made.model.stage_names, takeover(made)[0], share, 3)
    assert (told.text, told.value) == ("Device never used before by this account", 0.0)
    assert made.model.why((told,)) == "A device never used"
    nothing = row(made, novelty_device_by_account=np.nan, age_device_by_account=np.nan)[0]
    (told,) = reasons_of(made.model.spec, made.model.plan, names, made.model.stage_names, nothing, share, 3)
    assert told.text.endswith("not known")
