"""Words beside a network: added where they help, and what is shipped answers as it was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.examples import made_pictures, made_sentences
from tocsin.artifact.classes import Classifier
from tocsin.artifact.heads import LINEAR
from tocsin.artifact.plain import STATE
from tocsin.data.collection import Collection, collect
from tocsin.data.prepare import Preparation
from tocsin.errors import BadInput
from tocsin.evaluate.enough import Enough
from tocsin.learn.perception import beside
from tocsin.learn.perception.beside import LEAST, with_words
from tocsin.learn.perception.learned import learn
from tocsin.learn.perception.outcome import Outcome, Taught
from tocsin.learn.perception.portions import Portions, portions
from tocsin.learn.perception.recipe import Recipe
from tocsin.measure.classes import log_loss, softmax


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """Made sentences, by whose words alone their classes can be told."""
    return collect(made_sentences(tmp_path_factory.mktemp("made") / "texts.csv", each=600))


def said_of(rows: np.ndarray, given: Collection, sure: float, seed: int = 0) -> np.ndarray:
    """Logits of a network that is right as often as ``sure`` makes it."""
    noise = np.random.default_rng(seed).normal(size=(len(rows), len(given.classes)))
    return noise + sure * np.eye(len(given.classes))[given.label[rows]]


def outcome_of(given: Collection, rows: Portions, sure: float, unseen: np.ndarray) -> Outcome:
    """Of a network that is not there."""
    logits, held = said_of(rows.test, given, sure, 1), said_of(unseen, given, sure)
    return Outcome({}, logits, 1.0, Preparation("text", length=8), "minilm_l6", unseen=(unseen, held))


@pytest.mark.parametrize("by_folds", [True, False])
def test_words_help_a_network_that_knows_little(sentences: Collection, by_folds: bool) -> None:
    rows = portions(sentences, held_out=0.3, seed=0)
    unseen = np.concatenate([rows.train, rows.val]) if by_folds else rows.val
    alone = outcome_of(sentences, rows, 1.0, unseen)
    both = with_words(sentences, rows, alone, 0)
    label = sentences.label[rows.test]
    before = log_loss(softmax(alone.logits, alone.temperature), label)
    after = log_loss(softmax(both.logits, both.temperature), label)
    assert after < 0.8 * before
    assert {STATE, LINEAR} <= set(both.files)
    assert both.settings["words"] in (0.25, 0.5, 1.0)
    assert both.notes[-1].startswith("Beside the network the words alone are counted")
    assert both.unseen is not None
    assert np.array_equal(both.unseen[0], unseen)


def test_a_network_that_is_always_right_answers_alone(sentences: Collection) -> None:
    rows = portions(sentences, held_out=0.3, seed=0)
    alone = outcome_of(sentences, rows, 60.0, rows.val)
    assert with_words(sentences, rows, alone, 0) is alone


def test_with_few_examples_or_no_word_twice_it_answers_alone(sentences: Collection) -> None:
    rows = portions(sentences, held_out=0.3, seed=0)
    few = outcome_of(sentences, rows, 1.0, rows.val[: LEAST - 1])
    assert with_words(sentences, rows, few, 0) is few
    strange = replace(sentences, _store=_Numbers())
    alone = outcome_of(sentences, rows, 1.0, rows.val)
    assert with_words(strange, rows, alone, 0) is alone


def test_a_class_that_taught_nobody_says_nothing_of_the_words(sentences: Collection) -> None:
    label = np.concatenate([sentences.label, [len(sentences.classes)]])
    one = sentences.take([*range(len(sentences)), 0])
    rare = replace(one, classes=(*one.classes, "rare"), label=label, part=np.append(one.part[:-1], "train"))
    rows = portions(rare, held_out=0.3, seed=0)
    unseen = np.concatenate([rows.train, rows.val])
    assert (label[unseen] == 3).sum() == 1
    alone = outcome_of(rare, rows, 1.0, unseen)
    both = with_words(rare, rows, alone, 0)
    assert both.notes
    assert (
        both.temperature < 2
    )  # the one example, of which both are sure that it is another, would make them doubt everything


def test_more_letters_than_there_is_room_for_are_drawn_from(
    sentences: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = portions(sentences, held_out=0.3, seed=0)
    unseen = np.concatenate([rows.train, rows.val])
    letters = sum(len(str(sentences.raw(int(i)))) for i in unseen)
    monkeypatch.setattr(beside, "COUNTED", letters // 2)
    monkeypatch.setattr(beside, "CHOSEN_BY", letters // 3)
    both = with_words(sentences, rows, outcome_of(sentences, rows, 1.0, unseen), 0)
    assert both.notes[-1].startswith("Words were counted in ")
    assert {STATE, LINEAR} <= set(both.files)


@pytest.mark.parametrize("chosen_by", [beside.CHOSEN_BY, 30_000])
def test_where_words_are_counted_a_curve_is_measured_with_them(
    sentences: Collection, monkeypatch: pytest.MonkeyPatch, chosen_by: int
) -> None:
    monkeypatch.setattr(beside, "CHOSEN_BY", chosen_by)  # the share by fewer texts, or by all
    rows = portions(sentences, held_out=0.3, seed=0)
    taught = np.concatenate([rows.train, rows.val])
    blind = np.random.default_rng(0).normal(size=(len(taught), 4)).astype(np.float32)
    outcome = replace(outcome_of(sentences, rows, 1.0, taught), taught=Taught(taught, blind))
    both = with_words(sentences, rows, outcome, 0)
    assert both.taught is not None
    alone, counted = (
        Enough.measured(sentences, one, rows.groups, "a machine") for one in (Taught(taught, blind), both.taught)
    )
    assert alone is not None
    assert counted is not None
    assert counted.growth.points[-1].right > alone.growth.points[-1].right + 0.2


def test_only_a_network_of_texts_can_do_without_words(made: Collection) -> None:
    with pytest.raises(BadInput, match="--no-words is for --way scratch"):
        Recipe(way="plain", words=False)
    with pytest.raises(BadInput, match="--no-words is for texts; these are images"):
        learn(made, Recipe(way="scratch", words=False))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    """A few pictures."""
    return collect(made_pictures(tmp_path_factory.mktemp("made") / "pictures", each=6, size=16))


class _Numbers:
    """Texts none of which has a word of another."""

    def read(self, row: int) -> str:
        return chr(0x4E00 + row)

    def mark(self, row: int) -> tuple[int, int]:
        return row, 0


@pytest.mark.parametrize(("way", "into"), [("scratch", None), ("extract", None), ("extract", "trees")])
def test_what_is_shipped_answers_as_it_was_measured(
    way: str, into: str | None, sentences: Collection, tmp_path: Path
) -> None:
    source = None
    if way == "extract":
        from tocsin.artifact.folder import write

        begun = learn(sentences, Recipe(way="scratch", size=12, epochs=1, seed=9))
        write(tmp_path / "begun", begun.card, begun.files)
        source = tmp_path / "begun"
    epochs = 1 if way == "scratch" else None
    recipe = Recipe(
        way=way, source=source, size=12 if way == "scratch" else None, epochs=epochs, cache=tmp_path, into=into
    )  # type: ignore[arg-type]
    learned, bare = learn(sentences, recipe), learn(sentences, replace(recipe, words=False))
    assert {STATE, LINEAR} <= set(learned.files)
    assert not {STATE, LINEAR} & set(bare.files)
    assert learned.quality is not None
    assert bare.quality is not None
    assert learned.quality.log_loss < bare.quality.log_loss
    texts = [sentences.raw(int(i)) for i in learned.predictions.rows]
    model = Classifier(learned.card, learned.files)
    np.testing.assert_allclose(model.predict(texts), learned.predictions.probability, atol=1e-4)
    assert model.features(texts[:3]).shape[0] == 3
    assert model.prepare(texts[:2]) == texts[:2]
    if way == "scratch":  # learning on from it begins with the network alone
        from tocsin.artifact.folder import write

        write(tmp_path / "worded", learned.card, learned.files)
        again = learn(sentences, Recipe(way="extract", source=tmp_path / "worded", cache=tmp_path))
        assert again.card.network == learned.card.network
    assert bool(learned.doubts) <= (way == "extract" and into is None)
