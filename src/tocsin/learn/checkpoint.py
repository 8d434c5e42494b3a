"""A training written down so that it can go on to the bit: one file of tensors, put in place in one step.

The file is a safetensors file; what is no tensor stands in its header as JSON. It is written beside its place, flushed,
and renamed, so at any moment there is the old checkpoint, the new one, or none; never half of one.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from tocsin.errors import Conflict, Damaged

NAME = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What was read: tensors by name, and the record of everything else."""

    tensors: dict[str, Tensor]
    record: dict[str, Any]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, by the rest of their names."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}


def write(folder: Path, tensors: dict[str, Tensor], record: dict[str, Any]) -> None:
    """Put a checkpoint in place of the one before, in one step that survives a power cut.

    Raises
    ------
    OSError : it could not be written (a full disk); then the one before is still there, whole.
    """
    # Copies, because safetensors refuses tensors that share memory, as tied weights do.
    plain = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    words = json.dumps(record)
    data = save(plain, metadata={"record": words, "crc32": str(_checksum(plain, words))})
    replace(folder / NAME, data)


def read(folder: Path) -> Checkpoint | None:
    """The checkpoint in this folder; None where there is none.

    Raises
    ------
    Damaged : the file is there and is not what was written.
    """
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
        whole = header["crc32"] == str(_checksum(tensors, header["record"]))
    except (SafetensorError, KeyError) as error:
        raise _damaged(path, str(error)) from None
    if not whole:
        raise _damaged(path, "its checksum is another one")
    return Checkpoint(tensors, json.loads(header["record"]))


def replace(path: Path, data: bytes) -> None:
    """Write a file beside its place, flush it, rename it; nothing is left behind when that fails.

    Raises
    ------
    OSError : it could not be written; what was at the place is still there.
    """
    draft = draft_of(path)
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    handle = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(handle)  # or the rename itself may be forgotten by a power cut
    finally:
        os.close(handle)


def draft_of(path: Path) -> Path:
    """Where a file is written before it is put in its place."""
    return path.with_name(f".{path.name}.draft")


@contextmanager
def alone(folder: Path | None) -> Iterator[None]:
    """One training at a time in a folder; the lock goes with the process, however it ends.

    Raises
    ------
    Conflict : another process is training there.
    """
    if folder is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"one training at a time may use {folder}; another process is at it.",
                hint="Wait for it, end it, or name another folder.",
            ) from None
        yield


def check_same(folder: Path, found: dict[str, object], now: dict[str, object]) -> None:
    """Refuse to go on from the checkpoint of another training, naming what differs.

    Raises
    ------
    Conflict : something that decides the weights is another now than it was then.
    """
    differs = [
        f"{name} was {found.get(name)!r} and is {value!r}" for name, value in now.items() if found.get(name) != value
    ]
    if differs:
        raise Conflict(
            f"{folder} must hold this training or none; its checkpoint is of another one: {'; '.join(differs)}.",
            hint=f"Name another folder, or delete {folder / NAME} to begin anew.",
        )


def made_by() -> str:
    """What the last bits depend on besides the training itself."""
    return f"PyTorch {torch.__version__} with {torch.get_num_threads()} threads"


def moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers of each parameter, under the parameter's name."""
    return {
        f"adamw/{name}/{what}": value
        for name, p in model.named_parameters()
        if p in optimizer.state
        for what, value in optimizer.state[p].items()
    }


def set_moments(model: nn.Module, optimizer: torch.optim.Optimizer, found: dict[str, Tensor]) -> None:
    """Give the optimiser back what :func:`moments` took down, without the ``adamw/``."""
    known = dict(model.named_parameters())
    for name, value in found.items():
        parameter, _, what = name.rpartition("/")
        p = known[parameter]
        if what != "step":  # in the order of the parameter's own memory, which a fused optimiser walks through
            value = torch.empty_like(p, dtype=value.dtype, requires_grad=False).copy_(value)
        optimizer.state[p][what] = value.to(p.device)


@contextmanager
def exact() -> Iterator[None]:
    """Only algorithms that give the same bits for the same input, wherever PyTorch has one."""
    before, warns = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    tuned = torch.backends.cudnn.benchmark
    filling: Any = torch.utils.deterministic  # its one setting is a property that the types do not know
    filled = filling.fill_uninitialized_memory
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs for it, before its first use
    torch.use_deterministic_algorithms(True, warn_only=True)
    filling.fill_uninitialized_memory = False  # it only costs time
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warns)
        filling.fill_uninitialized_memory = filled
        torch.backends.cudnn.benchmark = tuned


def random_state(device: torch.device) -> Tensor:
    """Where all random number generators of this process stand: torch's, the GPU's, NumPy's and Python's.

    Shape: uint8[k], of one length for all processes of a training.
    """
    _, keys, place, has_gauss, gauss = np.random.get_state(legacy=True)
    version, words, spare = random.getstate()
    numbers = [*map(float, keys), float(place), float(has_gauss), float(gauss)]
    numbers += [float(version), *map(float, words), float("nan") if spare is None else spare]
    parts = [torch.get_rng_state(), torch.tensor(numbers, dtype=torch.float64).view(torch.uint8)]
    if device.type == "cuda":
        parts.append(torch.cuda.get_rng_state(device))
    return torch.cat(parts)


def set_random_state(state: Tensor, device: torch.device) -> None:
    """Put every generator back to where :func:`random_state` found it."""
    own = len(torch.get_rng_state())
    rest = (624 + 3 + 1 + 625 + 1) * 8
    torch.set_rng_state(state[:own].clone())
    numbers = state[own : own + rest].clone().view(torch.float64).tolist()
    keys, (place, has_gauss, gauss, version) = numbers[:624], numbers[624:628]
    np.random.set_state(("MT19937", np.array(keys, dtype=np.uint32), int(place), int(has_gauss), gauss))
    spare = numbers[-1]
    random.setstate((int(version), tuple(map(int, numbers[628:-1])), None if spare != spare else spare))
    if device.type == "cuda":
        torch.cuda.set_rng_state(state[own + rest :].clone(), device)


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """All generators start from a seed inside, and stand outside where they stood."""
    kept = random_state(device)
    torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
    try:
        yield
    finally:
        set_random_state(kept, device)


def _checksum(tensors: dict[str, Tensor], words: str) -> int:
    total = crc32(words.encode())
    for name in sorted(tensors):
        raw = tensors[name].reshape(-1).view(torch.uint8).numpy()
        total = crc32(raw.data, crc32(name.encode(), total))
    return total


def _damaged(path: Path, why: str) -> Damaged:
    return Damaged(
        f"a checkpoint must be as it was written; {path} is not: {why}.",
        hint="Delete it, and the same command begins from the start.",
    )
