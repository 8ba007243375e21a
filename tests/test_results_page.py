"""The tables and the summary of a page of results, from made-up records with known answers."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.shared import result_page
from chapters.shared import result_tables as page
from chapters.shared.baseline_gap import baseline_gap
from chapters.shared.commands import commands
from chapters.shared.study import by_group
from records_maker import corpus_rows, make_results, read, record, rewrite, write

from ser.corpora.base import EMOTIONS
from ser.report import load_records, make_report

SPEAKERS, EACH = 8, 12


def put(folder, model, wrong, seeds=1, protocol="loso", selections=("last", "test"), dev=0):
    """A finished row; it misses *wrong[selection]* of each speaker's clips."""
    rows = corpus_rows(SPEAKERS, EACH)
    for fold in sorted(set(rows["speakers"])):
        for seed in range(seeds):
            data = record(model, fold, seed, rows=rows, selections=selections, protocol=protocol)
            for name in data["selection"]:
                answers = [
                    (y + (i < wrong[name])) % 4 for i, y in enumerate(data["test"]["labels"])
                ]
                data["selection"][name]["logits"] = np.eye(4)[answers].tolist()
            data["protocol"]["dev"] = dev
            write(folder, data)
    return folder


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    out = tmp_path_factory.mktemp("page")
    unseen, shared = out / "loso", out / "random"
    put(unseen, "egemaps-lr", {"last": 6})
    put(unseen, "mfcc-lstm", {"last": 8, "test": 4}, dev=9)
    put(unseen, "ds-lstm", {"last": 5, "test": 3}, dev=9)
    put(unseen, "dual", {"last": 2, "dev": 4, "test": 0}, 3, dev=9,
        selections=("last", "dev", "test"))  # fmt: skip
    put(shared, "dual", {"last": 0, "test": 0}, 2, "random", dev=9)
    put(shared, "ds-lstm", {"last": 0, "test": 0}, 2, "random")
    return make_report(out, resamples=100)


def test_what_was_made_gives_ranges_and_says_who_had_a_dev_set(report):
    table = page.runs_table(report)
    assert table.seeds.to_dict() == {"loso": "1 to 3", "random": "2"}
    assert table.rows.to_dict() == {"loso": "4", "random": "2"}
    assert table["dev set"].to_dict() == {"loso": "yes/no", "random": "yes/no"}
    assert table.devices.to_dict() == {"loso": "CPU", "random": "CPU"}
    for run in report.rows[0].records[:1]:
        run.data["device"] = "cuda"
    assert page.runs_table(report).devices["loso"] == "CPU/GPU"
    run.data["device"] = "cpu"
    assert table.epochs["loso"] == "3" and table.speakers["loso"] == str(SPEAKERS)


def test_scores_are_those_of_the_report(report):
    table = page.scores(report)
    row = report.row("dual", protocol="loso")
    assert table.loc[("loso", "dual"), ("last", "UA")] == f"{100 * row.ua.mean():.1f}"
    assert table.loc[("loso", "dual"), ("last", "sd")] == "0.0"
    assert table.loc[("loso", "mfcc-lstm"), ("last", "sd")] == ""
    assert table.loc[("random", "dual"), ("dev", "UA")] == ""
    assert ("test", "interval") not in table.columns


def test_effects_compare_a_row_with_itself(report):
    found = page.effects(report)
    assert set(found["speakers shared"]) == {"dual"}
    assert found["speakers shared"]["dual"].ua_difference > 0
    assert found["dev-chosen"]["dual"].ua_difference < 0
    assert set(found["test-chosen *"]) == {"mfcc-lstm", "ds-lstm", "dual"}
    table = page.effect_table(report)
    assert list(table.index) == ["mfcc-lstm", "ds-lstm", "dual"]
    assert table.loc["mfcc-lstm", "speakers shared"] == ""
    # Under random folds it held out nothing: it would be compared with itself trained on less.
    assert table.loc["ds-lstm", "speakers shared"] == ""


def test_what_parts_are_worth(report):
    table = page.part_gains(report)
    assert set(table.index.get_level_values("protocol")) == {"loso", "random"}
    assert table.loc[("loso", "MFCC beside the DS-LSTM"), "points"].startswith("+")


def test_six_rows_stand_on_top_the_honest_columns_first(report):
    table = result_page.headline(report)
    assert list(table.index) == ["egemaps-lr", "mfcc-lstm", "ds-lstm", "dual"]
    assert list(table.columns)[:2] == [result_page.UNSEEN, result_page.INTERVAL]
    row = report.row("dual", protocol="loso")
    assert table.loc["dual", result_page.UNSEEN] == f"{100 * row.ua.mean():.1f}"
    assert table.loc["dual", result_page.SHARED] == "100.0"
    assert table.loc["egemaps-lr", result_page.CHOSEN] == ""


def test_what_is_seen_on_a_page_turns_with_the_records(report, tmp_path):
    text = result_page.headline_words(report).text
    best = 100 * report.row("dual", protocol="loso").ua.mean()
    assert f"the highest is `dual` ({best:.1f} %)" in text and "normalise each" not in text
    assert "Shared speakers change `ds-lstm` most" in text
    put(tmp_path, "ds-lstm", {"last": 2, "test": 0})
    put(tmp_path, "dual", {"last": 8, "test": 0})
    other = make_report(tmp_path, resamples=50)
    assert "the highest is `ds-lstm`" in result_page.headline_words(other).text
    parts = result_page.parts_words(other).text
    assert "Unseen speakers: p is below 0.05 for 1 of 1 questions" in parts
    assert "after the correction for 1 (*MFCC beside the DS-LSTM*)" in parts
    told = result_page.effects_words(report).text
    assert "shared speakers +" in told and "the epoch chosen on dev speakers -" in told


def test_a_page_says_which_emotion_and_which_speaker_are_worst(report):
    row = report.row("mfcc-lstm", protocol="loso")
    said = result_page.confusion_words(row).text
    share = np.asarray(row.confusion, float)
    worst = int((np.diag(share) / share.sum(1)).argmin())
    assert said.lower().startswith(EMOTIONS[worst])
    each = by_group(row, "speaker", resamples=20)
    assert f"({each.ua.idxmin()})" in result_page.speaker_words(each).text
    assert "3 epochs" in result_page.settings_words(row.records).text


def test_one_random_protocol_is_not_called_unseen(tmp_path):
    make_results(tmp_path, {"dual": 2.0}, protocol="random")
    report = make_report(tmp_path, resamples=20)
    assert page.effects(report) == {} and page.effect_table(report).empty
    assert page.part_gains(report).empty
    assert result_page.headline_words(report).text.startswith("On shared speakers")


def test_commands_are_told_once_with_their_runs(tmp_path):
    make_results(tmp_path, {"dual": 2.0}, speakers=3, each=4)
    first = next(tmp_path.glob("*/*.parquet"))
    data = read(first)
    data["command"] = "ser run --corpus emodb " + " ".join(
        f"--option{i} value{i}" for i in range(9)
    )
    rewrite(first, data)
    text = commands(load_records(tmp_path))
    assert "# 2 records" in text and "# 1 record\n" in text + "\n"
    assert max(map(len, text.splitlines())) <= 80
    told = text.replace("\\\n", "").split()
    assert told.count("--option8") == 1 and "value8" in told


@pytest.mark.parametrize("seeds", ["1", "0,", "0,0"])
def test_rows_of_the_same_seeds_share_a_command(tmp_path, seeds):
    make_results(tmp_path, {"dual": 2.0, "ds-lstm": 1.0, "majority": 0.0}, speakers=3, each=4)
    head = "ser run --corpus emodb --root 'a b'"
    told = {
        "dual": f"{head} --model dual --seeds {seeds} --jobs 2 --out x",
        "ds-lstm": f"{head} --out x --threads 1 --quiet --seeds 1 --model ds-lstm",
        "majority": f"{head} --model majority --seeds 2 --out x",
    }
    for path in tmp_path.glob("*/*.parquet"):
        data = read(path)
        rewrite(path, data | {"command": told[data["model"]]})
    text = commands(load_records(tmp_path)).replace(" \\\n   ", "")
    assert text.splitlines() == [
        f"$ {head} --model ds-lstm,dual --seeds 1 --out x",
        "  # 6 records",
        f"$ {head} --model majority --seeds 2 --out x",
        "  # 3 records",
    ]


def test_a_list_of_rows_is_cut_where_a_page_ends(tmp_path):
    rows = [f"row-with-a-long-name-{i}" for i in range(7)]
    make_results(tmp_path, dict.fromkeys(rows, 1.0), speakers=3, each=4)
    for path in tmp_path.glob("*/*.parquet"):
        data = read(path)
        command = f"ser run --corpus emodb --model {','.join(rows)} --seeds 0,3 --out x"
        rewrite(path, data | {"command": command})
    text = commands(load_records(tmp_path))
    assert max(map(len, text.splitlines())) <= 72
    assert all(text.count(row) == 1 for row in rows)
    assert text.count("# 6 records") == 3 and text.count("# 3 records") == 1
    assert text.count("--seeds 0,3") == 4


@pytest.mark.parametrize("command", ["", "ser run --seeds many --model a 'b", "python x.py"])
def test_a_command_that_cannot_be_taken_apart_stands_as_it_is(tmp_path, command):
    make_results(tmp_path, {"dual": 2.0}, speakers=3, each=4)
    for path in tmp_path.glob("*/*.parquet"):
        data = read(path)
        rewrite(path, data | {"command": command})
    text = commands(load_records(tmp_path))
    assert "# 3 records" in text
    for word in command.replace("'", "").split():
        assert word in text


def test_networks_stand_beside_the_higher_floor(tmp_path):
    make_results(tmp_path / "rows", {"dual": 3.0, "mfcc-lstm": 0.0, "egemaps-lr": 1.0})
    report = make_report(tmp_path / "rows", resamples=50)
    assert baseline_gap(report, []).empty
    make_results(tmp_path / "floors", {"level-lr": -1.0, "duration-lr": 0.2, "majority": 0.0})
    floors = load_records(tmp_path / "floors")
    table = baseline_gap(report, floors)
    assert table.index.tolist() == ["mfcc-lstm", "dual"]
    floor = make_report(floors).row("duration-lr")
    assert table.attrs["baseline"] == f"duration-lr, {100 * floor.ua.mean():.1f} %"
    points = 100 * (report.row("dual").ua.mean() - floor.ua.mean())
    assert table.points["dual"].startswith(f"{points:+.1f} (")


def test_a_fused_row_was_trained_on_what_its_branches_were(tmp_path):
    make_results(tmp_path, {"mfcc-lstm": 1.0, "ds-lstm": 1.0, "dual": 1.0})
    for path in tmp_path.glob("*/*.parquet"):
        data = read(path)
        if data["model"] == "ds-lstm":
            data["device"] = "cuda"
        if data["model"] == "dual":
            data["fused_from"] = [data["id"].replace("dual", m) for m in ("mfcc-lstm", "ds-lstm")]
        rewrite(path, data)
    records = load_records(tmp_path)
    only = [r for r in records if r.data["model"] in ("mfcc-lstm", "dual")]
    assert set(page.runs_table(make_report(only, resamples=20)).devices) == {"CPU"}
    assert set(page.runs_table(make_report(records, resamples=20)).devices) == {"CPU/GPU"}


def test_a_command_without_rows_or_seeds_stands_for_the_defaults(tmp_path):
    make_results(tmp_path, {"dual": 2.0, "majority": 0.0}, speakers=3, each=4, seeds=2)
    for path in tmp_path.glob("*/*.parquet"):
        data = read(path)
        row, seed = data["model"], data["seed"]
        more = {"dual": "", "majority": " --model majority"}[row] + (" --seeds 1," if seed else "")
        rewrite(path, data | {"command": f"ser run --corpus emodb{more} --out x"})
    text = commands(load_records(tmp_path))
    assert text.splitlines() == [
        "$ ser run --corpus emodb --model dual,majority --seeds 2 --out x",
        "  # 12 records",
    ]
