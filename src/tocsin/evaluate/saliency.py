"""Why it said so, by trying: a part is hidden, and how far the answer moves is the part's share.

One method for pictures, sounds and texts, for networks, linear machines and trees, with what is shipped and nothing
else: a part of the picture is blurred, a piece of the spectrogram is made quiet, a word is left out [1]_. It says what
this answer hung on, not what is so in the world; parts of which either alone would do both count for little.

References
----------
.. [1] Zeiler and Fergus, Visualizing and Understanding Convolutional Networks, ECCV 2014 (there a grey square and the
   probability; here a blur with soft edges, which brings no edge of its own, and log-odds, which do not stand still
   where the answer is sure).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.evaluate.spectrum import mel_places, spectrum_of, wave_of

Floats = NDArray[np.float64]
Score = Callable[[NDArray[Any]], Floats]
"""Prepared examples → float64[n, k], the probability of each class."""
TextScore = Callable[[Sequence[str]], Floats]
_LEAST = 1e-6
"""Probabilities are held this far from 0 and 1: beyond, log-odds are a matter of rounding."""
_AT_ONCE = 32
_MOST_PIECES = 64
"""A longer text is left out in runs of words, so that no text asks the model more often than a picture does."""


@dataclass(frozen=True, slots=True)
class Saliency:
    """What an answer hung on, in nats of log-odds; above 0 spoke for it, below 0 against.

    Parameters
    ----------
    values : float64[rows, columns] over a picture, from the top; or over a sound, low frequencies first; float64[words]
        for a text.
    words : a text's words with the spaces behind them; together they are the text. Nothing for the others.
    """

    values: Floats
    words: tuple[str, ...] = ()


def log_odds(probability: Floats, wanted: int) -> Floats:
    """float64[n] of float64[n, k]: how sure it is of one class."""
    p = np.clip(probability[:, wanted].astype(np.float64), _LEAST, 1 - _LEAST)
    out: Floats = np.log(p) - np.log1p(-p)
    return out


def hidden_in_picture(score: Score, picture: NDArray[np.uint8], wanted: int, *, cells: int = 8) -> Saliency:
    """Which part of a picture an answer hung on; asks ``cells² + 1`` times.

    Parameters
    ----------
    score : of uint8[n, h, w, 3].
    picture : uint8[h, w, 3], prepared. wanted : the class asked about. cells : places a side that are hidden in turn, each two wide.
    """
    height, width = picture.shape[:2]
    blurred = _blurred(picture.astype(np.float64), max(height, width) // 4)
    rows, columns = _soft(height, cells), _soft(width, cells)

    def hide(row: int, column: int) -> NDArray[np.uint8]:
        mask = np.outer(rows[row], columns[column])[:, :, None]
        out: NDArray[np.uint8] = np.rint(picture * (1 - mask) + blurred * mask).astype(np.uint8)
        return out

    return Saliency(_tried(score, picture, hide, cells, cells, wanted))


def hidden_in_sound(
    score: Score, wave: NDArray[np.float32], wanted: int, *, times: int = 12, bands: int = 6, rate: int = 16_000
) -> Saliency:
    """When and at which pitch an answer hung on a sound; asks ``times · bands + 1`` times.

    What is hidden is made as quiet as the quietest fifth of the spectrogram, its phases kept. The bands are equally wide
    on the mel scale, by which ears and the report's pictures go.

    Parameters
    ----------
    score : of float32[n, samples].
    wave : float32[samples], prepared. rate : samples a second.
    """
    spectrum = spectrum_of(wave)
    loud = np.abs(spectrum)
    quiet = np.quantile(loud, 0.2)
    hushed = spectrum * np.minimum(1.0, quiet / np.maximum(loud, 1e-12))
    pitch = _soft_at(mel_places(rate), bands)
    time = _soft(len(spectrum), times)

    def hide(band: int, moment: int) -> NDArray[np.float32]:
        mask = np.outer(time[moment], pitch[band])
        return wave_of(spectrum * (1 - mask) + hushed * mask, len(wave))

    return Saliency(_tried(score, wave, hide, bands, times, wanted))


def left_out_of_text(score: TextScore, text: str, wanted: int) -> Saliency:
    """How much each word of a text spoke for an answer; asks at most 65 times, in longer texts by runs of words."""
    words = tuple(re.findall(r"\s*\S+\s*", text)) or (text,)
    pieces = np.array_split(np.arange(len(words)), min(len(words), _MOST_PIECES))
    asked = [text, *("".join(w for i, w in enumerate(words) if i < p[0] or i > p[-1]) for p in pieces)]
    odds = np.concatenate([log_odds(score(asked[i : i + _AT_ONCE]), wanted) for i in range(0, len(asked), _AT_ONCE)])
    moved = _finite(odds[0] - odds[1:])
    values = np.concatenate([np.full(len(p), m / len(p)) for p, m in zip(pieces, moved, strict=True)])
    return Saliency(values, words)


def _tried(
    score: Score, given: NDArray[Any], hide: Callable[[int, int], NDArray[Any]], rows: int, columns: int, wanted: int
) -> Floats:
    """float64[rows, columns]: how far the log-odds fall when each place is hidden, each place seeing its neighbours' falls."""
    base = log_odds(score(given[None]), wanted)[0]
    places = list(product(range(rows), range(columns)))
    odds = [
        log_odds(score(np.stack([hide(*place) for place in places[i : i + _AT_ONCE]])), wanted)
        for i in range(0, len(places), _AT_ONCE)
    ]
    return _finite(base - np.concatenate(odds)).reshape(rows, columns)


def _finite(values: Floats) -> Floats:
    """A model that has no answer to what is left of an example says nothing of the part that was hidden."""
    return np.where(np.isfinite(values), values, 0.0)


def _soft(length: int, cells: int) -> Floats:
    """float64[cells, length]: each place along a side, full in its middle, gone one place further on."""
    return _soft_at((np.arange(length) + 0.5) / length, cells)


def _soft_at(place: Floats, cells: int) -> Floats:
    """The same where each entry's place between 0 and 1 is given; the outermost places reach to the edge."""
    at = np.clip(place * cells - 0.5, 0, cells - 1)
    away = np.abs(at[None, :] - np.arange(cells)[:, None])
    out: Floats = np.clip(1.5 - away, 0, 1)
    return out


def _blurred(picture: Floats, reach: int) -> Floats:
    """float64[h, w, 3]: means over squares of about twice the reach, three times over: close to a Gaussian."""
    for _ in range(3):
        for axis in (0, 1):
            size = picture.shape[axis]
            sums = np.cumsum(picture, axis=axis)
            sums = np.concatenate([np.zeros_like(sums.take([0], axis)), sums], axis=axis)
            low = np.clip(np.arange(size) - reach // 2, 0, size)
            high = np.clip(np.arange(size) + reach // 2 + 1, 0, size)
            shape = [-1 if a == axis else 1 for a in range(3)]
            picture = (sums.take(high, axis) - sums.take(low, axis)) / (high - low).reshape(shape)
    return picture
