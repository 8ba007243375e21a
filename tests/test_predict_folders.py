"""``ser predict`` on folders, patterns, and bad files among good ones."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import soundfile

from ser.cli import main
from ser.cli.predict import recordings
from ser.errors import FeatureError
from ser.loading import load_model
from ser.prediction import predict


@pytest.fixture(scope="module")
def model(kept):
    return str(kept("mfcc-lstm"))


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Recordings at several depths, in a folder whose name is a pattern; and what is none."""
    wave = np.random.default_rng(0).normal(scale=0.1, size=16000)
    for name in ("a.wav", "B.WAV", "sub dir/ä.flac", "sub dir/deep/c[1].ogg", "my [old]/d.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        kind = name.split(".")[1].upper()
        soundfile.write(tmp_path / name, wave, 16000, format=kind)
    (tmp_path / "notes.txt").write_text("no sound")
    (tmp_path / ".hidden.wav").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def meant(*names):
    return [name.replace(os.sep, "/") for name in recordings(list(names))[0]]


def test_a_folder_is_all_recordings_below_it(tree):
    whole = ["B.WAV", "a.wav", "my [old]/d.wav", "sub dir/deep/c[1].ogg", "sub dir/ä.flac"]
    assert meant(".") == whole
    assert meant("sub dir") == whole[3:] and meant("sub dir/") == whole[3:]
    assert meant(str(tree / "sub dir"))[0].endswith("/sub dir/deep/c[1].ogg")


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("*.wav", ["a.wav"]),
        ("?.wav", ["a.wav"]),
        ("[ab].wav", ["a.wav"]),
        ("*/*.flac", ["sub dir/ä.flac"]),
        ("**/*.ogg", ["sub dir/deep/c[1].ogg"]),
        ("my [old]/*.wav", ["my [old]/d.wav"]),
        ("my [old]/d.wav", ["my [old]/d.wav"]),
        ("sub dir/deep/c[1].ogg", ["sub dir/deep/c[1].ogg"]),
        ("sub*", ["sub dir/deep/c[1].ogg", "sub dir/ä.flac"]),
        ("none.wav", ["none.wav"]),
    ],
)
def test_patterns_are_expanded_and_a_name_that_is_there_wins(tree, pattern, files):
    assert meant(pattern) == files
    assert meant("a.wav", pattern) == ["a.wav", *files]


def test_brackets_in_a_name_that_is_there_are_no_pattern(tree):
    shutil.copy("a.wav", "c1.wav")
    assert meant("c[1].wav") == ["c1.wav"]
    shutil.copy("a.wav", "c[1].wav")
    assert meant("c[1].wav") == ["c[1].wav"]


@pytest.mark.parametrize("stream", [[], ["--stream", "--window", "1"]])
@pytest.mark.parametrize("name", ["*.mp3", "empty", "nothing[0]", "none.wav", "notes.txt"])
def test_what_means_nothing_is_told_and_the_others_are_answered(tree, model, capsys, name, stream):
    assert main(["predict", name, "a.wav", "--checkpoint", model, *stream]) == 2
    out, err = capsys.readouterr()
    assert f"ser: {name}: " in err and "Traceback" not in err and "%" in out


def test_a_folder_is_answered_with_each_bad_file_told(tree, model, capsys):
    (tree / "broken.wav").write_bytes(b"RIFF")
    (tree / "zero.flac").touch()
    args = ["predict", ".", "*.mp3", "--checkpoint", model, "--json"]
    assert main(args) == 2
    body = json.loads(capsys.readouterr().out)
    assert len(body["predictions"]) == 5
    assert [f["path"] for f in body["failed"]] == ["*.mp3", "broken.wav", "zero.flac"]
    for path in ("broken.wav", "zero.flac"):
        os.unlink(path)
    assert main(["predict", ".", "--checkpoint", model]) == 0
    out = capsys.readouterr().out
    assert out.count("angry ") >= 5 and "c[1].ogg" in out and "trained on" in out


def test_what_does_not_fit_into_memory_is_told(tree, model, capsys, monkeypatch):
    import ser.prediction

    def full(*arguments):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(ser.prediction, "batch_of", full)
    with pytest.raises(FeatureError, match=r"a\.wav: 1 s do not fit into memory.*--stream"):
        predict("a.wav", load_model(model, "cpu"))
    assert main(["predict", "a.wav", "--checkpoint", model]) == 2
