"""The report of dirty data: what is planted is found, and what is good goes through."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageEnhance

from scenes.examples import as_bytes, made_pictures, made_sentences, made_sounds, picture, wave
from tocsin.data.collection import Collection, collect
from tocsin.data.dirt import Dirt, Doubt, Finding, dirt
from tocsin.errors import BadInput


def found(report: Dirt, kind: str) -> Finding:
    (finding,) = (f for f in report.findings if f.kind == kind)
    return finding


def names(collection: Collection, finding: Finding) -> set[str]:
    return {collection.names[row] for row in finding.rows}


# --- pictures --------------------------------------------------------------------------------------------------------


def test_clean_pictures_are_clean(tmp_path: Path) -> None:
    report = dirt(collect(made_pictures(tmp_path, each=30)))
    assert report.clean
    assert report.usable.all()
    assert not report.findings
    assert report.facts == {"size": "48 x 48", "format": "PNG", "colours": "RGB"}


def test_what_cannot_be_read_is_named_with_why_and_the_rest_goes_through(tmp_path: Path) -> None:
    made_pictures(tmp_path, ("circle", "square"), each=20)
    whole = (tmp_path / "train/circle/0.png").read_bytes()
    (tmp_path / "train/circle/0.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "train/circle/1.png").write_bytes(b"")
    (tmp_path / "train/circle/2.png").write_bytes(b"<html>not found</html>")
    collection = collect(tmp_path)
    report = dirt(collection)
    finding = found(report, "unreadable")
    assert names(collection, finding) == {f"train/circle/{i}.png" for i in range(3)}
    assert (finding.weight, report.good.sum(), report.clean) == ("left out", 37, False)
    why = {collection.names[row]: said for row, said in report.why.items()}
    assert "damaged" in why["train/circle/0.png"]
    assert "empty" in why["train/circle/1.png"]
    assert "must be a picture" in why["train/circle/2.png"]


def test_a_copy_in_the_test_part_is_a_leak_though_it_was_saved_anew_moved_brightened_or_mirrored(
    tmp_path: Path,
) -> None:
    made_pictures(tmp_path, ("circle", "square"), each=20, size=96)
    original = Image.open(tmp_path / "train/circle/3.png")
    copies = {
        "exact": original,
        "jpeg": original,
        "smaller": original.resize((60, 60)),
        "brighter": ImageEnhance.Brightness(original).enhance(1.15),
        "mirrored": original.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        "moved": original.crop((4, 0, 96, 92)),
    }
    for name, copy in copies.items():
        copy.save(tmp_path / f"test/circle/{name}.{'png' if name == 'exact' else 'jpg'}", quality=80)
    (tmp_path / "test/circle/exact.png").write_bytes((tmp_path / "train/circle/3.png").read_bytes())
    collection = collect(tmp_path)
    report = dirt(collection)
    finding = found(report, "in test too")
    ends = {Path(name).stem for name in names(collection, finding)}
    assert ends == {*copies, "3"}
    assert "1 exact" in finding.said
    assert [collection.names[row] for row in np.flatnonzero(report.leaking)] == ["train/circle/3.png"]
    assert len(set(report.twin[list(finding.rows)].tolist())) == 1


def test_the_same_picture_under_two_classes_is_a_doubt(tmp_path: Path) -> None:
    made_pictures(tmp_path, ("circle", "square"), each=15, parts=False)
    (tmp_path / "square/again.png").write_bytes((tmp_path / "circle/1.png").read_bytes())
    collection = collect(tmp_path)
    finding = found(dirt(collection), "same, other class")
    assert names(collection, finding) == {"circle/1.png", "square/again.png"}


def test_a_class_whose_pictures_have_a_size_of_their_own_gives_itself_away(tmp_path: Path) -> None:
    made_pictures(tmp_path, ("circle",), each=30, size=48, parts=False)
    made_pictures(tmp_path, ("square",), each=30, size=50, parts=False, seed=1)
    finding = found(dirt(collect(tmp_path)), "size tells the class")
    assert finding.weight == "leak"
    assert "100%" in finding.said


def test_blank_pictures_are_left_out_unless_their_class_is_blank(tmp_path: Path) -> None:
    made_pictures(tmp_path, ("circle",), each=20, size=48, parts=False)
    blank = as_bytes(np.full((48, 48, 3), 77, np.uint8))
    (tmp_path / "circle/blank.png").write_bytes(blank)
    (tmp_path / "nothing").mkdir()
    for shade in range(12):
        (tmp_path / f"nothing/{shade}.png").write_bytes(as_bytes(np.full((48, 48, 3), shade * 9, np.uint8)))
    collection = collect(tmp_path)
    report = dirt(collection)
    assert names(collection, found(report, "unreadable")) == {"circle/blank.png"}
    assert found(report, "blank").count == 12


def test_small_uneven_and_lonely_classes_are_said(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    for name, part, many in (("circle", "train", 9), ("square", "train", 30), ("circle", "test", 3)):
        (tmp_path / part / name).mkdir(parents=True)
        for i in range(many):
            (tmp_path / part / name / f"{i}.png").write_bytes(as_bytes(picture(name, 40, random)))
    report = dirt(collect(tmp_path))
    assert "circle (9)" in found(report, "class too small").said
    assert "square" in found(report, "class not measured").said
    assert found(dirt(collect(tmp_path / "test")), "one class").count == 1


# --- sounds ----------------------------------------------------------------------------------------------------------


def test_clean_sounds_are_clean(tmp_path: Path) -> None:
    report = dirt(collect(made_sounds(tmp_path)))
    assert report.clean
    assert not report.findings


def test_silent_clipped_short_and_mixed_sounds_are_said(tmp_path: Path) -> None:
    made_sounds(tmp_path, ("sweep", "noise"), each=20, parts=False)
    random = np.random.default_rng(5)
    loud = (wave("sweep", 8_000, 16_000, random) * 9).clip(-1, 1)
    soundfile.write(tmp_path / "sweep/loud.wav", loud, 16_000)
    soundfile.write(tmp_path / "sweep/silent.wav", np.zeros(8_000), 16_000)
    soundfile.write(tmp_path / "noise/brief.wav", wave("noise", 1_000, 16_000, random), 16_000)
    soundfile.write(tmp_path / "noise/telephone.wav", wave("noise", 4_000, 8_000, random), 8_000)
    (tmp_path / "noise/text.wav").write_text("no sound")
    collection = collect(tmp_path)
    report = dirt(collection)
    assert names(collection, found(report, "unreadable")) == {"sweep/silent.wav", "noise/text.wav"}
    assert names(collection, found(report, "clipped")) == {"sweep/loud.wav"}
    assert names(collection, found(report, "too short")) == {"noise/brief.wav"}
    assert "8,000 Hz (1)" in found(report, "mixed rates").said


def test_a_sound_saved_anew_more_softly_is_a_near_copy(tmp_path: Path) -> None:
    made_sounds(tmp_path, ("sweep", "noise"), each=20)
    data, rate = soundfile.read(tmp_path / "train/sweep/2.wav")
    soundfile.write(tmp_path / "test/sweep/again.ogg", data * 0.6, rate)
    collection = collect(tmp_path)
    report = dirt(collection)
    assert names(collection, found(report, "in test too")) == {"train/sweep/2.wav", "test/sweep/again.ogg"}


def test_a_speaker_in_both_parts_is_a_leak(tmp_path: Path) -> None:
    made_sounds(tmp_path, ("sweep", "noise"), each=15)
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.wav"))
    rows = [f"{name},{'ann' if name.endswith(('/9.wav', '/12.wav')) else name}" for name in files]
    (tmp_path / "index.csv").write_text("\n".join(["file,speaker", *rows]))
    finding = found(dirt(collect(tmp_path)), "group in two parts")
    assert (finding.count, finding.weight) == (1, "leak")
    assert finding.shown == ("ann",)


# --- texts -----------------------------------------------------------------------------------------------------------


def write(path: Path, rows: list[tuple[str, str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("split", "label", "text"), *rows])
    return path


def test_clean_sentences_are_clean(tmp_path: Path) -> None:
    report = dirt(collect(made_sentences(tmp_path / "made.csv")))
    assert report.good.all()
    assert not [f for f in report.findings if f.kind not in ("copies", "in test too")]


def test_texts_that_were_harmed_on_their_way_are_said(tmp_path: Path) -> None:
    good = [("train", name, f"{name} sentence number {i} about {i * 7}") for name in ("a", "b") for i in range(12)]
    harmed = [
        ("train", "a", ""),
        ("train", "a", "   "),
        ("train", "b", "the cafÃ© was closed"),
        ("train", "b", "letters\ufffdlost here"),
        ("train", "a", "a bell\x07 rings inside"),
        ("train", "b", "this &amp; that, and so on"),
    ]
    collection = collect(write(tmp_path / "texts.csv", good + harmed))
    report = dirt(collection)
    said = {f.kind: names(collection, f) for f in report.findings}
    assert said["unreadable"] == {"25", "26"}
    assert (said["misread letters"], said["not UTF-8"]) == ({"27"}, {"28"})
    assert (said["control characters"], said["markup"]) == ({"29"}, {"30"})
    assert report.good.sum() == len(good) + 4


def test_a_text_with_one_more_word_is_a_near_copy_and_one_with_another_word_is_not(tmp_path: Path) -> None:
    rows = [
        ("train", "a", "we would like to tell you that your parcel is waiting at the post office"),
        ("test", "a", "We would like to tell you that your parcel is still waiting at the post office"),
        ("train", "b", "What is the largest city in the world ?"),
        ("test", "b", "What is the largest snake in the world ?"),
        ("train", "b", "See you at noon"),
        ("test", "a", "see  you at NOON"),
    ]
    collection = collect(write(tmp_path / "texts.csv", rows))
    report = dirt(collection)
    assert names(collection, found(report, "in test too")) == {"1", "2", "5", "6"}
    assert names(collection, found(report, "same, other class")) == {"5", "6"}


def test_words_for_nothing_and_classes_spelt_twice_are_said(tmp_path: Path) -> None:
    rows = [("", name, f"sentence {i} of {name}") for name in ("Spam", "spam ", "SPAM", "ham") for i in range(11)]
    collection = collect(write(tmp_path / "texts.csv", [*rows, ("", "ham", "NaN"), ("", "ham", "nan of them came")]))
    report = dirt(collection)
    assert names(collection, found(report, "missing")) == {"45"}
    assert found(report, "class names alike").shown == ("'SPAM' = 'Spam' = 'spam'",)


# --- the real sets ---------------------------------------------------------------------------------------------------


def test_the_questions_have_copies_in_their_test_and_one_in_two_classes(measured_data: Path) -> None:
    report = dirt(collect(measured_data / "text" / "trec_questions.csv.gz"))
    assert found(report, "in test too").count == 12
    assert found(report, "same, other class").shown == (
        "1194 (What are the Twin Cities ?) [DESC] = 5704 (What are the twin cities ?) [LOC]",
    )


def test_the_blood_smears_are_clean_and_the_satellite_tiles_overlap(measured_data: Path) -> None:
    assert dirt(collect(measured_data / "images" / "leukemia_cells.zip")).clean
    tiles = collect(measured_data / "images" / "hurricane_damage.zip")
    report = dirt(tiles.take([name.startswith(("test/no", "val/no", "train/no")) for name in tiles.names]))
    assert 3 <= found(report, "in test too").count <= 8
    assert report.leaking.sum() < 10


# --- all ---------------------------------------------------------------------------------------------------------------


def test_nothing_usable_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(b"")
    with pytest.raises(BadInput, match="not one of 2 examples"):
        dirt(collect(tmp_path))


def test_doubts_of_a_model_are_added_in_order() -> None:
    clean = Dirt(np.ones(3, bool), {}, np.arange(3), np.zeros(3, bool), ())
    doubted = clean.doubting([Doubt(0, 0, 1, 0.7), Doubt(2, 1, 0, 0.99)])
    assert [doubt.row for doubt in doubted.doubts] == [2, 0]
    assert found(doubted, "label in doubt").rows == (2, 0)
    assert doubted.clean
    assert doubted.doubting([]).doubts == ()


def test_it_tells_how_far_it_is(tmp_path: Path) -> None:
    heard: list[tuple[str, float]] = []
    dirt(collect(made_sentences(tmp_path / "made.csv", each=10)), lambda what, share: heard.append((what, share)))
    assert heard[0] == ("looking at every text", 0.0)
    assert heard[-1] == ("looking for copies", 1.0)
    assert all(0 <= share <= 1 for _, share in heard)


def test_a_sound_cut_in_the_middle_is_said(tmp_path: Path) -> None:
    made_sounds(tmp_path, ("sweep", "noise"), each=12, parts=False)
    data = io.BytesIO()
    soundfile.write(data, wave("noise", 16_000, 16_000, np.random.default_rng(1)), 16_000, format="FLAC")
    (tmp_path / "noise/cut.flac").write_bytes(data.getvalue()[: len(data.getvalue()) // 2])
    collection = collect(tmp_path)
    report = dirt(collection)
    row = collection.names.index("noise/cut.flac")
    assert row in report.why or row in found(report, "cut short").rows
