"""Layers are read by name, are what the network really holds, and are refused in words where there are none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save

from scenes.layered import written
from scenes.taught import SMALL, some_tokens, taught
from tocsin import spec as specs
from tocsin.artifact import load, write
from tocsin.errors import BadInput, Damaged
from tocsin.learn.extract import Layer, Networks, layers_of, opened, read, represent
from tocsin.learn.hybrid import WEIGHTS
from tocsin.learn.layered import Rows, exits_of
from tocsin.nets import LayeredSettings, Members, NextPayment, layered

ENDS, HISTORY = (2, 4, 5), 8


@pytest.fixture(scope="module")
def network() -> Members:
    torch.manual_seed(0)
    made = layered(ENDS, (3,), HISTORY, SMALL)
    with torch.no_grad():
        for weight in made.parameters():
            weight.add_(torch.randn_like(weight) * 0.2)
    return made.eval()


def rows(n: int = 50, seed: int = 1) -> Rows:
    random = np.random.default_rng(seed)
    columns = random.normal(size=(n, 5)).astype(np.float32)
    columns[:, 3] = random.integers(0, 30, n)
    columns[0, 0] = np.nan
    margins = random.normal(-3, 1, (n, 3)).astype(np.float32)
    return Rows(columns, margins, some_tokens(n, HISTORY, seed), np.zeros(n, dtype=np.int8))


def test_the_layers_are_the_past_each_stage_and_the_exits(network: Members) -> None:
    assert layers_of(network) == ("past", "stage_1", "stage_2", "stage_3", "exits")
    assert layers_of(NextPayment()) == ("surprise",)
    assert layers_of(layered(ENDS, (), 0, SMALL)) == ("stage_1", "stage_2", "stage_3", "exits")
    both = Networks(network, NextPayment())
    assert both.layers == (*layers_of(network), "surprise")
    for name in both.layers:
        assert both.layer(name).name == name


def test_an_unknown_layer_is_refused_and_the_layers_there_are_named(network: Members) -> None:
    for refused in (lambda: represent(network, rows(), "stage_9"), lambda: Networks(network).layer("stage_9")):
        with pytest.raises(BadInput, match=r"no layer 'stage_9'.*past, stage_1, stage_2, stage_3, exits") as told:
            refused()
        assert told.value.field == "--layer"
    with pytest.raises(BadInput, match="there are none"):
        Networks().layer("past")


def test_what_is_read_after_a_stage_is_what_its_exit_is_made_of(network: Members) -> None:
    given = rows()
    wide = SMALL.wide
    margins = given.margins.astype(np.float64)
    for stage in (1, 2):  # the last exit also hears the past
        state = represent(network, given, f"stage_{stage}")
        assert state.shape == (50, 2 * wide)
        said = []
        for m, member in enumerate(network.members):
            part = member.stages[stage - 1]  # type: ignore[index, union-attr]
            exit_ = state[:, m * wide : (m + 1) * wide] @ part.exit.weight.double().detach().numpy()[0]
            said.append(part.trust.item() * margins[:, stage - 1] + exit_ + part.exit.bias.item())
        assert np.allclose(np.mean(said, axis=0), exits_of(network, given)[:, stage - 1], atol=1e-5)


def test_exits_are_the_networks_and_the_past_is_of_the_last_payments_only(network: Members) -> None:
    given = rows()
    assert np.allclose(represent(network, given, "exits"), exits_of(network, given), atol=1e-6)
    past = represent(network, given, "past")
    assert past.shape == (50, 2 * SMALL.past)
    other = Rows(given.columns * 0, given.margins * 0, given.tokens, given.label)
    assert np.array_equal(past, represent(network, other, "past"))
    older = given.tokens.copy()
    older[:, : HISTORY + 1 - SMALL.past_last] = 0
    assert np.array_equal(past, represent(network, Rows(given.columns, given.margins, older, given.label), "past"))
    turned = given.tokens[:, ::-1].copy()
    assert not np.allclose(past, represent(network, Rows(given.columns, given.margins, turned, given.label), "past"))


def test_the_surprise_is_the_watchers_state_after_the_payment() -> None:
    watcher = NextPayment(12).eval()
    given = rows()
    state = represent(watcher, given, "surprise")
    with torch.no_grad():
        whole = watcher.past(torch.from_numpy(given.tokens))
    assert np.allclose(state, whole[:, -1].numpy(), atol=1e-6)


def test_reading_changes_nothing_and_does_not_depend_on_how_many_are_read(network: Members) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    given = rows(4100)
    layer = Layer(network, "stage_3")
    whole = read(layer, given)
    assert np.allclose(whole[4090:4100], read(layer, given.take(np.arange(4090, 4100))), atol=1e-6)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert not any(stage._forward_hooks for member in network.members for stage in member.stages)  # type: ignore[union-attr]


WORLD = specs.load("world").text


def test_a_models_networks_are_put_together_again_and_hold_the_same(tmp_path: Path) -> None:
    card, network, watcher = taught(tmp_path, WORLD)
    found = opened(tmp_path / "model")
    assert found.network is not None
    assert found.watcher is not None
    n, history = 30, specs.load("world").history
    assert history is not None
    tokens = some_tokens(n, history.length)
    random = np.random.default_rng(2)
    given = Rows(
        random.exponential(30, (n, len(card.inputs))).astype(np.float32),
        random.normal(-3, 1, (n, len(card.stages))).astype(np.float32),
        tokens,
        np.zeros(n, dtype=np.int8),
    )
    for layer in ("past", "stage_2", "exits"):
        assert np.array_equal(represent(found.network, given, layer), represent(network, given, layer))
    assert np.array_equal(represent(found.watcher, given, "surprise"), represent(watcher, given, "surprise"))


def test_a_model_of_trees_alone_has_nothing_to_extract(tmp_path: Path) -> None:
    written(tmp_path / "model", WORLD, network=False)
    with pytest.raises(BadInput, match="trees only") as told:
        opened(tmp_path / "model")
    assert "--way" in (told.value.hint or "")


def test_weights_that_are_not_those_of_the_graph_are_refused(tmp_path: Path) -> None:
    taught(tmp_path, WORLD)
    model = load(tmp_path / "model")
    files = {name: (tmp_path / "model" / name).read_bytes() for name in model.card.files}
    weights = load_file(tmp_path / "model" / WEIGHTS)
    weights["members.0.stages.0.exit.weight"] += 1.0
    write(tmp_path / "other", model.card, files | {WEIGHTS: save(weights)})
    with pytest.raises(Damaged, match="do not say what the model's graph says"):
        opened(tmp_path / "other")


def test_a_network_of_another_shape_than_its_weights_tell_is_refused(tmp_path: Path) -> None:
    """How many payments a network reads cannot be told from its weights; read wrongly, it would say something else."""
    taught(tmp_path, WORLD, shape=LayeredSettings(wide=6, inner=12, past=10, members=1, past_last=3))
    with pytest.raises(Damaged, match="graph says"):
        opened(tmp_path / "model")
