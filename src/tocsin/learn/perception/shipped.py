"""A network as it is shipped: the scaling of what it is given in front, its features and its logits behind, one graph."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tocsin.artifact.classes import FEATURES, GIVEN, LOGITS, NETWORK
from tocsin.learn.export import export_classes
from tocsin.nets.reading import Reading, read

WITHIN = 1e-4
"""How far graph and network may differ, as a share of the largest number either output has."""
_HELD_TO = 32


class Front(nn.Module):
    """What stands before a network: pictures uint8[n, h, w, 3] become float32[n, 3, h, w], normalised; all else is as given.

    Parameters
    ----------
    mean, std : of each colour in [0, 1]; none for sounds and texts.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, ...] = (), std: tuple[float, ...] = ()) -> None:
        super().__init__()
        self.pictures = bool(mean)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1), persistent=False)

    def unit(self, given: Tensor) -> Tensor:
        """Pictures in [0, 1], colours first: where another light or another cut belongs."""
        return given.permute(0, 3, 1, 2).float() / 255.0 if self.pictures else given

    def normalised(self, unit: Tensor) -> Tensor:
        """What the network takes."""
        return (unit - self.mean) / self.std if self.pictures else unit

    def forward(self, given: Tensor) -> Tensor:
        """Both."""
        return self.normalised(self.unit(given))


class Shipped(nn.Module):
    """Front, network and head: given → features float32[n, f], logits float32[n, classes].

    Parameters
    ----------
    layer : whose word the features are; None, what the network's own head is given.
    linear : float32[f, classes] and float32[classes], what is learned on the features in place of the network's own head;
        with None the network's own head speaks.
    """

    def __init__(
        self,
        front: Front,
        network: nn.Module,
        layer: str | None = None,
        linear: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None,
    ) -> None:
        super().__init__()
        self.front, self.network, self.layer = front, network, layer
        self.reading = Reading(network, layer) if linear is None else None
        self.linear = None
        if linear is not None:
            weights, bias = linear
            self.linear = nn.Linear(*weights.shape)
            with torch.no_grad():
                self.linear.weight.copy_(torch.from_numpy(weights.T.copy()))
                self.linear.bias.copy_(torch.from_numpy(bias))

    def forward(self, given: Tensor) -> tuple[Tensor, Tensor]:
        """Features and logits."""
        x = self.front(given)
        if self.reading is not None:
            features, logits = self.reading(x)
            return features, logits
        features = read(self.network, self.layer, x)
        assert self.linear is not None
        return features, self.linear(features)


class FeaturesOnly(nn.Module):
    """Front and network as far as one layer: given → float32[n, f]; a head of trees stands beside the graph."""

    def __init__(self, front: Front, network: nn.Module, layer: str | None) -> None:
        super().__init__()
        self.front, self.network, self.layer = front, network, layer

    def forward(self, given: Tensor) -> tuple[Tensor]:
        """Features."""
        return (read(self.network, self.layer, self.front(given)),)


@torch.no_grad()
def said(module: nn.Module, given: NDArray[Any], at_once: int = 32) -> list[NDArray[np.float32]]:
    """What a module says of prepared examples, in evaluation mode: one array an output."""
    module.eval()
    parts = [module(torch.from_numpy(np.array(given[i : i + at_once]))) for i in range(0, len(given), at_once)]
    return [torch.cat([part[output] for part in parts]).numpy() for output in range(len(parts[0]))]


def graph_of(module: Shipped | FeaturesOnly, given: NDArray[Any]) -> bytes:
    """``network.onnx``: held to the network on real examples.

    Raises
    ------
    Damaged : a weight is not a number, or the graph says something else than the network.
    """
    some = np.array(given[:: max(1, len(given) // _HELD_TO)][:_HELD_TO])
    outputs = said(module, some)
    names = (FEATURES, LOGITS)[: len(outputs)]
    within = WITHIN * max(1.0, *(float(np.abs(out).max(initial=0.0)) for out in outputs))
    widths = {name: out.shape[1] for name, out in zip(names, outputs, strict=True)}
    return export_classes(module, NETWORK, {GIVEN: torch.from_numpy(some)}, widths, within=within)
