"""Scores add up to the bit, exits are the trees', shares add up, and serving imports no learner."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import lightgbm
import msgspec
import numpy as np
import pytest

from tocsin.artifact import Artifact, load
from tocsin.errors import BadInput, Damaged
from tocsin.measure.metrics import roc_auc


@pytest.fixture(params=["made", "with_anomaly", "without_labels", "with_network"])
def any_made(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def test_base_and_deltas_from_left_to_right_are_the_logit_to_the_bit(any_made: Any) -> None:
    base, delta, logit, value = any_made.model.score(any_made.matrix)
    for row in range(len(logit)):
        total = base
        for share in delta[row].tolist():
            total = total + share
        assert total == logit[row]
    assert ((value >= 0) & (value <= 1)).all()
    np.testing.assert_allclose(value, 1 / (1 + np.exp(-logit)), rtol=1e-14)


def test_it_ranks_frauds_it_never_saw_above_the_rest(any_made: Any) -> None:
    scored = any_made.model.score(any_made.matrix)
    assert roc_auc(any_made.label, scored.value) > 0.8
    assert scored.exits.shape == scored.delta.shape
    np.testing.assert_allclose(scored.exits[:, -1], scored.value, rtol=1e-12)


def test_one_by_one_is_all_at_once(any_made: Any) -> None:
    model, matrix = any_made.model, any_made.matrix[:200]
    whole = model.score(matrix)
    for size in (1, 7, 64, 65):
        parts = [model.score(matrix[i : i + size]) for i in range(0, 200, size)]
        assert np.array_equal(whole.logit, np.concatenate([p.logit for p in parts]))
        assert np.array_equal(whole.delta, np.concatenate([p.delta for p in parts]))
    assert model.score(matrix[:0]).value.shape == (0,)


@pytest.mark.parametrize("which", ["made", "with_network"])
def test_several_threads_score_alike(which: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(which)
    want = made.model.score(made.matrix).logit
    with ThreadPoolExecutor(4) as pool:
        for scored in pool.map(made.model.score, [made.matrix] * 12):
            assert np.array_equal(scored.logit, want)


def test_margins_are_lightgbms_own(made: Any) -> None:
    booster = lightgbm.Booster(model_file=str(made.folder / "trees.txt"))
    margins = made.model.margins(made.matrix)
    ends = [stage.trees for stage in made.model.card.stages]
    assert ends == sorted(ends)
    assert ends[-1] == booster.num_trees() <= 500
    for stage, end in enumerate(ends):
        raw = booster.predict(made.matrix, raw_score=True, num_iteration=end, num_threads=1)
        assert np.array_equal(margins[:, stage], raw)


@pytest.mark.parametrize("which", ["made", "with_network"])
def test_early_exits_do_not_look_at_later_columns(which: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(which)
    margins = made.model.margins(made.matrix)
    for stage, end in enumerate(made.model.plan.ends[:-1]):
        blind = made.matrix.copy()
        blind[:, end:] = np.nan
        assert np.array_equal(made.model.margins(blind)[:, : stage + 1], margins[:, : stage + 1])
        assert not np.array_equal(made.model.margins(blind)[:, -1], margins[:, -1])


@pytest.mark.parametrize("which", ["made", "with_anomaly", "with_network"])
def test_shares_of_a_stages_features_add_up_to_its_delta(which: str, request: pytest.FixtureRequest) -> None:
    made = request.getfixturevalue(which)
    usual, share = made.model.shares(made.matrix[:300])
    delta = made.model.score(made.matrix[:300]).delta
    assert np.abs(usual + share.sum(axis=2) - delta).max() < 1e-9
    ends = [stage.columns for stage in made.model.card.stages]
    for stage, end in enumerate(ends):
        assert not share[:, stage, end : len(made.model.inputs)].any(), (
            "a stage cannot owe anything to a column it has not"
        )
    assert np.abs(share).max() > 0.1


def test_the_probability_means_what_it_says(made: Any) -> None:
    value = made.model.score(made.matrix).value
    assert abs(value.mean() - made.label.mean()) < 0.015


def test_rows_of_another_width_are_refused(made: Any) -> None:
    with pytest.raises(BadInput, match="columns of the model's plan"):
        made.model.score(made.matrix[:, 1:])


def test_a_card_that_does_not_fit_its_trees_is_refused(made: Any) -> None:
    model = made.model
    text = (made.folder / "trees.txt").read_text()
    stages = model.card.stages
    wrong = msgspec.structs.replace(stages[-1], trees=stages[-1].trees + 1)
    for card, word in (
        (msgspec.structs.replace(model.card, stages=(*stages[:-1], wrong)), "trees.txt"),
        (msgspec.structs.replace(model.card, plan="0" * 64), "other features"),
        (msgspec.structs.replace(model.card, inputs=(*model.inputs, "more")), "names columns"),
    ):
        with pytest.raises(Damaged, match=word):
            Artifact(card, model.spec, model.plan, text, None)


@pytest.mark.parametrize("which", ["with_anomaly", "with_network"])
def test_serving_loads_scores_and_explains_without_a_learner(which: str, request: pytest.FixtureRequest) -> None:
    """In a process of its own: what learning needs is not even imported."""
    made = request.getfixturevalue(which)
    program = f"""
import sys, numpy
from tocsin.artifact import load
model = load({str(made.folder)!r})
rows = numpy.zeros((2, model.plan.width))
scored = model.score(rows)
reasons = model.reasons(rows)
print(scored.value[0], len(reasons))
learners = ["sklearn", "skl2onnx", "onnx", "pandas", "torch", "lightgbm", "matplotlib", "tocsin.learn"]
sys.exit(", ".join(m for m in learners if m in sys.modules) or 0)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[0]) == load(made.folder).score(np.zeros((1, made.model.plan.width))).value[0]
