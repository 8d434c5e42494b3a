"""`tocsin cluster`: groups in words, on a page, and in a table one can learn from."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from scenes.classes import colour, tiny
from scenes.pages import read
from tocsin.cli.main import group
from tocsin.data.collection import collect
from tocsin.errors import BadInput


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(group, ["cluster", *map(str, words)], catch_exceptions=False, env={"COLUMNS": "200"})


def heap(folder: Path) -> Path:
    """Thirty pictures side by side, light and dark; nobody has sorted them."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for i in range(30):
        picture = np.clip(rng.normal(60 if i % 3 else 200, 20, (32, 32, 3)), 0, 255).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"{i:02}.png")
    return folder


def test_a_heap_of_pictures_becomes_a_page_and_a_table_to_learn_from(tmp_path: Path) -> None:
    data, report = heap(tmp_path / "d"), tmp_path / "g.html"
    result = run(data, "--network", "plain", "--into", "2", "--report", report, "--csv", data / "index.csv")
    assert result.exit_code == 0, result.output
    assert "30 pictures fall into 2 groups" in result.output
    assert "20    67%" in result.output
    reader = read(report.read_text(encoding="utf-8"))
    assert "Group 1 · 20 pictures (67%)" in " ".join(" ".join(reader.text).split())
    with (data / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "cluster", "distance"]
    assert {row["cluster"] for row in rows if int(row["file"][:2]) % 3 == 0} == {"2"}
    assert all(0 <= float(row["distance"]) <= 2 for row in rows)
    again = collect(data, label="cluster")
    assert again.classes == ("1", "2")
    assert len(again) == 30


def test_by_a_model_of_ones_own(tmp_path: Path) -> None:
    data = tmp_path / "d"
    data.mkdir()
    for i, tint in enumerate(("red", "blue", "lime") * 6):
        (data / f"{i}.png").write_bytes(colour(tint))
    result = run(data, "--model", tiny(tmp_path / "m", "images"), "--into", "3", "--report", tmp_path / "g.html")
    assert "18 pictures fall into 3 groups" in result.output
    assert "Grouped by tiny-images-" in result.output


def test_texts_are_told_by_their_words(tmp_path: Path) -> None:
    table = tmp_path / "letters.csv"
    said = ["win a prize now {}", "the train is late {}"]
    table.write_text("text\n" + "\n".join(said[i % 2].format("abcdefgh"[i % 8] * 3) for i in range(40)))
    result = run(table, "--network", "plain", "--into", "2", "--report", tmp_path / "g.html")
    assert "prize" in result.output
    assert "train" in result.output


@pytest.mark.parametrize(
    ("words", "match"),
    [(("--into", "many"), "a number of groups"), (("--into", "99"), "2 to 30"), (("--network", "nothing"), "registry")],
)
def test_what_cannot_be_is_refused(tmp_path: Path, words: tuple[str, ...], match: str) -> None:
    with pytest.raises(BadInput, match=match):
        run(heap(tmp_path / "d"), *words, "--report", tmp_path / "g.html")


def test_one_thing_to_group_by(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="got --model and --network"):
        run(tmp_path, "--model", tmp_path, "--network", "plain")
