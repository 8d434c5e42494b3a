"""`tocsin check` of pictures, sounds and texts as a person meets it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from scenes.examples import made_pictures, made_sentences, zipped
from tocsin.cli.check import command
from tocsin.cli.check_examples import are_examples
from tocsin.errors import BadInput


def test_clean_pictures_end_with_0_and_the_next_command(tmp_path: Path) -> None:
    made_pictures(tmp_path / "shapes", each=18)
    got = CliRunner().invoke(command, [str(tmp_path / "shapes")])
    assert got.exit_code == 0
    assert "54 pictures of 3 classes, 54 of them good" in got.stdout
    assert "circle     12     6   18" in got.stdout
    assert "No problems." in got.stdout
    assert "tocsin learn" in got.stdout


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_what_is_wrong_is_said_and_put_aside_and_ends_with_1(tmp_path: Path, ending: str) -> None:
    shapes = made_pictures(tmp_path / "shapes", ("circle", "square"), each=18)
    (shapes / "train/circle/1.png").write_bytes(b"[red]no picture")
    (shapes / "test/square/again.png").write_bytes((shapes / "train/square/2.png").read_bytes())
    bad = tmp_path / f"bad.{ending}"
    got = CliRunner().invoke(command, [str(zipped(shapes, tmp_path / "shapes.zip")), "--bad", str(bad)])
    assert got.exit_code == 1
    assert "train/circle/1.png: must be a picture" in got.stdout
    assert "test/square/again.png = train/square/2.png" in got.stdout
    rows = {
        "csv": lambda: list(csv.DictReader(bad.read_text(encoding="utf-8").splitlines())),
        "jsonl": lambda: [json.loads(line) for line in bad.read_text(encoding="utf-8").splitlines()],
        "parquet": lambda: pyarrow.parquet.read_table(bad).to_pylist(),
    }[ending]()
    assert {(row["name"], row["found"]) for row in rows} == {
        ("train/circle/1.png", "unreadable"),
        ("test/square/again.png", "in test too"),
        ("train/square/2.png", "in test too"),
    }
    assert len({row["copies"] for row in rows if row["found"] == "in test too"}) == 1


def test_payments_and_texts_are_told_apart(tmp_path: Path) -> None:
    sentences = made_sentences(tmp_path / "sentences.csv")
    payments = tmp_path / "payments.csv"
    payments.write_text("id,at,amount,account,label,description\n1,2026-03-01T12:00:00Z,10,a,0,tea and cake\n")
    notes = tmp_path / "notes.txt"
    notes.write_text(payments.read_text())
    assert are_examples(sentences)
    assert are_examples(tmp_path)
    assert not are_examples(payments)
    assert not are_examples(notes)
    assert not are_examples(tmp_path / "missing.csv")
    assert "3 classes" in CliRunner().invoke(command, [str(sentences)]).stdout
    said = CliRunner().invoke(command, [str(payments), "--column", "description", "--label", "label"]).stdout
    assert "1 text of 1 class" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--spec", "handbook", "--column", "text"], "is about payments"),
        (["--column", "txt"], "Did you mean 'text'"),
        (["--kind", "video"], "must be one of images, sound, text"),
        (["--label", "label", "--bad", "bad.xlsx"], "must end in"),
    ],
)
def test_a_wrong_option_is_refused_with_the_way_out(tmp_path: Path, options: list[str], said: str) -> None:
    sentences = made_sentences(tmp_path / "sentences.csv", each=3)
    with pytest.raises(BadInput, match=said):
        CliRunner().invoke(command, [str(sentences), *options], catch_exceptions=False)


def test_labels_that_look_wrong_are_named_and_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_WEIGHTS", str(tmp_path / "none"))
    shapes = made_pictures(tmp_path / "shapes", each=30, parts=False)
    for number in (3, 7):
        (shapes / f"circle/{number}.png").rename(shapes / f"stripe/was_circle_{number}.png")
    doubts = tmp_path / "doubts.csv"
    got = CliRunner().invoke(command, [str(shapes), "--suspicions", "--bad", str(doubts)])
    assert got.exit_code == 0, got.output
    said = " ".join(got.stdout.split())
    assert "stripe/was_circle_3.png stripe circle" in said
    assert "Each of 90 labels was held against a machine that had not seen its example, on colours and edges" in said
    assert "If its label is wrong, move the file" in said
    assert f"Then: tocsin learn {shapes}" in said.replace(" /", " /")
    rows = {row["name"]: row for row in csv.DictReader(doubts.read_text(encoding="utf-8").splitlines())}
    moved = rows["stripe/was_circle_3.png"]
    assert (moved["found"], moved["class"], moved["believed"]) == ("label in doubt", "stripe", "circle")
    assert 0.5 <= float(moved["firmly"]) <= 1


def test_where_no_label_looks_wrong_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOCSIN_WEIGHTS", str(tmp_path / "none"))
    sentences = made_sentences(tmp_path / "sentences.csv", each=20)
    got = CliRunner().invoke(command, [str(sentences), "--suspicions"])
    assert "No label looks wrong." in got.stdout
    assert "Next: tocsin learn" in got.stdout


def test_what_has_no_classes_cannot_be_suspected_and_is_clustered(tmp_path: Path) -> None:
    alone = made_pictures(tmp_path / "made", ("circle",), each=6, parts=False)
    with pytest.raises(BadInput, match="of 6 examples all are of one, 'circle'"):
        CliRunner().invoke(command, [str(alone), "--suspicions"], catch_exceptions=False)
    with pytest.raises(BadInput, match="none has a class"):
        CliRunner().invoke(command, [str(alone / "circle"), "--suspicions"], catch_exceptions=False)
    said = CliRunner().invoke(command, [str(alone / "circle")]).stdout
    assert "Next: tocsin cluster" in said
    assert "tocsin learn" not in said
    payments = tmp_path / "payments.csv"
    payments.write_text("id,at,amount,account\n1,2026-03-01T12:00:00Z,10,a\n")
    with pytest.raises(BadInput, match="is read as payments"):
        CliRunner().invoke(command, [str(payments), "--suspicions"], catch_exceptions=False)


def test_doubts_of_a_model_that_tells_nothing_are_said_to_mean_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOCSIN_WEIGHTS", str(tmp_path / "none"))
    made_sentences(tmp_path / "sentences.csv", each=20)
    rows = list(csv.reader((tmp_path / "sentences.csv").read_text(encoding="utf-8").splitlines()))
    place = rows[0].index("label")
    random = np.random.default_rng(0)
    for row in rows[1:]:
        row[place] = str(random.choice(["a", "b"]))
    with (tmp_path / "shuffled.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    said = " ".join(CliRunner().invoke(command, [str(tmp_path / "shuffled.csv"), "--suspicions"]).stdout.split())
    assert "so its doubts mean little here" in said
