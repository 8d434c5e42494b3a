"""The card of a model: what it is, what it learned from, how well it did, and the fingerprint of every file."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import msgspec

from tocsin.errors import BadInput, Damaged
from tocsin.measure.calibration import Calibration
from tocsin.measure.policy import Policy

FORMAT = 2
"""Raised when cards are written otherwise; 2 since there are networks."""
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


class StageCard(msgspec.Struct, frozen=True, kw_only=True):
    """One exit: its name, how many columns and trees (from the first) it uses, and its calibration."""

    name: str
    columns: int
    trees: int
    calibration: Calibration


class LearnedFrom(msgspec.Struct, frozen=True, kw_only=True):
    """What the model saw. Times are ISO 8601 in UTC; nothing from ``until`` on was looked at while learning."""

    data: str
    rows: int
    frauds: int
    fraud_rate: float
    first: str
    last: str
    trees_rows: int
    calibration_rows: int
    calibration_frauds: int
    refitted: bool
    until: str = ""


class Card(AnyCard, frozen=True, kw_only=True):
    """Everything about a model that is not in its other files.

    ``base`` is the log-odds of fraud among the payments it was calibrated on; the shares of the stages start there.
    ``measured`` holds what was measured on payments the model never saw. ``files`` maps each file to its SHA-256.
    ``version`` is the name and the hash of all of this.
    """

    name: str
    way: Literal["trees", "anomaly", "network"]
    inputs: tuple[str, ...]
    plan: str
    stages: tuple[StageCard, ...]
    base: float
    policy: Policy
    learned: LearnedFrom
    measured: dict[str, float] = {}
    settings: dict[str, float | int | str | bool | None] = {}
    libraries: dict[str, str] = {}
    anomaly: AnomalyCard | None = None
    surprise: SurpriseCard | None = None
    network: NetworkCard | None = None
    files: dict[str, str] = {}
    format: int = FORMAT
    version: str = ""


class AnomalyCard(msgspec.Struct, frozen=True, kw_only=True):
    """How rows are made ready for the isolation forest: which columns, and what stands in for a missing value."""

    columns: tuple[int, ...]
    fill: tuple[float, ...]


class SurpriseCard(msgspec.Struct, frozen=True, kw_only=True):
    """What the surprise reads and what is usual.

    ``history`` payments before this one; ``usual`` nats of a payment's gap, hour, kind and amount where it was learned.
    """

    history: int
    usual: tuple[float, float, float, float]


class NetworkCard(msgspec.Struct, frozen=True, kw_only=True):
    """How the network stands on the trees.

    ``trees`` turn the trees' margin after each stage into the log-odds the network starts from; ``correction`` is how much of
    what the network then says is believed, 0 (nothing: the trees' own score) to 1; ``history`` payments before this one
    are read, 0 for none. What comes out is calibrated stage by stage like any margin (:class:`StageCard`).
    """

    trees: tuple[Calibration, ...]
    correction: float
    history: int


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


def read_card(folder: Path) -> Card:
    """Read and check the card of a model of payments and every file it names.

    Raises
    ------
    Damaged : names the file that is missing or differs from its fingerprint.
    BadInput : the model is one of classes.
    """
    kind = kind_of(folder)
    if kind != PAYMENTS:
        raise BadInput(
            f"{folder} holds a model of {kind}, which names classes; a model of payments is needed here.",
            field="model",
            hint=f"`tocsin predict {folder} FILE` asks it.",
        )
    return read_sealed(folder, Card, FORMAT)


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
