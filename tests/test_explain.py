"""``ser explain`` of a recording: patches, occlusion, integrated gradients, the page."""

from __future__ import annotations

import base64
import csv
import io
import json

import numpy as np
import pytest
import soundfile
import torch
from browser import after, chromium, look
from bs4 import BeautifulSoup
from test_dependencies import ser as ser_without
from torch import nn

from ser.batch import Batch
from ser.cli import main
from ser.explain import gradients, patches
from ser.explain.recording import explain
from ser.features.presets import get_preset
from ser.loading import load_model
from ser.plots import describe
from ser.plots.explain_page import _audio
from ser.plots.explanation import explanation
from ser.prediction import batch_of


class Weighted(nn.Module):
    """A network that is a sum: what each number is worth is known."""

    needs = frozenset({"mfcc"})

    def __init__(self, frames: int):
        super().__init__()
        self.weights = nn.Parameter(torch.randn(frames, 39, generator=torch.manual_seed(0)))

    def forward(self, batch: Batch) -> torch.Tensor:
        total = (batch.mfcc * self.weights).sum((1, 2))
        return torch.stack([total, -total], 1)


class Switch(nn.Module):
    """A network that changes its mind all at once on the way from the mean."""

    def forward(self, batch: Batch) -> torch.Tensor:
        total = torch.tanh(1e7 * (batch.mfcc.mean((1, 2)) - 0.1234))
        return torch.stack([total, -total], 1)


def rows(frames: int = 30, seed: int = 1) -> Batch:
    values = torch.randn(1, frames, 39, generator=torch.manual_seed(seed))
    return Batch(mfcc=values, mfcc_lengths=torch.tensor([frames]))


def cut(batch: Batch, seconds: float):
    view = patches.view_of("mfcc", seconds)
    shape = tuple(batch.mfcc.shape[1:])
    at = patches.middles("mfcc", shape[0], round(seconds * 16000), get_preset("release"), True)
    return view, patches.cells_of(view, "mfcc", shape, at)


@pytest.mark.parametrize("known", [True, False])
def test_both_ways_give_a_sum_what_it_is_made_of(known):
    batch = rows()
    network, (view, cells) = Weighted(30), cut(batch, 0.32)
    mean = patches.mean_of(batch, {"mfcc": cells}, known)
    count = int(np.prod(view.shape))
    worth = ((batch.mfcc - mean["mfcc"]) * network.weights)[0].detach().double()
    truth = np.bincount(cells.flatten().numpy(), worth.flatten().numpy(), count)
    found = patches.occlusion(network, batch, {"mfcc": cells}, mean, 0, count)
    np.testing.assert_allclose(found, truth, atol=1e-4)
    assert np.abs(truth).max() > 1
    parts, difference, gap = gradients.integrated_gradients(network, batch, mean, 0)
    assert abs(gap) < 1e-5 and abs(difference - truth.sum()) < 1e-4
    sums = np.bincount(cells.flatten().numpy(), parts["mfcc"].flatten().numpy(), count)
    np.testing.assert_allclose(sums, truth, atol=1e-4)
    other = patches.occlusion(network, batch, {"mfcc": cells}, mean, 1, count)
    np.testing.assert_allclose(other, -found, atol=1e-4)


def test_the_mean_is_the_networks_own_where_its_inputs_are_normalised():
    batch = rows()
    assert not patches.mean_of(batch, {"mfcc": 0}, True)["mfcc"].any()
    own = patches.mean_of(batch, {"mfcc": 0}, False)["mfcc"]
    torch.testing.assert_close(own[0, 7], batch.mfcc[0].mean(0))


def test_a_jump_on_the_way_is_found_by_halving():
    batch = Batch(mfcc=torch.ones(1, 20, 39), mfcc_lengths=torch.tensor([20]))
    mean = {"mfcc": torch.zeros(1, 20, 39)}
    *_, missed = gradients.integrated_gradients(Switch(), batch, mean, 0, depth=0)
    assert abs(missed) > 1, "equal steps do not see it"
    _, difference, gap = gradients.integrated_gradients(Switch(), batch, mean, 0)
    assert difference == pytest.approx(2) and abs(gap) < gradients.allowed(2)


@pytest.mark.parametrize("field", ["s1", "s2", "mfcc", "prosody"])
@pytest.mark.parametrize("fixed", [True, False])
def test_every_number_is_in_one_patch_and_every_patch_has_some(field, fixed):
    preset, samples = get_preset("release"), 24000
    frames = {"s1": 230, "s2": 120} if fixed else {"s1": 94, "s2": 47}
    shape = {
        "s1": (128, frames["s1"]),
        "s2": (256, frames["s2"]),
        "mfcc": (148, 39),
        "prosody": (146, 25),
    }[field]
    view = patches.view_of(patches.VIEW_OF[field], 1.5)
    count = shape[0] if field in ("mfcc", "prosody") else shape[1]
    at = patches.middles(field, count, samples, preset, fixed)
    assert (np.diff(at) >= 0).all() and 0 <= at[0] < at[-1] <= 1.5
    cells = patches.cells_of(view, field, shape, at)
    assert tuple(cells.shape) == shape
    assert sorted(set(cells.flatten().tolist())) == list(range(int(np.prod(view.shape))))


def test_bands_are_where_their_hertz_say():
    view = patches.view_of("spectrograms", 1.0)
    assert view.hertz[0] == 0 and view.hertz[-1] == pytest.approx(8000)
    from ser.features.mel import mel_pair

    tone = np.sin(2 * np.pi * 3000 * np.arange(16000) / 16000).astype(np.float32)
    s2 = mel_pair(tone).s2
    band = int(s2.mean(1).argmax()) * len(view.bands) // len(s2)
    assert view.hertz[band] < 3000 < view.hertz[band + 1]


@pytest.fixture(scope="module")
def clip(tiny_root, tmp_path_factory):
    """One utterance as a file of its own."""
    from ser import load_audio, load_corpus

    row = load_corpus("synthetic", tiny_root).table.iloc[0]
    path = tmp_path_factory.mktemp("clip") / "my <clip>.wav"
    span = {"start": row.start, "seconds": row.seconds} if row.segment else {}
    wave = load_audio(row.path, **span)
    soundfile.write(path, wave[:16000], 16000)
    return path


@pytest.fixture(scope="module")
def made(clip, tmp_path_factory):
    """What the command writes of it."""
    out = tmp_path_factory.mktemp("explained")
    words = ["explain", str(clip), "--out", str(out), "--json", str(out / "a.json")]
    assert main([*words, "--csv", str(out / "a.csv")]) == 0
    return out


def test_the_parts_sum_to_what_the_answer_is_above_the_mean(made, clip):
    told = json.loads((made / "a.json").read_text(encoding="utf-8"))
    sums = [np.sum(view["integrated_gradients"]) for view in told["views"]]
    assert sum(sums) == pytest.approx(told["logit"] - told["mean_logit"], abs=0.06)
    assert told["integrated_gradients"]["complete"]
    at = list(told["probabilities"]).index(told["emotion"])
    assert told["logit"] == pytest.approx(np.mean([v[at] for v in told["logits"].values()]))
    assert told["emotion"] == max(told["probabilities"], key=told["probabilities"].get)
    assert {v["name"] for v in told["views"]} == {"mfcc", "spectrograms"}
    with open(made / "a.csv", encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == sum(np.size(view["occlusion"]) for view in told["views"])
    worth = sum(float(line["integrated_gradients_logits"]) for line in lines)
    assert worth == pytest.approx(sum(sums), abs=0.01)


def test_weights_that_mean_nothing_give_another_picture(made):
    told = json.loads((made / "a.json").read_text(encoding="utf-8"))
    alike = told["integrated_gradients"]["shuffled weights, rank correlation"]
    assert set(alike) == {"mfcc", "spectrograms"}
    assert all(abs(value) < 0.7 for value in alike.values()), alike
    assert all(view["agreement"] > 0.5 for view in told["views"]), "the two ways agree"


def test_shuffling_changes_the_network_and_leaves_the_original(clip):
    from ser import load_audio

    model = load_model(device="cpu")
    network = model.branches["mfcc-lstm"]
    before = {k: v.clone() for k, v in network.state_dict().items()}
    batch = batch_of(load_audio(clip), model, "mfcc-lstm", "clip")
    other = gradients.shuffled(network, 0)
    assert not torch.allclose(other(batch), network(batch), atol=0.1)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_the_page_needs_no_other_and_is_told_in_words(made):
    (page,) = made.glob("*.html")
    text = page.read_text(encoding="utf-8")
    soup = BeautifulSoup(text, "html.parser")
    assert soup.h1.text.startswith("my <clip>.wav: ") and "<clip>" not in text
    assert soup.html["lang"] == "en" and soup.select_one('meta[name="viewport"]')
    refers = [tag.get("src") or tag.get("href") for tag in soup.select("[src], [href]")]
    assert refers and all(one.startswith("data:") for one in refers)
    assert len(soup.select("audio[controls][aria-label]")) == 1
    images = soup.select("img")
    assert len(images) == 2 and all(" s (" in image["alt"] for image in images)
    assert "prefers-color-scheme: dark" in soup.style.text
    assert "so nothing is missing" in soup.text and "shuffled" in soup.text
    tables = soup.select("details table")
    assert len(tables) == 2 and all(len(t.select("tbody tr")) > 4 for t in tables)


@pytest.mark.parametrize("level", [0.25, 1.5])
def test_the_page_plays_the_sound_at_its_own_level_clipped_at_full_scale(level):
    wave = np.float32(level) * np.sin(np.arange(16000, dtype=np.float32))
    soup = BeautifulSoup(_audio(wave, "<sound>"), "html.parser")
    assert soup.audio["aria-label"] == soup.figcaption.text == "<sound>"
    data = base64.b64decode(soup.audio["src"].removeprefix("data:audio/wav;base64,"))
    played, rate = soundfile.read(io.BytesIO(data))
    assert rate == 16000 and soundfile.info(io.BytesIO(data)).subtype == "PCM_16"
    assert np.abs(played - wave.clip(-1, 1)).max() < 1e-4


def test_the_line_is_where_the_sound_is_and_the_page_fits_a_telephone(made, tmp_path):
    (page,) = made.glob("*.html")
    text = page.read_text(encoding="utf-8")
    body = after(text, "document.title = document.querySelector('img').clientWidth", tmp_path)
    for picture in body.select(".timed"):
        place = float(picture.select_one(".now")["style"].split("left: ")[1].split("px")[0])
        told = json.loads(picture["data-time"])
        assert place == pytest.approx(told["from"] * float(body.title.text), abs=2)
        assert 0.1 < told["from"] < 0.4 < told["to"] < 0.95
    if chromium():
        as_in_the_book = text.replace("<main>", '<article class="bd-article">')
        (tmp_path / "one.html").write_text(as_in_the_book, encoding="utf-8")
        (seen,) = look(tmp_path, ["one.html"], [390], ["light"], seconds=300)
        assert seen["errors"] == [], seen
        assert seen["wide"] == [] and seen["empty"] == [] and seen["faint"] == []
        assert seen["images"] == 2


def test_occlusion_alone_needs_no_captum(clip, tmp_path):
    out = tmp_path / "x" / "a.json"
    done = ser_without("captum", "explain", clip, "--json", out)
    assert done.returncode == 2 and not out.exists()
    assert "pip install 'ser-book[explain]'" in done.stderr and "Traceback" not in done.stderr
    done = ser_without("captum", "explain", clip, "--json", out, "--occlusion-only")
    assert done.returncode == 0, done.stderr
    told = json.loads(out.read_text(encoding="utf-8"))
    assert told["integrated_gradients"] is None
    assert all(view["integrated_gradients"] is None for view in told["views"])
    assert max(np.max(view["occlusion"]) for view in told["views"]) > 0


def test_an_offset_is_taken_away_as_in_the_answer(clip):
    from ser import load_audio, predict

    wave = load_audio(clip) * 0.5
    moved, plain = wave + 0.2, wave
    found = explain(moved.astype(np.float32), gradients=False)
    assert found.prediction.probabilities == predict(moved.astype(np.float32)).probabilities
    assert abs(found.wave.mean()) < 1e-3 < abs(moved.mean()) and len(plain) == len(found.wave)
    logits = np.mean(list(found.logits.values()), 0)
    share = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(share, list(found.prediction.probabilities.values()), atol=1e-3)
    fig = explanation(found, "spectrograms")
    assert describe(fig).startswith("Patches of the spectrogram over time")
    assert "integrated" not in describe(fig) and fig.axes[0].get_xlim()[1] == pytest.approx(
        len(wave) / 16000
    )
    with pytest.raises(ValueError, match="prosody"):
        explanation(found, "prosody")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["me.wav"], "nothing would be written"),
        (["--out", "a.html"], "give one recording"),
        (["me.wav", "--corpus", "emodb", "--out", "a.html"], "give one recording"),
        (["me.wav", "--root", "x", "--out", "a.html"], "--root goes with --corpus"),
        (["--corpus", "emodb", "--occlusion-only", "--out", "a"], "goes with a recording"),
        (["me.wav", "--json", "-", "--csv", "-"], "both want the screen"),
        (["none.wav", "--occlusion-only", "--out", "a.html"], "none.wav"),
    ],
)
def test_what_does_not_fit_together_is_told(words, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["explain", *words]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_long_recording_is_told_to_be_cut(tmp_path, capsys):
    soundfile.write(tmp_path / "long.wav", np.zeros(61 * 16000), 16000)
    words = ["explain", str(tmp_path / "long.wav"), "--out", str(tmp_path / "a.html")]
    assert main([*words, "--occlusion-only"]) == 2
    assert "cut one out" in capsys.readouterr().err


def test_a_page_is_not_written_over_another_kind_of_file(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("kept")
    assert main(["explain", "me.wav", "--out", str(tmp_path / "notes.txt")]) == 2
    assert "notes.txt: the page is HTML" in capsys.readouterr().err
    assert (tmp_path / "notes.txt").read_text() == "kept"
