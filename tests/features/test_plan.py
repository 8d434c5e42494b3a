"""Plans: order of columns, categories, words, fingerprints, and what a spec may not ask for."""

from __future__ import annotations

import pytest

from tocsin.errors import BadSpec, NotFound
from tocsin.features import Kernel, compile_plan
from tocsin.spec import load, parse, ready

HEAD = """
[columns]
at = "at"
amount = "amount"
account = "account"
card = "card"
payee = "payee"
[time]
zone = "Europe/Paris"
"""


def spec_of(*stages: str) -> str:
    return HEAD + "".join(f"[[stage]]\n{stage}\n" for stage in stages)


def test_columns_come_stage_by_stage_raw_before_features() -> None:
    plan = compile_plan(
        parse(
            spec_of(
                'name = "a"\ncolumns = ["amount", "hour"]\nfeatures = ["count of amount by card over 1h, 1d"]',
                'name = "b"\ncolumns = ["card"]\nfeatures = ["novelty of payee by account"]',
            )
        )
    )
    assert plan.names == (
        "amount",
        "hour",
        "count_amount_by_card_1h",
        "count_amount_by_card_1d",
        "card",
        "novelty_payee_by_account",
    )
    assert plan.ends == (4, 6)
    assert plan.stage_names == ("a", "b")
    assert plan.categorical == (4,)


@pytest.mark.parametrize("name", ready())
def test_every_ready_spec_compiles_and_every_column_has_words(name: str) -> None:
    plan = compile_plan(load(name))
    words = [plan.describe(column) for column in plan.names]
    assert all(words)
    assert len(set(words)) == len(words)
    assert Kernel(plan).entities == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("count of amount by card over 1h", "payments by this card in the last hour"),
        ("mean of amount by account over 30d", "mean amount by this account in the last 30 days"),
        (
            "count of amount by account over 7d delayed 7d",
            "payments by this account in the 7 days that ended 7 days ago",
        ),
        ("sum of amount by payee[account] over 1d", "total amount to this account in the last day"),
        ("novelty of payee by account", "payee never seen before with this account"),
        (
            "count of amount by card over 7d where night == 1",
            "payments by this card in the last 7 days where it was night",
        ),
        ("since of amount by card", "seconds since the last payment by this card"),
        ("decayed_mean of amount by card over 6h", "recent mean amount by this card (half-life 6 hours)"),
        (
            "count of amount by card over 1d where amount >= 100",
            "payments by this card in the last day where the amount was at least 100",
        ),
    ],
)
def test_words(line: str, words: str) -> None:
    plan = compile_plan(parse(spec_of(f'name = "a"\nfeatures = ["{line}"]')))
    assert plan.describe(plan.names[0]) == words


def test_a_name_nobody_has_is_not_found() -> None:
    with pytest.raises(NotFound, match="must be one of this plan's 1"):
        compile_plan(parse(spec_of('columns = ["amount"]'))).describe("x")


def test_the_fingerprint_follows_what_is_computed_and_nothing_else() -> None:
    one = compile_plan(parse(spec_of('features = ["count of amount by card over 1h"]')))
    same = compile_plan(
        parse(spec_of('features = ["count of amount by card over 60m"]').replace('"amount"\n', '"amt"\n'))
    )
    other = compile_plan(parse(spec_of('features = ["count of amount by card over 2h"]')))
    assert one.fingerprint == same.fingerprint != other.fingerprint


def test_a_place_needs_its_columns() -> None:
    with pytest.raises(BadSpec, match="needs the columns latitude and longitude"):
        compile_plan(parse(spec_of('features = ["distance of place by card"]')))


def test_an_entity_has_at_most_four_parts() -> None:
    with pytest.raises(BadSpec, match="up to 4 parts"):
        compile_plan(parse(spec_of('features = ["novelty of card by account+card+payee+account"]')))


def test_a_window_of_nothing_is_refused() -> None:
    with pytest.raises(BadSpec, match="longer than nothing"):
        compile_plan(parse(spec_of('features = ["count of amount by card over 0s"]')))


def test_features_over_the_same_events_share_one_chain() -> None:
    lines = ["count of amount by card over 1h, 1d", "std of amount by card over 1h", "mean of hour by card over 1d"]
    plan = compile_plan(parse(spec_of("features = [" + ", ".join(f'"{line}"' for line in lines) + "]")))
    assert len(plan.program.groups) == 1
    assert len(plan.program.windows) == 2
