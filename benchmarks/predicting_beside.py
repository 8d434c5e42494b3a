"""What pictures asked of the same service cost the payments beside them.

    make bench NAME=predicting_beside            a few minutes
    QUICK=1 make bench NAME=predicting_beside    about a minute

One service has a model of payments and one of pictures (MobileNetV2, its weights random: they change no time). Payments come at a
fixed rate; in every other round a process of its own asks for pictures (JPEG, 640 x 480), over as many connections as there are cores and
one more, each as soon as the one before is answered, from before the first payment until after the last. Rounds alternate, so that a busy moment of the machine is everybody's. The load
generators take a part of the cores, which is printed. The last line is one JSON object.
"""

from __future__ import annotations

import io
import json
import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import uvloop
from PIL import Image

from predicting import written_network
from tocsin.learn.perception.registry import entry
from traffic import Server, free_port, fresh_key, learn_model, payments, requests_of, running, send, start_server

QUICK = os.environ.get("QUICK", "") not in ("", "0")
RATE = 300
SECONDS, ROUNDS = (4, 2) if QUICK else (15, 4)
ASKING = (os.cpu_count() or 2) + 1


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(os.environ.get("TOCSIN_BENCH_FOLDER", name))
        if not (folder / "model").is_dir():
            learn_model(folder, 20_000 if QUICK else 100_000)
        written_network(Path(name) / "pictures", entry("mobilenet_v2"))
        bodies = payments(folder / "world" / "world.parquet", 1_000 + 2 * ROUNDS * RATE * SECONDS)
        data = Path(name) / "data"
        key = fresh_key(data)
        with running(start_server(folder / "model", data, free_port(), key, Path(name) / "pictures")) as server:
            result = measure(server, bodies, Path(name))
    for where in ("alone", "beside"):
        print(f"{where:8}" + "".join(f"{q:>8} {result[where][q]:8.2f} ms" for q in ("p50", "p99", "p999")))
    print(f"{result['pictures_per_s']:.1f} pictures a second beside {RATE} payments; of a core: {result['generators']}")
    print(json.dumps({"quick": QUICK, "payments_per_s": RATE} | result))


def measure(server: Server, bodies: list[bytes], folder: Path) -> dict[str, Any]:
    """Milliseconds of payments, alone and beside pictures; medians over the rounds."""
    feed = iter(requests_of(bodies, server.key))
    uvloop.run(send(server.port, [next(feed) for _ in range(1_000)], connections=16))
    found: dict[str, list[list[float]]] = {"alone": [], "beside": []}
    pictures, shares = [], []
    for number in range(2 * ROUNDS):
        where = ("alone", "beside")[number % 2]
        asking = _asking(server) if where == "beside" else None
        load = uvloop.run(send(server.port, [next(feed) for _ in range(RATE * SECONDS)], connections=64, rate=RATE))
        found[where].append([load.quantile(q) for q in (0.5, 0.99, 0.999)])
        assert set(load.statuses) == {200}, load.statuses
        shares.append(load.generator_cpu)
        if asking is not None:
            said, _ = asking.communicate()  # which closes its input, and so ends it
            pictures.append(json.loads(said))
    quantiles = ("p50", "p99", "p999")
    return {
        where: dict(zip(quantiles, np.round(np.median(rounds, axis=0), 3).tolist(), strict=True))
        for where, rounds in found.items()
    } | {
        "rounds": {where: np.round(rounds, 2).tolist() for where, rounds in found.items()},
        "pictures_per_s": round(float(np.mean([one["per_s"] for one in pictures])), 2),
        "picture_p50_ms": round(float(np.mean([one["p50_ms"] for one in pictures])), 1),
        "generators": {
            "payments": round(float(np.mean(shares)), 3),
            "pictures": round(float(np.mean([one["cpu"] for one in pictures])), 3),
        },
    }


def _asking(server: Server) -> subprocess.Popen[str]:
    words = [sys.executable, __file__, "--ask", str(server.port), server.key]
    asking = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert asking.stdout is not None
    assert asking.stdout.readline() == "asking\n"
    return asking


def ask(port: int, key: str) -> None:
    """Ask for pictures until the input ends; prints what came of it."""
    y, x = np.mgrid[0:480, 0:640]
    pixels = 128 + 80 * np.stack([np.sin(x / (11 + 9 * c) + y / (7 + 13 * c)) for c in range(3)], axis=2)
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "JPEG", quality=90)
    [request] = requests_of([file.getvalue()], key, path="/v1/predict/pictures")
    request = request.replace(b"application/json", b"image/jpeg", 1)
    uvloop.run(send(port, [request] * ASKING, connections=ASKING))
    print("asking", flush=True)
    latencies, spent, seconds = list[float](), 0.0, 0.0
    while not select.select([sys.stdin], [], [], 0)[0]:
        load = uvloop.run(send(port, [request] * 2 * ASKING, connections=ASKING))
        assert set(load.statuses) == {200}, load.statuses
        latencies += load.latencies
        spent, seconds = spent + load.generator_cpu * load.seconds, seconds + load.seconds
    said = {"per_s": len(latencies) / seconds, "p50_ms": 1e3 * float(np.median(latencies)), "cpu": spent / seconds}
    print(msgspec.json.encode(said).decode())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ask"]:
        ask(int(sys.argv[2]), sys.argv[3])
    else:
        main()
