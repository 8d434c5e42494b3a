"""Folders, archives and tables as collections: every form that is promised, and every bad one refused in words."""

from __future__ import annotations

import gzip
import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from scenes.examples import as_bytes, made_pictures, made_sentences, made_sounds, zipped
from tocsin.data import folders
from tocsin.data.collection import UNKNOWN, Collection, collect, texts
from tocsin.data.dirt import dirt
from tocsin.errors import BadInput

DOT = as_bytes(np.zeros((2, 2, 3), np.uint8))


def lay(folder: Path, *names: str, data: bytes = DOT) -> Path:
    """Files of the given names, all alike."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def classes(collection: Collection) -> list[str]:
    return ["?" if label == UNKNOWN else collection.classes[label] for label in collection.label]


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    got = collect(lay(tmp_path, "cat/1.jpg", "dog/2.JPEG", "dog/more/3.png"))
    assert (got.kind, got.classes, len(got)) == ("images", ("cat", "dog"), 3)
    assert dict(zip(got.names, classes(got), strict=True)) == {
        "cat/1.jpg": "cat",
        "dog/2.JPEG": "dog",
        "dog/more/3.png": "dog",
    }
    assert got.part.tolist() == ["", "", ""]
    assert got.raw(0) == DOT


@pytest.mark.parametrize(
    "names",
    [
        ("train/cat/1.jpg", "validation/cat/2.jpg", "Test/dog/3.jpg"),
        ("pets/Training/cat/1.jpg", "pets/dev/cat/2.jpg", "pets/test/dog/3.jpg"),
        ("cat/train/1.jpg", "cat/val/2.jpg", "dog/test/3.jpg"),
    ],
)
def test_parts_are_known_by_their_names(tmp_path: Path, names: tuple[str, ...]) -> None:
    got = collect(lay(tmp_path, *names))
    by_number = {Path(name).stem: i for i, name in enumerate(got.names)}
    assert [str(got.part[by_number[n]]) for n in "123"] == ["train", "val", "test"]
    assert got.classes == ("cat", "dog")
    assert got.of_part("test").label.tolist() == [1]
    assert len(got.of_part("train", "val")) == 2


def test_a_class_may_be_called_test_where_no_folder_is_called_train(tmp_path: Path) -> None:
    got = collect(lay(tmp_path, "test/1.jpg", "blood/2.jpg"))
    assert (got.classes, set(got.part.tolist())) == (("blood", "test"), {""})


def test_a_folder_that_is_no_part_beside_train_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="'extra' is none"):
        collect(lay(tmp_path, "train/cat/1.jpg", "extra/cat/2.jpg"))


def test_files_side_by_side_have_no_class(tmp_path: Path) -> None:
    got = collect(lay(tmp_path, "1.jpg", "2.jpg"))
    assert (got.classes, got.label.tolist()) == ((), [UNKNOWN, UNKNOWN])
    flat = collect(lay(tmp_path / "parts", "train/1.jpg", "test/2.jpg"))
    assert (flat.classes, sorted(flat.part.tolist())) == ((), ["test", "train"])


def test_one_file_is_a_collection_of_one(tmp_path: Path) -> None:
    lay(tmp_path, "1.jpg", "2.jpg")
    got = collect(tmp_path / "2.jpg")
    assert (got.names, got.raw(0)) == (("2.jpg",), DOT)


def test_what_a_system_leaves_behind_is_passed_over_and_the_rest_is_told(tmp_path: Path) -> None:
    lay(tmp_path, "cat/1.jpg", "cat/._1.jpg", "__MACOSX/cat/1.jpg", "cat/Thumbs.db", ".git/2.jpg", "cat/notes.md")
    (tmp_path / "dog").mkdir()
    got = collect(tmp_path)
    assert got.names == ("cat/1.jpg",)
    assert got.notes == (
        "empty folders, no class is made of them: 'dog'.",
        "files that are no examples of this kind were passed over: 1 .md.",
    )


def test_names_in_any_script_and_with_any_signs_are_read(tmp_path: Path) -> None:
    got = collect(lay(tmp_path, "кошка/первая 1.jpg", "犬/[b]ä 'x'.jpg"))
    assert got.classes == ("кошка", "犬")
    assert got.raw(1) == DOT
    assert collect(zipped(tmp_path, tmp_path.with_suffix(".zip"))).names == got.names


def test_a_link_that_leads_round_is_followed_once(tmp_path: Path) -> None:
    lay(tmp_path, "cat/1.jpg")
    os.symlink(tmp_path, tmp_path / "cat" / "round", target_is_directory=True)
    assert collect(tmp_path).names == ("cat/1.jpg",)


def test_pictures_and_sounds_together_need_a_word(tmp_path: Path) -> None:
    lay(tmp_path, "a/1.jpg", "a/2.wav", "a/read me.txt")
    with pytest.raises(BadInput, match="--kind images or --kind sound"):
        collect(tmp_path)
    assert collect(tmp_path, kind="sound").names == ("a/2.wav",)
    assert collect(tmp_path, kind="text").names == ("a/read me.txt",)


def test_texts_may_stand_in_files(tmp_path: Path) -> None:
    lay(tmp_path, "good/1.txt", data="\ufeffglücklich".encode())
    lay(tmp_path, "bad/2.txt", data="böse".encode("latin-1"))
    lay(tmp_path, "bad/3.txt", data="wide".encode("utf-16"))
    got = collect(tmp_path)
    assert {name: got.raw(i) for i, name in enumerate(got.names)} == {
        "good/1.txt": "glücklich",
        "bad/2.txt": "b\ufffdse",
        "bad/3.txt": "wide",
    }


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda at: at / "nothing here", "there is no file or folder"),
        (lambda at: at / "no" / "such" / "place", "there is no folder"),
        (lambda at: lay(at, "a/1.xyz"), "got 1 .xyz"),
        (lambda at: at, "got nothing"),
        (lambda at: lay(at, "photo.zip", data=b"no archive") / "photo.zip", "must be whole"),
        (lambda at: lay(at, "empty.csv", data=b"") / "empty.csv", "empty"),
    ],
)
def test_what_holds_no_examples_is_refused_in_words(tmp_path: Path, make, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        collect(make(tmp_path))


def test_a_misspelt_path_or_kind_is_helped_with(tmp_path: Path) -> None:
    lay(tmp_path, "photos/1.jpg")
    with pytest.raises(BadInput, match="Did you mean 'photos'"):
        collect(tmp_path / "photo")
    with pytest.raises(BadInput, match="Did you mean 'images'"):
        collect(tmp_path, kind="image")
    with pytest.raises(BadInput, match=r"no file in it ends in \.wav"):
        collect(tmp_path, kind="sound")
    with pytest.raises(BadInput, match="has no table"):
        collect(tmp_path, label="class")


def test_a_file_that_is_gone_is_said_when_it_is_read(tmp_path: Path) -> None:
    got = collect(lay(tmp_path, "a/1.jpg", "b/2.jpg"))
    (tmp_path / "a/1.jpg").unlink()
    with pytest.raises(BadInput, match="cannot be read") as caught:
        got.raw(0)
    assert caught.value.field == "a/1.jpg"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LARGEST", 1 << 20)
    got = collect(lay(tmp_path, "a/1.jpg", data=bytes((1 << 20) + 1)))
    with pytest.raises(BadInput, match="at most 1 MiB"):
        got.raw(0)


# --- archives --------------------------------------------------------------------------------------------------------


def test_an_archive_is_what_the_folder_is(tmp_path: Path) -> None:
    folder = made_sounds(tmp_path / "sounds", each=3, seconds=0.1)
    got, packed = collect(folder), collect(zipped(folder, tmp_path / "sounds.zip"))
    assert (packed.names, packed.classes, packed.kind) == (got.names, got.classes, "sound")
    assert np.array_equal(packed.label, got.label)
    assert [packed.raw(i) for i in range(len(packed))] == [got.raw(i) for i in range(len(got))]


def archive(path: Path, entries: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as made:
        for name, data in entries.items():
            made.writestr(name, data)
    return path


def test_an_archive_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"cat/1.jpg": DOT, "dog/2.jpg": DOT})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BadInput, match="copy it again"):
        collect(path)


def test_names_that_lead_out_of_an_archive_are_left_out(tmp_path: Path) -> None:
    entries = dict.fromkeys(("cat/1.jpg", "../../etc/cat/2.jpg", "/cat/3.jpg", "c:/cat/4.jpg", "cat\\5.jpg"), DOT)
    got = collect(archive(tmp_path / "a.zip", entries))
    assert got.names == ("cat/1.jpg", "cat/5.jpg")
    assert "3 files left out whose names lead out" in got.notes[0]


def test_a_bomb_in_an_archive_is_not_unpacked(tmp_path: Path) -> None:
    got = collect(archive(tmp_path / "a.zip", {"cat/1.jpg": DOT, "cat/2.jpg": bytes(30 << 20)}))
    assert got.raw(0) == DOT
    with pytest.raises(BadInput, match="to 31,457,280 bytes"):
        got.raw(1)


def test_a_password_is_said(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"cat/1.jpg": DOT}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature) + place
        struct.pack_into("<H", data, at, struct.unpack_from("<H", data, at)[0] | 1)
    path.write_bytes(data)
    with pytest.raises(BadInput, match="has a password"):
        collect(path)


def test_a_damaged_file_in_an_archive_is_named_and_the_others_go_through(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"cat/1.jpg": DOT, "cat/2.jpg": b"x" * 99}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"x" * 99, b"x" * 98 + b"y"))
    got = collect(path)
    assert got.raw(0) == DOT
    with pytest.raises(BadInput, match="damaged inside"):
        got.raw(1)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_counts_once(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("cat/1.jpg", b"old")
        made.writestr("cat/1.jpg", DOT)
    got = collect(tmp_path / "a.zip")
    assert (len(got), got.raw(0)) == (1, DOT)
    assert "named twice" in got.notes[0]


def test_an_archive_is_read_without_its_ending_too(tmp_path: Path) -> None:
    path = archive(tmp_path / "download", {"cat/1.jpg": DOT})
    assert collect(path).classes == ("cat",)


# --- tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "jsonl"])
def test_a_table_of_texts(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"texts.{ending}"
    table = pa.table({"split": ["train", "dev", "test"], "label": [10, 9, 10], "text": ["a b", "c, d", None]})
    if ending == "parquet":
        pyarrow.parquet.write_table(table, path)
    elif ending == "jsonl":
        path.write_text('{"split":"train","label":10,"text":"a b"}\n{"split":"dev","label":9,"text":"c, d"}\n'
                        '{"split":"test","label":10,"text":null}\n')  # fmt: skip
    else:
        data = b'split,label,text\ntrain,10,a b\ndev,9,"c, d"\ntest,10,\n'
        path.write_bytes(gzip.compress(data) if ending == "csv.gz" else data)
    got = collect(path)
    assert (got.kind, got.classes, got.label.tolist()) == ("text", ("9", "10"), [1, 0, 1])
    assert got.part.tolist() == ["train", "val", "test"]
    assert [got.raw(i) for i in range(3)] == ["a b", "c, d", ""]
    assert got.names == ("1", "2", "3")


def test_columns_may_be_told(tmp_path: Path) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text("id,what was said,stars,fold,who\n1,very good,5,0,ann\n2,very bad,1,1,bob\n3,so so,3,1,bob\n")
    got = collect(path, column="what was said", label="stars", split="fold=1", group="who")
    assert (got.classes, got.group) == (("1", "3", "5"), ("ann", "bob", "bob"))
    assert got.part.tolist() == ["train", "test", "test"]
    with pytest.raises(BadInput, match="Did you mean 'stars'"):
        collect(path, label="star")
    with pytest.raises(BadInput, match="no row has fold = '7'"):
        collect(path, label="stars", split="fold=7")
    with pytest.raises(BadInput, match="must be train, val or test"):
        collect(path, label="stars", split="who")
    with pytest.raises(BadInput, match="holds texts"):
        collect(path, kind="sound")


def test_the_fold_is_pointed_out_where_it_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "folds.csv"
    path.write_text("fold,label,text\n0,a,one two\n1,b,three four\n")
    got = collect(path)
    assert set(got.part.tolist()) == {""}
    assert any("--split fold=VALUE" in note for note in got.notes)


def test_a_table_without_a_column_of_examples_names_what_there_is(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    path.write_text("x,y,z\n1,2,3\n")
    with pytest.raises(BadInput, match="There are: x, y, z"):
        collect(path)


def test_rows_that_do_not_split_and_labels_that_are_missing_are_told(tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("label,text\na,one two\nb,three,four,five\n,six seven\n")
    got = collect(path)
    assert (got.names, classes(got)) == (("1", "3"), ["a", "?"])
    assert any("1 rows left out, first row 2" in note for note in got.notes)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_label_that_a_program_wrote_for_none_is_none(tmp_path: Path, ending: str) -> None:
    """NaN would be a class of its own, to be learned and measured like the others; "none" may well be one."""
    labels = ["ham", "NaN", "nan", " None", "", "<NA>", "none", "spam"]
    said = [f"what was said {i}" for i in range(len(labels))]
    path = tmp_path / f"texts{ending}"
    if ending == ".parquet":
        pa.parquet.write_table(pa.table({"label": labels, "text": said}), path)
    elif ending == ".jsonl":
        path.write_text("".join(json.dumps({"label": a, "text": b}) + "\n" for a, b in zip(labels, said, strict=True)))
    else:
        path.write_text("label,text\n" + "".join(f"{a},{b}\n" for a, b in zip(labels, said, strict=True)))
    got = collect(path)
    assert got.classes == ("ham", "none", "spam")
    assert classes(got) == ["ham", "?", "?", "?", "?", "?", "none", "spam"]
    assert "column 'label' says <NA> or NaN or None or nan in 4 rows: no class, examples without a label." in got.notes
    assert [(f.kind, f.count) for f in dirt(got).findings if f.kind == "no class"] == [("no class", 5)]


def test_a_table_of_file_names_in_a_folder_and_in_an_archive(tmp_path: Path) -> None:
    folder = lay(tmp_path / "set", "audio/1.wav", "audio/2.wav", "audio/deep/3.wav", "audio/unlisted.wav")
    (folder / "index.csv").write_text(
        "file,label,speaker\naudio/1.wav,yes,ann\n2.wav,no,bob\n3,no,bob\naudio/missing.wav,no,bob\n"
    )
    for source in (folder, folder / "index.csv", zipped(folder, tmp_path / "set.zip")):
        got = collect(source)
        assert got.kind == "sound"
        assert got.names == ("audio/1.wav", "audio/2.wav", "audio/deep/3.wav", "audio/missing.wav")
        assert (classes(got), got.group) == (["yes", "no", "no", "no"], ("ann", "bob", "bob", "bob"))
        assert got.raw(2) == DOT
        with pytest.raises(BadInput, match="no such file"):
            got.raw(3)


def test_a_table_may_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    lay(tmp_path, "secret.jpg", "set/1.jpg")
    (tmp_path / "set/index.csv").write_text(f"file\n1.jpg\n../secret.jpg\n{tmp_path}/secret.jpg\n")
    got = collect(tmp_path / "set")
    for row in (1, 2):
        with pytest.raises(BadInput, match="leads out of the folder"):
            got.raw(row)


def test_a_table_whose_files_are_elsewhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("file,label\nx/1.jpg,a\nx/2.jpg,b\n")
    with pytest.raises(BadInput, match="not one of 2 does"):
        collect(tmp_path / "index.csv")


def test_a_table_of_texts_alone_in_an_archive_is_read(tmp_path: Path) -> None:
    made_sentences(tmp_path / "set/sentences.csv", each=3)
    got = collect(zipped(tmp_path / "set", tmp_path / "set.zip"))
    assert (got.kind, len(got), got.part.tolist().count("test")) == ("text", 9, 3)


def test_a_table_for_each_part_is_one_collection(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("text,label\nring the bell,a\nno bell,b\n")
    (tmp_path / "test.csv").write_text("text\nsome bell\n")
    got = collect(tmp_path)
    assert dict(zip(got.names, classes(got), strict=True)) == {
        "train.csv:1": "a",
        "train.csv:2": "b",
        "test.csv:1": "?",
    }
    assert got.of_part("test").raw(0) == "some bell"
    (tmp_path / "test.csv").write_text("file\n1.jpg\n")
    with pytest.raises(BadInput, match="must list one kind"):
        collect(tmp_path)


# --- what a collection does --------------------------------------------------------------------------------------------


def test_some_examples_are_taken_by_number_and_by_mask(tmp_path: Path) -> None:
    got = collect(made_pictures(tmp_path, each=3, size=8))
    some = got.take([4, 1])
    assert some.names == (got.names[4], got.names[1])
    assert some.raw(0) == got.raw(4)
    assert some.take([True, False]).names == (got.names[4],)
    assert some.classes == got.classes
    assert len(got.take(np.zeros(0, np.int64))) == 0
    assert repr(some).endswith("2 images, 3 classes)")


def test_the_fingerprint_follows_contents_names_and_labels(tmp_path: Path) -> None:
    folder = made_pictures(tmp_path / "set", each=3, size=8)
    first = collect(folder).fingerprint
    assert collect(folder).fingerprint == first
    path = next(folder.rglob("*.png"))
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    changed = collect(folder).fingerprint
    path.write_bytes(data)
    assert collect(folder).fingerprint == first != changed
    path.rename(path.with_name("other.png"))
    assert collect(folder).fingerprint != first
    assert texts(["a", "b"]).fingerprint != texts(["a", "c"]).fingerprint


def test_two_processes_read_one_archive(tmp_path: Path) -> None:
    got = collect(zipped(made_pictures(tmp_path / "set", each=3, size=8), tmp_path / "set.zip"))
    here = [got.raw(i) for i in range(len(got))]
    ours, theirs = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover - in the other process
        same = all(got.raw(i) == here[i] for i in reversed(range(len(got))))
        os.write(theirs, b"1" if same else b"0")
        os._exit(0)
    assert [got.raw(i) for i in range(len(got))] == here
    os.waitpid(child, 0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as said:
        assert said.read() == b"1"
