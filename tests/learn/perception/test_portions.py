"""Who teaches, who stops, who judges: what the data says, and else the same share of every class, whole groups."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.examples import made_sentences
from tocsin.data.collection import UNKNOWN, Collection, collect
from tocsin.errors import BadInput
from tocsin.learn.perception.portions import AT_MOST, folds, portions, share, some


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collect(made_sentences(tmp_path_factory.mktemp("made") / "said.csv", each=60))


def test_the_parts_of_the_data_are_kept(sentences: Collection) -> None:
    rows = portions(sentences, held_out=0.2, seed=0)
    assert set(sentences.part[rows.test]) == {"test"}
    assert len(rows.test) == (sentences.part == "test").sum()
    assert not rows.own_val
    assert set(sentences.part[rows.taught]) == {"train"}
    assert "calls test" in rows.held_out
    together = np.concatenate([rows.train, rows.val, rows.test])
    assert len(np.unique(together)) == len(together) == len(sentences)


def test_a_val_part_stops_and_nothing_is_taken_from_train(sentences: Collection) -> None:
    part = sentences.part.copy()
    part[np.flatnonzero(part == "train")[::5]] = "val"
    rows = portions(replace(sentences, part=part), held_out=0.2, seed=0)
    assert rows.own_val
    assert set(part[rows.val]) == {"val"}
    assert (part[rows.train] == "train").all()


def test_without_parts_the_same_share_of_every_class_is_set_aside(sentences: Collection) -> None:
    bare = replace(sentences, part=np.full(len(sentences), ""))
    rows = portions(bare, held_out=0.25, seed=3)
    counts = np.bincount(bare.label[rows.test])
    assert counts.tolist() == [15, 15, 15]
    assert "25% of each class" in rows.held_out
    again = portions(bare, held_out=0.25, seed=3)
    assert np.array_equal(rows.test, again.test)
    assert not np.array_equal(rows.test, portions(bare, held_out=0.25, seed=4).test)


def test_train_and_val_alone_still_leave_a_test(sentences: Collection) -> None:
    part = np.where(sentences.part == "test", "val", sentences.part)
    rows = portions(replace(sentences, part=part), held_out=0.2, seed=0)
    assert set(part[rows.val]) == {"val"}
    assert len(rows.test)
    assert set(part[rows.test]) == {"train"}


def test_a_group_is_never_on_both_sides(sentences: Collection) -> None:
    group = tuple(f"speaker {i % 17}" for i in range(len(sentences)))
    bare = replace(sentences, part=np.full(len(sentences), ""), group=group)
    rows = portions(bare, held_out=0.2, seed=0)
    names = [{group[i] for i in some} for some in (rows.train, rows.val, rows.test)]
    assert not names[0] & names[1] | names[0] & names[2] | names[1] & names[2]
    assert 0.1 < len(rows.test) / len(bare) < 0.3


def test_unknown_and_bad_rows_take_no_part(sentences: Collection) -> None:
    label, good = sentences.label.copy(), np.ones(len(sentences), dtype=bool)
    label[:10] = UNKNOWN
    good[10:20] = False
    rows = portions(replace(sentences, label=label), good=good, held_out=0.2, seed=0)
    assert min(rows.train.min(), rows.val.min(), rows.test.min()) >= 20


def test_folds_spread_every_class_and_keep_groups_whole() -> None:
    label = np.repeat([0, 1, 2], [50, 20, 7])
    fold = folds(label, np.full(77, ""), seed=0)
    for c, least in ((0, 10), (1, 4), (2, 1)):
        assert np.bincount(fold[label == c], minlength=5).min() >= least
    group = np.array([f"g{i // 4}" for i in range(77)])
    whole = folds(label, group, seed=0)
    assert all(len(np.unique(whole[group == g])) == 1 for g in np.unique(group))
    assert len(np.unique(whole)) == 5


def test_a_share_of_classes_of_one_example_leaves_them_where_they_are() -> None:
    label = np.array([0] * 20 + [1])
    away = share(label, np.full(21, ""), 0.2, seed=0)
    assert away[:20].sum() == 4
    assert not away[20]


@pytest.mark.parametrize(("classes", "each"), [(300, 3), (11, 4), (2, 2), (5, 2)])
def test_classes_too_small_for_a_share_of_each_still_get_what_stops(
    sentences: Collection, classes: int, each: int
) -> None:
    label = np.repeat(np.arange(classes), each)
    blank = ("",) * len(label)
    small = replace(
        sentences.take(np.zeros(len(label), dtype=np.int64)),
        classes=tuple(f"c{i:03}" for i in range(classes)),
        label=label,
        part=np.full(len(label), ""),
        group=blank,
    )
    rows = portions(small, held_out=0.2, seed=0)
    assert len(rows.val) >= 1
    assert set(label[rows.train]) == set(range(classes))
    assert sorted([*rows.train, *rows.val, *rows.test]) == list(range(len(label)))


def test_some_of_all_keeps_groups_whole_and_an_example_of_every_class() -> None:
    label = np.repeat(np.arange(40), 3)
    group = np.array([f"g{i // 2}" for i in range(120)])
    away = some(label, group, 0.15, seed=0)
    assert 10 <= away.sum() <= 18
    assert all(len(np.unique(away[group == g])) == 1 for g in np.unique(group))
    assert set(label[~away]) == set(range(40))
    assert not some(np.arange(5), np.full(5, ""), 0.15, seed=0).any()


def test_of_many_examples_no_more_stop_than_say_something(sentences: Collection) -> None:
    rows = np.tile(np.arange(len(sentences)), 40)  # 7,200 sentences
    many = replace(sentences.take(rows), part=np.full(len(rows), "train"), group=np.full(len(rows), ""))
    found = portions(many, held_out=0.2, seed=0)
    assert 0.15 * (len(found.train) + len(found.val)) > AT_MOST * 1.5
    assert abs(len(found.val) - AT_MOST) < 10


def test_classes_of_one_example_each_leave_nothing_to_stop_by(sentences: Collection) -> None:
    rows = [int(np.flatnonzero(sentences.label == c)[0]) for c in range(3)]
    small = replace(sentences.take(rows), part=np.full(3, ""))
    with pytest.raises(BadInput, match=r"3 examples of 3 classes leave none.*Give several"):
        portions(small, held_out=0.2, seed=0)


def test_what_cannot_be_learned_from_is_refused_in_words(sentences: Collection) -> None:
    with pytest.raises(BadInput, match="none has one"):
        portions(replace(sentences, label=np.full(len(sentences), UNKNOWN)), held_out=0.2, seed=0)
    with pytest.raises(BadInput, match="all 180 to learn from are 'animals'"):
        portions(replace(sentences, label=np.zeros(len(sentences), dtype=np.int64)), held_out=0.2, seed=0)
    with pytest.raises(BadInput, match="two classes"):
        portions(sentences, good=sentences.label == 1, held_out=0.2, seed=0)


def test_a_class_that_is_only_in_the_test_is_told(sentences: Collection, tmp_path: Path) -> None:
    part = np.where(sentences.label == 2, "test", "train")
    rows = portions(replace(sentences, part=part), held_out=0.2, seed=0)
    assert any("weather" in note for note in rows.notes)
