"""The demo's service and the payment system that talks to it: over HTTP, with a key, one thing after the other."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import click
import msgspec
import uvicorn

from tocsin.app import Settings, build
from tocsin.cli.demo_days import Post


class Served:
    """The whole application in a thread of this process, from entering to leaving."""

    def __init__(self, settings: Settings) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((settings.host, settings.port))
        except OSError as error:
            self._socket.close()
            raise click.ClickException(
                f"port {settings.port} cannot be used ({error.strerror}). Name another: tocsin demo --port 8478"
            ) from None
        self.host, self.port = self._socket.getsockname()[:2]
        options: dict[str, Any] = {"log_level": "warning", "access_log": False, "ws": "none", "server_header": False}
        options["proxy_headers"] = False
        options["timeout_graceful_shutdown"] = 2  # a browser that listens for news would never hang up
        self._server = uvicorn.Server(uvicorn.Config(build(settings), **options))
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="tocsin-serve", daemon=True
        )

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{self.host}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=30)
        self._socket.close()

    def wait(self, told: Callable[[str], None], *, longest_s: float = 180.0) -> None:
        """Until it is ready to answer; what keeps it is told."""
        client, until = Client(self.host, self.port, key=""), time.monotonic() + longest_s
        while time.monotonic() < until:
            if not self._thread.is_alive():
                raise click.ClickException("the service stopped before it was ready; the log above says why.")
            try:
                status, body = client.ask("GET", "/ready")
            except OSError:
                client.close()
                time.sleep(0.05)
                continue
            if status == 200:
                client.close()
                return
            told(str(msgspec.json.decode(body).get("problem", "")))
            time.sleep(0.1)
        raise click.ClickException(f"the service was not ready after {longest_s:.0f} seconds.")


class Client:
    """One connection to the service, kept open."""

    def __init__(self, host: str, port: int, key: str) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=30)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: bytes | None = None, *, cookie: str = "") -> tuple[int, bytes]:
        """Status and body of the answer; with a cookie it is a person's browser that asks."""
        headers = {"Cookie": cookie} if cookie else self._headers
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def answer(self, method: str, path: str, body: bytes | None = None) -> Any:
        """The decoded answer; anything but 200 ends the demo with what was said."""
        status, raw = self.ask(method, path, body)
        if status != 200:
            raise click.ClickException(f"{method} {path} was answered {status}: {raw.decode(errors='replace')[:300]}")
        return msgspec.json.decode(raw)

    def close(self) -> None:
        """Close the connection; the next question opens it again."""
        self._connection.close()


@dataclass(slots=True)
class Played:
    """What was answered: id of the payment -> action, and how long the answers took."""

    actions: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    @property
    def alerts(self) -> list[str]:
        """Payments for which an alert rang."""
        return [id for id, action in self.actions.items() if action != "approve"]


def play(
    client: Client, posts: Sequence[Post], played: Played, told: Callable[[int], None], *, lasting_s: float = 0.0
) -> None:
    """Send everything in order, as fast as it is answered or spread over ``lasting_s`` seconds by its own times."""
    if not posts:
        return
    began, first, span = time.monotonic(), posts[0].at, max(posts[-1].at - posts[0].at, 1)
    for place, post in enumerate(posts, start=1):
        due = began + lasting_s * (post.at - first) / span
        while (early := due - time.monotonic()) > 0:
            time.sleep(min(early, 0.2))
        sent = time.perf_counter()
        answer = client.answer("POST", post.path, post.body)
        if post.path == "/v1/transactions":
            played.seconds.append(time.perf_counter() - sent)
            played.actions[post.id] = answer["action"]
        told(place)
