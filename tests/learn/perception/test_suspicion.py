"""Labels that were swapped are found, and the others are left in peace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from scenes.examples import made_pictures
from tocsin.data.collection import Collection, collect
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.suspicion import doubts, doubts_of, sentences


def swapped(collection: Collection, rows: list[int]) -> Collection:
    label = collection.label.copy()
    label[rows] = (label[rows] + 1) % len(collection.classes)
    return replace(collection, label=label)


def test_swapped_labels_are_found_by_what_pictures_look_like(tmp_path: Path) -> None:
    whole = collect(made_pictures(tmp_path / "made", each=30, parts=False))
    wrong = [3, 40, 75]
    given = swapped(whole, wrong)
    found = doubts(given, Recipe(weights=tmp_path))  # no weights there: plain features
    assert len({doubt.row for doubt in found} & set(wrong)) >= 2
    assert len(found) <= 6
    first = found[0]
    assert first.given == given.label[first.row]
    assert first.believed == whole.label[first.row]
    (said,) = sentences(given, found)
    assert given.names[first.row] in said
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
