"""What the training loop is given and what it gives back: a task, the settings, the epochs as they went."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from tocsin.errors import BadInput

if TYPE_CHECKING:  # the settings are read where no network is trained
    from torch import Tensor, nn

Told = Callable[[str, float], None]
"""Who is told what is being done and the share of it that is done, 0 to 1."""


def silent(_what: str, _share: float) -> None:
    """Nobody is told."""


class Task(Protocol):
    """What is to be learned: a network, its rows, its loss, its judge.

    All that the network learns must be in its parameters and persistent buffers; both methods reach it by ``model`` and
    compute where its parameters are.
    """

    @property
    def model(self) -> nn.Module:
        """The network; afterwards it has the best weights."""

    @property
    def fingerprint(self) -> str:
        """Tells this data and this network from any other; a checkpoint of another one is refused."""

    def rows(self, epoch: int) -> Any:
        """int64[m]: the rows to visit in this epoch (1 is the first), in any order; always the same for an epoch."""

    def loss(self, rows: Tensor) -> Tensor:
        """The mean loss of these rows (int64[n], on the CPU); randomness only from the default generators."""

    def judge(self) -> float:
        """The loss on rows never trained on, lower is better; called without gradients, in evaluation mode."""


def pace_of(task: Task) -> Mapping[str, float]:
    """How fast each parameter learns, as a share of the rate, by its name: a task may say so in ``pace``; nothing is 1."""
    pace: Mapping[str, float] = getattr(task, "pace", {})
    return pace


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How to train.

    Parameters
    ----------
    epochs, planned : the rate runs as if ``planned`` epochs were to come, and is cut after ``epochs``.
    batch : rows a step, over all processes; an epoch is cut into parts as equal as can be, none larger.
    rate : peak of the one cycle; None lets the finder choose.
    decay, clip : weight decay of matrices; the length gradients are cut to.
    patience : epochs without a better judgement after which it stops.
    save_every : steps between checkpoints (one more after every epoch).
    processes, device : how many, and ``auto``, ``cpu`` or ``cuda``.
    """

    epochs: int = 8
    planned: int = 12
    batch: int = 1024
    rate: float | None = None
    decay: float = 0.1
    clip: float = 1.0
    patience: int = 3
    save_every: int = 200
    seed: int = 0
    processes: int = 1
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "patience", "save_every", "processes"):
            if getattr(self, name) < 1:
                raise BadInput(f"at least 1 is needed; got {getattr(self, name)}.", field=name)
        if self.planned < self.epochs:
            raise BadInput(f"at least the {self.epochs} epochs must be planned; got {self.planned}.", field="planned")
        if self.rate is not None and not 0 < self.rate < 100:
            raise BadInput(f"a learning rate is a small number above 0; got {self.rate}.", field="rate")


@dataclass(frozen=True, slots=True)
class Epoch:
    """One round over the rows, as it went.

    Parameters
    ----------
    number : 1 for the first.
    loss : mean training loss of its rows, each at its own moment, dropout and all.
    judged : what the task's judge said after it; lower is better.
    rate : learning rate of its last step.
    seconds : how long it took, judging included.
    """

    number: int
    loss: float
    judged: float
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it.

    Parameters
    ----------
    best : number of the epoch whose weights the network has; 0 when none was better than the untrained network.
    start, judged : the judge's word before the first step, and of the best weights.
    rate : the peak that was used.
    doctor : what is wrong, in words; nothing when all is well.
    """

    epochs: tuple[Epoch, ...]
    best: int
    rate: float
    doctor: tuple[str, ...]
    start: float
    judged: float


@dataclass(slots=True)
class Progress:
    """How far a training has come, in plain numbers."""

    step: int = 0
    epoch: int = 1
    batch: int = 0
    loss: float = 0.0
    rows: int = 0
    seconds: float = 0.0
    peak: float = 0.0
    start: float = 0.0
    judged: float = inf
    best: int = 0
    finished: bool = False
    epochs: list[Epoch] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    trace: list[tuple[float, float]] = field(default_factory=list)
    """The training loss, about twenty times an epoch: where, in epochs, and its mean since the point before."""

    def see(self, loss: float, rows: int, batches: int) -> None:
        """One more batch is done, of so many rows; there are so many batches in this epoch."""
        self.step, self.batch, self.loss, self.rows = (
            self.step + 1,
            self.batch + 1,
            self.loss + loss * rows,
            self.rows + rows,
        )
        self.recent.append(loss)
        if self.batch % max(1, batches // 20) == 0 or self.batch == batches:
            self.trace.append((self.epoch - 1 + self.batch / batches, sum(self.recent) / len(self.recent)))
            self.recent.clear()

    def close(self, judged: float, rate: float, seconds: float) -> bool:
        """This epoch is over; returns whether it is the best one yet."""
        self.epochs.append(Epoch(self.epoch, self.loss / self.rows, judged, rate, seconds))
        better = judged < self.judged
        if better:
            self.best, self.judged = self.epoch, judged
        self.epoch, self.batch, self.loss, self.rows, self.seconds = self.epoch + 1, 0, 0.0, 0, 0.0
        return better

    @property
    def stale(self) -> int:
        """Epochs since the best one; the untrained network does not count."""
        return len(self.epochs) - min(self.epochs, key=lambda e: e.judged).number

    @classmethod
    def of(cls, record: dict[str, Any]) -> Progress:
        """As a checkpoint's record has it."""
        return cls(**record | {"epochs": [Epoch(**epoch) for epoch in record["epochs"]]})
