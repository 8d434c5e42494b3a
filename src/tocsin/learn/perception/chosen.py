"""Which network learns here, how examples are made ready for it, and what it knows already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load as read_tensors
from torch import nn

from tocsin.artifact.classes import VOCABULARY, WEIGHTS, ClassesCard, read_classes_card
from tocsin.data.collection import Collection
from tocsin.data.prepare import Preparation, Preparer
from tocsin.data.text import Vocabulary
from tocsin.errors import BadInput, NotReady, did_you_mean
from tocsin.learn.perception.recipe import LEAST_SIZE, MOST_SIZE, Recipe
from tocsin.learn.perception.registry import NETWORKS, Entry, entry, of_kind
from tocsin.learn.perception.shipped import Front
from tocsin.nets.reading import END, layers

FROM_NOTHING = {"images": "resnet20", "sound": "dscnn", "text": "kimcnn"}
"""What is begun from nothing where nobody names a network."""
KNOWING = {"images": "efficientnet_lite0", "sound": "speech_embedding", "text": "minilm"}
"""What knows other things already."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A network, made and filled.

    Parameters
    ----------
    entry : of the registry. network : for these classes; its head is new unless ``origin`` says otherwise.
    front, preparation, vocabulary : how examples come to it.
    origin : in words, where its weights come from; empty where it begins from nothing.
    """

    entry: Entry
    network: nn.Module
    front: Front
    preparation: Preparation
    vocabulary: bytes | None
    origin: str = ""

    @property
    def preparer(self) -> Preparer:
        """What makes examples ready for it."""
        return Preparer(self.preparation, self.vocabulary)


def from_nothing(recipe: Recipe, kind: str, classes: int, texts: Sequence[str] = ()) -> Chosen:
    """A network with fresh weights, the same for the same seed.

    Parameters
    ----------
    texts : what may be learned from, for the words of a text network.

    Raises
    ------
    BadInput : there is no such network, or it is for another kind.
    """
    found = entry_of(recipe.network or FROM_NOTHING[kind], kind)
    preparation = preparation_of(found, recipe.size)
    vocabulary, words = None, 0
    if found.tokens == "words":
        made = Vocabulary.of(texts)
        vocabulary, words = made.save(), len(made)
    elif found.tokens == "wordpiece":
        vocabulary = _pieces(found, recipe)
    preparation = _no_longer_than(preparation, vocabulary, texts, recipe.size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = found.build(classes, _size(preparation), words)
    return Chosen(found, network, Front(found.mean, found.std), preparation, vocabulary)


def knowing(recipe: Recipe, kind: str, classes: int, texts: Sequence[str] = ()) -> Chosen:
    """A network that knows other things: published weights, or one of our own models; its head is new.

    Parameters
    ----------
    texts : what may be learned from, for the length at which texts are cut.

    Raises
    ------
    BadInput : there is no such network or layer, it is for another kind, nobody has published weights of it.
    NotReady : its weights are not here.
    """
    if recipe.source is not None:
        return _own(recipe, recipe.source, kind, classes)
    found = entry_of(recipe.network or KNOWING[kind], kind)
    own_file = recipe.weights is not None and recipe.weights.is_file()
    if found.pretrained is None and not own_file:
        with_weights = [one.name for one in of_kind(kind) if one.pretrained is not None]
        raise BadInput(
            f"nobody's weights of {found.name} are known here, so there is nothing to begin from.",
            field="--network",
            hint=f"Take {' or '.join(with_weights)}, learn it with --way scratch, or begin --from a model of your own.",
        )
    preparation = preparation_of(found, recipe.size)
    vocabulary = _pieces(found, recipe) if found.tokens else None
    preparation = _no_longer_than(preparation, vocabulary, texts, recipe.size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = found.build(classes, _size(preparation))
    from tocsin.learn.perception.weights import load_into

    load_into(network, found, recipe.weights)
    if own_file or found.pretrained is None:
        origin = f"the weights in {recipe.weights}"
    else:
        origin = f"published weights ({found.pretrained.accuracy}; licence {found.pretrained.licence})"
    return Chosen(found, network, Front(found.mean, found.std), preparation, vocabulary, origin)


def has_weights(kind: str, where: Path | None = None) -> bool:
    """Whether the published weights of the kind's own choice are on this machine."""
    from tocsin.learn.perception.weights import find

    name = KNOWING[kind]
    return name in NETWORKS and find(name, where) is not None


def texts_of(collection: Collection, rows: NDArray[np.int64]) -> list[str]:
    """The texts of these rows; none of another kind."""
    return [str(collection.raw(int(i))) for i in rows] if collection.kind == "text" else []


def check_layer(network: nn.Module, layer: str) -> str | None:
    """The layer's name, or several joined by ``+`` (``END`` is what the head is given); None where nobody names one.

    Raises
    ------
    BadInput : there is no such layer; names those worth reading.
    """
    if not layer:
        return None
    there = {**dict(network.named_modules()), END: network}
    for name in layer.split("+"):
        if not name or name not in there:
            raise BadInput(
                f"a layer must be one of the network's, or several joined by +; got {name!r}.",
                field="--layer",
                hint=did_you_mean(name, (*layers(network), END)),
            )
    return layer


def preparation_of(found: Entry, size: int | None = None) -> Preparation:
    """How a network's examples are made ready.

    Parameters
    ----------
    size : pixels a side; for sounds milliseconds, for texts words or pieces; by default what the network was made for.

    Raises
    ------
    BadInput : the size is none that makes sense.
    """
    if found.kind == "images":
        pixels = size or found.size
        if not LEAST_SIZE <= pixels <= MOST_SIZE:
            raise BadInput(
                f"a picture must have {LEAST_SIZE} to {MOST_SIZE} pixels a side; got {pixels}.", field="--size"
            )
        return Preparation("images", size=pixels)
    if found.kind == "sound":
        return Preparation("sound", samples=size * 16 if size else found.size)
    return Preparation("text", length=size or found.size, tokens=found.tokens or "words")


def _no_longer_than(
    preparation: Preparation, vocabulary: bytes | None, texts: Sequence[str], told: int | None
) -> Preparation:
    """Texts are cut where 99 of 100 end, in eights, unless a length is told: a network reads padding as slowly as words."""
    if preparation.kind != "text" or told is not None or not texts or vocabulary is None:
        return preparation
    given = Preparer(preparation, vocabulary).prepared(texts[:: max(1, len(texts) // 5000)])
    long = int(np.quantile((given != 0).sum(axis=1), 0.99))
    return msgspec.structs.replace(preparation, length=min(preparation.length, max(8, -(-long // 8) * 8)))


def _size(preparation: Preparation) -> int:
    return preparation.shape[0]


def entry_of(name: str, kind: str) -> Entry:
    """The registry's network of this name and kind.

    Raises
    ------
    BadInput : there is none, or it is for another kind.
    """
    if name not in NETWORKS:
        raise BadInput(
            f"a network must be one of the registry's; got {name!r}.",
            field="--network",
            hint=did_you_mean(name, [one.name for one in of_kind(kind)]),
        )
    found = entry(name)
    if found.kind != kind:
        raise BadInput(
            f"{name} is a network for {found.kind}; these examples are {kind}.",
            field="--network",
            hint=f"There are: {', '.join(one.name for one in of_kind(kind))}.",
        )
    return found


def _own(recipe: Recipe, folder: Path, kind: str, classes: int) -> Chosen:
    """One of our own models, with a new head."""
    card = read_classes_card(folder)
    _check_own(card, folder, kind)
    found = entry(card.network)
    preparation = card.preparation
    if recipe.size is not None and kind != "text":
        preparation = preparation_of(found, recipe.size)
    vocabulary = (folder / VOCABULARY).read_bytes() if VOCABULARY in card.files else None
    words = len(Vocabulary.load(vocabulary)) if vocabulary is not None and found.tokens == "words" else 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = found.build(classes, _size(preparation), words)
    try:
        tensors = read_tensors((folder / WEIGHTS).read_bytes())
    except (OSError, SafetensorError) as error:
        raise BadInput(f"the weights in {folder / WEIGHTS} cannot be read: {error}.", field="--from") from error
    head = f"{network.head_name}."
    network.load_state_dict(
        {name: t for name, t in network.state_dict().items() if name.startswith(head)}
        | {name: t for name, t in tensors.items() if not name.startswith(head)}
    )
    front = Front(found.mean, found.std)
    return Chosen(found, network, front, preparation, vocabulary, f"the model {card.version}")


def _check_own(card: ClassesCard, folder: Path, kind: str) -> None:
    if card.kind != kind:
        raise BadInput(f"the model in {folder} reads {card.kind}; these examples are {kind}.", field="--from")
    if WEIGHTS not in card.files:
        published = f" Its network is {card.network} as published: --network {card.network}." if card.network else ""
        raise BadInput(
            f"a model to begin from must have the weights of a network of its own; {card.version} has none.",
            field="--from",
            hint=f"Learn it with --way scratch or transfer.{published}",
        )


def _pieces(found: Entry, recipe: Recipe) -> bytes:
    """The pieces a published network cuts texts into."""
    from tocsin.learn.perception.weights import vocabulary_of

    pieces: bytes | None = vocabulary_of(found, recipe.weights)
    if pieces is None:
        raise NotReady(f"the pieces {found.name} cuts texts into are not here.", field="--network")
    return pieces
