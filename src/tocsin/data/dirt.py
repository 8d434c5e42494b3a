"""What is wrong with a collection before anything is learned from it, said in words; good examples go through.

Four weights of finding: examples left out (they cannot be read, or there is nothing in them), leaks (what is measured
was seen before, or a class gives itself away by something beside its content), labels in doubt, and things to look at.
It knows no model: who has learned one adds the labels that a model doubts (``Dirt.doubting``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.data import findings, inspection
from tocsin.data.collection import Collection
from tocsin.data.findings import CALLED, WEIGHTS, Finding, many
from tocsin.data.inspection import Look, look_at
from tocsin.data.twins import alike, alike_texts, joined
from tocsin.errors import BadInput

Told = Callable[[str, float], None]
"""Is told what is being done and the share that is done, in [0, 1]."""


DOUBTED = "label in doubt"
"""The kind of the finding that a model adds."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A label that is doubted: the example's row, the class it was given and the one believed, and how firmly in [0, 1]."""

    row: int
    given: int
    believed: int
    share: float


@dataclass(frozen=True, slots=True)
class Dirt:
    """What was found in a collection of n examples.

    Parameters
    ----------
    good : bool[n], what can be learned from at all.
    why : for each example that is not good, what is wrong with it.
    twin : int64[n]; examples with the same number are copies or near-copies of each other, so they belong in one part.
    leaking : bool[n], examples to learn from (train, val) whose copy or near-copy is kept for measuring (test); of
        val against train likewise, the one in train. Leave them out of learning.
    findings : the worst first.
    facts : what there is, by its name ("size", "rate", "words"), in words; nothing in it is wrong.
    doubts : labels doubted by a model that had not seen them, the firmest first; whoever has such a model adds them.
    """

    good: NDArray[np.bool_]
    why: dict[int, str]
    twin: NDArray[np.int64]
    leaking: NDArray[np.bool_]
    findings: tuple[Finding, ...]
    facts: dict[str, str] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()

    @property
    def usable(self) -> NDArray[np.bool_]:
        """bool[n]: what may be learned from, and what is measured on. The examples to measure on stay, all that are good."""
        return self.good & ~self.leaking

    @property
    def clean(self) -> bool:
        """Whether every example is good and none leaks."""
        return not any(finding.weight in ("left out", "leak") for finding in self.findings)

    def of_weight(self, weight: str) -> tuple[Finding, ...]:
        """The findings of one weight."""
        return tuple(finding for finding in self.findings if finding.weight == weight)

    def doubting(self, doubts: Sequence[Doubt]) -> Dirt:
        """The same with the labels that a model doubts, said in one more finding."""
        ordered = tuple(sorted(doubts, key=lambda doubt: (-doubt.share, doubt.row)))
        if not ordered:
            return replace(self, doubts=())
        them = "it" if len(ordered) == 1 else "them"
        said = f"a model that had not seen {them} firmly believes another class of {many(len(ordered), 'example')}."
        rows = tuple(doubt.row for doubt in ordered)
        first = "" if len(ordered) == 1 else ", the firmest first"
        hint = f"Look at {them}{first}; a few wrong labels do little harm to learning and much to measuring."
        found = Finding(DOUBTED, "doubt", len(ordered), said, rows, hint=hint)
        others = [finding for finding in self.findings if finding.kind != found.kind]
        return replace(self, doubts=ordered, findings=_in_order([*others, found]))


def dirt(collection: Collection, told: Told = lambda _what, _share: None) -> Dirt:
    """Read every example once and say what is wrong.

    Parameters
    ----------
    collection : of any kind; it may be larger than the memory (two kilobytes an example are kept).
    told : is told how far it is.

    Raises
    ------
    BadInput : not one example can be read.
    NotReady : the reader of the kind is not installed.
    """
    looks, why = _looks(collection, told)
    if not looks:
        first = next(iter(why.values()), "there is none")
        raise BadInput(f"not one of {len(collection):,} examples can be used; the first: {first}", field="data")
    told("looking for copies", 0.0)
    same, twin = _twins(collection, looks)
    told("looking for copies", 1.0)
    blanks = _out_of_place(collection, looks)
    why.update(dict.fromkeys(blanks, "is blank, and most of its class are not."))
    good = np.ones(len(collection), bool)
    good[list(why)] = False
    leaking = _leaking(collection, twin, good)
    found = [
        *findings.left_out(collection, why),
        *findings.copies(collection, same, twin, good, leaking),
        *findings.groups(collection, good),
        *findings.tells(collection, looks, good),
        *findings.classes(collection, good),
        *findings.odd(collection, looks, good),
    ]
    return Dirt(good, why, twin, leaking, _in_order(found), _facts(looks))


def _facts(looks: dict[int, Look]) -> dict[str, str]:
    """The commonest values of what files say, and how long texts are."""
    lengths = [len(look.words) for look in looks.values()]
    if any(lengths):
        return {"words": f"{np.median(lengths):,.0f} in half of the texts or fewer, at most {max(lengths):,}"}
    facts = {}
    for tell in next(iter(looks.values())).tells:
        counts = Counter(look.tells.get(tell, "") for look in looks.values())
        common = [f"{value} ({count:,})" for value, count in counts.most_common(4)]
        facts[tell] = common[0].rpartition(" (")[0] if len(counts) == 1 else ", ".join(common)
        facts[tell] += f" and {len(counts) - 4:,} others" if len(counts) > 4 else ""
    return facts


def _looks(collection: Collection, told: Told) -> tuple[dict[int, Look], dict[int, str]]:
    """What was seen of each row that can be read, and why the others cannot."""
    looks: dict[int, Look] = {}
    why: dict[int, str] = {}
    every = max(1, len(collection) // 100)
    for row in range(len(collection)):
        if row % every == 0:
            told(f"looking at every {CALLED[collection.kind]}", row / len(collection))
        try:
            looks[row] = look_at(collection.kind, collection.raw(row))
        except BadInput as error:
            why[row] = error.message
    told(f"looking at every {CALLED[collection.kind]}", 1.0)
    return looks, why


def _twins(collection: Collection, looks: dict[int, Look]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each row the first that is the same, and the first that is the same or nearly; int64[n] twice."""
    by_digest: dict[bytes, int] = {}
    same = np.arange(len(collection), dtype=np.int64)
    for row, look in looks.items():
        same[row] = by_digest.setdefault(look.digest, row)
    rows = np.asarray(sorted(by_digest.values()), np.int64)
    if collection.kind == "text":
        pairs = alike_texts([looks[row].words for row in rows.tolist()])
    else:
        maps = np.stack([look.map for row in rows.tolist() if (look := looks[row]).map is not None])
        pairs = _mirrored(maps) if collection.kind == "images" else alike(maps, least=0.975)
    exact = np.stack([np.arange(len(collection)), same], axis=1)
    return same, joined(len(collection), np.concatenate([exact, rows[pairs]]))


def _mirrored(maps: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pairs of pictures that are alike as they are or when one is mirrored; int64[m, 2]."""
    pairs = alike(np.concatenate([maps, maps[:, :, ::-1]]), least=0.95, shift=2) % max(1, len(maps))
    return np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)


def _out_of_place(collection: Collection, looks: dict[int, Look]) -> list[int]:
    """Blank examples of classes that are not blank as a rule (a class may well be called silence)."""
    blank = {row for row, look in looks.items() if inspection.BLANK in look.odd}
    of_class = Counter(int(collection.label[row]) for row in looks)
    blank_of_class = Counter(int(collection.label[row]) for row in blank)
    usual = {label for label, count in blank_of_class.items() if count * 2 > of_class[label]}
    return sorted(row for row in blank if int(collection.label[row]) not in usual)


def _leaking(collection: Collection, twin: NDArray[np.int64], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    test, val = ({*twin[good & (collection.part == part)].tolist()} for part in ("test", "val"))
    learned = collection.part != "test"
    in_test = np.fromiter((t in test for t in twin.tolist()), bool, len(twin))
    in_val = np.fromiter((t in val for t in twin.tolist()), bool, len(twin))
    return np.asarray(good & ((learned & in_test) | ((collection.part == "train") & in_val)))


def _in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: WEIGHTS.index(finding.weight)))
