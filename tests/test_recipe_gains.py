"""Recipes compared from made-up records whose answers are known, and the figures of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from chapters.recipe import words
from chapters.recipe.figures import (
    feature_panels,
    recipe_gains,
)
from chapters.recipe.gains import (
    BASE,
    OPTIONS,
    changed,
    command,
    dev_ua,
    finished,
    fold_ua,
    load_recipes,
    options_of,
    recipe_folder,
    recipe_sets,
    recipe_table,
    recipe_words,
)
from chapters.recipe.nested import choice_table, nested
from chapters.recipe.nested_drawing import folds_of, nested_drawing
from chapters.recipe.summary import recipe_summary
from chapters.shared.paired_questions import speaker_differences
from records_maker import corpus_rows, make_results, read, record, restated, rewrite, write

from ser.errors import RecordError
from ser.metrics import ua
from ser.plots import describe
from ser.report import make_report

SPEAKERS, EACH = 6, 12
FOLDS = [f"S{s:02d}" for s in range(SPEAKERS)]


def put(folder, wrong, dev, config=None, folds=FOLDS, model="dual", seeds=1, shift=1):
    """A recipe: in fold k it misses every wrong[k]-th clip and has dev[k] on its dev speakers."""
    rows = corpus_rows(SPEAKERS, EACH)
    for fold in folds:
        k = FOLDS.index(fold)
        for seed in range(seeds):
            data = record(
                model, fold, seed, rows=rows, selections=("last", "dev", "test"), folds=SPEAKERS
            )
            for name in ("last", "dev", "test"):
                answers = [
                    (y + shift) % 4 if wrong[k] and i % wrong[k] == 0 else y
                    for i, y in enumerate(data["test"]["labels"])
                ]
                data["selection"][name]["logits"] = np.eye(4)[answers].tolist()
            for line in data["history"]:
                line["dev_ua"] = dev[k] + 0.02 * seed if line["epoch"] == 3 else 0.99
            data["config"] |= config or {}
            write(folder, data)
    return folder


@pytest.fixture
def folder(tmp_path):
    put(tmp_path / BASE, [3] * 6, [0.5] * 6)
    # Better on dev in the first three folds, and better on the test in the first two.
    put(
        tmp_path / "normalise-speaker",
        [0, 0, 3, 2, 2, 2],
        [0.6, 0.6, 0.6, 0.4, 0.4, 0.4],
        {"normalise": "speaker"},
    )
    put(tmp_path / "average", [3] * 6, [0.5] * 6, {"ema": 0.98})
    (tmp_path / "begun" / "work").mkdir(parents=True)
    (tmp_path / "begun" / "work" / "x.json").write_text("{", "utf-8")
    return tmp_path


def test_recipes_come_in_order_and_without_those_that_have_no_record(folder):
    put(folder / "of my own", [0] * 6, [0.5] * 6)
    assert list(load_recipes(folder)) == [BASE, "normalise-speaker", "average", "of my own"]
    assert load_recipes(folder / "nothing") == {}


def test_scores_are_those_of_the_last_epoch(folder):
    rows = finished(load_recipes(folder), "dual")
    assert dev_ua(rows[BASE]).tolist() == [50.0] * 6
    row = rows["normalise-speaker"]
    assert dev_ua(row).tolist() == pytest.approx([60.0] * 3 + [40.0] * 3)
    assert fold_ua(row)["S00"] == 100.0
    mine = row.speakers == "S03"
    expected = 100 * ua(row.labels[mine], row.predictions[0, mine])
    assert fold_ua(row)["S03"] == pytest.approx(expected)


def test_seeds_are_averaged(tmp_path):
    put(tmp_path / BASE, [3] * 6, [0.5] * 6, seeds=2)
    put(tmp_path / "average", [3] * 6, [0.5] * 6, {"ema": 0.98}, seeds=1)
    rows = finished(load_recipes(tmp_path), "dual")
    assert dev_ua(rows[BASE]).tolist() == pytest.approx([51.0] * 6)
    assert recipe_table(load_recipes(tmp_path)).seeds.tolist() == [2, 1]
    assert nested(load_recipes(tmp_path)).paired.ua_difference == pytest.approx(0)


def test_table_says_what_differs_and_what_it_gains(folder):
    table = recipe_table(load_recipes(folder))
    assert table.option.tolist() == ["", "normalise speaker", "ema 0.98"]
    assert table.transductive.tolist() == [False, True, False]
    assert table.dev.tolist() == pytest.approx([50, 50, 50])
    assert table.gain["average"] == 0 and table.p["average"] == 1
    assert np.isnan(table.p[BASE]) and np.isnan(table.gain_low[BASE])
    row = table.loc["normalise-speaker"]
    assert row.gain == pytest.approx(row.ua - table.ua[BASE])
    assert row.gain_low < row.gain < row.gain_high
    assert row.p_holm >= row.p


def test_a_recipe_in_the_making_waits(folder):
    put(folder / "attention", [0] * 3, [0.9] * 3, {"pooling": "attention"}, folds=FOLDS[:3])
    assert "attention" not in recipe_table(load_recipes(folder)).index
    assert "attention" not in nested(load_recipes(folder)).among


def test_each_fold_takes_what_its_own_dev_speakers_like(folder):
    recipes = load_recipes(folder)
    result = nested(recipes)
    assert result.choices.recipe.tolist() == ["normalise-speaker"] * 3 + [BASE] * 3
    rows = finished(recipes, "dual")
    mixed = rows[BASE].predictions[0].copy()
    first = np.isin(rows[BASE].speakers, FOLDS[:3])
    mixed[first] = rows["normalise-speaker"].predictions[0, first]
    assert result.ua == pytest.approx(100 * ua(rows[BASE].labels, mixed))
    assert result.interval.low <= result.ua <= result.interval.high
    base = 100 * rows[BASE].ua.mean()
    assert 100 * result.paired.ua_difference == pytest.approx(result.ua - base)
    assert (result.choices.best >= result.choices.ua).all()


def test_what_may_be_chosen_can_be_narrowed(folder):
    recipes = load_recipes(folder)
    result = nested(recipes, among=["average"])
    assert set(result.choices.recipe) == {"average"} and result.among == ("average",)
    assert nested(recipes, among=[BASE, "average"]).among == (BASE, "average")


def test_a_tie_goes_to_the_first(tmp_path):
    put(tmp_path / BASE, [3] * 6, [0.5] * 6)
    put(tmp_path / "average", [0] * 6, [0.5] * 6)
    assert set(nested(load_recipes(tmp_path)).choices.recipe) == {BASE}


def test_without_records_or_base_there_is_no_answer(tmp_path):
    assert recipe_table({}).empty and nested({}) is None
    put(tmp_path / "average", [3] * 6, [0.5] * 6)
    recipes = load_recipes(tmp_path)
    assert recipe_table(recipes).empty and nested(recipes) is None
    assert recipe_table(recipes, "mfcc-lstm").empty


def test_one_recipe_is_a_table_and_no_choice(tmp_path):
    put(tmp_path / BASE, [3] * 6, [0.5] * 6)
    assert len(recipe_table(load_recipes(tmp_path))) == 1
    assert nested(load_recipes(tmp_path)) is None


def test_runs_without_dev_speakers_are_named(tmp_path):
    rows = corpus_rows(SPEAKERS, EACH)
    for fold in FOLDS:
        write(tmp_path / BASE, record("dual", fold, rows=rows))
    with pytest.raises(RecordError, match="no score on dev"):
        recipe_table(load_recipes(tmp_path))


def test_other_folds_are_refused(folder):
    rows = corpus_rows(SPEAKERS, EACH)
    for fold in FOLDS:
        write(folder / "other", record("dual", fold, rows=rows, split_hash=f"x{fold}"))
    with pytest.raises(RecordError, match="other folds"):
        finished(load_recipes(folder), "dual")


def test_changed_counts_defaults(folder):
    rows = finished(load_recipes(folder), "dual")
    assert changed(rows["average"], rows[BASE]) == {"ema": 0.98}
    assert changed(rows[BASE], rows["average"]) == {"ema": 0.0}


@pytest.mark.parametrize("name", OPTIONS)
def test_commands_are_understood(name):
    from ser.cli import build_parser

    args = build_parser().parse_args(command(name).split()[1:])
    assert args.epochs == (30 if name == "longer" else 15) and str(args.out).endswith(name)
    with pytest.raises(RecordError):
        command(name + "?")


def test_gains_show_what_the_table_says(folder):
    table = recipe_table(load_recipes(folder))
    fig = recipe_gains(table)
    assert "normalise-speaker" in describe(fig) and "transductive" in describe(fig)
    labels = [t.get_text() for t in fig.axes[0].get_yticklabels()]
    assert labels == ["normalise-speaker", "average"]
    with pytest.raises(ValueError):
        recipe_gains(table[:1])
    with pytest.raises(ValueError):
        recipe_gains(pd.DataFrame())


def test_long_names_of_recipes_do_not_overlap(folder):
    table = recipe_table(load_recipes(folder))
    base, other = table[table.gain_low.isna()], table[table.gain_low.notna()].iloc[:1]
    long = "normalise-train+dropout-masks+average+attention"
    many = pd.concat([base, *[other.rename(index=lambda _, k=k: f"{long}-{k}") for k in range(18)]])
    fig = recipe_gains(many)
    fig.canvas.draw()
    boxes = [t.get_window_extent() for t in fig.axes[0].get_yticklabels()]
    assert len(boxes) == 18
    assert all(above.y0 >= below.y1 for above, below in pairwise(boxes))


def test_panels_share_a_scale():
    fig = feature_panels({"raw": np.eye(4), "flat": np.zeros((4, 4))}, "dB")
    limits = {ax.images[0].get_clim() for ax in fig.axes[:2]}
    assert len(limits) == 1
    assert feature_panels({"silence": np.zeros((2, 2))}, "dB").axes
    with pytest.raises(ValueError):
        feature_panels({}, "dB")


def test_words_of_the_base_have_no_gain(folder):
    words = recipe_words(recipe_table(load_recipes(folder)))
    assert words.gain[BASE] == words.p[BASE] == words.Holm[BASE] == ""
    assert words["T"].tolist() == ["", "T", ""]
    assert words.gain["average"].startswith("+0.0 (")


def test_choices_are_made_with_and_without_the_transductive(folder):
    told = choice_table(load_recipes(folder), ["dual", "no such row"])
    assert told.index.tolist() == [("dual", "all"), ("dual", "inductive")]
    assert told["by mean dev"].tolist()[1] == BASE
    assert told.gain.tolist()[1].startswith("+0.0")
    assert choice_table({}, ["dual"]).empty


def test_combinations_are_told_both_options():
    assert options_of("average+small") == f"{OPTIONS['average']} {OPTIONS['small']}"
    assert options_of(BASE) == "" and options_of(f"{BASE}+level") == OPTIONS["level"]
    told = command("average+small", "nemo", seeds=3).split()
    assert told[-1] == "results/recipe-nemo/average+small"
    assert told[told.index("--seeds") + 1] == "3" and told[told.index("--root") + 1] == "NEMO"
    with pytest.raises(RecordError, match="no recipe 'sleep'"):
        options_of("average+sleep")


def test_settings_of_every_recipe_can_be_trained_with():
    from ser.cli import build_parser
    from ser.cli.run import _training

    base = _training(build_parser().parse_args(command(BASE).split()[1:]))
    for name in OPTIONS:
        made = _training(build_parser().parse_args(command(name).split()[1:]))
        assert (made == base) == (name == BASE), name


def test_a_second_corpus_has_a_folder_of_its_own(folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    for corpus in ("emodb", "nemo"):
        here = root / recipe_folder(corpus)
        put(here / BASE, [3] * 6, [0.5] * 6)
        put(here / "average", [0] * 6, [0.6] * 6, {"ema": 0.98}, seeds=2)
        for path in here.glob("*/*/*.parquet"):
            data = read(path)
            data["corpus"]["name"] = corpus
            rewrite(path, data)
    (root / "recipe-other").mkdir()
    sets = recipe_sets(root)
    assert list(sets) == ["emodb", "nemo"] and list(sets["nemo"]) == [BASE, "average"]
    assert recipe_sets(root / "nowhere") == {}
    (root / "recipe-nemo").rename(root / "recipe-tess")
    assert list(recipe_sets(root)) == ["emodb", "nemo"], "the records say which"
    (root / "recipe-tess" / "average").rename(root / "recipe" / "longer")
    with pytest.raises(RecordError, match=r"recipes of .*one folder a corpus"):
        recipe_sets(root)


def test_the_spread_over_seeds_is_shown(tmp_path):
    put(tmp_path / BASE, [3] * 6, [0.5] * 6)
    put(tmp_path / "average", [3] * 6, [0.5] * 6, {"ema": 0.98}, seeds=2)
    for path in (tmp_path / "average").glob("*/*seed1.parquet"):
        data = read(path)
        right = np.eye(4)[data["test"]["labels"]].tolist()
        data["selection"]["last"]["logits"] = right
        rewrite(path, restated(data))
    recipes = load_recipes(tmp_path)
    table = recipe_table(recipes)
    row = finished(recipes, "dual")["average"]
    assert (
        table.sd["average"] == pytest.approx(100 * row.ua.std(ddof=1)) and table.sd["average"] > 5
    )
    assert np.isnan(table.sd[BASE])
    assert recipe_words(table).seeds.tolist() == ["1", f"2 (sd {table.sd['average']:.1f})"]


def test_the_summary_names_the_choice_and_its_worth(tmp_path):
    put(tmp_path / BASE, [3] * 6, [0.5] * 6)
    put(tmp_path / "average", [0] * 6, [0.6] * 6, {"ema": 0.98})
    text = recipe_summary({"emodb": load_recipes(tmp_path), "nemo": {}})
    assert "of 2 ways of training the dev speakers chose `average`" in text
    assert "corrected p 0.031: settled." in text and text.count("\n") == 0
    for path in (tmp_path / "average").glob("*/*.parquet"):
        data = read(path)
        for line in data["history"]:
            line["dev_ua"] = 0.4 if line["dev_ua"] == 0.6 else line["dev_ua"]
        rewrite(path, data)
    text = recipe_summary({"emodb": load_recipes(tmp_path)})
    assert f"chose `{BASE}`, the one that changes nothing" in text
    assert "No recipe" in recipe_summary({})


def test_the_drawing_shows_who_chooses_and_what(tmp_path):
    put(tmp_path / BASE, [3] * 6, [0.5] * 6)
    put(tmp_path / "average", [0] * 6, [0.6, 0.6, 0.6, 0.4, 0.4, 0.4], {"ema": 0.98})
    recipes = load_recipes(tmp_path)
    row, result = finished(recipes, "dual")[BASE], nested(recipes)
    for run in row.records:
        others = sorted(set(row.speakers) - set(run.data["test"]["speakers"]))
        run.data["protocol"]["dev_speakers"] = others[:2]
    folds = folds_of(row, result)
    assert [f.choice for f in folds] == ["average"] * 3 + [BASE] * 3
    assert all(set(f.tested).isdisjoint(f.dev) and len(f.dev) == 2 for f in folds)
    html = nested_drawing(folds, result.choices.ua.to_dict())._repr_html_()
    assert html.count("chosen average: UA 100 %") == 3
    assert html.count('class="r memory b"') == 1 + 2 * len(folds)
    with pytest.raises(ValueError):
        nested_drawing([])


def test_sentences_of_the_choice_follow_the_records(folder, tmp_path):
    recipes = load_recipes(folder)
    table, result = recipe_table(recipes), nested(recipes)
    text = words.nested_words(result, table).text
    assert f"`{table.dev.idxmax()}`" in text
    assert f"gains {100 * result.paired.ua_difference:+.1f} points" in text
    told = words.settled_words({("emodb", "dual"): table}).text
    assert "`dual` on emodb: 0 of 2 options above" in told
    models = {"dual": 1.0, "egemaps-lr": 0.5, "egemaps-lr+": 2.0, "dual+": 1.5}
    made = make_results(tmp_path, models, corpus="other", protocol="loso")
    report = make_report(made, "last", resamples=50)
    even = words.even_table({"other": report})
    rows = {row.base: 100 * row.ua.mean() for row in report.rows}
    gap = rows["dual+"] - rows["dual"]
    assert even.loc[("other", "dual"), "gain"].startswith(f"{gap:+.1f} (")
    each = speaker_differences(report.paired("dual+", "dual")[0])
    lose = f"on other {(each < 0).sum()} of {len(each)} speakers lose by it"
    assert lose in words.loser_words({"other": report}).text
    said = words.even_words({"other": report}).text
    assert f"both by speaker: {rows['dual+'] - rows['egemaps-lr+']:+.1f} points" in said


def test_what_the_choice_of_an_epoch_promises_and_keeps(folder):
    row = finished(load_recipes(folder), "dual", "last")[BASE]
    for run in row.records:
        run.data["history"] = [
            {"epoch": 1, "dev_ua": 0.9, "test_ua": 0.4},
            {"epoch": 2, "dev_ua": 0.7, "test_ua": 0.5},
        ]
        run.data["selection"]["dev"] = {"epoch": 1}
    table = words.promise_table([row])
    assert table.loc["dual"].tolist() == pytest.approx([20.0, -10.0])
    gap = pd.DataFrame({"difference": [0.0, -1.0, 3.0], "p": [1, 0.5, 0.01]},
        index=["last", "dev", "test"])  # fmt: skip
    said = words.gap_words({"dual": gap}).text
    assert "chosen on dev it is above the last epoch in 0 of 1 rows" in said
    assert "chosen on test it is above the last epoch in 1 of 1 rows" in said
    assert "without noise" in describe(words.noise_figure([0.0, 2.0], {"flat": [0.0, 0.0]}))
