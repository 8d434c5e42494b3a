"""Each kind of thing that may be wrong with a collection, found from what was seen of its examples, and said in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tocsin.data import inspection
from tocsin.data.collection import UNKNOWN, Collection
from tocsin.data.inspection import Look

WEIGHTS = ("left out", "leak", "doubt", "look")
"""How bad a finding is, the worst first."""

FEW = 10
"""Fewer examples of a class than these to learn from: nothing that can be relied on is learned of it."""

CALLED = {"images": "picture", "sound": "sound", "text": "text"}
_SHOWN = 5


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
    shown : the first few of them, by name.
    hint : the way out, in a sentence; "" when there is none.
    """

    kind: str
    weight: str
    count: int
    said: str
    rows: tuple[int, ...] = ()
    shown: tuple[str, ...] = ()
    hint: str = ""


def left_out(collection: Collection, why: dict[int, str]) -> Iterator[Finding]:
    """Examples that cannot be read, or in which there is nothing."""
    if why:
        rows = tuple(sorted(why))
        shown = tuple(f"{name_of(collection, row)}: {why[row]}" for row in rows[:_SHOWN])
        said = f"{many(len(why), CALLED[collection.kind])} cannot be used."
        yield Finding("unreadable", "left out", len(why), said, rows, shown)


def copies(
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
            f"{many(len(conflict), 'family', 'families')} of copies or near-copies with different classes, {len(equal):,} "
            "of them with exact copies."
        )
        every = tuple(row for rows in conflict for row in rows)
        pairs = [_differing(collection, rows, same) for rows in [*equal, *(r for r in conflict if r not in equal)]]
        shown, hint = _families(collection, pairs, classes=True), "At most one label of a family is right."
        yield Finding("same, other class", "doubt", len(conflict), said, every, shown, hint)
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
            f"{many(within, 'example is', 'examples are')} a copy or near-copy of another in the same part "
            f"({exact:,} exact)."
        )
        every = tuple(row for rows in together for row in rows)
        hint = "They are kept; whoever divides them into parts should keep a family together."
        yield Finding("copies", "look", within, said, every, _families(collection, together), hint)


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
                f"learned from ({exact:,} exact)."
            )
            left = int(leaking[[row for rows in found for row in rows]].sum())
            hint = (
                "Measured on them, a model looks better than it is; learning leaves out "
                f"{many(left, 'example', 'examples')} for it."
            )
            every = tuple(row for family in found for row in family)
            yield Finding(f"in {judged} too", "leak", measured, said, every, _families(collection, found), hint)


def _differing(collection: Collection, rows: list[int], same: NDArray[np.int64]) -> list[int]:
    """Two of a family with different classes, exact copies where there are such."""
    pairs = [(a, b) for a in rows[:50] for b in rows[:50] if a < b and collection.label[a] != collection.label[b]]
    return [*min(pairs, key=lambda pair: same[pair[0]] != same[pair[1]])] if pairs else rows[:2]


def _families(collection: Collection, families: list[list[int]], *, classes: bool = False) -> tuple[str, ...]:
    """The first two of the first few families, with their classes where those matter."""
    return tuple(
        " = ".join(
            name_of(collection, row) + (f" [{collection.classes[collection.label[row]]}]" if classes else "")
            for row in rows[:2]
        )
        for rows in families[:_SHOWN]
    )


def name_of(collection: Collection, row: int) -> str:
    """A file's name; a text's row and first words."""
    if collection.kind != "text":
        return collection.names[row]
    words = str(collection.raw(row)).strip()
    return f"{collection.names[row]} ({words[:40]}{'...' if len(words) > 40 else ''})"


def groups(collection: Collection, good: NDArray[np.bool_]) -> Iterator[Finding]:
    """Speakers or patients that are learned from and measured on."""
    parts: dict[str, set[str]] = defaultdict(set)
    for row in np.flatnonzero(good).tolist():
        if collection.group[row]:
            parts[collection.group[row]].add(str(collection.part[row]))
    both = {name for name, seen in parts.items() if "test" in seen and len(seen) > 1}
    if both:
        rows = tuple(i for i, name in enumerate(collection.group) if name in both and collection.part[i] == "test")
        said = (
            f"{len(both):,} of {len(parts):,} groups stand in the test and in what is learned from, with "
            f"{many(len(rows), 'test example')}."
        )
        hint = "A model that knows the speaker or patient already looks better than it is: split by group."
        yield Finding("group in two parts", "leak", len(both), said, rows, tuple(sorted(both)[:_SHOWN]), hint)


def tells(collection: Collection, looks: dict[int, Look], good: NDArray[np.bool_]) -> Iterator[Finding]:
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
            yield Finding(f"{tell} tells the class", "leak", len(rows), said, hint=hint)
        elif tell in ("rate", "channels"):
            several = {"rate": "rates", "channels": "numbers of channels"}[tell]
            said = f"there are {len(values)} different {several}: {common}."
            yield Finding(
                f"mixed {tell.removesuffix('s')}s",
                "look",
                len(rows),
                said,
                hint="All are made one channel at 16,000 Hz.",
            )


def _guessed(codes: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
    """The share of labels guessed right by saying the commonest label of each code."""
    table = np.zeros((int(codes.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (codes, labels), 1)
    return float(table.max(axis=1).sum()) / len(labels)


def classes(collection: Collection, good: NDArray[np.bool_]) -> Iterator[Finding]:
    """Classes that are too small, lacking in a part, or far larger than others."""
    labelled = good & (collection.label != UNKNOWN)
    learned = labelled & (collection.part != "test")
    count = np.bincount(collection.label[learned], minlength=len(collection.classes))
    named = [f"{name} ({n})" for name, n in zip(collection.classes, count.tolist(), strict=True) if n < FEW]
    if named:
        said = f"classes with fewer than {FEW} examples to learn from: {', '.join(named[:10])}{_more(len(named), 10)}."
        hint = "Give more of them, or join or leave out the class."
        yield Finding("class too small", "look", len(named), said, hint=hint)
    spelt: dict[str, list[str]] = defaultdict(list)
    for name in collection.classes:
        spelt[" ".join(name.casefold().replace("_", " ").split())].append(name)
    alike = [" = ".join(map(repr, names)) for names in spelt.values() if len(names) > 1]
    if alike:
        said = f"{many(len(alike), 'class is', 'classes are')} spelt in several ways."
        yield Finding(
            "class names alike", "look", len(alike), said, shown=tuple(alike[:_SHOWN]), hint="Make one of them."
        )
    if len(collection.classes) == 1 and labelled.any():
        said = f"there is one class only ({collection.classes[0]}); there is nothing to tell apart."
        yield Finding("one class", "look", 1, said, hint="Give examples of a second class: of what it is not.")
    if len(count) > 1 and count.min() >= FEW and count.max() > 20 * count.min():
        names = collection.classes
        said = f"{names[count.argmax()]} has {count.max():,} examples, {names[count.argmin()]} only {count.min():,}."
        hint = "Judge by each class's own recall, not by the share that is right."
        yield Finding("uneven classes", "look", 2, said, hint=hint)
    unknown = int((good & (collection.label == UNKNOWN)).sum())
    if unknown and collection.classes:
        said = f"{many(unknown, 'example has', 'examples have')} no class."
        yield Finding("no class", "look", unknown, said, tuple(np.flatnonzero(good & ~labelled).tolist()))
    test = labelled & (collection.part == "test")
    if test.any():
        absent = np.bincount(collection.label[test], minlength=len(count)) == 0
        lacking = [name for name, is_absent in zip(collection.classes, absent.tolist(), strict=True) if is_absent]
        if lacking:
            said = f"classes without a test example: {', '.join(lacking[:10])}{_more(len(lacking), 10)}."
            yield Finding("class not measured", "look", len(lacking), said)


_SAID = {
    inspection.BLANK: ("{} of one colour, or silent.", ""),
    inspection.CLIPPED: ("{} whose loudest parts are cut off.", "Record them again with less gain, if you can."),
    inspection.CUT: ("{} whose file promises more than it holds.", "Copy them again; what is there is used."),
    inspection.SHORT: ("{} shorter than a tenth of a second.", "Listen to them: often they are slips."),
    inspection.MISSING: ("{} of nan, null or none alone.", "A program wrote them for nothing; leave the rows out."),
    inspection.REPLACED: ("{} not in UTF-8, so letters were lost.", "Save the file as UTF-8 from where it came."),
    inspection.MISREAD: (
        "{} in which UTF-8 was taken for Latin letters (Ã© for é).",
        "Read the original as UTF-8; now the same word may be two words.",
    ),
    inspection.CONTROLS: ("{} with control characters.", "They are taken out before learning."),
    inspection.MARKUP: ("{} with HTML in it (&amp;, <br>).", "Take it out where the texts come from."),
}


def odd(collection: Collection, looks: dict[int, Look], good: NDArray[np.bool_]) -> Iterator[Finding]:
    """What is odd in single examples that can be used all the same."""
    rows: dict[str, list[int]] = defaultdict(list)
    for row, look in looks.items():
        if good[row]:
            for word in look.odd:
                rows[word].append(row)
    if collection.kind == "sound":
        usual = float(np.median([look.seconds for look in looks.values()]))
        brief = [row for row, look in looks.items() if good[row] and 0.1 <= look.seconds < usual / 4]
        if brief:
            said = f"{many(len(brief), 'sound')} shorter than a quarter of the usual {usual:.2f} s."
            yield Finding("short", "look", len(brief), said, tuple(brief), _first(collection, brief))
    for word, found in rows.items():
        said, hint = _SAID[word]
        said = said.format(many(len(found), CALLED[collection.kind]))
        yield Finding(word, "look", len(found), said, tuple(found), _first(collection, found), hint)


def _first(collection: Collection, rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(name_of(collection, row) for row in rows[:_SHOWN])


def _more(count: int, shown: int = _SHOWN) -> str:
    return ", ..." if count > shown else ""


def many(count: int, one: str, many: str = "") -> str:
    """A number and what it counts.

    Examples
    --------
    >>> many(1, "example"), many(2_000, "example"), many(2, "family", "families")
    ('1 example', '2,000 examples', '2 families')
    """
    plural = many or one + "s"
    return f"{count:,} {one if count == 1 else plural}"
