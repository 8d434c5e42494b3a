"""One example looked at: what its file says of it, what is odd in it, and a small map by which its like are found.

This module judges nothing: whether a silent sound is wrong depends on the others of its class.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from tocsin.data import images, sound
from tocsin.data.text import words
from tocsin.data.twins import SIDE
from tocsin.errors import BadInput

BLANK, CLIPPED, CUT, SHORT = "blank", "clipped", "cut short", "too short"
REPLACED, MISREAD, CONTROLS, MARKUP = "not UTF-8", "misread letters", "control characters", "markup"
MISSING = "missing"

_MISREAD = re.compile("[ÃÂâ][\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€]+")
_MARKUP = re.compile(r"&(?:#\d{2,5}|amp|lt|gt|quot|nbsp|apos);|<(?:br|p|div|a|b|i|span)\b[^>]*>", re.IGNORECASE)
_NOTHING = {"nan", "null", "none", "n/a", "na", "#n/a", "<na>", "nat"}
_RANGE_DB = 30.0
_TOP_HZ = 3_800.0
_WINDOW_SECONDS = 0.032


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen of one example.

    Parameters
    ----------
    digest : of the bytes as they were given (a text: of its words), equal for exact copies only.
    map : uint8[SIDE, SIDE, channels]; None for texts.
    words : of a text; empty for others.
    odd : what is odd in it, of the words above.
    tells : what the file says of it beside its content ("size", "rate", ...), which must not give its class away.
    seconds : of a sound.
    """

    digest: bytes
    map: NDArray[np.uint8] | None = None
    words: tuple[str, ...] = ()
    odd: tuple[str, ...] = ()
    tells: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def look_at(kind: str, raw: bytes | str) -> Look:
    """Look at one example of a kind.

    Raises
    ------
    BadInput : it cannot be read, or there is nothing in it.
    NotReady : the reader of its kind is not installed.
    """
    return _LOOKS[kind](raw)


def _picture(raw: bytes | str) -> Look:
    assert isinstance(raw, bytes)
    seen = images.picture(raw, least=3 * SIDE)
    map_ = images.fitted(seen.pixels, SIDE, "squash")
    blank = int(seen.pixels.max()) - int(seen.pixels.min()) <= 2 and map_.std(axis=(0, 1)).max() < 1.0
    tells = {"size": f"{seen.width} x {seen.height}", "format": seen.format, "colours": seen.mode}
    return Look(_digest(raw), map_, odd=(BLANK,) if blank else (), tells=tells)


def _sound(raw: bytes | str) -> Look:
    assert isinstance(raw, bytes)
    seen = sound.recording(raw)
    wave = seen.wave.mean(axis=1, dtype=np.float32)
    seconds = len(wave) / seen.rate
    checks = (
        (BLANK, float(abs(seen.wave).max()) < 1e-4),
        (CLIPPED, _clipped(seen.wave) > 1e-3),
        (CUT, len(wave) < seen.promised),
        (SHORT, seconds < 0.1),
    )
    tells = {
        "rate": f"{seen.rate:,} Hz",
        "channels": str(seen.wave.shape[1]),
        "format": seen.format,
        "length": f"{seconds:.2f} s",
    }
    return Look(_digest(raw), _pitches(wave, seen.rate), odd=_those(checks), tells=tells, seconds=seconds)


def _clipped(wave: NDArray[np.float32]) -> float:
    """The share of samples that stand at the limit in runs of three or more."""
    at = abs(wave) >= 0.999
    return float((at[2:] & at[1:-1] & at[:-2]).mean()) if len(wave) > 2 else 0.0


def _pitches(wave: NDArray[np.float32], rate: int) -> NDArray[np.uint8]:
    """Loudness by pitch (mel bands up to 3.8 kHz) and time (silence at both ends cut off), uint8[SIDE, SIDE, 1].

    In eighths of a decibel above a floor 30 dB below the loudest, so that neither gain nor sample rate matters.
    """
    window = max(16, round(_WINDOW_SECONDS * rate))
    wave = np.pad(wave, (0, max(0, window - len(wave))))
    hop = max(window // 4, len(wave) // 2_000)
    frames = np.lib.stride_tricks.sliding_window_view(wave, window)[::hop]
    power = abs(np.fft.rfft(frames * np.hanning(window).astype(np.float32))) ** 2 @ _bands(window, rate)
    loud = power.sum(axis=1)
    on = np.flatnonzero(loud >= loud.max() * 1e-3)
    power = power[on[0] : on[-1] + 1]
    edges = np.linspace(0, len(power), SIDE + 1).astype(int)
    bins = [power[a : max(b, a + 1)].mean(axis=0) for a, b in pairwise(edges)]
    decibel = 10 * np.log10(np.maximum(np.stack(bins, axis=1), 1e-12))
    above = np.clip(decibel - (decibel.max() - _RANGE_DB), 0.0, _RANGE_DB)
    return np.asarray(np.round(above * 8)[:, :, None], np.uint8)


@lru_cache(maxsize=32)
def _bands(window: int, rate: int) -> NDArray[np.float32]:
    """Triangles on the mel scale from 50 Hz to 3.8 kHz, float32[window // 2 + 1, SIDE]."""
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (50.0, _TOP_HZ))
    points = 700 * (10 ** (np.linspace(low, high, SIDE + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(window, 1 / rate)[:, None]
    rising = (hertz - points[:-2]) / (points[1:-1] - points[:-2])
    falling = (points[2:] - hertz) / (points[2:] - points[1:-1])
    return np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)


def _text(raw: bytes | str) -> Look:
    assert isinstance(raw, str)
    said = tuple(words(raw))
    if not said:
        raise BadInput("a text must have words; this one is empty.")
    checks = (
        (MISSING, raw.strip().lower() in _NOTHING),
        (REPLACED, "\ufffd" in raw),
        (MISREAD, misread(raw)),
        (CONTROLS, any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in raw)),
        (MARKUP, bool(_MARKUP.search(raw))),
    )
    return Look(_digest("\0".join(said).encode(errors="replace")), words=said, odd=_those(checks))


def misread(text: str) -> bool:
    """Whether UTF-8 was read as Latin letters somewhere on its way.

    Examples
    --------
    >>> misread("cafÃ© â€“ 3 Â£"), misread("CAFÃ, Ângela"), misread("café")
    (True, False, False)
    """
    for found in _MISREAD.findall(text):
        for letters in ("cp1252", "latin-1"):
            try:
                found.encode(letters).decode("utf-8")
            except UnicodeError:
                continue
            return True
    return False


def _those(checks: tuple[tuple[str, bool], ...]) -> tuple[str, ...]:
    return tuple(word for word, is_so in checks if is_so)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


_LOOKS: dict[str, Callable[[bytes | str], Look]] = {"images": _picture, "sound": _sound, "text": _text}
