"""Tiny models of classes, made by hand: which colour a picture is, how loud a sound, what a text is about."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import soundfile
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from tocsin.artifact import write
from tocsin.artifact.classes import NETWORK, VOCABULARY, ClassesCard, TaughtWith
from tocsin.artifact.heads import linear_head
from tocsin.data.prepare import Preparation
from tocsin.data.text import Vocabulary

COLOURS = ("blue", "green", "red")
LOUD = ("loud", "quiet")
TOPICS = ("animals", "money")
WORDS = ("bank", "card", "cat", "dog", "horse", "loan")


def card(kind: str, **more: Any) -> ClassesCard:
    """A card of one of the tiny models."""
    classes = {"images": COLOURS, "sound": LOUD, "text": TOPICS}[kind]
    preparation = {
        "images": Preparation("images", size=8, fit="squash"),
        "sound": Preparation("sound", samples=1600),
        "text": Preparation("text", length=6),
    }[kind]
    learned = TaughtWith(
        data=f"made {kind}",
        rows=30,
        classes=dict.fromkeys(classes, 15),
        parts={"train": 20, "test": 10},
        seed=0,
        held_out="a third of each class, chosen at random with seed 0",
    )
    fields: dict[str, Any] = {
        "name": f"tiny-{kind}",
        "kind": kind,
        "classes": classes,
        "way": "scratch",
        "preparation": preparation,
        "learned": learned,
        "network": "tiny",
        "measured": {"accuracy": 0.9},
    }
    return ClassesCard(**(fields | more))


def files(kind: str) -> dict[str, bytes]:
    """The files of one of the tiny models."""
    if kind == "text":
        return {NETWORK: graph(kind), VOCABULARY: Vocabulary.of([" ".join(WORDS)], least=1).save()}
    return {NETWORK: graph(kind)}


def tiny(folder: Path, kind: str, **more: Any) -> Path:
    """A tiny model in a directory of its own."""
    write(folder, card(kind, **more), files(kind))
    return folder


def plain_head(weights: Any, bias: Any) -> bytes:
    """A linear head from lists."""
    return linear_head(np.asarray(weights, np.float32), np.asarray(bias, np.float64))


def graph(kind: str, *, features: bool = True, logits: bool = True) -> bytes:
    """``network.onnx``: the mean of each colour, the mean loudness, or how many words of each topic; then a linear head."""
    nodes, constants, given = {"images": _colour, "sound": _loudness, "text": _topic}[kind]()
    width, classes = constants[-1].dims  # the weights stand last
    nodes.append(helper.make_node("MatMul", ["features", "weights"], ["product"]))
    nodes.append(helper.make_node("Add", ["product", "bias"], ["logits"]))
    bias = {"images": [0, 0, 0], "sound": [-2, 0], "text": [0, 0]}[kind]
    constants.append(numpy_helper.from_array(np.array(bias, np.float32), "bias"))
    outputs = []
    if features:
        outputs.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, ["n", width]))
    if logits:
        outputs.append(helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", classes]))
    made = helper.make_graph(nodes, "tiny", [given], outputs, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _weights(values: Any) -> Any:
    return numpy_helper.from_array(np.asarray(values, np.float32), "weights")


def _colour() -> tuple[list[Any], list[Any], Any]:
    nodes = [
        helper.make_node("Cast", ["given"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers"], ["features"], axes=[1, 2], keepdims=0),
    ]
    # features are red, green, blue; the classes are blue, green, red
    weights = np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]]) / 30
    return nodes, [_weights(weights)], helper.make_tensor_value_info("given", TensorProto.UINT8, ["n", 8, 8, 3])


def _loudness() -> tuple[list[Any], list[Any], Any]:
    nodes = [
        helper.make_node("Abs", ["given"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["features"], axes=[1], keepdims=1),
    ]
    given = helper.make_tensor_value_info("given", TensorProto.FLOAT, ["n", 1600])
    return nodes, [_weights([[20, 0]])], given


def _topic() -> tuple[list[Any], list[Any], Any]:
    """Words are numbered from 2 in the order of the vocabulary, which is the alphabet's here."""
    one_hot = [numpy_helper.from_array(np.array(2 + len(WORDS), np.int64), "depth")]
    one_hot.append(numpy_helper.from_array(np.array([0, 1], np.float32), "values"))
    nodes = [
        helper.make_node("OneHot", ["given", "depth", "values"], ["marked"], axis=-1),
        helper.make_node("ReduceSum", ["marked", "along"], ["features"], keepdims=0),
    ]
    one_hot.append(numpy_helper.from_array(np.array([1], np.int64), "along"))
    weights = np.zeros((2 + len(WORDS), 2))
    for i, word in enumerate(WORDS):
        weights[2 + i, 0 if word in ("cat", "dog", "horse") else 1] = 2
    given = helper.make_tensor_value_info("given", TensorProto.INT64, ["n", 6])
    return nodes, [*one_hot, _weights(weights)], given


def colour(name: str, size: tuple[int, int] = (20, 12), ending: str = "PNG") -> bytes:
    """A picture all in one colour, as a file's bytes."""
    file = io.BytesIO()
    Image.new("RGB", size, name).save(file, ending)
    return file.getvalue()


def tone(
    loudness: float, *, rate: int = 16_000, channels: int = 1, subtype: str = "PCM_16", seconds: float = 0.1
) -> bytes:
    """A tone, as a WAV file's bytes."""
    wave: NDArray[np.float64] = loudness * np.sin(np.arange(int(rate * seconds)) * 2 * np.pi * 440 / rate)
    file = io.BytesIO()
    soundfile.write(file, np.repeat(wave[:, None], channels, axis=1), rate, subtype=subtype, format="WAV")
    return file.getvalue()
