"""A model of classes as it is shipped: pictures, sounds or texts in, a probability for each class out.

A directory like a payment model's: ``model.json`` (the card, sealed in the same way) and the files it names:

- ``network.onnx``: input ``given``, uint8[n, s, s, 3], float32[n, samples] or int64[n, length] as
  :class:`tocsin.data.prepare.Preparer` makes them, normalisation inside; outputs ``features`` float32[n, f] and, where the
  head is linear, ``logits`` float32[n, classes].
- ``trees.txt``: a head of boosted trees over ``features``.
- ``features.npz`` and ``head.npz`` (or ``trees.txt``): the way ``plain``, which has no network; of texts, beside a network,
  what the words alone say, whose logits are added.
- ``vocabulary.txt``: the words of a model of texts.
- ``network.safetensors``: the weights, for learning on; never read here.

The report lies beside them without a fingerprint, since it may be made anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.graph import Graph
from tocsin.artifact.heads import LINEAR, TREES, Head, LinearHead, TreesHead
from tocsin.artifact.plain import STATE, PlainFeatures, opened
from tocsin.artifact.seal import CARD, PAYMENTS, AnyCard, kind_of, read_sealed
from tocsin.data.prepare import Preparation, Preparer
from tocsin.errors import BadInput, Damaged

if TYPE_CHECKING:  # what compiles features is not loaded where no payment is scored
    from tocsin.features.text import Sparse, TextTerms

CLASSES_FORMAT = 1
"""Raised when cards of classes are written otherwise."""
NETWORK, VOCABULARY, WEIGHTS, REPORT = "network.onnx", "vocabulary.txt", "network.safetensors", "report.html"
GIVEN, FEATURES, LOGITS = "given", "features", "logits"
"""What a graph's input and outputs are called."""
_READ = {NETWORK, VOCABULARY, TREES, STATE, LINEAR}
_TYPES = {"images": "uint8", "sound": "float32", "text": "int64"}
AT_ONCE = {"images": 16, "sound": 16, "text": 64}
"""Examples a run: what a network makes of them on the way takes some ten megabytes each for pictures."""

Raw = bytes | str
"""One example as it is given: a file's bytes, or a text."""


class TaughtWith(msgspec.Struct, frozen=True, kw_only=True):
    """What the model saw.

    Parameters
    ----------
    data : where it was; rows : how many examples it was taught with, all parts together.
    classes : how many examples of each class; parts : how many rows in each part (train, val, test).
    held_out : in words, what nothing was learned from, and who chose it.
    """

    data: str
    rows: int
    classes: dict[str, int]
    parts: dict[str, int]
    seed: int
    held_out: str


class ClassesCard(AnyCard, frozen=True, kw_only=True):
    """Everything about a model of classes that is not in its other files.

    Parameters
    ----------
    classes : the names, in the order of every row of probabilities.
    network : its name in the registry, or empty for the way ``plain``.
    layer : whose features are read (``extract``), or the name of the plain features.
    into : what reads them.
    temperature : what the logits are divided by before they become probabilities.
    measured : on examples the model never saw.
    files : each file with its SHA-256; ``version`` : the name and the hash of all of this.
    """

    name: str
    kind: Literal["images", "sound", "text"]
    classes: tuple[str, ...]
    way: Literal["scratch", "transfer", "extract", "plain"]
    preparation: Preparation
    learned: TaughtWith
    network: str = ""
    layer: str = ""
    into: Literal["", "svm", "logistic", "trees"] = ""
    temperature: float = 1.0
    measured: dict[str, float] = msgspec.field(default_factory=dict)
    settings: dict[str, float | int | str | bool | None] = msgspec.field(default_factory=dict)
    libraries: dict[str, str] = msgspec.field(default_factory=dict)
    files: dict[str, str] = msgspec.field(default_factory=dict)
    format: int = CLASSES_FORMAT
    version: str = ""


class Classifier:
    """One model of classes; safe to ask from several threads. :func:`load` reads one.

    Parameters
    ----------
    files : name -> content of at least the files the card's way needs.
    threads : how many compute one call of the network; a service that answers many at once wants one.

    Raises
    ------
    Damaged : a file is missing or does not fit the card; its name is in the message.
    NotReady : what reads pictures, sounds or texts is not installed.
    """

    def __init__(self, card: ClassesCard, files: Mapping[str, bytes], *, threads: int = 1) -> None:
        self.card = card
        _check(card, files)
        count = len(card.classes)
        self._plain: PlainFeatures | None = opened(card.kind, files[STATE]) if STATE in files else None
        self._counts = card.kind == "text" and self._plain is not None  # plain features read the texts themselves
        bare = card.way == "plain" and self._counts
        self._preparer = None if bare else Preparer(card.preparation, files.get(VOCABULARY))
        self._graph: Graph | None = None
        self._head: Head | None = None
        self._words: Head | None = None
        if card.way != "plain":
            outputs = {} if TREES in files else {LOGITS: count}
            self._graph = Graph(
                files[NETWORK], NETWORK, {GIVEN: (_TYPES[card.kind], card.preparation.shape)}, outputs, threads=threads
            )
        if TREES in files:
            self._head = TreesHead(_text(files[TREES], TREES), count)
        if self._plain is not None and LINEAR in files:
            line = LinearHead(files[LINEAR], count)
            if self._graph is None:
                self._head = line
            else:
                self._words = line

    @property
    def version(self) -> str:
        """The model's name and the hash of all its content."""
        return self.card.version

    @property
    def kind(self) -> str:
        """What it reads: ``images``, ``sound`` or ``text``."""
        return self.card.kind

    @property
    def classes(self) -> tuple[str, ...]:
        """What it tells apart."""
        return self.card.classes

    def predict(self, raws: Sequence[Raw]) -> NDArray[np.float64]:
        """float64[n, classes]: how probable each class is; every row adds up to 1.

        Raises
        ------
        BadInput : an example cannot be read; ``field`` is its number, from 0.
        """
        return self._by_pieces(raws, self.probabilities, len(self.classes), np.float64)

    def features(self, raws: Sequence[Raw]) -> NDArray[np.float32]:
        """float32[n, f]: what the network's layer, or the plain features, make of examples.

        Raises
        ------
        BadInput : an example cannot be read (as above), or the model's graph does not give features.
        """
        return self._by_pieces(raws, self._features, 0, np.float32)

    def prepare(self, raws: Sequence[Raw]) -> Any:
        """What the model reads: uint8[n, s, s, 3], float32[n, samples] or int64[n, length]; texts where words are counted.

        Raises
        ------
        BadInput : an example cannot be read; ``field`` is its number, from 0.
        """
        if not self._counts:
            assert self._preparer is not None
            return self._preparer.prepared(raws)
        for i, raw in enumerate(raws):
            if not isinstance(raw, str):
                raise BadInput(f"must be a text; got {type(raw).__name__}.", field=str(i))
        return list(raws)

    def logits(self, given: Any) -> NDArray[np.float64]:
        """float64[n, classes] of prepared examples, before the temperature."""
        if self._graph is None and self._counts:
            assert self._head is not None
            return self._head(self._counted(given))
        if self._head is not None:
            said = self._head(self._features(given))
        else:
            assert self._graph is not None
            said = self._graph(LOGITS, **{GIVEN: self._read(given)}).astype(np.float64)
        if self._words is not None:
            said = said + self._words(self._counted(given))
        return said

    def probabilities(self, given: Any) -> NDArray[np.float64]:
        """float64[n, classes] of prepared examples, as many at once as they are.

        Raises
        ------
        BadInput : the network makes no number of an example; ``field`` is its number, from 0.
        """
        logits = self.logits(given) / self.card.temperature
        if not np.isfinite(logits).all():
            at = int(np.flatnonzero(~np.isfinite(logits).all(axis=1))[0])
            raise BadInput("an example must give numbers; the network makes none of this one.", field=str(at))
        return softmax(logits)

    def _features(self, given: Any) -> NDArray[np.float32]:
        if self._graph is None:
            assert self._plain is not None
            return self._plain.of(given)
        if FEATURES not in self._graph.gives:
            raise BadInput(f"the model {self.version} must give features; its graph gives none.", field=NETWORK)
        return self._graph(FEATURES, **{GIVEN: self._read(given)})

    def _counted(self, texts: Sequence[str]) -> Sparse:
        return cast("TextTerms", self._plain).sparse(texts)

    def _read(self, given: Any) -> Any:
        """Prepared examples as the network reads them."""
        return self._preparer.prepared(given) if self._counts and self._preparer is not None else given

    def _by_pieces(self, raws: Sequence[Raw], make: Any, width: int, kind: Any) -> NDArray[Any]:
        step, parts = AT_ONCE[self.kind], []
        for first in range(0, len(raws), step):
            try:
                parts.append(make(self.prepare(raws[first : first + step])))
            except BadInput as error:
                if error.field is None or not error.field.isdecimal():
                    raise
                raise BadInput(error.message, field=str(first + int(error.field)), hint=error.hint) from error
        return np.concatenate(parts) if parts else np.zeros((0, width), dtype=kind)


def load(folder: str | Path, *, threads: int = 1) -> Classifier:
    """Read a model of classes from its directory.

    Raises
    ------
    Damaged : a file is missing, changed or does not fit the others; its name is in the message.
    BadInput : the model is one of payments.
    NotReady : what reads pictures, sounds or texts is not installed.
    """
    path = Path(folder)
    card = read_classes_card(path)
    return Classifier(card, {name: (path / name).read_bytes() for name in card.files if name in _READ}, threads=threads)


def read_classes_card(folder: Path) -> ClassesCard:
    """Read and check the card of a model of classes and every file it names.

    Raises
    ------
    Damaged : names the file that is missing or differs from its fingerprint.
    BadInput : the model is one of payments.
    """
    if kind_of(folder) == PAYMENTS:
        raise BadInput(
            f"{folder} holds a model of payments; one of images, sound or text is needed here.",
            field="model",
            hint=f"`tocsin serve {folder}` answers payments with it, `tocsin evaluate {folder} DATA` measures it.",
        )
    return read_sealed(folder, ClassesCard, CLASSES_FORMAT)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities along the last axis; large logits do no harm.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _check(card: ClassesCard, files: Mapping[str, bytes]) -> None:
    """A card that passed its fingerprint may still not fit itself or its files; say so before an example comes."""
    if len(card.classes) < 2 or len(set(card.classes)) != len(card.classes):
        raise Damaged(f"a model must know two different classes or more; it names {card.classes}.", field=CARD)
    if not card.temperature > 0 or card.preparation.kind != card.kind:
        raise Damaged("its temperature must be above 0, and its preparation that of its kind.", field=CARD)
    needed = [NETWORK] if card.way != "plain" else [STATE, TREES if card.into == "trees" else LINEAR]
    if card.into == "trees" and TREES not in needed:
        needed.append(TREES)
    if card.kind == "text" and card.way != "plain":
        needed.append(VOCABULARY)
    if card.way != "plain" and (STATE in files or LINEAR in files):
        needed += [STATE, LINEAR]
        if card.kind != "text":
            raise Damaged(
                f"only a model of texts counts words beside a network; this one reads {card.kind}.", field=STATE
            )
    for name in needed:
        if name not in files:
            raise Damaged(f"the card has no fingerprint of {name}, which its way needs.", field=name)


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Damaged("must be UTF-8; it is not.", field=name) from error
