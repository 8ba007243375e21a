"""Records made small: what they tell stays, and what no longer works says so."""

from __future__ import annotations

import json
import os
import re
import stat

import numpy as np
import pytest
from chapters.confusion.calibration import dev_fit
from records_maker import record, write
from test_report_calibration import EPOCHS, FOLDS, network

from ser.errors import RecordError
from ser.experiments.compact import coded, plain, thinned, unpack_logits
from ser.experiments.records import fuse_records, read_record, write_record
from ser.paths import atomic_write
from ser.report import load_records, make_report
from tools.thin import main

BRANCHES = ("mfcc-lstm", "ds-lstm")


def test_a_written_record_says_each_sentence_once_and_is_read_as_it_was(tmp_path):
    data, path = record(), tmp_path / "r-seed0.json"
    write_record(path, data)
    written = json.loads(path.read_text())
    assert written["schema"] == 4
    assert written["test"]["speakers"]["values"] == ["S00"]
    assert written["test"]["texts"]["values"] == sorted(set(data["test"]["texts"]))
    assert path.read_text().count("female") == written["test"]["genders"]["values"].count("female")
    assert read_record(path) == data | {"schema": 4}
    (read,) = load_records(tmp_path)
    assert read.data["test"] == data["test"]


def test_records_of_the_first_schema_and_of_both_are_one_run(tmp_path):
    old = write(tmp_path / "old", record())
    assert json.loads(old.read_text())["schema"] == 1
    write_record(tmp_path / "new" / old.name, read_record(old))
    assert len(load_records([tmp_path / "old", tmp_path / "new"])) == 1


def test_logits_of_one_epoch_are_stored_once(tmp_path):
    data, path = record(selections=("last", "dev", "test")), tmp_path / "r-seed0.json"
    chosen = data["selection"]
    chosen["test"] = dict(chosen["last"])
    assert chosen["dev"]["logits"] != chosen["last"]["logits"]
    write_record(path, data)
    written = json.loads(path.read_text())["selection"]
    assert written["test"]["logits"] == "last" and isinstance(written["dev"]["logits"], list)
    assert read_record(path)["selection"] == data["selection"]
    (read,) = load_records(tmp_path)
    assert np.array_equal(read.logits["test"], read.logits["last"])


@pytest.mark.parametrize("name", ["dev", "nowhere", ""])
def test_logits_of_a_selection_that_is_not_there_are_a_damaged_record(tmp_path, name):
    data = coded(record(selections=("last", "dev")))
    data["selection"]["dev"]["logits"] = name
    path = write(tmp_path, data | {"schema": 3})
    for read in (lambda: read_record(path), lambda: load_records(tmp_path)):
        with pytest.raises(RecordError, match=r"damaged.*which is not before it"):
            read()


@pytest.mark.parametrize("code", [-1, 99, 0.5, True, "0", None])
def test_a_code_that_stands_for_nothing_is_a_damaged_record(tmp_path, code):
    data = coded(record())
    data["test"]["texts"]["codes"][3] = code
    with pytest.raises(ValueError, match="stands for none of"):
        plain(data)
    path = write(tmp_path, data)
    for read in (lambda: read_record(path), lambda: load_records(tmp_path)):
        with pytest.raises(RecordError, match=rf"{path.name}.*damaged"):
            read()


def test_fewer_codes_than_utterances_are_a_damaged_record(tmp_path):
    data = coded(record())
    data["test"]["texts"]["codes"].pop()
    path = write(tmp_path, data)
    for read in (lambda: read_record(path), lambda: load_records(tmp_path)):
        with pytest.raises(RecordError, match=r"damaged.*texts for \d+ utterances"):
            read()


def test_a_thinned_record_keeps_its_chosen_epochs_alone():
    runs = [network("ds-lstm", fold, 0) for fold in FOLDS]
    chosen, data = max(
        (({s["epoch"] for s in run["selection"].values()}, run) for run in runs),
        key=lambda pair: len(pair[0]),
    )
    small = thinned(data)
    assert 1 < len(chosen) < EPOCHS
    assert {k: v for k, v in small.items() if k != "epoch_logits"} == {
        k: v for k, v in data.items() if k != "epoch_logits"
    }
    for side in ("test", "dev"):
        before, after = (unpack_logits(d["epoch_logits"][side]) for d in (data, small))
        for epoch in range(1, EPOCHS + 1):
            if epoch in chosen:
                np.testing.assert_array_equal(after[epoch - 1], before[epoch - 1])
            else:
                assert np.isnan(after[epoch - 1]).all()
    assert len(json.dumps(small)) < len(json.dumps(data))
    baseline = record("egemaps-lr")
    assert thinned(baseline) == baseline
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
    path = tmp_path / "work" / "x-seed0.json"
    path.parent.mkdir()
    path.write_text("not for us")
    before = [dev_fit(make_report(tmp_path, resamples=20), "ds-lstm", s) for s in ("last", "dev")]
    size = sum(p.stat().st_size for p in tmp_path.glob("ds-lstm/*"))
    assert main(["--chosen", str(tmp_path)]) == 0
    assert f"{len(FOLDS)} records" in capsys.readouterr().out
    assert sum(p.stat().st_size for p in tmp_path.glob("ds-lstm/*")) < size
    after = [dev_fit(make_report(tmp_path, resamples=20), "ds-lstm", s) for s in ("last", "dev")]
    for one, two in zip(before, after, strict=True):
        assert one.temperatures.equals(two.temperatures)
        np.testing.assert_array_equal(one.after, two.after)
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_branches_that_a_fused_row_needs_are_left_whole(tmp_path):
    for fold in FOLDS:
        parts = [network(m, fold, 0) for m in BRANCHES]
        for data in (*parts, fuse_records("dual", parts, {"fold": fold}), network("pair", fold, 0)):
            write(tmp_path, data)
    before = {p: read_record(p) for p in tmp_path.glob("*/*.json")}
    assert main(["--chosen", str(tmp_path)]) == 0
    kept = {p.parent.name for p, data in before.items() if read_record(p)["selection"] and
            read_record(p).get("epoch_logits") == data.get("epoch_logits")}  # fmt: skip
    assert {"mfcc-lstm", "ds-lstm", "dual"} <= kept
    assert any(
        read_record(p)["epoch_logits"] != before[p]["epoch_logits"]
        for p in (tmp_path / "pair").glob("*.json")
    )
    for rule in ("last", "dev", "test"):
        dev_fit(make_report(tmp_path, resamples=20), "dual", rule)


@pytest.mark.parametrize("rule", ["dev", "test"])
def test_rows_are_fused_without_the_last_epoch_too(rule):
    parts = [network(m, FOLDS[0], 0) for m in BRANCHES]
    for data in parts:
        data["selection"] = {rule: data["selection"][rule]}
    fused = fuse_records("dual", parts, {})
    assert list(fused["selection"]) == [rule]
    values = np.array(fused["selection"][rule]["logits"])
    index = fused["selection"][rule]["epoch"] - 1
    means = np.mean([unpack_logits(p["epoch_logits"]["test"])[index] for p in parts], axis=0)
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
