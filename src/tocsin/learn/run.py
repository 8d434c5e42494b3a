"""One training under way, in one process: all its state, and how that is written down and read back."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from tocsin.learn import checkpoint, curves, rate
from tocsin.learn.doctor import Doctor
from tocsin.learn.processes import Processes
from tocsin.learn.task import LoopSettings, Progress, Task, Told, Trained, pace_of


class Run:
    """What the rest of a training depends on; the loop changes it, a checkpoint holds it.

    Parameters
    ----------
    folder : where checkpoint and curves go; None for neither.
    told : who is told how far it is; only the first process has something to say.
    here : this process among those that train together.
    """

    def __init__(self, task: Task, settings: LoopSettings, folder: Path | None, told: Told, here: Processes) -> None:
        self.task, self.settings, self.folder, self.told, self.here = task, settings, folder, told, here
        self.model = task.model.to(here.device)
        here.own(self.model)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = rate.adamw(self.model, settings.decay, pace_of(task))
        self.doctor, self.progress = Doctor(), Progress()
        self.best: dict[str, Tensor] = {}

    def keep_best(self) -> None:
        """These weights are the best so far."""
        self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}

    def end(self) -> Trained:
        """Put the best weights into the network and say how it went."""
        self.model.load_state_dict(self.best)
        now = self.progress
        return Trained(tuple(now.epochs), now.best, now.peak, self.findings(), now.start, now.judged)

    def save(self) -> None:
        """Write down everything, and the curves; when that fails, the checkpoint before this one stays."""
        if self.folder is None:
            return
        states = self.here.gather(checkpoint.random_state(self.here.device))
        if not self.here.first:
            return
        tensors = {f"model/{name}": t for name, t in self.model.state_dict().items()}
        tensors |= {f"best/{name}": t for name, t in self.best.items()}
        tensors |= {f"random/{rank}": state for rank, state in enumerate(states)}
        tensors |= checkpoint.moments(self.model, self.optimizer)
        record = {"run": self.names(), "by": checkpoint.made_by()}
        record |= {"progress": asdict(self.progress), "doctor": asdict(self.doctor)}
        try:
            checkpoint.write(self.folder, tensors, record)
            curves.draw(self.folder, self.settings, self.progress, self.findings())
        except OSError as error:  # a full disk: what is learned in memory is worth more than stopping
            self.doctor.note(
                f"The checkpoint of step {self.progress.step} could not be written ({error.strerror}); the one before "
                "it stays, and the training went on."
            )

    def load(self) -> bool:
        """Put everything back as the checkpoint has it; False where there is none.

        Raises
        ------
        Conflict : the checkpoint is of another training.
        Damaged : it is not what was written.
        """
        found = None if self.folder is None else checkpoint.read(self.folder)
        if self.folder is None or found is None:
            return False
        checkpoint.check_same(self.folder, found.record["run"], self.names())
        self.model.load_state_dict(found.under("model/"))
        self.best = {name: t.to(self.here.device) for name, t in found.under("best/").items()}
        checkpoint.set_moments(self.model, self.optimizer, found.under("adamw/"))
        checkpoint.set_random_state(found.tensors[f"random/{self.here.rank}"], self.here.device)
        self.progress = Progress.of(found.record["progress"])
        self.doctor = Doctor(**found.record["doctor"])
        was, now = found.record.get("by", "an earlier version"), checkpoint.made_by()
        if was != now:
            self.doctor.note(f"It was begun by {was} and went on by {now}: equal within rounding, not to the bit.")
        if self.progress.finished and self.here.first:  # it may have been killed just before its last page
            curves.draw(self.folder, self.settings, self.progress, self.findings())
        return True

    def names(self) -> dict[str, object]:
        """What makes this training another one than any whose checkpoint it might find."""
        settings = {name: value for name, value in asdict(self.settings).items() if name != "save_every"}
        return settings | {"task": self.task.fingerprint, "device": self.here.device.type}

    def findings(self) -> tuple[str, ...]:
        """What the doctor says of it by now."""
        return self.doctor.findings(self.progress.epochs, self.progress.start, self.settings.clip)
