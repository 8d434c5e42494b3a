"""What is said to have decided did decide: classes made by a patch, a tone and a word at known places."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from tocsin.evaluate.saliency import (
    Saliency,
    hidden_in_picture,
    hidden_in_sound,
    left_out_of_text,
    log_odds,
)
from tocsin.evaluate.spectrum import spectrum_of, wave_of

RATE = 16_000


def two(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    p = 1 / (1 + np.exp(-odds))
    return np.stack([1 - p, p], axis=1)


@pytest.mark.parametrize("at", [(8, 8), (40, 16), (52, 52), (0, 30)])
def test_a_patch_that_decides_is_where_the_picture_mattered(at: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    picture = rng.integers(60, 120, (64, 64, 3)).astype(np.uint8)
    row, column = at
    picture[row : row + 12, column : column + 12] = (250, 20, 20)

    def redness(given: NDArray[np.uint8]) -> NDArray[np.float64]:
        red = (given[..., 0].astype(float) - given[..., 1] > 150).mean(axis=(1, 2))
        return two(400 * red - 4)

    found = hidden_in_picture(redness, picture, 1).values
    assert found.shape == (8, 8)
    centre = (min(row + 6, 63) // 8, min(column + 6, 63) // 8)
    near = [(r, c) for r, c in np.ndindex(8, 8) if abs(r - centre[0]) <= 1 and abs(c - centre[1]) <= 1]
    mass = np.clip(found, 0, None)
    assert sum(mass[place] for place in near) > 0.9 * mass.sum() > 0
    against = hidden_in_picture(redness, picture, 0).values
    assert np.allclose(against, -found)


@pytest.mark.parametrize(("second", "hertz"), [(0.15, 500.0), (0.7, 3000.0)])
def test_a_tone_that_decides_is_when_and_where_the_sound_mattered(second: float, hertz: float) -> None:
    rng = np.random.default_rng(1)
    t = np.arange(RATE) / RATE
    wave = 0.01 * rng.standard_normal(RATE)
    there = np.abs(t - second) < 0.06
    wave[there] += 0.5 * np.sin(2 * np.pi * hertz * t[there])

    def tone(given: NDArray[np.float32]) -> NDArray[np.float64]:
        carrier = np.exp(-2j * np.pi * hertz * t)
        blocks = np.abs((given * carrier).reshape(len(given), 50, -1).mean(axis=2))
        return two(60 * blocks.max(axis=1) - 5)

    found = hidden_in_sound(tone, wave.astype(np.float32), 1).values
    assert found.shape == (6, 12)
    band, moment = np.unravel_index(found.argmax(), found.shape)
    top = 2595 * np.log10(1 + 8000 / 700)
    assert abs(moment - int(second * 12)) <= 1
    assert abs(band - int(2595 * np.log10(1 + hertz / 700) / top * 6)) <= 1
    mass = np.clip(found, 0, None)
    assert mass[:, max(0, moment - 1) : moment + 2].sum() > 0.9 * mass.sum()


def test_the_spectrum_gives_the_wave_again() -> None:
    wave = np.random.default_rng(2).standard_normal(5_001).astype(np.float32)
    assert np.abs(wave_of(spectrum_of(wave), len(wave)) - wave).max() < 1e-6


def test_the_word_that_decides_has_the_largest_share_and_the_words_are_the_text() -> None:
    def liked(texts: Sequence[str]) -> NDArray[np.float64]:
        return two(np.array([3.0 * ("great" in t) - 2.0 * ("dull" in t) for t in texts]))

    text = "  A great film,\nif a little dull at times "
    found = left_out_of_text(liked, text, 1)
    assert "".join(found.words) == text
    share = {word.strip(): value for word, value in zip(found.words, found.values, strict=True)}
    assert share["great"] == pytest.approx(3.0)
    assert share["dull"] == pytest.approx(-2.0)
    assert all(abs(v) < 1e-9 for w, v in share.items() if w not in ("great", "dull"))


def test_a_long_text_is_asked_about_no_more_often_than_a_picture() -> None:
    asked = 0

    def liked(texts: Sequence[str]) -> NDArray[np.float64]:
        nonlocal asked
        asked += len(texts)
        return two(np.array([3.0 * ("great" in t) for t in texts]))

    words = [f"w{i}" for i in range(500)]
    words[321] = "great"
    found = left_out_of_text(liked, " ".join(words), 1)
    assert asked <= 65
    assert len(found.words) == len(found.values) == 500
    assert 315 <= int(found.values.argmax()) <= 321 <= int(np.flatnonzero(found.values > 0)[-1])
    assert found.values.sum() == pytest.approx(3.0)


def test_a_text_of_one_word_or_of_none_is_no_trouble() -> None:
    def lost(texts: Sequence[str]) -> NDArray[np.float64]:
        return np.array([[0.5, 0.5] if t.strip() else [np.nan, np.nan] for t in texts])

    for text in ("word", ""):
        found = left_out_of_text(lost, text, 0)
        assert "".join(found.words) == text
        assert found.values.tolist() == [0.0]


def test_log_odds_stay_finite_where_the_answer_is_sure() -> None:
    assert np.isfinite(log_odds(np.array([[0.0, 1.0]]), 0)).all()
    assert isinstance(Saliency(np.zeros(2)).words, tuple)
