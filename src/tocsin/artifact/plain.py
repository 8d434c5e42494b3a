"""Plain machine learning's features, opened from their saved state: pixels and gradients, cepstra, counts of words."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tocsin.errors import Damaged, TocsinError

STATE = "features.npz"


class PlainFeatures(Protocol):
    """Examples to numbers, without a network."""

    def of(self, given: Any) -> NDArray[np.float32]:
        """float32[n, f] of prepared pictures uint8[n, s, s, 3] or sounds float32[n, samples], or of a list of texts."""
        ...


def opened(kind: str, state: bytes) -> PlainFeatures:
    """The features of a kind from their state, by ``opened(state)`` of ``tocsin.features.KIND``.

    Raises
    ------
    Damaged : the state is not theirs.
    """
    read: Callable[[bytes], PlainFeatures] = import_module(f"tocsin.features.{kind}").opened
    try:
        return read(state)
    except TocsinError:
        raise
    except Exception as error:  # whatever a state that is none of theirs makes NumPy say
        raise Damaged(f"it holds no features of {kind}: {error}.", field=STATE) from error
