"""A linear machine on a layer: finds what the layer tells, is served as it was learned, and is sent back where it harms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scenes.taught import SMALL
from tocsin.features.history import GAPS, HOURS, KINDS
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.contract import Examples
from tocsin.learn.extract import Layer, read
from tocsin.learn.grown import Seedling, TreesAlone
from tocsin.learn.hybrid import rows_of
from tocsin.learn.machine import Extracted, Machine, fit_machine, learn_machine
from tocsin.measure.metrics import average_precision
from tocsin.nets import NextPayment, layered

FEW = BoostingSettings(trees=24, leaves=6, least_rows=20)
ENDS = (2, 4)
SEEDLING = Seedling(ENDS, (), FEW)


def payments(n: int, seed: int, *, blind: bool) -> Examples:
    """Frauds are told by the kinds 1, 2, 3 in the last payments; where the trees are not ``blind``, by a column too."""
    random = np.random.default_rng(seed)
    kinds = random.integers(1, 6, (n, 9))
    fraud = random.random(n) < 0.08
    kinds[fraud, -3:] = (1, 2, 3)
    tokens = kinds + KINDS * (8 + GAPS * (12 + HOURS * 9))
    matrix = random.normal(size=(n, 4))
    if not blind:
        matrix[:, 3] += 6 * fraud
    examples = Examples.of(matrix, fraud.astype(np.int8), at=np.arange(n))
    return Examples(
        examples.matrix,
        examples.label,
        examples.at,
        examples.known_at,
        None,
        examples.amount,
        tokens=tokens.astype(np.uint32),
    )


def parts(*, blind: bool) -> tuple[Examples, Examples, Examples]:
    whole = payments(4000, 1, blind=blind)
    return whole.take(slice(0, 2600)), whole.take(slice(2600, 3400)), whole.take(slice(3400, 4000))


@pytest.fixture(scope="module")
def watcher() -> Layer:
    torch.manual_seed(0)
    return Layer(NextPayment(40).eval(), "surprise")


def test_the_line_finds_what_can_be_parted_by_one_and_its_margin_is_log_odds() -> None:
    random = np.random.default_rng(0)
    state = random.normal(size=(6000, 5)) * (1, 10, 100, 1, 1) + 7
    odds = -3 + 2 * (state[:, 0] - 7) - 0.2 * (state[:, 1] - 7)
    label = (random.random(6000) < 1 / (1 + np.exp(-odds))).astype(np.int8)
    machine = fit_machine(state[:4000], label[:4000], later=(state[4000:], label[4000:], None))
    said = machine(state[4000:])
    assert np.corrcoef(said, odds[4000:])[0, 1] > 0.98
    assert (1 / (1 + np.exp(-said))).mean() == pytest.approx(label[4000:].mean(), abs=0.01)


def test_a_weight_is_so_many_rows_and_a_constant_column_says_nothing() -> None:
    random = np.random.default_rng(1)
    state = np.column_stack([random.normal(size=(600, 2)), np.full(600, 3.0)])
    label = (state[:, 0] + random.normal(size=600) > 1.5).astype(np.int8)
    weight = random.integers(0, 3, 600)
    some = np.repeat(np.arange(600), weight)
    heavy = fit_machine(state, label, weight.astype(float), costs=(0.01,))
    many = fit_machine(state[some], label[some], costs=(0.01,))
    assert np.allclose(heavy(state), many(state), atol=0.02)
    assert fit_machine(state, label, costs=(0.01,)) == fit_machine(state, label, np.ones(600), costs=(0.01,))
    assert heavy.weight[2] == 0.0


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_one_by_one_is_all_at_once(n: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    state = random.normal(size=(n, 17))
    machine = Machine(tuple(random.normal(size=17).tolist()), 0.5, 0.01)
    assert np.array_equal(machine(state), np.concatenate([machine(state[i : i + 1]) for i in range(n)]))


def test_where_trees_are_blind_a_machine_on_the_past_is_kept_and_served_as_it_was_learned(watcher: Layer) -> None:
    grown, newest, later = parts(blind=True)
    model = learn_machine(grown, newest, SEEDLING, watcher)
    assert isinstance(model, Extracted)
    assert model.verdict is not None
    assert model.verdict.passed
    said = model.margins(later)
    assert average_precision(later.label, said[:, -1]) > 0.5
    assert average_precision(later.label, model.trees.margins(later.matrix)[:, -1]) < 0.2
    rows = rows_of(later, np.zeros((len(later), 2)), np.arange(len(later)))
    assert np.allclose(said[:, -1], model.machine(read(watcher, rows)), atol=1e-4)
    odds = [c(model.trees.margins(later.matrix)[:, s]) for s, c in enumerate(model.odds)]
    assert np.allclose(said[:, 0], odds[0], atol=1e-6)


def test_learned_again_it_learns_from_the_newest_too_and_the_network_stays(watcher: Layer) -> None:
    grown, newest, later = parts(blind=True)
    before = {name: tensor.clone() for name, tensor in watcher.state_dict().items()}
    model = learn_machine(grown, newest, SEEDLING, watcher, gated=False)
    assert isinstance(model, Extracted)
    again = model.again(payments(3400, 1, blind=True), newest, later)
    assert len(again.rows) == len(model.rows) + len(newest)
    assert again.machine.cost == model.machine.cost
    assert not np.array_equal(again.margins(later), model.margins(later))
    assert average_precision(later.label, again.margins(later)[:, -1]) > 0.5
    assert all(torch.equal(tensor, before[name]) for name, tensor in watcher.state_dict().items())


def test_where_the_trees_know_better_it_is_sent_back_in_words(watcher: Layer) -> None:
    grown, newest, _ = parts(blind=False)
    model = learn_machine(grown, newest, SEEDLING, watcher)
    assert isinstance(model, TreesAlone)
    assert model.verdict is not None
    assert model.verdict.words.startswith("The trees ship without the machine on surprise")
    shown = learn_machine(grown, newest, SEEDLING, watcher, gated=False)
    assert isinstance(shown, Extracted)
    assert shown.verdict is None


def test_a_layer_of_a_layered_network_is_served_as_it_was_learned() -> None:
    torch.manual_seed(0)
    network = layered(ENDS, (), 8, SMALL).eval()
    grown, newest, later = parts(blind=False)
    network.fit_scale(torch.from_numpy(grown.matrix.astype(np.float32)))
    for name in ("stage_2", "exits"):
        layer = Layer(network, name)
        model = learn_machine(grown, newest, SEEDLING, layer, gated=False)
        assert isinstance(model, Extracted)
        odds = np.column_stack([c(model.trees.margins(later.matrix)[:, s]) for s, c in enumerate(model.odds)])
        rows = rows_of(later, odds, np.arange(len(later)))
        assert np.allclose(model.margins(later)[:, -1], model.machine(read(layer, rows)), atol=1e-3)
        assert average_precision(later.label, model.margins(later)[:, -1]) > 0.8


def test_with_too_few_frauds_the_trees_ship_and_say_so(watcher: Layer) -> None:
    grown, newest, _ = parts(blind=False)
    few = Examples.of(grown.matrix, np.where(np.arange(len(grown)) < 80, grown.label, 0).astype(np.int8), at=grown.at)
    model = learn_machine(few, newest, SEEDLING, watcher)
    assert isinstance(model, TreesAlone)
    assert "time-forward scores" in model.notes[0]
