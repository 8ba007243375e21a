"""What a table has to say beside its numbers: what is transductive, what was tested, how tuned."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from chapters.confusion.calibration import calibration_table
from chapters.shared import result_page
from chapters.shared import result_tables as page
from chapters.shared.study_questions import questions
from records_maker import corpus_rows, record, write

from ser.marks import TRANSDUCTIVE as MARK
from ser.marks import footnotes
from ser.plots import describe, paired_difference, results_table_plot
from ser.report import make_report
from tools import readme


def grid(out: Path, models: dict[str, dict], rows: dict | None = None, **more) -> Path:
    """Records of five speakers; model -> what its config says besides."""
    rows = rows or corpus_rows()
    for model, config in models.items():
        for fold in sorted(set(rows["speakers"])):
            data = record(model, fold, rows=rows, **more)
            data["config"] |= config
            write(out, data)
    return out


TRANSDUCTIVE, ENROLMENT, RUNNING = footnotes(["speaker", "enrol:3", "running"])
BY_SPEAKER = {"normalise": "speaker"}


def test_a_transductive_row_is_marked_in_every_table_and_figure_by_its_settings(tmp_path):
    """Under a plain name too; and a plus without the setting is not."""
    models = {"mfcc-lstm": {}, "ds-lstm": BY_SPEAKER, "dual": {}, "dual+": {"normalise": "none"}}
    report = make_report(grid(tmp_path / "emodb-loso", models))
    text = report.to_text("all")
    marked = [line.split()[0] for line in text.splitlines() if f" {MARK}  " in line]
    assert set(marked) == {"ds-lstm", "dual"}  # the row, and "dual - ds-lstm (T)"
    assert "ds-lstm (T)  last" in text and f"dual - ds-lstm {MARK}" in text
    assert f"confusion of ds-lstm {MARK} (last" in text and "dual+ (T)" not in text
    assert text.count(TRANSDUCTIVE) == 1
    lines = list(csv.DictReader(io.StringIO(report.to_csv())))
    assert {r["model"]: r["transductive"] for r in lines} == {
        "mfcc-lstm": "False", "ds-lstm": "True", "dual": "False", "dual+": "False"}  # fmt: skip
    told = json.loads(report.to_json())
    assert {r["model"] for r in told["rows"] if r["transductive"]} == {"ds-lstm"}
    pair = next(c for c in told["paired"] if (c["a"], c["b"]) == ("dual", "ds-lstm"))
    assert (pair["a_transductive"], pair["b_transductive"]) == (False, True)
    scores = page.scores(report)
    assert ("loso", f"ds-lstm {MARK}") in scores.index and MARK in scores.index.names[1]
    top = result_page.headline(report)
    assert f"ds-lstm {MARK}" in top.index and "normalise each" in (
        result_page.headline_words(report).text
    )
    answered = page.answers(page.ask(report, "emodb", "loso"))
    assert ("dual", f"ds-lstm {MARK}") in set(zip(answered["with"], answered["without"]))  # noqa: B905
    asked = questions(report)
    assert asked.loc["fusion, DS-LSTM", "second"] == f"ds-lstm {MARK}"
    for figure in (results_table_plot(report.table), paired_difference(report.default_pairs())):
        names = [t.get_text() for t in figure.axes[0].get_yticklabels()]
        assert any(f"ds-lstm {MARK}" in name for name in names)
        assert not any("dual+ (T)" in name for name in names)
        assert f"{MARK} transductive" in figure.axes[-1].get_xlabel()
        assert f"ds-lstm {MARK}" in describe(figure)


def test_rows_that_hear_what_was_said_before_are_marked_as_enrolled_ones_are(tmp_path):
    """Alone and averaged with a row that knows nothing, whose rules a record joins by a comma."""
    models = {"mfcc-lstm": {}, "ds-lstm": {"normalise": "running"},
              "dual": {"normalise": "none, running"}, "concat-lstm": {"normalise": "enrol:3"},
              "cnn-lstm-s1": {"normalise": "none, enrol:2"}}  # fmt: skip
    report = make_report(grid(tmp_path, models))
    text = report.to_text("all")
    for row in ("ds-lstm (R)", "dual (R)", "concat-lstm (E 3)", "cnn-lstm-s1 (E 2)"):
        assert f"\n{row} " in text and f"confusion of {row} (last" in text
    assert text.count(RUNNING) == text.count(ENROLMENT) == 1 and "\nmfcc-lstm (" not in text
    assert "enrol:2: " in text and "enrol:3: " in text
    told = {r["model"]: r["label"] for r in json.loads(report.to_json())["rows"]}
    assert told["ds-lstm"] == "ds-lstm (R)" and told["mfcc-lstm"] == "mfcc-lstm"
    lines = csv.DictReader(io.StringIO(report.to_csv()))
    assert {r["model"]: r["label"] for r in lines} == told
    figure = results_table_plot(report.table)
    names = {t.get_text().strip("* ") for t in figure.axes[0].get_yticklabels()}
    assert {"ds-lstm (R)", "dual (R)", "concat-lstm (E 3)"} <= names
    legend = figure.axes[-1].get_xlabel()
    assert "(R) normalised by what was said before" in legend and "(E K) normalised" in legend
    assert RUNNING in describe(figure)
    alone = make_report(grid(tmp_path / "alone", {"mfcc-lstm": {}, "ds-lstm": {}}))
    assert "(R)" not in alone.to_text("all")


def test_without_transductive_rows_nothing_is_said_of_them(tmp_path):
    report = make_report(grid(tmp_path, {"mfcc-lstm": {}, "dual+": {}}))
    assert MARK not in report.to_text("all") + page.scores(report).to_string()
    assert MARK not in describe(results_table_plot(report.table))


def test_calibration_marks_them_too(tmp_path):
    rows = corpus_rows()
    for fold in sorted(set(rows["speakers"])):
        data = record("dual", fold, rows=rows)
        data["config"] |= BY_SPEAKER
        assert not data.get("dev_labels")
        write(tmp_path, data)
    with pytest.raises(Exception, match=r"dual \(T\)"):
        calibration_table(make_report(tmp_path))


def test_the_readme_places_rows_by_settings(tmp_path):
    for protocol in ("loso", "random"):
        rows = {"egemaps-lr": BY_SPEAKER, "dual": {}}
        grid(tmp_path / f"nemo-{protocol}", rows, corpus="nemo", protocol=protocol)
    lines = readme.table(tmp_path, "nemo").splitlines()
    assert lines[0].split("|")[4].strip().endswith(MARK)
    cells = {cell[1].strip(): cell[2:5] for cell in (line.split("|") for line in lines[2:4])}
    there = {name: [value.strip() != "-" for value in row] for name, row in cells.items()}
    assert there[readme.ROWS["egemaps-lr"]] == [False, False, True]
    assert there[readme.ROWS["dual"]] == [True, False, False]


def test_the_report_says_that_speakers_have_one_class(tmp_path):
    rows = corpus_rows(3, 4)
    rows["labels"] = [0, 1, 2, 3, 0, 1, 2, 3, 3, 3, 3, 3]
    report = make_report(grid(tmp_path, {"dual": BY_SPEAKER, "mfcc-lstm": {}}, rows))
    told = [n for n in report.notes if "one class only" in n]
    assert all(n.startswith("dual (T)") and "1 of 3 speakers" in n for n in told) and told


def test_three_classes_and_part_of_a_corpus_are_told_beside_the_table(tmp_path):
    rows = corpus_rows(3, 4)
    rows["labels"] = [0, 1, 2, 0] * 3
    for fold in ("S00", "S01", "S02"):
        data = record("dual", fold, rows=rows)
        data["corpus"] |= {"expected": 339, "missing": [
            "no utterance is sad: scores are over three classes, not four",
            "3 speakers are here, the whole corpus has 10"]}  # fmt: skip
        write(tmp_path, data)
    report = make_report(tmp_path)
    text = report.to_text()
    assert "12 of 339 utterances tested; UA over 3 classes (no sad)" in text
    assert "missing: 3 speakers are here, the whole corpus has 10" in text
    line = next(csv.DictReader(io.StringIO(report.to_csv())))
    assert (line["n"], line["n_expected"], line["classes"]) == ("12", "339", "3")
    assert "3 speakers are here" in line["missing"]
    assert json.loads(report.to_json())["rows"][0]["classes"] == ["angry", "happy", "neutral"]
    chance = [line for line in results_table_plot(report.table).axes[0].lines
              if line.get_label() == "chance"]  # fmt: skip
    assert chance[0].get_xdata()[0] == pytest.approx(100 / 3)


def test_records_of_before_and_tables_of_ones_own_are_told_by_what_was_tested(tmp_path):
    old = make_report(grid(tmp_path / "a", {"dual": {}})).to_text()
    assert "80 of 339 utterances tested; all four classes" in old
    own = make_report(grid(tmp_path / "b", {"dual": {}}, corpus="manifest")).to_text()
    assert "80 utterances tested; all four classes" in own


def test_how_baselines_were_tuned_is_told_and_old_and_new_are_not_pooled(tmp_path):
    rows = corpus_rows()
    for folder in ("old", "new"):
        for i, fold in enumerate(sorted(set(rows["speakers"]))):
            data = record("egemaps-lr", fold, rows=rows, skill=1.0 + (folder == "new"))
            if folder == "new":
                chosen = {"C": [0.1, 1.0][i % 2], "class_weight": [None, "balanced"][i % 2]}
                data["tuning"] = {"inner": "5 folds by speaker", "chosen": chosen, "scores": []}
                data["config"] |= {"tuning": "nested"}
                data["selection"]["last"]["logits"] = (
                    np.array(data["selection"]["last"]["logits"]) * 2
                ).tolist()
            write(tmp_path / folder, data)
    assert (
        "egemaps-lr: C = 1, no class weights, the same in every fold"
        in make_report(tmp_path / "old").to_text()
    )
    new = make_report(tmp_path / "new")
    assert (
        "egemaps-lr: chosen in each fold on its training side (5 folds by speaker): C 0.1 to 1, "
        "classes weighted in 2 of 5" in new.to_text()
    )
    assert list(new.table.tuning) == ["nested"]
    both = make_report([tmp_path / "old", tmp_path / "new"])
    assert list(both.table.model) == ["egemaps-lr", "egemaps-lr [tuning fixed]"]
