"""What pictures teach without labels: two cuts of one picture are alike, and nothing is said twice.

Use it where pictures are many, labels few, and the pictures unlike those published networks have seen. What comes of it is a
file of weights, to begin from with ``--way transfer`` or ``extract`` and ``--weights``.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save
from torch import Tensor, nn

from tocsin.data.collection import Collection
from tocsin.data.prepare import Preparer
from tocsin.errors import BadInput
from tocsin.learn.loop import train
from tocsin.learn.perception.augment import coloured, cut
from tocsin.learn.perception.chosen import preparation_of
from tocsin.learn.perception.effort import epochs_within, multiply_adds
from tocsin.learn.perception.prepared import prepared
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.registry import entry
from tocsin.learn.perception.shipped import Front
from tocsin.learn.task import LoopSettings, Told, Trained, silent
from tocsin.nets.reading import read

FEWEST = 64
"""Pictures; fewer say too little of what differs among them."""
BATCH = 128
MINUTES = 10.0
"""About so long by default."""
_SAID_TWICE = 0.01
"""What it weighs that two numbers say the same, beside that two cuts say the same."""
_SHARE_JUDGED = 0.1


class Projected(nn.Module):
    """A network and, behind what its head is given, a perceptron that is thrown away afterwards.

    Parameters
    ----------
    features : how many numbers the head is given. wide : how many the perceptron makes of them.

    Shape
    -----
    float32[n, 3, h, w] → float32[n, wide].
    """

    def __init__(self, network: nn.Module, features: int, wide: int = 256) -> None:
        super().__init__()
        self.network = network
        self.projector = nn.Sequential(
            nn.Linear(features, wide, bias=False), nn.BatchNorm1d(wide), nn.ReLU(), nn.Linear(wide, wide, bias=False)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """What is compared."""
        said: Tensor = self.projector(read(self.network, None, pictures))
        return said


def redundancy(one: Tensor, other: Tensor, said_twice: float = _SAID_TWICE) -> Tensor:
    """How far two views float32[n, d] are from saying the same with numbers that say different things; 0 at best, by number.

    Of their correlations float[d, d] the diagonal should be 1 and all else 0.

    References
    ----------
    Zbontar et al., *Barlow Twins: Self-Supervised Learning via Redundancy Reduction* (2021); divided by d.
    """
    n, d = one.shape
    scaled = [(view - view.mean(0)) / (view.std(0, unbiased=False) + 1e-5) for view in (one, other)]
    correlation = scaled[0].T @ scaled[1] / n
    same = torch.diagonal(correlation)
    twice = correlation.square().sum() - same.square().sum()
    return ((1.0 - same).square().sum() + said_twice * twice) / d


@dataclass
class LookAlike:
    """The task: two cuts of each picture, in two lights, and :func:`redundancy` of what is said of them.

    Parameters
    ----------
    given : uint8[n, s, s, 3], those that teach. judged_by : those that judge.
    turn : pictures have no up and no down.
    """

    model: Projected
    front: Front
    given: NDArray[np.uint8]
    judged_by: NDArray[np.uint8]
    fingerprint: str
    turn: bool = False

    def rows(self, epoch: int) -> NDArray[np.int64]:
        """All of them, every time."""
        return np.arange(len(self.given))

    def loss(self, rows: Tensor) -> Tensor:
        """Of two views of these pictures."""
        return self._of(torch.from_numpy(self.given[rows.numpy()]))

    def judge(self) -> float:
        """Of pictures never trained on, always the same two views of them; never with the doubt of dropout."""
        total = 0.0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            parts = np.array_split(self.judged_by, max(1, len(self.judged_by) // BATCH))
            for part in parts:
                total += float(self._of(torch.from_numpy(part))) * len(part)
        return total / max(1, len(self.judged_by))

    def _of(self, given: Tensor) -> Tensor:
        device = next(self.model.parameters()).device
        unit = self.front.unit(given.to(device))
        views = [self.model(self.front.normalised(self._view(unit))) for _ in range(2)]
        return redundancy(views[0], views[1])

    def _view(self, unit: Tensor) -> Tensor:
        """One picture as it might also have been: another cut, another light, sometimes without colours."""
        view = coloured(cut(unit, flip=True, turn=self.turn), by=0.4)
        grey = (torch.rand(len(view), 1, 1, 1) < 0.2).to(view.device)
        return torch.where(grey, view.mean(1, keepdim=True).expand_as(view), view)


@dataclass(frozen=True, slots=True)
class Pretrained:
    """What came of it: weights under the network's names, without a head, and how the training went."""

    weights: bytes
    trained: Trained
    pictures: int


def pretrain(collection: Collection, recipe: Recipe, told: Told = silent) -> Pretrained:
    """Teach a network what pictures have in common, without looking at a label; a part called test is not looked at at all.

    Parameters
    ----------
    recipe : network (``resnet20`` if none is named), size, epochs or minutes, augment ``turns`` where there is no up and no
        down, seed, folder for checkpoints.

    Raises
    ------
    BadInput : no pictures, or too few; the network is none for pictures. Diverged : it came to no finite number.
    """
    if collection.kind != "images":
        raise BadInput(f"without labels it is learned from pictures only; these are {collection.kind}.", field="data")
    found = entry(recipe.network or "resnet20")
    if found.kind != "images":
        raise BadInput(f"a network for pictures is needed; {found.name} is for {found.kind}.", field="--network")
    rows = np.flatnonzero(np.asarray(collection.part) != "test")
    if len(rows) < FEWEST:
        raise BadInput(
            f"at least {FEWEST} pictures are needed to learn without labels; there are {len(rows)}.", field="data"
        )
    preparation = preparation_of(found, recipe.size)
    given = prepared(
        collection, rows, Preparer(preparation, None), preparation, told=told, what="reading the pictures"
    ).given
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        network = found.build(1, preparation.size)
        model = Projected(
            network, read(network.eval(), None, torch.zeros(1, 3, preparation.size, preparation.size)).shape[1]
        )
    task = _task(model, Front(found.mean, found.std), given, collection.fingerprint, recipe)
    trained = train(task, _settings(task, recipe), folder=recipe.folder, told=told)
    head = f"{network.head_name}."
    kept = {name: t.contiguous().clone() for name, t in network.state_dict().items() if not name.startswith(head)}
    return Pretrained(save(kept), trained, len(rows))


def _task(model: Projected, front: Front, given: NDArray[np.uint8], data: str, recipe: Recipe) -> LookAlike:
    order = np.random.default_rng(recipe.seed).permutation(len(given))
    judges = max(FEWEST // 2, int(len(given) * _SHARE_JUDGED))
    turn = recipe.augment == "turns"
    digest = hashlib.sha256(repr((data, recipe.network, recipe.seed, given.shape, turn)).encode()).hexdigest()
    return LookAlike(model, front, given[np.sort(order[judges:])], given[np.sort(order[:judges])], digest, turn)


def _settings(task: LookAlike, recipe: Recipe) -> LoopSettings:
    side = task.given.shape[1]
    cost = 2 * multiply_adds(task.model, torch.zeros(1, 3, side, side))
    planned = epochs_within(recipe.minutes or MINUTES, len(task.given), cost, recipe.threads, least=5, most=200)
    epochs = recipe.epochs or planned
    batch = min(BATCH, max(FEWEST // 2, len(task.given) // 4))
    return LoopSettings(
        epochs=epochs, planned=epochs, batch=batch, rate=3e-3, decay=0.01, patience=epochs, seed=recipe.seed
    )
