"""The seal of a model's card, whatever the model reads: its version, its one writing, and the fingerprint of every file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from tocsin.errors import BadInput, Damaged

CARD = "model.json"
PAYMENTS = "payments"
"""What a card without a ``kind`` is about: it has been written so since before there were others."""


class AnyCard(msgspec.Struct, frozen=True, kw_only=True):
    """What every card has, whatever the model reads; it is sealed, written and read by these alone.

    A card declares them itself, in its own place: the order of its fields is part of its version.
    """

    if TYPE_CHECKING:
        name: str
        files: dict[str, str]
        format: int
        version: str


_Card = TypeVar("_Card", bound=AnyCard)


def sealed(card: _Card) -> _Card:
    """The card with its version: the name and the first 12 hex digits of the hash of everything else in it."""
    bare = msgspec.structs.replace(card, version="")
    digest = hashlib.sha256(msgspec.json.encode(bare, order="deterministic")).hexdigest()
    return msgspec.structs.replace(card, version=f"{card.name}-{digest[:12]}")


def written(card: AnyCard) -> bytes:
    """The card as its file holds it: keys in order, so that one card has one writing."""
    return msgspec.json.format(msgspec.json.encode(card, order="deterministic"), indent=2)


def sha256(path: Path) -> str:
    """The fingerprint of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def kind_of(folder: Path) -> str:
    """What the model in a directory reads: ``payments``, ``images``, ``sound`` or ``text``. Only its card is looked at.

    Raises
    ------
    Damaged : there is no card that can be read.
    """
    return _kind_in(_content(folder), folder / CARD)


def read_sealed(folder: Path, card_type: type[_Card], wanted: int) -> _Card:
    """Read and check a card of one type, and every file it names.

    Parameters
    ----------
    wanted : the format that this version of Tocsin writes.

    Raises
    ------
    Damaged : names the file that is missing or differs from its fingerprint.
    """
    path, content = folder / CARD, _content(folder)
    found = _decoded(content, path).get("format")
    if found != wanted:
        raise Damaged(f"{path} must have format {wanted}; got {found}.", hint="Learn it again, or upgrade.")
    try:
        card = msgspec.json.decode(content, type=card_type)
    except (msgspec.DecodeError, BadInput) as error:
        raise Damaged(f"{path} is not a model's card: {error}.", field=CARD) from error
    if sealed(card).version != card.version or written(card) != content:
        raise Damaged(f"{path} was changed after it was written: its version does not fit.", field=CARD)
    for name, expected in card.files.items():
        file = folder / name
        if Path(name).name != name or not file.is_file():
            raise Damaged(f"the model in {folder} must have the file {name}; it is missing.", field=name)
        if sha256(file) != expected:
            raise Damaged(f"{file} differs from its fingerprint in {CARD}.", field=name, hint="Copy the model again.")
    return card


def _content(folder: Path) -> bytes:
    try:
        return (folder / CARD).read_bytes()
    except OSError as error:
        raise Damaged(
            f"a model must be a directory with {CARD}; {folder} has none that can be read.",
            hint="Make one with `tocsin learn`.",
        ) from error


def _decoded(content: bytes, path: Path) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise Damaged(f"{path} is not a model's card: {error}.", field=CARD) from error
    if not isinstance(found, dict):
        raise Damaged(f"{path} is not a model's card: it is no object.", field=CARD)
    return found


def _kind_in(content: bytes, path: Path) -> str:
    return str(_decoded(content, path).get("kind", PAYMENTS))
