"""What is shipped: a directory with a card, a spec, trees, calibration and policy, each file with its fingerprint.

It reads, checks, scores and explains with NumPy, compiled walks, LightGBM's library and ONNX Runtime; it never reads a
pickle. It does not know how anything was learned, and keeps no payment."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tocsin.artifact.card import Card
    from tocsin.artifact.folder import write
    from tocsin.artifact.model import Artifact, Scored, load

__all__ = ["Artifact", "Card", "Scored", "load", "write"]

# Each is imported when it is asked for: who tells pictures apart needs no payments, and none of what they are read with.
_IN = {"Artifact": "model", "Card": "card", "Scored": "model", "load": "model", "write": "folder"}


def __getattr__(name: str) -> Any:
    if name not in _IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_IN[name]}"), name)
    return found
