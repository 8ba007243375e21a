"""What a finished run keeps, what stands in its way, and what may change beside it."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from ser.cli import main
from ser.errors import RecordError
from ser.experiments import RunConfig, fuse_records, run, stored_records
from ser.training import TrainConfig


@pytest.fixture
def config(tiny_root, tmp_path) -> RunConfig:
    train = TrainConfig(epochs=1, batch_size=16, hidden=4)
    return RunConfig(
        root=str(tiny_root), models=("dual",), folds=2, train=train, jobs=1, threads=1,
        progress=False, cache=str(tmp_path / "cache"), out=tmp_path / "out",
    )  # fmt: skip


def test_networks_that_were_not_kept_are_told_with_the_way_out(config, caplog):
    caplog.set_level(logging.INFO, "ser")
    run(replace(config, keep_models=False))
    assert "left no trained network" not in caplog.text
    run(config)
    told = caplog.text
    assert "6 runs done before left no trained network (the first: mfcc-lstm/" in told
    (config.out / "records.parquet").unlink()  # the way out that it tells
    caplog.clear()
    run(config)
    run(config)
    assert "left no trained network" not in caplog.text
    assert len(list(config.out.glob("models/dual/*/model.json"))) == 2


def parts(config) -> list[dict]:
    run(replace(config, keep_models=False))
    stored = stored_records(config.out)
    return [stored[row, "speakers-release-1-seed0"] for row in ("ds-lstm", "mfcc-lstm")]


def test_genders_that_became_known_between_two_runs_do_not_hinder_fusion(config):
    first, second = parts(config)
    second["test"]["genders"] = ["female"] * len(second["test"]["labels"])
    fused = fuse_records("dual", [first, second], {})
    assert fused["test"] == first["test"]
    second["test"]["speakers"] = second["test"]["speakers"][::-1]
    with pytest.raises(RecordError, match="tested on different utterances"):
        fuse_records("dual", [first, second], {})


def test_a_branch_without_the_logits_of_its_epochs_is_named(config):
    first, second = parts(config)
    del second["epoch_logits"]
    with pytest.raises(RecordError, match=f"{second['id']}.*epoch_logits"):
        fuse_records("dual", [first, second], {})


def test_a_dry_run_tells_what_the_run_would_find(config, tiny_root, capsys, tmp_path):
    run(replace(config, models=("majority", "mfcc-lstm"), keep_models=False))
    args = ["run", "--root", str(tiny_root), "--model", "majority,mfcc-lstm", "--folds", "2",
            "--batch-size", "16", "--hidden", "4", "--cache", config.cache, "--dry-run", "--quiet",
            "--out", str(config.out)]  # fmt: skip
    assert main([*args[:-1], str(tmp_path / "none"), "--epochs", "1"]) == 0
    assert capsys.readouterr().out.count("  to do ") == 4
    assert not (tmp_path / "none").exists()
    assert main([*args, "--epochs", "1"]) == 0
    assert capsys.readouterr().out.count("  done ") == 4
    assert main([*args, "--epochs", "2"]) == 2
    printed = capsys.readouterr()
    assert printed.out.count("  done ") == 2 and printed.out.count("  other ") == 2
    assert "a run with other settings" in printed.err
