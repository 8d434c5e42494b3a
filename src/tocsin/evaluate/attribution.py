"""Who is asked why: the network's own last map where there is one, and else the answer itself, part by part.

Both need the shipped model and no framework: a report can be made where it serves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tocsin.artifact.classes import Classifier
from tocsin.errors import BadInput
from tocsin.evaluate.gradcam import GradCam
from tocsin.evaluate.saliency import Saliency, hidden_in_picture, hidden_in_sound, left_out_of_text

_COARSEST = 4
"""Cells a side below which a network's last map shows nothing: small pictures are left two by two."""


class Explainer(Protocol):
    """Says what an answer hung on.

    Attributes
    ----------
    words : how that is found, in a sentence for the reader.
    """

    @property
    def words(self) -> str: ...

    def __call__(self, raw: bytes | str, wanted: int) -> Saliency:
        """What spoke for class ``wanted`` in one example as it was given."""
        ...


@dataclass(frozen=True, slots=True)
class Looking:
    """Grad-CAM: where the network's last map spoke for a class."""

    model: Classifier
    camera: GradCam
    words: str = (
        "Coloured is where the network's last map spoke for its answer (Grad-CAM), the yellower the more; "
        "point at a picture to see it bare."
    )

    def __call__(self, raw: bytes | str, wanted: int) -> Saliency:
        """As :class:`Explainer` says."""
        return self.camera(self.model.prepare([raw])[0], wanted)


@dataclass(frozen=True, slots=True)
class Hiding:
    """Occlusion: a part is hidden, and how far the answer moves is its share."""

    model: Classifier

    @property
    def words(self) -> str:
        """As :class:`Explainer` says."""
        return {
            "images": "Coloured is what, when it was blurred, made the model less sure of its answer; the yellower the "
            "more. Point at a picture to see it bare.",
            "sound": "Coloured is what, when it was made quiet, made the model less sure of its answer; the yellower "
            "the more. Time runs to the right, pitch upwards.",
            "text": "Marked are the words that moved the answer when they were left out: orange spoke for it, blue and "
            "dashed against.",
        }[self.model.kind]

    def __call__(self, raw: bytes | str, wanted: int) -> Saliency:
        """As :class:`Explainer` says."""
        if isinstance(raw, str):
            return left_out_of_text(self.model.predict, raw, wanted)
        example = self.model.prepare([raw])[0]
        hide = hidden_in_picture if self.model.kind == "images" else hidden_in_sound
        return hide(self.model.probabilities, example, wanted)


def explainer(model: Classifier, network: bytes | None = None) -> Explainer:
    """The explainer that fits a model: Grad-CAM for pictures and a convolutional network, occlusion for all others.

    Parameters
    ----------
    network : the model's ``network.onnx``, if it has one.
    """
    if model.kind == "images" and network is not None:
        try:
            camera = GradCam(network)
        except BadInput:  # a transformer, or a head of trees, along which nothing has a gradient
            return Hiding(model)
        if min(camera.shape) >= _COARSEST:
            return Looking(model, camera)
    return Hiding(model)
