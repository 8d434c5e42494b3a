"""What the benchmarks of the live service share: a learned model, payments as JSON, a server process, a load generator."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pyarrow.parquet as pq

TOCSIN = Path(sys.executable).with_name("tocsin")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
COLUMNS = "account card device ip latitude longitude country retailer retailer_kind payee channel credit_score".split()


def learn_model(folder: Path, transactions: int) -> None:
    """A made world and a model learned from it, with the memory of its past, by the two commands a user would type."""
    run("world", "--out", folder / "world", "--transactions", transactions, "--seed", 7)
    run("learn", folder / "world" / "world.parquet", "--spec", "world", "--fpr", 0.005, "--out", folder / "model")


def run(*words: object) -> str:
    """A ``tocsin`` command; its output, or an exception with what it said."""
    done = subprocess.run(
        [TOCSIN, *map(str, words)], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"tocsin {words[0]} failed: {done.stderr[-2000:]}")
    return done.stdout.strip()


def payments(world: Path, count: int, *, prefix: str = "live") -> list[bytes]:
    """The world's newest payments once more as JSON, after its end, as often as needed, with ids of their own.

    They keep their distances in time, so velocities and alerts stay those of ordinary days.
    """
    table = pq.read_table(world, columns=["at", "kind", "amount_minor", "currency", *COLUMNS])
    rows = [row for row in table.to_pylist() if row["kind"] in (None, "payment")][-count:]
    span = rows[-1]["at"] - rows[0]["at"] + timedelta(minutes=1)
    out = []
    for i in range(count):
        row = rows[i % len(rows)]
        body: dict[str, Any] = {name: row[name] for name in COLUMNS if row[name] not in (None, "")}
        body |= {"id": f"{prefix}-{i}", "at": row["at"].astimezone(UTC) + span * (1 + i // len(rows))}
        body |= {"amount_minor": row["amount_minor"], "currency": row["currency"]}
        out.append(msgspec.json.encode(body))
    return out


@dataclass
class Server:
    """A running ``tocsin serve`` and how to reach it."""

    process: subprocess.Popen[bytes]
    port: int
    key: str
    log: Path

    @property
    def client(self) -> httpx.Client:
        """A client with the key."""
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}", headers={"Authorization": f"Bearer {self.key}"}, timeout=60
        )

    def wait(self, seconds: float = 120) -> float:
        """Until it is ready; returns how long that took, in seconds."""
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended: {self.log.read_text()[-2000:]}")
            try:
                if httpx.get(f"http://127.0.0.1:{self.port}/ready", timeout=5).status_code == 200:
                    return time.perf_counter() - started
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise RuntimeError("the server did not become ready")

    def kill(self) -> None:
        """As if the power of the process went: no handler runs, nothing is flushed."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Ask it to end."""
        self.process.terminate()
        self.process.wait(timeout=60)


def start_server(model: Path, data: Path, port: int, key: str, *more: object) -> Server:
    """``tocsin serve`` as a process of its own; its log goes to ``serve.log`` in the data folder."""
    data.mkdir(parents=True, exist_ok=True)
    words = ["serve", model, "--data", data, "--port", port, "--ahead-h", -1, *more]
    with (data / "serve.log").open("ab") as log:
        process = subprocess.Popen([TOCSIN, *map(str, words)], env=ENVIRONMENT, stdout=log, stderr=log)
    return Server(process, port, key, data / "serve.log")


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Waits for a server and stops it at the end."""
    try:
        server.wait()
        yield server
        server.stop()
    finally:
        if server.process.poll() is None:
            server.kill()


@dataclass
class Load:
    """What a load did: seconds from when each request was due to its answer, statuses, and bodies if they were kept."""

    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    seconds: float = 0.0
    generator_cpu: float = 0.0

    def quantile(self, share: float) -> float:
        """Milliseconds at or below which ``share`` of the requests were answered."""
        ordered = sorted(self.latencies)
        return 1e3 * ordered[min(int(share * len(ordered)), len(ordered) - 1)]


class Connection(asyncio.Protocol):
    """One kept-alive connection with one request at a time; reads no more of HTTP than it must."""

    def __init__(self) -> None:
        self._buffer = b""
        self._want = -1
        self._status = 0
        self._waiter: asyncio.Future[tuple[int, bytes]] | None = None
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def send(self, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self._waiter = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._waiter

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._want < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = self._buffer[:end].lower()
            at = head.index(b"content-length:") + 15
            stop = head.find(b"\r\n", at)
            self._want = int(head[at : stop if stop > 0 else end])
            self._status = int(head[9:12])
            self._buffer = self._buffer[end + 4 :]
        if len(self._buffer) >= self._want and self._waiter is not None:
            body, self._buffer, self._want = self._buffer[: self._want], self._buffer[self._want :], -1
            waiter, self._waiter = self._waiter, None
            if not waiter.done():
                waiter.set_result((self._status, body))

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error or ConnectionResetError())

    def close(self) -> None:
        self._transport.close()


def requests_of(bodies: list[bytes], key: str, *, lines: int = 1, path: str = "/v1/transactions") -> list[bytes]:
    """Whole HTTP requests, one body each or ``lines`` bodies as JSON lines."""
    kind = "application/json" if lines == 1 else "application/x-ndjson"
    joined = bodies if lines == 1 else [b"\n".join(bodies[i : i + lines]) for i in range(0, len(bodies), lines)]
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: {kind}\r\nContent-Length: "
    return [f"{head}{len(body)}\r\n\r\n".encode() + body for body in joined]


async def send(
    port: int, requests: list[bytes], *, connections: int, rate: float | None = None, keep: bool = False
) -> Load:
    """Send all requests over some connections, as fast as they are answered or ``rate`` a second.

    With a rate, a request's time runs from the moment it was due, whether or not a connection was free then: waiting
    behind a slow answer counts. A connection that breaks ends its worker; what was answered is in the load.
    """
    loop, load = asyncio.get_running_loop(), Load()
    queue: asyncio.Queue[tuple[float, int, bytes]] = asyncio.Queue()
    cpu, started = time.process_time(), time.perf_counter()

    async def work() -> None:
        _, connection = await loop.create_connection(Connection, "127.0.0.1", port)
        while True:
            due, place, request = await queue.get() if rate else next_one()
            if place < 0:
                break
            try:
                status, body = await connection.send(request)
            except OSError:
                return
            load.latencies.append(time.perf_counter() - due)
            load.statuses[status] = load.statuses.get(status, 0) + 1
            if keep:
                load.answers.append((place, body))
        connection.close()

    feed = iter(enumerate(requests))

    def next_one() -> tuple[float, int, bytes]:
        place, request = next(feed, (-1, b""))
        return time.perf_counter(), place, request

    workers = [asyncio.create_task(work()) for _ in range(connections)]
    if rate:
        for place, request in feed:
            due = started + place / rate
            if (ahead := due - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            queue.put_nowait((due, place, request))
        for _ in workers:
            queue.put_nowait((0.0, -1, b""))
    ends = await asyncio.gather(*workers, return_exceptions=True)
    if not load.latencies:
        raise next((end for end in ends if isinstance(end, OSError)), ConnectionError("nothing was answered"))
    load.seconds = time.perf_counter() - started
    load.generator_cpu = (time.process_time() - cpu) / load.seconds
    return load


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def fresh_key(data: Path) -> str:
    """A new API key for the ledger in this data folder."""
    return run("key", "new", f"bench-{datetime.now(UTC):%H%M%S%f}", "--data", data).splitlines()[0]
