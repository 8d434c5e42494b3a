"""Plain machine learning beside a network: on the same test, when it is cheap, and with what may be chance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from scenes.examples import made_pictures, made_sentences, made_sounds
from tocsin.data.collection import collect
from tocsin.evaluate.headline import Rival, against
from tocsin.evaluate.rival import against_plain
from tocsin.learn.perception.portions import portions


@pytest.mark.parametrize("kind", ["images", "sound", "text"])
def test_it_learns_from_the_same_and_is_judged_by_the_same(kind: str, tmp_path: Path) -> None:
    make: dict[str, Callable[[], Path]] = {
        "images": lambda: made_pictures(tmp_path / "made", each=18),
        "sound": lambda: made_sounds(tmp_path / "made", each=12, seconds=0.2),
        "text": lambda: made_sentences(tmp_path / "made.csv", each=24),
    }
    given = collect(make[kind]())
    rows = portions(given, held_out=0.2, seed=0)
    right = np.zeros(len(rows.test), dtype=bool)
    rival, seconds = against_plain(given, rows, right)
    assert rival is not None
    assert 0 < seconds < 30
    assert rival.accuracy > 0.5
    assert rival.accuracy * len(rows.test) == pytest.approx(round(rival.accuracy * len(rows.test)))
    spread = (rival.accuracy * (1 - rival.accuracy)) ** 0.5
    assert rival.margin == pytest.approx(1.96 * spread / len(rows.test) ** 0.5)


def test_texts_that_share_no_word_with_the_next_are_asked_all_the_same(tmp_path: Path) -> None:
    lines = [f"{word} {word}{word},{'ab'[i % 2]}" for i, word in enumerate("one two six ten oak elm ash yew".split())]
    (tmp_path / "said.csv").write_text("\n".join(["text,label", *(lines * 5)]))
    given = collect(tmp_path / "said.csv")
    rows = portions(given, held_out=0.2, seed=0)
    rival, _ = against_plain(given, rows, np.ones(len(rows.test), dtype=bool))
    assert rival is not None


def test_where_it_would_take_long_it_is_not_asked(tmp_path: Path) -> None:
    given = collect(made_sentences(tmp_path / "made.csv", each=24))
    rows = portions(given, held_out=0.2, seed=0)

    def ticks() -> Iterator[float]:
        now = 0.0
        while True:
            yield (now := now + 60.0)

    clock = ticks()
    rival, seconds = against_plain(given, rows, np.ones(len(rows.test), dtype=bool), clock=lambda: next(clock))
    assert rival is None
    assert seconds > 60


@pytest.mark.parametrize(
    ("accuracy", "margin", "said"),
    [
        (0.95, 0.02, "is right on 90.0 % of the same examples: 5.0 points fewer."),
        (0.91, 0.02, "1.0 points fewer, which may be chance. It needs no network"),
        (0.9, 0.0, "examples: the same. It needs no network"),
        (0.85, 0.02, "5.0 points more. Plain machine learning does better here: take --way plain."),
        (0.95, None, "5.0 points fewer."),
    ],
)
def test_it_says_when_plain_machine_learning_does_as_well_or_better(
    accuracy: float, margin: float | None, said: str
) -> None:
    assert said in against(Rival("Plain machine learning", 0.9, margin), accuracy)
