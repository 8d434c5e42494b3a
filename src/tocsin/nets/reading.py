"""Any layer of any network, read by its name: the seam between a network and what is learned on it.

Names are those of the modules (``layer3``, ``layer3.0.conv1``). What a layer says is pooled to one row of numbers: the mean
over places of a picture or over time, over the words that are there of a text, or as it is when it is flat.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

END = "end"
"""What the head is given, in a list of layers."""


class _Read(Exception):
    """What was asked for has been read; the rest need not be computed."""


def layers(network: nn.Module) -> tuple[str, ...]:
    """The layers worth reading, from the input on; any other module may be named, too.

    Networks of ours say them in ``readable``; of another, they are its children.
    """
    said = getattr(network, "readable", None)
    return tuple(said) if said is not None else tuple(name for name, _ in network.named_children())


def pooled(said: Float[Tensor, "n ..."], given: Num[Tensor, "n ..."]) -> Float[Tensor, "n f"]:
    """One row of numbers for each example.

    Shape
    -----
    [n, c, h, w] → the mean over places, [n, c]; [n, c, t] → over time; [n, length, d] where ``given`` is a text int64[n,
    length] → over the words that are there; [n, f] as it is.
    """
    if said.dim() == 2:
        return said
    if not given.is_floating_point() and said.dim() == 3 and said.shape[1] == given.shape[1]:
        there = (given != 0).to(said.dtype).unsqueeze(-1)
        return (said * there).sum(1) / there.sum(1).clamp(min=1.0)
    return said.flatten(2).mean(2)


def read(network: nn.Module, layer: str | None, given: Num[Tensor, "n ..."]) -> Float[Tensor, "n f"]:
    """What one layer says of each example, pooled; the layers behind it are not computed.

    Parameters
    ----------
    layer : the name of a module, or several joined by ``+``, whose numbers then stand side by side; None, or among several
        ``END``, is what the head (``network.head_name``) is given.

    Raises
    ------
    KeyError : there is no such layer.
    ValueError : the layer is there and was not asked, or does not give one tensor.
    """
    names = [None if layer is None or name == END else name for name in (layer or END).split("+")]
    heard: dict[str | None, Tensor] = {}

    def hear(name: str | None, said: Any) -> None:
        heard[name] = _tensor(said, name)
        if len(heard) == len(set(names)):
            raise _Read

    hooks = [_listen(network, name, partial(hear, name)) for name in dict.fromkeys(names)]
    try:
        network(given)
    except _Read:
        return torch.cat([pooled(heard[name], given) for name in names], dim=1)
    finally:
        for hook in hooks:
            hook.remove()
    silent = ", ".join(name or END for name in names if name not in heard)
    raise ValueError(f"the layer must be asked when the network is; {silent} was not.")


class Reading(nn.Module):
    """A network that also says what one of its layers said: what is exported.

    Parameters
    ----------
    layer : the name of one module; None is what the head is given.

    Shape
    -----
    As the network is given → features float32[n, f], logits float32[n, classes].

    Raises
    ------
    KeyError : there is no such layer.
    """

    def __init__(self, network: nn.Module, layer: str | None = None) -> None:
        super().__init__()
        self.network, self.layer = network, layer
        _module(network, layer)

    def forward(self, given: Num[Tensor, "n ..."]) -> tuple[Float[Tensor, "n f"], Float[Tensor, "n classes"]]:
        """Features and logits."""
        heard: list[Tensor] = []
        hook = _listen(self.network, self.layer, lambda said: heard.append(_tensor(said, self.layer)))
        try:
            logits = self.network(given)
        finally:
            hook.remove()
        return pooled(heard[-1], given), logits


def _module(network: nn.Module, layer: str | None) -> nn.Module:
    name = str(network.head_name) if layer is None else layer
    try:
        return network.get_submodule(name)
    except AttributeError as error:
        raise KeyError(f"there is no layer {name}; layers worth reading are: {', '.join(layers(network))}.") from error


def _listen(network: nn.Module, layer: str | None, hear: Any) -> torch.utils.hooks.RemovableHandle:
    module = _module(network, layer)
    if layer is None:  # what the head is given, not what it says
        return module.register_forward_pre_hook(lambda _module, given: hear(given[0]))
    return module.register_forward_hook(lambda _module, _given, said: hear(said))


def _tensor(said: Any, layer: str | None) -> Tensor:
    if not isinstance(said, Tensor):
        raise ValueError(f"a layer that is read gives one tensor; {layer} gives a {type(said).__name__}.")
    return said
