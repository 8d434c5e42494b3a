"""What plain machine learning hears in a recording: its cepstrum, how that moves, and its statistics over time.

Mel-frequency cepstral coefficients with their first and second differences, told by mean, spread and extremes over the whole
recording and by means over equal parts of it, so that *on* and *no* do not sound alike. Fixed formulas, no state but the
settings. NumPy only; the same code trains and serves.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput
from tocsin.features.state import packed, unpacked

AT_ONCE = 256
"""Recordings worked on together, so that their spectra fit in memory."""
FLOOR = 1e-6
"""Power added before the logarithm: silence has no depth."""


class SoundFeatures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers about recordings of one length.

    Parameters
    ----------
    rate : samples a second. window, hop : samples looked at together, and from one look to the next.
    mels : bands of the mel scale. cepstra : coefficients kept of their cosine transform.
    parts : into how many equal parts of time the means are told; 0 for none.
    """

    rate: int = 16_000
    window: int = 480
    hop: int = 160
    mels: int = 40
    cepstra: int = 13
    parts: int = 10

    def of(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32[n, f] of float32[n, samples] in [-1, 1].

        Raises
        ------
        BadInput : another shape, or fewer samples than a window and one hop for each part.
        """
        least = self.window + self.hop * max(self.parts, 5)
        if waves.ndim != 2 or waves.shape[1] < least:
            raise BadInput(
                f"recordings must be float32[n, samples] with at least {least} samples; got {list(waves.shape)}.",
                hint="Prepare them longer: what is missing is filled with silence.",
            )
        batches = [self._batch(waves[first : first + AT_ONCE]) for first in range(0, len(waves), AT_ONCE)]
        nothing = np.zeros((0, sum(self.blocks(waves.shape))), dtype=np.float32)
        return np.concatenate(batches) if batches else nothing

    def blocks(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """How many of the numbers, one after another, tell of one thing; of any length of sound."""
        return tuple(width for width in (12 * self.cepstra, 2 * self.cepstra * self.parts) if width)

    def save(self) -> bytes:
        """What :func:`opened` reads."""
        return packed(self)

    def _batch(self, waves: NDArray[np.float32]) -> NDArray[np.float32]:
        cepstra = log_mel(waves, self.rate, self.window, self.hop, self.mels) @ cosines(self.mels, self.cepstra)
        moving = slopes(cepstra)
        told = np.concatenate([cepstra, moving, slopes(moving)], axis=2)
        parts = [told.mean(axis=1), told.std(axis=1), told.min(axis=1), told.max(axis=1)]
        if self.parts:
            begins = np.arange(self.parts) * told.shape[1] // self.parts
            lengths = np.diff(np.append(begins, told.shape[1])).astype(np.float32)
            both = told[:, :, : 2 * self.cepstra]  # a part's own second differences say little
            parts.append((np.add.reduceat(both, begins, axis=1) / lengths[None, :, None]).reshape(len(waves), -1))
        return np.concatenate(parts, axis=1, dtype=np.float32)


def opened(state: bytes) -> SoundFeatures:
    """What :meth:`SoundFeatures.save` wrote.

    Raises
    ------
    Damaged : the state is of something else.
    """
    return unpacked(state, SoundFeatures)[0]


def log_mel(
    waves: NDArray[np.float32], rate: int = 16_000, window: int = 480, hop: int = 160, mels: int = 40
) -> NDArray[np.float32]:
    """float32[n, frames, mels]: the logarithm of the power in each band, Hann windows, no padding at the ends."""
    frames = np.lib.stride_tricks.sliding_window_view(waves, window, axis=1)[:, ::hop]
    shape = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)).astype(np.float32)
    length = 1 << (window - 1).bit_length()
    spectrum = np.fft.rfft(frames * shape, length, axis=2)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.asarray(np.log(power @ mel_bands(mels, length, rate) + FLOOR), dtype=np.float32)


@lru_cache(maxsize=8)
def mel_bands(mels: int, length: int, rate: int) -> NDArray[np.float32]:
    """float32[length // 2 + 1, mels]: triangles, evenly spaced in mel = 2595 log10(1 + Hz / 700) from 20 Hz to half the rate."""
    edges = np.linspace(_mel(20.0), _mel(rate / 2), mels + 2)
    at = _mel(np.arange(length // 2 + 1) * rate / length)[:, None]
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (at - low) / (middle - low), (high - at) / (high - middle)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), dtype=np.float32)


def _mel(hertz: float | NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(2595.0 * np.log10(1.0 + np.asarray(hertz, dtype=np.float64) / 700.0))


@lru_cache(maxsize=8)
def cosines(mels: int, cepstra: int) -> NDArray[np.float32]:
    """float32[mels, cepstra]: the orthonormal cosine transform (DCT-II) that turns log-mel bands into a cepstrum."""
    angle = np.pi * (np.arange(mels)[:, None] + 0.5) * np.arange(cepstra)[None, :] / mels
    table = np.cos(angle) * np.sqrt(2.0 / mels)
    table[:, 0] /= np.sqrt(2.0)
    return np.asarray(table, dtype=np.float32)


def slopes(told: NDArray[np.float32], reach: int = 2) -> NDArray[np.float32]:
    """The slope of the line through each frame's neighbours, ``reach`` to each side; as many frames, the ends held."""
    held = np.pad(told, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    frames = told.shape[1]
    total = np.zeros_like(told)
    for step in range(1, reach + 1):
        total += step * (held[:, reach + step : reach + step + frames] - held[:, reach - step : reach - step + frames])
    return np.asarray(total / (2 * sum(step**2 for step in range(1, reach + 1))), dtype=np.float32)
