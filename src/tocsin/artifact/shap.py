"""Each feature's share of a margin by TreeSHAP, asked of LightGBM's C library.

Through the C library, because importing the Python package imports scikit-learn, pandas and SciPy when they are there,
and a serving machine carries none of that. 2-3 ms a row for 300 trees: for alerts, after the answer.
"""

from __future__ import annotations

import ctypes
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import Damaged, NotReady

_FLOAT64, _CONTRIBUTIONS = 1, 3  # C_API_DTYPE_FLOAT64, C_API_PREDICT_CONTRIB
_library: ctypes.CDLL | None = None


class Explainer:
    """LightGBM's own reading of an ensemble.

    Parameters
    ----------
    text : the ensemble as LightGBM wrote it.
    width : how many columns a row has.

    Raises
    ------
    Damaged : LightGBM refuses the text.
    NotReady : LightGBM's library is not installed.
    """

    def __init__(self, text: str, width: int) -> None:
        self.width = width
        self._lib = _load()
        self._handle = ctypes.c_void_p()
        rounds = ctypes.c_int()
        self._check(
            self._lib.LGBM_BoosterLoadModelFromString(text.encode(), ctypes.byref(rounds), ctypes.byref(self._handle))
        )

    def __del__(self) -> None:
        handle = getattr(self, "_handle", None)
        if handle:
            self._lib.LGBM_BoosterFree(handle)

    def shares(self, matrix: NDArray[np.float64], begin: int, end: int) -> NDArray[np.float64]:
        """What each column adds to the sum of trees ``begin`` to ``end`` − 1, and in the last column what is usual.

        Parameters
        ----------
        matrix : float64[n, width].

        Returns
        -------
        float64[n, width + 1]; each row adds up to the margin of these trees.
        """
        rows = np.ascontiguousarray(matrix, dtype=np.float64)
        out = np.zeros((len(rows), self.width + 1))
        if begin == end or not len(rows):
            return out
        length = ctypes.c_int64()
        self._check(
            self._lib.LGBM_BoosterPredictForMat(
                self._handle,
                rows.ctypes.data_as(ctypes.c_void_p),
                ctypes.c_int(_FLOAT64),
                ctypes.c_int32(rows.shape[0]),
                ctypes.c_int32(rows.shape[1]),
                ctypes.c_int(1),
                ctypes.c_int(_CONTRIBUTIONS),
                ctypes.c_int(begin),
                ctypes.c_int(end - begin),
                b"num_threads=1 verbosity=-1",
                ctypes.byref(length),
                out.ctypes.data_as(ctypes.POINTER(ctypes.c_double)),
            )
        )
        return out

    def _check(self, code: int) -> None:
        if code:
            raise Damaged(f"LightGBM refuses the trees: {self._lib.LGBM_GetLastError().decode()}.", field="trees.txt")


def _load() -> ctypes.CDLL:
    """The C library that lies inside the installed package, found without importing it."""
    global _library
    if _library is None:
        found = find_spec("lightgbm")
        places = list(found.submodule_search_locations or []) if found else []
        files = [f for place in places for f in sorted(Path(place).rglob("*lib_lightgbm.*")) if f.suffix in _SUFFIXES]
        if not files:
            raise NotReady("explaining needs LightGBM's library; none is installed.", hint="pip install lightgbm")
        _library = ctypes.CDLL(str(files[0]))
        _library.LGBM_GetLastError.restype = ctypes.c_char_p
    return _library


_SUFFIXES = {".so", ".dylib", ".dll"}
