"""What a network's part was owed to is asked of the network itself; told in words that a stage's sum still bears out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scenes.layered import USUAL, network_graph, surprise_graph
from tocsin.artifact.card import NetworkCard, SurpriseCard
from tocsin.artifact.network import NetworkScorer, SurpriseScorer
from tocsin.artifact.past import network_note, packed, surprise_notes
from tocsin.features.history import unpack
from tocsin.measure.calibration import Calibration

K = 9


def window(**parts: list[int] | int) -> np.ndarray:
    """int64[K + 1], an account of long standing, each part as given or middling."""
    usual = {"kind": 20, "gap": 16, "hour": 12, "amount": 12}
    kind, gap, hour, amount = (np.resize(parts.get(name, value), K + 1) for name, value in usual.items())
    return np.asarray(kind + 4096 * (gap + 32 * (hour + 32 * amount)), dtype=np.int64)


def scorer(rows: float = 0.0, **past: np.ndarray) -> NetworkScorer:
    card = NetworkCard(trees=(Calibration(),) * 2, correction=1.0, history=K)
    return NetworkScorer(network_graph((2, 4), K, rows=rows, **past), card, 4)


def note(network: NetworkScorer, tokens: np.ndarray, columns: np.ndarray | None = None) -> str:
    return network_note(network, np.zeros(4) if columns is None else columns, np.zeros(2), tokens)


EVERY = np.ones(K + 1)
RISING = np.linspace(-1, 1, K + 1)


@pytest.mark.parametrize(
    ("past", "tokens", "told"),
    [
        ({"gap": EVERY}, window(), "past"),
        ({"gap": EVERY}, window(gap=[10, 10, 10, 10, 10, 31, 31, 31, 31, 31]), "rhythm"),
        ({"kind": RISING}, window(kind=[1, 1, 1, 5, 5, 5, 60, 60, 60, 60]), "order"),
        ({"kind": EVERY}, window(kind=[9, 9, 9, 9, 50, 60, 55, 60, 58, 1]), "kinds"),
        ({"hour": EVERY}, window(hour=[23, 23, 23, 23, 23, 23, 23, 23, 23, 2]), "hours"),
        ({"amount": EVERY}, window(amount=[1, 1, 1, 1, 1, 31, 31, 31, 31, 1]), "amounts"),
        (
            {"kind": 0.5 * RISING, "gap": 0.5 * EVERY},
            window(kind=[1, 1, 1, 5, 5, 5, 60, 60, 60, 60], gap=[10, 10, 10, 10, 10, 12, 31, 31, 31, 31]),
            "order and rhythm",
        ),
    ],
    ids=["past", "rhythm", "order", "kinds", "hours", "amounts", "both"],
)
def test_it_names_what_falls_away_without_it(past: dict[str, np.ndarray], tokens: np.ndarray, told: str) -> None:
    assert note(scorer(**past), tokens) == told


def test_what_the_columns_did_is_not_put_down_to_the_past() -> None:
    columns = np.array([0.0, 0.0, 50.0, 50.0])
    loud = scorer(rows=9.0, gap=EVERY * 1e-3)
    loud_rows = loud(columns[None], np.zeros((1, 2)), window()[None])
    assert loud_rows[0, 1] - loud_rows[0, 0] > 1
    assert note(loud, window(), columns) == "together"


def test_an_account_that_is_new_has_no_past_to_tell_of() -> None:
    first = np.zeros(K + 1, dtype=np.int64)
    first[-1] = window(gap=0)[-1]
    assert note(scorer(kind=RISING, gap=EVERY), first) == "together"
    assert note(scorer(kind=RISING, gap=EVERY), np.zeros(K + 1, dtype=np.int64)) == "together"


def test_packed_is_what_unpack_takes_apart() -> None:
    tokens = np.random.default_rng(0).integers(0, 2**27, (50, K + 1))
    assert np.array_equal(packed(unpack(tokens)), tokens)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"gap": 31, "hour": 0, "kind": 1, "amount": 0}, "gap"),
        ({"gap": 1, "hour": 23, "kind": 1, "amount": 20}, "hour"),
        ({"gap": 9, "hour": 0, "kind": 63, "amount": 20}, "kind"),
        ({"gap": 1, "hour": 2, "kind": 1, "amount": 31}, "amount"),
    ],
)
def test_a_surprise_names_the_part_that_surprised_most(parts: dict[str, int], told: str) -> None:
    watcher = SurpriseScorer(surprise_graph(K), SurpriseCard(history=K, usual=USUAL))
    tokens = window(**{name: [value] for name, value in parts.items()})[None]
    loud, quiet = np.array([[9.0, 8.5, 1.0]]), np.array([[1.0, 8.5, 1.0]])
    assert surprise_notes(watcher, loud, tokens) == [{"surprise": told, "surprise_3": "unlike", "surprise_8": "usual"}]
    assert surprise_notes(watcher, quiet, tokens)[0]["surprise"] == "usual"


def odd(made: Any) -> np.ndarray:
    """A row that is ordinary but for what came before: in the order and at the pace the hand-made network minds."""
    names = made.model.plan.names
    values = dict.fromkeys(names, 1.0) | {"amount": 20.0, "hour": 14.0, "device": 5.0, "country": 3.0}
    values |= {"age_device_by_account": 9e6, "since_password_change_by_account": 9e6}
    values |= {"novelty_device_by_account": 0.0, "novelty_country_by_account": 0.0}
    tokens = window(kind=[1, 1, 1, 5, 5, 5, 60, 60, 60, 60], gap=[10, 10, 10, 10, 12, 12, 31, 31, 31, 31])
    return np.concatenate([[values[name] for name in names], tokens])[None].astype(float)


def test_the_networks_part_is_a_line_of_its_own_in_the_stage_it_was_in(with_network: Any) -> None:
    model, matrix = with_network.model, odd(with_network)
    (reasons,) = model.reasons(matrix, top=8)
    mine = [r for r in reasons if r.feature.startswith("network")]
    assert mine
    _, share = model.shares(matrix)
    assert model.lines == (*model.inputs, "network")
    for reason in mine:
        stage = model.stage_names.index(reason.stage)
        assert reason.delta == share[0, stage, -1] > 0
        assert reason.value is None
    assert [r.text for r in mine if r.stage == model.stage_names[-1]] == ["The order and rhythm of the last payments"]
    assert "the order and rhythm of the last payments" in model.why(reasons).lower()


def test_the_networks_lines_add_up_to_what_it_changed(with_network: Any) -> None:
    """Of a model whose stages are not bent again, the network's lines are the card's share of its differences."""
    model, matrix = with_network.model, with_network.matrix[:100]
    _, share = model.shares(matrix)
    columns, tokens = model._read(matrix)
    margins = model._walk(columns)
    added = model._network(columns, margins, tokens) - model._network.start(margins)[0]
    lines = share[:, :, -1].cumsum(axis=1)
    flat = np.abs(added) > 0.05
    slope = lines[flat] / added[flat]
    assert ((slope > 0.8) & (slope < 1.15)).all(), "the stage's own curve, between its two slopes, and nothing else"


def test_surprise_is_told_as_what_it_was(with_network: Any) -> None:
    model = with_network.model
    matrix = odd(with_network)
    share = np.zeros((3, len(model.lines)))
    share[2, model.inputs.index("surprise")] = 1.0
    (told,) = reasons_with(model, matrix, share)
    assert (told.feature, told.text) == ("surprise.gap", "A pause unlike this account's rhythm")
    share[2, model.inputs.index("surprise_3")] = 2.0
    (told,) = reasons_with(model, matrix, share)
    assert told.text == "The last 3 payments unlike this account's rhythm"
    assert model.why((told,)) == told.text


def reasons_with(model: Any, matrix: np.ndarray, share: np.ndarray) -> Any:
    from tocsin.artifact.reasons import reasons_of

    columns, tokens = model._read(matrix)
    (notes,) = model._notes(columns, tokens, model._walk(columns))
    return reasons_of(model.spec, model.plan, model.lines, model.stage_names, columns[0], share, 3, notes)
