"""The lab's figure that is told a voice first: Python's numbers, three sentences, two answers."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import torch
from chapters.lab.enrol import calm_and_asked, enrol, gained
from chapters.lab.model import packed
from chapters.lab.speak import clip, speak, trained_on
from conftest import ROOT
from devtools import page

from ser import load_corpus
from ser.audio import load_audio
from ser.corpora import EMOTIONS
from ser.enrolled_model import model_for
from ser.errors import ModelError
from ser.loading import load_model
from ser.prediction import AGAIN, branch_logits, predict

MICROPHONE = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
FIGURE = "document.querySelector('figure.ser-enrol')"
REFUSED = ("Nothing came", "silence tells", "too short", "same sound")
TOLD, SAID, WHY = (f"{FIGURE}.querySelector('{s}').textContent"
                   for s in ("output.told", "output.said", "p.why"))  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return load_model(device="cpu", recordings=1)


@pytest.fixture(scope="module")
def untold():
    return load_model(device="cpu", recordings=1, enrolled=True)


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    from ser.corpora.synthetic import make

    root = make(tmp_path_factory.mktemp("lab") / "synthetic", 2, 4, jobs=1, progress=False)
    return load_corpus("synthetic", root).table


@pytest.fixture(scope="module")
def chosen(table):
    return table.groupby("emotion").head(1)


@pytest.fixture(scope="module")
def voice(table, chosen):
    """Calm rows, and the asked positions among the chosen ones."""
    return calm_and_asked(table, chosen)


@pytest.fixture(scope="module")
def calm(voice):
    return [load_audio(path) for path in voice[0].path]


@pytest.fixture(scope="module")
def clips(chosen):
    return [load_audio(path) for path in chosen.path]


@pytest.fixture(scope="module")
def file(model, untold, voice, calm, clips, tmp_path_factory):
    """A page with the two figures, opened as a file."""
    parts = [
        speak(model, [clip(w, f"clip {k}") for k, w in enumerate(clips)], caption="One.",
              honest=trained_on(model)),
        enrol(model, untold, [clip(w, f"calm {k}") for k, w in enumerate(calm)],
              {k: f"clip {k}" for k in voice[1]}, voice="a voice", caption="Two."),
    ]  # fmt: skip
    made = tmp_path_factory.mktemp("page") / "lab.html"
    head = "<!doctype html><html lang=en><meta charset=utf-8><title>lab</title><body>"
    made.write_text(head + "".join(part.html for part in parts), encoding="utf-8")
    return made


def text(values) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode("ascii")


def logits(wave: np.ndarray, model) -> dict[str, list[float]]:
    with torch.no_grad():
        return {row: branch_logits(wave, model, row, "it").tolist() for row in model.branches}


def alike(found: dict, wave: np.ndarray, model) -> None:
    """The page's logits are Python's to a thousandth; `predict` gives their probabilities."""
    wanted = logits(wave, model)
    for branch, values in wanted.items():
        assert np.abs(np.subtract(found[branch], values)).max() < 1e-3, branch
    mean = np.mean(list(wanted.values()), axis=0)
    said = predict(wave, model).probabilities
    assert np.allclose(np.exp(mean) / np.exp(mean).sum(), list(said.values()), atol=1e-4)


def test_by_nodes_own_test_runner(untold, calm, clips, tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node (Debian: apt-get install nodejs)")
    moved = clips[0] + np.float32(0.03)
    pairs = {
        "one voice": (calm, clips),
        "an offset": ([w + np.float32(0.03) for w in calm], clips[:1]),
        "pauses of zeros": ([np.pad(w, 3000) for w in calm], [*clips[:1], moved]),
    }
    german = Path(os.environ.get("SER_SHARED", ROOT.parent / "shared")) / "data/emodb/wav"
    if names := sorted(german.glob("03*N*.wav"))[:4]:
        waves = [load_audio(name) for name in names]
        pairs["a German voice"] = waves[:3], waves[3:]
    voices = []
    for name, (first, asked) in pairs.items():
        told = model_for(untold, first)
        scales = told.scales["mfcc-lstm"] | told.scales["ds-lstm"]
        voices.append(
            {
                "name": name,
                "calm": [text(w) for w in first],
                "scales": {k: [text(v) for v in pair] for k, pair in scales.items()},
                "asked": [
                    {"wave": text(w), "branches": logits(w - w.mean() if w is moved else w, told)}
                    for w in asked
                ],
            }
        )
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps({"model": packed(untold), "voices": voices}), encoding="utf-8")
    done = subprocess.run(
        [node, "--test", ROOT / "tests" / "page" / "enrolment.test.js"],
        env={**os.environ, "SER_ENROL_CASES": str(cases)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "# skipped 0" in done.stdout


def test_by_keys_three_built_in_sentences_then_both_answers(
    file, voice, calm, clips, model, untold
):
    place = voice[1][0]
    with page() as p:
        p.open(file)
        assert "3 more calm sentences are needed" in p.js(WHY)
        p.tab_to("figure.ser-enrol button.ask")
        p.press("Enter")
        found = json.loads(p.until(f"{FIGURE}.dataset.answer"))
        assert found[1] is None
        alike(found[0], clips[place], model)
        assert "of the other network no answer: 3 more calm sentences are needed" in p.js(SAID)
        p.js(f"{FIGURE}.querySelector('button.three').focus()")
        p.press("Enter")
        p.until(f"{TOLD}.includes('3 of 3 calm sentences are there: the second network knows')")
        found = json.loads(p.js(f"{FIGURE}.dataset.answer"))
        alike(found[0], clips[place], model)
        alike(found[1], clips[place], model_for(untold, calm))
        assert re.search(r"the \d+ actors \w+, \d+ %; compared with three calm", p.js(SAID))
        assert p.js(WHY) == ""
        cells = f"[...{FIGURE}.querySelectorAll('td span')].map(e => e.textContent)"
        assert all(re.fullmatch(r"\d+ %", share) for share in p.js(cells))
        scale = model_for(untold, calm).scales["ds-lstm"]["s2"]
        wanted = "three calm sentences {:.1f} and {:.1f} dB".format(*(v.mean() for v in scale))
        label = f"{FIGURE}.querySelector('svg').getAttribute('aria-label')"
        assert wanted in p.js(label)
        assert p.js(f"{FIGURE}.querySelector('polyline.own').getAttribute('points')")

        p.tab_to("figure.ser-enrol ol.calm li:nth-child(2) button")
        p.press("Enter")
        assert p.js(TOLD) == "Calm sentence 2 is taken back. 2 of 3 calm sentences are there."
        assert p.js("document.activeElement.className") == "calm"
        assert "1 more calm sentence is needed" in p.js(WHY)
        assert json.loads(p.js(f"{FIGURE}.dataset.answer"))[1] is None
        assert p.requests() == [file.as_uri()]
        assert p.errors() == []


def test_files_are_taken_and_what_python_refuses_is_refused(file, calm, clips, untold, tmp_path):
    sounds = {f"calm{k}": w for k, w in enumerate(calm)}
    sounds |= {"silence": np.full(16000, 0.01), "me": clips[1]}
    for name, wave in sounds.items():
        soundfile.write(tmp_path / f"{name}.wav", wave, 16000)
    (tmp_path / "page.mp3").write_text("<html>404 Not Found</html>" * 40)
    with pytest.raises(ModelError, match="silence tells no voice"):
        model_for(untold, [*calm[:2], tmp_path / "silence.wav"])
    with pytest.raises(ModelError, match="the same sound"):
        model_for(untold, [*calm[:2], calm[0]])

    def give(p, name: str, wanted: str, kind: str = "calm") -> None:
        p.choose_file(f"figure.ser-enrol input.{kind}", tmp_path / name)
        p.until(f"{SAID if kind == 'asked' else TOLD}.includes({json.dumps(wanted)})")

    with page() as p:
        p.open(file)
        give(p, "silence.wav", "silence.wav (1.0 s at 16000 Hz): silence tells no voice")
        give(p, "page.mp3", "page.mp3: this browser cannot decode the file")
        give(p, "calm0.wav", "taken as calm sentence 1. 1 of 3")
        give(p, "calm0.wav", "this is the same sound as sentence 1; give each once")
        give(p, "calm1.wav", "2 of 3")
        give(p, "calm2.wav", "3 of 3")
        give(p, "me.wav", "three are enough; take one back first. 3 of 3")
        give(p, "me.wav", "me.wav (", "asked")
        found = json.loads(p.until(f"{FIGURE}.dataset.answer"))
        alike(found[1], load_audio(tmp_path / "me.wav"),
              model_for(untold, [tmp_path / f"calm{k}.wav" for k in range(3)]))  # fmt: skip
        give(p, "calm2.wav", ": ".join(AGAIN).replace("recordings", "sentences"), "asked")
        p.js(f"{FIGURE}.querySelector('button.ask').click()")
        assert "Not all of this is one voice" in p.js(SAID)
        assert p.requests() == [file.as_uri()]
        assert p.errors() == []


def spoken(p, told: str) -> str:
    """What the page says of a recording by the space bar.

    A browser that is short of time plays little or nothing of the microphone's file, and the page
    then refuses the recording by name; the next attempt is longer.
    """
    refused = []
    for attempt in range(1, 7):
        p.press(" ")
        p.until(f"{told}.startsWith('Listening')")
        assert p.js("document.activeElement.textContent") == "Stop"
        p.js(f"new Promise(done => setTimeout(() => done(1), {900 * attempt}))")
        p.press(" ")
        said = p.until(f"!{told}.startsWith('Listening') && {told}")
        if not any(no in said for no in REFUSED):
            return said
        refused.append(said)
    pytest.fail("\n".join(refused))


def test_a_microphone_tells_the_voice_and_asks(file, calm, clips, tmp_path):
    long = np.concatenate([np.concatenate([w, np.zeros(1600, np.float32)]) for w in calm] * 2)
    soundfile.write(tmp_path / "voice.wav", soxr.resample(long, 16000, 48000), 48000)
    audio = f"--use-file-for-fake-audio-capture={tmp_path / 'voice.wav'}"
    with page(*MICROPHONE, audio) as p:
        p.open(file)
        p.tab_to("figure.ser-enrol button.calm")
        for k in (1, 2, 3):
            assert f"taken as calm sentence {k}. All three were asked off" in spoken(p, TOLD)
            assert f"{k} of 3" in p.js(TOLD)
        p.press(" ")
        assert p.js(TOLD) == "No more is recorded: three are enough; take one back first."
        length = f"{FIGURE}.querySelector('ol.calm audio').duration"
        assert p.until(f"{length} > 0 && {length}") < 9
        p.tab_to("figure.ser-enrol button.mic")
        assert spoken(p, SAID).startswith("You, ")
        found = json.loads(p.until(f"{FIGURE}.dataset.answer"))
        assert {len(one["ds-lstm"]) for one in found} == {len(EMOTIONS)}
        assert p.requests() == [file.as_uri()]
        assert p.errors() == []


def test_one_button_of_the_page_records_at_a_time(file):
    with page(*MICROPHONE) as p:
        p.open(file)
        p.js("document.querySelector('figure.ser-speak button.mic').click()")
        p.until("document.querySelector('figure.ser-speak output').textContent"
                ".startsWith('Listening')")  # fmt: skip
        p.js(f"{FIGURE}.querySelector('button.calm').click()")
        p.until(f"{TOLD}.startsWith('Listening')")
        pressed = "[...document.querySelectorAll('[aria-pressed=true]')].map(e => e.className)"
        assert p.js(pressed) == ["calm"]


def test_a_telephone_shows_all_of_it(file):
    with page() as p:
        p.send("Emulation.setDeviceMetricsOverride", width=360, height=800, deviceScaleFactor=1,
               mobile=False)  # fmt: skip
        p.open(file)
        p.js(f"{FIGURE}.querySelector('button.three').click()")
        p.until(f"{TOLD}.includes('3 of 3')")
        assert p.js("document.documentElement.scrollWidth") <= 360


def test_the_voice_is_one_that_can_be_told(table, chosen, voice):
    calm, asked = voice
    assert set(calm.emotion) == {"neutral"}
    assert calm.utterance.nunique() == 3
    assert not set(calm.utterance) & set(chosen.utterance)
    assert {*calm.speaker} == {*chosen.iloc[asked].speaker}
    few = table.groupby(["speaker", "emotion"]).head(2)
    with pytest.raises(ValueError, match="no voice on the page has 3 more neutral"):
        calm_and_asked(few, few.head(1))


def test_the_record_says_what_it_brings(model, untold, calm):
    said = gained(model, untold)
    for told in (model.trained_on, untold.trained_on):
        for kind in ("unseen", "other_language"):
            assert f"{100 * told[kind]['ua']:.1f} % (95 %: {100 * told[kind]['low']:.1f}" in said
    with pytest.raises(ValueError, match="3 calm sentences, not 2"):
        enrol(model, untold, [clip(w, "") for w in calm[:2]], {0: "a"}, voice="a", caption="x")
