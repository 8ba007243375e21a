"""Figures of speed and the benchmark record, from a record as `python -m benchmarks` writes it."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from chapters.fast.ladder_figures import in_words, ladder, layer_table, roofline
from chapters.fast.records import (
    CHOSEN,
    all_ratios,
    chosen_ratios,
    load_benchmarks,
    machine_name,
    slopes,
)
from conftest import ROOT

from benchmarks.record import reduce
from ser.plots import describe


def measured(name: str, seconds: float, **extra: object) -> dict:
    """A benchmark as pytest-benchmark reports it."""
    return {
        "name": f"test_{name}",
        "fullname": f"benchmarks/test_network.py::test_{name}",
        "stats": {"median": seconds, "rounds": 7},
        "extra_info": extra,
    }


def compared(name: str, seconds: float, plain: float, **extra: object) -> dict:
    """With what `benchmarks.conftest.compare` notes."""
    cost = extra.setdefault("kind", "speedup") == "cost"
    ratio = seconds / plain if cost else plain / seconds
    noted = {"against": "the plain <thing>", "plain_seconds": plain, "ratio": ratio, "goal": None}
    return measured(name, seconds, **noted, low=ratio * 0.9, high=ratio * 1.1, **extra)


@pytest.fixture(scope="module")
def record() -> dict:
    """Reduced by the benchmarks' own code, so that the schema is theirs."""
    rows = [
        compared("front_end[s1]", 0.1, 0.4),
        compared("ds_lstm[cpu-32]", 0.5, 0.2, kind="cost"),
        compared("start[import ser]", 0.2, 0.05, kind="cost", limit_seconds=0.5),
    ]
    rows[0]["extra_info"]["goal"] = 3
    rows[1]["extra_info"]["goal"] = 2.2
    for value in (60, 15, 30):
        more = {"kind": "cost", "axis": "T", "value": value}
        rows.append(compared(f"ds_lstm_scaling[T-{value}]", 0.002 * value, 0.001 * value, **more))
    points = [
        {"value": n, "seconds": n / 100, "wall_seconds": n / 100, "megabytes_read_back": 300.0}
        for n in (20, 80, 320)
    ]
    told = {"against": "the duration of the sound", "plain_seconds": 960.0, "ratio": 300.5}
    told |= {"kind": "speedup", "goal": 300, "axis": "utterances", "points": points}
    rows.append(measured("all_three", 3.2, **told))
    rows.append(measured("no_ratio", 1.0))
    body = {"datetime": "2026-01-02T03:04:05", "benchmarks": rows}
    return json.loads(json.dumps(reduce(body, "python -m benchmarks --quick")))


def test_records_are_found_and_others_passed_over(record, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(record), encoding="utf-8")
    (tmp_path / "b.json").write_text("{", encoding="utf-8")
    (tmp_path / "c.json").write_text('{"kind": "throughput"}', encoding="utf-8")
    (tmp_path / "d.json").write_text("[]", encoding="utf-8")
    assert load_benchmarks(tmp_path) == [record]
    assert load_benchmarks(tmp_path / "nowhere") == []


def test_a_machine_is_called_by_what_was_measured(record):
    machine = record["machine"] | {"cpu": "A(R) CPU Processor"}
    record = {**record, "machine": machine}
    assert machine_name(record) == f"A CPU ({machine['vectors']})"
    held = {**machine, "held_to": {"ONEDNN_MAX_CPU_ISA": "AVX2"}}
    assert machine_name({**record, "machine": held}) == f"A CPU (held to {machine['vectors']})"
    gpu = {**record, "machine": {**machine, "gpu": "A Made-up GPU"}}
    assert machine_name(gpu) == "A Made-up GPU"


def test_every_ratio_says_how_many_times_as_fast(record):
    table = all_ratios([record])
    names = ["front_end[s1]", "ds_lstm[cpu-32]", "start[import ser]", "all_three"]
    assert list(table.index.get_level_values("benchmark")) == names
    assert table.iloc[:, 0].tolist() == pytest.approx([4.0, 1 / 2.5, 0.25, 300.5])
    assert table.index.get_level_values("against")[3] == "the duration of the sound"


def test_machines_without_a_benchmark_have_a_gap(record):
    other = {**record, "machine": {**record["machine"], "gpu": "A GPU"}, "rows": record["rows"][:1]}
    table = all_ratios([record, other])
    assert table["A GPU"].notna().sum() == 1 and len(table) == 4
    few = chosen_ratios([record, other])
    assert list(few.index) == list(CHOSEN)
    assert few.loc["front end of S1"].tolist() == pytest.approx([4.0, 4.0])
    assert few.drop("front end of S1").isna().all(axis=None)


def test_every_chosen_line_is_in_a_stored_record():
    table = chosen_ratios(load_benchmarks(ROOT / "book" / "results" / "benchmarks"))
    assert table.notna().any(axis=1).all()
    assert table.notna().any(axis=0).all()


def test_slopes_are_of_seconds(record):
    table = slopes([record])
    assert table.loc["T"].tolist() == pytest.approx([1.0])
    assert table.loc["utterances"].tolist() == pytest.approx([1.0])
    assert list(table.index) == ["T", "utterances"]


def test_layers_in_millions_and_percent():
    seconds = pd.Series({"a": 3.0, "b": 1.0})
    table = layer_table([4e6, 1e6], [2e6, 4e6], seconds)
    assert table["operations a byte"].tolist() == [2.0, 0.25]
    assert table["time (%)"].tolist() == [75.0, 25.0]
    assert in_words(pd.Series({"times as fast": 3.96, "low": 3.8, "high": 4.1})) == (
        "4.0 times as fast (quartiles 3.8 to 4.1)"
    )


def test_ladder():
    rungs = pd.DataFrame(
        {"times as fast": [2.0, 0.9], "low": [1.5, 0.8], "high": [9.0, 1.1]}, ["one", "two"]
    )
    fig = ladder(rungs, "A ladder")
    assert "one: 2.0 (1.5 to 9.0); two: 0.9 (0.8 to 1.1)." in describe(fig)
    assert fig.axes[0].get_xlim()[1] >= 9
    with pytest.raises(ValueError, match="rung"):
        ladder(rungs[:0])


def test_roofline():
    work = {"ReLU": (0.1, 1e9), "product": (100.0, 4e10)}
    fig = roofline(work, bandwidth=1e10, peak=5e10)
    assert "slopes up to 5 operations a byte" in describe(fig)
    assert "ReLU: 0.1 operations a byte, 100% of the roof" in describe(fig)
    assert "product: 1e+02 operations a byte, 80% of the roof" in describe(fig)
    with pytest.raises(ValueError, match="positive"):
        roofline({"nothing": (0.0, 1.0)}, 1e10, 5e10)
    with pytest.raises(ValueError, match="positive"):
        roofline({}, 1e10, 5e10)
