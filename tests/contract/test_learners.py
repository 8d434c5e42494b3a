"""Every learner × every check. Both lists collect themselves; nothing can be left out of either."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tocsin.errors import BadInput, NotReady
from tocsin.learn import LEARNERS, Examples, Learner
from tocsin.learn.contract import UNKNOWN

ENDS, CODES, WIDTH = (2, 5, 6), (3,), 6
Make = Callable[..., Learner]


def rows(n: int, seed: int, *, frauds: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Frauds lie far out in two columns; one column is codes; a tenth of all values is missing."""
    random = np.random.default_rng(seed)
    label = (random.random(n) < frauds).astype(np.int8)
    matrix = random.normal(size=(n, WIDTH))
    matrix[:, 1] += 3.0 * label
    matrix[:, 4] += 4.0 * label
    matrix[:, 3] = random.integers(0, 40, n)
    matrix[random.random((n, WIDTH)) < 0.1] = np.nan
    return matrix, label


def examples(n: int = 1500, seed: int = 1, **more: object) -> Examples:
    matrix, label = rows(n, seed)
    return Examples.of(matrix, label, **more)  # type: ignore[arg-type]


def check_scores_lie_between_0_and_1(make: Make) -> None:
    scores = make().fit(examples()).score(rows(400, 2)[0])
    assert scores.shape == (400,)
    assert scores.dtype == np.float64
    assert ((scores >= 0) & (scores <= 1)).all()


def check_higher_is_more_suspicious(make: Make) -> None:
    matrix, label = rows(2000, 3)
    scores = make().fit(examples()).score(matrix)
    order = np.argsort(np.argsort(scores))
    frauds = label == 1
    auc = (order[frauds].sum() - frauds.sum() * (frauds.sum() - 1) / 2) / (frauds.sum() * (~frauds).sum())
    assert auc > 0.75


def check_the_same_seed_gives_the_same_bits(make: Make) -> None:
    matrix = rows(300, 4)[0]
    one, other = (make(seed=7).fit(examples()).score(matrix) for _ in range(2))
    assert np.array_equal(one, other)
    assert np.isfinite(make(seed=8).fit(examples()).score(matrix)).all()


def check_fit_forgets_what_was_learned_before(make: Make) -> None:
    matrix = rows(300, 5)[0]
    again = make().fit(examples(seed=9)).fit(examples())
    assert np.array_equal(again.score(matrix), make().fit(examples()).score(matrix))


def check_fit_returns_the_learner_and_changes_no_example(make: Make) -> None:
    given = examples()
    before = given.matrix.copy(), given.label.copy()
    learner = make()
    assert learner.fit(given) is learner
    assert np.array_equal(before[0], given.matrix, equal_nan=True)
    assert np.array_equal(before[1], given.label)


def check_one_by_one_is_all_at_once(make: Make) -> None:
    learner = make().fit(examples())
    matrix = rows(150, 6)[0]
    whole = learner.score(matrix)
    assert np.array_equal(whole, np.concatenate([learner.score(matrix[i : i + 1]) for i in range(150)]))
    assert np.array_equal(whole, np.concatenate([learner.score(matrix[i : i + 37]) for i in range(0, 150, 37)]))
    assert learner.score(matrix[:0]).shape == (0,)


def check_missing_values_are_taken_as_they_come(make: Make) -> None:
    matrix, label = rows(800, 7)
    matrix[:, 0] = np.nan
    learner = make().fit(Examples.of(matrix, label))
    scores = learner.score(np.full((3, WIDTH), np.nan))
    assert np.isfinite(scores).all()
    new = matrix.copy()
    new[:, 0] = 1.0  # a column never seen before
    assert np.isfinite(learner.score(new)).all()


def check_saved_and_loaded_it_is_the_same_to_the_bit(make: Make, folder: Path) -> None:
    learner = make().fit(examples())
    learner.save(folder)
    matrix = rows(500, 8)[0]
    assert np.array_equal(make().load(folder).score(matrix), learner.score(matrix))
    for file in folder.iterdir():
        assert file.suffix in {".txt", ".json", ".onnx"}, "a pickle, perhaps"


def check_weights_count(make: Make) -> None:
    matrix = rows(400, 9)[0]
    plain = make().fit(examples()).score(matrix)
    ones = make().fit(examples(weight=np.ones(1500))).score(matrix)
    assert np.array_equal(plain, ones)
    keep = np.random.default_rng(10).random(1500) < 0.5
    some = make().fit(examples(weight=keep.astype(float))).score(matrix)
    whole = examples()
    assert np.array_equal(some, make().fit(whole.take(keep)).score(matrix)), "a row of weight 0 is no row"
    heavy = make().fit(examples(weight=np.where(whole.matrix[:, 0] > 0, 20.0, 1.0))).score(matrix)
    assert not np.array_equal(heavy, plain)


def check_rows_nobody_has_labelled(make: Make) -> None:
    """A learner with labels leaves them out; one without takes no notice of labels at all."""
    given = examples()
    hidden = given.label.copy()
    hidden[::3] = UNKNOWN
    matrix = rows(300, 11)[0]
    learner = make()
    scores = learner.fit(Examples.of(given.matrix, hidden)).score(matrix)
    same = given.take(hidden != UNKNOWN) if learner.needs_labels else given
    assert np.array_equal(scores, make().fit(same).score(matrix))


def check_one_class_is_refused_by_whoever_needs_two(make: Make) -> None:
    matrix, _ = rows(200, 12)
    for value, word in ((0, "genuine"), (1, "frauds")):
        given = Examples.of(matrix, np.full(200, value, dtype=np.int8))
        if make().needs_labels:
            with pytest.raises(BadInput, match=f"both.*{word}"):
                make().fit(given)
        else:
            assert np.isfinite(make().fit(given).score(matrix)).all()


def check_nothing_to_learn_from_is_refused(make: Make) -> None:
    for shape in ((0, WIDTH), (30, 0)):
        label = np.arange(shape[0], dtype=np.int8) % 2
        with pytest.raises(BadInput, match="rows and columns"):
            make().fit(Examples.of(np.zeros(shape), label))
    with pytest.raises(BadInput, match="rows and columns"):
        make().fit(examples(weight=np.zeros(1500)))


def check_infinity_is_refused_and_named(make: Make) -> None:
    matrix, label = rows(200, 13)
    matrix[5, 2] = np.inf
    with pytest.raises(BadInput, match="row 5, column 2"):
        make().fit(Examples(matrix, label, np.arange(200), np.arange(200), None, np.zeros(200)))
    learner = make().fit(examples())
    with pytest.raises(BadInput, match="infinity in row 5, column 2"):
        learner.score(matrix)


def check_another_width_is_refused(make: Make) -> None:
    learner = make().fit(examples())
    for shape in ((4, WIDTH - 1), (4, WIDTH + 1)):
        with pytest.raises(BadInput, match=f"{WIDTH} columns learned from; got {shape[1]}"):
            learner.score(np.zeros(shape))
    with pytest.raises(BadInput, match="two dimensions"):
        learner.score(np.zeros(WIDTH))


def check_scoring_before_learning_is_refused(make: Make, folder: Path) -> None:
    with pytest.raises(NotReady, match="must learn before"):
        make().score(np.zeros((1, WIDTH)))
    with pytest.raises(NotReady, match="must learn before"):
        make().save(folder)


CHECKS = {name: check for name, check in vars(sys.modules[__name__]).items() if name.startswith("check_")}


def test_the_lists_are_not_empty() -> None:
    assert len(LEARNERS) >= 2
    assert len(CHECKS) >= 15


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("learner", LEARNERS)
def test_contract(learner: str, check: str, tmp_path: Path) -> None:
    def make(seed: int = 0) -> Learner:
        return LEARNERS[learner](ENDS, CODES, seed)

    function = CHECKS[check]
    if "folder" in function.__annotations__:
        function(make, tmp_path)
    else:
        function(make)
