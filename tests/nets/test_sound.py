"""Networks for sound: the spectrogram is what a Fourier transform says it is, and Google's embedding is Google's."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import pytest
import torch

from tocsin.errors import NotReady
from tocsin.learn.perception.packages import files_of
from tocsin.learn.perception.registry import NETWORKS, Package
from tocsin.learn.perception.weights import load_into
from tocsin.nets.sound import DSCNN, RATE, LogMel, SoundResNet, mel_bands
from tocsin.nets.speech import Decibels, SpeechEmbedding


def tone(hertz: float, samples: int = RATE) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * hertz * torch.arange(samples) / RATE).unsqueeze(0)


def test_the_spectrogram_is_the_fourier_transforms() -> None:
    torch.manual_seed(0)
    wave = torch.randn(2, 4000) * 0.1
    hann = torch.hann_window(400)
    power = torch.fft.rfft(wave.unfold(1, 400, 160) * hann, n=512).abs() ** 2
    wanted = torch.log(power @ mel_bands(40, 512).float().T + 1e-5).transpose(1, 2)
    got = LogMel(40)(wave)
    assert got.shape == (2, 40, 1 + (4000 - 400) // 160)
    assert torch.allclose(got, wanted, atol=2e-4)


@pytest.mark.parametrize("hertz", [100.0, 440.0, 1000.0, 3000.0, 7000.0])
def test_a_tone_is_loudest_in_its_own_band(hertz: float) -> None:
    said = LogMel(40)(tone(hertz))[0].mean(1)
    bands = mel_bands(40, 512)
    assert int(said.argmax()) == int(bands[:, round(hertz / RATE * 512)].argmax())


def test_bands_are_triangles_that_cover_what_they_should() -> None:
    bands = mel_bands(40, 512)
    middle = bands[:, round(1000 / RATE * 512)]
    assert (bands >= 0).all()
    assert (bands <= 1).all()
    assert float(middle.sum()) == pytest.approx(1.0)  # neighbouring triangles add up to one
    assert float(bands[:, 0].sum()) == 0.0


@pytest.mark.parametrize("make", [DSCNN, SoundResNet, SpeechEmbedding])
def test_silence_noise_and_other_lengths_give_finite_logits(make: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    network = make(5).eval()
    with torch.no_grad():
        for wave in (torch.zeros(2, RATE), torch.randn(2, RATE), torch.ones(1, 2 * RATE), torch.randn(3, 13_000)):
            logits = network(wave)
            assert logits.shape == (len(wave), 5)
            assert torch.isfinite(logits).all()


@pytest.mark.parametrize("make", [DSCNN, SoundResNet, SpeechEmbedding])
def test_a_clip_is_judged_without_the_others_of_its_batch(make: type[torch.nn.Module]) -> None:
    torch.manual_seed(0)
    network, waves = make(3).eval(), torch.randn(3, RATE) * torch.tensor([[0.001], [0.1], [1.0]])
    with torch.no_grad():
        together = network(waves)
        alone = torch.cat([network(waves[row : row + 1]) for row in range(3)])
    assert torch.allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("make", [DSCNN, SoundResNet])
def test_it_learns_to_tell_a_rising_tone_from_a_falling_one(make: type[torch.nn.Module]) -> None:
    """The same pitches in another order."""
    torch.manual_seed(0)
    n, samples = 64, 8000
    time = torch.linspace(0, 1, samples)
    start = 400 + 400 * torch.rand(n, 1)
    rises = torch.arange(n) % 2
    sweep = torch.where(rises[:, None] == 1, time, 1 - time)
    waves = 0.3 * torch.sin(2 * math.pi * torch.cumsum(start * (1 + sweep), 1) / RATE) + 0.05 * torch.randn(n, samples)
    network = make(2, wide=16)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(20):
        for rows in torch.randperm(48).split(16):
            optimizer.zero_grad()
            torch.autograd.backward(torch.nn.functional.cross_entropy(network(waves[rows]), rises[rows]))
            optimizer.step()
    with torch.no_grad():
        assert (network.eval()(waves[48:]).argmax(1) == rises[48:]).float().mean() > 0.9


def test_the_embedding_of_a_clip_is_that_of_its_windows() -> None:
    """Only bands are padded, so 76 frames say the same alone and inside a clip."""
    torch.manual_seed(0)
    network = SpeechEmbedding(2).eval()
    bands = network.heard(torch.randn(1, RATE) * 0.1)
    with torch.no_grad():
        whole = network.embedded(bands)
        parts = [network.embedded(bands[:, :, begin : begin + 76]) for begin in range(0, bands.shape[2] - 75, 8)]
    assert whole.shape == (1, 96, 3)
    assert torch.allclose(whole, torch.cat(parts, 2), atol=1e-5)


def test_decibels_go_80_below_the_loudest_place_of_each_clip() -> None:
    wave = torch.cat([tone(500), 0.01 * tone(500)])
    said = Decibels()(wave)
    assert said.shape == (2, 1, 97, 32)
    for clip in said:
        assert float(clip.amax() - clip.amin()) == pytest.approx(8.0, abs=1e-4)
    assert float(said[0].amax() - said[1].amax()) == pytest.approx(4.0, abs=1e-3)  # a hundredth is 40 dB less


@pytest.mark.slow
def test_the_published_embedding_says_here_what_it_says_in_onnx_runtime() -> None:
    """Against the graphs of the package, run by ONNX Runtime: the spectrogram's too, of which we take no number."""
    import numpy as np
    import onnxruntime

    one = NETWORKS["speech_embedding"]
    network = one.build(2, one.size).eval()
    assert isinstance(network, SpeechEmbedding)
    assert one.pretrained is not None
    package = one.pretrained.sources[0]
    assert isinstance(package, Package)
    folder = package.file.rsplit("/", 1)[0]
    try:
        load_into(network, one)
        graphs = files_of(replace(package, vocabulary=f"{folder}/melspectrogram.onnx"), largest=10_000_000)
    except NotReady as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no registry of packages here: {error}")
    embeds, hears = (onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"]) for graph in graphs)
    torch.manual_seed(0)
    for wave in (0.1 * torch.randn(1, RATE), tone(700), 0.2 * torch.randn(1, RATE).cumsum(1) / 50):
        bands = hears.run(None, {"input": (wave * 32768).numpy()})[0].reshape(-1, 32) / 10 + 2
        assert np.abs(bands - network.heard(wave)[0, 0].numpy()).max() < 1e-3
        windows = np.stack([bands[begin : begin + 76] for begin in range(0, len(bands) - 75, 8)])[..., None]
        wanted = embeds.run(None, {"input_1": windows})[0].reshape(-1, 96)
        with torch.no_grad():
            got = network.embedded(torch.from_numpy(bands)[None, None])[0].T.numpy()
            heard = network.embedded(network.heard(wave))[0].T.numpy()
        scale = np.abs(wanted).max()
        assert np.abs(got - wanted).max() < 1e-4 * max(1.0, scale / 10)
        assert np.abs(heard - wanted).max() < 1e-3 * scale
