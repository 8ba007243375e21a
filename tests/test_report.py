"""The report: pooled numbers by hand, groups, and each way records can be bad."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from records_maker import corpus_rows, make_results, read, record, rewrite, write

from ser import metrics
from ser.errors import RecordError
from ser.experiments import stored_records
from ser.experiments.record_schema import check_record
from ser.report import load_records, make_report, row_order


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    models = {"dual": 2.0, "majority": 0.0, "mfcc-lstm": 0.8, "ds-lstm": 1.2}
    return make_results(tmp_path_factory.mktemp("results") / "mit Umlaut ä", models, seeds=2)


@pytest.fixture
def copy(results, tmp_path):
    return shutil.copytree(results, tmp_path / "copy")


def pooled(folder, model, seed, selection):
    """Labels and answers of one seed, all folds, read by hand."""
    labels, answers = [], []
    for path in (folder / model).glob(f"*-seed{seed}.parquet"):
        data = read(path)
        labels += data["test"]["labels"]
        answers += [int(np.argmax(v)) for v in data["selection"][selection]["logits"]]
    return labels, answers


def test_scores_are_of_the_pool_and_spread_over_seeds(results):
    report = make_report(results)
    line = report.table.set_index(["model", "selection"]).loc[("ds-lstm", "test")]
    pools = [pooled(results, "ds-lstm", seed, "test") for seed in (0, 1)]
    for name in ("wa", "ua"):
        scores = [getattr(metrics, name)(*pool) for pool in pools]
        assert line[name] == pytest.approx(np.mean(scores))
        assert line[f"{name}_sd"] == pytest.approx(np.std(scores, ddof=1))
        assert line[f"{name}_low"] <= line[name] <= line[f"{name}_high"]
    assert (line.seeds, line.folds, line.folds_total, line.n, line.speakers) == (2, 5, 5, 80, 5)
    counts = sum(metrics.confusion(*pool) for pool in pools)
    np.testing.assert_array_equal(report.row("ds-lstm", "test").confusion, counts)


def test_rows_stand_as_in_the_papers_table(results):
    table = make_report(results).table
    assert list(dict.fromkeys(table.model)) == ["majority", "mfcc-lstm", "ds-lstm", "dual"]
    assert list(table[table.model == "dual"].selection) == ["last", "test"]
    assert list(table[table.model == "majority"].selection) == ["last"]
    known = ["dual", "dual-no-gate-norm", "mfcc+cnn-lstm-pair", "ds-lstm-equations", "ds-lstm"]
    assert sorted(["own row", *known], key=row_order) == [
        "mfcc+cnn-lstm-pair",
        "ds-lstm",
        "ds-lstm-equations",
        "dual",
        "dual-no-gate-norm",
        "own row",
    ]


def test_json_is_whole_stable_and_strict(results):
    text = make_report(results).to_json()
    assert text == make_report(results).to_json()
    data = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    row = next(r for r in data["rows"] if r["model"] == "dual" and r["selection"] == "last")
    assert {"corpus", "protocol", "preset", "seeds", "folds", "n", "wa_sd", "ua_low"} <= row.keys()
    assert list(row["recalls"]) == ["angry", "happy", "neutral", "sad"]
    np.testing.assert_allclose(np.sum(row["confusion_percent"], axis=1), 100)
    assert np.sum(row["confusion"]) == 2 * row["n"]
    assert row["ua"] == pytest.approx(np.mean(list(row["recalls"].values())))
    assert [r["test_chosen"] for r in data["rows"]] == [
        r["selection"] == "test" for r in data["rows"]
    ]
    assert {(p["a"], p["b"]) for p in data["paired"]} == {
        ("dual", "mfcc-lstm"),
        ("dual", "ds-lstm"),
    }


def test_text_says_protocol_seeds_epochs_leaks_and_stars(results):
    text = make_report(results).to_text()
    assert "protocol loso (leave one speaker out), preset release" in text
    assert "2 seeds; 3 epochs of training" in text
    assert "leak check" in text and "5 texts" in text
    assert "test*" in text and "* chosen on the test fold, as the paper did" in text
    assert "confusion of dual (last" in text and "rows in percent" in text
    assert max(len(line) for line in text.splitlines() if not line.startswith("note")) <= 120


def test_no_star_without_test_chosen_rows(results):
    text = make_report(results, selection="last").to_text()
    assert "*" not in text


def test_one_seed_has_no_spread(tmp_path):
    report = make_report(make_results(tmp_path, {"dual": 1.0}))
    assert np.isnan(report.table.ua_sd).all()
    assert json.loads(report.to_json())["rows"][0]["ua_sd"] is None
    assert " -  " in report.to_text()


def test_csv_reads_back(results):
    import io

    import pandas as pd

    report = make_report(results)
    table = pd.read_csv(io.StringIO(report.to_csv()))
    np.testing.assert_allclose(table.ua, report.table.ua)
    assert list(table.columns) == list(report.table.columns)


def test_missing_folds_are_told_and_a_shorter_seed_left_out(copy):
    next((copy / "dual").glob("*S03-seed1.parquet")).unlink()
    report = make_report(copy)
    assert any("seed 1 has 4 of 5 folds and is left out" in note for note in report.notes)
    assert report.row("dual").seeds == (0,)
    next((copy / "dual").glob("*S02-seed0.parquet")).unlink()
    next((copy / "dual").glob("*S02-seed1.parquet")).unlink()
    next((copy / "dual").glob("*S03-seed0.parquet")).unlink()
    report = make_report(copy)
    assert any("3 of 5 folds" in note for note in report.notes)
    assert "3/5" in report.to_text()
    assert report.row("dual").seeds == (0, 1)
    # The comparison is on what both have answered.
    assert report.paired("dual", "ds-lstm")[0].result.utterances == 48


@pytest.mark.parametrize("content", ["", "PAR1", "\x00\x01", "[" * 100000])
def test_a_corrupt_record_is_named_with_the_way_out(copy, content):
    path = copy / "dual" / "broken-seed9.parquet"
    path.write_text(content)
    with pytest.raises(
        RecordError, match=r"broken-seed9\.parquet.*delete it and run the same command"
    ):
        load_records(copy)


def damage(data, how):
    if how == "logits":
        data["selection"]["last"]["logits"].pop()
    elif how == "nan":
        data["selection"]["last"]["logits"][0][0] = float("nan")
    elif how == "labels":
        data["test"]["labels"][0] = 7
    elif how == "speakers":
        data["test"]["speakers"].pop()
    elif how == "half label":
        data["test"]["labels"][0] = 1.7
    elif how == "twice":
        data["test"]["utterances"][1] = data["test"]["utterances"][0]
    elif how == "epoch":
        data["selection"]["last"]["epoch"] = "q"
    elif how == "half seed":
        data["seed"] = 1.5
    elif how == "many":
        data["parameters"] = "many"
    elif how.startswith("kind of "):
        *outer, last = how.removeprefix("kind of ").split(".")
        for part in outer:
            data = data[part]
        data[last] = ["not", {"this": 1}]
    else:
        del data[how]


DAMAGES = ["logits", "nan", "labels", "speakers", "corpus", "seed", "test"]
DAMAGES += ["half label", "twice", "epoch", "half seed", "many"]
PARTS = ["config", "preset", "history", "protocol", "protocol.leak", "corpus.name"]
PARTS += ["selection.last"]
DAMAGES += [f"kind of {part}" for part in PARTS]


@pytest.mark.parametrize("how", DAMAGES)
def test_a_damaged_record_is_no_record(how):
    data = record("dual", selections=("last", "dev", "test"))
    check_record(data)
    damage(data, how)
    with pytest.raises(ValueError):
        check_record(data)


@pytest.mark.parametrize("schema", [1, 4, 5, 99])
def test_a_run_of_an_older_schema_is_named_with_its_schema(copy, schema, capsys):
    path = copy / "dual" / "old-seed9.json"
    path.write_text(json.dumps(record(seed=9) | {"schema": schema}))
    told = rf"old-seed9\.json is a record of schema {schema} in JSON.*run its command again"
    for asked in (copy, path):
        with pytest.raises(RecordError, match=told):
            load_records(asked)
    with pytest.raises(RecordError, match=told):
        stored_records(copy)


def test_other_files_and_folders_are_passed_over(copy):
    count = len(load_records(copy))
    (copy / "notes.json").write_text('{"hello": 1}')
    (copy / "list.json").write_text("[1, 2]")
    (copy / "half.json").write_text("{")
    (copy / "dual" / ".x.parquet.123.tmp").write_text("{")
    (copy / "dual" / ".hidden.parquet").write_text("{")
    for name in ("work", "models"):
        (copy / name / "dual").mkdir(parents=True)
        (copy / name / "dual" / "model.parquet").write_text("{")
    assert len(load_records(copy)) == count


def test_a_root_below_a_folder_called_work_is_read(tmp_path):
    make_results(tmp_path / "work" / "models", {"dual": 1.0})
    assert len(load_records(tmp_path / "work" / "models")) == 5


def test_empty_and_absent_folders_say_what_makes_records(tmp_path):
    with pytest.raises(RecordError, match="ser run"):
        load_records(tmp_path)
    with pytest.raises(RecordError, match="no such folder"):
        load_records(tmp_path / "absent")


def test_copies_count_once(results, copy):
    assert len(load_records([results, copy, str(results)])) == len(load_records(results))
    single = next((results / "dual").glob("*S00-seed0.parquet"))
    assert len(load_records([results, single])) == len(load_records(results))


def test_one_run_with_two_outcomes_is_refused(results, copy):
    path = next((copy / "dual").glob("*S00-seed0.parquet"))
    data = read(path)
    data["selection"]["last"]["logits"][0][0] += 1
    rewrite(path, data)
    with pytest.raises(RecordError, match=r"two outcomes.*S00-seed0.*S00-seed0"):
        load_records([results, copy])


def test_another_content_of_the_corpus_is_refused(copy):
    write(copy, record("dual", "S00", 7, content_hash="e" * 64))
    with pytest.raises(RecordError, match="content of corpus 'emodb' differs"):
        make_report(copy)


def test_another_split_is_refused(copy):
    write(copy, record("dual", "S00", 7, split_hash="f" * 64))
    with pytest.raises(RecordError, match="split differently"):
        make_report(copy)


def test_an_utterance_tested_twice_is_refused(copy):
    data = record("dual", "S00", 0)
    data["protocol"]["fold"] = "extra"
    write(copy, data)
    with pytest.raises(RecordError, match="both tested 'wav/S00_000'"):
        make_report(copy)


def test_different_settings_in_one_row_are_noted(copy):
    write(copy, record("dual", "S00", 7, epochs=9))
    assert any("differ in epochs: 3, 9" in note for note in make_report(copy).notes)


def test_protocols_presets_and_test_corpora_are_rows_of_their_own(tmp_path):
    make_results(tmp_path / "a", {"dual": 1.0})
    make_results(tmp_path / "b", {"dual": 1.0}, protocol="random")
    make_results(tmp_path / "c", {"dual": 1.0}, preset="paper")
    rows = corpus_rows()
    write(
        tmp_path / "d", record(fold="all", protocol="cross", test_corpus="nemo", rows=rows, folds=1)
    )
    report = make_report(tmp_path, selection="last")
    assert len(report.rows) == 4
    text = report.to_text()
    assert "emodb -> nemo, protocol cross" in text
    assert "preset" in text.split("protocol loso")[1].splitlines()[1]


def test_paired_agrees_with_the_metric_and_knows_its_rows(results):
    report = make_report(results)
    (found,) = report.paired("dual", "mfcc-lstm", "test")
    a, b = report.row("dual", "test"), report.row("mfcc-lstm", "test")
    expected = metrics.paired_test(a.labels, a.predictions, b.predictions, a.speakers)
    assert found.result == expected
    with pytest.raises(RecordError, match="no row nothing"):
        report.paired("dual", "nothing")


def test_unknown_selection_lists_what_there_is(results):
    with pytest.raises(RecordError, match="these have: last, test"):
        make_report(results, selection="dev")


def test_one_speaker_is_reported_without_interval(tmp_path):
    rows = corpus_rows(speakers=1)
    write(tmp_path, record(rows=rows, folds=1))
    report = make_report(tmp_path)
    assert np.isnan(report.table.ua_low).all()
    assert any("one speaker" in note for note in report.notes)
    json.loads(report.to_json())


def test_a_class_that_nobody_spoke_is_empty_not_zero(tmp_path):
    rows = corpus_rows(speakers=2)
    rows["labels"] = [0 if label == 1 else label for label in rows["labels"]]
    for fold in ("S00", "S01"):
        write(tmp_path, record(fold=fold, rows=rows))
    row = json.loads(make_report(tmp_path).to_json())["rows"][0]
    assert row["recalls"]["happy"] is None
    assert row["ua"] == pytest.approx(
        np.mean([v for v in row["recalls"].values() if v is not None])
    )


def test_a_fused_row_is_compared_on_the_seeds_both_have(tmp_path):
    """Else what one seed of a branch had by luck would look like what fusion costs."""
    make_results(tmp_path, {"ds-lstm": 1.0}, seeds=3)
    make_results(tmp_path, {"dual": 1.2, "egemaps-lr": 1.0}, seeds=1)
    for path in (tmp_path / "dual").glob("*.parquet"):
        data = read(path)
        rewrite(path, data | {"fused_from": ["a", "b"]})
    report = make_report(tmp_path, resamples=50)
    (found,) = report.paired("dual", "ds-lstm")
    assert found.seeds == ((0,), (0,))
    rows = report.row("dual"), report.row("ds-lstm")
    assert found.result.ua_b == pytest.approx(rows[1].ua[0])
    assert found.result.ua_difference == pytest.approx(rows[0].ua[0] - rows[1].ua[0])
    (back,) = report.paired("ds-lstm", "dual")
    assert back.result.ua_difference == pytest.approx(-found.result.ua_difference)
    (plain,) = report.paired("ds-lstm", "egemaps-lr")
    assert plain.seeds == ((0, 1, 2), (0,))
    assert plain.result.ua_a == pytest.approx(rows[1].ua.mean())
