"""No damaged record gives another report without a word: each kind of damage, by seed."""

from __future__ import annotations

import copy
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from damage import COUNT, damages
from records_maker import folded, make_results, record, restated, write
from test_report_calibration import network

import ser.experiments.record_table
import ser.report.load
from ser.cli import main
from ser.errors import RecordError
from ser.experiments.record_folder import locked, stored_records
from ser.experiments.record_schema import check_record
from ser.experiments.record_table import META, RecordFile, write_table
from ser.report import load_records, make_report


@pytest.fixture
def records(tmp_path):
    return make_results(tmp_path / "r", {"ds-lstm": 1.2}, speakers=3, each=6)


def told(folder) -> list:
    return [(r.data, {k: v.tolist() for k, v in r.logits.items()}) for r in load_records(folder)]


@pytest.mark.parametrize("one", [True, False])
def test_a_damaged_file_of_records_never_gives_another_report(records, one):
    """The one file of a folder, and that of a run which has not been taken into it."""
    path, refused = folded(records) if one else sorted(records.rglob("*.parquet"))[1], 0
    whole, right = path.read_bytes(), told(records)
    for data in damages(whole, 3 * COUNT):
        path.write_bytes(data)
        try:
            assert told(records) == right
        except RecordError as error:
            refused += 1
            assert str(path) in str(error) and ("run the same" in str(error) or "Up" in str(error))
            with pytest.raises(RecordError, match=path.name):
                RecordFile(path).whole()
    assert refused > 2.7 * COUNT, "some bytes say nothing, or what another place says too"


def test_values_that_changed_places_in_a_file_of_records_are_noticed(records, capsys):
    """Whoever edits the table, with pandas or by pyarrow, is told; so is who takes a row away."""
    path = folded(records)
    table, count = pq.read_table(path), 0
    for name in table.column_names:
        column = table[name].to_pylist()
        if column[0] == column[1]:
            continue
        column[:2] = column[1::-1]
        at = table.column_names.index(name)
        changed = table.set_column(at, table.schema.field(name), pa.array(column, table[name].type))
        pq.write_table(changed, path)
        with pytest.raises(RecordError, match=r"damaged or edited since.*digest"):
            load_records(records)
            [r.epoch_logits for r in load_records(records)]
        count += 1
    assert count > 8
    for edited in (table.slice(1), table.drop_columns(["digest"]), table.drop_columns(["seed"])):
        pq.write_table(edited, path)
        with pytest.raises(RecordError, match=rf"{path.name}.*damaged or edited"):
            load_records(records)
    pd.read_parquet(path).to_parquet(path)
    with pytest.raises(RecordError, match=r"not written by ser.*copy it again, or delete it"):
        load_records(records)
    assert main(["report", str(records)]) == 2
    assert path.name in capsys.readouterr().err


@pytest.mark.parametrize(
    "name, part, value",
    [("model", "model", None), ("labels", "test", {"labels": [0]}), ("selection", "selection", {}),
     ("NaN", "selection", {"last": {"epoch": 1, "logits": [[float("nan")] * 4] * 6}})],
)  # fmt: skip
def test_parts_that_do_not_fit_are_neither_written_nor_read(
    records, monkeypatch, capsys, name, part, value
):
    """Also where the digests are right: by whatever wrote the file."""
    path = folded(records)
    whole, made = path.read_bytes(), RecordFile(path).whole()
    made[0][part] = made[0][part] | value if isinstance(value, dict) and value else value
    with pytest.raises(RecordError, match=rf"{path.name} cannot be written.*{name}"):
        write_table(path, made)
    assert path.read_bytes() == whole
    with monkeypatch.context() as patched:
        patched.setattr(ser.experiments.record_table, "_checked", lambda record: record)
        write_table(path, made)
    assert main(["report", str(records)]) == 2
    assert name in capsys.readouterr().err


def test_a_report_made_while_a_run_ends_misses_nothing(records, monkeypatch):
    """The small files that it has listed go into the one before it has read them."""
    right, read = make_report(records, resamples=20).to_text(), ser.report.load.read_file

    def late(path):
        monkeypatch.undo()
        folded(records)
        return read(path)

    monkeypatch.setattr(ser.report.load, "read_file", late)
    assert make_report(records, resamples=20).to_text() == right
    assert not list(records.glob("*/*.parquet"))
    (records / "ds-lstm").mkdir()
    (records / "ds-lstm" / "x.parquet").symlink_to(records / "nowhere.parquet")
    with pytest.raises(RecordError, match=r"x\.parquet cannot be read"):
        load_records(records)


def test_a_file_where_a_folder_of_records_should_be(tmp_path):
    (tmp_path / "a").write_text("")
    for out in (tmp_path / "a", tmp_path / "a" / "b"):
        with (
            pytest.raises(RecordError, match="is a file, or below one: name a folder"),
            locked(out),
        ):
            pass


def test_a_file_of_a_later_version_is_told(records):
    path = folded(records)
    table = pq.read_table(path)
    meta = json.loads(table.schema.metadata[META]) | {"schema": 99}
    pq.write_table(table.replace_schema_metadata({META: json.dumps(meta)}), path)
    with pytest.raises(RecordError, match=r"schema 99.*Update ser"):
        load_records(records)


def test_damaged_epochs_are_noticed_where_they_are_used(tmp_path):
    write(tmp_path, network("ds-lstm", "S00", 0))
    path = folded(tmp_path)
    table = pq.read_table(path)
    values = table["epoch_logits.dev"].to_pylist()
    values[0][3] = values[0][3] + 1
    at = table.column_names.index("epoch_logits.dev")
    changed = pa.array(values, table["epoch_logits.dev"].type)
    pq.write_table(table.set_column(at, table.schema.field(at), changed), path)
    (read,) = load_records(tmp_path)
    with pytest.raises(RecordError, match=r"records\.parquet.*the digest of its epochs differs"):
        _ = read.epoch_logits
    with pytest.raises(RecordError, match="the digest of its epochs differs"):
        stored_records(tmp_path)


def test_scores_of_a_record_follow_from_its_logits():
    data = restated(record(selections=("last", "dev", "test")))
    check_record(data)
    for rule in ("last", "dev", "test"):
        body = copy.deepcopy(data)
        logits = np.array(body["selection"][rule]["logits"])
        wrong = logits.argmax(1) != body["test"]["labels"]
        logits[np.flatnonzero(wrong)[0], body["test"]["labels"][np.flatnonzero(wrong)[0]]] = 99
        body["selection"][rule]["logits"] = logits.tolist()
        with pytest.raises(ValueError, match=r"UA and WA of epoch \d are .* by its logits"):
            check_record(body)


def test_a_tie_within_rounding_is_no_damage():
    data = restated(record())
    row, label = data["selection"]["last"]["logits"][0], data["test"]["labels"][0]
    row[:] = [1.0] * 4  # rounded: the true one was the largest, or was not
    for wins in (True, False):
        values = copy.deepcopy(data)
        values["selection"]["last"]["logits"][0][label] = 2.0 if wins else 0.0
        data["history"] = restated(values)["history"]
        check_record(data)


def test_the_report_of_what_is_no_record_passes_it_over(records):
    right = told(records)
    for name, text in (("a.json", "[1, 2]"), ("b.json", '{"schema": 1, "rows": []}')):
        (records / name).write_text(text)
    (records / "all.json").write_text(make_report(records, resamples=20).to_json())
    assert told(records) == right
