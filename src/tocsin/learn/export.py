"""Trained networks → what is shipped: ONNX graphs that serve without PyTorch, weights to learn on from.

PyTorch's older exporter, by tracing: on the surprise its newer one was off by a hundred times as much (3.5e-4 nats) and took
38 times as long (measured with 2.13). Whatever made it, a graph is shipped only if it says on
real rows what the network says, in batches of several sizes.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tocsin.artifact.anomaly import ANOMALY
from tocsin.artifact.graph import Graph
from tocsin.artifact.network import NETWORK, PARTS, SURPRISE, SURPRISES
from tocsin.errors import Damaged
from tocsin.nets import Members
from tocsin.nets.fused import Fused
from tocsin.nets.surprise import RUNS, NextPayment

TOLERANCE = 1e-5
"""How far exported and trained may differ: log-odds for a network, nats for a surprise."""
_OPSET = 17
_SIZES = (1, 2, 7)
"""Rows a call, besides all: a graph that took the size it was traced with for granted is found out."""


def export_network(
    network: nn.Module, rows: Tensor, margins: Tensor, history: Tensor, *, within: float = TOLERANCE
) -> bytes:
    """``network.onnx`` of a network with exits.

    Parameters
    ----------
    network : takes rows float32[n, d], margins float32[n, stages] and history int64[n, e], gives float32[n, stages].
    rows, margins, history : real rows to hold the graph to; a thousand or more.
    within : how far they may differ, where what is small inside is made large on purpose.

    Raises
    ------
    Damaged : a weight is not a number, or the graph says something else than the network.
    """
    names = ("rows", "margins", "history")
    shipped = Fused(network) if isinstance(network, Members) else None
    given: Mapping[str, Tensor] = dict(zip(names, (rows.float(), margins.float(), history.long()), strict=True))
    return _exported(network, NETWORK, given, {"exits": margins.shape[1]}, within, shipped)


def export_surprise(watcher: NextPayment, history: Tensor) -> bytes:
    """``surprise.onnx``: the three surprises, and of this payment the nats of each part, for whoever asks why.

    Parameters
    ----------
    history : int64[n, e], real windows.

    Raises
    ------
    Damaged : as :func:`export_network`.
    """
    return _exported(
        _Told(watcher), SURPRISE, {"history": history.long()}, {"surprise": len(SURPRISES), "parts": len(PARTS)}
    )


def export_anomaly(network: nn.Module, rows: Tensor) -> bytes:
    """``anomaly.onnx`` of a network that takes rows float32[n, d] and gives scores float32[n, 1].

    Raises
    ------
    Damaged : as :func:`export_network`.
    """
    return _exported(network, ANOMALY, {"rows": rows.float()}, {"scores": 1})


def export_classes(
    module: nn.Module, name: str, given: Mapping[str, Tensor], outputs: Mapping[str, int], *, within: float
) -> bytes:
    """A network of pictures, sounds or texts.

    Parameters
    ----------
    given : real examples to hold the graph to, under the names of its inputs.
    outputs : name -> columns, in the order in which the module gives them.

    Raises
    ------
    Damaged : as :func:`export_network`.
    """
    return _exported(module, name, given, outputs, within)


class _Told(nn.Module):
    """The watcher with its second output."""

    def __init__(self, watcher: NextPayment) -> None:
        super().__init__()
        self.watcher = watcher

    def forward(self, history: Tensor) -> tuple[Tensor, Tensor]:
        """int64[n, e] → float32[n, 3] and float32[n, 4]."""
        return self.watcher(history), self.watcher.parts(history, newest=max(RUNS))[0][:, -1]


def _exported(
    module: nn.Module,
    name: str,
    given: Mapping[str, Tensor],
    outputs: Mapping[str, int],
    within: float = TOLERANCE,
    shipped: nn.Module | None = None,
) -> bytes:
    for weight, values in module.state_dict().items():
        if values.is_floating_point() and not torch.isfinite(values).all():
            raise Damaged(f"a weight of {name} must be a number; {weight} has some that are not.", field=name)
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        content = _plain(_traced((shipped or module).eval(), given, tuple(outputs)))
        _hold_to(module, content, name, given, outputs, within)
    finally:
        for part in training:
            part.training = True
    return content


def _traced(module: nn.Module, given: Mapping[str, Tensor], outputs: Sequence[str]) -> bytes:
    few = tuple(values[:3] for values in given.values())
    file: Any = io.BytesIO()
    with warnings.catch_warnings():
        # That the older exporter is the older one, that PyTorch's own recurrent layers compare sizes, that batches vary:
        # all of it is meant, and what a trace wrongly takes for a constant is found where the graph is held to the network.
        warnings.simplefilter("ignore")
        with torch.no_grad():
            torch.onnx.export(
                module,
                few,
                file,
                dynamo=False,
                opset_version=_OPSET,
                input_names=list(given),
                output_names=list(outputs),
                dynamic_axes={name: {0: "rows"} for name in (*given, *outputs)},
            )
    return bytes(file.getvalue())


def _plain(content: bytes) -> bytes:
    """The graph without what tells of the machine it was made on: equal weights give equal bytes."""
    model = onnx.load_from_string(content)
    model.doc_string, model.producer_name, model.producer_version = "", "tocsin", ""
    del model.metadata_props[:]
    graph = model.graph
    graph.doc_string, graph.name = "", "tocsin"
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, *graph.value_info):
        part.doc_string = ""
    for node in graph.node:
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString(deterministic=True))


def _hold_to(
    module: nn.Module,
    content: bytes,
    name: str,
    given: Mapping[str, Tensor],
    outputs: Mapping[str, int],
    within: float,
) -> None:
    """Refuse a graph that says something else than the network."""
    kinds = {key: (str(values.dtype).removeprefix("torch."), tuple(values.shape[1:])) for key, values in given.items()}
    graph = Graph(content, name, kinds, outputs)
    arrays = {key: values.numpy() for key, values in given.items()}
    with torch.no_grad():
        said = module(*given.values())
    wanted = dict(zip(outputs, said if isinstance(said, tuple) else (said,), strict=True))
    for output in outputs:
        for size in (*_SIZES, len(next(iter(arrays.values())))):
            part = {key: np.ascontiguousarray(values[:size]) for key, values in arrays.items()}
            _compare(graph(output, **part), wanted[output][:size].numpy(), name, size, within)


def _compare(
    made: NDArray[np.float32], wanted: NDArray[np.float32], name: str, rows: int, within: float = TOLERANCE
) -> None:
    apart = float(np.abs(made - wanted).max(initial=0.0)) if made.shape == wanted.shape else np.inf
    if not apart <= within:
        raise Damaged(
            f"the exported {name} must say what the trained network says within {within}; on {rows} rows it differs "
            f"by {apart:.3g}.",
            field=name,
            hint="Is the number of rows written into the network somewhere (len(rows) instead of rows.shape[0])?",
        )
