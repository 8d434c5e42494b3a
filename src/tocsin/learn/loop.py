"""The training loop, for every network of the project: one page, resumable to the bit.

It knows a task only by its rows, its loss and its judge (``task``). What it needs stands beside it: all that changes, and
how it is written down (``run``, ``checkpoint``), the rate (``rate``), many processes (``processes``), what is wrong
(``doctor``), the curves (``curves``).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from tocsin.errors import BadInput
from tocsin.learn import checkpoint, rate
from tocsin.learn.doctor import check_finite
from tocsin.learn.processes import Processes, together
from tocsin.learn.run import Run
from tocsin.learn.task import Epoch, LoopSettings, Task, Told, Trained, pace_of, silent

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
        if not run.load():
            begin(run)
        while not run.progress.finished:
            epoch(run)
        return run.end()


def begin(run: Run) -> None:
    """Choose the rate and judge the untrained network."""
    peak = run.settings.rate
    if peak is None:
        run.told("looking for the learning rate", 0.0)
        with checkpoint.seeded(run.settings.seed, run.here.device):
            batches = shuffled(run, 1)
            find = partial(rate.find_rate, run.model, run.task.loss, batches, run.settings.decay, pace_of(run.task))
            peak = find() if run.here.first else 0.0
    run.progress.peak = run.here.agree(peak)
    run.progress.start = run.progress.judged = judge(run)
    run.keep_best()


def epoch(run: Run) -> None:
    """Go through the rows once (or through those that are left of them), judge, and see whether that was all."""
    now, settings, batches = run.progress, run.settings, shuffled(run, run.progress.epoch)
    began = perf_counter() - now.seconds
    for rows in batches[now.batch :]:
        done = now.epoch - 1 + now.batch / len(batches)
        run.told(f"training, epoch {now.epoch} of {settings.epochs}", done / settings.epochs)
        now_rate = rate.one_cycle(done / settings.planned, now.peak)
        now.see(step(run, rows, now_rate), len(rows), len(batches))
        now.seconds = perf_counter() - began
        if now.step % settings.save_every == 0 and now.batch < len(batches):
            run.save()
    run.here.same(run.model.buffers())
    judged = judge(run)
    if now.close(judged, now_rate, perf_counter() - began):
        run.keep_best()
    now.finished = len(now.epochs) == settings.epochs or now.stale >= settings.patience
    run.save()


def step(run: Run, rows: Tensor, now_rate: float) -> float:
    """One step of the optimiser on one batch; returns its mean loss."""
    run.model.train()
    run.optimizer.zero_grad(set_to_none=True)
    share, value = run.here.share(rows), 0.0
    if len(share):
        loss = run.task.loss(share)
        torch.autograd.backward(loss * (len(share) / len(rows)))
        value = loss.item()
    value = run.here.average(run.parameters, value, len(share) / len(rows))
    check_finite("loss", value, run.progress.step + 1)
    norm = nn.utils.clip_grad_norm_(run.parameters, run.settings.clip).item()
    check_finite("gradient", norm, run.progress.step + 1)
    rate.set_rate(run.optimizer, now_rate)
    with run.doctor.looking(run.model, run.progress.step, norm):
        run.optimizer.step()
    return value


def shuffled(run: Run, number: int) -> list[Tensor]:
    """The batches of an epoch: a function of the seed and its number, so a place among them is a number, too."""
    with checkpoint.seeded(run.settings.seed, run.here.device):
        rows = torch.as_tensor(run.task.rows(number), dtype=torch.int64)
    if not len(rows):
        raise BadInput(f"an epoch needs rows to visit; epoch {number} has none.", field="rows")
    order = np.random.default_rng([run.settings.seed, number]).permutation(len(rows))
    return list(rows[torch.from_numpy(order)].tensor_split(-(-len(rows) // run.settings.batch)))


def judge(run: Run) -> float:
    """The first process's judgement, in every process."""
    judged = 0.0
    if run.here.first:
        run.told("judging", (run.progress.epoch - (run.progress.batch == 0)) / run.settings.epochs)
        run.model.eval()
        with torch.no_grad(), run.doctor.listening(run.model):
            judged = float(run.task.judge())
    judged = run.here.agree(judged)
    check_finite("judged loss", judged, run.progress.step)
    return judged
