"""Labels that were swapped are found, and the others are left in peace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.examples import made_pictures, made_sentences
from tocsin.data.collection import Collection, collect
from tocsin.errors import BadInput
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.suspicion import doubts_of, sentences, suspicions


def swapped(collection: Collection, rows: list[int]) -> Collection:
    label = collection.label.copy()
    label[rows] = (label[rows] + 1) % len(collection.classes)
    return replace(collection, label=label)


def test_swapped_labels_are_found_by_what_pictures_look_like(tmp_path: Path) -> None:
    whole = collect(made_pictures(tmp_path / "made", each=30, parts=False))
    wrong = [3, 40, 75]
    given = swapped(whole, wrong)
    said = suspicions(given, Recipe(weights=tmp_path))  # no weights there: plain features
    found = said.found
    assert (said.network, said.judged) == ("", 90)
    assert said.right > 0.8 > said.common
    assert len({doubt.row for doubt in found} & set(wrong)) >= 2
    assert len(found) <= 6
    first = found[0]
    assert first.given == given.label[first.row]
    assert first.believed == whole.label[first.row]
    (words,) = sentences(given, found)
    assert given.names[first.row] in words
    assert "labels look wrong, by a model that had not seen them" in words
    assert "1 label looks wrong, by a model that had not seen it:" in sentences(given, found[:1])[0]
    assert sentences(given, ()) == ()


def test_a_class_that_is_hard_to_see_is_not_suspected_as_a_whole(tmp_path: Path) -> None:
    given = collect(made_pictures(tmp_path / "made", classes=("circle", "square"), each=20, parts=False))
    rows = np.arange(40)
    logits = np.zeros((40, 2))
    logits[:, 1] = 2.0  # everything looks like the second class, and none more than usual
    assert len(doubts_of(given, rows, logits)) in (0, 20)
    logits[:, 1] += np.linspace(-1, 1, 40)
    firm = doubts_of(given, rows, logits)
    assert 0 < len(firm) < 20 or not firm
    assert [d.share for d in firm] == sorted((d.share for d in firm), reverse=True)


def test_swapped_texts_are_found_by_their_words(tmp_path: Path) -> None:
    whole = collect(made_sentences(tmp_path / "made.csv", each=30))
    given = swapped(whole, [5, 50])
    said = suspicions(given, Recipe(weights=tmp_path))
    assert {doubt.row for doubt in said.found} == {5, 50}
    assert said.by == "the words they have"


def test_a_class_nothing_is_left_of_is_not_judged(tmp_path: Path) -> None:
    sentences = [f"{word} rain and {word} storm" for word in "abcdefghij"] + [f"{w} bank of cash" for w in "klmnopqrst"]
    lines = zip([*sentences, "a horse"], ["weather"] * 10 + ["money"] * 10 + ["animals"], strict=True)
    (tmp_path / "said.csv").write_text("\n".join(["text,label", *map(",".join, lines)]))
    given = collect(tmp_path / "said.csv")
    assert suspicions(given, Recipe(weights=tmp_path)).judged == 20
    with pytest.raises(BadInput, match="labels can be doubted"):
        suspicions(given.take(np.array([0, 15])), Recipe(weights=tmp_path))
