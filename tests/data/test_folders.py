"""What lies in a folder and is no file, or is called what no file should be, harms nobody."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import msgspec
import pytest

from scenes.classes import colour
from tocsin.data.collection import collect
from tocsin.data.folders import open_folder

RED = colour("red")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes that have names")
def test_pipes_devices_and_links_to_nothing_are_passed_over_and_said(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "good.png").write_bytes(RED)
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    os.symlink("/dev/zero", tmp_path / "cat" / "zero.png")
    os.symlink(tmp_path / "nowhere", tmp_path / "cat" / "lost.png")
    os.symlink(tmp_path / "cat" / "good.png", tmp_path / "cat" / "link.png")
    found = open_folder(tmp_path)
    assert found.names == ("cat/good.png", "cat/link.png")
    (note,) = found.notes
    assert all(f"'{name}.png'" in note for name in ("pipe", "zero", "lost"))
    assert note in collect(tmp_path).notes


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_that_are_no_utf8_can_be_read_and_written_into_a_card(tmp_path: Path) -> None:
    for name in (b"\xff\xfe", b"gut"):
        folder = os.path.join(os.fsencode(tmp_path), b"\xe9", name)
        os.makedirs(folder)
        with open(os.path.join(folder, b"\xe4.png"), "wb") as file:
            file.write(RED)
    found = collect(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"\xe9")))
    assert found.classes == ("\\udcff\\udcfe", "gut")
    assert found.raw(0) == found.raw(1) == RED
    msgspec.json.encode([found.classes, found.names, found.source, found.group])
    assert len(found.fingerprint) == 64
