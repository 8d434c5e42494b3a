"""The compiled kernel's alphabet: 8-byte cells by address, exact sums, half-lives.

All of the kernel's memory is 8-byte cells, read as an integer or as a float. Addresses (and not NumPy arrays) are
handed to the compiled code, so that any number of tables and rings, each growing by itself, costs one compilation and
no per-call unboxing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import float64, int64, njit, types
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])

_INT = ir.IntType(64)
_HALF = ir.IntType(32)
_FLOAT = ir.DoubleType()


def _cell(builder: Any, address: Any, word: Any, kind: Any) -> Any:
    return builder.gep(builder.inttoptr(address, kind.as_pointer()), [word])


@intrinsic
def _peek(typing: Any, address: Any, word: Any) -> Any:
    """The integer in the ``word``-th cell after ``address``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_cell(builder, args[0], args[1], _INT))

    return int64(int64, int64), emit


@intrinsic
def _poke(typing: Any, address: Any, word: Any, value: Any) -> Any:
    """Write an integer into the ``word``-th cell after ``address``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _cell(builder, args[0], args[1], _INT))
        return context.get_dummy_value()

    return types.void(int64, int64, int64), emit


@intrinsic
def _peekf(typing: Any, address: Any, word: Any) -> Any:
    """The float in the ``word``-th cell after ``address``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.load(_cell(builder, args[0], args[1], _FLOAT))

    return float64(int64, int64), emit


@intrinsic
def _pokef(typing: Any, address: Any, word: Any, value: Any) -> Any:
    """Write a float into the ``word``-th cell after ``address``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _cell(builder, args[0], args[1], _FLOAT))
        return context.get_dummy_value()

    return types.void(int64, int64, float64), emit


@intrinsic
def _peek_half(typing: Any, address: Any, half: Any) -> Any:
    """The whole number in the ``half``-th half cell after ``address``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.zext(builder.load(_cell(builder, args[0], args[1], _HALF)), _INT)

    return int64(int64, int64), emit


@intrinsic
def _poke_half(typing: Any, address: Any, half: Any, value: Any) -> Any:
    """Write a whole number below 2**32 into the ``half``-th half cell after ``address``."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(builder.trunc(args[2], _HALF), _cell(builder, args[0], args[1], _HALF))
        return context.get_dummy_value()

    return types.void(int64, int64, int64), emit


peek: Callable[[int, int], int] = _peek
poke: Callable[[int, int, int], None] = _poke
peekf: Callable[[int, int], float] = _peekf
pokef: Callable[[int, int, float], None] = _pokef
peek_half: Callable[[int, int], int] = _peek_half
poke_half: Callable[[int, int, int], None] = _poke_half


def compiled(function: Function) -> Function:
    """Compile a part of the step; it becomes machine code inside the entry that calls it, without a call."""
    return njit(function, error_model="numpy", forceinline=True)  # type: ignore[no-any-return]


@compiled
def add_exact(high: float, low: float, x: float) -> tuple[float, float]:
    """``(high, low) + x`` with 106 bits: what one plain float would round away stays in ``low``.

    For whole numbers the sum is exact up to 2**105, so squares of amounts in minor units lose nothing.
    """
    total = high + x
    back = total - high
    low += (high - (total - back)) + (x - back)
    new = total + low
    return new, low - (new - total)


@compiled
def square_exact(x: float) -> tuple[float, float]:
    """``x * x`` as an unevaluated sum of two floats (Dekker's product)."""
    split = 134217729.0 * x
    upper = split - (split - x)
    lower = x - upper
    square = x * x
    return square, ((upper * upper - square) + 2.0 * upper * lower) + lower * lower


@compiled
def product_exact(x: float, y: float) -> tuple[float, float]:
    """``x * y`` as an unevaluated sum of two floats."""
    split = 134217729.0 * x
    x1 = split - (split - x)
    x2 = x - x1
    split = 134217729.0 * y
    y1 = split - (split - y)
    y2 = y - y1
    product = x * y
    return product, ((x1 * y1 - product) + x1 * y2 + x2 * y1) + x2 * y2


@compiled
def spread(count: int, sum_high: float, sum_low: float, square_high: float, square_low: float, noise: float) -> float:
    """The sample standard deviation from exact sums; NaN below two events.

    ``(n Σx² - (Σx)²) / (n (n - 1))`` in 106 bits: exact for whole minor units. For other numbers the last bits are
    rounding; a variance up to ``noise`` is none.
    """
    if count < 2:
        return np.nan
    n = float(count)
    high, low = product_exact(square_high, n)
    high, low = add_exact(high, low, square_low * n)
    square, rest = square_exact(sum_high)
    high, low = add_exact(high, low, -square)
    high, low = add_exact(high, low, -rest)
    high, low = add_exact(high, low, -2.0 * sum_high * sum_low)
    high, low = add_exact(high, low, -sum_low * sum_low)
    variance = (high + low) / (n * (n - 1.0))
    return float(np.sqrt(variance)) if variance > noise else 0.0


@compiled
def halved(value: float, passed: int, per_microsecond: float) -> float:
    """What is left of ``value`` after ``passed`` microseconds, for a half-life of ``1 / per_microsecond``."""
    return float(value * np.exp2(-float(passed) * per_microsecond))


@compiled
def kilometres(latitude: float, longitude: float, latitude2: float, longitude2: float) -> float:
    """Great-circle distance on a sphere of 6371.0088 km (haversine)."""
    to_radians = np.pi / 180.0
    a = np.sin((latitude2 - latitude) * to_radians * 0.5)
    b = np.sin((longitude2 - longitude) * to_radians * 0.5)
    h = a * a + np.cos(latitude * to_radians) * np.cos(latitude2 * to_radians) * b * b
    return 2.0 * 6371.0088 * float(np.arcsin(np.sqrt(h if h < 1.0 else h / h)))  # NaN stays NaN
