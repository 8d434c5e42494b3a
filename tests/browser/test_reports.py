"""The reports of models of pictures, sounds and texts, and the page of groups: in real Chromium, as a file, alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import Browser, Page

from scenes.classes import tiny, tone
from tocsin.cli.main import group

pytestmark = pytest.mark.browser


def run(*words: str | Path) -> None:
    result = CliRunner().invoke(group, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One of each kind, with mistakes in it, and a page of groups."""
    folder = tmp_path_factory.mktemp("reports")
    rng = np.random.default_rng(0)
    for name, tint in (("red", (200, 40, 40)), ("blue", (40, 40, 200)), ("green", (190, 90, 40))):
        (folder / "images" / name).mkdir(parents=True)
        for i in range(10):
            picture = np.clip(rng.normal(tint, 60, (40, 52, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / "images" / name / f"a rather long name of a file {i}.png")
    for name, loud in (("loud", 0.9), ("quiet", 0.02)):
        (folder / "sound" / name).mkdir(parents=True)
        for i in range(5):
            (folder / "sound" / name / f"{i}.wav").write_bytes(tone(loud if i else 0.9, seconds=0.5))
    rows = [
        "the cat and the dog sat on the fence,animals",
        "a loan at the bank with a card,money",
        "a dog at the bank,money",
    ]
    (folder / "text.csv").write_text("\n".join(["text,label", *(rows * 12)]))
    out = {}
    for kind, data in (("images", "images"), ("sound", "sound"), ("text", "text.csv")):
        out[kind] = folder / f"{kind}.html"
        run("evaluate", tiny(folder / f"m-{kind}", kind), folder / data, "--report", out[kind])
    out["groups"] = folder / "groups.html"
    run("cluster", folder / "images", "--network", "plain", "--report", out["groups"])
    return out


def opened(chromium: Browser, path: Path, width: int) -> tuple[Page, list[str]]:
    page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme="dark" if width < 500 else "light")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.split(":")[0] != "data" else None)
    page.on("console", lambda said: asked.append(said.text))
    page.goto(path.as_uri())
    return page, asked


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("kind", ["images", "sound", "text", "groups"])
def test_a_page_fits_and_asks_for_nothing_but_itself(
    reports: dict[str, Path], chromium: Browser, kind: str, width: int
) -> None:
    page, asked = opened(chromium, reports[kind], width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert asked == [reports[kind].as_uri()]
    broken = "[...document.images].filter(one => !one.complete || !one.naturalWidth).length"
    assert page.evaluate(broken) == 0
    assert page.locator("figure").count() >= 4
    page.close()


def test_the_colours_go_and_come_by_the_keyboard(reports: dict[str, Path], chromium: Browser) -> None:
    page, _ = opened(chromium, reports["images"], 1280)
    heat = "getComputedStyle(document.querySelector('.heat')).opacity"
    page.locator("#why").focus()
    assert page.evaluate(heat) == "1"
    page.keyboard.press("Space")
    page.wait_for_function(f"{heat} === '0'")
    page.keyboard.press("Space")
    page.wait_for_function(f"{heat} === '1'")
    page.locator("details summary").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("details[open] table").count() == 1
    page.close()


def test_a_sound_can_be_played(reports: dict[str, Path], chromium: Browser) -> None:
    page, _ = opened(chromium, reports["sound"], 360)
    seconds = page.evaluate(
        """async () => {
          const sound = document.querySelector('audio');
          sound.load();
          await new Promise((done, refuse) => { sound.onloadedmetadata = done; sound.onerror = refuse; sound.preload = 'auto'; });
          return sound.duration;
        }"""
    )
    assert 0.05 < seconds < 0.3  # the tenth of a second that the model hears, and what MP3 adds
    page.close()


def test_a_marked_word_stands_out_and_can_be_made_plain(reports: dict[str, Path], chromium: Browser) -> None:
    page, _ = opened(chromium, reports["text"], 1280)
    ground = "getComputedStyle(document.querySelector('mark.for')).backgroundColor"
    marked = page.evaluate(ground)
    page.locator("#why").uncheck()
    page.wait_for_function(f"{ground} !== {marked!r}")
    assert page.evaluate(ground) == "rgba(0, 0, 0, 0)"
    page.close()
