"""The curves of a training: written as it goes, loaded anew until it is done, and seen in a real browser."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from scenes.networks import points
from tocsin.learn.loop import LoopSettings, train

SETTINGS = LoopSettings(epochs=4, planned=5, batch=64, rate=0.01, save_every=5)


def stopped(folder: Path, at: float) -> str:
    """The page as it stood when a training was ended."""

    def told(_what: str, share: float) -> None:
        if share > at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(points(), SETTINGS, folder=folder, told=told)
    return (folder / "training.html").read_text()


def test_the_page_loads_itself_anew_until_the_training_is_done(tmp_path: Path) -> None:
    page = stopped(tmp_path, 0.6)
    assert '<meta http-equiv="refresh" content="3">' in page
    assert re.search(r"Epoch 3 of 4, about \d+ s left\. The judged loss was 0\.70\d+ before the first step", page)
    found = train(points(), SETTINGS, folder=tmp_path)
    page = (tmp_path / "training.html").read_text()
    assert "refresh" not in page
    assert f"is {found.judged:.5g} after epoch {found.best}, the best." in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "<script" not in page


def test_the_numbers_stand_beside_it(tmp_path: Path) -> None:
    found = train(points(), SETTINGS, folder=tmp_path)
    numbers = json.loads((tmp_path / "training.json").read_text())
    assert numbers["finished"] is True
    assert [e["judged"] for e in numbers["epochs"]] == [e.judged for e in found.epochs]
    assert (numbers["best"], numbers["peak_rate"], numbers["step"]) == (found.best, 0.01, 4 * 27)
    places = [place for place, _ in numbers["trace"]]
    assert places == sorted(places)
    assert places[-1] == 4
    assert len(places) >= 4 * 20


def test_what_the_doctor_says_stands_on_the_page(tmp_path: Path) -> None:
    task = points()
    task.model[4].bias.data.fill_(-100.0)
    found = train(task, SETTINGS, folder=tmp_path)
    page = (tmp_path / "training.html").read_text()
    assert found.doctor
    assert "What is wrong" in page
    assert "16 of 16 units of layer &#x27;5&#x27; are dead" in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
def test_it_fits_and_its_curves_are_drawn(width: int, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    still = tmp_path / "still.html"  # the same page, but it does not load itself anew under the test's hands
    still.write_text(stopped(tmp_path, 0.6).replace('<meta http-equiv="refresh" content="3">', ""))
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800})
        wrong: list[str] = []
        page.on("console", lambda message: wrong.append(message.text))
        page.goto(still.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator("svg").count() == 2
        for line in page.locator("polyline.s1, polyline.s2, polyline.s3").all():
            box = line.bounding_box()
            assert box is not None
            assert box["width"] > 50
            assert box["height"] > 20
        assert wrong == []
        browser.close()
