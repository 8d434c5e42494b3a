"""Sounds of every make become one channel at 16 kHz; what is none is refused in words."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import soundfile

from tocsin.data import sound
from tocsin.data.sound import decode, fitted, recording, resampled
from tocsin.errors import BadInput

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)).astype(np.float32)


def saved(wave: np.ndarray, rate: int = 16_000, **how: Any) -> bytes:
    data = io.BytesIO()
    soundfile.write(data, wave, rate, **{"format": "WAV", **how})
    return data.getvalue()


def pitch(wave: np.ndarray, rate: int = 16_000) -> float:
    """The loudest frequency in hertz."""
    return float(np.fft.rfftfreq(len(wave), 1 / rate)[abs(np.fft.rfft(wave)).argmax()])


@pytest.mark.parametrize(
    "how",
    [
        {"format": "WAV", "subtype": "PCM_16"},
        {"format": "WAV", "subtype": "PCM_24"},
        {"format": "WAV", "subtype": "PCM_U8"},
        {"format": "WAV", "subtype": "FLOAT"},
        {"format": "FLAC"},
        {"format": "OGG", "subtype": "VORBIS"},
        {"format": "OGG", "subtype": "OPUS"},
        {"format": "AIFF"},
        {"format": "MP3"},
    ],
    ids=lambda how: "-".join(how.values()),
)
def test_every_format_is_read(how: dict[str, str]) -> None:
    got = decode(saved(TONE, **how))
    assert got.dtype == np.float32
    assert abs(len(got) - 16_000) < 1_300  # MP3 and Opus pad
    assert abs(pitch(got) - 440) < 2
    assert recording(saved(TONE, **how)).format.startswith(how["format"])


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 15_999])
def test_every_rate_becomes_16_khz_without_a_change_of_pitch(rate: int) -> None:
    t = np.arange(rate) / rate
    got = decode(saved(np.sin(2 * np.pi * 440 * t) * 0.5, rate))
    assert abs(len(got) - 16_000) < 20
    assert abs(pitch(got) - 440) < 2
    assert abs(float(np.sqrt((got[1000:-1000] ** 2).mean())) - 0.5 / np.sqrt(2)) < 0.01


def test_what_is_above_the_half_of_the_rate_is_taken_out_and_does_not_come_back_lower() -> None:
    t = np.arange(48_000) / 48_000
    assert abs(resampled(np.sin(2 * np.pi * 11_000 * t).astype(np.float32), 48_000, 16_000)[500:-500]).max() < 0.01


def test_channels_become_their_mean() -> None:
    both = np.stack([TONE, -TONE], axis=1)
    assert abs(decode(saved(both))).max() < 1e-3
    assert recording(saved(both)).wave.shape == (16_000, 2)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"RIFF", "must be a sound"),
        (b"hello, I am no sound at all", "must be a sound"),
        (saved(TONE)[:30], "must be a sound"),
        (saved(TONE[:0]), "must have samples"),
        (saved(np.full(100, np.nan, np.float32), subtype="FLOAT"), "none"),
        (saved(np.full(100, 3e38, np.float32), subtype="FLOAT"), "full scale, which is 1; this one reaches 3e\\+38"),
        (saved(TONE, format="OGG", subtype="VORBIS")[:60], "must be a sound"),
    ],
)
def test_what_is_no_sound_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        decode(data)


def test_a_sound_of_hours_is_refused_and_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound, "MOST_SECONDS", 2)
    assert len(decode(saved(np.zeros(32_000)))) == 32_000
    with pytest.raises(BadInput, match="at most 2 seconds"):
        decode(saved(np.zeros(32_001), format="FLAC"))


def test_bytes_that_were_harmed_anywhere_never_end_in_another_error() -> None:
    random = np.random.default_rng(0)
    refused = 0
    for how in ({"format": "WAV"}, {"format": "FLAC"}, {"format": "OGG", "subtype": "VORBIS"}):
        whole = saved(TONE[:4000], **how)
        for _ in range(10):
            data = bytearray(whole)
            for place in random.integers(0, min(200, len(data)), 4):
                data[place] = random.integers(0, 256)
            try:
                assert decode(bytes(data)).ndim == 1
            except BadInput:
                refused += 1
    assert refused > 3


@pytest.mark.parametrize("given", [0, 1, 3, 8, 9, 20])
def test_a_length_is_cut_or_filled_on_both_sides(given: int) -> None:
    got = fitted(np.arange(1, given + 1, dtype=np.float32), 8)
    assert got.shape == (8,)
    kept = got[got > 0]
    assert len(kept) == min(given, 8)
    assert (np.diff(kept) == 1).all()
    before, after = (int((side == 0).cumprod().sum()) for side in (got, got[::-1]))
    assert abs(before - after) <= 1 or given == 0
