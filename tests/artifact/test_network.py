"""The network stands on the trees: with nothing learned or nothing believed the score is theirs, and it is always finite."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from onnx import load_from_string, numpy_helper

from scenes.layered import USUAL, network_graph, surprise_graph
from tocsin.artifact import Artifact, load, write
from tocsin.artifact.card import NetworkCard, SurpriseCard
from tocsin.artifact.model import made_of
from tocsin.artifact.network import (
    LARGEST,
    NETWORK,
    SURPRISE,
    NetworkScorer,
    SurpriseScorer,
    network_rows,
    tokens_of,
)
from tocsin.errors import BadInput, Damaged
from tocsin.measure.calibration import Calibration


def files_of(made: Any) -> dict[str, bytes]:
    return {name: (made.folder / name).read_bytes() for name in made.model.card.files}


def other(made: Any, graph: bytes | None = None, **network: Any) -> Artifact:
    """The same model with another network, or told otherwise about it."""
    card = msgspec.structs.replace(made.model.card, network=msgspec.structs.replace(made.model.card.network, **network))
    files = files_of(made) | ({NETWORK: graph} if graph else {})
    return made_of(card, files, made.model.spec, made.model.plan)


def trees_alone(made: Any) -> np.ndarray:
    """float64[n, stages]: the trees' margins through the curves the network starts from, without any network."""
    model = made.model
    columns = model.columns(made.matrix)
    ends = [stage.trees for stage in model.card.stages]
    margins = model._trees.margins(columns, ends)
    return np.column_stack([curve(margins[:, s]) for s, curve in enumerate(model.card.network.trees)])


def untrained(made: Any) -> bytes:
    """A graph whose exits are the margins, as of a network that has learned nothing."""
    return network_graph((3, 6, len(made.model.inputs)), made.model.plan.history, rows=0.0)


def test_untrained_or_not_believed_it_is_the_trees_to_the_bit(with_network: Any) -> None:
    wanted = trees_alone(with_network)
    assert np.array_equal(other(with_network, untrained(with_network)).margins(with_network.matrix), wanted)
    assert np.array_equal(other(with_network, correction=0.0).margins(with_network.matrix), wanted)
    assert np.abs(with_network.model.margins(with_network.matrix) - wanted).max() > 0.2


def test_as_much_of_the_correction_is_taken_as_the_card_says(with_network: Any) -> None:
    trees = trees_alone(with_network)
    whole = other(with_network, correction=1.0).margins(with_network.matrix) - trees
    some = other(with_network, correction=0.3).margins(with_network.matrix) - trees
    np.testing.assert_allclose(some, 0.3 * whole, atol=1e-12)


def test_what_the_network_is_given_and_says_is_what_the_score_is_made_of(with_network: Any) -> None:
    model, matrix = with_network.model, with_network.matrix[:200]
    columns = model.columns(matrix)
    own = len(model.plan.names)
    assert np.array_equal(columns[:, :own], matrix[:, :own], equal_nan=True)
    tokens = matrix[:, own:].astype(np.int64)
    parts = np.stack([tokens // below % size for below, size in ((4096, 32), (4096 * 32, 32), (1, 4096))])
    nats = 4 * parts[:, :, -1] / np.array([31, 31, 63])[:, None]
    amount = 4 * (tokens[:, -1] // (4096 * 32 * 32)) / 31
    there = parts[0, :, -1] > 0
    np.testing.assert_allclose(columns[:, own], np.where(there, nats.sum(axis=0) + amount, 0), rtol=1e-6)
    exits = trees_alone(with_network)[:200] + (np.nan_to_num(columns / (1 + np.abs(columns))) @ _weights(with_network))
    exits[:, -1] += (parts[0] / 31) @ np.linspace(0, 1, 10) + (parts[2] / 63) @ np.linspace(-1, 1, 10)
    wanted = trees_alone(with_network)[:200]
    wanted = wanted + 0.8 * (exits - wanted)
    np.testing.assert_allclose(model.margins(matrix), wanted, atol=1e-5)


def _weights(made: Any) -> np.ndarray:
    constants = load_from_string((made.folder / NETWORK).read_bytes()).graph.initializer
    return next(a for a in map(numpy_helper.to_array, constants) if a.shape == (len(made.model.inputs), 3)).astype(
        float
    )


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_a_stage_of_which_nothing_is_known_is_scored(with_network: Any, stage: int) -> None:
    model = with_network.model
    begin, end = (0, *model.plan.ends)[stage], model.plan.ends[stage]
    blind = with_network.matrix.copy()
    blind[:, begin:end] = np.nan
    scored = model.score(blind)
    assert np.isfinite(scored.delta).all()
    assert not np.array_equal(scored.logit, model.score(with_network.matrix).logit)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, -1e300, 0.5, -1.0, 2.0**27])
def test_whatever_stands_in_a_row_the_score_is_finite(with_network: Any, value: float) -> None:
    rows = np.full((3, with_network.model.plan.width), value)
    scored = with_network.model.score(rows)
    assert np.isfinite(scored.logit).all()
    assert ((scored.value >= 0) & (scored.value <= 1)).all()
    assert len(with_network.model.reasons(rows)) == 3


def test_tokens_are_read_as_whole_numbers_and_what_is_none_is_no_payment() -> None:
    rows = np.array([[9.0, 2.0**27 - 1, 0.0, np.nan, -1.0, 2.0**27, np.inf]])
    assert tokens_of(rows, 1).tolist() == [[2**27 - 1, 0, 0, 0, 0, 0]]


def test_rows_keep_what_is_missing_and_lose_what_no_network_can_square() -> None:
    rows = network_rows(np.array([[1.5, np.nan, np.inf, -1e300]]))
    assert rows.dtype == np.float32
    assert rows[0, 0] == 1.5
    assert np.isnan(rows[0, 1])
    assert rows[0, 2:].tolist() == [np.float32(LARGEST), -np.float32(LARGEST)]


def test_a_batch_larger_than_a_piece_is_its_pieces(with_network: Any) -> None:
    matrix = np.concatenate([with_network.matrix, with_network.matrix])[:700]
    whole = with_network.model.score(matrix)
    assert np.array_equal(whole.logit[:5], with_network.model.score(matrix[:5]).logit)
    assert np.array_equal(whole.logit[690:], with_network.model.score(matrix[690:]).logit)


def test_rows_without_the_past_are_refused(with_network: Any) -> None:
    with pytest.raises(BadInput, match="columns of the model's plan"):
        with_network.model.score(with_network.matrix[:, : len(with_network.model.plan.names)])


def test_a_card_that_does_not_fit_its_graphs_is_refused_by_the_files_name(with_network: Any) -> None:
    card, model = with_network.model.card, with_network.model
    curves = card.network.trees
    replace = msgspec.structs.replace
    for changed, word in (
        ({"network": replace(card.network, history=5)}, r"network\.onnx: its input history"),
        ({"network": replace(card.network, trees=curves[:2])}, r"network\.onnx: its input margins"),
        ({"network": None}, "a network with as many stages"),
        ({"way": "trees"}, "a network with as many stages"),
        ({"surprise": replace(card.surprise, history=20)}, r"surprise\.onnx: its input history"),
        ({"surprise": None}, "names columns"),
        ({"inputs": (*model.plan.names, "surprise", "surprise_8", "surprise_3")}, "names columns"),
    ):
        with pytest.raises(Damaged, match=word):
            made_of(replace(card, **changed), files_of(with_network), model.spec, model.plan)


def test_graphs_for_another_length_of_the_past_are_refused(with_network: Any) -> None:
    card, model = with_network.model.card, with_network.model
    shorter = msgspec.structs.replace(card, surprise=SurpriseCard(history=4, usual=USUAL))
    with pytest.raises(Damaged, match=r"surprise\.onnx: it reads 4 payments of the past; the spec keeps 9"):
        made_of(shorter, files_of(with_network) | {SURPRISE: surprise_graph(4)}, model.spec, model.plan)


def test_a_weight_that_is_not_a_number_is_found_wherever_it_stands(with_network: Any) -> None:
    card = with_network.model.card
    graph = load_from_string((with_network.folder / NETWORK).read_bytes())
    spoilt = 0
    for place, constant in enumerate(graph.graph.initializer):
        values = numpy_helper.to_array(constant).copy()
        if values.dtype != np.float32 or values.size < 2:
            continue
        values[tuple(n - 1 for n in values.shape)] = np.nan
        changed = load_from_string(graph.SerializeToString())
        changed.graph.initializer[place].CopyFrom(numpy_helper.from_array(values, constant.name))
        with pytest.raises(Damaged, match=r"network\.onnx: it must give 3 finite numbers"):
            NetworkScorer(changed.SerializeToString(), card.network, len(card.inputs))
        spoilt += 1
    assert spoilt >= 3


def test_a_damaged_graph_is_refused_by_name_or_scores_finitely(with_network: Any, tmp_path: Any) -> None:
    """Its fingerprint made to fit, as by somebody who writes cards: whatever bytes there are, nothing but ``Damaged``."""
    random, model = np.random.default_rng(0), with_network.model
    refused = 0
    for name in (NETWORK, SURPRISE):
        content = (with_network.folder / name).read_bytes()
        cuts = [content[: int(n)] for n in random.integers(0, len(content), 15)]
        flips = []
        for _ in range(60):
            changed = bytearray(content)
            for place in random.integers(0, len(content), int(random.integers(1, 8))):
                changed[place] = int(random.integers(0, 256))
            flips.append(bytes(changed))
        for n, damaged in enumerate([b"", b"not a graph", *cuts, *flips]):
            try:
                read = made_of(model.card, files_of(with_network) | {name: damaged}, model.spec, model.plan)
                scored = read.score(with_network.matrix[:40])
            except Damaged as error:
                told = str(error)
                refused += 1
            else:
                told = name
                assert np.isfinite(scored.logit).all(), n
            assert name in told
    assert refused > 30


def test_a_graph_that_knows_other_inputs_or_outputs_is_refused(with_network: Any) -> None:
    card = with_network.model.card
    with pytest.raises(Damaged, match=r"network\.onnx: its input history"):
        NetworkScorer(surprise_graph(9), NetworkCard(trees=(Calibration(),), correction=1.0, history=20), 5)
    with pytest.raises(Damaged, match=r"surprise\.onnx"):
        SurpriseScorer((with_network.folder / NETWORK).read_bytes(), card.surprise)


def test_written_and_read_it_scores_alike_and_weights_to_learn_on_from_are_not_opened(
    with_network: Any, tmp_path: Any
) -> None:
    files = files_of(with_network) | {"network.safetensors": b"not read by whoever serves"}
    card = write(tmp_path / "model", with_network.model.card, files)
    again = load(tmp_path / "model")
    assert np.array_equal(again.score(with_network.matrix).logit, with_network.model.score(with_network.matrix).logit)
    assert set(card.files) == set(files)
    (tmp_path / "model" / "network.safetensors").write_bytes(b"x")
    with pytest.raises(Damaged, match=r"network\.safetensors"):
        load(tmp_path / "model")
