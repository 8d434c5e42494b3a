"""Pictures of every make become upright, opaque, eight bits; what is none is refused in words."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from scenes.examples import picture as made
from tocsin.data import images
from tocsin.data.images import FITS, decode, fitted, picture
from tocsin.errors import BadInput

RANDOM = np.random.default_rng(0)
SHAPE = made("circle", 64, RANDOM)


def saved(image: Image.Image, format_: str, **how: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, format_, **how)
    return data.getvalue()


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG"])
def test_every_format_is_read(format_: str) -> None:
    image = Image.fromarray(SHAPE)
    how = {"lossless": True} if format_ == "WEBP" else {"quality": 95} if format_ == "JPEG" else {}
    got = picture(saved(image, format_, **how))
    assert (got.width, got.height, got.format, got.pixels.dtype) == (64, 64, format_, np.uint8)
    far = np.abs(got.pixels.astype(int) - SHAPE).mean()
    assert far < (12 if format_ in ("GIF", "JPEG") else 1e-9)


def test_a_picture_is_turned_as_the_camera_says() -> None:
    image = Image.fromarray(SHAPE[:40])
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    got = picture(saved(image, "PNG", exif=exif))
    assert got.pixels.shape == (64, 40, 3)
    assert (got.width, got.height) == (64, 40)
    assert np.array_equal(got.pixels, np.rot90(SHAPE[:40], -1))


def test_transparency_is_white() -> None:
    alpha = np.zeros((64, 64), np.uint8)
    alpha[:, 32:] = 255
    got = decode(saved(Image.fromarray(np.dstack([SHAPE, alpha])), "PNG"))
    assert (got[:, :32] == 255).all()
    assert np.array_equal(got[:, 32:], SHAPE[:, 32:])
    grey = decode(saved(Image.fromarray(np.dstack([SHAPE[:, :, 0], alpha])), "PNG"))
    assert (grey[:, :32] == 255).all()
    few = Image.fromarray(SHAPE).convert("P", palette=Image.Palette.ADAPTIVE, colors=8)
    clear = few.getpixel((0, 0))
    assert (decode(saved(few, "PNG", transparency=clear))[0, 0] == 255).all()


def test_sixteen_bits_become_eight_and_grey_becomes_three_channels() -> None:
    deep = (np.arange(64 * 64).reshape(64, 64) * 16).astype(np.uint16)
    got = decode(saved(Image.fromarray(deep), "PNG"))
    assert np.array_equal(got[:, :, 0], (deep // 257).astype(np.uint8))
    assert np.array_equal(got[:, :, 0], got[:, :, 2])
    assert decode(saved(Image.fromarray(SHAPE).convert("1"), "PNG")).shape == (64, 64, 3)
    ramp = np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)
    assert decode(saved(Image.fromarray(ramp), "TIFF"))[-1, -1].tolist() == [255, 255, 255]


def test_inks_become_light() -> None:
    got = decode(saved(Image.fromarray(SHAPE).convert("CMYK"), "JPEG", quality=95))
    assert np.abs(got.astype(int) - SHAPE).mean() < 12


def test_of_an_animation_the_first_picture_counts() -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), shade, np.uint8)) for shade in (0, 200)]
    assert decode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:])).max() == 0


def test_a_large_jpeg_may_be_read_small() -> None:
    large = Image.fromarray(np.kron(SHAPE, np.ones((10, 10, 1), np.uint8)))
    data = saved(large, "JPEG")
    got = picture(data, least=100)
    assert (got.width, got.height) == (640, 640)
    assert got.pixels.shape == (160, 160, 3)
    whole, quick = (fitted(decode(data, least=least), 48).astype(int) for least in (0, 96))
    assert np.abs(whole - quick).mean() < 2


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says it is huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [9_500, 14_000, 60_000])
def test_a_bomb_is_not_unpacked(side: int) -> None:
    with pytest.raises(BadInput, match="at most 89,478,485 pixels"):
        decode(bomb(side, side))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"hello", "its bytes are text"),
        (b"\x00\x01\x02\x03", "0x00010203"),
        (saved(Image.fromarray(SHAPE), "PNG")[:500], "must be whole"),
        (saved(Image.fromarray(SHAPE), "JPEG")[:500], "must be whole"),
        (saved(Image.fromarray(SHAPE), "PNG").replace(b"IDAT", b"IDAX"), "must be a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "must be a picture"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        decode(data)


def test_bytes_that_were_harmed_anywhere_never_end_in_another_error() -> None:
    """Ten harms to each format: read all the same, or refused."""
    refused = 0
    for format_ in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP"):
        whole = saved(Image.fromarray(SHAPE), format_)
        for _ in range(10):
            data = bytearray(whole)
            for place in RANDOM.integers(0, len(data), 5):
                data[place] = RANDOM.integers(0, 256)
            try:
                assert decode(bytes(data)).shape[2] == 3
            except BadInput:
                refused += 1
    assert refused > 5


# --- fitting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(40, 90), (90, 40), (300, 7), (1, 1), (32, 32)])
@pytest.mark.parametrize("fit", FITS)
def test_every_shape_becomes_a_square(shape: tuple[int, int], fit: str) -> None:
    given = RANDOM.integers(0, 256, (*shape, 3)).astype(np.uint8)
    got = fitted(given, 32, fit)
    assert (got.shape, got.dtype) == ((32, 32, 3), np.uint8)


def test_cover_cuts_squash_bends_and_pad_adds() -> None:
    wide = np.zeros((30, 90, 3), np.uint8)
    wide[:, 30:60] = 200
    assert (fitted(wide, 30, "cover") == 200).all()
    assert {*np.unique(fitted(wide, 30, "squash")[:, [2, 15, 27]])} == {0, 200}
    padded = fitted(wide, 90, "pad")
    assert (padded[:29] == 128).all()
    assert (padded[31:59, 31:59] == 200).all()


def test_an_unknown_fit_is_refused() -> None:
    with pytest.raises(BadInput, match="cover, squash, pad"):
        fitted(SHAPE, 32, "crop")


def test_a_colour_profile_does_no_harm() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert np.array_equal(decode(saved(Image.fromarray(SHAPE), "PNG", icc_profile=profile)), SHAPE)


def test_the_limit_is_pillows_own() -> None:
    assert Image.MAX_IMAGE_PIXELS == images.MOST_PIXELS


MODES = ["RGB", "RGBA", "LA", "L", "1", "P", "P with a clear colour", "CMYK", "I;16", "F", "F beyond 1"]


@pytest.mark.parametrize("mode", MODES)
def test_a_large_picture_is_what_its_bands_are(mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alpha = RANDOM.integers(0, 256, SHAPE.shape[:2], dtype=np.uint8)
    image, how = Image.fromarray(np.dstack([SHAPE, alpha])), {}
    format_ = "TIFF" if mode[0] in "CF" else "PNG"
    if mode == "I;16":
        image = Image.fromarray(alpha.astype(np.uint16) * 251)
    elif mode[0] == "F":
        image = Image.fromarray(alpha.astype(np.float32) / (255 if mode == "F" else 2))
    elif mode[0] == "P":
        image = image.convert("RGB").quantize(8)
        how = {"transparency": 2} if mode != "P" else {}
    else:
        image = image.convert("RGB").convert(mode) if mode in ("CMYK", "1") else image.convert(mode)
    data = saved(image, format_, **how)
    whole = picture(data)
    monkeypatch.setattr(images, "_BAND_PIXELS", 64 * 7)
    assert np.array_equal(picture(data).pixels, whole.pixels)
    assert whole.pixels.std() > 1


PEAK = """
import re, sys
from pathlib import Path
from tocsin.data.images import decode
def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
data = Path(sys.argv[1]).read_bytes()
decode(Path(sys.argv[2]).read_bytes())
before = peak()
pixels = decode(data)
print((peak() - before) / (pixels.shape[0] * pixels.shape[1]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the most memory a process took is read from /proc")
def test_a_large_transparent_picture_takes_itself_and_what_comes_out(tmp_path: Path) -> None:
    """Four bytes a pixel as it is decoded and three as it is given back; 22 before this was looked at."""
    large, small = tmp_path / "large.png", tmp_path / "small.png"
    large.write_bytes(saved(Image.new("RGBA", (4_000, 4_000), (200, 30, 30, 90)), "PNG", compress_level=1))
    small.write_bytes(saved(Image.new("RGBA", (64, 64), (200, 30, 30, 90)), "PNG"))
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(large), str(small)], capture_output=True, text=True, check=True
    )
    assert 6 < float(done.stdout) < 9
