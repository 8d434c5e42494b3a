"""What is exported says what was trained, whatever the number of rows, and nothing else is shipped."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from tocsin.artifact.graph import Graph
from tocsin.errors import Damaged
from tocsin.learn.export import TOLERANCE, export_network, export_surprise
from tocsin.nets.layered import Layered, LayeredSettings, layered
from tocsin.nets.surprise import NextPayment

WINDOW = 12


def windows(n: int, seed: int = 0) -> Tensor:
    """Windows of payments, some of accounts that are new."""
    draw = torch.Generator().manual_seed(seed)
    kind, gap = torch.randint(1, 4096, (n, WINDOW), generator=draw), torch.randint(1, 32, (n, WINDOW), generator=draw)
    hour, amount = torch.randint(0, 24, (n, WINDOW), generator=draw), torch.randint(1, 32, (n, WINDOW), generator=draw)
    tokens = kind + 4096 * (gap + 32 * (hour + 32 * amount))
    return torch.where(torch.rand(n, 1, generator=draw) < torch.arange(WINDOW) / 4, tokens, torch.zeros_like(tokens))


def rows(n: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of six columns, two of them codes, with holes; margins of three stages; windows."""
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn(n, 6, generator=draw) * torch.tensor([1.0, 1e6, 1.0, 1.0, 1e-3, 1.0])
    values[:, [2, 5]] = torch.randint(0, 1022, (n, 2), generator=draw).float()
    values[torch.rand(n, 6, generator=draw) < 0.2] = torch.nan
    return values, torch.randn(n, 3, generator=draw) * 4, windows(n, seed)


def trained(history: int = WINDOW - 1, **settings: object) -> Layered:
    """A network whose every weight counts, as after training."""
    torch.manual_seed(0)
    network = Layered((2, 4, 6), (2, 5), history, LayeredSettings(wide=16, inner=16, **settings))  # type: ignore[arg-type]
    network.fit_scale(rows(500)[0])
    with torch.no_grad():
        for stage in network.stages:
            nn.init.normal_(stage.exit.weight)  # type: ignore[union-attr, arg-type]
            stage.trust.fill_(0.9)  # type: ignore[union-attr, operator]
    return network


@pytest.mark.parametrize("settings", [{}, {"past": 0}, {"waves": 0}, {"from_stage": 1}, {"trees": False}])
def test_the_graph_says_what_the_network_says_on_rows_it_was_not_traced_with(settings: dict[str, object]) -> None:
    network = trained(**settings)
    content = export_network(network, *rows(300))
    assert network.training, "as it was before"
    network.eval()
    fresh = rows(2000, 7)
    reads = {"rows": ("float32", 6), "margins": ("float32", 3), "history": ("int64", WINDOW)}
    graph = Graph(content, "network.onnx", reads, {"exits": 3})
    with torch.no_grad():
        wanted = network(*fresh).numpy()
    given = dict(zip(reads, (part.numpy() for part in fresh), strict=True))
    made = graph("exits", **given)
    assert made.dtype == np.float32
    assert np.abs(made - wanted).max() < TOLERANCE
    assert np.abs(wanted[:, -1] - given["margins"][:, -1]).max() > 0.5
    alone = [graph("exits", **{name: part[i : i + 1] for name, part in given.items()}) for i in range(50)]
    assert np.array_equal(np.concatenate(alone), made[:50]), "a row alone is the row among others, to the bit"


def test_members_are_shipped_as_one_network_of_half_the_steps_at_most() -> None:
    torch.manual_seed(0)
    network = layered((2, 4, 6), (2, 5), WINDOW - 1)
    network.fit_scale(rows(500)[0])
    with torch.no_grad():
        for member in network.members:
            for stage in member.stages:  # type: ignore[union-attr]
                nn.init.normal_(stage.exit.weight)
    shipped = export_network(network, *rows(300))
    apart = export_network(Apart(network), *rows(300))
    steps = [len(onnx.load_from_string(content).graph.node) for content in (shipped, apart)]
    assert steps[0] * 2 < steps[1]
    reads = {"rows": ("float32", 6), "margins": ("float32", 3), "history": ("int64", WINDOW)}
    given = dict(zip(reads, (part.numpy() for part in rows(500, 3)), strict=True))
    one, other = (Graph(content, "x", reads, {"exits": 3})("exits", **given) for content in (shipped, apart))
    assert np.abs(one - other).max() < TOLERANCE
    assert np.abs(one - given["margins"]).max() > 0.5


class Apart(nn.Module):
    """The members side by side, as they are trained."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, values: Tensor, margins: Tensor, history: Tensor) -> Tensor:
        """As a network with exits."""
        out: Tensor = self.network(values, margins, history)
        return out


def test_untrained_it_is_what_it_was_given_to_the_bit() -> None:
    network = Layered((2, 4, 6), (2, 5), WINDOW - 1)
    given = rows(400)
    reads = {"rows": ("float32", 6), "margins": ("float32", 3), "history": ("int64", WINDOW)}
    graph = Graph(export_network(network, *given), "network.onnx", reads, {"exits": 3})
    exits = graph("exits", **dict(zip(reads, (part.numpy() for part in given), strict=True)))
    assert np.array_equal(exits, given[1].numpy())


def test_the_surprise_says_what_the_watcher_says_and_its_parts_add_up_to_it() -> None:
    torch.manual_seed(0)
    watcher = NextPayment(wide=16)
    watcher.fit_kinds(windows(500).flatten())
    content = export_surprise(watcher, windows(300))
    watcher.eval()
    fresh = windows(1000, 3)
    graph = Graph(content, "surprise.onnx", {"history": ("int64", WINDOW)}, {"surprise": 3, "parts": 4})
    with torch.no_grad():
        wanted = watcher(fresh).numpy()
    surprise, parts = graph("surprise", history=fresh.numpy()), graph("parts", history=fresh.numpy())
    assert np.abs(surprise - wanted).max() < TOLERANCE
    known = (fresh[:, -1] // 4096 % 32 > 0).numpy()
    assert np.abs(parts.sum(axis=1) - surprise[:, 0])[known].max() < 1e-4
    assert known.mean() > 0.9


def test_equal_weights_give_equal_bytes_that_tell_nothing_of_the_machine() -> None:
    one, two = (export_network(trained(), *rows(100)) for _ in range(2))
    assert one == two
    assert export_network(trained(), *rows(150, 5)) == one, "the rows it is held to leave no trace"
    for trace in (b"site-packages", b"/", b"pytorch", b".py"):
        texts = [f for node in onnx.load_from_string(one).graph.node for f in (node.doc_string.encode(),)]
        assert not any(trace in text for text in texts)
    assert b".py" not in one
    assert onnx.load_from_string(one).producer_name == "tocsin"


def test_a_weight_that_is_not_a_number_is_named() -> None:
    network = trained()
    with torch.no_grad():
        network.stages[1].block.step[0].bias[3] = torch.inf  # type: ignore[union-attr, index]
    with pytest.raises(Damaged, match=r"stages\.1\.block\.step\.0\.bias"):
        export_network(network, *rows(50))


class _Counts(nn.Module):
    """Forgets that there may be another number of rows."""

    def forward(self, values: Tensor, margins: Tensor, history: Tensor) -> Tensor:
        """As a network with exits."""
        return margins + len(values) * 1e-3


class _Dices(nn.Module):
    """Says something else each time it is asked."""

    def forward(self, values: Tensor, margins: Tensor, history: Tensor) -> Tensor:
        """As a network with exits."""
        return margins + torch.rand_like(margins) * 1e-3


@pytest.mark.parametrize("broken", [_Counts, _Dices])
def test_a_graph_that_says_something_else_than_the_network_is_not_shipped(broken: type[nn.Module]) -> None:
    with pytest.raises(Damaged, match=r"network\.onnx must say what the trained network says within 1e-05"):
        export_network(broken(), *rows(50))
