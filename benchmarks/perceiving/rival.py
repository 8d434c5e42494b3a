"""The same network, the same examples, as many epochs, taught by a PyTorch script as people write it; side by side in one run.

One set of each kind. fastai would be the other rival: it imports torchvision, which does not import beside the CPU build of PyTorch
that is pinned here.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import soundfile
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from perceiving.cells import FOLDER, QUICK, read, say, write
from perceiving.sets import SETS, made_sets
from tocsin.data.collection import Collection
from tocsin.learn.perception.chosen import Chosen, from_nothing, knowing, texts_of
from tocsin.learn.perception.learned import learn
from tocsin.learn.perception.portions import Portions, portions
from tocsin.learn.perception.recipe import Recipe

RUNS = {
    "hurricane_damage": {"size": 128, "epochs": 2},
    "speech_commands": {"epochs": 4},
    "trec": {"epochs": 1},
}
"""A set of each kind, and how it is taught on."""
BATCH, RATE, SMALLER = 32, 5e-4, {"text": 1e-4}


class Examples(Dataset[tuple[Tensor, int]]):
    """Decoded each time they are asked for; pictures mirrored half of the time when they teach."""

    def __init__(self, collection: Collection, rows: np.ndarray, chosen: Chosen, *, teach: bool) -> None:
        self.collection, self.rows, self.chosen, self.teach = collection, rows, chosen, teach
        one = chosen.entry
        self.mean, self.std = (torch.tensor(v).view(-1, 1, 1) for v in (one.mean, one.std))

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> tuple[Tensor, int]:
        row = int(self.rows[i])
        return OF[self.collection.kind](self, self.collection.raw(row)), int(self.collection.label[row])

    def picture(self, raw: bytes | str) -> Tensor:
        """float32[3, s, s]."""
        assert isinstance(raw, bytes)
        size = self.chosen.preparation.size
        picture = Image.open(io.BytesIO(raw)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.asarray(picture).copy()).permute(2, 0, 1).float() / 255
        if self.teach and torch.rand(()) < 0.5:
            x = x.flip(2)
        return (x - self.mean) / self.std

    def sound(self, raw: bytes | str) -> Tensor:
        """float32[samples], of 16,000 a second."""
        assert isinstance(raw, bytes)
        wave, _ = soundfile.read(io.BytesIO(raw), dtype="float32")
        samples = self.chosen.preparation.samples
        return torch.from_numpy(np.pad(wave[:samples], (0, max(0, samples - len(wave)))))

    def text(self, raw: bytes | str) -> Tensor:
        """int64[length], the pieces."""
        said = self.chosen.preparer.prepared([raw])[0]
        return torch.from_numpy(said[: int((said != 0).sum())])


OF: dict[str, Callable[[Examples, bytes | str], Tensor]] = {
    "images": Examples.picture,
    "sound": Examples.sound,
    "text": Examples.text,
}


def together(batch: list[tuple[Tensor, int]]) -> tuple[Tensor, Tensor]:
    """A batch; texts as long as its longest."""
    x = [one for one, _ in batch]
    whole = torch.stack(x) if x[0].is_floating_point() else nn.utils.rnn.pad_sequence(x, batch_first=True)
    return whole, torch.tensor([label for _, label in batch])


def plain_pytorch(collection: Collection, rows: Portions, chosen: Chosen, epochs: int) -> float:
    """Fine-tune all layers, one cycle of the rate; the share right on the test."""
    torch.manual_seed(0)
    network, rate = chosen.network, SMALLER.get(collection.kind, RATE)
    steps = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05)
    loader = DataLoader(Examples(collection, rows.train, chosen, teach=True), BATCH, shuffle=True, collate_fn=together)
    cycle = torch.optim.lr_scheduler.OneCycleLR(steps, rate, epochs=epochs, steps_per_epoch=len(loader))
    for _ in range(epochs):
        network.train()
        for x, label in loader:
            steps.zero_grad()
            nn.functional.cross_entropy(network(x), label).backward()
            steps.step()
            cycle.step()
        _right(collection, rows.val, chosen)  # as everybody does after an epoch
    return _right(collection, rows.test, chosen)


@torch.no_grad()
def _right(collection: Collection, rows: np.ndarray, chosen: Chosen) -> float:
    network = chosen.network.eval()
    said = [
        (network(x).argmax(dim=1) == label).float()
        for x, label in DataLoader(Examples(collection, rows, chosen, teach=False), 64, collate_fn=together)
    ]
    return float(torch.cat(said).mean())


def compare() -> dict[str, Any]:
    """Ours and theirs, one after another in one run; seconds of the processor, one thread each. What was measured is kept.

    Ours moves half of the network first and then all of it, so the rival is given as many epochs as both phases have together.
    """
    torch.set_num_threads(1)
    if QUICK:
        return {"made_images": _compared(made_sets(FOLDER)[0].collection(), {"size": 32, "epochs": 1})}
    found = {}
    for one in SETS:
        if one.key not in RUNS:
            continue
        path = FOLDER / f"rival-{one.key}.json"
        if not path.exists():
            say(f"rival, {one.key}")
            write(path, _compared(one.collection(), RUNS[one.key]))
        found[one.key] = read(path)
    return found


def _compared(collection: Collection, how: dict[str, Any]) -> dict[str, Any]:
    recipe = Recipe(way="scratch" if QUICK else "transfer", cache=FOLDER / "cache" / "rival", **how)
    began = time.process_time()
    ours = learn(collection, recipe)
    our_seconds = time.process_time() - began
    assert ours.quality is not None
    say(f"ours: {ours.quality.accuracy:.2%} in {our_seconds:.0f} s, {len(ours.epochs)} epochs")
    began = time.process_time()
    rows = portions(collection, held_out=recipe.held_out, seed=recipe.seed)
    begin = from_nothing if QUICK else knowing
    chosen = begin(recipe, collection.kind, len(collection.classes), texts_of(collection, rows.train))
    theirs = plain_pytorch(collection, rows, chosen, len(ours.epochs))
    their_seconds = time.process_time() - began
    say(f"plain PyTorch: {theirs:.2%} in {their_seconds:.0f} s, {len(ours.epochs)} epochs")
    return {
        "rival": "plain PyTorch",
        "network": chosen.entry.name,
        "epochs": len(ours.epochs),
        "ours": round(100 * ours.quality.accuracy, 2),
        "theirs": round(100 * theirs, 2),
        "seconds": round(our_seconds, 1),
        "their_seconds": round(their_seconds, 1),
        "times_as_long": round(our_seconds / their_seconds, 3),
    }
