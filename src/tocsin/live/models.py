"""The models of classes that answer: found by their folders' names, taken over anew when they are written anew."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from tocsin.artifact.seal import CARD, PAYMENTS, kind_of
from tocsin.errors import BadInput, NotFound, NotReady, TocsinError, did_you_mean

if TYPE_CHECKING:  # what reads pictures, sounds and texts is imported only where a model of them is served
    from tocsin.artifact.classes import Classifier

log = logging.getLogger("tocsin.live")
LOOK_EVERY_S = 1.0
_KEPT = re.compile(r"\.[0-9a-f]{12}$")
"""How the folder of a model ends that another was written over (:func:`tocsin.artifact.folder.kept_at`)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model by its name: what was read, from which writing of its card, and what is wrong with the newest."""

    path: Path
    stamp: tuple[int, int, int]
    model: Classifier | None
    problem: str | None


class Models:
    """Reads models when they are first asked for and once a second looks whether others lie there; safe from any thread.

    A model written over one that answers is taken over between two requests; one that cannot be used leaves the old one
    in its place and says so in the log.

    Parameters
    ----------
    places : directories: each a model of classes, or holding some, one a folder.
    """

    def __init__(self, places: Sequence[Path]) -> None:
        self._places = tuple(places)
        self._lock = threading.Lock()
        self._looked = -LOOK_EVERY_S
        self._entries: dict[str, Entry] = {}

    def __bool__(self) -> bool:
        """Whether there is any place where models may lie."""
        return bool(self._places)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all that lie there now, usable or not; nothing is read but their cards.

        Raises
        ------
        BadInput : a place is no directory, or two models would have one name.
        """
        return tuple(self._paths())

    def get(self, name: str) -> Classifier:
        """The model of a name.

        Raises
        ------
        NotFound : there is none; those there are, are named.
        NotReady : it cannot be used.
        """
        if self._places:
            self._look()
        entry = self._entries.get(name)
        if entry is None:
            raise NotFound(
                f"there is no model {name[:100]!r} here.", field="model", hint=did_you_mean(name, self._entries)
            )
        if entry.model is None:
            raise NotReady(f"the model {name} cannot be used: {entry.problem}", field="model")
        return entry.model

    def entries(self) -> dict[str, Entry]:
        """All models by their names, as they are now."""
        self._look()
        return dict(self._entries)

    def _look(self) -> None:
        """Once a second; while one thread looks, the others answer with what is there, if anything is."""
        if monotonic() - self._looked < LOOK_EVERY_S or not self._lock.acquire(blocking=not self._entries):
            return
        try:
            if monotonic() - self._looked >= LOOK_EVERY_S:
                self._entries = {name: self._entry(name, path) for name, path in self._paths().items()}
                self._looked = monotonic()
        finally:
            self._lock.release()

    def _entry(self, name: str, path: Path) -> Entry:
        from tocsin.artifact.classes import load

        before, stamp = self._entries.get(name), _stamp(path)
        if before is not None and before.stamp == stamp:
            return before
        try:
            model = load(path)
        except (TocsinError, OSError) as error:
            kept = before.model if before else None
            log.error("the model %s is not used%s: %s", name, ", the one before stays" if kept else "", error)
            return Entry(path, stamp, kept, str(error))
        log.info("the model %s answers as %s", model.version, name)
        return Entry(path, stamp, model, None)

    def _paths(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for place in self._places:
            for path in _models_in(place):
                if found.get(path.name, path) != path:
                    raise BadInput(
                        f"every model must have a name of its own; {found[path.name]} and {path} have one.",
                        field="models",
                        hint="Rename one of the folders.",
                    )
                found[path.name] = path
        return found


def _models_in(place: Path) -> Iterator[Path]:
    """The place itself if it is a model of classes, or the folders in it that are."""
    if not place.is_dir():
        raise BadInput(f"models must lie in a directory; {place} is none.", field="models")
    if (place / CARD).is_file():
        yield place.resolve()
        return
    for path in sorted(place.resolve().iterdir()):
        if not path.name.startswith(".") and not _KEPT.search(path.name) and (path / CARD).is_file():
            try:
                if kind_of(path) == PAYMENTS:
                    continue
            except TocsinError:
                pass  # it has a card that cannot be read: whoever asks for it is told
            yield path


def _stamp(path: Path) -> tuple[int, int, int]:
    """What changes when a card is written anew."""
    try:
        found = (path / CARD).stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
