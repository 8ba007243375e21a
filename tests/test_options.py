"""Options of the command that cannot be, or that nothing asked for would take."""

from __future__ import annotations

import argparse
import re
from dataclasses import fields

import pytest

from ser import RunConfig
from ser.cli import main
from ser.cli.run import configure
from ser.corpora.emotion_set import emotion_set
from ser.errors import CorpusError, SerError, TrainingError
from ser.experiments.choice import choose
from ser.experiments.idle import LOOKED_AT, PLAIN, check_taken
from ser.training import TrainConfig
from ser.training.config import described


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"adversarial": -1.0}, r"adversarial = -1\.0 \(0 or more\)"),
        ({"pitch_shift": 300.0}, r"pitch_shift = 300\.0 \(0 to 24\)"),
        ({"pitch_shift": 300.0, "normalise": "speaker"}, r"300\.0 \(0 to 24\)"),
        (
            {"stride": 1000, "mixup": -1.0},
            r"mixup = -1\.0 \(0 or more\), stride = 1000 \(1 to 20\)",
        ),
        ({"label_smoothing": 2.0}, r"label_smoothing = 2\.0 \(0 or more, below 1\)"),
        ({"clip_z": -1.0}, r"clip_z = -1\.0 \(0 or more\)"),
        ({"weight_decay": float("inf")}, r"weight_decay = inf \(0 or more\)"),
        ({"normalise": "enrol:0"}, "running, enrol:K, speaker, K a number from 1"),
    ],
)
def test_a_value_that_cannot_be_is_told_with_those_that_can(given, told):
    with pytest.raises(TrainingError, match=told):
        TrainConfig(**given)


def test_help_says_of_every_setting_what_its_docstring_says_and_what_it_may_be():
    parser = argparse.ArgumentParser()
    configure(parser)
    options = {action.dest: action for action in parser._actions}
    told = described()
    for setting in fields(TrainConfig):
        option, allowed = options[setting.name], setting.metadata["allowed"]
        assert option.help.replace("%%", "%").startswith(told[setting.name])
        if setting.metadata["choices"]:
            assert list(option.choices) == setting.metadata["choices"]
        else:
            assert f" [{allowed}" in option.help


def grid(*models: str, **settings) -> RunConfig:
    preset = settings.pop("preset", "release")
    joint = settings.pop("joint", False)
    return RunConfig(models=models, preset=preset, joint=joint, train=TrainConfig(**settings))


@pytest.mark.parametrize(
    ("config", "option", "taken"),
    [
        (grid("mfcc-lstm", pitch_shift=3.0), "pitch_shift", False),
        (grid("mfcc-lstm", "triple", pitch_shift=3.0), "pitch_shift", True),
        (grid("prosody-lstm+egemaps-lr", pitch_shift=3.0), "pitch_shift", True),
        (grid("cnn-lstm-s1", tempo=(0.9, 1.1)), "tempo", False),
        (grid("cnn-lstm-s1", tempo=(0.9, 1.1), frames="true"), "tempo", True),
        (grid("cnn-lstm-s1", tempo=(0.9, 1.1), preset="paper"), "tempo", True),
        (grid("mfcc-lstm", tempo=(0.9, 1.1)), "tempo", True),
        (grid("mfcc-lstm", channels=(4, 4)), "channels", False),
        (grid("cnn-lstm-s2", stride=2), "stride", False),
        (grid("egemaps-lr", "majority", clip_z=4.0), "clip_z", True),
        (grid("majority", clip_z=4.0), "clip_z", False),
        (grid("majority", normalise="enrol:3"), "normalise", True),
        (grid("majority", normalise="speaker"), "normalise", False),
        (grid("duration-lr", normalise="running"), "normalise", True),
        (grid("egemaps-lr", normalise="utterance"), "normalise", False),
        (grid("egemaps-lr", "mfcc-lstm", normalise="utterance"), "normalise", True),
        (grid("egemaps-lr+", normalise="running"), "normalise", False),
        (grid("dual+", normalise="speaker"), "normalise", True),
        (grid("mfcc-lstm", joint=True), "joint", False),
        (grid("dual", joint=True), "joint", True),
        *(
            (grid("egemaps-lr", "compare-lr", **{name: value}), name, False)
            for name, value in {
                **{"vtlp": (0.9, 1.1), "tempo": (0.9, 1.1), "adversarial": 0.1, "level": 6.0},
                **{"spec_augment": 1, "batches": "balanced", "speed": (0.9,), "mixup": 0.2},
                **{"dropout": 0.3, "ema": 0.9, "label_smoothing": 0.1, "pooling": "attention"},
            }.items()
        ),
    ],
)
def test_an_option_that_no_row_asked_for_takes_is_refused(config, option, taken):
    if taken:
        check_taken([config], [option])
        return
    with pytest.raises(SerError) as told:
        check_taken([config], [option])
    message = str(told.value)
    assert message.startswith(f"--{option.replace('_', '-')}") and "leave it out" in message
    assert all(model in message for model in config.models)


def test_the_command_refuses_it_before_any_run_and_takes_what_every_script_gives(capsys, tmp_path):
    words = ["run", "--model", "level-lr", "--out", str(tmp_path / "out"), "--dry-run"]
    assert main([*words, "--vtlp", "0.9,1.1"]) == 2
    told = capsys.readouterr().err
    assert "--vtlp 0.9,1.1 changes nothing in the rows asked for (level-lr)" in told
    assert "mfcc-lstm" in told and not (tmp_path / "out").exists()
    assert {field.name for field in fields(TrainConfig)} <= PLAIN | LOOKED_AT
    check_taken([grid("level-lr", epochs=3)], ["epochs", "batch_size"])


@pytest.mark.parametrize(
    ("shared", "text", "told"),
    [
        (["--mixup", "0.2"], '[a]\nmodel = "level-lr"\n[b]\nmodel = "majority"',
         r"--mixup 0\.2 changes nothing in the rows asked for \(level-lr, majority\)"),
        ([], '[a]\nmodel = "level-lr"\n[b]\nmodel = "level-lr"\nmixup = 0.2',
         r"\[b\]: --mixup 0\.2 changes nothing in the rows asked for \(level-lr\)"),
        (["--model", "compare-lr"], '[a]\nmodel = "level-lr"\n[b]\nmodel = "majority"',
         r"--model is that of no option.*every one has its own: add an option, or leave it out"),
        (["--epochs", "3"], '[a]\nmodel = "mfcc-lstm"\nepochs = 1\n[b]\nmodel = "mfcc-lstm"\n'
         "epochs = 2", "--epochs is that of no option"),
        ([], '[a]\nmodel = "level-lr"\n[b]\nmodel = "majority"\n[c]\nmodel = "level-lr"',
         r"a and c are the same option: leave one out"),
    ],
)  # fmt: skip
def test_a_choice_refuses_what_it_would_drop_and_what_is_there_twice(
    tmp_path, capsys, shared, text, told
):
    file = tmp_path / "options.toml"
    file.write_text(text)
    words = ["run", "--protocol", "loso", "--choose", str(file), "--out", str(tmp_path / "out")]
    assert main([*words, *shared]) == 2
    assert re.search(told, capsys.readouterr().err)


def test_fewer_inner_folds_than_asked_for_are_told_once(tiny_root, tmp_path, caplog):
    shared = {"root": str(tiny_root), "protocol": "loso", "select": ("last",), "out": tmp_path,
              "baseline_tuning": "fixed", "jobs": 1, "threads": 1, "progress": False,
              "cache": str(tmp_path / "cache")}  # fmt: skip
    two = {row: RunConfig(models=(row,), **shared) for row in ("majority", "duration-lr")}
    with caplog.at_level("INFO"):
        choose(two, inner=99)
    told = [r.getMessage() for r in caplog.records if "inner folds instead" in r.getMessage()]
    assert told == ["note: 3 inner folds instead of 99: a training side has no more speakers"]


def test_inner_folds_are_those_of_a_choice(capsys):
    assert main(["run", "--model", "level-lr", "--inner", "4"]) == 2
    assert "--inner goes with --choose" in capsys.readouterr().err


def test_emotions_are_named_and_are_two(capsys):
    for given in ("", " ", [], [""]):
        with pytest.raises(CorpusError, match="--emotions is empty: name two emotions at least"):
            emotion_set(given)
    with pytest.raises(CorpusError, match="anger and angry are one word, angry: name two"):
        emotion_set("anger,angry")
    with pytest.raises(CorpusError, match="--emotions sad: name two emotions at least"):
        emotion_set("sad")
    for command in (["run"], ["check", "synthetic"], ["corpora"]):
        assert main([*command, "--emotions", ""]) == 2
        assert "--emotions is empty" in capsys.readouterr().err


def test_a_page_is_no_folder_with_a_files_name(tmp_path, capsys):
    sound = str(tmp_path / "me.wav")
    assert main(["explain", sound, "--out", str(tmp_path / "me.txt")]) == 2
    told = capsys.readouterr().err
    assert "a name that ends in .html, or a folder" in told and not (tmp_path / "me.txt").exists()
    (tmp_path / "pages.v2").mkdir()
    main(["explain", sound, "--out", str(tmp_path / "pages.v2")])
    assert "me.wav" in capsys.readouterr().err, "a folder that is there is one whatever its name"


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_neutral_that_took_the_recording_too_is_told(command, capsys):
    out = ["--out", "me.html"] * (command == "explain")
    assert main([command, *out, "--neutral", "a.wav", "b.wav", "c.wav", "me.wav"]) == 2
    told = capsys.readouterr().err
    assert "--neutral took all 4 files" in told
    assert f"ser {command} me.wav --neutral a.wav b.wav c.wav" in told


def test_predict_without_a_recording_says_what_is_lacking(capsys):
    assert main(["predict"]) == 2
    assert "give at least one recording" in capsys.readouterr().err
