"""What torchvision 0.28.0 says: names of the weights, and logits for weights and a picture that are made by rule.

Run in a process of its own, in which a folder with torchvision stands first on the path: as installed beside PyTorch's build
for the CPU it cannot be imported without two empty modules and one operator, which have no place in ours.

    python tests/nets/torchvision_said.py FOLDER        # prints one line of JSON
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
import types

import torch
from torch import Tensor, nn

NAMES = {
    "alexnet": "alexnet",
    "googlenet": "googlenet",
    **{f"resnet{depth}": f"resnet{depth}" for depth in (18, 34, 50, 101, 152)},
    "squeezenet1_1": "squeezenet1_1",
    "mobilenet_v2": "mobilenet_v2",
}
"""Our name -> torchvision's."""
SIZE = 64


@torch.no_grad()
def filled(network: nn.Module) -> nn.Module:
    """Weights by rule, neither random nor zero, such that numbers keep their size from layer to layer."""
    for place, (name, values) in enumerate(network.state_dict().items()):
        if not values.is_floating_point():
            continue
        wave = torch.sin(torch.arange(values.numel(), dtype=torch.float64) * 1.7 + place).reshape(values.shape)
        if values.dim() > 1:
            wave = wave * math.sqrt(2.0 / (values.numel() / len(values)))
        elif name.endswith("running_var"):
            wave = 1.0 + 0.5 * wave.abs()
        elif name.endswith("weight"):
            wave = 0.8 + 0.1 * wave
        else:
            wave = 0.1 * wave
        values.copy_(wave)
    return network.eval()


def picture(size: int = SIZE) -> Tensor:
    """float32[2, 3, size, size]."""
    return torch.sin(torch.arange(2 * 3 * size * size, dtype=torch.float64) * 0.37).reshape(2, 3, size, size).float()


def names_of(network: nn.Module) -> str:
    """A fingerprint of the names and shapes of all weights, in their order."""
    told = [(name, tuple(values.shape)) for name, values in network.state_dict().items()]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


def said(network: nn.Module) -> dict[str, object]:
    """What is compared."""
    count = sum(values.numel() for values in network.parameters())
    names = names_of(network)
    with torch.no_grad():
        logits = filled(network)(picture())
    return {
        "parameters": count,
        "names": names,
        "logits": [round(value, 6) for value in logits[:, :400:100].flatten().tolist()],
    }


def main() -> None:
    """Import torchvision from the folder and print what its networks say."""
    torch.set_num_threads(1)
    sys.path.insert(0, sys.argv[1])
    for module in ("_meta_registrations", "_autograd_registrations"):
        sys.modules[f"torchvision.{module}"] = types.ModuleType(f"torchvision.{module}")
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from torchvision import models

    told = {}
    for ours, theirs in NAMES.items():
        more = {"aux_logits": False, "init_weights": False} if theirs == "googlenet" else {}
        told[ours] = said(getattr(models, theirs)(**more))
    print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()
