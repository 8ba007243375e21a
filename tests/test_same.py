"""Did the same grid, run twice, give the same records?"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from records_maker import make_results, read, restated, rewrite

from ser.cli import main
from ser.errors import RecordError
from ser.experiments import RunConfig, run
from ser.report import compare_records
from ser.training import TrainConfig


@pytest.fixture
def two(tmp_path):
    a = make_results(tmp_path / "a", {"mfcc-lstm": 0.8, "dual": 2.0}, speakers=3, each=6)
    shutil.copytree(a, tmp_path / "b")
    return a, tmp_path / "b"


def change(folder, how, model="dual"):
    path = sorted((folder / model).glob("*.parquet"))[0]
    data = read(path)
    how(data)
    rewrite(path, restated(data))


def nudge(by):
    def how(data):
        data["selection"]["last"]["logits"][0][2] += by

    return how


def test_copies_are_the_same_and_where_and_when_does_not_count(two):
    a, b = two
    change(b, lambda d: d.update(wall_seconds=99, device="cuda", command="other", threads=7))
    found = compare_records(a, b)
    assert found.same and len(found.runs) == 6 and found.largest == 0
    assert found.to_text().startswith("the same\n") and "runs in both: 6" in found.to_text()
    data = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert data["same"] and data["predictions_that_differ"] == 0 and data["differing"] == []


def test_a_tolerance_forgives_logits_and_nothing_else(two):
    a, b = two
    change(b, nudge(0.001))
    assert not compare_records(a, b).same
    assert compare_records(a, b, 0.002).same and not compare_records(a, b, 0.0005).same
    assert compare_records(a, b).largest == pytest.approx(0.001)
    change(b, nudge(50))
    found = compare_records(a, b, 0.01)
    assert found.differing.predictions.tolist() == [1]
    assert "1 of 12 answers differ" in found.to_text()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda d: d.update(fingerprint="0" * 64), "other settings"),
        (lambda d: d["test"]["labels"].__setitem__(0, (d["test"]["labels"][0] + 1) % 4), "labels"),
        (lambda d: d["selection"]["test"].update(epoch=1), "other selections or epochs"),
        (lambda d: d["selection"].pop("test"), "other selections or epochs"),
        (lambda d: d["corpus"].update(content_hash="e" * 64), "other test utterances"),
    ],
)
def test_what_was_asked_must_be_the_same_too(two, how, said):
    a, b = two
    change(b, how)
    found = compare_records(a, b, tolerance=1e9)
    assert not found.same and len(found.differing) == 1 and said in found.to_text()
    json.dumps(found.as_dict(), allow_nan=False)


def test_runs_that_one_side_lacks_are_named(two):
    a, b = two
    shutil.rmtree(b / "mfcc-lstm")
    found = compare_records(a, b)
    assert not found.same and len(found.only_a) == 3 and not found.only_b
    assert "only in the first: emodb/loso/release/mfcc-lstm/S00/seed0" in found.to_text()
    assert "and 2 more" in found.to_text(most=1)
    assert len(compare_records(b, a).only_b) == 3
    none = compare_records(a / "mfcc-lstm", b)
    assert not none.same and none.largest is None and none.as_dict()["runs"] == 0
    assert "runs in both: 0" in none.to_text()


def test_nonsense_is_refused(two, tmp_path):
    with pytest.raises(RecordError, match="tolerance"):
        compare_records(*two, tolerance=float("nan"))
    with pytest.raises(RecordError, match="no such folder"):
        compare_records(two[0], tmp_path / "nowhere")


def test_the_command_line_answers_by_its_exit_code(two, capsys):
    a, b = map(str, two)
    assert main(["report", a, "--same-as", b]) == 0
    assert capsys.readouterr().out.startswith("the same")
    change(two[1], nudge(0.001))
    assert main(["report", a, "--same-as", b, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["same"] is False
    assert main(["report", a, "--same-as", b, "--tolerance", "0.01"]) == 0
    assert main(["report", a, "--same-as", str(two[1] / "nowhere")]) == 2
    with pytest.raises(SystemExit) as stopped:
        main(["report", a, "--same-as", b, "--tolerance", "-1"])
    assert stopped.value.code == 2


def test_the_same_grid_twice_gives_the_same_records(tiny_root, tmp_path):
    config = RunConfig(
        root=str(tiny_root), models=("mfcc-lstm", "duration-lr", "majority"), folds=2, jobs=1,
        train=TrainConfig(epochs=2, batch_size=16, hidden=8), threads=1, progress=False,
        keep_models=False, cache=str(tmp_path / "cache"), out=tmp_path / "a",
    )  # fmt: skip
    run(config)
    run(replace(config, out=tmp_path / "b"))
    run(replace(config, out=tmp_path / "c", seeds=(1,)))
    found = compare_records(tmp_path / "a", tmp_path / "b")
    assert found.same and len(found.runs) == 6 and found.largest == 0
    assert not compare_records(tmp_path / "a", tmp_path / "c").same


def test_runs_are_paired_by_what_was_asked_where_one_folder_holds_more(tmp_path):
    """There the run has a tag that it lacks in the other folder."""
    for folder, sizes in (("mixed", (200, 260)), ("large", (260,))):
        for size in sizes:
            made = make_results(tmp_path / folder / str(size), {"ds-lstm": 0.01 * size}, speakers=2)
            for path in made.glob("*/*.parquet"):
                data = read(path)
                data |= {"config": {"hidden": size}, "fingerprint": str(size)}
                rewrite(path, data)
    found = compare_records(tmp_path / "mixed", tmp_path / "large")
    assert len(found.runs) == 2 and found.largest == 0 and not len(found.differing)
    assert len(found.only_a) == 2 and not found.only_b
    back = compare_records(tmp_path / "large", tmp_path / "mixed")
    assert len(back.runs) == 2 and len(back.only_b) == 2 and not len(back.differing)
