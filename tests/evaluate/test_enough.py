"""Accuracy against the number of examples: measured within what may be learned from, kept, and drawn on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenes.examples import made_sentences
from tocsin.data.collection import Collection, collect
from tocsin.evaluate import enough as module
from tocsin.evaluate.enough import NAME, Enough
from tocsin.evaluate.growth import Growth, Point
from tocsin.features.text import TextFeatures
from tocsin.learn.perception.outcome import Taught


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collect(made_sentences(tmp_path_factory.mktemp("made") / "said.csv", each=99))


def taught(collection: Collection, spread: float, wide: int = 12) -> Taught:
    """Features in which classes overlap the more, the wider they are spread."""
    rows = np.flatnonzero(collection.part != "test")
    random = np.random.default_rng(0)
    middles = random.normal(size=(len(collection.classes), wide))
    features = middles[collection.label[rows]] + spread * random.normal(size=(len(rows), wide))
    return Taught(rows, features.astype(np.float32))


def groups(collection: Collection) -> np.ndarray:
    return np.asarray(collection.group)


def test_more_examples_are_measured_to_help_where_classes_overlap(sentences: Collection) -> None:
    found = Enough.measured(sentences, taught(sentences, 2.5), groups(sentences), "a linear machine")
    assert found is not None
    assert found.taught == 198
    sizes = [point.examples for point in found.growth.points]
    assert sizes == sorted(sizes)
    assert sizes[-1] == pytest.approx(148, abs=3)
    assert found.growth.points[-1].right > found.growth.points[0].right
    best, low, high = found.growth.gain(198, 396)
    assert 0 < low <= best <= high < 0.3
    assert f"Twice the labels, 396, should bring about {100 * best:.1f} points more" in found.sentence()
    assert "within the 198 examples the model learned from, not on the test" in found.words()


def test_it_says_where_more_would_hardly_help(sentences: Collection) -> None:
    found = Enough.measured(sentences, taught(sentences, 0.05), groups(sentences), "a linear machine")
    assert found is not None
    assert "would hardly help" in found.sentence()


def test_texts_and_some_of_many_are_measured_with(sentences: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.flatnonzero(sentences.part != "test")
    said = [str(sentences.raw(int(i))) for i in rows]
    monkeypatch.setattr(module, "_MOST_TEXTS", 100)
    found = Enough.measured(
        sentences, Taught(rows, TextFeatures().fit(said).sparse(said)), groups(sentences), "a linear machine"
    )
    assert found is not None
    assert found.growth.points[-1].examples == pytest.approx(75, abs=3)
    assert found.taught == 198


def test_too_few_tell_nothing(sentences: Collection) -> None:
    few = taught(sentences, 1.0)
    few = Taught(few.rows[:40], few.features[:40])  # type: ignore[index]
    assert Enough.measured(sentences, few, groups(sentences), "a linear machine") is None


def test_what_was_measured_is_kept_beside_a_model(tmp_path: Path) -> None:
    points = [Point(n, np.float64(1 - n**-0.4), 0.01) for n in (50, 100, 200, 400)]
    found = Enough(Growth.through(points), 500, "a linear machine")
    found.keep(tmp_path / NAME)
    again = Enough.kept(tmp_path / NAME)
    assert again is not None
    assert again.words() == found.words()
    (tmp_path / NAME).write_text('{"points": "none"}')
    assert Enough.kept(tmp_path / NAME) is None
    assert Enough.kept(tmp_path / "nothing.json") is None
