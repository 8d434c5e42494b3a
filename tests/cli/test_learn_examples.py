"""``tocsin learn`` on pictures, sounds and texts, as typed; killed, and gone on with; and options of the other kind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from scenes.examples import made_pictures, made_sentences, made_sounds, zipped
from tocsin.artifact.classes import load
from tocsin.cli.evaluate import command as evaluate
from tocsin.cli.learn import OF_EXAMPLES, OF_PAYMENTS, command
from tocsin.data.collection import collect
from tocsin.errors import BadInput

SMALL = ("--threads", "1", "--no-report")


def run(*args: str | Path) -> str:
    """What the command says."""
    done = CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return " ".join(done.output.split())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_pictures(tmp_path_factory.mktemp("made") / "shapes", each=20, size=24)


def test_a_folder_becomes_a_model_that_predicts(pictures: Path, tmp_path: Path) -> None:
    said = run("--way", "scratch", pictures, "--out", tmp_path / "m", "--size", 16, "--epochs", 2, *SMALL)
    assert "Learned 3 classes of images from 42 of 60 examples" in said
    assert "judged by the 18 examples that the data calls test" in said
    assert "begun from nothing" in said
    assert f"tocsin predict {tmp_path / 'm'}" in said.replace(" /", "/").replace("predict/", "predict /")
    given = collect(pictures)
    assert load(tmp_path / "m").predict([given.raw(0)]).shape == (1, 3)
    assert not (tmp_path / "m.training").exists()
    card = json.loads((tmp_path / "m" / "model.json").read_text())
    assert card["way"] == "scratch"
    assert card["learned"]["parts"]["test"] == 18


def test_another_model_is_begun_from_by_both_ways_and_any_layer(pictures: Path, tmp_path: Path) -> None:
    run("--way", "scratch", pictures, "--out", tmp_path / "m", "--size", 16, "--epochs", 2, *SMALL)
    few = made_pictures(tmp_path / "other", ("cross", "ring"), each=12, size=24)
    one = ("--from", tmp_path / "m", *SMALL)
    said = run(few, "--way", "extract", "--layer", "layer2", "--into", "logistic", "--out", tmp_path / "x", *one)
    assert "logistic regression was learned on what resnet20 says" in said
    card = load(tmp_path / "x").card
    assert (card.layer, card.into, card.classes) == ("layer2", "logistic", ("cross", "ring"))
    said = run(few, "--way", "transfer", "--epochs", 1, "--out", tmp_path / "t", *one)
    assert "began with the model m-" in said or "began with the model shapes-" in said
    with pytest.raises(BadInput, match="layer9"):
        run(few, "--way", "extract", "--layer", "layer9", "--out", tmp_path / "y", *one)
    with pytest.raises(BadInput, match="has none"):
        run(few, "--way", "transfer", "--from", tmp_path / "x", "--out", tmp_path / "z", *SMALL)


def test_texts_and_zipped_sounds_go_the_same_path(tmp_path: Path) -> None:
    texts = made_sentences(tmp_path / "said.csv", each=20)
    said = run(texts, "--way", "plain", "--out", tmp_path / "t", *SMALL)
    assert "3 classes of text" in said
    sounds = zipped(made_sounds(tmp_path / "heard", each=9, seconds=0.1), tmp_path / "heard.zip")
    said = run(sounds, "--way", "plain", "--out", tmp_path / "s", *SMALL)
    assert "3 classes of sound" in said


def test_the_report_says_what_more_examples_bring_and_what_plain_machine_learning_reaches(
    pictures: Path, tmp_path: Path
) -> None:
    folder = made_pictures(tmp_path / "many", each=27, size=24)
    said = run(folder, "--way", "plain", "--out", tmp_path / "p", "--threads", 1)
    assert "Twice the labels, 108," in said
    html = (tmp_path / "p" / "report.html").read_text(encoding="utf-8")
    assert "Would more examples help?" in html
    assert "within the 54 examples the model learned from" in html
    assert "Plain machine learning (" not in html
    again = tmp_path / "again.html"
    done = CliRunner().invoke(evaluate, [str(tmp_path / "p"), str(folder), "--report", str(again)])
    assert done.exit_code == 0, done.output
    assert "Would more examples help?" in again.read_text(encoding="utf-8")
    few = ("--size", 16, "--epochs", 1, "--threads", 1)
    said = run(pictures, "--way", "scratch", "--out", tmp_path / "s", *few)
    assert "Plain machine learning (a linear machine on colours and edges) is right on" in said
    html = (tmp_path / "s" / "report.html").read_text(encoding="utf-8")
    assert "Plain machine learning (a linear machine on colours and edges) is right on" in html
    assert "Would more examples help?" not in html


def test_dirt_is_told_and_good_examples_go_through(pictures: Path, tmp_path: Path) -> None:
    folder = made_pictures(tmp_path / "dirty", each=12, size=24)
    (folder / "train" / "circle" / "broken.png").write_bytes(b"no picture")
    said = run(folder, "--way", "plain", "--out", tmp_path / "m", *SMALL)
    assert "1 picture cannot be used" in said
    assert "Learned 3 classes of images from 24 of 37" in said


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("--budget", "3/day"), "--budget is for payments"),
        (("--trees", "10"), "--trees is for payments"),
        (("--way", "anomaly"), "anomaly is a way for payments"),
        (("--spec", "world", "--size", "32"), "--size is for pictures"),
        (("--spec", "world", "--no-words"), "--no-words is for pictures"),
        (("--spec", "world", "--way", "plain"), "plain is a way for examples"),
        (("--way", "scratch", "--layer", "layer1"), "--layer is for --way extract"),
        (("--way", "plain", "--epochs", "2"), "--epochs is for --way scratch or transfer"),
        (("--way", "scratch", "--network", "resnet21"), "resnet20"),
        (("--way", "scratch", "--network", "kimcnn"), "a network for text"),
        (("--way", "scratch", "--size", "2"), "16 to 1024"),
        (("--way", "transfer", "--network", "resnet20"), "nobody's weights"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(
    pictures: Path, tmp_path: Path, args: tuple[str, ...], word: str
) -> None:
    with pytest.raises(BadInput, match=word):
        run(pictures, "--out", tmp_path / "m", "--threads", "1", *args)


def test_every_option_is_of_one_kind_or_both() -> None:
    names = {p.name for p in command.params}
    assert set(OF_PAYMENTS) | set(OF_EXAMPLES) <= names
    assert not set(OF_PAYMENTS) & set(OF_EXAMPLES)


def test_a_table_without_spec_or_texts_is_told_what_it_needs(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("amount,at\n3,2024-01-01\n4,2024-01-02\n")
    with pytest.raises(BadInput, match="--spec"):
        run(tmp_path / "p.csv", "--out", tmp_path / "m")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_it_goes_on_to_the_same_model(pictures: Path, tmp_path: Path) -> None:
    """kill -9 in the middle of the training; the same command then writes the very bytes of one that was left alone."""

    def words(out: Path) -> list[str]:
        more = ["--way", "scratch", "--size", "16", "--epochs", "12", "--name", "one", *SMALL]
        return [sys.executable, "-m", "tocsin.cli.main", "learn", str(pictures), "--out", str(out), *more]

    env = os.environ | {"OMP_NUM_THREADS": "1"}
    code = ["-c", "from tocsin.cli.main import main; main()"]
    whole, again = tmp_path / "whole", tmp_path / "again"
    subprocess.run([sys.executable, *code, *words(whole)[3:]], env=env, check=True, capture_output=True)
    killed = subprocess.Popen(
        [sys.executable, *code, *words(again)[3:]], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    checkpoint = tmp_path / "again.training" / "network" / "training.json"
    while killed.poll() is None:
        if checkpoint.exists() and len(json.loads(checkpoint.read_text())["epochs"]) >= 2:
            killed.send_signal(signal.SIGKILL)
            break
        time.sleep(0.01)
    assert killed.wait() == -signal.SIGKILL, "it was over before it could be killed"
    assert not again.exists()
    done = subprocess.run([sys.executable, *code, *words(again)[3:]], env=env, check=True, capture_output=True)
    assert b"is written" in done.stdout
    for name in ("model.json", "network.onnx", "network.safetensors"):
        assert (again / name).read_bytes() == (whole / name).read_bytes(), name
