"""One training in one or many processes, each on its own core or GPU, over plain ``torch.distributed``.

Every process holds the whole network and takes its share of every batch; gradients are added up weighted by rows, so
that shares need not be equal. The processes are started here, or were started by ``torchrun``, whose environment
variables are then followed. They know of each other only what this file says.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

import torch
import torch.distributed as dist
from torch import Tensor, nn

from tocsin.errors import BadInput, Diverged, NotReady


@dataclass(frozen=True, slots=True)
class Processes:
    """This process among those of one training.

    Parameters
    ----------
    rank : which one this is, from 0; the first judges, writes and speaks.
    size : how many there are.
    device : where this one computes.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this is the one that judges, writes and speaks."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """This process's part of a batch: neighbours in it, as equal as can be, possibly none."""
        n = len(rows)
        return rows[n * self.rank // self.size : n * (self.rank + 1) // self.size]

    def average(self, parameters: list[nn.Parameter], loss: float, weight: float) -> float:
        """Make gradients those of the whole batch in every process; returns its loss.

        Parameters
        ----------
        loss : mean loss of this process's rows; its gradients were already multiplied by ``weight``.
        weight : this process's part of the batch's rows, 0 to 1.
        """
        if self.size == 1:
            return loss
        # A parameter no process has a gradient for must keep None, or the optimiser would let it decay.
        flags = torch.tensor([float(p.grad is not None) for p in parameters] + [loss * weight])
        parts = [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
        flat = torch.cat([*parts, flags.to(self.device)])
        dist.all_reduce(flat)
        *seen, total = flat[-len(flags) :].tolist()
        at = 0
        for p, known in zip(parameters, seen, strict=True):
            if known:
                p.grad = flat[at : at + p.numel()].view_as(p).to(p.dtype)
            at += p.numel()
        return float(total)

    def agree(self, value: float) -> float:
        """The first process's number, in every process."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(told, 0)
        return float(told.item())

    def own(self, model: nn.Module) -> None:
        """Give every process a network of its own that begins as the first one's.

        What a process is started with lies in memory that all of them share: good for data, not for weights.
        """
        if self.size > 1:
            for tensor in [*model.parameters(), *model.buffers()]:
                tensor.data = tensor.data.clone()
                dist.broadcast(tensor.data, 0)

    def same(self, tensors: Iterable[Tensor]) -> None:
        """The first process's values, in every process."""
        if self.size > 1:
            for tensor in tensors:
                dist.broadcast(tensor.detach(), 0)

    def gather(self, vector: Tensor) -> list[Tensor]:
        """The vectors of all processes, in order of rank; they have one length."""
        if self.size == 1:
            return [vector]
        own = vector.to(self.device)
        everyone = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(everyone, own)
        return [one.cpu() for one in everyone]


@contextmanager
def together(size: int, device: str, work: Callable[[Processes], object]) -> Iterator[Processes]:
    """This process among ``size`` that train together; the others do ``work`` until this one is done.

    Under ``torchrun`` the others are there already, and its number of processes counts. Otherwise they are started
    afresh, so ``work`` (a task with its data) must be importable there, and a script needs its
    ``if __name__ == "__main__"``.

    Raises
    ------
    BadInput : more processes than GPUs; no GPU where one was asked for.
    NotReady : another process has ended before the training had.
    """
    if dist.is_initialized() or "TORCHELASTIC_RUN_ID" in os.environ or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        with _called(device) as here:
            yield here
    elif size == 1:
        yield Processes(0, 1, _device(device, 0, 1))
    else:
        with _started(size, device, work) as here:
            yield here


@contextmanager
def _called(device: str) -> Iterator[Processes]:
    """This process as ``torchrun`` (or the caller) has placed it."""
    ours = not dist.is_initialized()
    local, beside = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    place = _device(device, local, beside)
    if ours:
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), dist.get_world_size(), place)
    finally:
        if ours:
            dist.destroy_process_group()


@contextmanager
def _started(size: int, device: str, work: Callable[[Processes], object]) -> Iterator[Processes]:
    """The others started from here, and ended with this block, whatever happens in it."""
    place, threads = _device(device, 0, size), torch.get_num_threads()
    each = max(1, threads // size)  # more threads than cores spin and run many times slower
    store = dist.TCPStore("127.0.0.1", 0, size, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    context = multiprocessing.get_context("spawn")
    others = [
        context.Process(target=_join, args=(rank, size, store.port, device, each, work), daemon=True)
        for rank in range(1, size)
    ]
    for other in others:
        other.start()
    torch.set_num_threads(each)
    try:
        dist.init_process_group("nccl" if place.type == "cuda" else "gloo", store=store, rank=0, world_size=size)
        yield Processes(0, size, place)
        for other in others:
            other.join()
    except RuntimeError as error:  # what a collective says when its partner is gone
        raise _ended(others, error) from error
    finally:
        for other in others:
            other.kill()
        if dist.is_initialized():
            dist.destroy_process_group()
        torch.set_num_threads(threads)


def _join(rank: int, size: int, port: int, device: str, threads: int, work: Callable[[Processes], object]) -> None:
    """What a started process does: find the others, work, go."""
    torch.set_num_threads(threads)
    place = _device(device, rank, size)
    store = dist.TCPStore("127.0.0.1", port, size, is_master=False)  # type: ignore[attr-defined]
    dist.init_process_group("nccl" if place.type == "cuda" else "gloo", store=store, rank=rank, world_size=size)
    with suppress(Diverged):  # all of them have come to it, and the first one says so
        work(Processes(rank, size, place))
    dist.destroy_process_group()


def _ended(others: Sequence[BaseProcess], error: RuntimeError) -> Exception:
    for other in others:
        other.join(5)
    gone = [i for i, other in enumerate(others, 1) if other.exitcode not in (None, 0)]
    if not gone:
        return error
    return NotReady(
        f"all {len(others) + 1} processes of a training must live; number {gone[0]} has ended "
        f"with code {others[gone[0] - 1].exitcode}.",
        hint="Its own message stands above; the same command goes on from the last checkpoint.",
    )


def _device(wish: str, local: int, beside: int) -> torch.device:
    """Where the process with this number on this machine computes."""
    if wish not in {"auto", "cpu", "cuda"}:
        raise BadInput(f"a device is auto, cpu or cuda; this is {wish!r}.", field="device")
    gpus = torch.cuda.device_count() if wish != "cpu" and torch.cuda.is_available() else 0
    if wish == "cpu" or (wish == "auto" and gpus == 0):
        return torch.device("cpu")
    if gpus < beside:
        raise BadInput(
            f"every process needs a GPU of its own; there are {gpus} for {beside}.",
            field="device",
            hint="Ask for fewer processes, or for device cpu.",
        )
    return torch.device("cuda", local)
