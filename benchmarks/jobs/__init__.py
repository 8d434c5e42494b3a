"""A benchmark's jobs by their names, one after another: one that fails says why, and the others go on."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from typing import Protocol, TypeVar


class Named(Protocol):
    """What has a name, such as ``main-*`` finds."""

    @property
    def name(self) -> str:
        """What it is called on the command line."""
        ...


Job = TypeVar("Job", bound=Named)


def chosen(jobs: Iterable[Job], patterns: Sequence[str]) -> list[Job]:
    """The jobs whose names fit one of the patterns, all of them where there is none.

    Raises
    ------
    SystemExit : no name fits.
    """
    every = list(jobs)
    found = [job for job in every if not patterns or any(fnmatch(job.name, pattern) for pattern in patterns)]
    if not found:
        raise SystemExit(f"No such job. There are: {', '.join(job.name for job in every)}")
    return found


def failed(jobs: Iterable[Job], do: Callable[[Job], object]) -> list[str]:
    """Do all jobs; the names of those that failed."""
    names = []
    for job in jobs:
        try:
            do(job)
        except Exception:
            traceback.print_exc()
            names.append(job.name)
    return names
