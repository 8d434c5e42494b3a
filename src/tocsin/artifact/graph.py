"""One exported network, opened: ONNX Runtime, one thread, and its inputs and outputs held to what the card says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import Damaged

_KINDS = {"float32": "tensor(float)", "int64": "tensor(int64)", "uint8": "tensor(uint8)"}


class Graph:
    """What a file of ONNX computes, safe to run from several threads.

    Rows are computed one like the other: a row alone gives the same bits as among others (tested).

    Parameters
    ----------
    content : the file's bytes; never a path, so that a graph cannot name other files.
    name : the file's name, for errors.
    inputs : name -> (``float32``, ``int64`` or ``uint8``, columns, or the sizes of all axes after the first). A graph
        may leave some of them unread.
    outputs : name -> columns.
    threads : how many compute one call; a service that answers many at once wants one.

    Raises
    ------
    Damaged : it cannot be read, or does not take and give what it must.
    """

    def __init__(
        self,
        content: bytes,
        name: str,
        inputs: Mapping[str, tuple[str, int | tuple[int, ...]]],
        outputs: Mapping[str, int],
        *,
        threads: int = 1,
    ) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 4  # what goes wrong is told by an error of ours
        self._name = name
        try:
            self._session: Any = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"], enable_fallback=False
            )
            takes, gives = self._session.get_inputs(), self._session.get_outputs()
            shown = {given.name: (given.type, list(given.shape or ())) for given in (*takes, *gives)}
        except Exception as error:  # ONNX Runtime has a class of its own for each way to fail
            raise Damaged(f"ONNX Runtime cannot read it: {_first_line(error)}.", field=name) from error
        self.reads = tuple(given.name for given in takes)
        self.gives = tuple(given.name for given in gives)
        for given in self.reads:
            kind, width = inputs.get(given, ("", 0))
            sizes = width if isinstance(width, tuple) else (width,)
            self._hold(f"input {given}", *shown[given], _KINDS.get(kind, ""), sizes)
        for output, width in outputs.items():
            if output not in self.gives:
                raise Damaged(f"must give {output}; it gives {', '.join(self.gives)}.", field=name)
            self._hold(f"output {output}", *shown[output], "tensor(float)", (width,))

    def __call__(self, output: str, **inputs: NDArray[Any]) -> NDArray[np.float32]:
        """One output for rows: float32[n, columns].

        Raises
        ------
        Damaged : ONNX Runtime fails on it, as on a graph whose parts do not fit one another.
        """
        try:
            (out,) = self._session.run([output], {name: inputs[name] for name in self.reads})
        except Exception as error:
            raise Damaged(f"it cannot be run: {_first_line(error)}.", field=self._name) from error
        made: NDArray[np.float32] = out
        return made

    def width_of(self, output: str) -> int | None:
        """How many columns an output has, where the graph says so."""
        found = next(given.shape for given in self._session.get_outputs() if given.name == output)
        return found[1] if len(found or ()) == 2 and isinstance(found[1], int) else None

    def _hold(self, what: str, found: str, shape: list[object], kind: str, sizes: tuple[int, ...]) -> None:
        fits = (
            len(shape) == 1 + len(sizes)
            and not isinstance(shape[0], int)
            and all(size == wanted for size, wanted in zip(shape[1:], sizes, strict=True) if isinstance(size, int))
        )
        if found != kind or not fits:  # a size the graph leaves open is shown by its first run
            raise Damaged(
                f"its {what} must be {kind or 'one the card knows'} of any number of rows and "
                f"{' × '.join(map(str, sizes))} columns; it is {found} {shape}.",
                field=self._name,
            )


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:300].rstrip(".") if str(error).strip() else type(error).__name__
