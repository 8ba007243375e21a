"""What ``ser check`` says: of which set, with which way out, in commands that can be typed."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
import soundfile
import trees

from ser.cli import check as command
from ser.corpora import load_corpus
from ser.corpora.check import check
from ser.corpora.originals import originals
from ser.errors import FeatureError
from ser.features import extract

CLIPS = [f"{s}a0{t}{e}a" for s in ("03", "08") for t in (1, 2) for e in "WFNT"]


def said(report: dict, kind: str) -> list[str]:
    return [p["message"] for p in report["problems"] if p["kind"] == kind]


def test_each_unreadable_kind_has_its_own_reason_and_advice(tmp_path, monkeypatch):
    wav = trees.files(tmp_path / "my data" / "wav", *(f"{name}.wav" for name in CLIPS)).resolve()
    whole = (wav / "03a01Wa.wav").read_bytes()
    (wav / "03a01Wa.wav").write_bytes(whole[:2000])
    (wav / "03a01Fa.wav").write_bytes(whole[:1000])
    (wav / "03a01Na.wav").write_bytes(b"<!doctype html>" * 9)
    (wav / "03a01Ta.wav").write_text(trees.POINTER)
    (wav / "03a02Wa.wav").write_bytes(b"")
    samples = np.zeros(1600, "float32")
    samples[7] = np.nan
    soundfile.write(wav / "03a02Fa.wav", samples, 16000, subtype="FLOAT")
    trees.tone(wav / "03a02Na.wav", seconds=0.01)
    locked = wav / "03a02Ta.wav"
    opened = Path.open

    def denied(path: Path, *args, **options):
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return opened(path, *args, **options)

    monkeypatch.setattr(Path, "open", denied)
    report = check("emodb", wav.parent)
    unreadable = said(report, "unreadable")
    assert len(unreadable) == 4
    for words in (
        ("2 utterances", "cut off"),
        ("1 utterance", "is not a sound file"),
        ("1 utterance", "NaN", "export"),
        ("1 utterance", "Permission denied", "permissions"),
    ):
        assert [t for t in unreadable if all(word in t for word in words)], (words, unreadable)
    assert len([t for t in unreadable if "copy or download them again" in t]) == 0
    assert "is empty (0 bytes); copy or download it again" in said(report, "empty")[0]
    assert "too short" in said(report, "too short")[0]
    assert (
        f"`cd {shlex.quote(str(wav))} && git lfs install && git lfs pull`"
        in (said(report, "git-lfs pointer")[0])
    )


def test_features_name_the_whole_command(tmp_path):
    root = trees.files(tmp_path / "my data", "03a01Wa.wav", "03a01Fa.wav")
    (root / "03a01Wa.wav").write_bytes(b"no sound")
    with pytest.raises(FeatureError) as caught:
        extract(load_corpus("emodb", root), cache=tmp_path / "cache", progress=False)
    assert f"`ser check emodb --root '{root}'` lists all problems" in str(caught.value)


def test_commands_stay_on_one_line(tmp_path):
    wav = tmp_path / "a long name of a folder - with blanks" / "wav - and more of them"
    trees.text(wav / "03a01Wa.wav", trees.POINTER)
    trees.tone(wav / "03a01Fa.wav")
    text = command.render(check("emodb", wav.parent))
    assert f"`cd {shlex.quote(str(wav))} && git lfs install && git lfs pull`" in text


def test_counts_of_channels_rates_clipping_and_silence_are_of_one_set(tmp_path):
    names = [f"Actor_01/03-01-{e:02}-01-01-{r:02}-01.wav" for e in range(1, 9) for r in (1, 2)]
    trees.files(tmp_path, *names)
    wave = 0.1 * np.random.default_rng(0).standard_normal((8000, 2))
    wave[3000:4000] = 0
    wave[:10] = 1
    for emotion in (5, 6, 7):  # angry, fearful, disgust: one of the four classes
        soundfile.write(tmp_path / f"Actor_01/03-01-{emotion:02}-01-01-01-01.wav", wave, 48000)
    report = check("ravdess", tmp_path)
    for kind in ("channels", "sample rate", "digital silence", "clipped"):
        (text,) = said(report, kind)
        assert "3 of 16 clips, 1 of them of the four classes" in text, text
        assert next(p for p in report["problems"] if p["kind"] == kind)["count"] == 3
    assert report["channels"] == {"1": 7, "2": 1} and report["rates"] == {"16000": 7, "48000": 1}
    assert "(of the four classes)" in command.render(report)


def test_urdu_has_26_of_29_speakers_in_one_class_and_normalising_takes_it_away(tmp_path):
    trees.files(tmp_path, *(clip.name for clip in originals("urdu").clips), seconds=0.03)
    problem = next(
        p for p in check("urdu", tmp_path)["problems"] if p["kind"] == "one class a speaker"
    )
    assert problem["severity"] == "warning" and problem["count"] == 26
    assert problem["message"].startswith("26 of 29 speakers are heard in one class only")
    assert "`--normalise speaker`" in problem["message"]


@pytest.mark.parametrize("emotions", ["WFNT", "W"])
def test_speakers_of_all_classes_or_a_corpus_of_one_lose_nothing(tmp_path, emotions):
    trees.files(tmp_path, *(f"{name}.wav" for name in CLIPS if name[5] in emotions))
    assert said(check("emodb", tmp_path), "one class a speaker") == []
