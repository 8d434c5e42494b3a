"""What the names of files say: which kind of example, of which class, of which part (train, val, test).

Understood are CLASS/FILE, PART/CLASS/FILE, CLASS/PART/FILE, PART/FILE and files side by side, with or without one folder
around it all. This module looks at names only and opens nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.errors import BadInput

KINDS = ("images", "sound", "text")
SUFFIXES: dict[str, str] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"), "images"),
    **dict.fromkeys((".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au"), "sound"),
    ".txt": "text",
}
"""The endings of files that are examples, in lower case, and the kind of each."""

PARTS: dict[str, str] = {
    **dict.fromkeys(("train", "training", "training_set", "train_set", "learn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validation_set", "val_set", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "test_set", "eval", "evaluation"), "test"),
}
"""How people call the three parts."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a name says of one example: its class ("" when it says none) and its part ("" when it says none)."""

    label: str
    part: str


def kind_of(name: str) -> str:
    """The kind of example a file is by the end of its name; "" when it is none.

    Examples
    --------
    >>> kind_of("train/cat/TOM.JPG"), kind_of("yes/1.opus"), kind_of("labels.csv")
    ('images', 'sound', '')
    """
    dot = name.rfind(".")
    return SUFFIXES.get(name[dot:].lower(), "") if dot > name.rfind("/") else ""


def part_of(word: str) -> str:
    """The part a word names, "" when it names none.

    Examples
    --------
    >>> part_of("Validation"), part_of("cats")
    ('val', '')
    """
    return PARTS.get(word.strip().lower(), "")


def choose_kind(names: Sequence[str], wanted: str | None, source: str) -> str:
    """The kind of a folder's examples: the one asked for, or the one that is there.

    Texts beside pictures or sounds are taken for notes about them (a README.txt), not for examples.

    Raises
    ------
    BadInput : nothing there is an example, or pictures and sounds stand side by side and none was asked for.
    """
    counts = Counter(kind for kind in map(kind_of, names) if kind)
    if wanted is not None:
        if not counts[wanted]:
            ends = ", ".join(end for end, kind in SUFFIXES.items() if kind == wanted)
            raise BadInput(f"{source} must hold {wanted}; no file in it ends in {ends}.", field="kind")
        return wanted
    if counts["images"] and counts["sound"]:
        raise BadInput(
            f"examples must be of one kind; {source} holds {counts['images']:,} pictures and {counts['sound']:,} sounds.",
            field="kind",
            hint="Say which: --kind images or --kind sound.",
        )
    for kind in KINDS:
        if counts[kind]:
            return kind
    endings = Counter(name.rsplit("/")[-1].rpartition(".")[2].lower() for name in names if "." in name.rsplit("/")[-1])
    got = ", ".join(f"{n:,} .{end}" for end, n in endings.most_common(3)) or "nothing"
    raise BadInput(
        f"{source} must hold pictures ({_ends('images')}), sounds ({_ends('sound')}) or texts (.txt, or a CSV or Parquet "
        f"with a column of texts or of file names); got {got}.",
        field="data",
    )


def _ends(kind: str) -> str:
    return " ".join(end for end, of in SUFFIXES.items() if of == kind)


def places(names: Sequence[str], source: str) -> list[Place]:
    """The class and the part of each file, from where it lies.

    A folder named train (or training), val (validation, dev) or test is a part when train is among them or nothing else
    is; so a class may be called "test" beside other classes.

    Raises
    ------
    BadInput : beside train and test stands another folder with examples.

    Examples
    --------
    >>> places(["train/cat/1.jpg", "test/dog/2.jpg"], "pets")
    [Place(label='cat', part='train'), Place(label='dog', part='test')]
    >>> places(["pets/cat/1.jpg", "pets/dog/2.jpg"], "pets.zip")
    [Place(label='cat', part=''), Place(label='dog', part='')]
    """
    folders = _unwrapped([name.split("/")[:-1] for name in names])
    tops = Counter(path[0] for path in folders if path)
    if _are_parts(tops):
        others = sorted(top for top in tops if not part_of(top))
        if others:
            raise BadInput(
                f"in {source} every folder beside train must be a part too (train, val, test); {others[0]!r} is none.",
                field="data",
                hint="Put it elsewhere, or give its path alone.",
            )
        return [Place(path[1] if len(path) > 1 else "", part_of(path[0]) if path else "") for path in folders]
    seconds = Counter(path[1] for path in folders if len(path) > 1)
    if _are_parts(seconds) and all(part_of(top) for top in seconds) and all(len(path) > 1 for path in folders):
        return [Place(path[0], part_of(path[1])) for path in folders]
    return [Place(path[0] if path else "", "") for path in folders]


def _are_parts(tops: Counter[str]) -> bool:
    named = [part_of(top) for top in tops]
    return bool(named) and ("train" in named or all(named))


def _unwrapped(folders: list[list[str]]) -> list[list[str]]:
    """Without the one folder that stands around all the others; a part is none."""
    while folders and all(len(path) > 1 for path in folders) and len({path[0] for path in folders}) == 1:
        if part_of(folders[0][0]):
            break
        folders = [path[1:] for path in folders]
    return folders
