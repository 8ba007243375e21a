"""The study's time: measured by the package's own loop, summed up, told as what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from chapters.training.study_time import (
    ALL,
    combined,
    epoch_table,
    load_study_times,
    totals,
)

from benchmarks import study
from ser.errors import SerError

SMALL = ["--device", "cpu", "--utterances", "10", "--hidden", "4", "--batch", "4"]


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> dict:
    """As the command leaves it, of one small network."""
    path = tmp_path_factory.mktemp("mit Umlaut ä") / "new" / "study.json"
    command = [*SMALL, "--models", "mfcc-lstm", "--epochs", "2", "--commit", "abc"]
    assert study.main([*command, "--out", str(path)]) == 0
    assert load_study_times(path.parent) == [json.loads(path.read_text(encoding="utf-8"))]
    return load_study_times(path.parent)[0]


@pytest.fixture
def made() -> dict:
    """As if measured: 1 s an epoch of the one, 2 s of the other, a start of 10 s and of 0 s."""
    rows = {
        "mfcc-lstm": {"epochs": [10.0, 2.0, 1.0, 1.0], "fold_epochs": [0.9, 0.9, 0.9, 0.9]},
        "ds-lstm": {"epochs": [2.0, 2.0, 2.0, 2.0], "fold_epochs": [2.8, 1.8, 1.8, 1.8]},
    }
    return {
        "kind": "study-time",
        "device": {"name": "A GPU", "type": "cuda"},
        "settings": {"folds": 5, "study_epochs": 50},
        "goals": {"epoch_seconds": 2.0, "study_seconds": 600.0},
        "fused": {"dual": ["mfcc-lstm", "ds-lstm"], "other": ["mfcc-lstm", "absent"]},
        "rows": {name: {**row, "utterances": 5531} for name, row in rows.items()},
    }


def test_record_says_what_was_measured(record):
    row = record["rows"]["mfcc-lstm"]
    assert len(row["epochs"]) == len(row["fold_epochs"]) == 3
    assert min(row["epochs"]) > 0
    assert (row["utterances"], row["fold_train"], row["fold_test"]) == (10, 8, 2)
    assert "not run whole" in record["how"]
    assert record["command"].startswith("python -m benchmarks.study --device cpu")
    assert record["package"]["commit"] == "abc"
    assert record["tf32"] == {"cudnn": True, "matmul": False}
    assert record["goals"] == {"epoch_seconds": 2.0, "study_seconds": 600.0}
    assert record["fused"]["dual"] == ["mfcc-lstm", "ds-lstm"]


def test_a_fold_trains_on_its_part_and_tests_the_rest(monkeypatch):
    seen = {}

    def train(model, config, data, test=None, **more):
        seen[test is None] = (data, test, config)
        for _ in range(config.epochs):
            more["on_epoch"]({})

    monkeypatch.setattr(study, "train", train)
    args = study.parser().parse_args([*SMALL, "--precision", "bfloat16", "--batches", "similar"])
    features = study.RandomFeatures(study.Plan(), [0.1] * study.RandomFeatures.DISTINCT)
    study.measure("mfcc-lstm", args, "cpu", features)
    data, test, config = seen[False]
    assert len(data) == 8 and len(test) == 2
    whole = seen[True][0]
    assert len(whole) == 10 and seen[True][1] is None
    assert config.precision == "bfloat16" and config.batch_size == 4
    assert config.batches == "similar" and len(data.lengths) == 8 and len(test.lengths) == 2
    assert data.lengths[3] == whole.lengths[3] and test.lengths[1] == whole.lengths[9]
    assert np.array_equal(test.batch([1]).mfcc, whole.batch([9]).mfcc)


def test_utterances_last_as_long_as_speech():
    lengths = study.durations(study.RandomFeatures.DISTINCT)
    assert np.mean(lengths) == pytest.approx(study.MEAN_SECONDS, rel=0.03)
    assert lengths == sorted(lengths)
    assert max(lengths) > 3 * np.mean(lengths)
    features = study.RandomFeatures(study.Plan(), lengths)
    assert len(features.mfcc(63)) == round(100 * lengths[63])


def test_the_study_is_the_sum_of_its_epochs(made):
    table = totals(made)
    assert table.loc["mfcc-lstm"].tolist() == pytest.approx([1, 0.9, 10, 10 + 5 * 50 * 0.9])
    assert table.loc["ds-lstm"].tolist() == pytest.approx([2, 1.8, 0, 5 * (1 + 50 * 1.8)])
    assert table.loc["dual", "epoch"] == pytest.approx(3)
    assert np.isnan(table.loc["dual", "study"])
    assert "other" not in table.index
    assert table.loc[ALL, "study"] == pytest.approx(10 + 225 + 455)


def test_folds_at_once_take_as_long_as_the_slowest_and_as_many_rounds(made):
    made["settings"] |= {"batches": "similar", "together": 2}
    two = [[3.0, 1.2, 1.0, 1.2], [2.0, 1.0, 1.3, 1.2]]
    made["rows"]["mfcc-lstm"]["together_epochs"] = two
    study_seconds = totals(made).loc["mfcc-lstm", "study"]
    assert study_seconds == pytest.approx(10 + 3 * ((3 + 1.2 - 2.5) + 50 * 1.25))


def test_a_measurement_that_ended_is_finished_by_another(made):
    """The newest measurement of each network; other settings stay apart."""
    first, second, other = (json.loads(json.dumps(made)) for _ in range(3))
    del first["rows"]["ds-lstm"]
    first |= {"started": "2026-01-02", "package": {"commit": "bbb"}}
    first["settings"] |= {"models": ["mfcc-lstm", "ds-lstm"], "epochs": 3}
    second |= {"started": "2026-01-01", "package": {"commit": "aaa"}}
    second["settings"] |= {"models": ["mfcc-lstm", "ds-lstm"], "epochs": 2}
    second["rows"]["mfcc-lstm"] = {**second["rows"]["mfcc-lstm"], "epochs": [9.0, 9.0, 9.0]}
    other["settings"]["batches"] = "similar"
    elsewhere = {**json.loads(json.dumps(second)), "device": {"name": "A GPU", "threads": 2}}
    first["command"], second["command"] = "the second time", "the first time"
    first["note"], second["note"] = "in the evening", "shared machine"
    whole, apart, third = combined([first, second, other, elsewhere])
    assert whole["commands"] == ["the first time", "the second time"] != third["commands"]
    assert whole["note"] == "shared machine; in the evening" and third["device"]["threads"] == 2
    assert totals(whole).equals(totals(made).loc[totals(whole).index])
    assert whole["row_commits"] == {"mfcc-lstm": "bbb", "ds-lstm": "aaa"}
    assert apart["settings"]["batches"] == "similar"


def test_one_measured_epoch_is_better_than_none(made):
    made["rows"]["mfcc-lstm"]["epochs"] = [5.0, 3.0]
    assert totals(made).loc["mfcc-lstm", ["epoch", "start"]].tolist() == [3, 2]


def test_folds_at_once_are_measured_in_processes_of_their_own(tmp_path):
    out = tmp_path / "r.json"
    command = [*SMALL, "--models", "mfcc-lstm", "--epochs", "1", "--together", "2"]
    assert study.main([*command, "--batches", "similar", "--out", str(out)]) == 0
    (record,) = load_study_times(tmp_path)
    times = record["rows"]["mfcc-lstm"]["together_epochs"]
    assert [len(seconds) for seconds in times] == [2, 2] and min(map(min, times)) > 0
    assert totals(record).loc["mfcc-lstm", "study"] > 0


def test_one_fold_that_fails_ends_all_and_says_why(tmp_path, capfd):
    class Barrier:
        aborted = False

        def abort(self) -> None:
            self.aborted = True

    barrier = Barrier()
    args = study.parser().parse_args([*SMALL, "--together", "2"])
    with pytest.raises(SerError, match="did you mean"):
        study.fold_in_a_process("dul", args, "cpu", 0, barrier)
    assert barrier.aborted


def test_a_table_of_epochs_has_every_device(made, tmp_path):
    cells = {}
    for batch, seconds in ((8, 90.0), (16, 70.0)):
        cell = {"model": "ds-lstm", "precision": "float32", "data": "device"}
        cells[f"ds-lstm/{batch}"] = {**cell, "epoch_seconds": seconds}
        cells[f"low/{batch}"] = {**cell, "precision": "bfloat16", "epoch_seconds": 1.0}
    cells["dual/8"] = {"error": "out of memory"}
    device = {"name": "A CPU", "type": "cpu", "threads": 1}
    steps = {"kind": "throughput", "device": device, "cells": cells}
    made["settings"]["models"] = list(made["rows"])
    (tmp_path / "a.json").write_text(json.dumps(steps), encoding="utf-8")
    (tmp_path / "b.json").write_text(json.dumps(made), encoding="utf-8")
    (tmp_path / "c.json").write_text("{", encoding="utf-8")
    table = epoch_table(tmp_path)
    assert list(table.index) == ["A CPU, 1 thread", "A GPU"]
    assert table.loc["A CPU, 1 thread", "ds-lstm"] == 70
    assert np.isnan(table.loc["A CPU, 1 thread", "dual"])
    assert table.loc["A GPU", ["mfcc-lstm", "ds-lstm", "dual"]].tolist() == [1, 2, 3]
    assert table.loc["A GPU", "study"] == pytest.approx(690)
    made["settings"]["models"].append("cnn-lstm-s1")
    (tmp_path / "b.json").write_text(json.dumps(made), encoding="utf-8")
    assert np.isnan(epoch_table(tmp_path).loc["A GPU", "study"])


def test_wrong_options_are_said_in_words(tmp_path, capsys):
    out = ["--out", str(tmp_path / "r.json")]
    assert study.main([*SMALL, "--models", "dul", *out]) == 2
    assert "did you mean dual" in capsys.readouterr().err
    assert study.main(["--device", "tpu", *out]) == 3
    assert "no device" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["0", "-1", "two", "1.5"])
def test_numbers_below_one_are_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        study.parser().parse_args(["--together", wrong])
    assert "is not a whole number from 1" in capsys.readouterr().err
