"""Plain features of sounds: cepstra against the formula, and what time does to them."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.errors import BadInput, Damaged
from tocsin.features.images import ImageFeatures
from tocsin.features.sound import SoundFeatures, cosines, log_mel, mel_bands, opened, slopes

RATE = 16_000


def tone(hertz: float, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(RATE * seconds)) / RATE).astype(np.float32)[None]


def test_many_at_once_is_as_one_by_one() -> None:
    waves = np.random.default_rng(0).normal(0, 0.1, (4, 8000)).astype(np.float32)
    features = SoundFeatures()
    together = features.of(waves)
    np.testing.assert_allclose(together[2], features.of(waves[2:3])[0], rtol=1e-5, atol=1e-5)
    assert together.shape == (4, sum(features.blocks(waves.shape)))
    assert together.dtype == np.float32


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 4000.0])
def test_a_tone_is_in_the_band_of_its_pitch(hertz: float) -> None:
    bands = log_mel(tone(hertz), mels=40)[0].mean(axis=0)
    mel = 2595 * np.log10(1 + np.array([20.0, RATE / 2, hertz]) / 700)
    expected = (mel[2] - mel[0]) / (mel[1] - mel[0]) * 41 - 1
    assert abs(int(bands.argmax()) - expected) <= 1


def test_the_spectrum_is_that_of_the_definition() -> None:
    wave = np.random.default_rng(1).normal(0, 0.1, (1, 1600)).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(480) / 480)
    power = np.abs(np.fft.rfft(wave[0, 320:800].astype(float) * window, 512)) ** 2
    np.testing.assert_allclose(log_mel(wave)[0, 2], np.log(power @ mel_bands(40, 512, RATE) + 1e-6), rtol=1e-4)


def test_the_cosine_transform_keeps_lengths() -> None:
    table = cosines(40, 40)
    np.testing.assert_allclose(table.T @ table, np.eye(40), atol=1e-5)


def test_a_slope_is_that_of_the_line() -> None:
    rising = np.arange(9, dtype=np.float32)[None, :, None] * 3
    np.testing.assert_allclose(slopes(rising)[0, 2:-2, 0], 3.0)
    assert slopes(np.ones((1, 9, 1), np.float32)).max() == 0


def test_the_order_in_time_is_heard() -> None:
    there, back = np.concatenate([tone(300), tone(2000)], axis=1), np.concatenate([tone(2000), tone(300)], axis=1)
    features = SoundFeatures()
    first = features.blocks(there.shape)[0]
    a, b = features.of(there)[0], features.of(back)[0]
    assert np.abs(a[first:] - b[first:]).max() > 1, "parts of time"
    assert np.abs(SoundFeatures(parts=0).of(there)[0][:13] - SoundFeatures(parts=0).of(back)[0][:13]).max() < 0.1


def test_silence_is_a_number() -> None:
    assert np.isfinite(SoundFeatures().of(np.zeros((2, 8000), np.float32))).all()


def test_saved_and_opened_it_says_the_same() -> None:
    features = SoundFeatures(cepstra=20, parts=4)
    assert opened(features.save()) == features
    with pytest.raises(Damaged, match="archive of features"):
        opened(ImageFeatures().save())


def test_what_is_too_short_is_refused() -> None:
    with pytest.raises(BadInput, match="at least 2080 samples"):
        SoundFeatures().of(np.zeros((1, 1000), np.float32))
