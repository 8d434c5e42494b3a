"""The card of a model of payments: what it is, what it learned from, how well it did, and the fingerprint of every file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from tocsin.artifact.seal import PAYMENTS, AnyCard, kind_of, read_sealed
from tocsin.errors import BadInput
from tocsin.measure.calibration import Calibration
from tocsin.measure.policy import Policy

FORMAT = 2
"""Raised when cards are written otherwise; 2 since there are networks."""


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
    measured: dict[str, float] = msgspec.field(default_factory=dict)
    settings: dict[str, float | int | str | bool | None] = msgspec.field(default_factory=dict)
    libraries: dict[str, str] = msgspec.field(default_factory=dict)
    anomaly: AnomalyCard | None = None
    surprise: SurpriseCard | None = None
    network: NetworkCard | None = None
    files: dict[str, str] = msgspec.field(default_factory=dict)
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
