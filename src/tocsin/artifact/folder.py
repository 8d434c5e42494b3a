"""Writing a model: all of its directory or nothing of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from tocsin.artifact.card import read_card
from tocsin.artifact.seal import CARD, PAYMENTS, AnyCard, kind_of, sealed, sha256, written
from tocsin.errors import BadInput, Damaged

_Card = TypeVar("_Card", bound=AnyCard)


def write(
    folder: str | Path, card: _Card, files: dict[str, bytes], *, also: Callable[[Path], None] | None = None
) -> _Card:
    """Write a model, of payments or of classes, as a directory, atomically; its card with fingerprints and version.

    Everything is written and flushed beside the place first and moved there in one step; a model already there is
    replaced whole, and kept beside (:func:`kept_at`), since a ledger may name it. Interrupted at any moment, there is the
    old model, the new one, or none; never half of one.

    Parameters
    ----------
    files : name -> content; each gets its fingerprint in the card.
    also : called with the unfinished directory, to put files there that are no part of the model (the memory, a report).

    Raises
    ------
    BadInput : the place is taken by something that is no model.
    """
    path = Path(folder).absolute()
    check_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        draft.chmod(0o755)
        for name, content in files.items():
            (draft / name).write_bytes(content)
        prints = {name: sha256(draft / name) for name in sorted(files)}
        done = sealed(msgspec.structs.replace(card, files=prints))
        (draft / CARD).write_bytes(written(done))
        if also is not None:
            also(draft)
        for file in draft.iterdir():
            _flush(file)
        _flush(draft)
        _put(draft, path, done.version)
        _flush(path.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return done


def check_free(path: Path, *, force: bool = True) -> None:
    """Refuse a place that is taken, before hours of learning; with ``force`` a model may be there.

    Raises
    ------
    BadInput : it is a file, a directory with other things in it, or a place that cannot be written.
    """
    if path.exists() and not path.is_dir():
        raise BadInput(f"a model is a directory; {path} is a file.", field="--out")
    if path.is_dir() and any(path.iterdir()) and not (path / CARD).is_file():
        raise BadInput(
            f"{path} is not empty and holds no model; it is left alone.", field="--out", hint="Name another directory."
        )
    if (path / CARD).is_file() and not force:
        raise BadInput(
            f"{path} holds a model, which a service may have in force; it is left alone.",
            field="--out",
            hint="Name another directory, or give --force: then the old one is kept beside it.",
        )
    near = next(parent for parent in path.absolute().parents if parent.exists())
    try:
        tempfile.TemporaryDirectory(dir=near).cleanup()
    except OSError as error:
        said = (error.strerror or str(error)).lower()
        raise BadInput(
            f"a model must go where we may write; {near} refuses: {said}.",
            field="--out",
            hint="Name another directory.",
        ) from None


def kept_at(path: str | Path, version: str) -> Path:
    """Where the model of this version lies since another was written over it: beside, named by the version's hash."""
    place = Path(path)
    return place.with_name(f"{place.name}.{version.rpartition('-')[2]}")


def _put(draft: Path, path: Path, version: str) -> None:
    """Move the finished draft to its place; a model of another version that is there is kept beside."""
    if not (path / CARD).is_file():
        if path.exists():
            path.rmdir()
        draft.rename(path)
        return
    there = _version_at(path)
    aside, doomed = kept_at(path, there), None
    if there == version or aside.exists():  # that model is kept already
        doomed = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
        aside = doomed / path.name
    path.rename(aside)
    try:
        draft.rename(path)
    except OSError:
        aside.rename(path)
        raise
    finally:
        if doomed is not None:
            shutil.rmtree(doomed, ignore_errors=True)


def _version_at(path: Path) -> str:
    try:
        if kind_of(path) == PAYMENTS:
            return read_card(path).version
        from tocsin.artifact.classes import read_classes_card  # reading payments needs none of what it imports

        return read_classes_card(path).version
    except Damaged:
        return f"damaged-{sha256(path / CARD)[:12]}"


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
