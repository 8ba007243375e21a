"""The grid: each run once, whatever interrupts it; the same bits however it is spread."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ser.devices import resolve_device
from ser.errors import ProtocolError, RecordError, SerError, TrainingError
from ser.experiments import RunConfig, run, stored_records
from ser.experiments.record_folder import run_name
from ser.experiments.records import provenance, select
from ser.training import TrainConfig

QUICK = TrainConfig(epochs=2, batch_size=16, hidden=16)


@pytest.fixture(scope="module")
def base(tiny_root, tmp_path_factory) -> RunConfig:
    return RunConfig(
        root=str(tiny_root),
        models=("mfcc-lstm",),
        folds=2,
        train=QUICK,
        jobs=1,
        threads=1,
        progress=False,
        keep_models=False,
        cache=str(tmp_path_factory.mktemp("cache")),
    )


def results(records: list[dict]) -> list[tuple]:
    """What must not change from one run of a grid to the next."""
    return [(r["id"], r["selection"], r["history"], r["test"], r["fingerprint"]) for r in records]


def test_one_record_a_run_and_nothing_done_twice(base, tmp_path):
    config = replace(base, models=("mfcc-lstm", "majority"), seeds=(0, 1), out=tmp_path)
    records = run(config)
    file = tmp_path / "records.parquet"
    assert len(stored_records(tmp_path)) == len(records) == 2 * 2 + 2
    written = file.stat().st_mtime_ns
    assert results(run(config)) == results(records)
    assert file.stat().st_mtime_ns == written
    assert {p.name for p in tmp_path.iterdir()} == {"records.parquet", "work"}
    assert not list((tmp_path / "work").glob("*.safetensors"))
    for record in records:
        assert record["corpus"]["name"] == "synthetic"
        assert record["protocol"]["leak"]["speakers"] == 0
        assert record["protocol"]["leak"]["texts"] == 3
        assert len(record["selection"]["last"]["logits"]) == len(record["test"]["labels"])
    tested = [u for r in records if r["model"] == "majority" for u in r["test"]["utterances"]]
    assert len(tested) == len(set(tested)) == 48


def test_the_same_grid_twice_gives_the_same_records_and_jobs_change_no_bit(base):
    once = run(replace(base, models=("mfcc-lstm", "egemaps-lr")))
    again = run(replace(base, models=("mfcc-lstm", "egemaps-lr"), jobs=2))
    assert results(once) == results(again)


def test_records_of_other_settings_are_not_mixed(base, tmp_path):
    run(replace(base, out=tmp_path, models=("majority", "mfcc-lstm")))
    with pytest.raises(RecordError, match="other settings"):
        run(replace(base, out=tmp_path, train=TrainConfig(epochs=3, batch_size=16, hidden=16)))


def test_a_fused_row_is_its_branches_and_equals_joint_training(base, tmp_path):
    config = replace(base, models=("dual",), out=tmp_path)
    fused = run(config)
    stored = stored_records(tmp_path)
    assert {row for row, _ in stored} == {"mfcc-lstm", "ds-lstm", "dual"}
    for record in fused:
        parts = [
            stored[b, run_name("speakers", "release", fold, 0)]
            for b in ("mfcc-lstm", "ds-lstm")
            for fold in [record["protocol"]["fold"]]
        ]
        mean = np.mean([p["selection"]["last"]["logits"] for p in parts], axis=0)
        assert np.allclose(record["selection"]["last"]["logits"], mean, atol=2e-5)
        assert record["fused_from"] == [p["id"] for p in parts]
        assert record["parameters"] == sum(p["parameters"] for p in parts)
    joint = run(replace(config, joint=True, out=None))
    for a, b in zip(fused, joint, strict=True):
        apart, together = (np.array(r["selection"]["last"]["logits"]) for r in (a, b))
        assert np.abs(apart - together).max() < 0.02 * max(1, np.abs(apart).max())
        assert a["history"][0]["loss"] == pytest.approx(b["history"][0]["loss"], abs=1e-4)


def test_a_branch_of_an_earlier_command_is_fused_with_a_new_one(base, tmp_path):
    run(replace(base, out=tmp_path, study="main"))
    fused = run(replace(base, models=("dual",), out=tmp_path, options={"--model": "dual"}))
    assert [r["fused_from"][0].split("/")[3] for r in fused] == ["mfcc-lstm"] * 2
    assert results(fused) == results(run(replace(base, models=("dual",))))
    stored = stored_records(tmp_path)
    assert len(stored) == 6 and not list(tmp_path.glob("*/*.parquet"))
    told = {row: (r["study"], r["options"]) for (row, _), r in stored.items()}
    assert told["mfcc-lstm"] == ("main", {}) and told["dual"] == ("", {"--model": "dual"})


def test_a_fused_record_names_the_command_that_fused_it(base, tmp_path):
    parts = replace(base, models=("mfcc-lstm", "ds-lstm"), out=tmp_path, command="ser run parts")
    run(parts)
    fused = run(replace(parts, models=("dual",), command="ser run dual"))
    assert {r["command"] for r in fused} == {"ser run dual"}
    assert {r["command"] for r in run(parts)} == {"ser run parts"}


def test_the_commit_of_a_copy_without_git_is_what_its_maker_says(monkeypatch):
    monkeypatch.setenv("SER_COMMIT", "0123456789ab")
    monkeypatch.setattr("ser.experiments.records._commit_of_clone", lambda: "fedcba987654-dirty")
    assert provenance()["package"]["commit"] == "fedcba987654-dirty"
    monkeypatch.setattr("ser.experiments.records._commit_of_clone", lambda: None)
    assert provenance()["package"]["commit"] == "0123456789ab"
    monkeypatch.delenv("SER_COMMIT")
    assert provenance()["package"]["commit"] is None


def test_dev_speakers_choose_an_epoch(base):
    records = run(replace(base, select=("last", "dev", "test"), protocol="loso"))
    for record in records:
        assert set(record["selection"]) == {"last", "dev", "test"}
        scores = [e["dev_ua"] for e in record["history"]]
        assert record["selection"]["dev"]["epoch"] == 1 + int(np.argmax(scores))
        assert record["protocol"]["dev"] > 0
        assert len(record["dev_labels"]) == record["protocol"]["dev"]


def test_cross_trains_here_and_tests_there(base, tmp_path):
    from ser.corpora.synthetic import make

    other = make(tmp_path / "other", 2, 2, jobs=1, progress=False)
    config = replace(base, protocol="cross", test_corpus="synthetic", test_root=str(other))
    (record,) = run(config)
    assert record["protocol"]["train"] == 48
    assert len(record["test"]["labels"]) == 16
    assert record["test_corpus"]["content_hash"] != record["corpus"]["content_hash"]
    # the smaller corpus is a part of the larger one: the leak check must say so
    assert record["protocol"]["leak"]["audio"] == 16
    with pytest.raises(ProtocolError, match="go together"):
        replace(base, protocol="cross")


def test_a_feature_pack_gives_the_same_result_as_its_corpus(base, tiny_root, tmp_path):
    from ser.corpora import load_corpus
    from ser.features import extract, save_pack

    features = extract(load_corpus("synthetic", tiny_root), cache=base.cache, progress=False)
    save_pack(features, tmp_path / "pack")
    packed = run(replace(base, features=str(tmp_path / "pack"), root=None))
    assert results(packed) == results(run(base))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_in_the_middle_the_same_command_finishes(base, tiny_root, tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "ser", "run", "--root", str(tiny_root), "--model"]
    command += [
        "mfcc-lstm",
        "--folds",
        "2",
        "--hidden",
        "16",
        "--epochs",
        "4",
        "--batch-size",
        "16",
        "--jobs",
        "1",
    ]
    command += ["--threads", "1", "--no-models", "--cache", base.cache, "--out", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("work/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert list(out.glob("work/*.safetensors")), "killed before the first epoch was saved"
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    resumed = [record for _, record in sorted(stored_records(out).items())]
    whole = run(replace(base, train=TrainConfig(epochs=4, batch_size=16, hidden=16)))
    assert results(resumed) == results(whole)
    assert "UA" in ended.stdout


@pytest.mark.parametrize("software", [True, False])
def test_a_precision_that_is_slow_here_is_told(base, tmp_path, monkeypatch, caplog, software):
    """Few processors multiply bfloat16; elsewhere it takes many times as long as float32."""
    monkeypatch.setattr("ser.nn.precision.in_software", lambda *given: software)
    train = replace(base.train, precision="bfloat16")
    with caplog.at_level("INFO"):
        run(replace(base, out=tmp_path, train=train, models=("mfcc-lstm",)))
    assert ("in software" in caplog.text) == software


def test_two_at_once_are_told(base, tmp_path):
    (tmp_path / "work").mkdir()
    with (
        FileLock(tmp_path / "work" / "lock"),
        pytest.raises(RecordError, match="another 'ser run'"),
    ):
        run(replace(base, out=tmp_path))


def test_a_diverging_run_is_told_and_the_others_are_kept(base, tmp_path):
    bad = replace(base, out=tmp_path, models=("majority", "mfcc-lstm"))
    bad = replace(
        bad, train=TrainConfig(epochs=3, batch_size=16, hidden=16, lr=1e36, optimiser="sgd")
    )
    with pytest.raises(TrainingError, match=r"synthetic/speakers/release/mfcc-lstm/1/seed0.*--lr"):
        run(bad)
    assert [row for row, _ in stored_records(tmp_path)] == ["majority"] * 2


def test_answers_that_are_not_finite_end_the_run_and_no_other(base, tmp_path, monkeypatch):
    """Loss and weights can be fine while a test recording's features are not."""
    from ser.training import loop

    train = loop.train

    def broken(*args, **more):
        outcome = train(*args, **more)
        outcome.test_logits[-1, 0, 0] = np.nan
        return outcome

    monkeypatch.setattr(loop, "train", broken)
    few = TrainConfig(epochs=1, batch_size=16, hidden=4)
    bad = replace(base, out=tmp_path, models=("majority", "mfcc-lstm"), train=few, jobs=1)
    with pytest.raises(TrainingError, match=r"mfcc-lstm/1/seed0.*not finite.*ser check"):
        run(bad)
    assert [row for row, _ in stored_records(tmp_path)] == ["majority"] * 2
    assert not list(tmp_path.glob("models/mfcc-lstm/*"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"jobs": -1}, "--jobs -1"),
        ({"threads": -2}, "--threads -2"),
        ({"split_seed": -1}, "--split-seed -1"),
        ({"threads": 100000}, "--threads 100000: at most"),
        ({"jobs": 100000}, "--jobs 100000: at most"),
        ({"select": ("dev",), "dev": 0}, "--dev 0 holds none out"),
        ({"select": ("last", "dev"), "dev": 1.0}, "--dev 1 holds none out"),
        ({"test_root": "tiny"}, "--test-corpus"),
    ],
)
def test_options_that_would_do_nothing_or_break_are_refused(base, options, said):
    with pytest.raises(SerError, match=said):
        replace(base, **options)


@pytest.mark.parametrize("device", ["mps", "meta", "cuda:99"])
def test_only_processors_and_nvidias_gpus(device):
    with pytest.raises(SerError, match=device):
        resolve_device(device)


def test_a_full_disk_leaves_the_old_record(base, tmp_path, monkeypatch):
    run(replace(base, out=tmp_path))
    before = (tmp_path / "records.parquet").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ser.paths.os.fsync", full)
    with pytest.raises(TrainingError, match=r"the disk is full: .*safetensors cannot be written"):
        run(replace(base, out=tmp_path, seeds=(0, 1)))
    monkeypatch.undo()
    assert (tmp_path / "records.parquet").read_bytes() == before


def test_selection_takes_the_first_best_epoch():
    history = [
        {"epoch": e, "test_ua": u, "dev_ua": None} for e, u in ((1, 0.2), (2, 0.8), (3, 0.8))
    ]
    logits = np.arange(3)[:, None, None] * np.ones((3, 2, 4))
    chosen = select(history, logits, ("last", "dev", "test"))
    assert (chosen["last"]["epoch"], chosen["test"]["epoch"]) == (3, 2)
    assert chosen["test"]["logits"][0][0] == 1.0
    assert "dev" not in chosen


def test_names_of_runs_are_safe_file_names():
    names = {run_name("loso", "release", s, 0) for s in ("a/b", "a_b", "Müller", "a b")}
    assert len(names) == 4
    assert all(Path(n).name == n for n in names)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ("dual-lstm",)}, "dual"),
        ({"select": ("best",)}, "unknown selection best"),
        ({"device": "warp"}, "unknown device"),
        ({"features": "/nowhere/pack"}, "pack"),
        ({"split_seed": 2**32}, "0 to 2147483647, not 4294967296"),
    ],
)
def test_wrong_settings_are_told(base, change, message):
    with pytest.raises(SerError, match=message):
        run(replace(base, **change))
