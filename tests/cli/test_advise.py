"""``tocsin advise`` as a person meets it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from scenes.examples import made_sentences
from tocsin.cli.advise import command
from tocsin.evaluate import examples_advice


def test_texts_get_one_recommendation_a_table_a_drawing_and_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examples_advice, "find_spec", lambda name: None)
    data, page = made_sentences(tmp_path / "said.csv", each=60), tmp_path / "advice.html"
    got = CliRunner().invoke(command, [str(data), "--report", str(page)], env={"COLUMNS": "200"})
    assert got.exit_code == 0, got.output
    assert "120 labelled texts of 3 classes" in got.stdout
    assert f"Next: tocsin learn {data} --way plain" in got.stdout
    assert "capitals measured" in got.stdout
    assert "What would change this: Twice the labels" in got.stdout
    assert "the test part was not looked at" in got.stdout
    assert "<svg" in page.read_text(encoding="utf-8")


def test_payments_are_read_by_their_spec(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 3000
    label = (rng.random(n) < 0.08).astype(int)
    names = ["Time", *(f"V{i}" for i in range(1, 29)), "Amount", "Class"]
    numbers = rng.normal(size=(n, 28))
    numbers[:, 0] += 2 * label
    lines = [",".join(names)]
    for i in range(n):
        cells = [str(i * 30), *(f"{v:.4f}" for v in numbers[i]), f"{rng.uniform(1, 99):.2f}", str(label[i])]
        lines.append(",".join(cells))
    (tmp_path / "cards.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    got = CliRunner().invoke(
        command, [str(tmp_path / "cards.csv"), "--spec", "ulb"], env={"COLUMNS": "200"}, catch_exceptions=False
    )
    assert got.exit_code == 0
    assert "known frauds" in got.stdout
    assert f"Next: tocsin learn {tmp_path / 'cards.csv'} --spec ulb" in got.stdout
    assert "Machine learning: --way trees" in got.stdout
