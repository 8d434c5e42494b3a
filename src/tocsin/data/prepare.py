"""One preparation for training and serving: what is given → arrays of one shape, the same to the bit wherever it is run.

``Preparation`` is the recipe, small enough for a model's card; ``Preparer`` carries it out.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.data import images, sound
from tocsin.data.arrangement import KINDS
from tocsin.data.text import TOKENS, Vocabulary, WordPieces, tokens_of
from tocsin.errors import BadInput, did_you_mean

_DRAFT = 2
"""A JPEG is read at not less than so many times the size it is made: beyond that nothing is seen, only paid for."""


class Preparation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How examples are made ready; only what belongs to the kind is read.

    Parameters
    ----------
    kind : "images", "sound" or "text".
    size : pixels a side (images).
    fit : "cover" cuts off what is too long, "squash" loses the shape, "pad" puts grey beside (images).
    samples : how many of a sound are kept, its middle (sound).
    rate : samples a second (sound).
    length : words or pieces of a text that are kept, from its beginning (text).
    tokens : "words" or "wordpiece" (text).

    Raises
    ------
    BadInput : a number is not positive, or a word is not one of those.
    """

    kind: str
    size: int = 224
    fit: str = "cover"
    samples: int = sound.RATE
    rate: int = sound.RATE
    length: int = 64
    tokens: str = "words"

    def __post_init__(self) -> None:
        for name, got, known in (
            ("kind", self.kind, KINDS),
            ("fit", self.fit, images.FITS),
            ("tokens", self.tokens, TOKENS),
        ):
            if got not in known:
                raise BadInput(
                    f"must be one of {', '.join(known)}; got {got!r}.", field=name, hint=did_you_mean(got, known)
                )
        for name, number in (
            ("size", self.size),
            ("samples", self.samples),
            ("rate", self.rate),
            ("length", self.length),
        ):
            if number < 1:
                raise BadInput(f"must be a whole number above 0; got {number}.", field=name)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example made ready."""
        return {"images": (self.size, self.size, 3), "sound": (self.samples,), "text": (self.length,)}[self.kind]


class Preparer:
    """Makes examples ready.

    Parameters
    ----------
    preparation : the recipe.
    vocabulary : for texts the words or pieces, as ``Vocabulary.save`` or a tokenizer.json has them.

    Raises
    ------
    BadInput : texts without a vocabulary.

    Examples
    --------
    >>> from tocsin.data.text import Vocabulary
    >>> ready = Preparer(Preparation("text", length=4), Vocabulary.of(["ring ring"]).save())
    >>> ready.prepared(["Ring the bell"]).tolist()
    [[2, 1, 1, 0]]
    """

    def __init__(self, preparation: Preparation, vocabulary: bytes | None = None) -> None:
        self.preparation = preparation
        self.tokens: Vocabulary | WordPieces | None = None
        if preparation.kind == "text":
            if vocabulary is None:
                raise BadInput("texts are made ready by a vocabulary; got none.", field="vocabulary")
            self.tokens = tokens_of(preparation.tokens, vocabulary)

    def prepared(self, raws: Sequence[bytes | str]) -> NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.int64]:
        """uint8[n, size, size, 3], float32[n, samples] or int64[n, length] (0 = padding).

        Parameters
        ----------
        raws : the bytes of pictures or sounds, or texts.

        Raises
        ------
        BadInput : one is no picture, sound or text; ``field`` is its number, from 0.
        """
        if self.preparation.kind == "text":
            return self._texts(raws)
        made = np.zeros(
            (len(raws), *self.preparation.shape), np.uint8 if self.preparation.kind == "images" else np.float32
        )
        for i, raw in enumerate(raws):
            if not isinstance(raw, bytes | bytearray | memoryview):
                raise BadInput(f"must be bytes of a file; got {type(raw).__name__}.", field=str(i))
            try:
                made[i] = self._one(bytes(raw))
            except BadInput as error:
                raise BadInput(error.message, field=str(i), hint=error.hint) from error
        return made

    def _one(self, raw: bytes) -> NDArray[np.uint8] | NDArray[np.float32]:
        recipe = self.preparation
        if recipe.kind == "images":
            return images.fitted(images.decode(raw, least=_DRAFT * recipe.size), recipe.size, recipe.fit)
        return sound.fitted(sound.decode(raw, rate=recipe.rate), recipe.samples)

    def _texts(self, raws: Sequence[bytes | str]) -> NDArray[np.int64]:
        texts = []
        for i, raw in enumerate(raws):
            if not isinstance(raw, str):
                raise BadInput(f"must be a text; got {type(raw).__name__}.", field=str(i))
            texts.append(raw)
        assert self.tokens is not None
        return self.tokens.encode(texts, self.preparation.length)
