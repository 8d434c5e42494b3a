"""Networks for texts: padding says nothing, order says something, and MiniLM puts sentences where it is known to put them."""

from __future__ import annotations

import os

import pytest
import torch
from torch import nn

from tocsin.errors import NotReady
from tocsin.learn.perception.registry import NETWORKS
from tocsin.learn.perception.weights import load_into, vocabulary_of
from tocsin.nets.reading import pooled, read
from tocsin.nets.text import KimCNN, MiniLM, TextTransformer, mean_of_words


def small(name: str) -> nn.Module:
    torch.manual_seed(4)
    makes = {
        "kimcnn": lambda: KimCNN(3, vocabulary=50, wide=8, filters=6),
        "transformer": lambda: TextTransformer(3, vocabulary=50, wide=16, length=32),
        "minilm": lambda: MiniLM(3, vocabulary=50, wide=16, deep=2, heads=4, inner=32, length=32),
    }
    return makes[name]().eval()


ALL = ("kimcnn", "transformer", "minilm")


@pytest.mark.parametrize("name", ALL)
def test_how_far_a_text_is_padded_changes_nothing(name: str) -> None:
    network = small(name)
    text = torch.tensor([[3, 7, 9, 4]])
    with torch.no_grad():
        once = network(text)
        for more in (1, 5, 20):
            longer = torch.cat([text, torch.zeros(1, more, dtype=torch.int64)], 1)
            assert torch.allclose(network(longer), once, atol=1e-6)
            for layer in (None, *network.readable):
                assert torch.allclose(read(network, layer, longer), read(network, layer, text), atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_the_order_of_words_counts_and_other_texts_of_the_batch_do_not(name: str) -> None:
    network = small(name)
    texts = torch.tensor([[3, 7, 9, 4, 11, 0], [4, 3, 9, 7, 11, 0]])
    with torch.no_grad():
        both = network(texts)
        assert not torch.allclose(both[0], both[1], atol=1e-5)
        assert torch.allclose(network(texts[:1]), both[:1], atol=1e-6)


@pytest.mark.parametrize("name", ALL)
def test_an_empty_text_and_one_that_is_too_long_give_finite_logits(name: str) -> None:
    network = small(name)
    with torch.no_grad():
        assert torch.isfinite(network(torch.zeros(2, 5, dtype=torch.int64))).all()
        assert torch.isfinite(network(torch.zeros(2, 1, dtype=torch.int64))).all()
        long = torch.randint(1, 50, (1, 60))
        assert torch.isfinite(network(long)).all()
        if name != "kimcnn":
            assert torch.equal(network(long), network(long[:, :32]))


def learned(network: nn.Module, texts: torch.Tensor, labels: torch.Tensor, *, rate: float, steps: int) -> float:
    """The share of the last quarter it tells right after learning the rest."""
    optimizer = torch.optim.AdamW(network.train().parameters(), lr=rate)
    cut = len(texts) * 3 // 4
    for _ in range(steps):
        optimizer.zero_grad()
        torch.autograd.backward(nn.functional.cross_entropy(network(texts[:cut]), labels[:cut]))
        optimizer.step()
    with torch.no_grad():
        return float((network.eval()(texts[cut:]).argmax(1) == labels[cut:]).float().mean())


def test_kims_windows_learn_which_of_two_neighbours_comes_first() -> None:
    torch.manual_seed(0)
    rows, labels, place = torch.arange(128), torch.arange(128) % 2, torch.randint(0, 5, (128,))
    texts = torch.randint(3, 6, (128, 6))
    texts[rows, place], texts[rows, place + 1] = 1 + labels, 2 - labels
    assert learned(small("kimcnn"), texts, labels, rate=1e-2, steps=40) > 0.9


def test_a_transformer_learns_in_which_half_a_word_stands() -> None:
    torch.manual_seed(0)
    place = torch.randint(0, 8, (256,))
    texts = torch.randint(3, 6, (256, 8))
    texts[torch.arange(256), place] = 1
    assert learned(small("transformer"), texts, (place >= 4).long(), rate=3e-3, steps=60) > 0.9


def test_berts_layers_are_pytorchs_transformer_layers() -> None:
    """An attention of another author, with the same weights."""
    network = small("minilm")
    assert isinstance(network, MiniLM)
    texts = torch.tensor([[3, 7, 9, 4, 0, 0], [5, 6, 2, 8, 12, 30]])
    states, there = network.embeddings(texts), texts != 0
    for ours in network.encoder.layer:
        theirs = nn.TransformerEncoderLayer(
            16, 4, 32, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True
        )
        asks = ours.attention.self
        weights = {
            "self_attn.in_proj_weight": torch.cat([asks.query.weight, asks.key.weight, asks.value.weight]),
            "self_attn.in_proj_bias": torch.cat([asks.query.bias, asks.key.bias, asks.value.bias]),
        }
        for theirs_name, module in (
            ("self_attn.out_proj", ours.attention.output.dense),
            ("norm1", ours.attention.output.LayerNorm),
            ("linear1", ours.intermediate.dense),
            ("linear2", ours.output.dense),
            ("norm2", ours.output.LayerNorm),
        ):
            weights |= {f"{theirs_name}.weight": module.weight, f"{theirs_name}.bias": module.bias}
        theirs.load_state_dict(weights)
        wanted = theirs.train()(states, src_key_padding_mask=~there)
        states = ours(states, there)
        assert torch.allclose(states[there], wanted[there], atol=1e-5)


def test_the_mean_is_over_the_words_that_are_there() -> None:
    states = torch.tensor([[[1.0], [3.0], [100.0]]])
    assert mean_of_words(states, torch.tensor([[True, True, False]])).tolist() == [[2.0]]
    assert pooled(states, torch.tensor([[5, 6, 0]])).tolist() == [[2.0]]
    assert pooled(states, torch.tensor([[0, 0, 0]])).tolist() == [[0.0]]


@pytest.mark.slow
def test_minilm_says_how_like_sentences_are_as_its_authors_do() -> None:
    """The three sentences and their similarities stand in the first example of sentence-transformers' documentation."""
    import tokenizers

    one = NETWORKS["minilm"]
    network = one.build(2, one.size).eval()
    try:
        load_into(network, one)
        pieces = vocabulary_of(one)
    except NotReady as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no registry of packages here: {error}")
    assert pieces is not None
    cut = tokenizers.Tokenizer.from_str(pieces.decode())
    said = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    texts = torch.tensor([cut.encode(sentence).ids for sentence in said])
    with torch.no_grad():
        sentences = nn.functional.normalize(read(network, None, texts), dim=1)
    likeness = sentences @ sentences.T
    assert likeness[0, 1].item() == pytest.approx(0.6660, abs=1e-4)
    assert likeness[0, 2].item() == pytest.approx(0.1046, abs=1e-4)
    assert likeness[1, 2].item() == pytest.approx(0.1411, abs=1e-4)
