"""Options of the command that cannot be, or that nothing asked for would take."""

from __future__ import annotations

import argparse
from dataclasses import fields

import pytest

from ser.cli.run import configure
from ser.errors import TrainingError
from ser.training import TrainConfig
from ser.training.ranges import RANGES


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


def test_help_says_every_range_that_a_message_says():
    settings = {field.name for field in fields(TrainConfig)} - {"milestones", "normalise"}
    assert settings == RANGES.keys()
    parser = argparse.ArgumentParser()
    configure(parser)
    for action in parser._actions:
        if action.dest in RANGES:
            assert action.choices or action.help.endswith(f"[{RANGES[action.dest]}]")
