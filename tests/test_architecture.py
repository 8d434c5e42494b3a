"""The house keeps its shape: sizes, names, public doors, and the README's tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "tocsin"
MODULES = sorted(SOURCE.rglob("*.py"))
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_no_file_is_longer_than_600_lines_and_no_function_longer_than_80(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 600, "split it by nouns of the trade"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 80, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_every_name_is_a_noun_of_the_trade(path: Path) -> None:
    assert not {path.stem, path.parent.name} & FORBIDDEN_NAMES


@pytest.mark.parametrize("path", [m for m in MODULES if m.name == "__init__.py"], ids=_name)
def test_a_folder_has_one_paragraph_and_at_most_seven_public_names(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "say what it does and what it does not know"
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            assert isinstance(node.value, ast.List)
            assert len(node.value.elts) <= 7


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_every_module_and_public_definition_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree) or not tree.body
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{node.name} has no docstring"


def _imported(path: Path) -> set[str]:
    """The packages a module imports, wherever in it."""
    return {
        name.split(".")[0]
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }


def test_nothing_is_pickled() -> None:
    for path in MODULES:
        assert not _imported(path) & {"pickle", "joblib", "cloudpickle", "dill", "shelve"}, _name(path)


def test_every_package_that_is_imported_is_named_in_pyproject() -> None:
    """One that only comes along with another is gone on the day that the other no longer needs it."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name not in ("bench", "dev")}
    needed = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    named = {re.split(r"[\[<>=;]", line)[0].strip().lower().replace("_", "-") for line in needed}
    brought_by = packages_distributions()
    for path in MODULES:
        for package in _imported(path) - sys.stdlib_module_names - {"tocsin"}:
            brought = {one.lower().replace("_", "-") for one in brought_by.get(package, [])}
            assert brought & named, f"{_name(path)} imports {package}, which pyproject.toml does not name"


def test_the_readme_shows_the_tree_as_it_is() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    match = re.search(r"```text tree\n(.*?)```", readme, re.DOTALL)
    assert match, "the README has a block ```text tree"
    shown = set(re.findall(r"[\w.]+\.py|[\w]+/(?=\s|$)", match[1]))
    tracked = subprocess.run(
        ["git", "ls-files", "src/tocsin"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    files = {Path(t).name for t in tracked if t.endswith(".py") and not t.endswith("__init__.py")}
    folders = {f"{Path(t).parent.name}/" for t in tracked if t.endswith(".py") and Path(t).parent != Path("src/tocsin")}
    missing = sorted((files | folders) - shown - {"tocsin/", "versions/", "env.py"} - _migrations(tracked))
    assert not missing, f"the README's tree does not show {missing}"
    gone = sorted(name for name in shown - files - folders if name not in {"tocsin/", "src/", "specs/", "migrations/"})
    assert not gone, f"the README's tree shows {gone}, which are not there"


def _migrations(tracked: list[str]) -> set[str]:
    return {Path(t).name for t in tracked if "/versions/" in t}


def test_no_path_of_a_machine_and_no_registry_host_is_written_down() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    wrong = re.compile(r"/wor" r"k/(main|shared|\.library)|/tm" r"p/team|pypi\.or" r"g/simple|files\.pythonhoste" r"d")
    for name in tracked:
        path = ROOT / name
        if path.is_file() and path.suffix in {".py", ".md", ".toml", ".txt", ".html", ".css", ".js", ".yml", ""}:
            found = wrong.search(path.read_text(encoding="utf-8", errors="ignore"))
            assert not found, f"{name} names {found[0] if found else ''}"
