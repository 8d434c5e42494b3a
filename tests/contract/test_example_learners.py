"""Every way of learning from examples × every kind × every check. All lists collect themselves; nothing can be left out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scenes.examples import made_pictures, made_sentences, made_sounds
from tocsin.artifact.folder import write
from tocsin.data.arrangement import KINDS
from tocsin.data.collection import UNKNOWN, Collection, collect
from tocsin.errors import BadInput, NotReady
from tocsin.learn.perception.learned import learn
from tocsin.learn.perception.learner import LEARNERS, ExampleLearner
from tocsin.learn.perception.recipe import Recipe, Way

SIZES = {"images": 16, "sound": 200, "text": 12}
Make = Callable[..., ExampleLearner]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Collection]:
    """A small collection of each kind."""
    folder = tmp_path_factory.mktemp("made")
    return {
        "images": collect(made_pictures(folder / "pictures", each=15, size=24)),
        "sound": collect(made_sounds(folder / "sounds", each=15, seconds=0.2)),
        "text": collect(made_sentences(folder / "texts.csv", each=24)),
    }


@pytest.fixture(scope="module")
def begun(made: dict[str, Collection], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A model of a kind to begin from, made when it is first asked for: no published weights are needed."""
    folder = tmp_path_factory.mktemp("begun")

    def begin(kind: str) -> Path:
        if not (folder / kind).exists():
            done = learn(made[kind], Recipe(way="scratch", size=SIZES[kind], epochs=2, seed=9))
            write(folder / kind, done.card, done.files)
        return folder / kind

    return begin


def check_probabilities_add_up_and_beat_chance(make: Make, given: Collection) -> None:
    learner = make().fit(given)
    test = given.of_part("test")
    p = learner.score([test.raw(i) for i in range(len(test))])
    assert p.shape == (len(test), 3)
    assert p.dtype == np.float64
    assert np.allclose(p.sum(axis=1), 1)
    assert learner.learned_ is not None
    assert np.allclose(p, learner.learned_.predictions.probability, atol=1e-4)
    if learner.recipe.way == "plain":  # a few steps of a network prove nothing
        assert (p.argmax(axis=1) == test.label).mean() > 0.5


def check_the_same_seed_gives_the_same_bits(make: Make, given: Collection) -> None:
    raws = [given.raw(i) for i in range(5)]
    one, other = (make(seed=7).fit(given).score(raws) for _ in range(2))
    assert np.array_equal(one, other)


def check_saved_and_loaded_it_is_the_same_to_the_bit(make: Make, given: Collection, folder: Path) -> None:
    learner = make().fit(given)
    learner.save(folder / "model")
    raws = [given.raw(i) for i in range(6)]
    assert np.array_equal(make().load(folder / "model").score(raws), learner.score(raws))
    for file in (folder / "model").iterdir():
        assert file.suffix in {".txt", ".json", ".onnx", ".safetensors", ".npz"}, "a pickle, perhaps"


def check_one_class_or_none_is_refused_in_words(make: Make, given: Collection) -> None:
    with pytest.raises(BadInput, match=r"two classes or more; all \d+"):
        make().fit(given.take(given.label == 0))
    with pytest.raises(BadInput, match="none has one"):
        make().fit(replace(given, label=np.full(len(given), UNKNOWN)))
    with pytest.raises(BadInput, match="none has one"):
        make().fit(given.take(np.zeros(0, dtype=np.int64)))


def check_a_class_may_be_missing_where_it_is_stopped(make: Make, given: Collection) -> None:
    part = given.part.copy()
    part[np.flatnonzero((part == "train") & (given.label != 2))[::4]] = "val"
    learner = make().fit(replace(given, part=part))
    assert np.isfinite(learner.score([given.raw(0)])).all()


def check_what_nobody_has_labelled_is_left_out(make: Make, given: Collection) -> None:
    train = np.flatnonzero(given.part == "train")
    label = given.label.copy()
    label[train[::7]] = UNKNOWN
    learner = make().fit(replace(given, label=label))
    assert learner.learned_ is not None
    assert learner.learned_.card.learned.rows == len(train) - len(train[::7])


def check_the_test_teaches_nothing(make: Make, given: Collection) -> None:
    """Other labels in the test change what is measured and not what is learned."""
    label = np.where(given.part == "test", (given.label + 1) % 3, given.label)
    raws = [given.raw(i) for i in range(4)]
    one, other = make().fit(given), make().fit(replace(given, label=label))
    assert np.array_equal(one.score(raws), other.score(raws))
    assert one.learned_ is not None
    assert other.learned_ is not None
    assert one.learned_.quality != other.learned_.quality


def check_scoring_before_learning_is_refused(make: Make, given: Collection, folder: Path) -> None:
    with pytest.raises(NotReady, match="must learn before"):
        make().score([given.raw(0)])
    with pytest.raises(NotReady, match="must learn before"):
        make().save(folder)


CHECKS = {name: check for name, check in vars(sys.modules[__name__]).items() if name.startswith("check_")}
QUICK: dict[str, tuple[str, ...]] = {
    "plain": KINDS,
    "extract": ("images",),
    "scratch": ("text",),
    "transfer": ("text",),
}
"""What is quick enough for every run; the rest runs with the slow tests."""
CASES = [
    pytest.param(way, kind, check, marks=() if kind in QUICK[way] else pytest.mark.slow, id=f"{way}-{kind}-{check}")
    for way in LEARNERS
    for kind in KINDS
    for check in CHECKS
]


def test_the_lists_are_not_empty() -> None:
    assert len(LEARNERS) == 4
    assert len(CHECKS) >= 8


@pytest.mark.parametrize(("way", "kind", "check"), CASES)
def test_contract(
    way: Way, kind: str, check: str, made: dict[str, Collection], begun: Callable[[str], Path], tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    more: dict[str, Any] = {"size": SIZES[kind], "epochs": 1} if way == "scratch" else {}
    if way in ("transfer", "extract"):
        more = {"source": begun(kind)} | ({"epochs": 1} if way == "transfer" else {})
    elif way == "plain" and kind != "text":
        more = {"size": max(32, SIZES[kind])}

    def make(seed: int = 0) -> ExampleLearner:
        return LEARNERS[way](Recipe(seed=seed, cache=tmp_path / "cache", **more))

    function = CHECKS[check]
    if "folder" in function.__annotations__:
        function(make, made[kind], tmp_path)
    else:
        function(make, made[kind])
