"""What is wrong with a collection before anything is learned from it, said in words; good examples go through.

Four weights of finding: examples left out (they cannot be read, or there is nothing in them), leaks (what is measured
was seen before, or a class gives itself away by something beside its content), labels in doubt, and things to look at.
It knows no model: who has learned one adds the labels that a model doubts (``Dirt.doubting``).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tocsin.data import inspection
from tocsin.data.collection import UNKNOWN, Collection
from tocsin.data.inspection import Look, look_at
from tocsin.data.twins import alike, alike_texts, joined
from tocsin.errors import BadInput

Told = Callable[[str, float], None]
"""Is told what is being done and the share that is done, in [0, 1]."""

WEIGHTS = ("left out", "leak", "doubt", "look")
"""How bad a finding is, the worst first."""

FEW = 10
"""Fewer examples of a class than these to learn from: nothing that can be relied on is learned of it."""

_SHOWN = 5
_CALLED = {"images": "picture", "sound": "sound", "text": "text"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of thing found.

    Parameters
    ----------
    kind : its short name, "unreadable", "in two parts", "blank", ...
    weight : one of ``WEIGHTS``.
    count : how many examples it is about (or classes, where it is about classes).
    said : a sentence.
    rows : the examples it is about; empty where it is about classes.
    hint : the way out, in a sentence; "" when there is none.
    """

    kind: str
    weight: str
    count: int
    said: str
    rows: tuple[int, ...] = ()
    hint: str = ""


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
    doubts : labels doubted by a model that had not seen them, the firmest first; whoever has such a model adds them.
    """

    good: NDArray[np.bool_]
    why: dict[int, str]
    twin: NDArray[np.int64]
    leaking: NDArray[np.bool_]
    findings: tuple[Finding, ...]
    doubts: tuple[Doubt, ...] = ()

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
        said = f"a model that had not seen them firmly believes another class of {_many(len(ordered), 'example')}."
        rows = tuple(doubt.row for doubt in ordered)
        hint = "Look at them, the firmest first; a few wrong labels do little harm to learning and much to measuring."
        found = Finding("label in doubt", "doubt", len(ordered), said, rows, hint)
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
    findings = [
        *_left_out(collection, why),
        *_copies(collection, same, twin, good, leaking),
        *_groups(collection, good),
        *_tells(collection, looks, good),
        *_classes(collection, good),
        *_odd(collection, looks, good),
    ]
    return Dirt(good, why, twin, leaking, _in_order(findings))


def _looks(collection: Collection, told: Told) -> tuple[dict[int, Look], dict[int, str]]:
    """What was seen of each row that can be read, and why the others cannot."""
    looks: dict[int, Look] = {}
    why: dict[int, str] = {}
    every = max(1, len(collection) // 100)
    for row in range(len(collection)):
        if row % every == 0:
            told(f"looking at every {_CALLED[collection.kind]}", row / len(collection))
        try:
            looks[row] = look_at(collection.kind, collection.raw(row))
        except BadInput as error:
            why[row] = error.message
    told(f"looking at every {_CALLED[collection.kind]}", 1.0)
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


def _left_out(collection: Collection, why: dict[int, str]) -> Iterator[Finding]:
    if why:
        first = [f"{collection.names[row]} {why[row].rstrip('.')}" for row in list(why)[:_SHOWN]]
        said = f"{_many(len(why), _CALLED[collection.kind])} cannot be used: {'; '.join(first)}{_more(len(why))}."
        yield Finding("unreadable", "left out", len(why), said, tuple(sorted(why)), "They are left out.")


def _copies(
    collection: Collection,
    same: NDArray[np.int64],
    twin: NDArray[np.int64],
    good: NDArray[np.bool_],
    leaking: NDArray[np.bool_],
) -> Iterator[Finding]:
    """Copies across parts, with different labels, and within a part."""
    families: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(good).tolist():
        families[int(twin[row])].append(row)
    several = [rows for rows in families.values() if len(rows) > 1]
    yield from _across(collection, several, same, leaking)
    conflict = [rows for rows in several if len({int(label) for label in collection.label[rows] if label >= 0}) > 1]
    equal = [rows for rows in conflict if len({int(same[row]) for row in rows}) < len(rows)]
    if conflict:
        said = (
            f"{_many(len(conflict), 'family', 'families')} of copies bear different classes "
            f"({len(equal):,} with equal ones): {_families(collection, equal + conflict)}."
        )
        every = tuple(row for rows in conflict for row in rows)
        yield Finding("same, other class", "doubt", len(conflict), said, every, "At most one of the labels is right.")
    together = [
        inside
        for rows in several
        for part in dict.fromkeys(collection.part[rows].tolist())
        if len(inside := [row for row in rows if collection.part[row] == part]) > 1
    ]
    within = sum(len(rows) - 1 for rows in together)
    if within:
        exact = sum(len(rows) - len({int(same[row]) for row in rows}) for rows in together)
        said = (
            f"{_many(within, 'example is', 'examples are')} a copy or near-copy of another in the same part "
            f"({exact:,} exact): {_families(collection, together)}."
        )
        every = tuple(row for rows in together for row in rows)
        hint = "They are kept; where Tocsin makes the parts itself, copies go into one."
        yield Finding("copies", "look", within, said, every, hint)


def _across(
    collection: Collection, several: list[list[int]], same: NDArray[np.int64], leaking: NDArray[np.bool_]
) -> Iterator[Finding]:
    for judged, learned in (("test", ("train", "val", "")), ("val", ("train",))):
        found, exact = [], 0
        for rows in several:
            here = [row for row in rows if collection.part[row] == judged]
            there = [row for row in rows if collection.part[row] in learned]
            if here and there:
                found.append([here[0], there[0], *here[1:], *there[1:]])
                seen = {int(same[row]) for row in there}
                exact += sum(int(same[row]) in seen for row in here)
        if found:
            measured = sum(collection.part[row] == judged for rows in found for row in rows)
            whole = int((collection.part == judged).sum())
            said = (
                f"{measured:,} of {whole:,} {judged} examples ({measured / whole:.1%}) have a copy or near-copy in what is "
                f"learned from ({exact:,} exact): {_families(collection, found)}."
            )
            left = int(leaking.sum())
            hint = f"Measured on them, a model looks better than it is; {_many(left, 'copy', 'copies')} left out of learning."
            yield Finding("in two parts", "leak", measured, said, tuple(r for rows in found for r in rows), hint)


def _families(collection: Collection, families: list[list[int]]) -> str:
    shown = [" = ".join(_name(collection, row) for row in rows[:2]) for rows in families[:3]]
    return ", ".join(shown) + (", ..." if len(families) > 3 else "")


def _name(collection: Collection, row: int) -> str:
    """A file's name; a text's row and first words."""
    if collection.kind != "text":
        return collection.names[row]
    words = str(collection.raw(row)).strip()
    return f"{collection.names[row]} ({words[:40]}{'...' if len(words) > 40 else ''})"


def _groups(collection: Collection, good: NDArray[np.bool_]) -> Iterator[Finding]:
    """Speakers or patients that are learned from and measured on."""
    parts: dict[str, set[str]] = defaultdict(set)
    for row in np.flatnonzero(good).tolist():
        if collection.group[row]:
            parts[collection.group[row]].add(str(collection.part[row]))
    both = {name for name, seen in parts.items() if "test" in seen and len(seen) > 1}
    if both:
        rows = tuple(i for i, name in enumerate(collection.group) if name in both and collection.part[i] == "test")
        shown = ", ".join(sorted(both)[:_SHOWN])
        said = (
            f"{len(both):,} of {len(parts):,} groups stand in the test and in what is learned from "
            f"({_many(len(rows), 'test example')}): {shown}{_more(len(both))}."
        )
        hint = "A model that knows the speaker or patient already looks better than it is: split by group."
        yield Finding("group in two parts", "leak", len(both), said, rows, hint)


def _tells(collection: Collection, looks: dict[int, Look], good: NDArray[np.bool_]) -> Iterator[Finding]:
    """What a file says beside its content, where that alone tells the class better than chance."""
    rows = [row for row in np.flatnonzero(good).tolist() if collection.label[row] != UNKNOWN]
    labels = collection.label[rows]
    for tell in looks[rows[0]].tells if rows else ():
        values, codes = np.unique([looks[row].tells.get(tell, "") for row in rows], return_inverse=True)
        counts = np.bincount(codes)
        if len(values) == 1:
            continue
        common = ", ".join(f"{values[i]} ({counts[i]:,})" for i in np.argsort(-counts, kind="stable")[:3])
        common += ", ..." if len(values) > 3 else ""
        guessed = _guessed(codes, labels)
        random = np.random.default_rng(0)
        blind = float(np.mean([_guessed(codes, random.permutation(labels)) for _ in range(5)]))
        if guessed > blind + 0.1:
            said = f"the {tell} of the file alone tells the class of {guessed:.0%} (by chance {blind:.0%}): {common}."
            hint = "A model may learn that instead of what is to be seen or heard; look where the classes came from."
            yield Finding(f"{tell} tells the class", "leak", len(rows), said, (), hint)
        elif tell in ("rate", "channels"):
            said = f"there are {len(values)} different {tell}s: {common}."
            yield Finding(f"mixed {tell}s", "look", len(rows), said, (), "All are made one channel at 16,000 Hz.")


def _guessed(codes: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """The share of labels guessed right by saying the commonest label of each code."""
    table = np.zeros((int(codes.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (codes, labels), 1)
    return float(table.max(axis=1).sum()) / len(labels)


def _classes(collection: Collection, good: NDArray[np.bool_]) -> Iterator[Finding]:
    """Classes that are too small, lacking in a part, or far larger than others."""
    labelled = good & (collection.label != UNKNOWN)
    learned = labelled & (collection.part != "test")
    count = np.bincount(collection.label[learned], minlength=len(collection.classes))
    named = [f"{name} ({n})" for name, n in zip(collection.classes, count.tolist(), strict=True) if n < FEW]
    if named:
        said = f"classes with fewer than {FEW} examples to learn from: {', '.join(named[:10])}{_more(len(named), 10)}."
        hint = "Give more of them, or join or leave out the class."
        yield Finding("class too small", "look", len(named), said, (), hint)
    if len(collection.classes) == 1 and labelled.any():
        said = f"there is one class only ({collection.classes[0]}); there is nothing to tell apart."
        yield Finding("one class", "look", 1, said, (), "Give examples of a second class: of what it is not.")
    if len(count) > 1 and count.min() >= FEW and count.max() > 20 * count.min():
        names = collection.classes
        said = f"{names[count.argmax()]} has {count.max():,} examples, {names[count.argmin()]} only {count.min():,}."
        hint = "Judge by each class's own recall, not by the share that is right."
        yield Finding("uneven classes", "look", 2, said, (), hint)
    unknown = int((good & (collection.label == UNKNOWN)).sum())
    if unknown and collection.classes:
        said = f"{_many(unknown, 'example has', 'examples have')} no class."
        yield Finding("no class", "look", unknown, said, tuple(np.flatnonzero(good & ~labelled).tolist()))
    test = labelled & (collection.part == "test")
    if test.any():
        absent = np.bincount(collection.label[test], minlength=len(count)) == 0
        lacking = [name for name, is_absent in zip(collection.classes, absent.tolist(), strict=True) if is_absent]
        if lacking:
            said = f"classes without a test example: {', '.join(lacking[:10])}{_more(len(lacking), 10)}."
            yield Finding("class not measured", "look", len(lacking), said)


_SAID = {
    inspection.BLANK: ("one colour or silence: {}", ""),
    inspection.CLIPPED: ("the loudest parts are cut off: {}", "Record them again with less gain, if you can."),
    inspection.CUT: ("files that promise more than they hold: {}", "Copy them again; what is there is used."),
    inspection.SHORT: ("shorter than a tenth of a second: {}", "Listen to them: often they are slips."),
    inspection.REPLACED: ("not UTF-8, so letters were lost: {}", "Save the file as UTF-8 from where it came."),
    inspection.MISREAD: (
        "UTF-8 taken for Latin letters (Ã© for é): {}",
        "Read the original as UTF-8; now the same word may be two words.",
    ),
    inspection.CONTROLS: ("control characters: {}", "They are taken out before learning."),
    inspection.MARKUP: ("HTML in the text (&amp;, <br>): {}", "Take it out where the texts come from."),
}


def _odd(collection: Collection, looks: dict[int, Look], good: NDArray[np.bool_]) -> Iterator[Finding]:
    rows: dict[str, list[int]] = defaultdict(list)
    for row, look in looks.items():
        if good[row]:
            for word in look.odd:
                rows[word].append(row)
    if collection.kind == "sound":
        usual = float(np.median([look.seconds for look in looks.values()]))
        brief = [row for row, look in looks.items() if good[row] and 0.1 <= look.seconds < usual / 4]
        if brief:
            said = f"shorter than a quarter of the usual {usual:.2f} s: {_all(collection, brief)}."
            yield Finding("short", "look", len(brief), said, tuple(brief))
    for word, found in rows.items():
        said, hint = _SAID[word]
        yield Finding(word, "look", len(found), said.format(_all(collection, found)) + ".", tuple(found), hint)


def _all(collection: Collection, rows: Sequence[int]) -> str:
    """How many examples, and the first by name."""
    return f"{_many(len(rows), _CALLED[collection.kind])}, {', '.join(_name(collection, r) for r in rows[:_SHOWN])}" + (
        _more(len(rows))
    )


def _more(count: int, shown: int = _SHOWN) -> str:
    return ", ..." if count > shown else ""


def _many(count: int, one: str, many: str = "") -> str:
    """A number and what it counts.

    Examples
    --------
    >>> _many(1, "example"), _many(2_000, "example"), _many(2, "family", "families")
    ('1 example', '2,000 examples', '2 families')
    """
    plural = many or one + "s"
    return f"{count:,} {one if count == 1 else plural}"


def _in_order(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: WEIGHTS.index(finding.weight)))
