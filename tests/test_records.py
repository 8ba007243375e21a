"""Records made small: what they tell stays, and what no longer works says so."""

from __future__ import annotations

import json
import os
import re
import stat

import numpy as np
import pandas as pd
import pytest
from chapters.confusion.calibration import dev_fit
from records_maker import folded, make_results, read, record, restated, write
from test_report_calibration import EPOCHS, FOLDS, network

from ser.errors import RecordError
from ser.experiments.record_folder import locked, name_of, record_path, stored_records
from ser.experiments.record_table import _flat, write_table
from ser.experiments.records import fuse_records
from ser.paths import atomic_write
from ser.report import load_records, make_report
from tools.thin import main, thinned

BRANCHES = ("mfcc-lstm", "ds-lstm")


def same(one: dict, other: dict) -> bool:
    """Whether two records say the same; what is null or empty is as what is not there."""
    one, other = ({k: v for k, v in _flat(r) if np.size(v)} for r in (one, other))
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k]) for k in one)


def kinds() -> list[dict]:
    """Records of every kind: networks, fused, baselines, other corpora, odd settings."""
    found = []
    for name in FOLDS:
        parts = [network(m, name, 0) for m in BRANCHES]
        found += [*parts, fuse_records("dual", parts, {"fold": name})]
    tuned = record("egemaps-lr", seed=1)
    tuned["tuning"] = {"inner": "3 folds by speaker", "chosen": {"C": 0.1, "class_weight": None}}
    tuned["tuning"]["scores"] = [{"C": 0.1, "class_weight": None, "ua": 0.5},
                                 {"C": 1.0, "class_weight": "balanced", "ua": 0.25}]  # fmt: skip
    plain = record("egemaps-svm", seed=1)
    plain["tuning"] = {"inner": "no inner folds possible", "chosen": {}, "scores": []}
    odd = record("cnn-lstm-pair", preset="paper", protocol="cross", test_corpus="nemo")
    odd["config"] |= {"speed": [0.9, 1.1], "permute": 3, "level": 6.5, "joint": False}
    odd["command"] = None
    far = record("concat-lstm")
    far["selection"]["last"]["logits"][0] = [-1e4, 123456.78912, 1 / 3, 0.0]
    none = record("majority")
    none["test"]["genders"] = [None] * len(none["test"]["labels"])
    del none["test"]["texts"]
    return [*found, tuned, plain, odd, restated(far), none]


def test_records_of_every_kind_come_into_one_file_without_loss(tmp_path):
    out, before = tmp_path / "out", kinds()
    for data in before:
        path = record_path(out, data["model"], name_of(data))
        write_table(path, [data])
        assert same(data, read(path))
    before = [read(path) for path in out.rglob("*.parquet")]
    reports = [make_report(out / part, resamples=20).to_json() for part in ("dual", "egemaps-lr")]
    texts = {r.model + r.name: (r.group, r.logits, r.epoch_logits) for r in load_records(out)}
    file = folded(out)
    assert [p.name for p in out.iterdir() if p.name != "work"] == [file.name]
    after = stored_records(out)
    assert len(after) == len(before)
    for data in before:
        again = after[data["model"], name_of(data)]
        assert same(data, again)
        assert again["history"] == data["history"] and again["config"] == data["config"]
        assert again["selection"] == data["selection"] and again["test"] == {
            k: v for k, v in data["test"].items() if v is not None
        }
        assert again.get("tuning") == data.get("tuning") and again["options"] == data["options"]
    for each in load_records(out):
        group, logits, epochs = texts[each.model + each.name]
        assert each.group[:4] == group[:4] and set(each.logits) == set(logits)
        assert set(each.epoch_logits) == set(epochs)
    rows = {r.model: r for r in make_report(out, resamples=20).rows if r.selection == "last"}
    assert json.loads(reports[0])["rows"][0]["ua"] == rows["dual"].ua.mean()
    assert len(pd.read_parquet(file)) == len(before)


def test_a_file_of_records_is_read_with_pandas_in_two_lines(tmp_path):
    make_results(tmp_path, {"dual": 2.0}, speakers=3)
    runs = pd.read_parquet(folded(tmp_path))
    first = runs.iloc[0]
    assert list(runs.model.unique()) == ["dual"] and runs["protocol.fold"].nunique() == 3
    logits = np.stack(runs["selection.last.logits"].iloc[0]).reshape(-1, 4)
    assert len(logits) == len(first["test.labels"]) == len(first["test.utterances"])
    assert logits.dtype == np.float32


def test_a_run_more_is_added_and_a_kill_between_loses_nothing(tmp_path, monkeypatch):
    make_results(tmp_path, {"dual": 2.0}, speakers=3)
    file = folded(tmp_path)
    write(tmp_path, record("dual", "S00", 7))
    assert len(load_records(tmp_path)) == 4, "a reader takes both"
    monkeypatch.setattr("pathlib.Path.unlink", lambda *_, **more: (_ for _ in ()).throw(OSError()))
    with pytest.raises(OSError):  # the one file is there, and the small one still
        folded(tmp_path)
    monkeypatch.undo()
    assert len(load_records(tmp_path)) == 4 and len(stored_records(tmp_path)) == 4
    assert folded(tmp_path) == file and not list(tmp_path.glob("dual/*"))
    assert len(load_records(tmp_path)) == 4
    other = record("dual", "S00", 7, skill=9.0)
    write(tmp_path, other)
    with pytest.raises(RecordError, match=r"two outcomes.*delete .*S00-seed7\.parquet"):
        folded(tmp_path)
    with pytest.raises(RecordError, match="two outcomes"):
        load_records(tmp_path)


def test_two_that_write_into_one_folder_lose_nothing_of_each_other(tmp_path):
    make_results(tmp_path, {"dual": 2.0}, speakers=2)
    with locked(tmp_path), pytest.raises(RecordError, match="another 'ser run'"):
        folded(tmp_path)
    folded(tmp_path)
    write(tmp_path, record("dual", "S00", 5))
    write(tmp_path, record("ds-lstm", "S00", 6))
    assert len(stored_records(tmp_path)) == 4
    folded(tmp_path)
    assert {r.seed for r in load_records(tmp_path)} == {0, 5, 6}


def test_logits_of_one_epoch_are_stored_once(tmp_path):
    data = record(selections=("last", "dev", "test"))
    chosen = data["selection"]
    chosen["test"] = dict(chosen["last"])
    assert chosen["dev"]["logits"] != chosen["last"]["logits"]
    data = read(write(tmp_path, data))
    runs = pd.read_parquet(folded(tmp_path))
    assert "selection.test.logits" not in runs and "selection.dev.logits" in runs
    assert runs["selection.test.epoch"].iloc[0] == runs["selection.last.epoch"].iloc[0]
    (again,) = stored_records(tmp_path).values()
    assert again["selection"] == data["selection"]


def test_a_thinned_record_keeps_its_chosen_epochs_alone():
    runs = [network("ds-lstm", fold, 0) for fold in FOLDS]
    chosen, data = max(
        (({s["epoch"] for s in run["selection"].values()}, run) for run in runs),
        key=lambda pair: len(pair[0]),
    )
    small = thinned(data)
    assert 1 < len(chosen) < EPOCHS
    light = [{k: v for k, v in d.items() if k != "epoch_logits"} for d in (small, data)]
    assert light[0] == light[1]
    for side in ("test", "dev"):
        before, after = (d["epoch_logits"][side] for d in (data, small))
        for epoch in range(1, EPOCHS + 1):
            if epoch in chosen:
                np.testing.assert_array_equal(after[epoch - 1], before[epoch - 1])
            else:
                assert np.isnan(after[epoch - 1]).all()
    baseline = record("egemaps-lr")
    assert thinned(baseline) == baseline
    assert thinned(data | {"dev_labels": []}) == light[1] | {"dev_labels": []}
    data["selection"]["last"]["epoch"] = EPOCHS + 1
    with pytest.raises(RecordError, match="not in its history"):
        thinned(data)


def test_a_thinned_branch_is_not_fused_and_says_why():
    parts = [network(m, FOLDS[0], 0) for m in BRANCHES]
    fuse_records("dual", parts, {})
    with pytest.raises(RecordError, match=r"chosen epochs alone.*run the row again"):
        fuse_records("dual", [parts[0], thinned(parts[1])], {})


def test_the_tool_thins_a_folder_and_changes_no_temperature(tmp_path, capsys):
    for fold in FOLDS:
        write(tmp_path, network("ds-lstm", fold, 0))
    path = tmp_path / "work" / "x-seed0.parquet"
    path.parent.mkdir()
    path.write_text("not for us")
    before = [dev_fit(make_report(tmp_path, resamples=20), "ds-lstm", s) for s in ("last", "dev")]
    size = folded(tmp_path).stat().st_size
    assert main(["--chosen", "--study", "main", str(tmp_path)]) == 0
    assert f"{len(FOLDS)} records" in capsys.readouterr().out
    assert (tmp_path / "records.parquet").stat().st_size < size
    assert {r.data["study"] for r in load_records(tmp_path)} == {"main"}
    after = [dev_fit(make_report(tmp_path, resamples=20), "ds-lstm", s) for s in ("last", "dev")]
    for one, two in zip(before, after, strict=True):
        assert one.temperatures.equals(two.temperatures)
        np.testing.assert_array_equal(one.after, two.after)
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_branches_keep_the_epochs_that_a_row_fused_from_them_chose(tmp_path):
    for fold in FOLDS:
        parts = [network(m, fold, 0) for m in BRANCHES]
        dual = fuse_records("dual", parts, {"fold": fold})
        for data in parts:
            data["selection"] = {"last": data["selection"]["last"]}
        for data in (*parts, dual):
            write(tmp_path, data)
    rules, before = ("last", "dev", "test"), stored_records(tmp_path)
    fits = [dev_fit(make_report(tmp_path, resamples=20), "dual", rule) for rule in rules]
    assert main(["--chosen", str(tmp_path)]) == 0
    after, foreign = stored_records(tmp_path), 0
    for key, data in after.items():
        if key[0] == "dual":
            assert same(before[key], data)
            continue
        own, joint = (
            {s["epoch"] for s in r["selection"].values()} for r in (data, after["dual", *key[1:]])
        )
        foreign += len(joint - own)
        kept = {e for e, z in enumerate(data["epoch_logits"]["dev"], 1) if np.isfinite(z).all()}
        assert kept == own | joint
    assert foreign and len(kept) < EPOCHS
    for rule, fit in zip(rules, fits, strict=True):
        again = dev_fit(make_report(tmp_path, resamples=20), "dual", rule)
        assert again.temperatures.equals(fit.temperatures)


@pytest.mark.parametrize("rule", ["dev", "test"])
def test_rows_are_fused_without_the_last_epoch_too(rule):
    parts = [network(m, FOLDS[0], 0) for m in BRANCHES]
    for data in parts:
        data["selection"] = {rule: data["selection"][rule]}
    fused = fuse_records("dual", parts, {})
    assert list(fused["selection"]) == [rule]
    values = np.array(fused["selection"][rule]["logits"])
    index = fused["selection"][rule]["epoch"] - 1
    means = np.mean([p["epoch_logits"]["test"][index] for p in parts], axis=0)
    np.testing.assert_allclose(values, means, atol=1e-4)


def test_a_device_is_written_to_and_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_text("old")
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("no links here")
    with atomic_write(link, "w") as stream:
        stream.write("new")
    assert link.is_symlink() and real.read_text() == "new"
    with (
        pytest.raises(IsADirectoryError, match=re.escape(str(tmp_path))),
        atomic_write(tmp_path, "w"),
    ):
        pass
    if os.name == "posix":
        with atomic_write("/dev/null", "w") as stream:
            stream.write("nothing")
        assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
