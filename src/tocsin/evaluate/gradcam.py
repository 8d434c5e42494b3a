"""Grad-CAM without a framework for gradients: where a convolutional network looked, asked of the graph that is shipped.

Selvaraju et al. [1]_ weigh each channel of the last convolutional map by the mean gradient of the class's score. That
mean is what the score gains when the whole channel is raised a little, so it is measured: the graph is cut behind
its last map, and its end is run with each channel raised and lowered. For a network that pools and then sums, as most do,
this is exact. Where earlier layers are read beside the last, what they say is held as it was for the example. Here the score is the class's log-odds against the others, not its logit alone: what is added to all logits
alike changes no answer.

References
----------
.. [1] Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, Grad-CAM: Visual Explanations from Deep Networks via
   Gradient-based Localization, ICCV 2017.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import BadInput, Damaged
from tocsin.evaluate.saliency import Floats, Saliency

_AT_ONCE = 64
_LOOKED_AT = 8
"""Of so many values at the end the last that is a map is taken; behind it a network pools and flattens."""
_STEP = 0.01
"""How far a channel is raised and lowered, in standard deviations of the map: straight for networks that only sum after it."""


class GradCam:
    """Where a network looked, for the network of one model.

    Parameters
    ----------
    graph : ``network.onnx``; its input takes one prepared example a row, its output ``output`` the logits.

    Attributes
    ----------
    shape : rows and columns of the map.

    Raises
    ------
    BadInput : the network has no convolution whose map is left at its end, such as a plain machine or a transformer.
    Damaged : the file cannot be read.
    """

    def __init__(self, graph: bytes, *, output: str = "logits") -> None:
        import onnx

        try:
            model = onnx.shape_inference.infer_shapes(onnx.load_model_from_string(graph))
        except Exception as error:
            raise Damaged(f"onnx cannot read it: {error}.", field="network.onnx") from error
        if output not in [given.name for given in model.graph.output]:
            raise BadInput(f"Grad-CAM needs a network that gives {output}; this one gives none.", field="network.onnx")
        self._given, self._output = model.graph.input[0].name, output
        self._map, self.shape = _last_map(model, output)
        self._beside = _beside(model, self._map, output)
        cut = onnx.utils.Extractor(model)
        self._begin = _session(cut.extract_model([self._given], [self._map, *self._beside]))
        self._end = _session(cut.extract_model([self._map, *self._beside], [output]))

    def __call__(self, example: NDArray[Any], wanted: int) -> Saliency:
        """The map of one example, as fine as the network's last: float64[rows, columns], none below 0.

        Parameters
        ----------
        example : prepared, without the axis of rows. wanted : the class asked about.
        """
        found, *beside = self._begin.run([self._map, *self._beside], {self._given: example[None]})
        channels: NDArray[np.float32] = found[0]
        weight = self._weights(channels, dict(zip(self._beside, beside, strict=True)), wanted)
        return Saliency(np.clip(np.tensordot(weight, channels.astype(np.float64), axes=1), 0, None))

    def _weights(self, channels: NDArray[np.float32], beside: dict[str, NDArray[np.float32]], wanted: int) -> Floats:
        """float64[c]: the mean gradient of the class's log-odds in each channel."""
        step = np.float32(_STEP * float(channels.std()) or 1.0)
        gained = np.empty(len(channels))
        for first in range(0, len(channels), _AT_ONCE):
            some = np.arange(first, min(first + _AT_ONCE, len(channels)))
            moved = np.repeat(channels[None], 2 * len(some), axis=0)
            moved[np.arange(len(some)), some] += step
            moved[len(some) + np.arange(len(some)), some] -= step
            held = {name: np.repeat(value, len(moved), axis=0) for name, value in beside.items()}
            (logits,) = self._end.run([self._output], {self._map: moved} | held)
            odds = _odds(logits.astype(np.float64), wanted)
            gained[some] = odds[: len(some)] - odds[len(some) :]
        out: Floats = gained / (2 * float(step) * channels[0].size)
        return out


def _odds(logits: Floats, wanted: int) -> Floats:
    """float64[n]: the log-odds of one class against all others."""
    others = np.delete(logits, wanted, axis=1)
    top = others.max(axis=1, keepdims=True)
    out: Floats = logits[:, wanted] - top[:, 0] - np.log(np.exp(others - top).sum(axis=1))
    return out


def _last_map(model: Any, output: str) -> tuple[str, tuple[int, int]]:
    """The last value behind a convolution, on the way to the output, that still has rows and columns; and how many."""
    candidates = _behind_convolutions(model, output)[-_LOOKED_AT:]
    for name, (rows, columns) in reversed(list(zip(candidates, _sizes(model, candidates), strict=True))):
        if min(rows, columns) > 1:
            return name, (rows, columns)
    raise BadInput(
        "Grad-CAM needs a convolutional network whose last map still has rows and columns; this has none.",
        field="network.onnx",
    )


def _behind_convolutions(model: Any, output: str) -> list[str]:
    """Values with four axes that are made behind a convolution and that the output is made of, in the order they are made."""
    axes = {v.name: len(v.type.tensor_type.shape.dim) for v in model.graph.value_info}
    makers = {name: node for node in model.graph.node for name in node.output}
    wanted, seen = [output], set[str]()
    while wanted:
        name = wanted.pop()
        if name in makers and name not in seen:
            seen.add(name)
            wanted.extend(makers[name].input)
    found, convolved = list[str](), False
    for node in model.graph.node:  # in an order in which each comes after what it reads
        if node.op_type == "Constant" or not seen.intersection(node.output):
            continue
        convolved = convolved or node.op_type in ("Conv", "FusedConv")
        found.extend(name for name in node.output if convolved and axes.get(name) == 4)
    return found


def _beside(model: Any, name: str, output: str) -> list[str]:
    """What the output is made of beside one value: the last values that are made of the input and not of that one.

    Raises
    ------
    BadInput : one of them is no number of an example, such as how many examples there are.
    """
    import onnx

    given, behind = {model.graph.input[0].name}, {name}
    for node in model.graph.node:  # in an order in which each comes after what it reads
        for values in (given, behind):
            if values.intersection(node.input):
                values.update(node.output)
    makers = {made: node for node in model.graph.node for made in node.output}
    wanted, found = [output], dict[str, None]()
    while wanted:
        value = wanted.pop()
        if value in behind and value != name:
            wanted.extend(makers[value].input)
        elif value in given and value != name:
            found[value] = None
    kinds = {value.name: value.type.tensor_type for value in [*model.graph.value_info, *model.graph.input]}
    for value in found:
        kind = kinds.get(value)
        if kind is None or kind.elem_type != onnx.TensorProto.FLOAT or not len(kind.shape.dim):
            raise BadInput(f"Grad-CAM needs numbers of an example beside the last map; {value} is something else.")
    return list(found)


def _sizes(model: Any, names: list[str]) -> list[tuple[int, int]]:
    """Rows and columns of these values. The graph is asked: where it computes its own padding, they are not written in it."""
    import onnx

    if not names:
        return []
    given = model.graph.input[0]
    shape = [dim.dim_value or 1 for dim in given.type.tensor_type.shape.dim]
    kind = onnx.helper.tensor_dtype_to_np_dtype(given.type.tensor_type.elem_type)
    probe = onnx.utils.Extractor(model).extract_model([given.name], names)
    found = _session(probe).run(names, {given.name: np.zeros(shape, dtype=kind)})
    return [(value.shape[2], value.shape[3]) for value in found]


def _session(model: Any) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
