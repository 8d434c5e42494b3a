"""The eight sets, each by its README's protocol, and small made ones for a quick run."""

from __future__ import annotations

import io
import os
import wave
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tocsin.data.collection import Collection, collect
from tocsin.learn.perception.portions import folds

DATA = Path(os.environ.get("TOCSIN_DATA", "../shared/data"))
WAYS = ("scratch", "transfer", "extract", "plain")
FOLDS = 5


@dataclass(frozen=True)
class Set:
    """A set of examples and how it is judged.

    Parameters
    ----------
    key : of the last line. read : the collection, its parts train, perhaps val, and test.
    crossed : whether all of it is judged, in five parts, each by a model of the four others (no group on both sides).
    figure : ``accuracy``, or ``f1`` of the second class; percent. goal : of the best way.
    settings : for each way what is said to ``Recipe`` beyond its defaults; chosen by validation parts (docs/results.md).
    """

    key: str
    read: Callable[[], Collection]
    goal: float
    figure: str = "accuracy"
    crossed: bool = False
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[int | None, ...]:
        """The jobs of one way and seed: one, or a fold each."""
        return tuple(range(FOLDS)) if self.crossed else (None,)

    def collection(self, fold: int | None = None, seed: int = 0) -> Collection:
        """The examples; for a fold with that fold as the test."""
        found = self.read()
        if fold is None:
            return found
        which = folds(found.label, np.asarray(found.group), seed)
        return replace(found, part=np.where(which == fold, "test", "train").astype("<U5"))


def shared(name: str, **how: str) -> Callable[[], Collection]:
    """A file of the shared data."""
    return lambda: collect(DATA / name, **how)


SEEN_FROM_ABOVE = {way: {"augment": "turns"} for way in ("scratch", "transfer")}
"""Turned by quarters when they teach; all else is as a user gets it."""
SETS = (
    Set("cats_dogs", shared("images/cats_dogs.zip"), 98.0),
    Set("eurosat", shared("images/eurosat.zip"), 94.0, settings=SEEN_FROM_ABOVE),
    Set("hurricane_damage", shared("images/hurricane_damage.zip"), 95.0, settings=SEEN_FROM_ABOVE),
    Set("leukemia_cells", shared("images/leukemia_cells.zip"), 97.0, crossed=True, settings=SEEN_FROM_ABOVE),
    Set("trec", shared("text/trec_questions.csv.gz"), 95.0),
    Set("sst2", shared("text/sst2.csv.gz"), 87.0),
    Set("speech_commands", shared("sound/speech_commands.zip"), 92.0),
    Set("sms_spam_f1", shared("text/sms_spam.csv.gz"), 97.0, figure="f1"),
)


def made_sets(folder: Path) -> tuple[Set, ...]:
    """Small made sets, one of each kind, for a quick run: they show that everything works, and nothing else."""
    looked = {"extract": {"size": 64}, "transfer": {"size": 64, "epochs": 1}}
    quick = {"scratch": {"epochs": 1, "size": 32}} | looked
    sound = {"scratch": {"epochs": 1}, "transfer": {"epochs": 1}}
    text = {"scratch": {"epochs": 2}, "extract": {"size": 16}, "transfer": {"size": 16, "epochs": 1}}
    return (
        Set("made_images", lambda: collect(_archive(folder / "images.zip", _pictures())), 0.0, settings=quick),
        Set("made_sound", lambda: collect(_archive(folder / "sound.zip", _tones())), 0.0, settings=sound),
        Set("made_text", lambda: collect(_texts(folder / "text.csv")), 0.0, figure="f1", settings=text),
    )


def _archive(path: Path, files: Iterator[tuple[str, bytes]]) -> Path:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files:
                archive.writestr(name, content)
    return path


def _pictures() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    for part, count in (("train", 24), ("test", 12)):
        for c, name in enumerate(("red", "green", "blue")):
            for i in range(count):
                pixels = rng.integers(0, 150, (48, 48, 3))
                pixels[..., c] += 60
                file = io.BytesIO()
                Image.fromarray(pixels.astype(np.uint8)).save(file, "png")
                yield f"{part}/{name}/{i}.png", file.getvalue()


def _tones() -> Iterator[tuple[str, bytes]]:
    rng = np.random.default_rng(0)
    for part, count in (("train", 20), ("test", 10)):
        for name, hertz in (("low", 300.0), ("high", 1200.0)):
            for i in range(count):
                at = np.arange(16_000) / 16_000
                tone = np.sin(2 * np.pi * hertz * rng.uniform(0.8, 1.2) * at) + rng.normal(0, 0.5, len(at))
                file = io.BytesIO()
                with wave.open(file, "wb") as out:
                    out.setnchannels(1)
                    out.setsampwidth(2)
                    out.setframerate(16_000)
                    out.writeframes((tone / 4 * 32_767).clip(-32_768, 32_767).astype("<i2").tobytes())
                yield f"{part}/{name}/{i}.wav", file.getvalue()


def _texts(path: Path) -> Path:
    rng = np.random.default_rng(0)
    good, bad = ("fine", "lovely", "warm", "clever"), ("dull", "weak", "cold", "silly")
    lines = ["split,label,text"]
    for part, count in (("train", 60), ("test", 30)):
        for label, words in (("bad", bad), ("good", good)):
            for _ in range(count):
                said = " ".join([*rng.choice(words, 2), *rng.choice(("a", "film", "the", "plot"), 4)])
                lines.append(f"{part},{label},{said}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
