"""The advisor: curves by cross-validation on learnable rows alone, a choice with reasons, and no look at the test part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenes.examples import made_pictures, made_sentences
from tocsin.data.collection import Collection, collect
from tocsin.errors import BadInput
from tocsin.evaluate import examples_advice
from tocsin.evaluate.advised import drawing, headline, page, rows
from tocsin.evaluate.advisor import Advice, Candidate, choose, expected_of, more_labels
from tocsin.evaluate.examples_advice import advise_examples
from tocsin.evaluate.growth import Growth, Point
from tocsin.evaluate.payments_advice import ENOUGH_FRAUDS, advise_payments, measured
from tocsin.evaluate.trials import curve, few_of, rare_class, scored, some_rows, try_plain
from tocsin.features import Plan, compile_plan
from tocsin.learn.contract import Examples
from tocsin.learn.perception.portions import portions
from tocsin.spec import load


def candidate(way: str, expected: float, minutes: float) -> Candidate:
    return Candidate(way, "", expected, expected - 0.02, expected + 0.02, minutes)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collect(made_sentences(tmp_path_factory.mktemp("advised") / "said.csv", each=90))


@pytest.fixture(scope="module")
def advice(texts: Collection) -> Advice:
    with pytest.MonkeyPatch.context() as patched:  # as on a machine where nothing of networks is installed
        patched.setattr(examples_advice, "find_spec", lambda name: None)
        return advise_examples(texts)


def test_the_quickest_of_those_that_are_as_good_is_chosen() -> None:
    found = candidate("plain", 0.90, 1), candidate("extract", 0.905, 2), candidate("transfer", 0.909, 20)
    assert choose(found).way == "plain"
    assert choose((*found, candidate("scratch", 0.93, 90))).way == "scratch"


def test_what_is_not_measured_is_nearer_to_what_was_with_fewer_examples() -> None:
    base = candidate("extract", 0.8, 1)
    few, many = (expected_of("transfer", "text", base, n) for n in (5, 500))
    assert base.expected < few.expected < many.expected < many.high
    assert "not measured" in many.grounds
    fresh = expected_of("scratch", "images", candidate("plain", 0.8, 1), 5)
    assert fresh.expected < 0.8, "with five examples a class a network begun from nothing is worse"


def test_a_curve_is_measured_by_folds_that_taught_nothing() -> None:
    rng = np.random.default_rng(0)
    label = np.arange(240) % 2
    chance = rng.normal(size=(240, 8)).astype(np.float32)
    groups = np.full(240, "")
    level, _ = curve(chance, label, groups, 2)
    assert abs(level.points[-1].right - 0.5) < 0.12, "numbers that tell nothing are guessed"
    told = chance + 0.8 * label[:, None].astype(np.float32)
    rising, seconds = curve(told, label, groups, 2)
    assert [p.examples for p in rising.points] == sorted(p.examples for p in rising.points)
    assert rising.points[-1].examples == 180
    assert rising.points[-1].right > 0.85
    assert seconds > 0


def test_a_rare_class_of_two_is_judged_by_its_f1(texts: Collection) -> None:
    said, label = np.array([1, 1, 0, 0, 0]), np.array([1, 0, 1, 0, 0])
    assert scored(said, label, None) == pytest.approx(3 / 5)
    assert scored(said, label, 1) == pytest.approx(0.5), "one found of two, one of two said rightly"
    assert scored(np.zeros(5, dtype=int), label, 1) == 0.0
    rows = np.arange(len(texts))
    assert rare_class(texts, rows) is None, "three classes"
    two = replace(texts, classes=("a", "b"), label=(np.arange(len(texts)) % 8 == 0).astype(np.int64))
    assert rare_class(two, rows) == 1
    assert rare_class(replace(two, label=np.arange(len(texts)) % 2), rows) is None


def test_a_sample_keeps_classes_and_whole_groups(texts: Collection) -> None:
    grouped = replace(texts, group=tuple(f"g{i // 3}" for i in range(len(texts))))
    rows = np.arange(len(texts))
    taken = some_rows(grouped, rows, 60, 0)
    assert 40 <= len(taken) <= 80
    counts = np.bincount(texts.label[taken])
    assert counts.max() <= 2 * counts.min()
    names = np.asarray(grouped.group)
    assert not set(names[taken]) & set(names[np.setdiff1d(rows, taken)])


def test_the_test_part_is_never_read(texts: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = portions(texts, held_out=0.2, seed=0)
    seen: list[int] = []
    raw = Collection.raw
    monkeypatch.setattr(Collection, "raw", lambda self, i: (seen.append(int(i)), raw(self, i))[1])
    try_plain(texts, rows, 30.0)
    assert seen
    assert not set(seen) & set(rows.test.tolist())


def test_advice_without_networks_is_plain_with_reasons(advice: Advice, texts: Collection) -> None:
    assert advice.chosen.way == "plain"
    assert advice.learning == "machine learning"
    assert advice.command == f"tocsin learn {texts.source} --way plain"
    assert advice.examples == 180
    assert any("PyTorch is not installed" in note for note in advice.notes)
    assert any("Twice the labels" in said for said in advice.unless)
    assert advice.chosen.low <= advice.chosen.expected <= advice.chosen.high
    assert 0 < advice.chosen.minutes < 5


def test_the_expectation_is_near_what_learning_comes_to(advice: Advice, texts: Collection) -> None:
    from tocsin.learn.perception.learned import learn
    from tocsin.learn.perception.recipe import Recipe

    quality = learn(texts, Recipe(way="plain", into="svm")).quality
    assert quality is not None
    assert advice.chosen.low - 0.08 <= quality.accuracy <= advice.chosen.high + 0.08


def test_it_is_shown_as_letters_and_as_a_page(advice: Advice) -> None:
    assert "--way plain" in headline(advice)
    assert rows(advice)[0][0] == "plain"
    drawn = drawing(advice)
    assert sum(line.count("P") for line in drawn[:-1]) >= 3, "the measured points"
    assert "360 examples" in drawn[-2], "to twice the examples"
    html = page(advice)
    assert "<svg" in html
    assert advice.command in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_twice_the_labels_are_spoken_of_only_where_a_curve_was_measured() -> None:
    growth = Growth.through([Point(n, 1 - 0.9 * n**-0.3, 0.003) for n in (50, 100, 200, 400)])
    grown = replace(candidate("plain", 0.85, 1), growth=growth)
    assert "+2." in more_labels(grown, 400)
    assert more_labels(candidate("transfer", 0.9, 1), 400) == ""


@pytest.mark.slow
def test_networks_that_begin_from_nothing_are_timed(tmp_path: Path) -> None:
    pictures = collect(made_pictures(tmp_path / "shapes", each=30))
    from tocsin.learn.perception.recipe import Recipe

    found = advise_examples(pictures, recipe=Recipe(weights=tmp_path))
    assert {one.way for one in found.candidates} == {"plain", "scratch"}
    fresh = next(one for one in found.candidates if one.way == "scratch")
    assert fresh.network == "resnet20"
    assert fresh.minutes > 0
    assert any("are not here" in note for note in found.notes)


# --- payments --------------------------------------------------------------------------------------------------------


def payments(n: int = 4000) -> tuple[Examples, Plan]:
    """Payments of the ULB spec's columns whose frauds the columns tell of, half the time."""
    plan = compile_plan(load("ulb"))
    rng = np.random.default_rng(1)
    label = (rng.random(n) < 0.08).astype(np.int8)
    matrix = rng.normal(size=(n, plan.width))
    matrix[:, 0] += 2.0 * label
    return Examples.of(matrix, label, at=np.arange(n, dtype=np.int64) * 1_000_000), plan


def test_payments_without_history_are_for_trees() -> None:
    examples, plan = payments()
    found = advise_payments(examples, plan, source="x.csv", spec="ulb")
    assert found.chosen.way == "trees"
    assert found.command == "tocsin learn x.csv --spec ulb"
    assert "[history]" in found.why[0]
    assert found.measure == "average precision"
    assert "average precision" in headline(found)


def test_the_held_out_payments_are_not_looked_at() -> None:
    examples, plan = payments()
    held_out = np.arange(len(examples)) >= 0.8 * len(examples)
    other = replace(examples, label=np.where(held_out, 1 - examples.label, examples.label).astype(np.int8))
    assert measured(examples, plan).growth.points == measured(other, plan).growth.points


def test_too_few_frauds_are_refused_in_words() -> None:
    examples, plan = payments(400)
    with pytest.raises(BadInput, match="40 in the newest window"):
        advise_payments(examples, plan, source="x.csv", spec="ulb")
    assert ENOUGH_FRAUDS > 40


@pytest.mark.parametrize("rare", [1, 3, 5000])
def test_what_is_timed_has_two_classes_however_the_examples_lie(rare: int) -> None:
    label = np.concatenate([np.zeros(5000, np.int64), np.ones(rare, np.int64)])
    for lying in (label, label[::-1], np.random.default_rng(0).permutation(label)):
        some = few_of(lying)
        assert len(some) == len(np.unique(some)) == 600
        assert len(np.unique(lying[some])) == 2
