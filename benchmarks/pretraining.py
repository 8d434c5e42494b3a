"""What pictures without labels are worth: EuroSAT with 1, 10 and 100 % of its training labels, begun from four places.

    python benchmarks/pretraining.py                 all that is missing, the few labels first, then the table
    python benchmarks/pretraining.py --show          the table of what is there
    QUICK=1 python benchmarks/pretraining.py         made pictures, one seed, under a minute

    scratch      the network begun from nothing, taught with the labels there are
    transfer     the same network, begun from its pretraining on all training pictures without their labels
    extract      what that pretraining says of a picture, and logistic regression on it
    published    what EfficientNet-Lite0 as published says, and logistic regression: what one would take otherwise

The pretraining sees no label and no test picture. Which labels there are is drawn by the seed, as many of each class; the test part
(1,300) judges only. Each job's figure is one file in runs/pretraining/, and what was killed goes on where it was. As the last line one
JSON object: way -> share in percent -> accuracy in percent, mean of the seeds.

Settings by environment: PICTURE (pixels a side, 32), PRETRAINING and TEACHING (minutes as `--minutes` counts them, 10 and 2).
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tocsin.data.collection import Collection, collect
from tocsin.learn.checkpoint import replace
from tocsin.learn.perception.learned import learn
from tocsin.learn.perception.recipe import Recipe
from tocsin.learn.perception.selfsupervised import pretrain

QUICK = os.environ.get("QUICK") == "1"
FOLDER = Path("runs/pretraining") / ("quick" if QUICK else "")
WEIGHTS = FOLDER / "resnet20.safetensors"
PICTURE = int(os.environ.get("PICTURE", "16" if QUICK else "32"))
PRETRAINING = float(os.environ.get("PRETRAINING", "0.02" if QUICK else "10"))
TEACHING = float(os.environ.get("TEACHING", "0.01" if QUICK else "2"))
SHARES = (10, 100) if QUICK else (1, 10, 100)
SEEDS = (0,) if QUICK else (0, 1, 2)
WAYS = ("extract", "scratch", "transfer") if QUICK else ("extract", "scratch", "transfer", "published")


@dataclass(frozen=True)
class Job:
    """A way, a share of the labels in percent, a seed."""

    way: str
    share: int
    seed: int

    @property
    def path(self) -> Path:
        """Where its figure is kept."""
        return FOLDER / f"{self.way}-{self.share}-{self.seed}.json"

    @property
    def recipe(self) -> Recipe:
        """As a user would give it."""
        cache = FOLDER / "cache"
        if self.way == "published":
            return Recipe(
                way="extract", network="efficientnet_lite0", into="logistic", size=64, seed=self.seed, cache=cache
            )
        size, network = PICTURE, "resnet20"
        if self.way == "extract":
            return Recipe(
                way="extract", network=network, into="logistic", size=size, seed=self.seed, weights=WEIGHTS, cache=cache
            )
        weights = WEIGHTS if self.way == "transfer" else None
        training = FOLDER / "training" / self.path.stem
        return Recipe(
            way="transfer" if weights else "scratch",
            network=network,
            size=size,
            seed=self.seed,
            minutes=TEACHING,
            augment="turns",
            weights=weights,
            folder=training,
        )


JOBS = [Job(way, share, seed) for share in SHARES for seed in SEEDS for way in WAYS]


def main(wanted: list[str]) -> None:
    """Do what is missing, show what is there."""
    torch.set_num_threads(1)
    if QUICK:
        shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    if "--show" not in wanted:
        whole = pictures()
        if not WEIGHTS.exists():
            teach(whole)
        for job in JOBS:
            if not job.path.exists():
                run(job, whole)
    show()


def pictures() -> Collection:
    """EuroSAT; or made pictures of two kinds."""
    if not QUICK:
        return collect(Path(os.environ.get("TOCSIN_DATA", "../shared/data")) / "images" / "eurosat.zip", kind="images")
    from PIL import Image

    draw = np.random.default_rng(0)
    for place in range(160):
        kind, part = place % 2, "train" if place < 120 else "test"
        pixels = draw.integers(0, 120, (16, 16, 3), dtype=np.uint8)
        begin = int(draw.integers(0, 10))
        pixels[begin : begin + 6, begin : begin + (6 if kind else 2)] += 120
        folder = FOLDER / "made" / part / ("square" if kind else "line")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{place}.png")
    return collect(FOLDER / "made", kind="images")


def teach(whole: Collection) -> None:
    """The pretraining, once for all jobs."""
    recipe = Recipe(
        network="resnet20",
        size=PICTURE,
        minutes=PRETRAINING,
        augment="turns",
        folder=FOLDER / "training" / "pretraining",
    )
    made = pretrain(whole, recipe, lambda what, share: print(f"\r{what} {100 * share:3.0f} %", end="", flush=True))
    went = {
        "pictures": made.pictures,
        "size": PICTURE,
        "epochs": len(made.trained.epochs),
        "best": made.trained.best,
        "apart_at_first": round(made.trained.start, 4),
        "apart_at_last": round(made.trained.judged, 4),
        "seconds": round(sum(epoch.seconds for epoch in made.trained.epochs)),
    }
    (FOLDER / "pretraining.json").write_text(json.dumps(went))
    replace(WEIGHTS, made.weights)
    print(f"\npretraining: {went}")


def run(job: Job, whole: Collection) -> None:
    """One job's figure."""
    learned = learn(few(whole, job.share, job.seed), job.recipe)
    assert learned.quality is not None
    figure = {"accuracy": 100 * learned.quality.accuracy, "notes": learned.notes}
    job.path.write_text(json.dumps(figure))
    shutil.rmtree(FOLDER / "training" / job.path.stem, ignore_errors=True)
    print(f"{job.path.stem}: {figure['accuracy']:.1f} %", flush=True)


def few(whole: Collection, share: int, seed: int) -> Collection:
    """So many percent of each class's training pictures, by the seed, and the whole test."""
    draw = np.random.default_rng(seed)
    kept = [np.flatnonzero(whole.part == "test")]
    for label in range(len(whole.classes)):
        of_class = np.flatnonzero((whole.part == "train") & (whole.label == label))
        kept.append(draw.permutation(of_class)[: max(2, round(len(of_class) * share / 100))])
    return whole.take(np.sort(np.concatenate(kept)))


def show() -> None:
    """The table, and all of it as one line of JSON."""
    told: dict[str, dict[str, float]] = {}
    print(f"{'':12}" + "".join(f"{share:>14} %" for share in SHARES))
    for way in WAYS:
        line = f"{way:12}"
        for share in SHARES:
            paths = [job.path for job in JOBS if (job.way, job.share) == (way, share) and job.path.exists()]
            got = [json.loads(path.read_text())["accuracy"] for path in paths]
            if got:
                told.setdefault(way, {})[str(share)] = round(float(np.mean(got)), 2)
            line += f"{np.mean(got):9.1f} ± {np.std(got):.1f}" + f" ({len(got)})" if got else f"{'-':>16}"
        print(line)
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
