"""The training loop, for every network of the project: one page, resumable to the bit.

It knows a task only by its rows, its loss and its judge (``task``). What it needs beside itself stands beside it: the
rate (``rate``), the file a killed training goes on from (``checkpoint``), many processes (``processes``), what is wrong
(``doctor``), the curves (``curves``).
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from tocsin.errors import BadInput
from tocsin.learn import checkpoint, curves, rate
from tocsin.learn.doctor import Doctor, check_finite
from tocsin.learn.processes import Processes, together
from tocsin.learn.task import Epoch, LoopSettings, Progress, Task, Told, Trained, silent

__all__ = ["Epoch", "LoopSettings", "Task", "Trained", "train"]


def train(
    task: Task, settings: LoopSettings | None = None, *, folder: Path | None = None, told: Told = silent
) -> Trained:
    """Train a task's network; killed at any moment, the same call goes on where the last checkpoint was, to the bit.

    The caller's random numbers neither matter nor are touched. A folder holds the checkpoint, and the curves as
    ``training.html`` and ``training.json``; a training that has ended there is not done again.

    Raises
    ------
    Conflict : the folder holds the checkpoint of another training, or another process is training there.
    Diverged : a loss or a gradient was no finite number.
    """
    settings = settings or LoopSettings()
    with together(settings.processes, settings.device, partial(_train, task, settings, folder, silent)) as here:
        return _train(task, settings, folder, told, here)


def _train(task: Task, settings: LoopSettings, folder: Path | None, told: Told, here: Processes) -> Trained:
    """What every process does."""
    seed = settings.seed * 1000 + here.rank
    with checkpoint.alone(folder if here.first else None), checkpoint.seeded(seed, here.device), checkpoint.exact():
        run = Run(task, replace(settings, processes=here.size), folder, told, here)
        run.begin_or_resume()
        while not run.progress.finished:
            run.epoch()
        return run.end()


class Run:
    """One training under way, in one process."""

    def __init__(self, task: Task, settings: LoopSettings, folder: Path | None, told: Told, here: Processes) -> None:
        self.task, self.settings, self.folder, self.told, self.here = task, settings, folder, told, here
        self.model = task.model.to(here.device)
        here.own(self.model)
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = rate.adamw(self.model, settings.decay)
        self.doctor, self.progress = Doctor(), Progress()
        self.best: dict[str, Tensor] = {}

    def begin_or_resume(self) -> None:
        """Go on from the checkpoint; without one, choose the rate and judge the untrained network."""
        if self.folder is not None and self.load(self.folder):
            return
        peak = self.settings.rate
        if peak is None:
            self.told("looking for the learning rate", 0.0)
            peak = self.found_rate() if self.here.first else 0.0
        self.progress.peak = self.here.agree(peak)
        self.progress.start = self.progress.judged = self.judge()
        self.keep_best()

    def epoch(self) -> None:
        """Go through the rows once (or through those that are left of them), judge, and see whether that was all."""
        now, batches = self.progress, self.batches(self.progress.epoch)
        began = perf_counter() - now.seconds
        for rows in batches[now.batch :]:
            done = now.epoch - 1 + now.batch / len(batches)
            self.told(f"training, epoch {now.epoch} of {self.settings.epochs}", done / self.settings.epochs)
            now_rate = rate.one_cycle(done / self.settings.planned, now.peak)
            now.see(self.step(rows, now_rate), len(rows), len(batches))
            now.seconds = perf_counter() - began
            if now.step % self.settings.save_every == 0 and now.batch < len(batches):
                self.save()
        self.here.same(self.model.buffers())
        judged = self.judge()
        if now.close(judged, now_rate, perf_counter() - began):
            self.keep_best()
        now.finished = len(now.epochs) == self.settings.epochs or now.stale >= self.settings.patience
        self.save()

    def step(self, rows: Tensor, now_rate: float) -> float:
        """One step of the optimiser on one batch; returns its mean loss."""
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        share, value = self.here.share(rows), 0.0
        if len(share):
            loss = self.task.loss(share)
            torch.autograd.backward(loss * (len(share) / len(rows)))
            value = loss.item()
        value = self.here.average(self.parameters, value, len(share) / len(rows))
        check_finite("loss", value, self.progress.step + 1)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.clip).item()
        check_finite("gradient", norm, self.progress.step + 1)
        for group in self.optimizer.param_groups:
            group["lr"] = now_rate
        with self.doctor.looking(self.model, self.progress.step, norm):
            self.optimizer.step()
        return value

    def batches(self, epoch: int) -> list[Tensor]:
        """The rows of an epoch, shuffled by the seed and cut; a function of nothing else, so a place in it is a number."""
        with checkpoint.seeded(self.settings.seed, self.here.device):
            rows = torch.as_tensor(self.task.rows(epoch), dtype=torch.int64)
        if not len(rows):
            raise BadInput(f"an epoch needs rows to visit; epoch {epoch} has none.", field="rows")
        order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(rows))
        return list(rows[torch.from_numpy(order)].tensor_split(-(-len(rows) // self.settings.batch)))

    def found_rate(self) -> float:
        """What the finder says, on the rows of the first epoch; nothing random moves on."""
        with checkpoint.seeded(self.settings.seed, self.here.device):
            return rate.find_rate(self.model, self.task.loss, self.batches(1), self.settings.decay)

    def judge(self) -> float:
        """The first process's judgement, in every process."""
        judged = 0.0
        if self.here.first:
            self.told("judging", (self.progress.epoch - (self.progress.batch == 0)) / self.settings.epochs)
            self.model.eval()
            with torch.no_grad(), self.doctor.listening(self.model):
                judged = float(self.task.judge())
        judged = self.here.agree(judged)
        check_finite("judged loss", judged, self.progress.step)
        return judged

    def keep_best(self) -> None:
        """These weights are the best so far."""
        self.best = {name: t.detach().clone() for name, t in self.model.state_dict().items()}

    def end(self) -> Trained:
        """Put the best weights into the network and say how it went."""
        self.model.load_state_dict(self.best)
        now = self.progress
        notes = self.doctor.findings(now.epochs, now.start, self.settings.clip)
        return Trained(tuple(now.epochs), now.best, now.peak, notes, now.start, now.judged)

    def save(self) -> None:
        """Write down all that the rest of the training depends on; when that fails, the one before stays."""
        states = self.here.gather(checkpoint.random_state(self.here.device))
        if self.folder is None or not self.here.first:
            return
        tensors = {f"model/{name}": t for name, t in self.model.state_dict().items()}
        tensors |= {f"best/{name}": t for name, t in self.best.items()}
        tensors |= {f"random/{rank}": state for rank, state in enumerate(states)}
        tensors |= checkpoint.moments(self.model, self.optimizer)
        record = {"run": self.names(), "by": checkpoint.made_by()}
        record |= {"progress": asdict(self.progress), "doctor": asdict(self.doctor)}
        try:
            checkpoint.write(self.folder, tensors, record)
            self.draw(self.folder)
        except OSError as error:  # a full disk: what is learned in memory is worth more than stopping
            self.doctor.note(
                f"The checkpoint of step {self.progress.step} could not be written ({error.strerror}); the one before "
                "it stays, and the training went on."
            )

    def load(self, folder: Path) -> bool:
        """Put everything back as the checkpoint has it; False where there is none."""
        found = checkpoint.read(folder)
        if found is None:
            return False
        checkpoint.check_same(folder, found.record["run"], self.names())
        self.model.load_state_dict(found.under("model/"))
        self.best = {name: t.to(self.here.device) for name, t in found.under("best/").items()}
        checkpoint.set_moments(self.model, self.optimizer, found.under("adamw/"))
        checkpoint.set_random_state(found.tensors[f"random/{self.here.rank}"], self.here.device)
        self.progress = Progress.of(found.record["progress"])
        self.doctor = Doctor(**found.record["doctor"])
        if found.record["by"] != checkpoint.made_by():
            was, now = found.record["by"], checkpoint.made_by()
            self.doctor.note(f"It was begun by {was} and went on by {now}: equal within rounding, not to the bit.")
        if self.here.first:
            self.draw(folder)
        return True

    def names(self) -> dict[str, object]:
        """What makes this training another one than any whose checkpoint it might find."""
        settings = {name: value for name, value in asdict(self.settings).items() if name != "save_every"}
        return settings | {"task": self.task.fingerprint, "device": self.here.device.type}

    def draw(self, folder: Path) -> None:
        """The curves as they are now."""
        notes = self.doctor.findings(self.progress.epochs, self.progress.start, self.settings.clip)
        curves.draw(folder, self.settings, self.progress, notes)
