"""The report of a model of classes: one file, well-formed, true to its numbers, and small."""

from __future__ import annotations

import base64
import io
import re
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from scenes.pages import Reader
from scenes.pages import read as read_page
from tocsin.artifact.classes import ClassesCard, TaughtWith
from tocsin.data.collection import Collection, collect, texts
from tocsin.data.prepare import Preparation
from tocsin.evaluate.classcharts import Course, course_of, course_of_epochs
from tocsin.evaluate.enough import NAME as ENOUGH
from tocsin.evaluate.enough import Enough
from tocsin.evaluate.growth import Growth, Point
from tocsin.evaluate.headline import Rival
from tocsin.evaluate.pictured import write_report
from tocsin.evaluate.saliency import Saliency, left_out_of_text
from tocsin.evaluate.sheets import heat, marked, spectrogram
from tocsin.learn.task import Epoch

CLASSES = ("cat", "dog <b>", "eel")


def read(path: Path) -> Reader:
    return read_page(path.read_text(encoding="utf-8"))


def jpeg(seed: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (40, 56, 3)).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


def tone(seed: int) -> bytes:
    file = io.BytesIO()
    t = np.arange(8_000) / 16_000
    with wave.open(file, "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes((9_000 * np.sin(2 * np.pi * (300 + 40 * seed) * t)).astype("<i2").tobytes())
    return file.getvalue()


def made(kind: str, folder: Path) -> Collection:
    """Sixty examples; their names give their classes."""
    if kind == "text":
        words = ["a quiet cat sat", "the <b>dog</b> barked & ran", "an eel, wet and long"]
        return texts([f"{words[i % 3]} {i}" for i in range(60)], source="made.csv")
    end, make = ("jpg", jpeg) if kind == "images" else ("wav", tone)
    with zipfile.ZipFile(folder / "made.zip", "w") as out:
        for i in range(60):
            out.writestr(f"{('cat', 'dog', 'eel')[i % 3]}/{i:02}.{end}", make(i))
    return collect(folder / "made.zip")


def card(kind: str) -> ClassesCard:
    preparation = {
        "images": Preparation(kind="images", size=32),
        "sound": Preparation(kind="sound", samples=8_000),
        "text": Preparation(kind="text", length=16),
    }[kind]
    taught = TaughtWith(
        data="made.zip",
        rows=90,
        classes=dict.fromkeys(CLASSES, 30),
        parts={"train": 90},
        seed=0,
        held_out="the part test",
    )
    return ClassesCard(
        name="animals",
        kind=kind,  # type: ignore[arg-type]
        classes=CLASSES,
        way="transfer",
        preparation=preparation,
        learned=taught,
        network="mobilenet_v2",
        version="animals-1f2e",
    )


def judged(collection: Collection) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]:
    """Right on most; wrong on every seventh."""
    rng = np.random.default_rng(3)
    rows = np.arange(len(collection))
    label = rows % 3 if collection.kind == "text" else collection.label
    odds = 3.0 * np.eye(3)[np.where(rows % 7 == 0, (label + 1) % 3, label)] + rng.standard_normal((len(rows), 3))
    p = np.exp(odds)
    return rows, p / p.sum(axis=1, keepdims=True), label


class Pointing:
    """Says always the same of pictures and sounds; asks a rule of words about texts."""

    words = "Coloured is the upper left."

    def __init__(self, kind: str) -> None:
        self.kind, self.asked = kind, 0

    def __call__(self, raw: bytes | str, wanted: int) -> Saliency:
        self.asked += 1
        if isinstance(raw, str):
            word = ("quiet", "barked", "eel,")[wanted]

            def score(given: object) -> NDArray[np.float64]:
                p = np.array([0.9 if word in t else 0.2 for t in given])  # type: ignore[attr-defined]
                out = np.repeat(((1 - p) / 2)[:, None], 3, axis=1)
                out[:, wanted] = p
                return out

            return left_out_of_text(score, raw, wanted)
        values = np.zeros((6, 6))
        values[:2, :2] = 1.0
        return Saliency(values)


@pytest.mark.parametrize("kind", ["images", "sound", "text"])
def test_the_report_is_one_whole_small_file_that_says_what_was_measured(kind: str, tmp_path: Path) -> None:
    collection = made(kind, tmp_path)
    rows, probability, label = judged(collection)
    asked = Pointing(kind)
    course = Course(epochs=((1, 1.2, 1.1), (2, 0.7, 0.8), (3, 0.5, 0.9)), best=2)
    report = tmp_path / "report.html"
    found = write_report(
        report,
        card(kind),
        collection,
        rows,
        probability,
        label,
        asked,
        course,
        plain=Rival("Plain machine learning", 0.5),
        notes=["Only <i>March</i>."],
    )
    html = report.read_text(encoding="utf-8")
    reader = read(report)
    said = " ".join(" ".join(reader.text).split())
    wrong = int((probability.argmax(axis=1) != label).sum())
    assert found.right == 60 - wrong < 60
    assert f"was right on {100 * found.right / 60:.1f} % of 60" in said
    assert "Plain machine learning is right on 50.0 %" in said
    assert "Always saying “cat”, the commonest, would be right on 33.3 %" in said
    assert "Only <i>March</i>." in said
    assert "animals-1f2e" in said
    assert len(html) < 1_500_000
    assert not re.search(r"https?://|<script|url\(|nan %", html)
    assert all((a.get("src") or "data:").startswith("data:") for _, a in reader.tags)
    assert asked.asked > wrong
    figures = [a for tag, a in reader.tags if tag == "figure"]
    assert sum("wrong" in (a["class"] or "") for a in figures) >= min(24, wrong)
    if kind == "text":
        assert {a["class"] for tag, a in reader.tags if tag == "mark"} >= {"for"}
        assert "Words that spoke for cat" in said
        assert "the <b>dog</b> barked & ran" in said
        assert "<b>dog</b>" not in html
    else:
        shots = [a for tag, a in reader.tags if tag == "img"]
        assert all("alt" in a for a in shots)
        assert all(a["alt"] for a in shots if a.get("class") != "heat")
        assert sum(a.get("class") == "heat" for a in shots) == len(figures)
    if kind == "sound":
        players = [a for tag, a in reader.tags if tag == "audio"]
        assert len(players) == len(figures)
        assert all(a["aria-label"] for a in players)


def test_what_cannot_be_read_is_said_and_the_rest_is_shown(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as out:
        for i in range(12):
            out.writestr(f"{('cat', 'dog', 'eel')[i % 3]}/{i:02}.jpg", b"no picture" if i == 0 else jpeg(i))
    collection = collect(tmp_path / "some.zip")
    rows, probability, label = judged(collection)
    write_report(tmp_path / "r.html", card("images"), collection, rows, probability, label, Pointing("images"))
    reader = read(tmp_path / "r.html")
    assert sum(a.get("class") == "unread" for _, a in reader.tags) >= 1
    assert sum(tag == "figure" for tag, _ in reader.tags) > 6


def test_without_an_explainer_nothing_is_coloured_and_no_switch_promises_it(tmp_path: Path) -> None:
    collection = made("images", tmp_path)
    rows, probability, label = judged(collection)
    write_report(tmp_path / "r.html", card("images"), collection, rows, probability, label)
    reader = read(tmp_path / "r.html")
    assert not any(a.get("class") in ("heat", "switch") for _, a in reader.tags)


def test_explaining_ends_when_its_time_is_over(tmp_path: Path) -> None:
    collection = made("images", tmp_path)
    rows, probability, label = judged(collection)
    asked = Pointing("images")
    write_report(tmp_path / "r.html", card("images"), collection, rows, probability, label, asked, seconds=0.0)
    assert asked.asked == 0


def test_a_model_without_a_mistake_is_said_to_have_none(tmp_path: Path) -> None:
    collection = made("images", tmp_path)
    rows, _, label = judged(collection)
    write_report(tmp_path / "r.html", card("images"), collection, rows, np.eye(3)[label], label)
    said = " ".join(read(tmp_path / "r.html").text)
    assert "was right on 100.0 % of 60" in said
    assert "There are none on these examples" in said


def test_the_map_lies_where_the_mass_is() -> None:
    from PIL import Image

    values = np.zeros((8, 8))
    values[1, 6] = 2.0
    picture = Image.open(io.BytesIO(base64.b64decode(heat(values).split(",")[1])))
    alpha = np.asarray(picture)[..., 3].astype(float)
    row, column = np.unravel_index(alpha.argmax(), alpha.shape)
    assert (row * 8 // len(alpha), column * 8 // alpha.shape[1]) == (1, 6)
    assert alpha[len(alpha) // 2 :, : alpha.shape[1] // 2].max() == 0
    flat = Image.open(io.BytesIO(base64.b64decode(heat(-values).split(",")[1])))
    assert np.asarray(flat)[..., 3].max() == 0


def test_a_spectrogram_is_bright_when_and_where_it_sounds() -> None:
    t = np.arange(16_000) / 16_000
    low = (np.sin(2 * np.pi * 300 * t) * (t < 0.5)).astype(np.float32)
    drawn = np.asarray(spectrogram(low)).astype(float)
    row, column = np.unravel_index(drawn.argmax(), drawn.shape)
    assert row > 0.6 * len(drawn)  # low pitches stand below
    assert column < 0.55 * drawn.shape[1]
    assert drawn[:, int(0.6 * drawn.shape[1]) :].max() < 40
    assert np.asarray(spectrogram(np.zeros(16_000, dtype=np.float32))).max() == 0


def test_words_are_marked_by_what_they_did_and_a_long_text_is_cut_around_them() -> None:
    words = tuple(f"w{i} " for i in range(400))
    values = np.zeros(400)
    values[300], values[301] = 2.0, -1.0
    html = marked(Saliency(values, words))
    assert html.startswith("… ")
    assert html.endswith(" …")
    assert re.search(r'<mark class="for" style="--w:1.00" title="\+2.00">w300</mark> <mark class="against"', html)
    assert html.count("<mark") == 2
    assert "w5 " not in html


def test_a_course_is_read_from_the_loops_file(tmp_path: Path) -> None:
    file = tmp_path / "training.json"
    assert course_of(tmp_path) is None
    file.write_text('{"epochs": [{"number": 1, "loss": 0.5, "judged": 0.6, "rate": 0.1, "seconds": 2}], "best": 1}')
    assert course_of(tmp_path) == Course(epochs=((1, 0.5, 0.6),), best=1)
    file.write_text("[]")
    assert course_of(tmp_path) is None
    enough().keep(tmp_path / ENOUGH)
    course = course_of(tmp_path)
    assert course is not None
    assert (course.epochs, course.enough and course.enough.taught) == ((), 500)


def test_a_course_is_made_of_the_epochs_of_a_training() -> None:
    epochs = [Epoch(i + 1, 1.0 / (i + 1), judged, 0.1, 1.0) for i, judged in enumerate((0.9, 0.5, 0.7))]
    course = course_of_epochs(epochs)
    assert course is not None
    assert course.best == 2
    assert course.epochs[0] == (1, 1.0, 0.9)
    assert course_of_epochs([]) is None
    assert course_of_epochs([], enough()) is not None


def enough() -> Enough:
    points = [Point(n, 1 - n**-0.4, 0.01) for n in (50, 100, 200, 400)]
    return Enough(Growth.through(points), 500, "a linear machine on made numbers")


def test_what_more_examples_bring_is_drawn_on_to_twice_as_many(tmp_path: Path) -> None:
    collection = made("images", tmp_path)
    rows, probability, label = judged(collection)
    write_report(
        tmp_path / "r.html", card("images"), collection, rows, probability, label, course=Course(enough=enough())
    )
    reader = read(tmp_path / "r.html")
    said = " ".join(" ".join(reader.text).split())
    assert "Would more examples help?" in said
    assert "Twice the labels, 1,000, should bring about" in said
    assert "not on the test" in said
    assert "now, 500" in said
    assert "1,000 examples learned from" in said
    (band,) = [a["points"] for tag, a in reader.tags if tag == "polygon" and a.get("class") == "band"]
    corners = np.array([[float(v) for v in corner.split(",")] for corner in str(band).split()])
    assert 0 <= corners.min() <= corners.max() <= 440
    above, below = corners[: len(corners) // 2], corners[: len(corners) // 2 - 1 : -1]
    assert (above[:, 0] == below[:, 0]).all()
    assert (above[:, 1] <= below[:, 1]).all()
