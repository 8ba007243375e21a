"""Speakers, and corpora, of one class: refused, or told beside the numbers."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from ser.cli import main
from ser.errors import ProtocolError
from ser.experiments import RunConfig, run
from ser.experiments.record_folder import record_files
from ser.normalise import one_class_speakers
from ser.protocols import split
from ser.training import TrainConfig


def manifest(folder, speakers: dict[str, str], each: int = 4) -> str:
    """A table of noises: speaker -> letters of the classes that are heard, in turn."""
    names = {"a": "angry", "h": "happy", "n": "neutral", "s": "sad"}
    rng = np.random.default_rng(0)
    with open(folder / "own.csv", "w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "emotion", "speaker"])
        for speaker, letters in speakers.items():
            for i in range(each):
                path = f"{speaker}{i}.wav"
                sf.write(folder / path, rng.normal(0, 0.1, 4000 + 400 * i), 16000)
                table.writerow([path, names[letters[i % len(letters)]], speaker])
    return str(folder / "own.csv")


def config(root: str, cache, **change) -> RunConfig:
    base = RunConfig(corpus="manifest", root=root, models=("duration-lr",), protocol="speakers",
                     folds=2, jobs=1, threads=1, progress=False, cache=str(cache))  # fmt: skip
    return replace(base, **change)


def test_the_plus_below_chance_speakers_of_one_class_are_counted_and_refused(tmp_path):
    people = {"Ada": "ahns", "Bo": "ahns", "Cy": "ahns", "Di": "sss", "Ed": "aa"}
    root = manifest(tmp_path, people)
    speaker = TrainConfig(epochs=1, batch_size=8, hidden=4, normalise="speaker")
    for change in ({"train": speaker}, {"train": speaker, "models": ("mfcc-lstm",)},
                   {"models": ("egemaps-lr+",)}, {"models": ("majority", "dual+")}):  # fmt: skip
        with pytest.raises(ProtocolError, match=r"2 of 5 speakers .* \(Di, Ed\).*--allow-one"):
            run(config(root, tmp_path / "cache", **change))
    forced = config(root, tmp_path / "cache", train=speaker, allow_one_class_speakers=True)
    assert {r["config"]["normalise"] for r in run(forced)} == {"speaker"}
    plain = run(config(root, tmp_path / "cache"))
    assert all("normalise" not in r["config"] for r in plain)
    assert plain[0]["fingerprint"] != run(forced)[0]["fingerprint"]
    assert one_class_speakers("aabab", "xxyyz") == ["x", "z"]


def test_the_refusal_is_the_commands_too_and_its_help_says_so(tmp_path, capsys):
    root = manifest(tmp_path, {"Ada": "ahns", "Bo": "ahns", "Cy": "n"})
    given = ["run", "--corpus", "manifest", "--root", root, "--model", "duration-lr", "--folds",
             "2", "--normalise", "speaker", "--quiet", "--out", str(tmp_path / "r")]  # fmt: skip
    assert main(given) == 2
    assert "1 of 3 speakers are heard in one class only" in capsys.readouterr().err
    assert main([*given, "--allow-one-class-speakers"]) == 0
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    assert "--allow-one-class-speakers" in capsys.readouterr().out


def test_one_class_is_no_task(tmp_path, capsys):
    root = manifest(tmp_path, {"Ada": "a", "Bo": "a", "Cy": "a"})
    given = ["run", "--corpus", "manifest", "--root", root, "--folds", "2", "--quiet"]
    assert main([*given, "--model", "majority", "--out", str(tmp_path / "r")]) == 2
    assert "every utterance is angry" in capsys.readouterr().err
    assert not list(record_files(tmp_path / "r"))


def test_one_class_to_be_tested_on_is_no_task_either(tiny_root):
    from ser.corpora import load_corpus

    table = load_corpus("synthetic", tiny_root).table
    with pytest.raises(ProtocolError, match="every utterance is sad"):
        split(table, "cross", test=table[table.emotion == "sad"])


def test_part_of_a_corpus_is_told_in_the_record(tmp_path):
    root = manifest(tmp_path, {"Ada": "ahn", "Bo": "ahn", "Cy": "ahn"})
    told = run(config(root, tmp_path / "cache"))[0]["corpus"]
    assert told["utterances"] == 12 and "expected" not in told
    assert told["classes"] == ["angry", "happy", "neutral"]
    assert told["missing"] == ["no utterance is sad: scores are over three classes, not four"]


def test_a_refusal_names_the_whole_command(tmp_path, capsys):
    root = manifest(tmp_path, {"Ada": "a", "Bo": "a", "Cy": "a"})
    asked = ["run", "--corpus", "manifest", "--root", root, "--model", "majority", "--folds", "2"]
    assert main([*asked, "--out", str(tmp_path / "r")]) == 2
    assert f"`ser check manifest --root {root}`" in capsys.readouterr().err
