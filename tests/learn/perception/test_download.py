"""A download goes on where it stopped, is what its fingerprint says, and fails in words; against a real server here."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from tocsin.errors import Damaged, NotReady, TooLarge
from tocsin.learn.perception.download import download

CONTENT = np.random.default_rng(5).bytes(700_000)
SHA = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves ``CONTENT``; what it does wrong is said by the path, what it was asked is kept."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[str, str]] = []
        self.block = threading.Event()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{path}"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        kind, wanted = self.path[1:], self.headers.get("Range", "")
        self.server.asked.append((kind, wanted))
        times = sum(1 for asked, _ in self.server.asked if asked == kind)
        if kind == "missing":
            return self.send_error(404)
        if kind == "busy" and times < 3:
            return self.send_error(503)
        begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and kind != "norange" else 0
        if begin >= len(CONTENT):
            return self.send_error(416)
        rest = CONTENT[begin:]
        self.send_response(206 if begin else 200)
        if kind != "nolength":
            self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if (kind == "cut" and times < 4) or (kind == "norange" and times == 1):
            rest = rest[:200_000]
        elif kind == "stuck":
            rest = b""
            self.server.block.wait(5)
        elif kind == "always-cut":
            rest = rest[:0]
        self.wfile.write(rest)
        return None

    def log_message(self, *_args: object) -> None:
        """Quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    thread = threading.Thread(target=one.serve_forever, daemon=True)
    thread.start()
    yield one
    one.block.set()
    one.shutdown()
    one.server_close()
    thread.join()


def test_a_whole_file_comes_with_its_progress_and_leaves_no_part(server: Server, tmp_path: Path) -> None:
    shares: list[float] = []
    path = download(server.url("whole"), tmp_path / "in" / "w.pth", SHA[:8], told=lambda _what, s: shares.append(s))
    assert path.read_bytes() == CONTENT
    assert [p.name for p in path.parent.iterdir()] == ["w.pth"]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


@pytest.mark.parametrize(("kind", "tries"), [("cut", 2), ("busy", 3), ("norange", 2), ("nolength", 1)])
def test_what_is_interrupted_goes_on(server: Server, tmp_path: Path, kind: str, tries: int) -> None:
    waits: list[float] = []
    path = download(server.url(kind), tmp_path / "w", SHA, tries=tries, sleep=waits.append)
    assert path.read_bytes() == CONTENT
    ranges = [wanted for _, wanted in server.asked]
    if kind == "cut":  # cut three times, always further: two tries without getting further were allowed
        assert ranges == ["", "bytes=200000-", "bytes=400000-", "bytes=600000-"]
    if kind == "busy":
        assert waits == [1.0, 2.0]


def test_a_part_from_an_earlier_run_is_gone_on_from(server: Server, tmp_path: Path) -> None:
    (tmp_path / "w.part").write_bytes(CONTENT[:300_000])
    assert download(server.url("whole"), tmp_path / "w", SHA).read_bytes() == CONTENT
    assert server.asked == [("whole", "bytes=300000-")]
    (tmp_path / "v.part").write_bytes(CONTENT)  # all had come, but the process ended before the last step
    assert download(server.url("whole"), tmp_path / "v", SHA).read_bytes() == CONTENT


def test_another_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    with pytest.raises(Damaged, match="fingerprint 0000"):
        download(server.url("whole"), tmp_path / "w", "0000")
    (tmp_path / "w.part").write_bytes(b"x" * 300_000)  # a part of something else
    with pytest.raises(Damaged):
        download(server.url("whole"), tmp_path / "w", SHA)
    assert list(tmp_path.iterdir()) == []
    assert download(server.url("whole"), tmp_path / "w", SHA).read_bytes() == CONTENT


def test_what_is_not_there_is_said_at_once(server: Server, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match=r"404.*put it at"):
        download(server.url("missing"), tmp_path / "w", SHA, sleep=lambda _s: pytest.fail("no use in waiting"))
    assert len(server.asked) == 1


def test_a_server_that_is_silent_or_always_stops_is_given_up(server: Server, tmp_path: Path) -> None:
    waits: list[float] = []
    with pytest.raises(NotReady, match="What has come is kept"):
        download(server.url("stuck"), tmp_path / "w", SHA, timeout=0.2, tries=2, sleep=waits.append)
    assert waits == [1.0]
    with pytest.raises(NotReady, match="0 of 700000 bytes"):
        download(server.url("always-cut"), tmp_path / "w", SHA, tries=2, sleep=waits.append)


def test_no_server_and_no_network_are_said_in_words(tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="network"):
        download("http://127.0.0.1:9/w", tmp_path / "w", SHA, tries=2, sleep=lambda _s: None)
    with pytest.raises(NotReady, match="network"):  # a name nobody may have
        download(
            "http://weights.invalid/w",
            tmp_path / "w",
            SHA,
            sleep=lambda _s: pytest.fail("no network: no use in waiting"),
        )


def test_more_than_was_expected_is_not_listened_to(server: Server, tmp_path: Path) -> None:
    for kind in ("whole", "nolength"):
        with pytest.raises(TooLarge, match="at most 1000"):
            download(server.url(kind), tmp_path / kind, SHA, largest=1000)
