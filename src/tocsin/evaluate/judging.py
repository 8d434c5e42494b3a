"""Examples with a known class put before a model: which can be judged by, and what it says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.artifact.classes import AT_ONCE, Classifier
from tocsin.data.collection import UNKNOWN, Collection
from tocsin.errors import BadInput, NotReady, TocsinError

Told = Callable[[str, float], None]
ALL = "all"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model says of examples, beside what is true.

    Parameters
    ----------
    rows : int64[n], of the collection. probability : float64[n, k], by the model's classes.
    label : int64[n], the true class, by the model's classes. notes : what was left out, and why, in sentences.
    """

    rows: NDArray[np.int64]
    probability: NDArray[np.float64]
    label: NDArray[np.int64]
    notes: tuple[str, ...]


def judge(model: Classifier, collection: Collection, *, part: str | None, told: Told) -> Judged:
    """Ask a model about every example whose class is known to both.

    Parameters
    ----------
    part : which part of the collection, or ``all``; by default its test where it has one, since the model may have
        learned from the others, and all of it where it has none.

    Raises
    ------
    BadInput : the collection is of another kind, nothing in it has a class the model knows, or nothing can be read.
    """
    if collection.kind != model.kind:
        raise BadInput(
            f"the model reads {model.kind}; {collection.source} holds {collection.kind}.",
            field="data",
            hint=f"Say --kind {model.kind} if it holds both.",
        )
    chosen, notes = _chosen(collection, part)
    label, more = _labels(model, collection, chosen)
    rows = chosen[label[chosen] != UNKNOWN]
    if not len(rows):
        raise BadInput(
            f"examples must be of classes the model knows, {_some(model.classes)}; those of {collection.source} are "
            f"{_some(collection.classes) if collection.classes else 'of none'}.",
            field="data",
            hint=f"To only ask the model: tocsin predict MODEL {collection.source}",
        )
    probability, read = _asked(model, collection, rows, told)
    if not read.all():
        more.append(f"{int((~read).sum()):,} could not be read and are left out.")
    if not read.any():
        raise BadInput(f"not one of {len(rows):,} examples could be read.", field="data", hint="tocsin check says why.")
    return Judged(rows[read], probability[read], label[rows[read]], (*notes, *more))


def _chosen(collection: Collection, part: str | None) -> tuple[NDArray[np.int64], list[str]]:
    """The rows to be judged by, and which that are in words."""
    parts = sorted({str(p) for p in collection.part if p})
    if part is None and "test" in parts and len(parts) > 1:
        part = "test"
    if part is None or part == ALL:
        notes = ["All parts are judged; the model may have learned from some."] if parts else []
        return np.arange(len(collection)), notes
    rows = np.flatnonzero(collection.part == part)
    if not len(rows):
        raise BadInput(
            f"must be a part there is; {collection.source} has {_some(parts) if parts else 'no parts'}, got {part!r}.",
            field="--part",
            hint=f"--part {ALL} takes everything.",
        )
    return rows, [f"Judged is the part {part}."]


def _labels(model: Classifier, collection: Collection, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
    """Each row's class by the model's numbers, UNKNOWN where it is none of them; and what that leaves out."""
    places = {name: i for i, name in enumerate(model.classes)}
    table = np.array([places.get(name, UNKNOWN) for name in collection.classes] + [UNKNOWN], dtype=np.int64)
    label = table[collection.label]  # UNKNOWN is −1 and takes the last
    notes = []
    strange = sorted({collection.classes[i] for i in collection.label[rows] if i >= 0 and table[i] == UNKNOWN})
    if strange:
        out = int(np.isin(collection.label[rows], [collection.classes.index(s) for s in strange]).sum())
        notes.append(f"{out:,} are of classes the model never heard of ({_some(strange)}) and are left out.")
    if none := int((collection.label[rows] == UNKNOWN).sum()):
        notes.append(f"{none:,} have no class and are left out.")
    return label, notes


def _asked(
    model: Classifier, collection: Collection, rows: NDArray[np.int64], told: Told
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """float64[n, k], and whether each could be read at all."""
    out = np.zeros((len(rows), len(model.classes)))
    read = np.zeros(len(rows), dtype=bool)
    step = AT_ONCE[model.kind]
    for first in range(0, len(rows), step):
        told("asking the model", first / len(rows))
        some = np.arange(first, min(first + step, len(rows)))
        try:
            out[some] = model.predict([collection.raw(int(i)) for i in rows[some]])
            read[some] = True
        except NotReady:
            raise
        except TocsinError:  # one of them; ask one by one
            for i in some:
                try:
                    out[i] = model.predict([collection.raw(int(rows[i]))])[0]
                    read[i] = True
                except TocsinError:
                    continue
    return out, read


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:6]) + (", ..." if len(names) > 6 else "")
