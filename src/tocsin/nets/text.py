"""Networks for text: int64[n, length] of words or pieces, 0 where there is none, → logits float32[n, classes].

How far a text is padded changes nothing of what is said of it.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from tocsin.nets.images import Logits

Texts = Int64[Tensor, "n length"]
States = Float[Tensor, "n length d"]


class KimCNN(nn.Module):
    """Windows of three, four and five words slid over a text; of each filter, its loudest place counts.

    Parameters
    ----------
    vocabulary : rows of the table of words, 0 for none among them.
    wide : learned numbers a word.

    References
    ----------
    Kim, *Convolutional Neural Networks for Sentence Classification* (2014), the form that learns its words ("CNN-rand").
    """

    head_name = "head"
    readable = ("embedding", "maxima")

    def __init__(
        self,
        classes: int = 2,
        *,
        vocabulary: int = 20_000,
        wide: int = 128,
        windows: tuple[int, ...] = (3, 4, 5),
        filters: int = 100,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, wide, padding_idx=0)
        nn.init.uniform_(self.embedding.weight, -0.25, 0.25)
        nn.init.zeros_(self.embedding.weight[0])
        self.maxima = _Maxima(wide, windows, filters)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(filters * len(windows), classes)

    def forward(self, texts: Texts) -> Logits:
        """int64[n, length] → float32[n, classes]."""
        maxima = self.maxima(self.embedding(texts), texts != 0)
        logits: Tensor = self.head(self.dropout(maxima))
        return logits


class _Maxima(nn.Module):
    def __init__(self, wide: int, windows: tuple[int, ...], filters: int) -> None:
        super().__init__()
        self.windows = nn.ModuleList(nn.Conv1d(wide, filters, w, padding=w - 1) for w in windows)

    def forward(self, states: States, there: Bool[Tensor, "n length"]) -> Float[Tensor, "n f"]:
        """States of words and which are there → the maximum of each filter over all windows with a word in them."""
        channels, seen = states.transpose(1, 2), there.to(states.dtype).unsqueeze(1)
        loudest = []
        for window in self.windows:
            assert isinstance(window, nn.Conv1d)
            wide = window.kernel_size[0]
            touched = nn.functional.max_pool1d(nn.functional.pad(seen, (wide - 1, wide - 1)), wide, 1)
            loudest.append((torch.relu(window(channels)) * touched).amax(2))
        return torch.cat(loudest, 1)


class Attention(nn.Module):
    """Every word asks all words that are there, with several heads.

    References
    ----------
    Vaswani et al., *Attention Is All You Need* (2017).
    """

    def __init__(self, wide: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.drop = heads, dropout
        self.query = nn.Linear(wide, wide)
        self.key = nn.Linear(wide, wide)
        self.value = nn.Linear(wide, wide)

    def forward(self, states: States, there: Bool[Tensor, "n length"]) -> States:
        """float[n, length, d] and which words are there → float[n, length, d]."""
        asked, keys, values = (self._split(part(states)) for part in (self.query, self.key, self.value))
        said = nn.functional.scaled_dot_product_attention(
            asked, keys, values, attn_mask=there[:, None, None, :], dropout_p=self.drop if self.training else 0.0
        )
        return said.transpose(1, 2).flatten(2)

    def _split(self, states: Tensor) -> Tensor:
        n, length, wide = states.shape
        return states.reshape(n, length, self.heads, wide // self.heads).transpose(1, 2)


class _Block(nn.Module):
    """Attention and a perceptron, each behind a normalisation and added to what was there (pre-norm)."""

    def __init__(self, wide: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.LayerNorm(wide)
        self.attention = Attention(wide, heads, dropout)
        self.mix = nn.Linear(wide, wide)
        self.step = nn.Sequential(
            nn.LayerNorm(wide), nn.Linear(wide, 4 * wide), nn.GELU(), nn.Linear(4 * wide, wide), nn.Dropout(dropout)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: States, there: Bool[Tensor, "n length"]) -> States:
        states = states + self.dropout(self.mix(self.attention(self.before(states), there)))
        stepped: Tensor = states + self.step(states)
        return stepped


class TextTransformer(nn.Module):
    """A small transformer that reads a text from both sides, learned from nothing.

    Parameters
    ----------
    length : words it can read at most; more are not looked at.

    References
    ----------
    Vaswani et al. (2017); normalised before each step (Xiong et al., 2020), mean of the words' last states.
    """

    head_name = "head"

    def __init__(
        self,
        classes: int = 2,
        *,
        vocabulary: int = 20_000,
        length: int = 128,
        wide: int = 128,
        deep: int = 2,
        heads: int = 4,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        self.readable = ("embedding", *(f"blocks.{place}" for place in range(deep)), "last")
        self.length = length
        self.embedding = nn.Embedding(vocabulary, wide, padding_idx=0)
        self.places = nn.Embedding(length, wide)
        for table in (self.embedding, self.places):
            nn.init.normal_(table.weight, std=0.02)
        nn.init.zeros_(self.embedding.weight[0])
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(_Block(wide, heads, dropout) for _ in range(deep))
        self.last = nn.LayerNorm(wide)
        self.head = nn.Linear(wide, classes)

    def forward(self, texts: Texts) -> Logits:
        """int64[n, length] → float32[n, classes]."""
        texts = texts[:, : self.length]
        there = _there(texts)
        states = self.dropout(self.embedding(texts) + self.places.weight[: texts.shape[1]])
        for block in self.blocks:
            states = block(states, there)
        logits: Tensor = self.head(mean_of_words(self.last(states), there))
        return logits


def _there(texts: Texts) -> Bool[Tensor, "n length"]:
    """Which words are there; of an empty text the first place, so that attention has something to look at."""
    first = torch.arange(texts.shape[1], device=texts.device) == 0
    return (texts != 0) | (first & (texts == 0).all(1, keepdim=True))


def mean_of_words(states: States, there: Bool[Tensor, "n length"]) -> Float[Tensor, "n d"]:
    """float[n, length, d] → float[n, d]: the mean over the words that are there."""
    seen = there.to(states.dtype).unsqueeze(-1)
    return (states * seen).sum(1) / seen.sum(1).clamp(min=1.0)


class _SelfOutput(nn.Module):
    """BERT's: a linear layer, added to what was there, normalised."""

    def __init__(self, inputs: int, wide: int, dropout: float) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, wide)
        self.LayerNorm = nn.LayerNorm(wide, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, step: Float[Tensor, "n length i"], states: States) -> States:
        out: Tensor = self.LayerNorm(self.dropout(self.dense(step)) + states)
        return out


class _BertAttention(nn.Module):
    def __init__(self, wide: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.self = Attention(wide, heads, dropout)
        self.output = _SelfOutput(wide, wide, dropout)


class _Intermediate(nn.Module):
    def __init__(self, wide: int, inner: int) -> None:
        super().__init__()
        self.dense = nn.Linear(wide, inner)


class _BertLayer(nn.Module):
    def __init__(self, wide: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention = _BertAttention(wide, heads, dropout)
        self.intermediate = _Intermediate(wide, inner)
        self.output = _SelfOutput(inner, wide, dropout)

    def forward(self, states: States, there: Bool[Tensor, "n length"]) -> States:
        states = self.attention.output(self.attention.self(states, there), states)
        inner = nn.functional.gelu(self.intermediate.dense(states))
        out: Tensor = self.output(inner, states)
        return out


class _Embeddings(nn.Module):
    def __init__(self, vocabulary: int, length: int, wide: int, dropout: float) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(vocabulary, wide, padding_idx=0)
        self.position_embeddings = nn.Embedding(length, wide)
        self.token_type_embeddings = nn.Embedding(2, wide)
        self.LayerNorm = nn.LayerNorm(wide, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, texts: Texts) -> States:
        states = self.word_embeddings(texts) + self.position_embeddings.weight[: texts.shape[1]]
        out: Tensor = self.dropout(self.LayerNorm(states + self.token_type_embeddings.weight[0]))
        return out


class _Encoder(nn.Module):
    def __init__(self, wide: int, deep: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.layer = nn.ModuleList(_BertLayer(wide, heads, inner, dropout) for _ in range(deep))


class MiniLM(nn.Module):
    """A BERT of six layers taught to put sentences of like meaning near each other; under Hugging Face's names.

    What its head is given, the mean of the words' states, is the sentence; divided by its length, cosines of two of them say
    how like they are. It reads lower-case English pieces (30,522), the first piece [CLS], the last [SEP].

    References
    ----------
    Devlin et al., *BERT* (2018); Wang et al., *MiniLM* (2020); Reimers and Gurevych, *Sentence-BERT* (2019).
    """

    head_name = "head"

    def __init__(
        self,
        classes: int = 2,
        *,
        vocabulary: int = 30_522,
        length: int = 512,
        wide: int = 384,
        deep: int = 6,
        heads: int = 12,
        inner: int = 1536,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.readable = ("embeddings", *(f"encoder.layer.{place}" for place in range(deep)))
        self.length = length
        self.embeddings = _Embeddings(vocabulary, length, wide, dropout)
        self.encoder = _Encoder(wide, deep, heads, inner, dropout)
        self.head = nn.Linear(wide, classes)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, texts: Texts) -> Logits:
        """int64[n, length] → float32[n, classes]."""
        texts = texts[:, : self.length]
        there = _there(texts)
        states = self.embeddings(texts)
        for layer in self.encoder.layer:
            states = layer(states, there)
        logits: Tensor = self.head(mean_of_words(states, there))
        return logits
