"""What a layer says of the examples of a collection, computed once and kept on disk.

It is computed by the graph that is shipped and by what serves it, so that a head learns from the very numbers it will be given.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from torch import nn

from tocsin.artifact.classes import FEATURES, GIVEN, NETWORK
from tocsin.artifact.graph import Graph
from tocsin.data.collection import Collection
from tocsin.learn.perception.chosen import Chosen
from tocsin.learn.perception.prepared import shape_of
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.shipped import FeaturesOnly, graph_of
from tocsin.learn.task import Told, silent

CACHE = "TOCSIN_CACHE"
"""The environment's word for where what can be computed again is kept."""
FORMAT = 1
"""Raised when the same key should no longer find what was kept."""
_AT_ONCE = {"images": 16, "sound": 16, "text": 32}
_SAMPLE = 32


def cache_folder(recipe: Recipe) -> Path:
    """Where what layers said is kept: the recipe's word, ``$TOCSIN_CACHE``, or the user's cache."""
    if recipe.cache is not None:
        return recipe.cache
    told = os.environ.get(CACHE)
    return (Path(told) if told else Path.home() / ".cache" / "tocsin") / "features"


def represent(
    collection: Collection,
    rows: NDArray[np.int64],
    chosen: Chosen,
    layer: str | None,
    recipe: Recipe,
    told: Told = silent,
) -> NDArray[np.float32]:
    """float32[n, f]: what a layer says of these rows, pooled; from disk where it was computed before.

    Parameters
    ----------
    layer : by name; None for what the network's head is given.
    """
    some = collection.take(rows)
    place = cache_folder(recipe) / f"{key_of(some, chosen, layer)}.npy"
    kept = _kept(place, len(rows))
    if kept is not None:
        told(f"reading what {chosen.entry.name} said before", 1.0)
        return kept
    preparer, step = chosen.preparer, _AT_ONCE[collection.kind]
    sample = preparer.prepared(
        [some.raw(int(i)) for i in np.linspace(0, len(some) - 1, min(_SAMPLE, len(some))).astype(int)]
    )
    module = FeaturesOnly(chosen.front, chosen.network, layer)
    graph = Graph(graph_of(module, sample), NETWORK, {GIVEN: _input(chosen)}, {}, threads=recipe.threads)
    draft, out = _Draft(place), np.zeros((0, 1), dtype=np.float32)
    try:
        for begin in range(0, len(some), step):
            told(f"{chosen.entry.name} looks at the examples", begin / len(some))
            raws = [some.raw(i) for i in range(begin, min(begin + step, len(some)))]
            said = graph(FEATURES, **{GIVEN: preparer.prepared(raws)})
            if not begin:
                out = draft.array((len(some), said.shape[1]))
            out[begin : begin + len(said)] = said
        draft.keep()
    finally:
        draft.drop()
    return out


def key_of(collection: Collection, chosen: Chosen, layer: str | None) -> str:
    """What the numbers depend on: the examples, every weight, the layer and how examples are made ready."""
    digest = hashlib.sha256(f"{FORMAT} {collection.fingerprint} {layer}".encode())
    digest.update(msgspec.json.encode(chosen.preparation))
    digest.update(hashlib.sha256(chosen.vocabulary or b"").digest())
    digest.update(weights_digest(chosen.network, without=f"{chosen.network.head_name}."))
    return digest.hexdigest()[:40]


def weights_digest(network: nn.Module, without: str = " ") -> bytes:
    """SHA-256 of all weights but those whose name begins so."""
    digest = hashlib.sha256(type(network).__name__.encode())
    for name, tensor in network.state_dict().items():
        if not name.startswith(without):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.digest()


def _input(chosen: Chosen) -> tuple[str, tuple[int, ...]]:
    shape, kind = shape_of(chosen.preparation)
    return kind.name, shape


def _kept(place: Path, rows: int) -> NDArray[np.float32] | None:
    try:
        found = np.load(place, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError):
        return None  # not there, or not whole
    return found if found.shape[:1] == (rows,) and found.dtype == np.float32 else None


class _Draft:
    """An array that is written beside its place and put there when it is whole; in memory where the disk says no."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._path: Path | None = None
        self._array: NDArray[np.float32] = np.zeros((0, 1), dtype=np.float32)

    def array(self, shape: tuple[int, int]) -> NDArray[np.float32]:
        """An array of this shape, to be filled."""
        try:
            self._place.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(prefix=".", suffix=".draft", dir=self._place.parent)
            os.close(handle)
            self._path = Path(name)
            self._array = np.lib.format.open_memmap(name, mode="w+", dtype=np.float32, shape=shape)
        except OSError:
            self.drop()
            self._array = np.empty(shape, dtype=np.float32)
        return self._array

    def keep(self) -> None:
        """It is whole."""
        if self._path is not None and isinstance(self._array, np.memmap):
            self._array.flush()
            self._path.replace(self._place)
            self._path = None

    def drop(self) -> None:
        """It is not; nothing of it stays."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None
