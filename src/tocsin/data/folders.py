"""Files of examples where they lie, in a folder or inside a zip archive: listed, read one at a time, never unpacked.

What a system leaves behind (``__MACOSX``, ``Thumbs.db``, names that begin with a dot) is passed over. A file is read whole
and at most ``LARGEST`` bytes of it, so that a small archive cannot fill the memory. This module does not know what is in a
file, nor what its name means.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tocsin.errors import BadInput, did_you_mean

LARGEST = 256 << 20
"""Bytes of one example, unpacked. A picture or a sound beyond it is refused: nothing sensible is that large."""

_MOST_FILES = 2_000_000
_RATIO = 200
"""Deflate makes at most a thousandth of zeros; pictures and sounds hardly shrink at all."""
_JUNK = {"__macosx", "thumbs.db", "desktop.ini", "@eadir", "$recycle.bin", "system volume information"}
_EDGE = 4096


class Files(Protocol):
    """Files that can be named and read, wherever they lie."""

    @property
    def source(self) -> str:
        """The folder or archive, as the user wrote it."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """Their paths inside it, with ``/``, sorted."""
        ...

    @property
    def bare(self) -> tuple[str, ...]:
        """Folders that hold nothing, by the same kind of path."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over, in words."""
        ...

    def read(self, name: str) -> bytes:
        """All bytes of a file; BadInput when it cannot be read."""
        ...

    def mark(self, name: str) -> tuple[int, int]:
        """Its size in bytes and a checksum, without reading all of it."""
        ...


@dataclass(frozen=True, slots=True)
class Folder:
    """Files in a folder of the disk and in the folders below it."""

    source: str
    names: tuple[str, ...]
    bare: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def read(self, name: str) -> bytes:
        """All bytes of a file; BadInput when it is gone, too large or not to be read."""
        path = Path(self.source, name)
        try:
            with path.open("rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise BadInput(f"cannot be read: {error.strerror or error}.", field=name) from error
        return _small_enough(data, name)

    def mark(self, name: str) -> tuple[int, int]:
        """Its size and the CRC-32 of its first and last 4 KiB; (0, 0) when it is gone."""
        try:
            with Path(self.source, name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                crc = zlib.crc32(file.read(_EDGE))
                if size > _EDGE:
                    file.seek(max(_EDGE, size - _EDGE))
                    crc = zlib.crc32(file.read(_EDGE), crc)
        except OSError:
            return 0, 0
        return size, crc


@dataclass(frozen=True, slots=True)
class Archive:
    """Files inside a zip, read in place."""

    source: str
    names: tuple[str, ...]
    bare: tuple[str, ...]
    notes: tuple[str, ...]
    _entries: dict[str, zipfile.ZipInfo]
    _opened: dict[int, zipfile.ZipFile] = field(default_factory=dict)

    def read(self, name: str) -> bytes:
        """All bytes of a file; BadInput when it is damaged, has a password or unpacks to far more than it may."""
        entry = self._entries.get(name)
        if entry is None:
            raise BadInput(f"there is no such file in {self.source}.", field=name)
        if entry.flag_bits & 1:
            raise BadInput("has a password.", field=name, hint="Unpack the archive with the password first.")
        small = entry.file_size <= _RATIO * max(entry.compress_size, 1) or entry.file_size <= 1 << 20
        if entry.file_size > LARGEST or not small:
            raise BadInput(
                f"unpacks from {entry.compress_size:,} to {entry.file_size:,} bytes; no picture, sound or text does.",
                field=name,
            )
        try:
            return _small_enough(self._archive().read(entry), name)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError) as error:
            raise BadInput(f"is damaged inside {self.source}: {error}.", field=name) from error

    def mark(self, name: str) -> tuple[int, int]:
        """Its size and CRC-32, as the archive's table of contents has them; (0, 0) when it is not there."""
        entry = self._entries.get(name)
        return (entry.file_size, entry.CRC) if entry else (0, 0)

    def _archive(self) -> zipfile.ZipFile:
        """Opened once a process, because two processes must not share a place in a file."""
        process = os.getpid()
        if process not in self._opened:
            self._opened.clear()
            self._opened[process] = zipfile.ZipFile(self.source)
        return self._opened[process]


def _small_enough(data: bytes, name: str) -> bytes:
    if len(data) > LARGEST:
        raise BadInput(f"an example must have at most {LARGEST >> 20} MiB; this file has more.", field=name)
    return data


def open_folder(path: Path) -> Folder:
    """List what lies in a folder, links to folders followed once.

    Raises
    ------
    BadInput : the folder cannot be read.
    """
    names: list[str] = []
    bare: list[str] = []
    odd: list[str] = []
    try:
        for folder, files, folders in _walk(path, "", {path.resolve()}, odd):
            names += [folder + name for name in files]
            if folder and not files and not folders:
                bare.append(folder.rstrip("/"))
    except OSError as error:
        raise BadInput(f"the folder {path} cannot be read: {error.strerror or error}.", field="data") from error
    said = ", ".join(map(repr, sorted(odd)[:5])) + (", ..." if len(odd) > 5 else "")
    notes = (f"passed over, no files but pipes, devices or links to nothing: {said}.",) if odd else ()
    return Folder(str(path), tuple(sorted(names)), tuple(sorted(bare)), notes)


def open_file(path: Path) -> Folder:
    """One file as a folder that holds it alone."""
    return Folder(str(path.parent), (path.name,))


def _walk(path: Path, folder: str, seen: set[Path], odd: list[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    """Folder by folder its files and folders; what is neither, and might never end when it is read, goes into ``odd``."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if not _is_junk(entry.name):
                (folders if entry.is_dir() else files if entry.is_file() else odd).append(entry.name)
    yield folder, files, folders
    for name in sorted(folders):
        below = path / name
        real = below.resolve()
        if real not in seen:
            yield from _walk(below, f"{folder}{name}/", seen | {real}, odd)


def _is_junk(name: str) -> bool:
    return name.startswith(".") or name.lower() in _JUNK


def open_archive(path: Path) -> Archive:
    """List what is in a zip archive; nothing is unpacked.

    Raises
    ------
    BadInput : it is no zip archive, is cut short, or every file in it has a password.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise BadInput(
            f"a zip archive must be whole, its table of contents stands at its end; {path.name} cannot be read.",
            field="data",
            hint="It was probably cut short on its way: copy it again.",
        ) from error
    if len(entries) > _MOST_FILES:
        raise BadInput(f"an archive must hold at most {_MOST_FILES:,} files; {path.name} names {len(entries):,}.")
    return _archive_of(str(path), entries)


def _archive_of(source: str, entries: list[zipfile.ZipInfo]) -> Archive:
    kept: dict[str, zipfile.ZipInfo] = {}
    folders: set[str] = set()
    twice = astray = locked = 0
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        pieces = name.rstrip("/").split("/")
        if any(_is_junk(piece) for piece in pieces if piece not in (".", "..")):
            continue
        if name.startswith("/") or ".." in pieces or ":" in pieces[0]:
            astray += 1
        elif name.endswith("/"):
            folders.add(name.rstrip("/"))
        else:
            name = "/".join(piece for piece in pieces if piece != ".")
            twice += name in kept
            locked += entry.flag_bits & 1
            kept[name] = entry
    if kept and locked == len(kept):
        raise BadInput(f"{source} has a password.", field="data", hint="Unpack it with the password first.")
    said = [
        (astray, "{} left out whose names lead out of the archive (.. or an absolute path)."),
        (twice, "{} named twice in the archive; the last one counts."),
    ]
    notes = tuple(text.format(f"{n:,} file{'' if n == 1 else 's'}") for n, text in said if n)
    above = {"/".join(name.split("/")[:depth]) for name in kept for depth in range(1, name.count("/") + 1)}
    bare = sorted(f for f in folders - above if not any(other.startswith(f + "/") for other in folders))
    return Archive(source, tuple(sorted(kept)), tuple(bare), notes, kept)


def must_be_there(path: Path) -> None:
    """Refuse a path that leads nowhere, naming what lies beside it.

    Raises
    ------
    BadInput : there is nothing at the path.
    """
    if path.exists():
        return
    if not path.parent.is_dir():
        raise BadInput(f"there is no folder {path.parent}.", field="data")
    beside = sorted(p.name for p in path.parent.iterdir() if not p.name.startswith("."))
    raise BadInput(f"there is no file or folder {path}.", field="data", hint=did_you_mean(path.name, beside))
