"""What the report counts, against counting by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tocsin.errors import BadInput
from tocsin.evaluate.results import budgets, find
from tocsin.measure import metrics


def test_counts_and_money_by_hand(results):
    found = find(results, cost_per_alert=5.0, rounds=5)
    known = results.truth >= 0
    fraud, held = results.truth == 1, results.stopped
    assert found.payments == len(results.truth)
    assert found.unknown == (~known).sum()
    assert found.frauds == fraud.sum()
    assert found.caught == pytest.approx((fraud & held).sum() / fraud.sum())
    assert found.precision == pytest.approx((fraud & held).sum() / (known & held).sum())
    assert found.alerts_a_day == pytest.approx(held.sum() / found.days)
    assert found.money.stopped == pytest.approx(results.amount[fraud & held].sum())
    assert found.money.stopped + found.money.missed == pytest.approx(found.money.at_stake)
    assert found.money.cost == 5.0 * held.sum()
    assert found.average_precision.value == metrics.average_precision(results.truth[known], results.score[known])


def test_unknown_outcomes_are_alerts_but_no_evidence(results):
    blind = replace(results, truth=np.where(results.amount > 40, np.int8(-1), results.truth))
    assert find(blind, rounds=2).alerts_a_day == find(results, rounds=2).alerts_a_day
    assert find(blind, rounds=2).frauds < find(results, rounds=2).frauds


def test_a_weight_stands_for_that_many_payments(results):
    doubled = find(replace(results, weight=results.weight * 2), rounds=2)
    once = find(results, rounds=2)
    assert doubled.alerts_a_day == 2 * once.alerts_a_day
    assert doubled.money.at_stake == pytest.approx(2 * once.money.at_stake)
    assert doubled.average_precision.value == pytest.approx(once.average_precision.value)


def test_a_budget_is_kept_and_more_alerts_catch_more(results):
    known = results.judged
    sizes = budgets(known)
    assert len(sizes) > 5
    for size in sizes:
        rung = known.score >= size.threshold
        assert rung.sum() <= size.alerts_a_day * known.days
        assert size.frauds == pytest.approx(known.truth[rung].sum() / known.truth.sum())
        assert size.money == pytest.approx(
            known.amount[rung & (known.truth == 1)].sum() / known.amount[known.truth == 1].sum()
        )
    assert [s.frauds for s in sizes] == sorted(s.frauds for s in sizes)


def test_months_kinds_and_stages(results):
    found = find(results, rounds=2)
    assert [m.name for m in found.months] == ["2026-01", "2026-02", "2026-03"]
    assert sum(m.payments for m in found.months) == found.payments
    assert sum(m.frauds for m in found.months) == found.frauds
    assert {k.name for k in found.kinds} == {"takeover", "stolen card"}
    assert sum(k.frauds for k in found.kinds) == found.frauds
    caught = sum(k.recall * k.frauds for k in found.kinds)
    assert caught == pytest.approx(found.caught * found.frauds)
    assert found.stages[0].average_precision < found.stages[1].average_precision == found.average_precision.value


def test_refuses_when_nothing_can_be_measured(results):
    with pytest.raises(BadInput, match="both fraud and genuine"):
        find(results.take(results.truth == 0))
