"""Serving stands alone: without PyTorch, and without anything else that only learns, every part that serves imports."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# What only those who learn have; `pip install .` brings none of it.
LEARNERS_ONLY = ("torch", "safetensors", "jaxtyping", "onnx", "sklearn", "matplotlib")
# All that a serving machine runs, and the commands: `tocsin learn --way trees` too must answer without PyTorch.
SERVING = ("live", "desk", "artifact", "features", "ledger", "data", "measure", "evaluate", "cli")

IMPORT_ALL = """
import importlib, pkgutil, sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Blocked())
import tocsin.app, tocsin.learn
for part in {parts!r}:
    package = importlib.import_module("tocsin." + part)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
print(len([name for name in sys.modules if name.startswith("tocsin.")]))
"""


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_part_that_serves_imports_without_a_learner() -> None:
    done = run(IMPORT_ALL.format(blocked=LEARNERS_ONLY, parts=SERVING))
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 100


PREDICT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Blocked())
sys.argv = ["tocsin", "predict", *{words!r}]
from tocsin.cli.main import main
main()
"""


def test_pictures_are_predicted_without_a_learner(tmp_path: Path) -> None:
    from scenes.classes import colour, tiny

    (tmp_path / "red.png").write_bytes(colour("red"))
    words = [str(tiny(tmp_path / "colours", "images")), str(tmp_path / "red.png"), "--json"]
    done = run(PREDICT.format(blocked=LEARNERS_ONLY, words=words))
    assert done.returncode == 0, done.stderr
    assert '"class":"red"' in done.stdout


def test_a_picture_is_predicted_without_what_payments_and_tables_need(tmp_path: Path) -> None:
    """They take most of a second of a processor to load, every time the command is given."""
    from scenes.classes import colour, tiny

    folder = tmp_path / "some"
    folder.mkdir()
    for name in ("red", "blue"):
        (folder / f"{name}.png").write_bytes(colour(name))
    words = [str(tiny(tmp_path / "colours", "images")), str(folder), "--json"]
    done = run(PREDICT.format(blocked=("pyarrow", "pandas", "numba", "lightgbm", "scipy"), words=words))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"class":') > 2


@pytest.mark.parametrize("package", ["tocsin", "tocsin.data", "tocsin.artifact"])
def test_a_door_opens_every_name_it_shows_and_no_other(package: str) -> None:
    door = importlib.import_module(package)
    for name in getattr(door, "__all__", ["__version__"]):
        assert getattr(door, name)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = door.nothing


def test_the_block_blocks() -> None:
    pytest.importorskip("torch")
    done = run(IMPORT_ALL.format(blocked=LEARNERS_ONLY, parts=()) + "\nimport torch")
    assert "ModuleNotFoundError" in done.stderr


def test_what_trains_networks_is_installed_by_its_name_alone_and_never_by_serving() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = re.search(r"^dependencies = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE)
    assert needed
    assert not [name for name in LEARNERS_ONLY if f'"{name}>' in needed[1]]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert [pin for pin in pins if pin.startswith("torch==")] == ["torch==2.13.0"]  # any build of it, from anywhere
    assert not [pin for pin in pins if re.search(r"://| @ |^-|\+", pin)]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "\nTORCH ?= torch==2.13.0\n" in makefile
