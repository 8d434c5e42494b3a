"""Sounds as spectra and back, as the report draws and cuts them. What a network hears is its own affair."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
WINDOW = 512
"""Samples a column of the spectrogram: 32 ms at 16 kHz."""


def mel_places(rate: int = 16_000) -> Floats:
    """float64[257]: where each row of a spectrum lies between 0 and the highest pitch, on the mel scale."""
    out: Floats = _mel(np.fft.rfftfreq(WINDOW, 1 / rate)) / _mel(rate / 2)
    return out


def _mel(hertz: Any) -> Any:
    return 2595.0 * np.log10(1.0 + np.asarray(hertz, dtype=np.float64) / 700.0)


def spectrum_of(wave: NDArray[np.float32]) -> NDArray[np.complex128]:
    """complex128[columns, 257]: windows half over one another, such that adding up the inverses gives the wave again."""
    half = WINDOW // 2
    columns = -(-len(wave) // half) + 1
    padded = np.zeros((columns + 1) * half)
    padded[half : half + len(wave)] = wave
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::half]
    return np.fft.rfft(frames * _window(), axis=1)


def wave_of(spectrum: NDArray[np.complex128], samples: int) -> NDArray[np.float32]:
    """float32[samples]: the wave a spectrum is of; the inverse of :func:`spectrum_of`."""
    half = WINDOW // 2
    frames = np.fft.irfft(spectrum, WINDOW, axis=1)
    out = np.zeros((len(frames) + 1) * half)
    for part in (0, 1):  # windows that do not overlap are laid down together
        out[part * half : part * half + len(frames[part::2]) * WINDOW] += frames[part::2].ravel()
    return out[half : half + samples].astype(np.float32)


def power(wave: NDArray[np.float32]) -> Floats:
    """float64[columns, 257]: the power spectrogram."""
    out: Floats = np.abs(spectrum_of(wave)) ** 2
    return out


def mel_bands(bands: int, rate: int = 16_000) -> Floats:
    """float64[bands, 257]: overlapping triangles, equally wide on the mel scale, each with weights that add up to 1."""
    at = mel_places(rate) * (bands + 1)
    weight = np.clip(1 - np.abs(at[None, :] - np.arange(1, bands + 1)[:, None]), 0, None)
    low = np.flatnonzero(weight.sum(axis=1) == 0)  # a band narrower than the spectrum's step takes its nearest column
    weight[low, np.abs(at[None, :] - (low + 1)[:, None]).argmin(axis=1)] = 1
    out: Floats = weight / weight.sum(axis=1, keepdims=True)
    return out


def _window() -> Floats:
    """Hann's, periodic: two, half a window apart, add up to one everywhere."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
