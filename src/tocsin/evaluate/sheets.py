"""Contact sheets: examples as one looks at them, small enough to stand in the page by the dozen.

A picture or a spectrogram as an image with what the answer hung on laid over it, a sound to play, a text with its words
marked. Everything is in the page itself. Pictures and sounds are shown as the model is given them: what was cut off, it
never saw.
"""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.data.prepare import Preparation
from tocsin.errors import TocsinError
from tocsin.evaluate.saliency import Saliency
from tocsin.evaluate.spectrum import mel_bands, power

SIDE = 176
"""Pixels a side of a thumbnail."""
_BANDS, _COLUMNS = 48, 192
_LOUDEST_DB = 65.0
"""How far below its loudest a spectrogram is drawn."""
_SECONDS = 10.0
"""As much of a long sound can be played; more would fill the page."""
_CHARACTERS = 420
"""As much of a long text is shown, around the words that counted most."""
_FAINT = 0.02
"""Nats: words that moved the answer less are not marked."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One example on a sheet.

    Parameters
    ----------
    name : where it lies. raw : as it was given. line : what stands below it, as HTML. alt : what it is, for who cannot
        see it. why : what the answer hung on, if it was asked. mark : a class of the page's style, such as ``wrong``.
    """

    name: str
    raw: bytes | str
    line: str
    alt: str
    why: Saliency | None = None
    mark: str = ""


def sheet(shown: Sequence[Shown], kind: str, preparation: Preparation) -> str:
    """A contact sheet: a grid of pictures or sounds, a list of texts. One that cannot be read is said so, not left out."""
    figures = "".join(_figure(one, kind, preparation) for one in shown)
    return f'<div class="sheet {kind}">{figures}</div>'


def _figure(one: Shown, kind: str, preparation: Preparation) -> str:
    try:
        body = _text(one) if kind == "text" else _BODIES[kind](one, preparation)
    except TocsinError as error:
        body = f'<p class="unread">{escape(error.message)}</p>'
    name = escape(one.name if kind == "text" else one.name.rsplit("/", 1)[-1])
    small = f'<small title="{escape(one.name, quote=True)}">{"row " if name.isdigit() else ""}{name}</small>'
    return f'<figure class="{one.mark}">{body}<figcaption>{one.line}{small}</figcaption></figure>'


def _picture(one: Shown, preparation: Preparation) -> str:
    from PIL import Image

    from tocsin.data.images import decode, fitted

    assert isinstance(one.raw, bytes)
    picture = decode(one.raw)
    side = min(SIDE, max(picture.shape[:2]))
    small = Image.fromarray(fitted(picture, side, preparation.fit))
    return _frame(_image(small, "JPEG", quality=74), one, one.why)


def _sound(one: Shown, preparation: Preparation) -> str:
    from tocsin.data.sound import decode, fitted

    assert isinstance(one.raw, bytes)
    wave = decode(one.raw)
    if preparation.samples:
        wave = fitted(wave, preparation.samples)
    why = None if one.why is None else Saliency(one.why.values[::-1])  # low frequencies stand below
    drawn = _frame(_image(spectrogram(wave), "PNG"), one, why)
    played = _data(_mp3(wave, preparation.rate), "audio/mpeg")
    said = escape(f"Play {one.alt}", quote=True)
    return f'{drawn}<audio controls controlslist="nodownload noplaybackrate" preload="none" aria-label="{said}" src="{played}"></audio>'


_BODIES = {"images": _picture, "sound": _sound}


def _text(one: Shown) -> str:
    assert isinstance(one.raw, str)
    if one.why is None:
        short = one.raw if len(one.raw) <= _CHARACTERS else one.raw[:_CHARACTERS] + " …"
        return f"<blockquote>{escape(short)}</blockquote>"
    return f"<blockquote>{marked(one.why)}</blockquote>"


def marked(why: Saliency) -> str:
    """A text as HTML, its words marked by what each spoke for or against; of a long one, the part that counted most."""
    first, last = _excerpt(why)
    strongest = max(float(np.abs(why.values).max()), 0.5)
    out = ["… "] if first else []
    for word, value in zip(why.words[first:last], why.values[first:last].tolist(), strict=True):
        bare = word.strip()
        if abs(value) < max(_FAINT, strongest / 12) or not bare:
            out.append(escape(word))
            continue
        head, tail = re.split(re.escape(bare), word, maxsplit=1)
        side, share = ("for" if value > 0 else "against"), min(1.0, abs(value) / strongest)
        out.append(
            f'{escape(head)}<mark class="{side}" style="--w:{share:.2f}" title="{value:+.2f}">{escape(bare)}</mark>'
            f"{escape(tail)}"
        )
    return "".join(out) + (" …" if last < len(why.words) else "")


def _excerpt(why: Saliency) -> tuple[int, int]:
    """The run of words that fits and holds most of what counted; from the beginning where all is alike."""
    ends = np.cumsum([len(word) for word in why.words])
    if ends[-1] <= _CHARACTERS:
        return 0, len(why.words)
    weight = np.concatenate([[0.0], np.cumsum(np.abs(why.values))])
    begins = np.concatenate([[0], ends[:-1]])
    last = np.searchsorted(ends, begins + _CHARACTERS, side="right")
    first = int((weight[np.maximum(last, np.arange(len(last)) + 1)] - weight[:-1]).argmax())
    return first, max(first + 1, int(last[first]))


def _frame(source: str, one: Shown, why: Saliency | None) -> str:
    """The image, and over it the map of what the answer hung on."""
    over = "" if why is None else f'<img class="heat" alt="" src="{heat(why.values)}">'
    alt = escape(one.alt, quote=True)
    return f'<div class="frame"><img alt="{alt}" src="{source}">{over}</div>'


def heat(values: NDArray[np.float64]) -> str:
    """A map of what spoke for an answer as a data URI: clear where nothing did, coloured the more the more did."""
    from PIL import Image

    mass = np.clip(values, 0, None)
    top = float(mass.max())
    if top <= 0:
        mass, top = np.zeros_like(mass), 1.0
    rows, columns = mass.shape
    size = (max(columns, 4 * min(columns, 14)), max(rows, 4 * min(rows, 14)))
    scaled = Image.fromarray((mass / top).astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    share = np.clip(np.asarray(scaled), 0, 1)
    colour = _glow()[np.rint(share * 255).astype(np.int64)]
    return _image(Image.fromarray(colour), "PNG", optimize=True)


@lru_cache(maxsize=1)
def _glow() -> NDArray[np.uint8]:
    """uint8[256, 4]: from clear through magenta to yellow, which no photograph is full of."""
    at = np.linspace(0, 1, 256)
    stops = [0.0, 0.35, 0.7, 1.0]
    red = np.interp(at, stops, [120, 190, 245, 255])
    green = np.interp(at, stops, [20, 30, 110, 235])
    blue = np.interp(at, stops, [150, 130, 60, 60])
    alpha = np.interp(at, [0.0, 0.2, 0.6, 1.0], [0, 0, 110, 165])
    return np.rint(np.stack([red, green, blue, alpha], axis=1)).astype(np.uint8)


def spectrogram(wave: NDArray[np.float32]) -> Any:
    """A sound as a small picture: time to the right, pitch upwards on the mel scale, the louder the brighter."""
    from PIL import Image

    bands = power(wave) @ mel_bands(_BANDS).T
    if len(bands) > _COLUMNS:
        edges = np.linspace(0, len(bands), _COLUMNS + 1).astype(np.int64)
        bands = np.stack([bands[a:b].mean(axis=0) for a, b in pairwise(edges.tolist())])
    db = 10 * np.log10(bands + 1e-10)
    shade = np.clip((db - db.max()) / _LOUDEST_DB + 1, 0, 1) if db.max() > -95 else np.zeros_like(db)
    return Image.fromarray(np.rint(255 * shade.T[::-1]).astype(np.uint8))


def _mp3(wave: NDArray[np.float32], rate: int) -> bytes:
    """A few kilobytes a second, and every browser plays it."""
    import soundfile  # type: ignore[import-untyped]

    file = io.BytesIO()
    loudest = float(np.abs(wave).max(initial=0.0))
    played = wave[: int(_SECONDS * rate)] / max(1.0, loudest)
    soundfile.write(file, played, rate, format="MP3", subtype="MPEG_LAYER_III")
    return file.getvalue()


def _image(picture: Any, form: str, **how: Any) -> str:
    file = io.BytesIO()
    picture.save(file, form, **how)
    return _data(file.getvalue(), f"image/{form.lower()}")


def _data(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{b64encode(content).decode()}"
