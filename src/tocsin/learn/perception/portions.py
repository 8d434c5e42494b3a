"""Which examples are learned from, which stop and calibrate, and which only judge.

What the data calls test is judged by and nothing else; what it calls val stops and calibrates. Where it calls nothing so, a
share is set aside: the same share of every class, and never one group (speaker, patient) on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.data.collection import UNKNOWN, Collection
from tocsin.errors import BadInput

STOPPING = 0.15
"""Share of the training examples that stops and calibrates where none is called val."""
AT_MOST, AT_MOST_A_CLASS = 500, 5
"""More than so many, or so many a class if that is more, say hardly more of when to stop, and teach something instead."""
FOLDS = 5

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Portions:
    """Rows of a collection.

    Parameters
    ----------
    train, val, test : int64[...], rising, of known label; no row twice. ``test`` may be empty.
    own_val : whether the data itself says which examples stop and calibrate; otherwise ``val`` is a share of its train.
    held_out : in words, what is judged by and who chose it.
    groups : str[n] of the whole collection, what must not be parted; "" for nothing.
    notes : what else a reader should know.
    """

    train: Ints
    val: Ints
    test: Ints
    own_val: bool
    held_out: str
    groups: NDArray[np.str_]
    notes: tuple[str, ...] = ()

    @property
    def taught(self) -> Ints:
        """Everything but the test."""
        return np.sort(np.concatenate([self.train, self.val]))


def portions(
    collection: Collection,
    *,
    good: NDArray[np.bool_] | None = None,
    twin: Ints | None = None,
    held_out: float,
    seed: int,
) -> Portions:
    """Decide it for a collection.

    Parameters
    ----------
    good : bool[n], rows that may be used; all by default. Only what may be learned from is picked over: the test stays whole
        as far as it can be read.
    twin : int64[n]; examples with the same number are copies of each other and stay on one side, as a group does.
    held_out : share judged by where no part is called test.

    Raises
    ------
    BadInput : no example has a class, all are of one, or no class has two examples that may be parted.
    """
    usable = collection.label != UNKNOWN
    if good is not None:
        usable &= good
    check_learnable(collection, np.flatnonzero(usable))
    part, notes = collection.part, list[str]()
    test = np.flatnonzero(usable & (part == "test"))
    val = np.flatnonzero(usable & (part == "val"))
    train = np.flatnonzero(usable & (part != "test") & (part != "val"))
    groups = groups_of(collection, twin)
    if len(test):
        said = f"the {len(test):,} examples that the data calls test"
    else:
        if not len(train):
            train, val = val, val[:0]
        away = share(collection.label[train], groups[train], held_out, seed)
        train, test = train[~away], train[away]
        grouped = " by group" if any(collection.group) else ""
        said = (
            f"{len(test):,} examples, {held_out:.0%} of each class, set aside{grouped} because no part is called test"
        )
    own = len(val) > 0
    if not own:
        part_of = min(STOPPING, max(AT_MOST, AT_MOST_A_CLASS * len(collection.classes)) / max(1, len(train)))
        away = share(collection.label[train], groups[train], part_of, seed + 1)
        if not away.any():
            away = some(collection.label[train], groups[train], part_of, seed + 1)
        train, val = train[~away], train[away]
        if not len(val):
            raise BadInput(
                f"learning needs examples to stop by beside those it learns from; the {len(train):,} examples of "
                f"{len(np.unique(collection.label[train])):,} classes leave none.",
                field="data",
                hint="Give several examples of each class.",
            )
    found = Portions(train, val, test, own, said, groups)
    check_learnable(collection, found.train)
    lost = [collection.classes[c] for c in set(collection.label[test]) - set(collection.label[found.taught])]
    if lost:
        notes.append(f"of {', '.join(sorted(lost))} there is nothing to learn from, only to judge by.")
    return replace(found, notes=tuple(notes))


def groups_of(collection: Collection, twin: Ints | None = None) -> NDArray[np.str_]:
    """str[n]: what must not be parted: the collection's groups, and where it has none, copies of one example; "" for neither."""
    groups = np.asarray(collection.group, dtype=np.str_)
    if twin is None or not len(twin):
        return groups
    _, number, times = np.unique(twin, return_inverse=True, return_counts=True)
    copies = np.char.add("copies ", number.astype(str))
    return np.where((groups == "") & (times[number] > 1), copies, groups)


def check_learnable(collection: Collection, rows: Ints) -> None:
    """Refuse what nothing can be learned from.

    Raises
    ------
    BadInput : no example has a class, or all are of one.
    """
    if not len(rows):
        raise BadInput(
            f"learning needs examples whose class is known; of the {len(collection):,} in {collection.source} that may be "
            "learned from none has one.",
            field="data",
            hint="Put the files into one folder a class, or name a table's column with --label.",
        )
    there = np.unique(collection.label[rows])
    if len(there) < 2:
        raise BadInput(
            f"learning needs examples of two classes or more; all {len(rows):,} to learn from are "
            f"{collection.classes[there[0]]!r}.",
            field="data",
            hint="Add a folder with examples of what it is not.",
        )


def share(label: Ints, group: NDArray[np.str_], part: float, seed: int) -> NDArray[np.bool_]:
    """bool[n]: about this part of every class, whole groups; an example without a group ("") stands for itself.

    Groups come in random order and are taken while that brings the counts of the classes nearer to what is wanted.
    """
    groups, number, counts = _counted(label, group)
    wanted = part * counts.sum(axis=0)
    taken, held = np.zeros(len(groups), dtype=bool), np.zeros(counts.shape[1])
    for g in np.random.default_rng([seed, 0x5E7]).permutation(len(groups)):
        if ((held + counts[g] - wanted) ** 2).sum() < ((held - wanted) ** 2).sum():
            held += counts[g]
            taken[g] = True
    return np.asarray(taken[number])


def some(label: Ints, group: NDArray[np.str_], part: float, seed: int) -> NDArray[np.bool_]:
    """bool[n]: about this part of all, whole groups, where the classes are too small for a share of each.

    Every class keeps an example at least; where that leaves nothing to take, nothing is taken.
    """
    groups, number, counts = _counted(label, group)
    wanted, left = max(1, round(part * len(label))), counts.sum(axis=0)
    taken, held = np.zeros(len(groups), dtype=bool), 0.0
    for g in np.random.default_rng([seed, 0x50E]).permutation(len(groups)):
        size, here = counts[g].sum(), counts[g] > 0
        if held + size <= wanted and (left[here] > counts[g][here]).all():
            taken[g], held, left = True, held + size, left - counts[g]
    return np.asarray(taken[number])


def folds(label: Ints, group: NDArray[np.str_], seed: int, count: int = FOLDS) -> Ints:
    """int64[n], 0 to ``count`` - 1: each class spread evenly, whole groups; large groups first."""
    groups, number, counts = _counted(label, group)
    order = np.random.default_rng([seed, 0xF01D]).permutation(len(groups))
    order = order[np.argsort(-counts[order].sum(axis=1), kind="stable")]
    fold, held = np.zeros(len(groups), dtype=np.int64), np.zeros((count, counts.shape[1]))
    for g in order:
        here = counts[g] > 0
        fold[g] = np.lexsort((held.sum(axis=1), held[:, here].sum(axis=1)))[0]
        held[fold[g]] += counts[g]
    return fold[number]


def taught_by(label: Ints, fold: Ints) -> NDArray[np.bool_]:
    """bool[n]: whether an example is left out once, and then some of its class are among the others.

    Parameters
    ----------
    fold : int64[n], which part each is left out with; -1 for what never is.
    """
    known = np.zeros(len(label), dtype=bool)
    for number in np.unique(fold[fold >= 0]):
        away = fold == number
        known[away] = np.isin(label[away], label[~away])
    return known


def _counted(label: Ints, group: NDArray[np.str_]) -> tuple[NDArray[np.str_], Ints, NDArray[np.float64]]:
    """The groups, the group of each row, and how many of each class every group has."""
    names = np.where(group == "", np.char.add("\0", np.arange(len(label)).astype(str)), group)
    groups, number = np.unique(names, return_inverse=True)
    counts = np.zeros((len(groups), int(label.max(initial=0)) + 1))
    np.add.at(counts, (number, label), 1.0)
    return groups, number, counts
