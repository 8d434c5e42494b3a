"""A model of classes: written, sealed, read, asked; each file that is wrong is named, each kind opened as the other says so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import msgspec
import numpy as np
import pytest

from scenes.classes import COLOURS, card, colour, files, graph, plain_head, tiny, tone
from tocsin import artifact
from tocsin.artifact import write
from tocsin.artifact.classes import AT_ONCE, NETWORK, VOCABULARY, Classifier, load, softmax
from tocsin.artifact.folder import kept_at
from tocsin.artifact.heads import LINEAR, TREES, LinearHead, TreesHead
from tocsin.artifact.plain import STATE
from tocsin.artifact.seal import CARD, kind_of
from tocsin.errors import BadInput, Damaged
from tocsin.features.text import TextFeatures

EXAMPLES: dict[str, tuple[list[Any], list[str]]] = {
    "images": ([colour("red"), colour("blue", ending="JPEG"), colour("lime")], ["red", "blue", "green"]),
    "sound": ([tone(0.9), tone(0.01), tone(0.9, rate=44_100, channels=2)], ["loud", "quiet", "loud"]),
    "text": (["My cat and a dog.", "A bank; a loan"], ["animals", "money"]),
}


@pytest.mark.parametrize("kind", list(EXAMPLES))
def test_what_is_written_answers_when_it_is_read(kind: str, tmp_path: Path) -> None:
    model = load(tiny(tmp_path / "model", kind))
    raws, expected = EXAMPLES[kind]
    said = model.predict(raws)
    assert said.dtype == np.float64
    assert said.shape == (len(raws), len(model.classes))
    assert np.allclose(said.sum(axis=1), 1)
    assert [model.classes[i] for i in said.argmax(axis=1)] == expected
    assert model.features(raws).shape[0] == len(raws)
    assert kind_of(tmp_path / "model") == model.kind == kind
    assert model.version.startswith(f"tiny-{kind}-")


@pytest.mark.parametrize("kind", list(EXAMPLES))
def test_many_at_once_are_answered_like_each_alone(kind: str, tmp_path: Path) -> None:
    model = load(tiny(tmp_path / "model", kind))
    raws = (EXAMPLES[kind][0] * 40)[: AT_ONCE[kind] * 2 + 3]
    assert np.allclose(model.predict(raws), [model.predict([raw])[0] for raw in raws], atol=1e-6)
    assert model.predict([]).shape == (0, len(model.classes))


def test_which_example_cannot_be_read_is_said_among_many(tmp_path: Path) -> None:
    model = load(tiny(tmp_path / "model", "images"))
    raws = [colour("red")] * (AT_ONCE["images"] + 4)
    raws[AT_ONCE["images"] + 2] = b"no picture"
    with pytest.raises(BadInput) as error:
        model.predict(raws)
    assert error.value.field == str(AT_ONCE["images"] + 2)


def test_the_temperature_makes_surer_or_less_sure_and_changes_no_order(tmp_path: Path) -> None:
    warm, cold = (
        Classifier(card("text", temperature=t), files("text")).predict(["cat dog bank"])[0] for t in (4.0, 0.25)
    )
    assert warm[0] > warm[1]
    assert cold[0] > warm[0]
    logits = Classifier(card("text"), files("text"))
    given = logits.prepare(["cat dog bank"])
    assert np.allclose(softmax(logits.logits(given) / 4.0)[0], warm)


def test_a_card_and_its_files_are_sealed_like_a_payment_models(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "model", "images")
    content = (folder / CARD).read_bytes()
    for old, new in ((b'"temperature": 1.0', b'"temperature": 2.0'), (b'"blue"', b'"teal"'), (b"0.9", b"0.99")):
        assert old in content
        (folder / CARD).write_bytes(content.replace(old, new, 1))
        with pytest.raises(Damaged, match="changed after it was written"):
            load(folder)
    (folder / CARD).write_bytes(content)
    whole = (folder / NETWORK).read_bytes()
    (folder / NETWORK).write_bytes(whole[:-1] + b"x")
    with pytest.raises(Damaged, match="differs from its fingerprint"):
        load(folder)
    (folder / NETWORK).unlink()
    with pytest.raises(Damaged, match="it is missing"):
        load(folder)


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda t: t.replace(b'"format": 1', b'"format": 99'), "format"),
        (lambda t: t.replace(b'"images"', b'"smells"', 1), "card"),
        (lambda t: t[: len(t) // 2], "no model's card|not a model's card"),
        (lambda t: b"[]", "no object"),
        (lambda t: b"\xff\xfe", "card"),
    ],
)
def test_a_broken_card_is_named(break_it: Callable[[bytes], bytes], says: str, tmp_path: Path) -> None:
    folder = tiny(tmp_path / "model", "images")
    (folder / CARD).write_bytes(break_it((folder / CARD).read_bytes()))
    with pytest.raises(Damaged, match=says):
        load(folder)


def test_the_same_content_is_the_same_version_and_another_is_kept_beside(tmp_path: Path) -> None:
    one = load(tiny(tmp_path / "model", "images")).version
    assert load(tiny(tmp_path / "again", "images")).version == one
    other = load(tiny(tmp_path / "model", "images", temperature=1.5)).version
    assert other != one
    assert load(kept_at(tmp_path / "model", one)).version == one


def test_each_kind_opened_as_the_other_says_what_it_is_and_who_takes_it(made: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"model of images.*tocsin predict"):
        artifact.load(tiny(tmp_path / "model", "images"))
    with pytest.raises(BadInput, match=r"model of payments.*tocsin serve"):
        load(made.folder)
    with pytest.raises(Damaged, match="tocsin learn"):
        load(tmp_path)


def test_a_payment_model_and_a_model_of_classes_are_written_over_each_other_and_both_kept(
    made: Any, tmp_path: Path
) -> None:
    place = tmp_path / "model"
    first = write(place, made.model.card, {name: (made.folder / name).read_bytes() for name in made.model.card.files})
    assert first.version == made.model.version
    second = load(tiny(place, "text")).version
    assert artifact.load(kept_at(place, first.version)).version == first.version
    write(place, made.model.card, {name: (made.folder / name).read_bytes() for name in made.model.card.files})
    assert load(kept_at(place, second)).version == second


@pytest.mark.parametrize(
    ("change", "without", "says"),
    [
        ({"classes": ("one",)}, (), "two different classes"),
        ({"classes": ("one", "one", "two")}, (), "two different classes"),
        ({"classes": ("a", "b", "c", "d")}, (), NETWORK),
        ({"temperature": 0.0}, (), "temperature"),
        ({"temperature": float("nan")}, (), "temperature"),
        ({"way": "plain"}, (), "features.npz"),
        ({"way": "extract", "into": "trees"}, (), TREES),
        ({}, (NETWORK,), NETWORK),
        ({}, (VOCABULARY,), VOCABULARY),
    ],
)
def test_a_card_that_does_not_fit_its_files_is_refused(change: dict[str, Any], without: Any, says: str) -> None:
    kept = {name: content for name, content in files("text").items() if name not in without}
    with pytest.raises(Damaged) as error:
        Classifier(card("text", **change), kept)
    assert says in str(error.value)


def test_a_graph_of_another_size_or_kind_is_refused() -> None:
    for kind, other in (("images", "sound"), ("sound", "text"), ("text", "images")):
        wrong = files(kind) | {NETWORK: graph(other)}
        with pytest.raises(Damaged, match="its input given must be"):
            Classifier(card(kind), wrong)
    larger = msgspec.structs.replace(card("images"), preparation=card("images").preparation.__class__("images", size=9))
    with pytest.raises(Damaged, match="9 × 9 × 3"):
        Classifier(larger, files("images"))
    with pytest.raises(Damaged, match="must give logits"):
        Classifier(card("images"), {NETWORK: graph("images", logits=False)})
    told = Classifier(card("images"), {NETWORK: graph("images", features=False)})
    assert told.predict([colour("red")])[0].argmax() == COLOURS.index("red")
    with pytest.raises(BadInput, match="gives none"):
        told.features([colour("red")])


def test_an_example_of_which_no_number_comes_is_refused_and_named() -> None:
    model = Classifier(card("sound"), files("sound"))
    given = model.prepare([tone(0.5)] * 3)
    given[1, 5] = np.nan
    with pytest.raises(BadInput) as error:
        model.probabilities(given)
    assert error.value.field == "1"


# --- heads -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("classes", [2, 3, 7])
def test_a_head_of_trees_says_what_lightgbm_says(classes: int) -> None:
    random = np.random.default_rng(classes)
    rows = random.normal(size=(400, 5)).astype(np.float32)
    label = (np.abs(rows[:, 0] * 3).astype(int) + (rows[:, 1] > 0)) % classes
    goal = {"objective": "binary"} if classes == 2 else {"objective": "multiclass", "num_class": classes}
    grown = lightgbm.train(
        goal | {"verbose": -1, "num_leaves": 7, "min_data_in_leaf": 5}, lightgbm.Dataset(rows, label), 15
    )
    head = TreesHead(grown.model_to_string(), classes)
    assert head.width == 5
    assert np.allclose(softmax(head(rows))[:, 1], _second(grown.predict(rows)), atol=1e-9)
    with pytest.raises(Damaged, match="LightGBM"):
        TreesHead(grown.model_to_string(), classes + 1)


def _second(said: Any) -> Any:
    return said if said.ndim == 1 else said[:, 1]


def test_a_model_with_trees_for_a_head_reads_the_networks_features() -> None:
    random = np.random.default_rng(0)
    rows = random.uniform(0, 255, size=(300, 3)).astype(np.float32)
    label = np.array([2, 1, 0])[rows.argmax(axis=1)]  # features are red, green, blue
    settings = {"objective": "multiclass", "num_class": 3, "verbose": -1, "min_data_in_leaf": 5}
    grown = lightgbm.train(settings, lightgbm.Dataset(rows, label), 20).model_to_string()
    content = {NETWORK: graph("images", logits=False), TREES: grown.encode()}
    model = Classifier(card("images", way="extract", into="trees", layer="features"), content)
    said = model.predict([colour("red"), colour("blue"), colour("lime")])
    assert [model.classes[i] for i in said.argmax(axis=1)] == ["red", "blue", "green"]


def test_a_linear_head_is_read_as_it_was_written_and_never_unpickled() -> None:
    head = LinearHead(plain_head([[1, -1], [0, 2]], [0.5, 0]), 2)
    assert head(np.array([[2, 3]], np.float32)).tolist() == [[2.5, 4.0]]
    assert head.width == 2
    with pytest.raises(Damaged, match="3 classes"):
        LinearHead(plain_head([[1, -1], [0, 2]], [0.5, 0]), 3)
    for content in (b"", b"PK\x03\x04", _pickled()):
        with pytest.raises(Damaged, match=LINEAR):
            LinearHead(content, 2)


def _pickled() -> bytes:
    import io

    file = io.BytesIO()
    np.savez(file, weights=np.array([{"a": 1}], dtype=object), bias=np.zeros(2))
    return file.getvalue()


# --- alone -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(EXAMPLES))
def test_it_answers_in_a_process_where_nothing_that_learns_is_there(kind: str, tmp_path: Path) -> None:
    folder = tiny(tmp_path / "model", kind)
    raws = EXAMPLES[kind][0][:1]
    program = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "safetensors", "jaxtyping", "onnx", "sklearn", "matplotlib", "lightgbm"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
from tocsin.artifact.classes import load
model = load({str(folder)!r})
print(model.classes[model.predict({raws!r})[0].argmax()])
assert "tocsin.learn" not in sys.modules and "tocsin.nets" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == EXAMPLES[kind][1][0]


def test_reading_pictures_without_pillow_says_what_to_install(tmp_path: Path) -> None:
    folder = tiny(tmp_path / "model", "images")
    program = f"""
import sys
sys.modules["PIL"] = None
from tocsin.artifact.classes import load
from tocsin.errors import NotReady
try:
    load({str(folder)!r}).predict([b"x"])
except NotReady as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "tocsin[perception]" in done.stdout, done.stderr


def counted() -> dict[str, bytes]:
    """A tiny network of texts with words beside it, which are sure of money wherever there is a dog."""
    terms = TextFeatures(words=(1, 1), letters=(0, 0), least=1).fit(["dog"])
    return files("text") | {STATE: terms.save(), LINEAR: plain_head([[0.0, 50.0]], [0.0, 0.0])}


def test_words_beside_a_network_are_added_to_what_it_says() -> None:
    alone, both = Classifier(card("text"), files("text")), Classifier(card("text"), counted())
    texts = ["cat", "dog"]
    assert both.prepare(texts) == texts
    said = both.logits(texts)
    np.testing.assert_allclose(said, alone.logits(alone.prepare(texts)) + np.array([[0, 0], [0, 50]]), atol=1e-5)
    assert [both.classes[i] for i in both.predict(texts).argmax(axis=1)] == ["animals", "money"]
    np.testing.assert_array_equal(both.features(texts), alone.features(texts))


@pytest.mark.parametrize("gone", [STATE, LINEAR])
def test_half_of_the_words_is_damage(gone: str) -> None:
    there = counted()
    del there[gone]
    with pytest.raises(Damaged, match=gone):
        Classifier(card("text"), there)


def test_only_texts_have_words() -> None:
    with pytest.raises(Damaged, match="only a model of texts counts words"):
        Classifier(card("images"), files("images") | {STATE: b"", LINEAR: b""})
