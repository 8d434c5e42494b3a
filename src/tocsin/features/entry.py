"""The compiled step and its machine code, kept on disk: compiled once a machine, loaded in a fraction of a second.

Numba keeps the code beside this file, or in the user's cache folder where the package cannot be written to; where
neither can be, it compiles anew in every process.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from numba import float64, int64, njit

from tocsin.features.step import run
from tocsin.features.tables import rebuild

_COMPILED = ("ahead", "cells", "chains", "history", "program", "readings", "step", "tables", "tokens")


def _sources() -> int:
    """A number that changes when any compiled file does; Numba by itself watches only the file of the entry."""
    digest = 0
    for name in _COMPILED:
        digest = zlib.crc32(Path(__file__).with_name(f"{name}.py").read_bytes(), digest)
    return digest


def _compiled(signature: object, function: Callable[..., int]) -> Callable[..., int]:
    try:
        return njit(signature, cache=True, nogil=True)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder can be written to
        return njit(signature, nogil=True)(function)  # type: ignore[no-any-return]


def _entries(sources: int) -> tuple[Callable[..., int], Callable[..., int]]:
    """The two ways in. ``sources`` is a variable of both closures, and so part of the key of their kept code."""

    def step(
        program: int,
        state: int,
        events: int,
        stride: int,
        n: int,
        keys: int,
        numbers: int,
        clock: int,
        scratch: int,
        minor: float,
        out: int,
        width: int,
    ) -> int:
        if n < 0:
            return sources
        return run(program, state, events, stride, n, keys, numbers, clock, scratch, minor, out, width)

    def refill(table: int, width: int) -> int:
        if width < 0:
            return sources
        rebuild(table, width)
        return 0

    where = int64
    return (
        _compiled(where(*[where] * 9, float64, where, where), step),
        _compiled(where(where, where), refill),
    )


@cache
def entries() -> tuple[Callable[..., int], Callable[..., int]]:
    """``step`` and ``refill`` as machine code; the first call of a process loads or compiles them, no import does."""
    return _entries(_sources())
