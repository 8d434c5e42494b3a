"""The walk equals LightGBM to the bit: missing values, codes, unseen codes, tiny numbers, trees without splits."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest

from tocsin.artifact.shap import Explainer
from tocsin.artifact.trees import read_trees
from tocsin.errors import Damaged


def ensemble(
    n: int = 3000, *, missing: bool = True, rounds: int = 40, flat: bool = False, seed: int = 0
) -> tuple[str, np.ndarray]:
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(n, 6)) * 10.0 ** random.integers(-3, 8, 6)
    matrix[:, 2] = random.integers(0, 1022, n)
    matrix[:, 5] = random.integers(0, 3, n)  # many zeros
    label = (np.nan_to_num(matrix[:, 0]) + matrix[:, 5] * abs(matrix[:, 0]).mean() > 0) ^ (matrix[:, 2] % 7 == 0)
    if missing:
        matrix[random.random(matrix.shape) < 0.1] = np.nan
    parameters = {
        "objective": "binary",
        "num_leaves": 31,
        "min_data_in_leaf": 2 * n if flat else 5,
        "min_data_per_group": 5,
        "num_threads": 1,
        "verbosity": -1,
        "seed": seed,
    }
    data = lightgbm.Dataset(matrix, label.astype(int), categorical_feature=[2], params=parameters)
    return lightgbm.train(parameters, data, rounds).model_to_string(), matrix


def odd_rows(matrix: np.ndarray) -> np.ndarray:
    """Rows an ensemble never saw: nothing known, codes beyond all seen and negative, zeros, tiny and huge numbers."""
    few = matrix[:50].copy()
    rows = [few, np.full_like(few, np.nan), np.zeros_like(few)]
    for value in (-1.0, -0.5, 0.5, 31.0, 32.0, 1021.0, 5000.0, 1e9, np.nan):
        odd = few.copy()
        odd[:, 2] = value
        rows.append(odd)
    for value in (1e-36, -1e-36, 1e300, -1e300, 5e-324):
        odd = few.copy()
        odd[:, [0, 1, 3, 4, 5]] = value
        rows.append(odd)
    return np.concatenate(rows)


@pytest.mark.parametrize("missing", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_every_exit_is_lightgbms_own_to_the_bit(missing: bool, seed: int) -> None:
    text, matrix = ensemble(missing=missing, seed=seed)
    trees, booster = read_trees(text), lightgbm.Booster(model_str=text)
    assert len(trees) == booster.num_trees() == 40
    assert (trees.nodes["words"] > 0).any(), "no split on codes: the test would say nothing of them"
    for rows in (matrix, odd_rows(matrix)):
        margins = trees.margins(rows, [1, 10, 40])
        for exit_, end in zip(margins.T, (1, 10, 40), strict=True):
            assert np.array_equal(exit_, booster.predict(rows, raw_score=True, num_iteration=end, num_threads=1))


def test_trees_without_a_split_are_their_only_leaf() -> None:
    text, matrix = ensemble(flat=True, rounds=3)
    margins = read_trees(text).margins(matrix[:5], [1])
    want = lightgbm.Booster(model_str=text).predict(matrix[:5], raw_score=True)
    assert np.array_equal(margins[:, 0], want)


def test_shares_of_any_run_of_trees_add_up_to_their_sum() -> None:
    text, matrix = ensemble()
    explainer, trees = Explainer(text, 6), read_trees(text)
    margins = trees.margins(matrix[:100], [10, 40])
    first, rest = explainer.shares(matrix[:100], 0, 10), explainer.shares(matrix[:100], 10, 40)
    np.testing.assert_allclose(first.sum(axis=1), margins[:, 0], atol=1e-9)
    np.testing.assert_allclose(rest.sum(axis=1), margins[:, 1] - margins[:, 0], atol=1e-9)
    assert not explainer.shares(matrix[:100], 7, 7).any()


def test_what_is_no_ensemble_is_refused() -> None:
    text, _ = ensemble(rounds=2)
    for broken, word in (
        ("", "its head is not"),
        (text.replace("num_tree_per_iteration=1", "num_tree_per_iteration=3"), "its head is not"),
        (text.replace("leaf_value=", "leaf_values="), "tree 0"),
        (text.replace("is_linear=0", "is_linear=1"), "linear"),
    ):
        with pytest.raises(Damaged, match=word):
            read_trees(broken)
    with pytest.raises(Damaged, match="LightGBM refuses"):
        Explainer("not a model", 6)
