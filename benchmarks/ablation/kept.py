"""Everything worked out is kept, so that a killed run goes on where it was and cells share what they have in common."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUICK = os.environ.get("QUICK") == "1"
FOLDER = Path(os.environ.get("TOCSIN_ABLATIONS", "runs/ablations")) / ("quick" if QUICK else "")
PIECES = FOLDER / "pieces"


def named(*what: object) -> str:
    """A short name for settings: the same settings, the same name; others, another."""
    return blake2b(repr(what).encode(), digest_size=8).hexdigest()


def array(name: str, *settings: object, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
    """The array of that name for those settings: read, or else made and written whole."""
    path = PIECES / f"{name}-{named(name, *settings)}.npy"
    if path.exists():
        return np.load(path)
    began = time.monotonic()
    value = make()
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    with draft.open("wb") as file:
        np.save(file, value)
    draft.replace(path)
    say(f"{name}: {time.monotonic() - began:.0f} s")
    return value


def read(path: Path) -> dict[str, Any] | None:
    """A record, or None."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def write(path: Path, record: dict[str, Any]) -> None:
    """A record, whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.draft")
    draft.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draft.replace(path)


def say(line: str) -> None:
    """Progress, for whoever watches; the table comes at the end."""
    print(f"    {time.strftime('%H:%M:%S')} {line}", flush=True)
