"""Copies are found among many, in cells as among few; what is plain or merely similar is not called a copy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tocsin.data import twins
from tocsin.data.text import words
from tocsin.data.twins import SIDE, alike, alike_texts, joined


def maps(n: int, seed: int = 0) -> NDArray[np.uint8]:
    """uint8[n, SIDE, SIDE, 3], no two alike."""
    random = np.random.default_rng(seed)
    coarse = random.normal(128, 40, (n, 6, 6, 3)).astype(np.float32).repeat(4, 1).repeat(4, 2)
    return (coarse + random.normal(0, 4, coarse.shape)).clip(0, 255).astype(np.uint8)


def pairs(found: NDArray[np.int64]) -> set[tuple[int, int]]:
    return {(int(a), int(b)) for a, b in found}


@pytest.mark.parametrize("n", [60, 6_000])
def test_every_planted_copy_is_found_and_nothing_else(n: int) -> None:
    """6,000 are too many to be compared each with each: they go through the cells."""
    made = maps(n)
    random = np.random.default_rng(1)
    copies = [(i, n - 1 - i) for i in range(20)]
    for original, copy in copies:
        noisy = made[original] * 0.8 + 20 + random.normal(0, 5, made[original].shape)
        made[copy] = noisy.clip(0, 255).astype(np.uint8)
    assert pairs(alike(made, least=0.95)) == set(copies)


def test_a_moved_copy_is_found_only_where_moving_is_allowed() -> None:
    made = maps(8)
    grey = np.random.default_rng(3).normal(128, 50, (5, 5)).astype(np.float32)
    scene = np.asarray(Image.fromarray(grey).resize((40, 40), Image.Resampling.BICUBIC)).clip(0, 255)
    made[2] = scene[8:32, 8:32, None]
    made[5] = scene[9:33, 10:34, None]
    assert pairs(alike(made, least=0.95, shift=2)) == {(2, 5)}
    assert pairs(alike(made, least=0.95)) == set()


def test_what_is_too_plain_is_like_nothing() -> None:
    made = (maps(1)[0][None].astype(np.float32) / 40 + 100).astype(np.uint8).repeat(3, axis=0)
    assert pairs(alike(made, least=0.95)) == set()
    assert len(pairs(alike(made, least=0.95, contrast=0.5))) == 3


def test_colours_apart_are_no_variation() -> None:
    blue = np.zeros((4, SIDE, SIDE, 3), np.uint8)
    blue[..., 2] = 200
    assert pairs(alike(blue, least=0.95)) == set()


@pytest.mark.parametrize("n", [0, 1])
def test_none_and_one_have_no_pairs(n: int) -> None:
    assert alike(maps(n), least=0.9).shape == (0, 2)
    assert alike_texts([["a", "b", "c", "d"]] * n).shape == (0, 2)


def test_very_many_copies_of_one_are_one_family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins, "_WHOLE", 50)
    made = maps(200)
    made[100:] = made[0]
    assert set(joined(200, alike(made, least=0.95))[100:].tolist()) == {0}


def test_texts_that_share_most_neighbours_are_found_among_many() -> None:
    random = np.random.default_rng(0)
    vocabulary = [f"word{i}" for i in range(500)]
    made = [list(random.choice(vocabulary, random.integers(8, 20))) for _ in range(3_000)]
    for i in range(40):
        copy = list(made[i])
        copy.insert(int(random.integers(0, len(copy))), "more")
        made[-1 - i] = copy
    wanted = {(i, 2_999 - i) for i in range(40)}
    found = pairs(alike_texts(made, least=0.6))
    assert found <= wanted
    assert len(found) >= 39


def test_order_matters_and_short_texts_are_like_no_other() -> None:
    said = "the dog bites the old man in the park"
    turned = "the old man bites the dog in the park"
    assert pairs(alike_texts([words(said), words(turned)])) == set()
    assert pairs(alike_texts([words("yes sir please"), words("yes sir please")])) == set()
    assert pairs(alike_texts([words(said), words(said + " today")])) == {(0, 1)}


def test_families_are_joined_through_others() -> None:
    chain = np.array([[i, i + 1] for i in range(98, -1, -1)])
    assert set(joined(101, chain).tolist()) == {0, 100}
