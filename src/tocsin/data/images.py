"""Pictures: bytes → uint8[h, w, 3] upright and opaque, and fitted to a square.

JPEG, PNG, WebP, BMP, GIF, TIFF; whatever else a file says it is, is refused unopened. Needs Pillow
(``pip install 'tocsin[perception]'``), asked for only when a picture is opened.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput, NotReady

FITS = ("cover", "squash", "pad")
MOST_PIXELS = 89_478_485
"""Pixels of one picture, Pillow's own limit: a small file may unpack to gigabytes."""

_BAND_PIXELS = 1 << 21
"""Pixels that are made opaque at once."""
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
_DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "I")


@cache
def _pillow() -> Any:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise NotReady(
            "pictures need Pillow, which is not installed.", hint="pip install 'tocsin[perception]' brings it."
        ) from error
    # Pillow warns at the limit and refuses at twice of it; here the limit itself refuses, so the warning says nothing new.
    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    return Image, ImageOps


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture and what its file says of it.

    Parameters
    ----------
    pixels : uint8[h, w, 3], upright and opaque.
    width, height : pixels in the file, before any turning; ``pixels`` may be fewer.
    format : "JPEG", "PNG", ...
    mode : how the file keeps colours, in Pillow's words: "RGB", "L", "CMYK", "P", "RGBA", "I;16".
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str
    mode: str


def decode(data: bytes, *, least: int = 0) -> NDArray[np.uint8]:
    """A picture's pixels, uint8[h, w, 3]; parameters and errors as ``picture`` has them."""
    return picture(data, least=least).pixels


def picture(data: bytes, *, least: int = 0) -> Picture:
    """A picture, red green blue: turned as the camera says, transparency on white, 16 bits cut to 8.

    Parameters
    ----------
    data : the file's bytes. Of an animation the first frame counts.
    least : when a JPEG is much larger, it may be read at a half, quarter or eighth of its size, both sides at least so
        long in pixels; several times as fast. 0 reads it whole.

    Raises
    ------
    BadInput : it is no picture, is cut short, or has more than ``MOST_PIXELS``.
    NotReady : Pillow is not installed.
    """
    image_module, operations = _pillow()
    if not data:
        raise BadInput("a picture must have bytes; the file is empty.")
    try:
        with image_module.open(io.BytesIO(data), formats=_FORMATS) as image:
            (width, height), mode = image.size, image.mode
            _must_be_small(width, height)
            if least:
                image.draft("RGB", (least, least))
            operations.exif_transpose(image, in_place=True)
            pixels = _opaque(image, image_module)
            return Picture(pixels, width, height, image.format, mode)
    except BadInput:
        raise
    except image_module.UnidentifiedImageError as error:
        raise BadInput(f"must be a picture ({', '.join(_FORMATS)}); its bytes {_look(data)}.") from error
    except (image_module.DecompressionBombError, image_module.DecompressionBombWarning) as error:
        raise BadInput(f"a picture must have at most {MOST_PIXELS:,} pixels; this one unpacks to more.") from error
    except Exception as error:  # decoders of hostile bytes raise whatever comes
        said = str(error) or type(error).__name__
        raise BadInput(f"a picture must be whole; this one is damaged ({said}).") from error


def _must_be_small(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise BadInput(f"a picture must have at most {MOST_PIXELS:,} pixels; this one has {width:,} x {height:,}.")


def _opaque(image: Any, image_module: Any) -> NDArray[np.uint8]:
    """The pixels, made band by band: of a large picture nothing but itself and what comes out is kept whole."""
    image.load()
    width, height = image.size
    rows = max(1, _BAND_PIXELS // width)
    bands = range(0, height, rows)
    gain = 255.0 if image.mode == "F" and max(_floats(_band(image, top, rows)).max() for top in bands) <= 1.0 else 1.0
    pixels = np.empty((height, width, 3), np.uint8)
    for top in bands:
        pixels[top : top + rows] = _opaque_band(_band(image, top, rows), image_module, gain)
    return pixels


def _band(image: Any, top: int, rows: int) -> Any:
    """Some rows of a picture, from the top on; all of them without a copy."""
    return image if rows >= image.height else image.crop((0, top, image.width, min(top + rows, image.height)))


def _floats(image: Any) -> NDArray[np.float32]:
    return np.nan_to_num(np.asarray(image, np.float32))


def _opaque_band(image: Any, image_module: Any, gain: float) -> NDArray[np.uint8]:
    """uint8[h, w, 3]; ``gain`` is what a picture of floating-point numbers is multiplied by."""
    if image.mode in _DEEP:
        image = image_module.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) // 257).astype(np.uint8))
    elif image.mode == "F":
        image = image_module.fromarray((_floats(image) * gain).clip(0, 255).round().astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        white = image_module.new("RGB", image.size, (255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        image = white
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"), np.uint8)


def _look(data: bytes) -> str:
    """The first bytes, as a person may know them."""
    start = data[:64]
    return "are text" if start.isascii() and start.decode("ascii").isprintable() else f"begin with 0x{data[:8].hex()}"


def fitted(picture: NDArray[np.uint8], size: int, fit: str = "cover") -> NDArray[np.uint8]:
    """A picture as a square, uint8[size, size, 3].

    Parameters
    ----------
    picture : uint8[h, w, 3].
    size : pixels a side.
    fit : "cover" keeps the shape and cuts off what is too long; "squash" loses the shape and keeps all; "pad" keeps both
        and puts grey beside it.

    Raises
    ------
    BadInput : another fit.
    NotReady : Pillow is not installed.
    """
    if fit not in FITS:
        raise BadInput(f"must be one of {', '.join(FITS)}; got {fit!r}.", field="fit")
    height, width = picture.shape[:2]
    if height == width == size:
        return picture
    image_module, _ = _pillow()
    image = image_module.fromarray(picture)
    filter_ = image_module.Resampling.BILINEAR
    box: tuple[float, float, float, float] | None = None
    shape = (size, size)
    if fit == "cover":
        side = min(height, width)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    elif fit == "pad":
        long = max(height, width)
        shape = (max(1, round(width * size / long)), max(1, round(height * size / long)))
    resized = np.asarray(image.resize(shape, filter_, box=box, reducing_gap=2.0), np.uint8)
    if fit != "pad":
        return resized
    whole = np.full((size, size, 3), 128, np.uint8)
    top, left = (size - shape[1]) // 2, (size - shape[0]) // 2
    whole[top : top + shape[1], left : left + shape[0]] = resized
    return whole
