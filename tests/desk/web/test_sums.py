"""The sum a person can check: what is shown, added or multiplied by hand, comes to what is shown as the total."""

from __future__ import annotations

from math import exp, fsum, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.desk.web.sums import add_up, foremost
from tocsin.schema import Reason, Score, StageShare


def score_of(base: float, *deltas: float | None, off: float = 0.0) -> Score:
    logit = fsum([base, *(one for one in deltas if one is not None)])
    stages = tuple(StageShare(stage=f"s{place}", delta=delta) for place, delta in enumerate(deltas))
    return Score(value=1 / (1 + exp(-logit)), logit=logit + off, base=base, stages=stages)


def read(text: str) -> float:
    return float(text.strip("=×÷% \u00a0").replace("−", "-").replace(",", ""))


@given(st.floats(-9, 2), st.lists(st.one_of(st.none(), st.floats(-5, 6)), min_size=1, max_size=7))
def test_what_is_shown_comes_to_what_is_shown(base: float, deltas: list[float | None]) -> None:
    told = add_up(score_of(base, *deltas))
    assert told.holds
    asked = [line for line in told.lines if line.asked]
    assert sum(read(line.log_odds) for line in asked) == pytest.approx(read(told.total.log_odds), abs=1e-4 * len(asked))
    odds = 1.0
    for line in asked:
        odds = odds / read(line.odds) if "÷" in line.odds else odds * read(line.odds)
    assert odds == pytest.approx(read(told.total.odds), rel=1e-3 * len(asked))
    assert odds / (1 + odds) * 100 == pytest.approx(read(told.total.chance), rel=1e-3 * len(asked))
    assert read(told.total.chance) / 100 == pytest.approx(float(told.recorded), rel=1e-3, abs=1e-6)
    assert [line.asked for line in told.lines] == [True, *(delta is not None for delta in deltas)]


def test_the_chance_goes_along_and_what_was_not_asked_changes_nothing() -> None:
    told = add_up(score_of(-log(419), log(31), None))
    assert [line.chance.replace("\u00a0", " ") for line in told.lines] == ["1 in 420", "1 in 15", ""]
    assert told.lines[2].odds == "not asked"
    assert told.lines[2].log_odds == ""
    assert told.total.log_odds == f"= −{log(419 / 31):.4f}"


@pytest.mark.parametrize("off", [1e-6, -0.5])
def test_a_record_that_its_parts_do_not_come_to_is_not_said_to_hold(off: float) -> None:
    assert not add_up(score_of(-3.0, 1.0, off=off)).holds
    wrong = score_of(-3.0, 1.0)
    assert not add_up(Score(value=0.5, logit=wrong.logit, base=wrong.base, stages=wrong.stages)).holds


def test_numbers_too_large_to_write_out_stay_numbers() -> None:
    told = add_up(score_of(-600.0, 500.0, -400.0, 600.0))
    assert told.holds
    assert not [line for line in told.lines if "inf" in line.odds or "nan" in line.odds]


def reason(text: str, stage: str, delta: float) -> Reason:
    return Reason(text=text, feature="f", stage=stage, value=1.0, delta=delta)


def test_the_sentence_names_the_stage_that_moved_the_score_most_and_what_in_it_did() -> None:
    score = score_of(-6.0, log(1.8), log(31), log(1 / 1.7))
    reasons = (
        reason("A device never used before", "s1", 3.0),
        reason("€ 2,480 where € 40 is usual", "s0", 0.4),
        reason("IP address first seen today.", "s1", 0.3),
        reason("Known city", "s1", -0.2),
        reason("Third in s1", "s1", 0.1),
    )
    assert foremost(score, reasons) == (
        "S1 said most: it multiplied the odds of fraud by 31. Above all: a device never used before; "
        "IP address first seen today."
    )
    assert foremost(score) == "S1 said most: it multiplied the odds of fraud by 31."


def test_a_stage_that_speaks_against_fraud_is_said_to() -> None:
    said = foremost(score_of(-2.0, 0.1, -log(4)), (reason("Many small things", "s1", 0.3),))
    assert said == "S1 said most: it divided the odds of fraud by 4.0."


def test_the_networks_part_is_told_like_any_reason() -> None:
    score = score_of(-6.0, 0.5, 2.0)
    said = foremost(score, (reason("Order and rhythm of the last payments", "s1", 1.5),))
    assert said.endswith("Above all: order and rhythm of the last payments.")


def test_nothing_that_moved_is_said_so() -> None:
    assert foremost(score_of(-2.0, 0.0, None)) == "No kind of data changed the odds by itself."
    assert foremost(score_of(-2.0, None)) == "No kind of data changed the odds by itself."
