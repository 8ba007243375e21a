"""Figures and tables of measured training steps, from records as if measured."""

from __future__ import annotations

import json

import pytest
from chapters.training.random_corpus import CORPUS
from chapters.training.throughput_figures import (
    by_batch,
    cells,
    device_name,
    load_records,
    where_time_goes,
)
from chapters.training.trainer import Setting

from ser.plots import describe


@pytest.fixture
def made() -> list[dict]:
    """Records of a GPU and of a CPU, as if measured."""
    records = []
    for name, kind, speed in (("A GPU", "cuda", 1000.0), ("A CPU", "cpu", 10.0)):
        body = {"kind": "throughput", "device": {"name": name, "type": kind, "threads": 2}}
        body |= {"cells": {}, "profiles": {}}
        places = ("device", "host", "pinned") if kind == "cuda" else ("device",)
        for model in ("mfcc-lstm", "ds-lstm"):
            for batch in (8, 16):
                for place in places:
                    rate = speed + batch
                    body["cells"][Setting(model, batch, data=place).key] = {
                        **{"model": model, "batch": batch, "precision": "float32", "data": place},
                        "utterances_per_second": rate,
                        "low": rate - 1,
                        "high": rate + 1,
                        "step_seconds": batch / rate,
                        "batch_seconds": 0.001,
                        "epoch_seconds": CORPUS / rate,
                        "step_bytes": 2**20 * batch if kind == "cuda" else None,
                    }
        body["cells"]["dual/9999/float32/device"] = {"model": "dual", "error": "out of memory"}
        records.append(body)
    return records


def test_records_are_found_and_others_passed_over(made, tmp_path):
    (tmp_path / "b.json").write_text(json.dumps(made[1]), encoding="utf-8")
    (tmp_path / "c.json").write_text(json.dumps(made[0]), encoding="utf-8")
    (tmp_path / "d.json").write_text("{", encoding="utf-8")
    (tmp_path / "e.json").write_text("[]", encoding="utf-8")
    assert [device_name(r) for r in load_records(tmp_path)] == ["A GPU", "A CPU, 2 threads"]
    assert load_records(tmp_path / "nowhere") == []


def test_table_of_measurements(made):
    table = cells(made)
    assert len(table) == 12 + 4
    assert set(table.columns) >= {"device", "step_mib", "epoch_seconds"}
    assert table[table.device == "A GPU"].step_mib.max() == 16
    assert cells([]).empty


def test_figure_by_batch(made):
    both = by_batch(made)
    labels = [t.get_text() for t in both.legends[0].get_texts()]
    assert len(labels) == 4
    assert labels[0] == "mfcc-lstm, A GPU"
    assert both.axes[0].get_yscale() == "log"
    assert "mfcc-lstm on A GPU: 1008 utterances a second at batch 8" in describe(both)
    alone = by_batch(made[:1])
    assert alone.axes[0].get_yscale() == "linear"
    dashes = {line.get_linestyle() for line in both.axes[1].get_lines()}
    assert len(dashes) == 2
    with pytest.raises(ValueError, match="records"):
        by_batch([])


def test_figure_of_where_time_goes():
    operators = [
        {"name": "aten::mm", "kind": "matrix product", "calls": 1000, "cpu_ms": 3, "device_ms": 1},
        {"name": "a", "kind": "convolution", "calls": 1, "cpu_ms": 1, "device_ms": 3},
        {"name": "b", "kind": "looking at a part", "calls": 9, "cpu_ms": 0, "device_ms": 0},
    ]
    fig = where_time_goes({"one": {"operators": operators}, "two": {"operators": operators}})
    assert len(fig.axes) == 2
    assert "one: matrix product 75% in 1,000 calls, convolution 25% in 1 calls." in describe(fig)
    assert fig.axes[1].get_xlabel() == "time of one step, ms"
    gpu = where_time_goes({"one": {"operators": operators}}, "device_ms")
    assert "convolution 75%" in describe(gpu)
    with pytest.raises(ValueError, match="no profiles"):
        where_time_goes({})
