"""What one answer of a model of classes costs, and where it goes: reading the file, the network, everything.

A photograph (JPEG, 640 x 480), a second of sound (WAV) and a sentence are asked for one at a time and 64 at once. The network is
timed alone too, as the shipped graph and as PyTorch's own module, on the same prepared example, one thread each, in turn. p50
and p99 are what one waits; the rest is the thread's own processor time, which a busy machine changes less. The weights are
random: they change no time.

    make bench NAME=predicting            a few minutes
    QUICK=1 make bench NAME=predicting    under a minute

The last line is one JSON object.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from PIL import Image

from tocsin.artifact import write
from tocsin.artifact.classes import (
    FEATURES,
    GIVEN,
    LOGITS,
    NETWORK,
    VOCABULARY,
    ClassesCard,
    Classifier,
    TaughtWith,
    load,
)
from tocsin.artifact.graph import Graph
from tocsin.data.prepare import Preparation, Preparer
from tocsin.data.text import Vocabulary
from tocsin.learn.perception.registry import Entry, entry
from tocsin.learn.perception.shipped import Front, Shipped, graph_of

QUICK = os.environ.get("QUICK", "") not in ("", "0")
SECONDS = 2.0 if QUICK else 15.0
MANY = 64
CLASSES = ("one", "two")
WORDS = [f"word{i}" for i in range(5_000)]
NETWORKS = {"images": ("mobilenet_v2", "resnet20"), "sound": ("dscnn",), "text": ("kimcnn", "transformer")}


def main() -> None:
    """Measure every network and print a table and a line of JSON."""
    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    measured: dict[str, dict[str, float]] = {}
    heads = ("one, p50", "p99", "all", "reading", "network", "torch", "ratio", "64 at once")
    print(f"{'network':<14}" + "".join(f"{head:>11}" for head in heads))
    print(f"{'':<14}" + "".join(f"{unit:>11}" for unit in ("ms", "ms", *["cpu ms"] * 4, "", "a cpu s")))
    for kind, names in NETWORKS.items():
        raws = [_example(kind, random) for _ in range(MANY)]
        for name in names:
            with TemporaryDirectory() as folder:
                found = measured[name] = _measure(Path(folder) / name, entry(name), raws)
            print(f"{name:<14}" + "".join(f"{value:>11.2f}" for value in list(found.values())[: len(heads)]))
    print("reading: the file or text made ready; network: the shipped graph alone; torch: the same network in PyTorch.")
    print(json.dumps({"quick": QUICK, "networks": measured}))


def written_network(folder: Path, one: Entry) -> Classifier:
    """A network of pictures with random weights, as it is shipped."""
    preparation, vocabulary = _preparation(one)
    given = Preparer(preparation, vocabulary).prepared([_example(one.kind, np.random.default_rng(0))])
    module = Shipped(Front(one.mean, one.std), _built(one, vocabulary)).eval()
    return _written(folder, one, preparation, graph_of(module, given), vocabulary)


def _measure(folder: Path, one: Entry, raws: list[Any]) -> dict[str, float]:
    preparation, vocabulary = _preparation(one)
    preparer = Preparer(preparation, vocabulary)
    given = np.ascontiguousarray(preparer.prepared(raws))
    module = Shipped(Front(one.mean, one.std), _built(one, vocabulary)).eval()
    content = graph_of(module, given)
    model = _written(folder, one, preparation, content, vocabulary)
    graph = Graph(content, NETWORK, {GIVEN: (str(given.dtype), preparation.shape)}, {LOGITS: len(CLASSES)})
    assert FEATURES in graph.gives
    alone = [given[i : i + 1] for i in range(MANY)]
    tensors = [torch.from_numpy(row) for row in alone]
    times = _in_turn(
        {
            "whole": lambda i: model.predict(raws[i : i + 1]),
            "reading": lambda i: preparer.prepared(raws[i : i + 1]),
            "network": lambda i: graph(LOGITS, **{GIVEN: alone[i]}),
            "torch": lambda i: _said(module, tensors[i]),
        }
    )
    began, rounds, spent = time.perf_counter(), 0, time.thread_time()
    while rounds == 0 or time.perf_counter() - began < SECONDS:
        model.predict(raws)
        rounds += 1
    spent = time.thread_time() - spent
    waited = times["whole"][:, 0] * 1e3
    cpu = {name: float(np.median(taken[:, 1])) * 1e3 for name, taken in times.items()}
    return {
        "p50_ms": float(np.median(waited)),
        "p99_ms": float(np.quantile(waited, 0.99)),
        "whole_cpu_ms": cpu["whole"],
        "reading_cpu_ms": cpu["reading"],
        "network_cpu_ms": cpu["network"],
        "torch_cpu_ms": cpu["torch"],
        "torch_over_network": cpu["torch"] / cpu["network"],
        "a_cpu_second": rounds * MANY / spent,
        "megabytes": len(content) / 1e6,
    }


@torch.no_grad()
def _said(module: torch.nn.Module, given: torch.Tensor) -> object:
    return module(given)


def _in_turn(works: dict[str, Callable[[int], Any]]) -> dict[str, NDArray[np.float64]]:
    """float64[calls, 2]: seconds waited and seconds of this thread's processor time, in turn, so that a busy moment is
    everybody's."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for work in works.values():
        work(0)
    began, i = time.perf_counter(), 0
    while i < 20 or time.perf_counter() - began < 2 * SECONDS:
        for name, work in works.items():
            start, spent = time.perf_counter(), time.thread_time()
            work(i % MANY)
            taken[name].append((time.perf_counter() - start, time.thread_time() - spent))
        i += 1
    return {name: np.array(pairs) for name, pairs in taken.items()}


def _preparation(one: Entry) -> tuple[Preparation, bytes | None]:
    if one.kind == "images":
        return Preparation("images", size=one.size), None
    if one.kind == "sound":
        return Preparation("sound", samples=one.size), None
    return Preparation("text", length=one.size), Vocabulary.of([" ".join(WORDS)], least=1).save()


def _built(one: Entry, vocabulary: bytes | None) -> torch.nn.Module:
    torch.manual_seed(0)
    if vocabulary is None:
        return one.build(len(CLASSES), one.size)
    return one.build(len(CLASSES), one.size, vocabulary=len(WORDS) + 2)


def _written(folder: Path, one: Entry, preparation: Preparation, content: bytes, words: bytes | None) -> Classifier:
    learned = TaughtWith(data="nothing", rows=0, classes={}, parts={}, seed=0, held_out="nothing was learned")
    card = ClassesCard(
        name=one.name,
        kind=one.kind,  # type: ignore[arg-type]
        classes=CLASSES,
        way="scratch",
        preparation=preparation,
        learned=learned,
        network=one.name,
    )
    write(folder, card, {NETWORK: content} | ({VOCABULARY: words} if words else {}))
    return load(folder)


def _example(kind: str, random: np.random.Generator) -> bytes | str:
    file = io.BytesIO()
    if kind == "images":
        y, x = np.mgrid[0:480, 0:640]
        waves = [np.sin(x / random.uniform(9, 90) + y / random.uniform(9, 90)) for _ in range(3)]
        picture = 128 + 80 * np.stack(waves, axis=2) + random.normal(0, 10, (480, 640, 3))
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        return file.getvalue()
    if kind == "sound":
        soundfile.write(file, random.normal(0, 0.1, 16_000), 16_000, format="WAV")
        return file.getvalue()
    return " ".join(random.choice(WORDS, 20))


if __name__ == "__main__":
    main()
