"""``tocsin predict``: whatever is named, people and machines get an answer for each, and what cannot be read is said."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from scenes.classes import COLOURS, card, colour, files, tiny, tone
from tocsin.artifact import write
from tocsin.cli.main import group
from tocsin.errors import BadInput, Damaged, TocsinError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three models and a few examples, with the shell standing among them."""
    for kind, name in (("images", "colours"), ("sound", "loudness"), ("text", "topics")):
        tiny(tmp_path / name, kind)
    (tmp_path / "pics").mkdir()
    for name in ("red", "blue", "lime"):
        (tmp_path / "pics" / f"{name}.png").write_bytes(colour(name))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def run(*arguments: str, given: bytes | None = None) -> Result:
    return CliRunner().invoke(group, ["predict", *arguments], input=given, catch_exceptions=True)


def lines(*arguments: str, given: bytes | None = None, code: int = 0) -> list[dict[str, Any]]:
    result = run(*arguments, "--json", given=given)
    assert result.exit_code == code, (result.output, result.exception)
    return [json.loads(line) for line in result.stdout.splitlines()]


def refused(*arguments: str, given: bytes | None = None) -> TocsinError:
    error = run(*arguments, given=given).exception
    assert isinstance(error, TocsinError), error
    return error


def told(*arguments: str, **more: Any) -> list[tuple[str, str]]:
    return [(one["name"], one["class"]) for one in lines(*arguments, **more)]


def test_a_file_is_shown_with_its_classes_the_most_probable_first(place: Path) -> None:
    result = run("colours", "pics/red.png")
    assert result.exit_code == 0
    first, *classes = result.stdout.splitlines()
    assert first == "pics/red.png"
    assert [line.split()[0] for line in classes] == ["red", "blue", "green"]
    assert ">99.9 %" in classes[0]
    assert "█" in classes[0]
    assert len(run("colours", "pics/red.png", "--top", "1").stdout.splitlines()) == 2


def test_a_folder_is_shown_a_line_each_and_counted(place: Path) -> None:
    result = run("colours", "pics")
    assert [line.split()[:2] for line in result.stdout.splitlines()] == [
        ["blue.png", "blue"],
        ["lime.png", "green"],
        ["red.png", "red"],
    ]
    assert "3 answered: blue 1, green 1, red 1." in result.stderr


def test_what_is_named_may_be_anything_that_holds_examples(place: Path) -> None:
    with zipfile.ZipFile(place / "more.zip", "w") as archive:
        archive.write(place / "pics" / "red.png", "deep/er/red.png")
        archive.writestr("__MACOSX/._red.png", b"junk")
    (place / "index.csv").write_text("picture,label\npics/red.png,red\npics/blue.png,blue\n")
    assert told("colours", "pics/red.png", "pics", "more.zip") == [
        ("pics/red.png", "red"),
        ("pics/blue.png", "blue"),
        ("pics/lime.png", "green"),
        ("pics/red.png", "red"),
        ("more.zip:deep/er/red.png", "red"),
    ]
    assert told("colours", "index.csv", "--column", "picture") == [("pics/red.png", "red"), ("pics/blue.png", "blue")]
    (place / "IMG_7").write_bytes(colour("blue", ending="JPEG"))
    assert told("colours", "IMG_7") == [("IMG_7", "blue")]


def test_texts_come_from_tables_files_options_and_lines(place: Path) -> None:
    (place / "m.csv").write_text('id,words,label\n7,"my cat, my dog",x\n8,"a bank\nloan",y\n')
    assert [one for _, one in told("topics", "m.csv", "--column", "words")] == ["animals", "money"]
    assert told("topics", "--text", "cat", "--text", "loan") == [("cat", "animals"), ("loan", "money")]
    (place / "letter.txt").write_text("dear horse,\n\nyour dog")
    assert told("topics", "letter.txt") == [("letter.txt", "animals")]
    given = "a cat\r\n\n  \na bank\nein Größe-loan".encode()
    assert told("topics", "-", given=given) == [("line 1", "animals"), ("line 4", "money"), ("line 5", "money")]


def test_a_picture_or_a_sound_comes_from_standard_input(place: Path) -> None:
    assert told("colours", "-", given=colour("lime")) == [("standard input", "green")]
    assert told("loudness", "-", given=tone(0.9)) == [("standard input", "loud")]
    (found,) = lines("loudness", "-", given=b"RIFF", code=1)
    assert "sound" in found["error"]


def test_machines_get_every_class_and_probabilities_that_add_up(place: Path) -> None:
    for one in lines("colours", "pics"):
        assert [c["class"] for c in one["classes"]] != list(COLOURS) or one["class"] == "blue"
        assert sum(c["probability"] for c in one["classes"]) == pytest.approx(1)
        assert one["classes"][0] == {"class": one["class"], "probability": one["probability"]}
    assert all(len(one["classes"]) == 2 for one in lines("colours", "pics", "--top", "2"))
    result = run("colours", "pics", "--csv")
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == ["name", "class", "probability", "error", *COLOURS]
    assert [row["class"] for row in rows] == ["blue", "green", "red"]
    assert all(float(row[row["class"]]) == float(row["probability"]) for row in rows)


def test_what_cannot_be_read_is_said_and_the_rest_goes_through(place: Path) -> None:
    (place / "pics" / "bad.png").write_bytes(b"no picture")
    (place / "pics" / "cut.png").write_bytes(colour("red", (300, 300))[:60])
    (place / "pics" / "none.png").write_bytes(b"")
    found = {one["name"]: one for one in lines("colours", "pics", code=1)}
    assert {name for name, one in found.items() if "error" in one} == {"bad.png", "cut.png", "none.png"}
    assert found["red.png"]["class"] == "red"
    assert "picture" in found["bad.png"]["error"]
    people = run("colours", "pics")
    assert people.exit_code == 1
    assert "3 could not be read" in people.stderr
    rows = list(csv.DictReader(io.StringIO(run("colours", "pics", "--csv").stdout)))
    assert [bool(row["error"]) for row in rows] == [True, False, True, False, True, False]
    found = {one["name"]: one for one in lines("colours", "pics/red.png", "nowhere", code=1)}
    assert "nowhere" in found["nowhere"]["error"]
    assert found["pics/red.png"]["class"] == "red"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("colours",), "something to predict"),
        (("colours", "nowhere"), "nowhere"),
        (("colours", "--text", "x"), "this one reads images"),
        (("colours", "pics", "--json", "--csv"), "one form"),
        (("loudness", "pics"), "sound"),
        (("topics", "m.csv", "--column", "wrods"), "words"),
        (("pics", "pics"), "tocsin learn"),
    ],
)
def test_a_refusal_says_what_must_hold(place: Path, arguments: tuple[str, ...], says: str) -> None:
    (place / "m.csv").write_text("words,label\ncat,x\n")
    assert says in str(refused(*arguments))


def test_a_model_that_is_none_or_another_is_refused(place: Path) -> None:
    (place / "colours" / "network.onnx").write_bytes(b"x")
    assert isinstance(refused("colours", "pics"), Damaged)
    (place / "loudness" / "model.json").write_text('{"name": "m", "way": "trees", "format": 2}')
    error = refused("loudness", "pics")
    assert isinstance(error, BadInput)
    assert "tocsin serve" in str(error)


def test_many_files_are_answered_in_order_across_batches(place: Path) -> None:
    (place / "many").mkdir()
    wanted = []
    for i in range(70):
        name = ("red", "blue", "lime")[i % 3]
        (place / "many" / f"{i:03}.png").write_bytes(colour(name) if i % 10 != 9 else b"bad")
        wanted.append("" if i % 10 == 9 else {"lime": "green"}.get(name, name))
    found = lines("colours", "many", code=1)
    assert [one["name"] for one in found] == [f"{i:03}.png" for i in range(70)]
    assert [one.get("class", "") for one in found] == wanted


def test_names_that_would_harm_a_terminal_are_made_harmless(place: Path) -> None:
    odd = place / "odd"
    odd.mkdir()
    (odd / "a\x1b[31mb\n[bold]c.png").write_bytes(colour("red"))
    (odd / os.fsdecode(b"\xff\xfe.png")).write_bytes(colour("blue"))
    for form in ((), ("--json",), ("--csv",)):
        result = run("colours", "odd", *form)
        assert result.exit_code == 0, result.exception
        assert "\x1b" not in result.stdout
        assert "[bold]c" in result.stdout
        assert result.stdout.count("\n") == 2 + (form == ("--csv",))


def test_pipes_are_read_and_what_never_ends_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.cli.predict.LARGEST", 100_000)
    found = {one["name"]: one for one in lines("colours", "/dev/zero", "pics/red.png", code=1)}
    assert "at most" in found["/dev/zero"]["error"]
    assert found["pics/red.png"]["class"] == "red"
    ours, theirs = os.pipe()
    os.write(theirs, colour("blue"))
    os.close(theirs)
    assert told("colours", f"/dev/fd/{ours}") == [(f"/dev/fd/{ours}", "blue")]


def test_class_names_may_be_anything(place: Path) -> None:
    names = ("[red]x[/red]", "a,b\n=1+1", "\x1b[2J" + "long " * 20)
    write(place / "odd", card("images", classes=names), files("images"))
    assert run("odd", "pics/red.png").exit_code == 0
    assert "\x1b" not in run("odd", "pics").stdout
    assert [one["class"] for one in lines("odd", "pics")] == [names[0], names[1], names[2]]
    rows = list(csv.reader(io.StringIO(run("odd", "pics", "--csv").stdout)))
    assert rows[0][4:] == list(names)
    shown = CliRunner().invoke(group, ["model", "show", "odd"])
    assert shown.exit_code == 0
    assert "\x1b" not in shown.stdout


def test_a_reader_that_has_seen_enough_is_no_error(place: Path) -> None:
    (place / "many.csv").write_text("text\n" + "my cat\n" * 20_000)
    command = (
        f"{sys.executable} -c 'from tocsin.cli.main import main; main()' predict topics many.csv --json | head -n 1"
    )
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, cwd=place)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


# --- tocsin model show -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("images", ("pictures", "3 classes", "blue (15)", "8 × 8 pixels", "accuracy 0.9", "a third of each class")),
        ("sound", ("sounds", "2 classes", "0.1 s", "16 kHz")),
        ("text", ("texts", "first 6 words", "from random weights", "vocabulary.txt")),
    ],
)
def test_a_model_is_shown_in_words(place: Path, kind: str, says: tuple[str, ...]) -> None:
    result = CliRunner().invoke(group, ["model", "show", str(tiny(place / "shown", kind))])
    assert result.exit_code == 0, result.exception
    for words in says:
        assert words in result.stdout


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"way": "transfer", "network": "resnet18"}, "resnet18, taught on from weights it came with"),
        ({"way": "extract", "layer": "layer4", "into": "svm", "network": "resnet18"}, "the layer layer4 of resnet18"),
        (
            {"way": "extract", "into": "svm", "network": "minilm", "settings": {"words": 0.5}},
            "the last layer of minilm",
        ),
        ({"way": "scratch", "network": "kimcnn", "settings": {"words": 0.5}}, "words, counted, at 0.5 of its weight"),
        ({"way": "plain", "layer": "hog", "into": "logistic", "network": ""}, "plain: hog, into logistic regression"),
    ],
)
def test_every_way_has_its_words(place: Path, fields: dict[str, Any], says: str) -> None:
    write(place / "shown", card("images", **fields), files("images"))
    assert says in " ".join(CliRunner().invoke(group, ["model", "show", "shown"]).stdout.split())


def test_a_damaged_model_is_not_shown(place: Path) -> None:
    (place / "colours" / "network.onnx").write_bytes(b"x")
    assert isinstance(CliRunner().invoke(group, ["model", "show", "colours"]).exception, Damaged)
