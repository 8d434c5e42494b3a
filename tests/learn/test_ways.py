"""Transfer and extract from end to end: another model's directory in, a model that is written, read back and served out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from scenes.taught import taught
from tocsin import spec as specs
from tocsin.artifact import load, write
from tocsin.artifact.network import SURPRISES
from tocsin.cli.learn import command
from tocsin.data import make_world, read
from tocsin.data.world import WorldSettings, write_world
from tocsin.errors import BadInput
from tocsin.features import compile_plan
from tocsin.learn import hybrid, machine, surprise
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.extract import extraction_of
from tocsin.learn.gathering import features
from tocsin.learn.task import LoopSettings
from tocsin.learn.transactions import Recipe, learn
from tocsin.learn.transfer import weights_of
from tocsin.measure.gate import Verdict
from tocsin.nets import LayeredSettings

FEW = BoostingSettings(trees=30, leaves=8, least_rows=20)
ONCE = LoopSettings(epochs=1, planned=1, batch=256, rate=1e-3)
SPEC = specs.load("world")
PLAN = compile_plan(SPEC)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("world")
    write_world(make_world(WorldSettings(transactions=6_000, seed=5, months=4, fraud_rate=0.04)), folder)
    return features(read(folder / "world.parquet", SPEC), PLAN)[0]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    taught(folder, SPEC.text, shape=LayeredSettings(members=4))
    return folder / "model"


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was learned is kept, so that what follows can be looked at."""
    verdict = Verdict(True, (), "as the test wants it")
    for module in (hybrid, machine):
        monkeypatch.setattr(module, "gate", lambda origins, **more: verdict)
    monkeypatch.setattr(hybrid, "teach", _believed(hybrid.teach))
    monkeypatch.setattr(hybrid, "LEAST_FRAUDS", 5)


def _believed(teach: Any) -> Any:
    return lambda *given, **more: replace(teach(*given, **more), correction=0.7)


@pytest.mark.slow
@pytest.mark.usefixtures("passed")
def test_transfer_begins_with_the_others_weights_and_says_how_many(
    past: Any, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surprise, "SETTINGS", LoopSettings(epochs=1, planned=1, batch=128, rate=1e-3))
    began = learn(
        past, SPEC, PLAN, Recipe(way="network", boosting=FEW, loop=ONCE, refit=False, base=weights_of(base, PLAN))
    )
    words = began.notes[0]
    assert words.startswith("Taken over to begin with: of what comes next ")
    assert "of the layered network" in words
    assert "begun anew" not in words
    assert began.card.settings["from"] == load(base).version
    ours, theirs = (_tables(files) for files in (began.files, {n: (base / n).read_bytes() for n in began.files}))
    apart = np.abs(ours - theirs)
    assert np.median(apart) < 0.02  # a short training at a small rate has not gone far from where it began
    assert apart.max() > 0


def _tables(files: dict[str, bytes]) -> np.ndarray:
    from safetensors.numpy import load as numbers

    return np.asarray(numbers(files["network.safetensors"])["members.0.past.cell.weight_hh_l0"])


@pytest.mark.slow
@pytest.mark.usefixtures("passed")
@pytest.mark.parametrize("layer", ["", "surprise"])
def test_a_machine_on_a_layer_is_written_read_back_and_adds_up(
    past: Any, base: Path, tmp_path: Path, layer: str
) -> None:
    source = extraction_of(base, PLAN, layer)
    assert source.layer == (layer or f"stage_{len(PLAN.ends)}")
    learned = learn(past, SPEC, PLAN, Recipe(way="extract", boosting=FEW, extract=source))
    card = write(tmp_path / "model", learned.card, learned.files)
    assert card.way == "network"
    assert card.settings["from"] == load(base).version
    assert learned.verdict is not None
    model = load(tmp_path / "model")
    assert model.inputs == (*PLAN.names, *SURPRISES)
    scored = model.score(past.matrix[:300])
    summed = np.cumsum(np.column_stack([np.full(300, scored.base), scored.delta]), axis=1)[:, -1]
    assert np.array_equal(summed, scored.logit)
    assert len(np.unique(scored.value)) > 100
    assert (tmp_path / "model" / "surprise.onnx").read_bytes() == (base / "surprise.onnx").read_bytes()


@pytest.mark.slow
def test_columns_of_a_layer_are_measured_and_left_out_and_that_is_said(past: Any, base: Path) -> None:
    source = extraction_of(base, PLAN, into="trees")
    assert source.layer == "past"
    learned = learn(past, SPEC, PLAN, Recipe(way="extract", boosting=FEW, extract=source, refit=False))
    assert learned.card.way == "trees"
    assert learned.card.inputs == (*PLAN.names, *SURPRISES)
    assert learned.verdict is not None
    assert "the columns of past" in learned.verdict.words.lower()
    assert "cannot be served yet" in learned.notes[-1]


def test_a_layer_that_is_not_there_or_does_not_fit_is_refused_in_words(base: Path) -> None:
    with pytest.raises(BadInput, match=r"no layer 'stage_9'.*past, stage_1.*exits, surprise"):
        extraction_of(base, PLAN, "stage_9")
    with pytest.raises(BadInput, match="what trees have said") as told:
        extraction_of(base, PLAN, "stage_2", "trees")
    assert "past or surprise" in (told.value.hint or "")
    with pytest.raises(BadInput, match="svm or trees"):
        extraction_of(base, PLAN, "past", "forest")
    shorter = compile_plan(specs.parse(SPEC.text.replace("[history]", "[history]\nlength = 16")))
    assert shorter.history != PLAN.history
    with pytest.raises(BadInput, match="reads 32 payments of the past; this spec keeps 16"):
        extraction_of(base, shorter, "past")
    other = compile_plan(specs.parse(_without_a_feature(SPEC.text)))
    with pytest.raises(BadInput, match="this spec has others"):
        extraction_of(base, other, "stage_1")
    assert extraction_of(base, other, "past").layer == "past"


def _without_a_feature(text: str) -> str:
    """The spec without its first line of statistics."""
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if " over " in line)
    return "\n".join(lines[:first] + lines[first + 1 :])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--way", "transfer"], "needs another model's networks"),
        (["--way", "extract"], "needs another model's networks"),
        (["--way", "network", "--from", "x"], "--from is for --way transfer or extract"),
        (["--layer", "past"], "--layer is for --way"),
        (["--way", "scratch", "--into", "svm"], "--into is for --way"),
    ],
)
def test_the_command_says_what_belongs_together(tmp_path: Path, words: list[str], said: str) -> None:
    given = [str(tmp_path / "no.parquet"), "--spec", "world", "--out", str(tmp_path / "out"), *words]
    result = CliRunner().invoke(command, given)
    assert isinstance(result.exception, BadInput)
    assert said in str(result.exception)
