"""Whole models are asked why: from the file's bytes to what decided, of every kind."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from scenes.classes import tiny
from tocsin.artifact.classes import NETWORK, load
from tocsin.evaluate.attribution import Hiding, explainer


def test_a_picture_that_is_red_in_one_corner_is_red_for_that_corner(tmp_path: Path) -> None:
    model = load(tiny(tmp_path / "m", "images"))
    why = explainer(model, (tmp_path / "m" / NETWORK).read_bytes())
    assert isinstance(why, Hiding)  # nothing in it is convolved
    picture = np.zeros((16, 16, 3), dtype=np.uint8)
    picture[10:, 2:6] = (255, 0, 0)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    mass = np.clip(why(file.getvalue(), model.classes.index("red")).values, 0, None)
    assert mass.shape == (8, 8)
    assert mass[4:, :4].sum() > 0.9 * mass.sum() > 0


def test_a_sound_that_is_loud_once_is_loud_for_that_moment(tmp_path: Path) -> None:
    model = load(tiny(tmp_path / "m", "sound"))
    wave = np.zeros(1600)
    wave[1200:1400] = 0.9 * np.sin(np.arange(200) * 2 * np.pi * 1000 / 16_000)
    file = io.BytesIO()
    soundfile.write(file, wave, 16_000, format="WAV")
    found = explainer(model)(file.getvalue(), model.classes.index("loud")).values
    assert int(found.max(axis=0).argmax()) in (8, 9, 10)  # of twelve moments
    assert found[:, :5].max() < 0.2 * found.max()


def test_a_text_about_a_cat_is_about_animals_for_that_word(tmp_path: Path) -> None:
    model = load(tiny(tmp_path / "m", "text"))
    found = explainer(model)("the cat sees a bank", model.classes.index("animals"))
    share = dict(zip((w.strip() for w in found.words), found.values.tolist(), strict=True))
    assert share["cat"] > 1.5
    assert share["bank"] < -1.5
    assert abs(share["the"]) < 1e-6


def test_each_kind_says_how_it_was_asked(tmp_path: Path) -> None:
    said = {explainer(load(tiny(tmp_path / kind, kind))).words for kind in ("images", "sound", "text")}
    assert len(said) == 3
