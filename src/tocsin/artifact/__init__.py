"""What is shipped: a directory with a card, a spec, trees, calibration and policy, each file with its fingerprint.

It reads, checks, scores and explains with NumPy, compiled walks, LightGBM's library and ONNX Runtime; it never reads a
pickle. It does not know how anything was learned, and keeps no payment."""

from tocsin.artifact.card import Card
from tocsin.artifact.folder import write
from tocsin.artifact.model import Artifact, Scored, load

__all__ = ["Artifact", "Card", "Scored", "load", "write"]
