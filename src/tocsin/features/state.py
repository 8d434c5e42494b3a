"""Features' small saved state: settings and arrays in one NumPy archive, nothing pickled."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from tocsin.errors import Damaged

SETTINGS = "settings"
Settings = TypeVar("Settings", bound=msgspec.Struct)


def packed(settings: msgspec.Struct, arrays: Mapping[str, NDArray[Any]] | None = None) -> bytes:
    """Settings as JSON beside arrays, in the bytes of an ``.npz``; the same content gives the same bytes."""
    file = io.BytesIO()
    words = np.frombuffer(msgspec.json.encode(settings), dtype=np.uint8)
    np.savez(file, allow_pickle=False, **{SETTINGS: words}, **(arrays or {}))
    return file.getvalue()


def unpacked(state: bytes, kind: type[Settings]) -> tuple[Settings, dict[str, NDArray[Any]]]:
    """What :func:`packed` was given.

    Raises
    ------
    Damaged : it is no such archive, or its settings are of something else.
    """
    try:
        with np.load(io.BytesIO(state), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return msgspec.json.decode(arrays.pop(SETTINGS).tobytes(), type=kind), arrays
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile, msgspec.MsgspecError) as error:
        raise Damaged(f"must be an archive of features with their settings; it is not: {error}.") from error
