"""Arrays out of a pickle, and nothing else out of it: no code of the file is ever run.

Python's ``pickle`` calls whatever a file names. Some published weights are to be had as pickled NumPy arrays only; here the
file's opcodes are walked (``pickletools`` lists them without running them), and only those are obeyed that build dictionaries,
lists, texts, numbers and arrays of floating-point numbers. Anything else is refused.
"""

from __future__ import annotations

import pickletools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import Damaged

_PUSHED = {"BINUNICODE", "SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "BININT", "BININT1", "BININT2"}
_CONSTANTS: dict[str, Any] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_IGNORED = {"PROTO", "FRAME", "STOP"}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_NAMES = {
    "numpy.core.multiarray _reconstruct": "array",
    "numpy._core.multiarray _reconstruct": "array",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
}
_KINDS = ("f2", "f4", "f8")
_MARK = object()


class _Array:
    """An array that is being put together; ``_Kind`` is its type."""

    values: NDArray[np.generic]


class _Kind:
    def __init__(self, name: str) -> None:
        self.name, self.order = name, "<"


def arrays(content: bytes) -> Any:
    """What a pickle of dictionaries and lists of arrays holds.

    Raises
    ------
    Damaged : it is no whole pickle, or there is something else in it; nothing of it has been run.
    """
    reader = _Reader()
    try:
        for opcode, argument, _ in pickletools.genops(content):
            reader.obey(opcode.name, argument)
        return _plain(reader.stack.pop())
    except (ValueError, IndexError, KeyError, TypeError, AttributeError) as error:
        raise Damaged(
            f"pickled weights must hold arrays and nothing else; this file does not: {error}.",
            hint="It has not been run. Fetch it again.",
        ) from None


class _Reader:
    """A stack and a memory, as in pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memory: dict[int, Any] = {}

    def obey(self, name: str, argument: Any) -> None:
        """One opcode."""
        if name in _IGNORED:
            return
        if name in _PUSHED:
            self.stack.append(argument)
        elif name in _CONSTANTS:
            self.stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            self._tuple(_TUPLES[name])
        elif name == "TUPLE":
            self.stack.append(tuple(self._to_mark()))
        elif name == "MARK":
            self.stack.append(_MARK)
        elif name in ("EMPTY_DICT", "EMPTY_LIST"):
            self.stack.append({} if name == "EMPTY_DICT" else [])
        elif name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self.memory[len(self.memory) if argument is None else argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memory[argument])
        else:
            self._build(name, argument)

    def _build(self, name: str, argument: Any) -> None:
        if name in ("APPENDS", "SETITEMS"):
            items = self._to_mark()
            if name == "APPENDS":
                self.stack[-1].extend(items)
            else:
                self.stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name in ("APPEND", "SETITEM"):
            value = self.stack.pop()
            if name == "APPEND":
                self.stack[-1].append(value)
            else:
                key = self.stack.pop()
                self.stack[-1][key] = value
        elif name == "GLOBAL" and argument in _NAMES:
            self.stack.append((_MARK, _NAMES[argument]))
        elif name == "STACK_GLOBAL":
            what, module = self.stack.pop(), self.stack.pop()
            self.stack.append((_MARK, _NAMES[f"{module} {what}"]))
        elif name == "REDUCE":
            self._reduce()
        elif name == "BUILD":
            self._finish(self.stack.pop())
        else:
            raise ValueError(f"it says {name} {argument if isinstance(argument, str) else ''}".strip())

    def _reduce(self) -> None:
        given, (mark, what) = self.stack.pop(), self.stack.pop()
        if mark is not _MARK or what not in ("array", "dtype"):
            raise ValueError("it calls something")
        if what == "dtype" and given[0] not in _KINDS:
            raise ValueError(f"arrays of {given[0]} are in it")
        self.stack.append(_Array() if what == "array" else _Kind(given[0]))

    def _finish(self, state: Any) -> None:
        """An array gets its shape and bytes, a type its order of bytes."""
        what = self.stack[-1]
        if isinstance(what, _Kind):
            what.order = {"<": "<", ">": ">"}[state[1]]
        elif isinstance(what, _Array):
            _, shape, kind, by_columns, content = state
            flat = np.frombuffer(content, dtype=np.dtype(kind.order + kind.name))
            what.values = flat.reshape(shape, order="F" if by_columns else "C")
        else:
            raise ValueError("it builds something that is no array")

    def _tuple(self, count: int) -> None:
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        self.stack.append(tuple(items))

    def _to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (item := self.stack.pop()) is not _MARK:
            items.append(item)
        return items[::-1]


def _plain(value: Any) -> Any:
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, str | bytes | int | float | None):
        return value
    raise ValueError("there is something in it that is no array")
