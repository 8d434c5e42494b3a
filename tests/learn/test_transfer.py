"""Weights of another model are read and fit where the columns are the same; what was taken over is told in words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from scenes.layered import written
from scenes.taught import SMALL, taught
from tocsin import spec as specs
from tocsin.artifact import load, write
from tocsin.errors import BadInput, Damaged
from tocsin.features import compile_plan
from tocsin.learn.hybrid import WEIGHTS as NETWORK_WEIGHTS
from tocsin.learn.surprise import WEIGHTS as SURPRISE_WEIGHTS
from tocsin.learn.transactions import Weights
from tocsin.learn.transfer import taken_over, weights_of
from tocsin.nets import NextPayment, layered

WORLD = specs.load("world")
PLAN = compile_plan(WORLD)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("base")
    taught(place, WORLD.text)
    return place / "model"


def test_all_weights_of_both_networks_are_read(folder: Path) -> None:
    found = weights_of(folder, PLAN)
    history = load(folder).plan.history
    ends = (*PLAN.ends[:-1], PLAN.ends[-1] + 3)
    network = layered(ends, tuple(PLAN.categorical), history, SMALL)
    network.load_state_dict(dict(found.network))
    NextPayment().load_state_dict(dict(found.surprise))


def test_where_a_stage_has_other_columns_its_weights_stay_behind(folder: Path) -> None:
    names = list(PLAN.names)
    first = names[: PLAN.ends[0]]
    assert len(first) >= 2
    names[0], names[1] = names[1], names[0]  # as many, but others in their places
    found = weights_of(folder, replace(PLAN, names=tuple(names)))
    stages = {name.split(".")[3] for name in found.network if ".stages." in name}
    assert stages == {str(s) for s in range(1, len(PLAN.ends))}
    assert any(".past." in name for name in found.network)
    assert found.surprise


def test_a_model_of_trees_alone_has_no_weights_and_says_so(tmp_path: Path) -> None:
    written(tmp_path / "model", WORLD.text, network=False)
    with pytest.raises(BadInput, match="trees only") as told:
        weights_of(tmp_path / "model")
    assert told.value.field == "--from"


def test_a_damaged_file_is_refused(tmp_path: Path, folder: Path) -> None:
    model = load(folder)
    files = {name: (folder / name).read_bytes() for name in model.card.files}
    write(tmp_path / "torn", model.card, files | {NETWORK_WEIGHTS: b"no tensors"})
    with pytest.raises(BadInput, match="cannot be read"):
        weights_of(tmp_path / "torn")
    (tmp_path / "torn" / NETWORK_WEIGHTS).write_bytes(b"changed")
    with pytest.raises(Damaged, match="fingerprint"):
        weights_of(tmp_path / "torn")


def test_what_was_taken_over_is_told_part_by_part() -> None:
    torch.manual_seed(0)
    base = Weights(NextPayment().state_dict(), layered((3, 6), (), 8, SMALL).state_dict())
    here = layered((3, 8), (), 8, SMALL).state_dict()
    files = {NETWORK_WEIGHTS: save(here), SURPRISE_WEIGHTS: save(dict(base.surprise))}
    words = taken_over(base, files)
    learned = {name: t for name, t in here.items() if not name.endswith(("median", "spread", "seen"))}
    fits = sum(t.numel() for name, t in learned.items() if base.network[name].shape == t.shape)
    whole = sum(t.numel() for t in learned.values())
    assert fits < whole
    assert f"of the layered network {fits:,} of {whole:,} weights" in words
    assert "of what comes next" in words
    assert "begun anew" not in words  # stage 2 keeps what does not read columns
    assert "layered network nothing, because none was kept" in taken_over(
        base, {SURPRISE_WEIGHTS: files[SURPRISE_WEIGHTS]}
    )


def test_a_stage_that_was_not_there_is_told_as_begun_anew() -> None:
    base = Weights({}, layered((3,), (), 8, SMALL).state_dict())
    words = taken_over(base, {NETWORK_WEIGHTS: save(layered((3, 8), (), 8, SMALL).state_dict())})
    assert "(begun anew: stage 2)" in words
