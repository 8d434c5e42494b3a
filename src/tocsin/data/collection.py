"""Labelled examples of one kind (pictures, sounds or texts), read where they lie: a folder, a zip archive, a table.

A collection knows of each example its name, class, part and group; its bytes are read when they are asked for, so a
collection larger than the memory is no matter. It does not know what is in a picture, a sound or a text.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tocsin.data.arrangement import KINDS, choose_kind, kind_of, part_of, places
from tocsin.data.folders import Files, must_be_there, open_archive, open_file, open_folder
from tocsin.data.listing import Listing, is_index, is_table, listed, together
from tocsin.errors import BadInput, did_you_mean

__all__ = ["KINDS", "UNKNOWN", "Collection", "collect", "texts"]

UNKNOWN = -1
"""The label of an example whose class nobody has said."""


class Store(Protocol):
    """Where the examples are, by their row in the file or folder."""

    def read(self, row: int) -> bytes | str:
        """The example itself."""
        ...

    def mark(self, row: int) -> tuple[int, int]:
        """Its size and a checksum."""
        ...


@dataclass(frozen=True, slots=True)
class _Texts:
    texts: Sequence[str]

    def read(self, row: int) -> str:
        return self.texts[row]

    def mark(self, row: int) -> tuple[int, int]:
        data = self.texts[row].encode(errors="surrogatepass")
        return len(data), zlib.crc32(data)


@dataclass(frozen=True, slots=True)
class _Named:
    """Files; ``missing`` are the names a table gives that lead to none, each with why."""

    files: Files
    names: Sequence[str]
    missing: dict[str, str]
    texts: bool

    def read(self, row: int) -> bytes | str:
        name = self.names[row]
        if name in self.missing:
            raise BadInput(self.missing[name], field=name)
        data = self.files.read(name)
        return _decoded(data) if self.texts else data

    def mark(self, row: int) -> tuple[int, int]:
        return self.files.mark(self.names[row])


def _decoded(data: bytes) -> str:
    """A text file's text; what is not UTF-8 becomes U+FFFD, which the report of dirty data names."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    return data.decode("utf-8-sig", errors="replace")


@dataclass(frozen=True, slots=True, repr=False)
class Collection:
    """Examples of one kind.

    Parameters
    ----------
    kind : "images", "sound" or "text".
    classes : the names of the classes, sorted; numbers by their value.
    names : the path inside the folder or archive of each, or the number of its row.
    label : int64[n], the place of its class in ``classes``, UNKNOWN where there is none.
    part : str[n], "train", "val", "test" or "".
    group : who or what stands behind several examples (a speaker, a patient); "" for nobody.
    source : what was read, as the user wrote it.
    notes : what a reader should know of how it was read.
    """

    kind: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    label: NDArray[np.int64]
    part: NDArray[np.str_]
    group: tuple[str, ...]
    source: str
    _store: Store
    _rows: NDArray[np.int64]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Collection({self.source}: {len(self):,} {self.kind}, {len(self.classes)} classes)"

    def raw(self, i: int) -> bytes | str:
        """Example i as it was given: the bytes of a picture or a sound, or a text.

        Raises
        ------
        BadInput : it cannot be read; ``field`` is its name.
        """
        return self._store.read(int(self._rows[i]))

    def take(self, rows: ArrayLike) -> Collection:
        """Some of the examples, by their numbers (int[m]) or by a mask (bool[n]); the classes stay all."""
        chosen = np.asarray(rows)
        chosen = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.int64)
        return replace(
            self,
            names=tuple(self.names[i] for i in chosen.tolist()),
            label=self.label[chosen],
            part=self.part[chosen],
            group=tuple(self.group[i] for i in chosen.tolist()),
            _rows=self._rows[chosen],
        )

    def of_part(self, *parts: str) -> Collection:
        """The examples of one or more parts: ``of_part("train", "val")``; ``of_part("")`` are those of none."""
        return self.take(np.isin(self.part, parts))

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the kind, names, classes, parts, groups and each example's size and checksum.

        Of a file on disk the checksum covers its first and last 4 KiB, so that this stays quick.
        """
        digest = hashlib.sha256(repr((self.kind, self.classes)).encode(errors="surrogatepass"))
        for i, name in enumerate(self.names):
            mark = self._store.mark(int(self._rows[i]))
            said = (name, int(self.label[i]), str(self.part[i]), self.group[i], mark)
            digest.update(repr(said).encode(errors="surrogatepass"))
        return digest.hexdigest()


def collect(
    path: str | Path,
    *,
    kind: str | None = None,
    column: str | None = None,
    label: str | None = None,
    split: str | None = None,
    group: str | None = None,
) -> Collection:
    """Find the examples of a folder, a zip archive, a table or a single file.

    Parameters
    ----------
    path : a folder or a zip (CLASS/FILE, PART/CLASS/FILE, or files side by side; with a table called index, labels or
        metadata in it, what that says); a CSV, TSV, JSON lines or Parquet with a column of texts or of file names; one file.
    kind : one of ``KINDS``, where a folder holds pictures and sounds.
    column, label, split, group : the table's columns with the texts or file names, the class, the part (``fold=9`` takes
        the rows with 9 as the test) and the group, where their names do not say it.

    Raises
    ------
    BadInput : nothing is there, nothing in it is an example, or a column is not there.
    """
    path = Path(path)
    if kind is not None and kind not in KINDS:
        raise BadInput(
            f"must be one of {', '.join(KINDS)}; got {kind!r}.", field="kind", hint=did_you_mean(kind, KINDS)
        )
    must_be_there(path)
    told = {"column": column, "label": label, "split": split, "group": group}
    if path.is_dir():
        return _of_files(open_folder(path), str(path), kind, told)
    if path.suffix.lower() == ".zip" or (
        not is_table(path.name) and not kind_of(path.name) and zipfile.is_zipfile(path)
    ):
        return _of_files(open_archive(path), str(path), kind, told)
    if kind_of(path.name):
        return _of_files(open_file(path), str(path), kind, told)
    from tocsin.data.files import read_rows  # what reads tables takes a second of a processor to load

    listing = listed(read_rows(path), path.name, kind=kind, **told)
    if listing.kind == "text":
        return _of_texts(listing, str(path))
    return _of_listing(listing, open_folder(path.parent), str(path))


def texts(given: Sequence[str], *, source: str = "texts") -> Collection:
    """A collection of texts without classes, from memory.

    Examples
    --------
    >>> given = texts(["ring", "the bell"])
    >>> len(given), given.raw(1), given.label.tolist()
    (2, 'the bell', [-1, -1])
    """
    names = tuple(str(number) for number in range(1, len(given) + 1))
    return _of_texts(Listing(tuple(given), "text", None, None, None, names, ()), source)


def _of_files(files: Files, source: str, kind: str | None, told: dict[str, str | None]) -> Collection:
    listing = _listing_in(files, source, kind, told)
    if listing is not None:
        return _of_texts(listing, source) if listing.kind == "text" else _of_listing(listing, files, source)
    given = next((word for word, value in told.items() if value is not None), None)
    if given:
        raise BadInput(
            f"names a column, and {source} has no table.",
            field=given,
            hint="Put one called index.csv beside the files, with a column file.",
        )
    kind = choose_kind(files.names, kind, source)
    names = [name for name in files.names if kind_of(name) == kind]
    found = places(names, source)
    return _made(
        _Named(files, names, {}, kind == "text"),
        kind,
        names,
        [place.label for place in found],
        [place.part for place in found],
        [""] * len(names),
        source,
        (*files.notes, *_left_out(files, names)),
    )


def _listing_in(files: Files, source: str, kind: str | None, told: dict[str, str | None]) -> Listing | None:
    """What the tables of a folder list: the one called index, or, where no example lies there, one alone or one a part."""
    tables = [name for name in files.names if is_table(name)]
    indexes = [name for name in tables if is_index(name)]
    if not tables or (not indexes and any(kind_of(name) for name in files.names)):
        return None
    from tocsin.data.files import read_named

    parts = {name: part_of(name.rsplit("/")[-1].split(".")[0]) for name in tables}
    if not indexes and len(tables) > 1 and all(parts.values()):
        each = [listed(read_named(files.read(t), t), f"{t} in {source}", kind=kind, **told) for t in tables]
        return together(each, tables, [parts[name] for name in tables])
    chosen = indexes[0] if indexes else tables[0] if len(tables) == 1 else None
    if chosen is None:
        return None
    return listed(read_named(files.read(chosen), chosen), f"{chosen} in {source}", kind=kind, **told)


def _left_out(files: Files, names: Sequence[str]) -> list[str]:
    """What lies there and is no example, in words."""
    notes = []
    if files.bare:
        shown = ", ".join(repr(name) for name in files.bare[:5])
        notes.append(f"empty folders, no class is made of them: {shown}{', ...' if len(files.bare) > 5 else ''}.")
    others = Counter(name.rsplit("/")[-1].rpartition(".")[2] for name in set(files.names) - set(names))
    if others:
        said = ", ".join(f"{count:,} .{end}" for end, count in others.most_common(5))
        notes.append(f"files that are no examples of this kind were passed over: {said}.")
    return notes


def _of_texts(listing: Listing, source: str) -> Collection:
    blank = ("",) * len(listing.what)
    return _made(
        _Texts(listing.what),
        "text",
        listing.names,
        listing.label or blank,
        listing.part or blank,
        listing.group or blank,
        source,
        listing.notes,
    )


def _of_listing(listing: Listing, files: Files, source: str) -> Collection:
    """Rows that name files: found by their path, or by a last name that only one file has, with or without its ending."""
    kind = listing.kind
    there = {name for name in files.names if kind_of(name) == kind}
    by_last = _by_last_name(there)
    names: list[str] = []
    missing: dict[str, str] = {}
    for row, given in zip(listing.names, listing.what, strict=True):
        name = given.strip().replace("\\", "/").removeprefix("./")
        outside = name.startswith("/") or ".." in name.split("/")
        found = name if name in there else None if outside else by_last.get(name.rsplit("/", 1)[-1])
        if found is None:
            found = name or f"row {row}"
            missing[found] = (
                "leads out of the folder of the table that names it."
                if outside
                else "is named by the table, and no such file lies beside it."
                if name
                else "names no file."
            )
        names.append(found)
    if len(missing) == len(set(names)):
        example = next(iter(missing))
        raise BadInput(
            f"the files that a table names must lie beside it; not one of {len(names):,} does, as {example!r}.",
            field="column",
            hint="Put the table into the folder that the names begin in.",
        )
    found_places = places([name if name not in missing else "" for name in names], source)
    return _made(
        _Named(files, names, missing, False),
        kind,
        names,
        listing.label or [place.label for place in found_places],
        listing.part or [place.part for place in found_places],
        listing.group or [""] * len(names),
        source,
        (*files.notes, *listing.notes),
    )


def _by_last_name(names: set[str]) -> dict[str, str]:
    """The path of each file by its name without folders, and without its ending too, where only one bears it."""
    found: dict[str, str] = {}
    several: set[str] = set()
    for name in names:
        last = name.rsplit("/", 1)[-1]
        for key in {last, last.rpartition(".")[0]}:
            if key in found:
                several.add(key)
            found[key] = name
    return {key: name for key, name in found.items() if key not in several}


def _made(
    store: Store,
    kind: str,
    names: Sequence[str],
    labels: Sequence[str],
    parts: Sequence[str],
    groups: Sequence[str],
    source: str,
    notes: tuple[str, ...],
) -> Collection:
    labels = [_legible(label.strip()) for label in labels]
    classes = _in_order({label for label in labels if label})
    place = {name: i for i, name in enumerate(classes)}
    return Collection(
        kind=kind,
        classes=classes,
        names=tuple(map(_legible, names)),
        label=np.asarray([place.get(label, UNKNOWN) for label in labels], np.int64),
        part=np.asarray(parts, dtype="<U5"),
        group=tuple(map(_legible, groups)),
        source=_legible(source),
        _store=store,
        _rows=np.arange(len(names), dtype=np.int64),
        notes=notes,
    )


def _legible(name: str) -> str:
    """A name as it may stand in a card or a report: bytes of a file's name that are no UTF-8 are shown as such.

    Examples
    --------
    >>> _legible("caf\\udce9")
    'caf\\\\udce9'
    """
    return name if name.isascii() else name.encode(errors="backslashreplace").decode()


def _in_order(classes: set[str]) -> tuple[str, ...]:
    """Sorted, and by their value when all are whole numbers.

    Examples
    --------
    >>> _in_order({"10", "9"}), _in_order({"dog", "cat"})
    (('9', '10'), ('cat', 'dog'))
    """
    if all(name.lstrip("-").isdecimal() for name in classes):
        return tuple(sorted(classes, key=int))
    return tuple(sorted(classes))
