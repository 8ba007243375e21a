"""The lab's figures as a reader uses them: keys, a file, a microphone; and nothing is asked for."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import soundfile
import soxr
from chapters.lab.ear import chosen_clips, ear, unseen_answers
from chapters.lab.knobs import KNOBS, answers_on_grid, effects, knobs, turned
from chapters.lab.speak import clip, speak, trained_on
from chapters.lab.telephone import moved
from devtools import page

from ser import load_corpus, predict
from ser.audio import load_audio
from ser.corpora import EMOTIONS
from ser.loading import load_model

MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
SAID = "document.querySelector('figure.ser-{} output').textContent"


@pytest.fixture(scope="module")
def model():
    return load_model(device="cpu", recordings=1)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    from ser.corpora.synthetic import make

    root = make(tmp_path_factory.mktemp("lab") / "synthetic", 4, 3, jobs=1, progress=False)
    return chosen_clips(load_corpus("synthetic", root).table, each=2)


@pytest.fixture(scope="module")
def waves(table):
    return [load_audio(path) for path in table.path]


@pytest.fixture(scope="module")
def network(waves, model):
    return [list(predict(w, model).probabilities.values()) for w in waves]


@pytest.fixture(scope="module")
def file(table, waves, network, model, tmp_path_factory):
    """A page with the three figures, opened as a file; its folder's name has a space."""
    clips = [clip(w, f"clip {k + 1}") for k, w in enumerate(waves)]
    readings = [waves[0]] * 27
    parts = [
        speak(model, clips, caption="One.", honest=trained_on(model)),
        ear(list(table.emotion), network, caption="Two.", repeats=3),
        knobs(readings, "A sentence.", caption="Three."),
    ]
    made = tmp_path_factory.mktemp("a page") / "lab.html"
    head = "<!doctype html><html lang=en><meta charset=utf-8><title>lab</title><body>"
    made.write_text(head + "".join(part.html for part in parts), encoding="utf-8")
    return made


def heard(p, expression="document.querySelector('figure.ser-speak').dataset.answer"):
    return json.loads(p.until(expression))


def alike(found: dict, wave: np.ndarray, model, tolerance: float = 1e-3) -> None:
    """The page's logits give the probabilities that Python gives."""
    for branch, wanted in predict(wave, model).branches.items():
        powers = np.exp(np.subtract(found[branch], max(found[branch])))
        assert np.abs(powers / powers.sum() - list(wanted.values())).max() < tolerance


def test_by_keys_alone_and_nothing_is_asked_for(file, waves, model):
    with page() as p:
        p.open(file)
        p.tab_to("button.ask")
        p.press("Enter")
        alike(heard(p), waves[0], model)
        assert "mfcc-lstm says" in p.js(SAID.format("speak"))
        labels = (
            "[...document.querySelectorAll('canvas, svg')].map(e => e.getAttribute('aria-label'))"
        )
        assert all(re.search(r"\d|confusion", label) for label in p.js(labels))
        shares = (
            "[...document.querySelectorAll('figure.ser-speak td span')].map(e => e.textContent)"
        )
        assert all(re.fullmatch(r"\d+ %", share) for share in p.js(shares))
        assert p.requests() == [file.as_uri()]
        assert p.errors() == []


@pytest.mark.parametrize("rate", [16000, 44100])
def test_a_file_is_heard_as_python_hears_it(file, waves, model, tmp_path, rate):
    wave = soxr.resample(waves[1], 16000, rate) if rate != 16000 else waves[1]
    sound = tmp_path / "me.wav"
    soundfile.write(sound, np.stack([wave, wave], 1), rate)
    with page() as p:
        p.open(file)
        p.choose_file("input[type=file]", sound)
        alike(heard(p), load_audio(sound), model, 1e-3 if rate == 16000 else 0.02)
        assert f"s at {rate} Hz)" in p.js(SAID.format("speak"))


def test_another_kind_of_file_is_decoded_at_its_own_rate(file, waves, model, tmp_path):
    sound = tmp_path / "me.flac"
    soundfile.write(sound, waves[2], 16000, subtype="PCM_16")
    bad = tmp_path / "page.mp3"
    bad.write_text("<html>404 Not Found</html>" * 40)
    with page() as p:
        p.open(file)
        p.choose_file("input[type=file]", sound)
        alike(heard(p), waves[2], model)
        p.choose_file("input[type=file]", bad)
        p.until(f"{SAID.format('speak')}.startsWith('page.mp3')")
        assert "save it as WAV" in p.js(SAID.format("speak"))


def test_a_microphone_is_heard_plainly(file, waves, model, tmp_path):
    long = np.concatenate([waves[3], np.zeros(1600, np.float32)] * 4)
    soundfile.write(tmp_path / "voice.wav", soxr.resample(long, 16000, 48000), 48000)
    audio = f"--use-file-for-fake-audio-capture={tmp_path / 'voice.wav'}"
    with page(*MICROPHONE, audio) as p:
        p.open(file)
        p.tab_to("button.mic")
        p.press(" ")
        p.until(f"{SAID.format('speak')}.startsWith('Listening')")
        gates = "document.querySelector('figure.ser-speak polyline.T').getAttribute('points')"
        points = p.until(gates)
        p.until(f"{gates} !== {json.dumps(points)}")  # drawn while one speaks
        p.press("Enter")
        found = heard(p)
        said = p.js(SAID.format("speak"))
        assert "All three were asked off; the browser says off: gain control" in said
        blob = "fetch(document.querySelector('audio').src).then(r => r.arrayBuffer())"
        blob += ".then(b => btoa(String.fromCharCode(...new Uint8Array(b))))"
        kept = tmp_path / "kept.wav"
        size = 4000 + len(waves[3])
        blob = blob.replace("(b)))", f"(b).slice(0, {44 + 2 * size})))")
        kept.write_bytes(base64.b64decode(p.js(blob)))
        assert p.requests() == [file.as_uri()]
        assert p.errors() == []
    assert set(found) == {"mfcc-lstm", "ds-lstm"}
    wave = np.frombuffer(kept.read_bytes()[44:], "<i2") / 32768
    assert likeness(wave, waves[3]) > 0.9


def likeness(wave: np.ndarray, voice: np.ndarray) -> float:
    """The greatest correlation of a part of *wave* with the middle of *voice*."""
    part = voice[4000:12000]
    part = part / np.linalg.norm(part)
    energy = np.sqrt(np.convolve(wave**2, np.ones(len(part)), "valid")) + 1e-9
    return float(np.abs(np.correlate(wave, part, "valid") / energy).max())


def test_without_a_microphone_it_says_so_and_the_rest_works(file, waves, model):
    with page("--deny-permission-prompts") as p:
        p.open(file)
        p.js("document.querySelector('button.mic').click()")
        p.until(f"{SAID.format('speak')}.includes('file and the built-in sounds work')")
        p.js("document.querySelector('button.ask').click()")
        alike(heard(p), waves[0], model)
        p.js("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
        p.js("document.querySelector('button.mic').click()")
        p.until(f"{SAID.format('speak')}.startsWith('This browser gives this page no microphone.')")


def test_an_ear_is_judged(file, table, network, tmp_path):
    with page() as p:
        p.open(file)
        keep = "function () { window.kept = [this.download, this.href]; }"
        p.js(f"HTMLAnchorElement.prototype.click = {keep}")
        p.tab_to("figure.ser-ear button.emotion")
        answers: dict[int, list[int]] = {}
        for turn in range(len(table) + 3):
            k = int(p.js("document.querySelector('figure.ser-ear').dataset.clip"))
            # right at first, but the first clip is heard as another each time; at last always sad
            word = EMOTIONS.index(table.emotion.iloc[k])
            word = 3 if turn >= len(table) else (word + (turn == 0)) % 4
            answers.setdefault(k, []).append(word)
            p.tab_to(f"figure.ser-ear button.emotion:nth-child({word + 1})")
            p.press("Enter")
        said = p.until(f"{SAID.format('ear')}.includes('kappa') && {SAID.format('ear')}")
        cells = p.js(
            "[...document.querySelectorAll('.ser-ear text.cell')].map(e => +e.textContent)"
        )
        p.js("document.querySelector('button.save').click()")
        name, address = p.js("window.kept")
        assert p.requests() == [file.as_uri()]
        assert p.errors() == []
    assert len(answers) == len(table)
    assert sum(len(v) == 2 for v in answers.values()) == 3
    assert f"you {len(table) - 1} of {len(table)}, 88 % (95 %: 53 % to 98 %)" in said
    yours, its = np.reshape(cells, (2, 4, 4))
    wanted = np.zeros((2, 4, 4), int)
    for k, emotion in enumerate(table.emotion):
        wanted[0, EMOTIONS.index(emotion), answers[k][0]] += 1
        wanted[1, EMOTIONS.index(emotion), int(np.argmax(network[k]))] += 1
    assert (yours == wanted[0]).all()
    assert (its == wanted[1]).all()
    assert name == "my-ear.csv"
    assert address.startswith("data:text/csv")
    assert address.count("%0A") == len(table) + 1


def test_knobs_move_the_sound_and_the_answer(file, waves, model):
    places = {"level": 2, "tilt": 0}
    with page() as p:
        p.open(file)
        for name, place in places.items():
            k = [knob.name for knob in KNOBS].index(name) + 1
            p.tab_to(f"figure.ser-knobs label:nth-of-type({k}) input")
            p.press("ArrowRight" if place else "ArrowLeft")
        said = p.js("[...document.querySelectorAll('.ser-knobs b')].map(e => e.textContent)")
        found = heard(p, "document.querySelector('figure.ser-knobs').dataset.answer")
        told = p.js("document.querySelector('.ser-knobs input:last-child').ariaValueText")
    assert said[3:] == ["10 dB more", "3 dB an octave darker"]
    assert told == "as it is"
    wanted = predict(turned(waves[0], 10, -3), model).probabilities
    assert np.abs(np.subtract(found, list(wanted.values()))).max() < 2e-3


def test_the_grid_has_every_setting_and_its_effects_an_order(waves, model):
    grid = answers_on_grid([waves[0][4000:12000]] * 27, model)  # readings, all alike
    assert len(grid) == 27 * 9
    assert np.allclose(grid[list(EMOTIONS)].sum(1), 1, atol=1e-3)
    effect = effects(grid)
    assert effect.moved.is_monotonic_decreasing
    assert effect.moved["rate"] == 0
    assert effect.moved["level"] > 1


def test_a_telephone_moves_answers(waves, table, model):
    found = moved(waves, [EMOTIONS.index(e) for e in table.emotion], model)
    assert 0 <= found["changed"] <= 1
    assert sum(found["telephone"]["answers"].values()) == pytest.approx(1)
    assert found["recorded"] != found["telephone"]


def test_answers_of_networks_that_had_not_heard_the_speaker():
    from conftest import ROOT

    from ser.report import make_report

    row = make_report(str(ROOT / "book" / "results" / "emodb-small-loso")).row("dual")
    names = list(row.utterances[:3])
    found = unseen_answers(row, names)
    assert [int(np.argmax(p)) for p in found] == row.predictions[0][:3].tolist()
    with pytest.raises(ValueError, match="no answer about nobody"):
        unseen_answers(row, ["nobody"])


def test_what_does_not_fit_is_said(table, network):
    with pytest.raises(ValueError, match="do not fit"):
        ear(list(table.emotion)[1:], network, caption="x")
    with pytest.raises(ValueError, match="9 clips of each emotion are needed"):
        chosen_clips(table, each=9)


def test_the_page_is_small_without_its_sounds():
    import nbformat
    from conftest import ROOT

    notebook = nbformat.read(ROOT / "book" / "listening_lab.ipynb", as_version=4)
    shown = [o["data"].get("text/html", "") for c in notebook.cells for o in c.get("outputs", [])
             if "data" in o]  # fmt: skip
    whole = "".join(shown)
    sounds = re.findall(r"UklGR[A-Za-z0-9+/=]+", whole)
    assert len(sounds) > 50
    assert 3_000_000 < len(whole) - sum(map(len, sounds)) < 4_500_000  # two networks
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", whole)
