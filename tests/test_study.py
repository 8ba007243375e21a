"""The study's tables and figures, from made-up records whose answers are known."""

from __future__ import annotations

import json
import shlex

import numpy as np
import pytest
from chapters.ablations.verdicts import main_answers, verdict_summary
from chapters.shared.question_list import QUESTIONS
from chapters.shared.study import (
    by_group,
    genders,
    misheard,
    pair_confusion,
    questions,
    selection_gap,
)
from chapters.shared.study_figures import question_forest, selection_slopes, speaker_dots
from records_maker import corpus_rows, make_results, read, record, rewrite, write

from ser.cli import build_parser
from ser.corpora.base import EMOTIONS
from ser.errors import RecordError
from ser.plots import describe
from ser.report import load_records, make_report
from ser.rows import ROWS
from tools import study

SPEAKERS, EACH = 8, 12


def answer(logits_of: list[int]) -> list[list[float]]:
    return [[5.0 * (c == a) for c in range(4)] for a in logits_of]


def put(folder, model, wrong, seeds=2, selections=("last",), **options):
    """A finished row; *wrong(i, seed, selection)* says which of a speaker's clips it misses."""
    rows = corpus_rows(SPEAKERS, EACH)
    config = options.pop("config", {})
    parameters = options.pop("parameters", 1000)
    for fold in sorted(set(rows["speakers"])):
        for seed in range(seeds):
            data = record(model, fold, seed, rows=rows, selections=selections, **options)
            labels = data["test"]["labels"]
            for name in selections:
                said = [
                    (y + 1) % 4 if wrong(i, seed, name) else y for i, y in enumerate(labels)
                ]  # fmt: skip
                data["selection"][name]["logits"] = answer(said)
            data["config"] |= config
            data["parameters"] = parameters
            write(folder, data)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    three = ("last", "dev", "test")
    put(out / "a", "dual", lambda i, s, n: i < (4 if n == "last" else 3 if n == "dev" else 0),
        selections=three)  # fmt: skip
    put(out / "a", "mfcc-lstm", lambda i, s, n: i < 10, seeds=1)
    put(out / "a", "ds-lstm", lambda i, s, n: i < 4 or (s == 0 and i == 5), parameters=3000)
    put(out / "a", "cnn-lstm-pair", lambda i, s, n: i < 6, parameters=2000)
    put(out / "b", "cnn-lstm-pair", lambda i, s, n: i < 5, parameters=2950,
        config={"hidden": 260})  # fmt: skip
    put(out / "c", "dual", lambda i, s, n: i < 2, preset="paper")
    put(out / "d", "dual", lambda i, s, n: i < 1, protocol="random")
    put(out / "e", "dual", lambda i, s, n: i < 8, config={"frames": "true"})
    for part in ("a", "b", "c"):
        for path in (out / part).glob("*/*.parquet"):
            data = read(path)
            data["config"].setdefault("hidden", 200)
            data["config"].setdefault("frames", "preset")
            rewrite(path, data)
    return out


@pytest.fixture(scope="module")
def report(folder):
    return make_report(folder, resamples=200)


@pytest.fixture(scope="module")
def table(report):
    return questions(report)


def test_every_question_is_about_rows_there_are_or_will_be():
    assert len({q.key for q in QUESTIONS}) == len(QUESTIONS)
    for question in QUESTIONS:
        for pair in question.pairs:
            assert {w.model for w in pair} <= {*ROWS, "dual+"}
            assert pair[0] != pair[1]


def test_answers_are_the_differences_that_were_put_in(table, report):
    assert list(table.index) == [q.key for q in QUESTIONS]
    done = table[table.verdict != "not run"]
    assert set(done.index) == {
        "one cell", "one cell, equal size", "fusion, MFCC", "fusion, DS-LSTM", "preset, dual",
        "windows", "frames", "speakers", "dev", "peeking",
    }  # fmt: skip
    row = table.loc["fusion, MFCC"]
    expected = report.row("dual", preset="release").ua.mean() - report.row("mfcc-lstm").ua.mean()
    assert row.difference == pytest.approx(100 * expected) and row.difference > 30
    assert row.low < row.difference < row.high and row.speakers == SPEAKERS
    assert row.seeds == "2/1" and table.seeds["fusion, DS-LSTM"] == "2"
    assert (table.low <= table.difference + 1e-9)[done.index].all()
    assert "[hidden 260]" in table.second["one cell, equal size"]
    assert table["first"]["preset, dual"] == "dual (paper)"
    assert "[frames true]" in table["first"]["frames"]
    assert table["first"]["windows"] == "dual (paper)"
    assert table.second["windows"] == "dual [frames true] (release)"
    assert table["first"]["peeking"] == "dual* (test)" and table.difference["frames"] < 0


def test_verdicts_are_after_holms_correction(report):
    every = questions(report)
    assert set(every.verdict[every.family == "main"]) == {"better", "not run"}
    assert set(every.verdict[every.family == "other"]) == {"open", "not run"}
    assert "7 other questions no corrected p" in every.attrs["notes"][0]
    assert "every answer among them is open" in every.attrs["notes"][0]
    few = questions(report, only=["fusion, MFCC", "frames", "peeking", "speakers"])
    assert few.verdict.to_dict() == {
        "fusion, MFCC": "better", "frames": "worse", "peeking": "higher", "speakers": "higher",
    }  # fmt: skip
    families = few.family.value_counts()
    assert np.allclose(few.p_holm, few.family.map(families) * 2 / 2**SPEAKERS)
    assert families.to_dict() == {"other": 3, "main": 1}
    assert not any("open" in note for note in few.attrs["notes"])


def test_what_is_missing_comes_with_a_command_that_the_command_line_takes(table):
    missing = table[table.verdict == "not run"]
    assert (missing.command != "").all() and missing.difference.isna().all()
    for command in " && ".join(missing.command).split(" && "):
        words = shlex.split(command)
        assert build_parser("run").parse_args(words[1:]).command == "run"
    words = missing.command["plain LSTM, equal size"]
    assert "--hidden 323" in words and "--model concat-lstm " in words
    assert "hidden323" in shlex.split(words)[-1]
    assert "cnn-lstm-s1,cnn-lstm-s2" in missing.command["two spectrograms"]
    assert table.attrs["notes"][-1].count(";") == len(missing) - 1


def test_the_better_of_two_is_asked_only_where_both_were_run(folder, tmp_path):
    put(tmp_path, "cnn-lstm-pair", lambda i, s, n: i < 4)
    put(tmp_path, "cnn-lstm-s2", lambda i, s, n: i < 5)
    key = "two spectrograms"
    one = questions(make_report(tmp_path, resamples=50), only=[key])
    assert one.verdict.tolist() == ["not run"] and "--model cnn-lstm-s1 " in one.command.iloc[0]
    put(tmp_path, "cnn-lstm-s1", lambda i, s, n: i < 7)
    both = questions(make_report(tmp_path, resamples=50), only=[key])
    assert both.second.tolist() == ["cnn-lstm-s2"]


def test_one_seed_one_protocol_and_two_corpora(tmp_path):
    make_results(tmp_path / "a", {"mfcc-lstm": 0.5, "dual": 3.0}, speakers=7, each=8)
    models = {"mfcc-lstm": 0.5, "dual": 3.0}
    make_results(tmp_path / "b", models, corpus="nemo", protocol="random")
    report = make_report(tmp_path, resamples=50)
    table = questions(report, only="fusion, MFCC")
    assert table.corpus.tolist() == ["emodb", "nemo"]
    assert table.protocol.tolist() == ["loso", "random"]
    assert table.verdict.iloc[0] == "better" and table.p.iloc[0] < 0.05
    assert len(questions(report, corpus="nemo")) == len(QUESTIONS)
    with pytest.raises(RecordError, match="no rows to ask"):
        questions(report, corpus="iemocap")
    with pytest.raises(RecordError, match="no question 'why'"):
        questions(report, only=["why"])


def test_unfinished_rows_answer_nothing(tmp_path):
    make_results(tmp_path, {"mfcc-lstm": 0.5, "dual": 3.0})
    next((tmp_path / "dual").glob("*.parquet")).unlink()
    table = questions(make_report(tmp_path, resamples=50), only="fusion, MFCC")
    assert table.verdict.tolist() == ["not run"]


def test_runs_under_other_settings_are_rows_of_their_own(folder, tmp_path):
    models = {r.model for r in make_report(folder, resamples=20).rows}
    assert {"cnn-lstm-pair", "cnn-lstm-pair [hidden 260]", "dual", "dual [frames true]"} <= models
    put(tmp_path / "dev", "dual", lambda i, s, n: i < 2, config={"weight_decay": 0.1})
    put(tmp_path / "plain", "dual", lambda i, s, n: i < 3, config={"weight_decay": 0.0})
    rows = make_report(tmp_path, resamples=20).rows
    assert [r.model for r in rows] == ["dual", "dual [weight_decay 0.1]"]
    put(tmp_path / "shuffled", "ds-lstm", lambda i, s, n: i < 9, config={"permute": 0})
    rows = make_report(tmp_path, resamples=20).rows
    assert "ds-lstm [labels permuted 0]" in [r.model for r in rows]
    put(tmp_path / "even", "egemaps-lr", lambda i, s, n: i < 4, config={"leave_dev": True})
    rows = make_report(tmp_path / "even", resamples=20).rows
    assert [r.model for r in rows] == ["egemaps-lr [without dev]"]


def test_dev_chosen_is_compared_with_the_last_epoch_of_the_same_runs(tmp_path):
    put(tmp_path / "plain", "dual", lambda i, s, n: i < 3)
    held = put(
        tmp_path / "held", "dual", lambda i, s, n: i < (2 if n == "dev" else 6),
        selections=("last", "dev"),
    )  # fmt: skip
    for path in held.glob("*/*.parquet"):
        data = read(path)
        data["protocol"]["dev"], data["protocol"]["hash"] = 9, "other" + data["protocol"]["fold"]
        rewrite(path, data)
    every = questions(make_report(held, resamples=20), only="speakers")
    assert shlex.split(every.command.iloc[0])[-1] == "results/emodb-random-dev"
    table = questions(make_report(tmp_path, resamples=50), only="dev")
    assert table["first"].tolist() == ["dual [dev held out] (dev)"]
    assert table.second.tolist() == ["dual [dev held out] (last)"]
    assert table.difference.iloc[0] > 25


def test_rows_with_other_speakers_in_training_are_not_compared(tmp_path):
    """A row whose dev speakers were trained on is no partner for one that had them held out."""
    put(tmp_path / "held", "dual", lambda i, s, n: i < 3)
    plain = put(tmp_path / "plain", "mfcc-lstm", lambda i, s, n: i < 9)
    assert questions(make_report(tmp_path, resamples=20), "fusion, MFCC").verdict.tolist() == [
        "better"
    ]
    for path in plain.glob("*/*.parquet"):
        data = read(path)
        data["protocol"]["hash"] = "other" + data["protocol"]["fold"]
        rewrite(path, data)
    table = questions(make_report(tmp_path, resamples=20), "fusion, MFCC")
    assert table.verdict.tolist() == ["not run"] and "--model mfcc-lstm " in table.command.iloc[0]


def test_another_preset_does_not_answer_for_true_lengths(tmp_path):
    put(tmp_path / "a", "dual", lambda i, s, n: i < 3, config={"frames": "preset"})
    put(tmp_path / "b", "dual", lambda i, s, n: i < 1, preset="paper", config={"frames": "preset"})
    table = questions(make_report(tmp_path, resamples=20), ["frames", "preset, dual"])
    assert table.verdict["frames"] == "not run" and table.verdict["preset, dual"] != "not run"
    assert "--frames true" in table.command["frames"] and "paper" not in table.command["frames"]


def test_verdicts_in_words(report):
    few = questions(report, only=["fusion, MFCC", "frames", "equations"])
    text = verdict_summary(few)
    assert text.startswith(
        f"- emodb, {SPEAKERS} speakers, 2 questions. Settled: fusion, MFCC (`dual"
    )
    assert "Open: none. Not run: equations." in text
    assert "0.008 among the 1 main ones and 0.008 among the 1 other ones." in text
    every = questions(report)
    text = verdict_summary(every)
    assert "7 other ones, of which none could be settled" in text
    assert "One seed stands on a side of 1 answers (fusion, MFCC)" not in text  # no spread known
    line = few.loc["fusion, MFCC"]
    ends = f"{line.difference:+.1f} points ({line.low:+.1f} to {line.high:+.1f})"
    assert main_answers(few) == f"- And beside its MFCC branch? emodb: yes, {ends}."
    lines = main_answers(every).splitlines()
    assert "beside two LSTMs on the same two spectrograms? emodb: yes, +12.8" in lines[1]
    assert lines[0].endswith("emodb: not run.") and len(lines) == 4


def test_the_default_folders_of_the_tool_are_the_study(monkeypatch, tmp_path):
    results = tmp_path / "book" / "results"
    for name, study_name, dev in (
        ("emodb-loso", "main", 0), ("emodb-loso-dev", "main", 2),
        ("emodb-loso-true", "variants", 2), ("emodb-floors", "floors", 0),
    ):  # fmt: skip
        make_results(results / name, {"dual": 2.0}, 2, 4, study=study_name, dev=dev)
    monkeypatch.setattr(study, "ROOT", tmp_path)
    assert [f.name for f in study.folders()] == ["emodb-loso-dev", "emodb-loso-true"]
    assert study.recipe_tables(results) == {}
    put(results / "recipe" / "as-released", "dual", lambda i, s, n: i < 3,
        selections=("last", "dev"))  # fmt: skip
    for path in (results / "recipe").rglob("*.parquet"):
        data = read(path)
        rewrite(path, data | {"history": [e | {"dev_ua": 0.5} for e in data["history"]]})
    assert list(study.recipe_tables(results, 20)) == ["recipes: dual, emodb"]


def test_groups_have_their_own_scores(report):
    row = report.row("dual", preset="release", protocol="loso")
    table = by_group(row, "speaker", resamples=50)
    assert list(table.columns[:2]) == ["gender", "speakers"] and len(table) == SPEAKERS
    for name, line in table.iterrows():
        mine = row.speakers == name
        right = (row.predictions == row.labels)[:, mine]
        recalls = [right[:, row.labels[mine] == c].mean() for c in set(row.labels[mine])]
        assert line.ua == pytest.approx(100 * np.mean(recalls))
        assert line.n == EACH and line.low <= line.ua <= line.high and line.sd == 0
    assert table.ua.is_monotonic_increasing
    sexes = by_group(row.records, "gender", resamples=50)
    assert sexes.n.sum() == SPEAKERS * EACH and set(sexes.index) == {"female", "male"}
    assert set(genders(row)) == {"female", "male"}
    with pytest.raises(RecordError, match="by speaker or by gender"):
        by_group(row, "age")
    with pytest.raises(RecordError, match="records of one row"):
        by_group(load_records([r.path for r in report.rows[0].records]), selection="dev")


def test_groups_of_one_seed_and_of_records_without_gender(tmp_path):
    make_results(tmp_path, {"dual": 2.0})
    for path in tmp_path.glob("*/*.parquet"):
        data = read(path)
        del data["test"]["genders"]
        rewrite(path, data)
    row = make_report(tmp_path, resamples=20).row("dual")
    table = by_group(row, resamples=20)
    assert table.sd.isna().all() and set(table.gender) == {""}
    with pytest.raises(RecordError, match="female"):
        by_group(row, "gender")
    assert "not told" in [t.get_text() for t in speaker_dots(table).legends[0].get_texts()]


def test_clips_that_most_seeds_miss(tmp_path):
    put(tmp_path, "dual", lambda i, s, n: i == 0 or (i == 1 and s < 2) or (i == 2 and s == 0),
        seeds=3)  # fmt: skip
    put(tmp_path, "ds-lstm", lambda i, s, n: i == 0, seeds=3)
    report = make_report(tmp_path, resamples=20)
    row = report.row("dual")
    table = misheard(row)
    assert len(table) == 2 * SPEAKERS and table.attrs["of"] == SPEAKERS * EACH
    assert table.wrong.tolist() == [1.0] * SPEAKERS + [pytest.approx(2 / 3)] * SPEAKERS
    assert set(table.utterance.str[-3:]) == {"000", "001"} and set(table.runs) == {3}
    for line in table.itertuples():
        assert EMOTIONS.index(line.answered) == (EMOTIONS.index(line.true) + 1) % 4
        assert line.as_that == line.wrong
    assert len(misheard(row, 0.9)) == SPEAKERS and len(misheard(row, 0)) == 3 * SPEAKERS
    both = misheard([row, report.row("ds-lstm")])
    assert len(both) == SPEAKERS and set(both.runs) == {6}
    with pytest.raises(RecordError, match="at least one row"):
        misheard([])


def test_one_emotion_heard_as_another(tmp_path):
    put(tmp_path, "dual", lambda i, s, n: i == 0 or (i == 1 and s == 0))
    row = make_report(tmp_path, resamples=20).row("dual")
    there, back = pair_confusion(row, "angry", "happy", 100).to_dict("records")
    angry = row.labels == 0
    assert there["n"] == angry.sum()
    assert there["share"] == pytest.approx(100 * (row.predictions[:, angry] == 1).mean())
    assert there["low"] <= there["share"] <= there["high"] and there["heard"] > 0
    assert (back["true"], back["answered"], back["share"]) == ("happy", "angry", 0)
    with pytest.raises(RecordError, match="unknown class"):
        pair_confusion(row, "angry", "bored")
    with pytest.raises(RecordError, match="twice"):
        pair_confusion(row, "sad", "sad")


def test_selections_of_the_same_runs(report, folder, tmp_path):
    table = selection_gap(report, "dual", preset="release", protocol="loso")
    assert table.index.tolist() == ["last", "dev", "test"]
    assert table.ua["test"] == 100 and table.seeds.eq(2).all()
    assert table.difference["dev"] == pytest.approx(table.ua["dev"] - table.ua["last"])
    assert np.isnan(table.p["last"]) and table.p["test"] == pytest.approx(2 / 2**SPEAKERS)
    other = selection_gap(report, "dual", "test", preset="release", protocol="loso")
    assert other.difference["last"] == pytest.approx(-table.difference["test"])
    with pytest.raises(RecordError, match="last,dev,test"):
        selection_gap(report, "mfcc-lstm")
    with pytest.raises(RecordError, match="no row nothing"):
        selection_gap(report, "nothing")
    put(tmp_path, "dual", lambda i, s, n: i < 3, selections=("last", "test"), seeds=1)
    rows = corpus_rows(SPEAKERS, EACH)
    for fold in sorted(set(rows["speakers"])):
        write(tmp_path, record("dual", fold, 1, rows=rows, selections=("last",)))
    partly = selection_gap(make_report(tmp_path, resamples=20))
    assert partly.seeds.tolist() == [1, 1] and "left out" in partly.attrs["notes"][0]


def test_figures_say_what_they_show(table, report):
    fig = question_forest(table, "Questions")
    assert fig.axes[0].get_xlabel() == "difference in UA, points"
    assert "dual minus mfcc-lstm" in describe(fig) and "Not run: two spectrograms" in describe(fig)
    few = questions(report, only=["fusion, MFCC", "frames", "peeking", "fusion, DS-LSTM"])
    legend = {t.get_text() for t in question_forest(few).legends[0].get_texts()}
    assert legend == {"better", "worse", "higher"}
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["better", "open"]
    markers = [line.get_marker() for line in question_forest(few).axes[0].lines[1:]]
    faces = [line.get_markerfacecolor() for line in question_forest(few).axes[0].lines[1:]]
    assert len(set(zip(markers, faces, strict=True))) == 3
    row = report.row("dual", preset="release", protocol="loso")
    dots = speaker_dots(by_group(row, resamples=20), "dual")
    assert "percent" in dots.axes[0].get_xlabel() and "S00 (male)" in describe(dots)
    assert {line.get_marker() for line in dots.axes[0].lines} >= {"o", "s"}
    gap = selection_gap(report, "dual", preset="release", protocol="loso")
    slopes = selection_slopes({"dual": gap})
    assert slopes.axes[0].get_ylabel().startswith("UA in percent")
    assert "test 100.0" in describe(slopes) and "too good" in describe(slopes)
    with pytest.raises(ValueError, match="answered"):
        question_forest(table[table.verdict == "not run"])
    with pytest.raises(ValueError, match="lines can be drawn"):
        selection_slopes({})
    with pytest.raises(ValueError, match="speakers"):
        speaker_dots(by_group(row, "gender", resamples=20))


def test_one_command_prints_every_table(folder, capsys):
    assert study.main([str(folder), "--resamples", "50"]) == 0
    out = capsys.readouterr().out
    for part in ("questions", "selection:", "by speaker:", "by gender:", "heard as:", "misheard:"):
        assert part in out
    assert "to make what was not run" in out and "ser run --corpus emodb" in out
    assert study.main([str(folder), "--resamples", "50", "--json", "--only", "dev"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [line["key"] for line in data["questions"]] == ["dev"]
    assert study.main([str(folder), "--model", "nothing"]) == 2
    assert study.main([str(folder / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err


def test_one_seed_on_a_side_is_told_with_how_far_seeds_differ(tmp_path):
    put(tmp_path, "dual", lambda i, s, n: i < 4 + s, seeds=3)
    put(tmp_path, "mfcc-lstm", lambda i, s, n: i < 6, seeds=1)
    put(tmp_path, "cnn-lstm-pair", lambda i, s, n: i < 6, seeds=1, parameters=500)
    put(tmp_path, "ds-lstm", lambda i, s, n: i < 5, seeds=3)
    table = questions(make_report(tmp_path, resamples=20))
    told = [note for note in table.attrs["notes"] if "one seed" in note]
    assert len(told) == 1 and "(one cell; fusion, MFCC)" in told[0]
    spread = 100 * np.std([8 / 12, 7 / 12, 6 / 12], ddof=1)
    assert f"deviation of 0.0 to {spread:.1f} points" in told[0]
    assert "one seed stands" in verdict_summary(table).lower()


def test_functionals_are_asked_on_even_terms_where_there_are_such_records(tmp_path):
    def dev(data, **more):
        data["protocol"]["dev"] = 2
        data["config"] |= more
        return data

    rows = corpus_rows(SPEAKERS, EACH)
    for fold in sorted(set(rows["speakers"])):
        write(tmp_path / "a", dev(record("dual", fold, rows=rows, skill=2.0)))
        write(tmp_path / "a", dev(record("egemaps-lr", fold, rows=rows, skill=1.0)))
    key = "functionals"
    asked = questions(make_report(tmp_path / "a", resamples=20), only=[key])
    assert asked.second[key] == "egemaps-lr" and asked.seeds[key] == "1/-"
    for fold in sorted(set(rows["speakers"])):
        even = dev(record("egemaps-lr", fold, rows=rows, skill=0.5), leave_dev=True)
        write(tmp_path / "b", even)
    asked = questions(make_report([tmp_path / "a", tmp_path / "b"], resamples=20), only=[key])
    assert asked.second[key] == "egemaps-lr [without dev]"
