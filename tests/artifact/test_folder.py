"""A model is written whole or not at all, and one changed byte anywhere is found and named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tocsin.artifact import load, write
from tocsin.artifact.folder import check_free, kept_at
from tocsin.errors import BadInput, Damaged


def files_of(made: Any) -> dict[str, bytes]:
    return {name: (made.folder / name).read_bytes() for name in made.model.card.files}


@pytest.mark.parametrize(
    ("which", "name"),
    [("with_anomaly", name) for name in ("model.json", "spec.toml", "trees.txt", "anomaly.onnx")]
    + [("with_network", name) for name in ("model.json", "surprise.onnx", "network.onnx")],
)
def test_one_changed_byte_is_found_and_named(
    which: str, name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(request.getfixturevalue(which).folder, copy)
    content = bytearray((copy / name).read_bytes())
    spots = np.random.default_rng(0).integers(0, len(content), 25)
    for spot in spots:
        (copy / name).write_bytes(bytes(content[:spot]) + bytes([content[spot] ^ 1]) + bytes(content[spot + 1 :]))
        with pytest.raises(Damaged, match=name.replace(".", r"\.")):
            load(copy)
    (copy / name).unlink()
    with pytest.raises(Damaged, match=name.replace(".", r"\.")):
        load(copy)


def test_the_version_is_the_content(made: Any, tmp_path: Path) -> None:
    again = write(tmp_path / "again", made.model.card, files_of(made))
    assert again.version == made.model.version
    assert again.version.startswith("small-")
    other = msgspec.structs.replace(made.model.card, base=made.model.card.base + 1e-12)
    assert write(tmp_path / "other", other, files_of(made)).version != made.model.version


def test_a_model_is_replaced_whole(made: Any, with_anomaly: Any, tmp_path: Path) -> None:
    place = tmp_path / "model"
    write(place, with_anomaly.model.card, files_of(with_anomaly))
    write(place, made.model.card, files_of(made))
    assert load(place).version == made.model.version
    assert not (place / "anomaly.onnx").exists()


def test_a_model_that_was_written_over_is_kept_beside_once(made: Any, with_anomaly: Any, tmp_path: Path) -> None:
    place, old, new = tmp_path / "model", with_anomaly.model.card, made.model.card
    for _ in range(2):
        write(place, old, files_of(with_anomaly))
        write(place, new, files_of(made))
        write(place, new, files_of(made))
    assert load(kept_at(place, with_anomaly.model.version)).version == with_anomaly.model.version
    assert load(place).version == made.model.version
    kept = {kept_at(place, one.model.version).name for one in (made, with_anomaly)}
    assert {p.name for p in tmp_path.iterdir()} == {"model"} | kept


def test_a_model_written_over_a_damaged_one_or_into_an_empty_place(made: Any, tmp_path: Path) -> None:
    place = tmp_path / "model"
    place.mkdir()
    write(place, made.model.card, files_of(made))
    (place / "model.json").write_text("{}")
    write(place, made.model.card, files_of(made))
    assert load(place).version == made.model.version
    assert sorted(p.is_dir() for p in tmp_path.iterdir()) == [True, True]


def test_a_place_with_a_model_is_left_alone_unless_forced(made: Any) -> None:
    with pytest.raises(BadInput, match="in force; it is left alone"):
        check_free(made.folder, force=False)
    check_free(made.folder, force=True)


def test_an_interrupted_write_leaves_what_was_there(made: Any, tmp_path: Path) -> None:
    def interrupt(_: Path) -> None:
        raise KeyboardInterrupt

    place = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        write(place, made.model.card, files_of(made), also=interrupt)
    assert list(tmp_path.iterdir()) == []
    write(place, made.model.card, files_of(made))
    with pytest.raises(KeyboardInterrupt):
        write(place, made.model.card, files_of(made), also=interrupt)
    assert load(place).version == made.model.version
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_what_lies_beside_the_model_is_no_part_of_it(made: Any, tmp_path: Path) -> None:
    place = tmp_path / "model"
    write(place, made.model.card, files_of(made), also=lambda folder: (folder / "memory.bin").write_bytes(b"12"))
    assert (place / "memory.bin").read_bytes() == b"12"
    (place / "memory.bin").write_bytes(b"34")
    assert load(place).version == made.model.version


def test_a_place_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "love.txt").write_text("x")
    for name, word in (("letters", "holds no model"), ("letters/love.txt", "is a file")):
        with pytest.raises(BadInput, match=word):
            check_free(tmp_path / name)
    check_free(tmp_path / "new")
    with pytest.raises(Damaged, match="none that can be read"):
        load(tmp_path / "letters")


def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    check_free(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("os.mkdir", refuses)  # by its owner nothing is refused, and tests may run as root
    with pytest.raises(BadInput, match="refuses: permission denied"):
        check_free(tmp_path / "a" / "b")


def test_a_card_from_another_time_is_refused(made: Any, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    write(copy, msgspec.structs.replace(made.model.card, format=99), files_of(made))
    with pytest.raises(Damaged, match="format 2; got 99"):
        load(copy)
