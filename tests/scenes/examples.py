"""Small made pictures, sounds and sentences that can be learned: the same to the bit for the same seed, made in a moment."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

PARTS = (("train", 2 / 3), ("test", 1.0))
TOPICS = {
    "weather": "rain sun cloud wind storm snow warm cold sky thunder".split(),
    "money": "bank card payment account loan cash price invoice coin tax".split(),
    "animals": "dog cat horse bird fish mouse sheep goat wolf bear".split(),
}
_FILLING = "the a of and to in today there was very often people saw near said about".split()


def made_pictures(
    folder: Path,
    classes: Sequence[str] = ("circle", "square", "stripe"),
    each: int = 30,
    size: int = 48,
    *,
    parts: bool = True,
    seed: int = 0,
    ending: str = "png",
) -> Path:
    """PART/CLASS/N.png (or CLASS/N.png): a shape of any colour, place and size on a noisy ground; two thirds are train."""
    random = np.random.default_rng(seed)
    for name in classes:
        for number, part in _numbered(each, parts):
            path = folder / part / name / f"{number}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(name, size, random)).save(path, quality=92)
    return folder


def picture(name: str, size: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """uint8[size, size, 3] of one class: circle, square, stripe, cross or ring."""
    y, x = np.mgrid[0:size, 0:size]
    middle, radius = random.uniform(0.35, 0.65, 2) * size, random.uniform(0.18, 0.3) * size
    across, down = x - middle[0], y - middle[1]
    far = np.hypot(across, down)
    shape = {
        "circle": far < radius,
        "square": np.maximum(abs(across), abs(down)) < radius * 0.9,
        "stripe": np.sin((x + random.uniform(0, 9)) * 2 * np.pi / (size / random.uniform(4, 7))) > 0.2,
        "cross": (np.minimum(abs(across), abs(down)) < radius / 3) & (np.maximum(abs(across), abs(down)) < radius),
        "ring": (far < radius) & (far > radius * 0.6),
    }[name]
    # Clouds behind and on the shape, so that no two pictures are near-copies of each other.
    clouds = [
        np.asarray(Image.fromarray(random.normal(0, 1, (7, 7)).astype(np.float32)).resize((size, size))) for _ in "ab"
    ]
    ground = random.uniform(20, 80, 3) + 28 * clouds[0][:, :, None] + random.normal(0, 9, (size, size, 3))
    paint = random.uniform(170, 240, 3) + 18 * clouds[1][:, :, None] + random.normal(0, 6, (size, size, 3))
    return np.where(shape[:, :, None], paint, ground).clip(0, 255).astype(np.uint8)


def made_sounds(
    folder: Path,
    classes: Sequence[str] = ("tone", "sweep", "noise"),
    each: int = 30,
    seconds: float = 0.5,
    *,
    rate: int = 16_000,
    parts: bool = True,
    seed: int = 0,
) -> Path:
    """PART/CLASS/N.wav (or CLASS/N.wav): a steady tone, a rising sweep, noise or clicks; two thirds are train."""
    random = np.random.default_rng(seed)
    for name in classes:
        for number, part in _numbered(each, parts):
            path = folder / part / name / f"{number}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, wave(name, round(seconds * rate), rate, random), rate)
    return folder


def wave(name: str, samples: int, rate: int, random: np.random.Generator) -> NDArray[np.float32]:
    """float32[samples] of one class: tone, sweep, noise or clicks."""
    t = np.arange(samples) / rate
    low = random.uniform(300, 900)
    if name == "tone":
        made = np.sin(2 * np.pi * low * t)
    elif name == "sweep":
        made = np.sin(2 * np.pi * (low * t + random.uniform(1500, 3000) * t**2 / (2 * t[-1])))
    elif name == "noise":
        made = random.normal(0, 0.4, samples)
    else:
        made = (np.arange(samples) % int(rate / random.uniform(15, 30)) < 20) * random.normal(0, 1, samples)
    # Loudness of its own, so that no two sounds are near-copies of each other.
    loud = 10 ** np.interp(np.linspace(0, 11, samples), np.arange(12), random.uniform(-1.2, 0, 12))
    return (0.6 * loud * made.clip(-1, 1) + random.normal(0, 0.005, samples)).astype(np.float32)


def made_sentences(
    path: Path,
    classes: Sequence[str] = ("weather", "money", "animals"),
    each: int = 40,
    *,
    parts: bool = True,
    seed: int = 0,
) -> Path:
    """A CSV (text, label, and split): sentences with two or three words of their topic; two thirds are train."""
    random = np.random.default_rng(seed)
    rows = [
        {"split": part, "label": name, "text": sentence(name, random)}
        for name in classes
        for _, part in _numbered(each, parts)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["split", "label", "text"] if parts else ["label", "text"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows[i] for i in random.permutation(len(rows)))
    return path


def sentence(name: str, random: np.random.Generator) -> str:
    """A few words of a topic among words of none."""
    own = random.choice(TOPICS[name], random.integers(2, 4), replace=False)
    said = [*own, *random.choice(_FILLING, random.integers(4, 9))]
    return " ".join(said[i] for i in random.permutation(len(said))).capitalize() + "."


def zipped(folder: Path, path: Path) -> Path:
    """A folder's files as a zip archive, by their paths inside it."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(p for p in folder.rglob("*") if p.is_file()):
            archive.write(file, file.relative_to(folder).as_posix())
    return path


def as_bytes(made: NDArray[np.uint8], kind: str = "PNG") -> bytes:
    """A picture as the bytes of a file."""
    data = io.BytesIO()
    Image.fromarray(made).save(data, kind)
    return data.getvalue()


def _numbered(each: int, parts: bool) -> Iterator[tuple[int, str]]:
    for number in range(each):
        yield number, next(part for part, until in PARTS if number < until * each) if parts else ""
