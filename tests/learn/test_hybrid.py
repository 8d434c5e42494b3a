"""Trees and network learned together: kept only if it does no harm, written and read back alike, nothing known later used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tocsin import spec as specs
from tocsin.artifact import load, write
from tocsin.artifact.network import SURPRISES
from tocsin.data import make_world, read
from tocsin.data.world import WorldSettings, write_world
from tocsin.features import compile_plan
from tocsin.learn import hybrid
from tocsin.learn.boosting import BoostingSettings
from tocsin.learn.contract import Examples
from tocsin.learn.gathering import features
from tocsin.learn.grown import Seedling, TreesAlone
from tocsin.learn.hybrid import Hybrid, Teaching, learn_hybrid
from tocsin.learn.task import LoopSettings
from tocsin.learn.transactions import Recipe, learn, windows_of
from tocsin.measure.gate import Verdict
from tocsin.nets import LayeredSettings, layered

FEW = BoostingSettings(trees=30, leaves=8, least_rows=20)
QUICK = LoopSettings(epochs=3, planned=3, batch=128, rate=1e-2, patience=3)
SMALL = LayeredSettings(wide=8, inner=16, past=8, members=2)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("world")
    write_world(make_world(WorldSettings(transactions=12_000, seed=3, months=4, fraud_rate=0.04)), folder)
    spec = specs.load("world")
    plan = compile_plan(spec)
    return features(read(folder / "world.parquet", spec), plan)[0], spec, plan


@pytest.fixture(scope="module")
def parts(past: Any) -> tuple[Examples, Examples, Examples, Seedling]:
    examples, _, plan = past
    windows = windows_of(examples, Recipe())
    width = len(plan.names)
    tokens = examples.matrix[:, width:].astype(np.uint32)
    columns = replace(examples, matrix=np.ascontiguousarray(examples.matrix[:, :width]), tokens=tokens)
    newest = columns.as_known_at(windows.made).take(windows.newest[: int((columns.at < windows.made).sum())])
    quiet = columns.take((columns.at >= windows.quiet) & (columns.at < windows.made))
    return columns.as_known_at(windows.begins), newest, quiet, Seedling(plan.ends, plan.categorical, FEW)


def kept(monkeypatch: pytest.MonkeyPatch, *, passed: bool = True, correction: float = 0.7) -> None:
    """The verdict and the belief as they are wanted, so that what follows from them is looked at whatever was learned."""
    taught = hybrid.teach
    monkeypatch.setattr(hybrid, "teach", lambda *a, **k: replace(taught(*a, **k), correction=correction))
    monkeypatch.setattr(hybrid, "gate", lambda origins: Verdict(passed, (), "as the test wants it"))


def test_margins_are_those_of_serving_and_the_trees_lie_under_them(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(monkeypatch)
    grown, newest, _, seedling = parts
    model = learn_hybrid(grown, newest, seedling, Teaching(shape=SMALL, loop=QUICK))
    assert isinstance(model, Hybrid)
    margins, again = model.margins(newest), model.margins(newest.take(slice(0, 40)))
    assert np.allclose(margins[:40], again, atol=1e-5)
    odds = np.column_stack([c(m) for c, m in zip(model.odds, model.trees.margins(newest.matrix).T, strict=True)])
    assert not np.allclose(margins[:, -1], odds[:, -1])
    unbelieved = replace(model, scorer=type(model.scorer)(model.graph, _unbelieved(model.card), newest.matrix.shape[1]))
    assert np.allclose(unbelieved.margins(newest), odds, atol=1e-9)


def _unbelieved(card: Any) -> Any:
    import msgspec

    return msgspec.structs.replace(card, correction=0.0)


@pytest.mark.parametrize(("passed", "correction"), [(False, 0.7), (True, 0.0)])
def test_a_network_that_harms_or_says_nothing_is_sent_back_and_the_trees_ship(
    parts: Any, monkeypatch: pytest.MonkeyPatch, passed: bool, correction: float
) -> None:
    kept(monkeypatch, passed=passed, correction=correction)
    grown, newest, _, seedling = parts
    model = learn_hybrid(grown, newest, seedling, Teaching(shape=SMALL, loop=QUICK))
    assert isinstance(model, TreesAlone)
    assert model.verdict is not None or "helped" in model.notes[-1]
    plain = seedling.grow(grown, newest)
    assert np.array_equal(model.margins(newest), plain.margins(newest.matrix))


def test_the_gate_draws_accounts_and_not_payments(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(monkeypatch)
    asked: list[Any] = []
    monkeypatch.setattr(
        hybrid, "gate", lambda origins: asked.extend(origins) or Verdict(True, (), "as the test wants it")
    )
    grown, newest, _, seedling = parts
    learn_hybrid(grown, newest, seedling, Teaching(shape=SMALL, loop=QUICK))
    assert newest.account is not None
    mine = newest.account[-len(asked[0].fraud) :]
    assert np.array_equal(asked[0].entity, mine)
    assert len(mine) > 2 * len(np.unique(mine))


def test_with_hardly_any_frauds_no_network_is_taught(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    grown, newest, _, seedling = parts
    monkeypatch.setattr(hybrid, "LEAST_FRAUDS", 10_000)
    model = learn_hybrid(grown, newest, seedling, Teaching(shape=SMALL, loop=QUICK))
    assert isinstance(model, TreesAlone)
    assert "10000" in model.notes[0]


def test_begun_with_another_network_fewer_frauds_will_do(parts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(monkeypatch)
    grown, newest, _, seedling = parts
    monkeypatch.setattr(hybrid, "LEAST_FRAUDS", 10_000)
    first = layered(seedling.ends, seedling.categorical, grown.tokens.shape[1] - 1, SMALL).state_dict()
    model = learn_hybrid(grown, newest, seedling, Teaching(shape=SMALL, loop=QUICK, begin=first))
    assert isinstance(model, Hybrid)


def test_learned_again_it_expects_as_many_frauds_on_payments_neither_has_seen(
    parts: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(monkeypatch)
    grown, newest, quiet, seedling = parts
    model = learn_hybrid(grown, newest, seedling, Teaching(shape=SMALL, loop=QUICK))
    later = Examples.of(
        np.concatenate([grown.matrix, newest.matrix]),
        np.concatenate([grown.label, newest.label]),
        at=np.concatenate([grown.at, newest.at]),
    )
    second = model.again(later, newest, quiet)
    expected = [
        1 / (1 + np.exp(-odds(trees.trees.margins(quiet.matrix)[:, -1])))
        for trees, odds in ((model, model.odds[-1]), (second, second.odds[-1]))
    ]
    assert expected[0].mean() == pytest.approx(expected[1].mean(), rel=1e-6)
    assert second.taught.correction == model.taught.correction
    assert second.graph != model.graph
    assert len(second.rows) == len(model.rows) + len(newest)


def test_the_whole_way_writes_a_model_that_reads_back_and_scores_alike(
    past: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept(monkeypatch)
    examples, spec, plan = past
    told: list[str] = []
    recipe = Recipe(way="network", boosting=FEW, loop=QUICK, folder=tmp_path / "training")
    learned = learn(examples, spec, plan, recipe, told=lambda what, share: told.append(what))
    card = write(tmp_path / "model", learned.card, learned.files)
    model = load(tmp_path / "model")
    assert card.way == "network"
    assert model.inputs == (*plan.names, *SURPRISES)
    scored = model.score(examples.matrix[:500])
    assert np.array_equal(
        np.cumsum(np.column_stack([np.full(500, scored.base), scored.delta]), axis=1)[:, -1], scored.logit
    )
    assert learned.quality is not None
    assert learned.quality.exits[-1].average_precision > 0.2
    assert {"surprise.onnx", "network.onnx", "surprise.safetensors", "network.safetensors"} <= set(learned.files)
    assert any("what comes next" in what for what in told)
    assert (tmp_path / "training" / "network").is_dir()


def test_what_became_known_later_changes_nothing(past: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every label told after the model was made is turned round, and every held-out row made absurd: the same model."""
    kept(monkeypatch)
    examples, spec, plan = past
    recipe = Recipe(way="network", boosting=FEW, loop=QUICK)
    made = windows_of(examples, recipe).made
    matrix, label = examples.matrix.copy(), examples.label.copy()
    matrix[examples.at >= made, 0] += 1e6
    later = (examples.known_at > made) & (label >= 0)
    label[later] = 1 - label[later]
    one = learn(examples, spec, plan, recipe)
    two = learn(replace(examples, matrix=matrix, label=label), spec, plan, recipe)
    assert one.files == two.files
    assert one.card.network == two.card.network
    assert one.card.policy == two.card.policy
