"""Sounds: bytes → float32[n] in one channel at 16 kHz, and fitted to a length.

WAV, FLAC, Ogg (Vorbis, Opus), MP3, AIFF, whatever libsndfile opens. Needs soundfile (``pip install 'tocsin[perception]'``),
asked for only when a sound is opened.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput, NotReady

RATE = 16_000
"""Samples a second, of everything that is learned from and served."""
MOST_SECONDS = 600
"""Longer sounds are refused: silence packs to nothing, and a class of an hour is not one example."""
LOUDEST = 1e6
"""Times full scale: files of floating-point samples may go beyond 1, and beyond this no filter's sum is sure to be a number."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A sound as it was recorded.

    Parameters
    ----------
    wave : float32[n, channels], in [-1, 1].
    rate : samples a second.
    format : of the file and of what is in it: "WAV PCM_16", "OGG OPUS".
    promised : samples the file says it has; more than n when it was cut short.
    """

    wave: NDArray[np.float32]
    rate: int
    format: str
    promised: int


@cache
def _soundfile() -> Any:
    try:
        import soundfile  # type: ignore[import-untyped]
    except (ImportError, OSError) as error:  # OSError: the package without its C library
        raise NotReady(
            "sounds need soundfile, which is not installed.", hint="pip install 'tocsin[perception]' brings it."
        ) from error
    return soundfile


def recording(data: bytes) -> Recording:
    """A sound as it was recorded, every channel at its own rate.

    Raises
    ------
    BadInput : it is no sound, is cut short at once, holds values that are no numbers, or is longer than ``MOST_SECONDS``.
    NotReady : soundfile is not installed.
    """
    soundfile = _soundfile()
    if not data:
        raise BadInput("a sound must have bytes; the file is empty.")
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            rate = int(file.samplerate)
            most = MOST_SECONDS * rate
            # The header may promise any length: read one sample more than is allowed, not what it says.
            promised, format_ = int(file.frames), f"{file.format} {file.subtype}"
            wave = file.read(min(promised, most + 1), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError, ValueError, TypeError, OSError) as error:
        said = getattr(error, "error_string", None) or str(error)
        raise BadInput(f"must be a sound (WAV, FLAC, Ogg, Opus, MP3); {str(said).rstrip('.')}.") from error
    if len(wave) > most:
        raise BadInput(f"a sound must last at most {MOST_SECONDS} seconds; this one is longer.", hint="Cut it up.")
    if not len(wave):
        raise BadInput("a sound must have samples; this one has none.")
    if not np.isfinite(wave).all():
        raise BadInput("a sound must be numbers; this one holds some that are none (NaN or infinity).")
    if (loud := float(np.abs(wave).max())) > LOUDEST:
        raise BadInput(
            f"a sound's samples must lie within {LOUDEST:,.0f} times full scale, which is 1; this one reaches {loud:.3g}."
        )
    return Recording(np.asarray(wave, np.float32), rate, format_, promised)


def decode(data: bytes, *, rate: int = RATE) -> NDArray[np.float32]:
    """A sound as float32[n]: its channels' mean, at ``rate`` samples a second.

    Raises
    ------
    BadInput, NotReady : as ``recording``.
    """
    got = recording(data)
    return resampled(got.wave.mean(axis=1, dtype=np.float32), got.rate, rate)


def resampled(wave: NDArray[np.float32], rate: int, wanted: int) -> NDArray[np.float32]:
    """The same sound at another rate, by a polyphase filter; float32[ceil(n * wanted / rate)].

    Parameters
    ----------
    wave : float32[n].
    rate, wanted : samples a second.
    """
    if rate == wanted:
        return wave
    from scipy.signal import resample_poly  # slow to load, and most sounds are at 16 kHz

    ratio = Fraction(wanted, rate).limit_denominator(1000)  # an odd rate would need a filter of 10^5 taps
    if ratio == 0:
        raise BadInput(f"a sound must have at most {wanted * 1000:,} samples a second; this one has {rate:,}.")
    return np.asarray(resample_poly(wave, ratio.numerator, ratio.denominator), np.float32)


def fitted(wave: NDArray[np.float32], samples: int) -> NDArray[np.float32]:
    """The middle of a longer sound, or a shorter one with silence on both sides; float32[samples].

    Examples
    --------
    >>> fitted(np.ones(2, np.float32), 5).tolist(), fitted(np.arange(5, dtype=np.float32), 2).tolist()
    ([0.0, 1.0, 1.0, 0.0, 0.0], [1.0, 2.0])
    """
    spare = len(wave) - samples
    if spare >= 0:
        return wave[spare // 2 : spare // 2 + samples]
    return np.pad(wave, (-spare // 2, -spare - -spare // 2))
