"""Figures of speed and the benchmark record, from a record as `python -m benchmarks` writes it."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from chapters.fast.benchmark_figures import (
    against_cudnn,
    devices,
    figures,
    figures_table,
    load_benchmarks,
    machine_text,
    reached,
    scaling,
    scaling_plot,
)
from chapters.fast.ladder_figures import ladder, roofline

from benchmarks.record import reduce, verdict
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


def test_machine_and_command_are_said(record):
    text = machine_text(record)
    assert "python -m benchmarks --quick" in text
    assert record["machine"]["cpu"] in text
    assert "2026-01-02" in text
    idle = {**record, "machine": {**record["machine"], "load": None}}
    assert "load" not in machine_text(idle)


def test_figures_have_goal_and_verdict(record):
    table = figures(record)
    names = ["front_end[s1]", "ds_lstm[cpu-32]", "start[import ser]", "all_three"]
    assert list(table.index) == names
    assert list(table.reached) == ["yes", "no", "yes", "yes"]
    assert list(table.goal) == ["at least 3x", "at most 2.2x", "at most 0.5 s", "at least 300x"]
    assert table.ratio.tolist() == pytest.approx([4.0, 2.5, 4.0, 300.5])
    assert np.isnan(table.loc["all_three", "low"])


def test_verdicts_are_those_of_the_benchmarks(record):
    words = {"reached": "yes", "not reached": "no", "": ""}
    rows = [r for r in record["rows"] if "ratio" in r and "limit_seconds" not in r]
    assert rows
    for row in rows:
        assert reached(row) == words[verdict(row)]


def test_table_for_a_page(record):
    table = figures_table(record)
    html = table._repr_html_()
    assert html.count("<tr>") == 5
    assert "the plain &lt;thing&gt;" in html
    assert "2.50x as long" in html
    assert "not reached" in html
    assert "300.50x as fast" in html
    assert "ds_lstm[cpu-32]" in repr(table)


def test_scaling_is_in_order(record):
    table = scaling(record, "T")
    assert table.value.tolist() == [15, 30, 60]
    assert table.ours.tolist() == pytest.approx([0.03, 0.06, 0.12])
    assert table.plain.tolist() == pytest.approx([0.015, 0.03, 0.06])
    assert scaling(record, "utterances").megabytes.tolist() == [300.0] * 3
    assert scaling(record, "hidden").empty


@pytest.fixture
def on_gpu(record) -> dict:
    """The record, and rows that a GPU added."""
    rows = [
        compared(
            f"ds_lstm_against_cudnn[128-norms-{kind}]",
            0.004,
            0.002,
            kind="cost",
            device="cuda",
            cudnn_tf32=kind == "as_set_up",
        )
        for kind in ("as_set_up", "float32")
    ]
    for value in (8, 16):
        more = {"kind": "cost", "axis": "T", "value": value, "device": "cuda"}
        rows.append(compared(f"scaling_cuda[{value}]", 0.001 * value, 0.002 * value, **more))
    body = json.loads(json.dumps(reduce({"datetime": "2026-01-02", "benchmarks": rows}, "c")))
    machine = {**record["machine"], "gpu": "A Made-up GPU"}
    return {**record, "machine": machine, "rows": record["rows"] + body["rows"]}


def test_a_gpu_is_named_by_its_record(record, on_gpu):
    assert machine_text(on_gpu).startswith("A Made-up GPU, beside ")
    machine = record["machine"]
    processor = f"{machine['cpu']} ({machine['vectors']})"
    assert devices(on_gpu) == {"cpu": processor, "cuda": "A Made-up GPU"}
    before = {**record, "machine": {k: v for k, v in machine.items() if k != "vectors"}}
    assert devices(before) == {"cpu": machine["cpu"]}
    assert list(devices(record)) == ["cpu"]
    assert list(devices({**on_gpu, "rows": on_gpu["rows"][-1:]})) == ["cuda"]


def test_curves_of_two_devices_are_not_mixed(on_gpu):
    assert scaling(on_gpu, "T").value.tolist() == [15, 30, 60]
    assert scaling(on_gpu, "T", "cuda").value.tolist() == [8, 16]
    assert "T from 8 to 16" in describe(scaling_plot(on_gpu, "T", device="cuda"))


def test_distance_from_the_floor_on_a_gpu(record, on_gpu):
    table = against_cudnn(on_gpu, operations=1.6)
    assert list(table.index) == [
        "batch 128, norms, cuDNN in TF32",
        "batch 128, norms, both in float32",
    ]
    assert table["times as long"].tolist() == pytest.approx([2, 2])
    assert table["times as counted"].tolist() == pytest.approx([1.25, 1.25])
    assert table["cuDNN, ms"].tolist() == pytest.approx([2, 2])
    assert against_cudnn(record, 1.6).empty


def test_table_tells_both_times(on_gpu):
    assert "4.00 ms against 2.00 ms" in figures_table(on_gpu)._repr_html_()


@pytest.mark.parametrize(("low", "high"), [(0.21, 0.55), (3e-4, 120.0), (0.02, 0.02)])
def test_scaling_figure_has_marks_around_all_values(record, low, high):
    rows = [
        compared("s", seconds, seconds, kind="cost", axis="T", value=value)
        for value, seconds in ((10, low), (20, high))
    ]
    told = reduce({"datetime": "2026-01-02", "benchmarks": rows}, "")
    ax = scaling_plot(told, "T").axes[0]
    ticks = ax.get_yticks()
    bottom, top = ax.get_ylim()
    assert bottom < low <= high < top
    assert len(ticks) >= 2
    assert ticks[0] <= low


def test_scaling_figure_tells_slopes(record):
    fig = scaling_plot(record, "T", title="Cost against T")
    assert fig.axes[0].get_xscale() == fig.axes[0].get_yscale() == "log"
    assert "ours: slope 1.00, expected 1.00." in describe(fig)
    assert "compared with: slope 1.00" in describe(fig)
    square = scaling_plot(record, "T", expected={n: n * n for n in (15, 30, 60)})
    assert "expected 2.00" in describe(square)
    assert [t.get_text() for t in fig.axes[0].get_xticklabels()] == ["15", "30", "60"]


def test_scaling_figure_with_memory(record):
    fig = scaling_plot(record, "utterances")
    assert len(fig.axes) == 2
    assert "300 MB at the first size, 300 at the last" in describe(fig)
    with pytest.raises(ValueError, match="0 sizes along hidden"):
        scaling_plot(record, "hidden")


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
