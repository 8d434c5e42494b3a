"""How to learn from examples: which way, which network, for how long, by which seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tocsin.errors import BadInput, did_you_mean

Way = Literal["scratch", "transfer", "extract", "plain"]
Into = Literal["svm", "logistic", "trees"]
WAYS: tuple[Way, ...] = ("scratch", "transfer", "extract", "plain")
INTO: tuple[Into, ...] = ("svm", "logistic", "trees")
AUGMENT = ("none", "crops", "flips", "turns")
"""Of pictures: as they are; cropped and coloured anew; mirrored, too; turned by quarters, too (seen from above)."""
LEAST_SIZE, MOST_SIZE = 16, 1024


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a person may say about how to learn; what is left out is chosen, and told in the notes.

    Parameters
    ----------
    way : ``scratch``, a network begun from nothing; ``transfer``, one that knows other things is taught these; ``extract``,
        what a layer of such a network says is learned on by something simpler; ``plain``, no network at all.
    network : a name of the registry. layer : whose word is taken (extract). into : what is learned on it.
    source : one of our own models to begin from, in place of a published network.
    augment : one of ``AUGMENT`` for pictures; ``none`` for any kind.
    epochs : of the last phase, at most; minutes : about how long the training of a network may take.
    size : pixels a side; for sounds milliseconds, for texts tokens.
    held_out : share of the examples that is kept for judging where no part is called test.
    folder : where a training's checkpoints are; None for none. cache : where what layers said is kept; None for the user's.
    words : whether the words of texts are counted beside a network where that helps.
    weights : where published weights lie; None for the user's cache.
    """

    way: Way | None = None
    network: str = ""
    layer: str = ""
    into: Into | None = None
    source: Path | None = None
    augment: str = ""
    seed: int = 0
    epochs: int | None = None
    minutes: float | None = None
    size: int | None = None
    held_out: float = 0.2
    folder: Path | None = None
    cache: Path | None = None
    words: bool = True
    weights: Path | None = None
    threads: int = 1
    name: str = ""

    def __post_init__(self) -> None:
        for field, value, known in (
            ("way", self.way, WAYS),
            ("into", self.into, INTO),
            ("augment", self.augment or None, AUGMENT),
        ):
            if value is not None and value not in known:
                raise BadInput(
                    f"--{field} must be {', '.join(known[:-1])} or {known[-1]}; got {value!r}.",
                    field=f"--{field}",
                    hint=did_you_mean(value, known),
                )
        if not 0 < self.held_out < 0.9:
            raise BadInput(f"the share held out lies between 0 and 0.9; got {self.held_out}.", field="--held-out")
        for field, number in (("epochs", self.epochs), ("minutes", self.minutes), ("threads", self.threads)):
            if number is not None and not number > 0:
                raise BadInput(f"must be more than 0; got {number}.", field=f"--{field}")
        if self.size is not None and self.size < 1:
            raise BadInput(f"must be at least 1; got {self.size}.", field="--size")
        self._check_way()

    def _check_way(self) -> None:
        """Options of one way are refused for the others, in words."""
        only: tuple[tuple[str, object, tuple[str, ...]], ...] = (
            ("--layer", self.layer, ("extract",)),
            ("--into", self.into, ("extract", "plain")),
            ("--from", self.source, ("transfer", "extract")),
            ("--network", self.network, ("scratch", "transfer", "extract")),
            ("--epochs", self.epochs, ("scratch", "transfer")),
            ("--minutes", self.minutes, ("scratch", "transfer")),
            ("--augment", self.augment, ("scratch", "transfer")),
            ("--no-words", not self.words, ("scratch", "transfer", "extract")),
        )
        for option, value, ways in only:
            if value and self.way is not None and self.way not in ways:
                raise BadInput(f"{option} is for --way {' or '.join(ways)}; got --way {self.way}.", field=option)
        if self.source is not None and self.network:
            raise BadInput(
                "a network comes --from a model or is a --network of the registry, not both.", field="--from"
            )
