"""`tocsin evaluate` of a model of pictures, sounds or texts: what is judged, what is left out, and the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scenes.classes import colour, tiny, tone
from scenes.pages import read
from tocsin.cli.main import group
from tocsin.errors import BadInput


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(group, ["evaluate", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "200"})


def pictures(folder: Path, part: str = "") -> Path:
    for name, tint in (("red", "red"), ("blue", "blue"), ("green", "red"), ("pink", "pink")):
        place = folder / part / name
        place.mkdir(parents=True)
        for i in range(4):
            (place / f"{i}.png").write_bytes(colour(tint))
    return folder


def test_pictures_are_judged_and_the_page_is_written(tmp_path: Path) -> None:
    model, data, report = tiny(tmp_path / "m", "images"), pictures(tmp_path / "d"), tmp_path / "r.html"
    (data / "red" / "broken.png").write_bytes(b"no picture")
    result = run(model, data, "--report", report)
    assert result.exit_code == 0, result.output
    assert "right on 66.7 % of 12" in result.output
    assert "“green” said to be “red”, 4 of 4" in result.output
    assert "4 are of classes the model never heard of (pink)" in result.output
    assert "1 could not be read" in result.output
    reader = read(report.read_text(encoding="utf-8"))
    assert sum("wrong" in (a.get("class") or "") for tag, a in reader.tags if tag == "figure") == 4
    assert "right on 66.7 % of 12" in " ".join(" ".join(reader.text).split())


def test_the_test_part_judges_where_there_is_one(tmp_path: Path) -> None:
    model = tiny(tmp_path / "m", "images")
    data = pictures(pictures(tmp_path / "d", "train"), "test")
    assert "of 12 " in run(model, data).output
    assert "Judged is the part test." in run(model, data).output
    assert "of 24 " in run(model, data, "--part", "all").output
    with pytest.raises(BadInput, match=r"has test, train, got 'val'"):
        run(model, data, "--part", "val")


def test_sounds_by_speaker_and_texts_from_a_table(tmp_path: Path) -> None:
    sounds = tmp_path / "d"
    sounds.mkdir()
    rows = ["file,label,speaker"]
    for i in range(12):
        (sounds / f"{i}.wav").write_bytes(tone(0.9 if i % 2 else 0.05))
        rows.append(f"{i}.wav,{'loud' if i % 2 else 'quiet'},{'abc'[i % 3]}")
    (sounds / "index.csv").write_text("\n".join(rows))
    said = run(tiny(tmp_path / "s", "sound"), sounds, "--group", "speaker", "--report", tmp_path / "s.html").output
    assert "right on 100.0 % of 12 from 3 groups" in said
    players = [a for tag, a in read((tmp_path / "s.html").read_text()).tags if tag == "audio"]
    assert players
    table = tmp_path / "texts.csv"
    table.write_text("text,topic\nthe cat and the dog,animals\na loan at the bank,money\na card,animals\nsilence,\n")
    said = run(tiny(tmp_path / "t", "text"), table, "--label", "topic").output
    assert "right on 66.7 % of 3" in said
    assert "1 have no class and are left out" in said


def test_what_does_not_fit_is_refused_in_words(tmp_path: Path) -> None:
    model, data = tiny(tmp_path / "m", "images"), tmp_path / "d" / "pink"
    data.mkdir(parents=True)
    (data / "1.png").write_bytes(colour("pink"))
    with pytest.raises(BadInput, match=r"classes the model knows, blue, green, red; those of .* are pink"):
        run(model, data.parent)
    with pytest.raises(BadInput, match="not for models of images"):
        run(model, data.parent, "--since", "2026-01-01")
    table = tmp_path / "texts.csv"
    table.write_text("text,label\nred,red\nblue sky,blue\n")
    with pytest.raises(BadInput, match="the model reads images"):
        run(model, table)
