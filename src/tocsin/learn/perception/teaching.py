"""Teaching a network these classes: the loop's settings for it, the training itself, and what is shipped of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import nn

from tocsin.artifact.classes import GIVEN, LOGITS, NETWORK, VOCABULARY, WEIGHTS
from tocsin.artifact.graph import Graph
from tocsin.data.collection import Collection
from tocsin.learn.loop import train
from tocsin.learn.perception.augment import augmented
from tocsin.learn.perception.chosen import Chosen
from tocsin.learn.perception.outcome import Outcome, Setting
from tocsin.learn.perception.portions import Portions
from tocsin.learn.perception.prepared import Prepared, prepared, shape_of
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.represented import weights_digest
from tocsin.learn.perception.shipped import Shipped, graph_of
from tocsin.learn.perception.task import TellApart
from tocsin.learn.task import Epoch, LoopSettings, Told, Trained, silent
from tocsin.measure.classes import fit_temperature

LOST = {"words": 1, "wordpiece": 103}
"""What stands for a word that is lost: any other word, or the published [MASK]."""
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Plan:
    """How a kind is taught: by which settings of the loop, and how much its examples are blurred.

    Parameters
    ----------
    least, most : epochs (of a training in phases, the last phase's). batch : examples a step.
    rate, decay : the peak rate, at the head, and the weights' decay.
    smoothing, mixed : as of :class:`TellApart`.
    deepest : the rate of the first layer as a share of the head's; between, it falls evenly by factors.
    """

    least: int
    most: int
    batch: int
    rate: float
    decay: float
    smoothing: float = 0.0
    mixed: float = 0.0
    deepest: float = 1.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What is taught, and all that a training depends on besides its settings.

    Parameters
    ----------
    taught, stops : the training examples, and those that stop it.
    smoothing, mixed, averages_stay : as of :class:`TellApart`.
    """

    chosen: Chosen
    taught: Prepared
    stops: Prepared
    recipe: Recipe
    data: str
    smoothing: float = 0.0
    mixed: float = 0.0
    averages_stay: bool = False

    def train(
        self, settings: LoopSettings, told: Told = silent, *, part: str = "", pace: Mapping[str, float] | None = None
    ) -> Trained:
        """Teach the network; afterwards it has the best weights.

        Parameters
        ----------
        part : the name of this phase, and of its folder. pace : how fast each parameter learns.
        """
        network, found = self.chosen.network, self.chosen.entry
        how = augmented(found.kind, self.recipe.augment, LOST.get(found.tokens, 1))
        task = TellApart(
            network,
            self.chosen.front,
            self.taught,
            self.stops,
            how,
            self._fingerprint(part, pace or {}),
            pace or {},
            self.smoothing,
            self.mixed,
            self.averages_stay,
        )
        folder = None if self.recipe.folder is None else self.recipe.folder / (part or "network")
        return train(task, settings, folder=folder, told=told)

    def _fingerprint(self, part: str, pace: Mapping[str, float]) -> str:
        said = (
            self.data,
            part,
            self.recipe.augment,
            self.smoothing,
            self.mixed,
            self.averages_stay,
            sorted(pace.items()),
        )
        digest = hashlib.sha256(repr((said, self.chosen.preparation)).encode())
        digest.update(self.chosen.vocabulary or b"")
        digest.update(weights_digest(self.chosen.network))
        return digest.hexdigest()


def lesson_of(
    collection: Collection,
    rows: Portions,
    chosen: Chosen,
    recipe: Recipe,
    plan: Plan,
    told: Told = silent,
    *,
    averages_stay: bool = False,
) -> Lesson:
    """Read and prepare what is taught and what stops it."""
    preparer = chosen.preparer
    parts = [
        prepared(collection, some, preparer, chosen.preparation, told=told, what=what)
        for some, what in ((rows.train, "reading the examples"), (rows.val, "reading those that stop it"))
    ]
    digest = hashlib.sha256(collection.fingerprint.encode())
    for some in (rows.train, rows.val):
        digest.update(some.tobytes())
    chosen.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster on a CPU
    return Lesson(chosen, parts[0], parts[1], recipe, digest.hexdigest(), plan.smoothing, plan.mixed, averages_stay)


def taught(
    collection: Collection,
    rows: Portions,
    lesson: Lesson,
    trained: tuple[Trained, ...],
    settings: dict[str, Setting],
    notes: tuple[str, ...],
    told: Told = silent,
) -> Outcome:
    """What is shipped of a network that was taught, and what the shipped graph says of the test."""
    chosen = lesson.chosen
    network = chosen.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    told("writing down the network", 0.0)
    content = graph_of(Shipped(chosen.front, network), lesson.taught.given)
    files = {NETWORK: content, WEIGHTS: _weights(network)}
    if chosen.vocabulary is not None:
        files[VOCABULARY] = chosen.vocabulary
    shape, kind = shape_of(chosen.preparation)
    graph = Graph(content, NETWORK, {GIVEN: (kind.name, shape)}, {}, threads=lesson.recipe.threads)
    stopping = _said(graph, lesson.stops.given)
    temperature = fit_temperature(stopping, lesson.stops.label) if len(lesson.stops) else 1.0
    notes = (*notes, *dict.fromkeys(word for phase in trained for word in phase.doctor))
    return Outcome(
        files,
        logits_of_rows(graph, collection, rows.test, chosen, len(collection.classes), told),
        temperature,
        chosen.preparation,
        chosen.entry.name,
        settings=settings,
        notes=notes,
        unseen=(rows.val, stopping),
        epochs=numbered(trained),
    )


def logits_of_rows(
    graph: Graph, collection: Collection, rows: NDArray[np.int64], chosen: Chosen, classes: int, told: Told = silent
) -> NDArray[np.float64]:
    """float64[n, classes]: what the shipped graph says of rows of a collection."""
    preparer = chosen.preparer
    parts = [np.zeros((0, classes))]
    for begin in range(0, len(rows), _AT_ONCE):
        told("judging by the test", begin / len(rows))
        parts.append(_said(graph, preparer.prepared([collection.raw(int(i)) for i in rows[begin : begin + _AT_ONCE]])))
    return np.concatenate(parts)


def _said(graph: Graph, given: NDArray[Any]) -> NDArray[np.float64]:
    parts = [
        graph(LOGITS, **{GIVEN: np.ascontiguousarray(given[i : i + _AT_ONCE])}) for i in range(0, len(given), _AT_ONCE)
    ]
    return np.concatenate(parts).astype(np.float64) if parts else np.zeros((0, 1))


def numbered(trained: tuple[Trained, ...]) -> tuple[Epoch, ...]:
    """The epochs of all phases, numbered through."""
    every = [epoch for phase in trained for epoch in phase.epochs]
    return tuple(replace(epoch, number=number) for number, epoch in enumerate(every, start=1))


def told_settings(settings: LoopSettings) -> dict[str, Setting]:
    """What of the loop's settings belongs on the card."""
    return {name: asdict(settings)[name] for name in ("epochs", "batch", "rate", "decay")}


def _weights(network: nn.Module) -> bytes:
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in network.state_dict().items()}
    return save(tensors)


def part_told(told: Told, begin: float, end: float) -> Told:
    """Someone who is told of one part of a longer piece of work."""
    return lambda what, share: told(what, begin + (end - begin) * share)
