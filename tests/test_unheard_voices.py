"""Chapter "Voices it has not heard": rows by whose mean, from records; enrolling by hand."""

from __future__ import annotations

import runpy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from chapters.unheard_voices import words
from chapters.unheard_voices.by_hand import left_out_answers, surest_wrong
from chapters.unheard_voices.drawing import RULES as DRAWN
from chapters.unheard_voices.drawing import lends, whose_mean
from chapters.unheard_voices.records import (
    RULES,
    asked,
    asked_table,
    best,
    released_sizes,
    score_table,
    speaker_recalls,
    voices,
)
from chapters.unheard_voices.tried import chosen_table, cross_table, options_table, views
from records_maker import corpus_rows, record, write

from ser.batch import Batch
from ser.models import ROWS, build_model
from ser.report.load import load_records
from ser.report.pool import pool_records
from tools.execute import ROOT

FOLDS = [f"S{s:02d}" for s in range(5)]


def runs(out, model, rule, skill, folds=FOLDS, seeds=(0,), **settings):
    where = {k: settings.pop(k) for k in ("protocol", "test_corpus") if k in settings}
    for seed in seeds:
        for fold in folds:
            data = record(model, fold, seed, corpus="nemo", skill=skill, **where)
            data["config"] |= {"normalise": rule, **settings}
            write(out, data)


@pytest.fixture
def results(tmp_path):
    for rule, skill in (("train", 0.5), ("enrol:3", 1.5), ("speaker", 2.0)):
        out = tmp_path / f"voices-nemo-{rule.replace(':', '')}"
        runs(out, "egemaps-lr", rule, skill)
        runs(out, "prosody-lstm", rule, skill / 2, seeds=(0, 1))
    runs(tmp_path / "voices-nemo-train", "compare-lr", "train", 9, folds=FOLDS[:3])
    runs(tmp_path / "voices-nemo-speaker", "mfcc-lstm", "speaker", 9)
    return tmp_path


def test_rows_stand_under_their_rule_and_unfinished_ones_nowhere(results):
    found = voices(results)
    assert found["emodb"] == {rule: {} for rule in RULES}
    nemo = found["nemo"]
    assert list(nemo["train"]) == ["prosody-lstm", "egemaps-lr"]  # compare-lr lacks folds
    assert {row.normaliser for row in nemo["enrol:3"].values()} == {"enrol:3"}
    table = score_table(nemo, 50)
    assert list(table) == ["train", "enrol:3 (E 3)", "speaker (T)", "seeds"]
    assert table.loc["mfcc-lstm"].tolist()[:2] == ["-", "-"]
    assert table.seeds["prosody-lstm"] == "2, 2, 2" and table.seeds["mfcc-lstm"] == "-, -, 1"
    shown = float(table["enrol:3 (E 3)"]["egemaps-lr"].split()[0])
    assert shown == pytest.approx(100 * nemo["enrol:3"]["egemaps-lr"].ua.mean(), abs=0.05)
    assert best(nemo["speaker"]).base == "mfcc-lstm"
    runs(results / "voices-nemo-train", "concat-lstm", "train", 1)
    assert "concat-lstm" in score_table(voices(results)["nemo"], 50).index


def test_questions_are_answered_where_both_rows_are(results):
    answers = asked(voices(results), 200)
    assert answers.empty and words.answers_words(answers).text == words.NOT_RUN
    runs(results / "voices-nemo-train", "compare-lr", "train", 9, folds=FOLDS[3:])
    runs(results / "voices-nemo-speaker", "ds-lstm-prosody", "speaker", 0.2)
    answers = asked(voices(results), 200)
    assert dict(zip(answers.rule, answers.asked, strict=False))["train"] == "ComParE, not eGeMAPS"
    up = answers[answers.rule == "train"].iloc[0]
    assert up.low > 0 and up.p_holm >= up.p
    assert (answers[answers.rule == "speaker"].difference < 0).all()
    assert len(asked_table(answers)) == 3
    told = words.answers_words(answers).text
    assert told.startswith(f"1 of the {len(answers)} differences")
    assert told.endswith("correction: none.")  # five speakers cannot settle it
    sure = answers.assign(p_holm=[0.01 if rule == "train" else 1.0 for rule in answers.rule])
    told = words.answers_words(sure).text
    assert told.endswith(f"ComParE, not eGeMAPS (nEMO, train), {up.difference:+.1f}.")
    runs(results / "voices-nemo-train", "egemaps-lr+compare-lr", "train", 9)
    answers = asked(voices(results), 200)
    for _, column in answers.groupby("rule"):  # columns are corrected by themselves
        assert column.p_holm.min() == pytest.approx(min(1, len(column) * column.p.min()))
    assert len(answers[answers.rule == "train"]) > 1 < answers.rule.nunique()


def test_sentences_follow_the_records(results):
    found = voices(results)
    train, enrol, every = (100 * found["nemo"][r]["egemaps-lr"].ua.mean() for r in RULES)
    told = words.surprise_words(found, 200).text
    assert f"{enrol - train:+.1f} of {every - train:+.1f} points for `egemaps-lr`" in told
    assert "above zero for `egemaps-lr` on nEMO" in told
    assert "(enrol:3)" in words.worst_words(found, "egemaps-lr").text
    top = 100 * best(found["nemo"]["speaker"]).ua.mean()
    said = words.limits_words(found, {}).text
    assert f"`mfcc-lstm` with {top:.1f} % (speaker)" in said and "EmoDB" not in said
    large = best(found["nemo"]["speaker"])
    assert "`mfcc-lstm`" in words.limits_words(found, {"emodb": {"x": large}}).text.split("nEMO")[0]
    assert words.networks(found, {})["nemo"].keys() == {"mfcc-lstm", "prosody-lstm"}
    assert len(words.size_table(words.networks(found, {}), 50)) == 2
    runs(results / "study" / "nemo-loso", "mfcc-lstm+", "speaker", 0.2)
    row = load_records([results / "study" / "nemo-loso"])
    (plus,) = [r for r in pool_records(row) if r.selection == "last"]
    nets = words.networks(found, {"nemo": {"mfcc-lstm+": plus}})
    gain = 100 * (found["nemo"]["speaker"]["mfcc-lstm"].ua.mean() - plus.ua.mean())
    assert gain > 0 and " of `mfcc-lstm+` " in words.size_words(nets, 50).text
    assert f" {gain:+.1f} points (" in words.size_words(nets, 50).text
    runs(results / "voices-large-nemo", "prosody-lstm", "speaker", 0.2, hidden=200)
    nets["nemo"] |= released_sizes(results)["nemo"]
    assert " of `prosody-lstm, released sizes` " in words.size_words(nets, 50).text
    nothing = voices(results / "nowhere")
    for text in (
        words.surprise_words(nothing, 50), words.limits_words(nothing, {}),
        words.views_words({}, 50), words.worst_words(nothing, "dual"),
        words.size_words({}), words.inputs_words({}),
    ):  # fmt: skip
        assert text.text.endswith(words.NOT_RUN)


def test_two_views_are_set_against_one_pair_by_pair(results):
    runs(results / "voices-views-nemo", "prosody-lstm", "speaker", 0.2)
    runs(results / "voices-views-nemo", "ds-lstm-prosody", "speaker", 9)
    runs(results / "voices-views-nemo", "mfcc-lstm", "speaker", 1, folds=FOLDS[:3])
    rows = views(results)
    assert list(rows) == ["prosody-lstm", "ds-lstm-prosody"] and list(rows["prosody-lstm"]) == [
        "nEMO"
    ]
    more = 100 * (rows["ds-lstm-prosody"]["nEMO"].ua - rows["prosody-lstm"]["nEMO"].ua).mean()
    said = words.views_words(rows, 50).text
    assert more > 0 and f"`ds-lstm-prosody` minus `prosody-lstm`: nEMO {more:+.1f} (" in said
    assert said.count("minus") == 1


def test_the_pair_that_errors_lie_between_is_counted_both_ways(results):
    row = voices(results)["nemo"]["train"]["prosody-lstm"]
    names, counts = ("angry", "happy", "neutral", "sad"), {}
    for answers in row.predictions:
        for is_, said in zip(row.labels, answers, strict=True):
            if is_ != said:
                pair = tuple(sorted((int(is_), int(said))))
                counts[pair] = counts.get(pair, 0) + 1
    most = max(counts, key=counts.get)
    pair, share = words.worst_pair(row)
    assert pair == tuple(names[k] for k in most)
    assert share == pytest.approx(100 * counts[most] / sum(counts.values()))
    assert f"{share:.0f} % between" in words.left_words({"nemo": {"train": {"x": row}}}).text


def test_recalls_of_a_speaker_are_means_over_seeds(results):
    row = voices(results)["nemo"]["train"]["prosody-lstm"]
    table = speaker_recalls(row)
    assert table.UA.is_monotonic_increasing and len(table) == len(FOLDS)
    name, kind = table.index[0], 2
    mine = (row.speakers == name) & (row.labels == kind)
    right = (row.predictions[:, mine] == kind).mean()
    assert table[table.columns[1 + kind]][name] == pytest.approx(100 * right)
    assert f"{name} stays the worst voice" in words.recalls_words(row).text


def test_every_option_is_shown_beside_the_plain_way(tmp_path):
    empty = options_table(tmp_path)
    assert empty.empty and words.options_words(empty).text == words.NOT_RUN
    for name, skill, more in (
        ("off", 1.0, {}),
        ("vtlp", 3.0, {"vtlp": [0.9, 1.1]}),
        ("tempo", 0.0, {"tempo": [0.9, 1.1]}),
    ):  # fmt: skip
        runs(tmp_path / "voices-options" / name, "prosody-lstm", "train", skill, **more)
    table = options_table(tmp_path, 200)
    names = table.index.get_level_values("row")
    assert names[0] == "prosody-lstm" and len(table) == 3 and (table.gain == "").sum() == 1
    gains = dict(zip(names, table.gain, strict=True))
    assert next(v for k, v in gains.items() if "vtlp" in k).startswith("+")
    assert next(v for k, v in gains.items() if "tempo" in k).startswith("-")
    said = words.options_words(table).text
    assert "1 of 2 comparisons" in said and "The largest: prosody-lstm, vtlp 0.9 to 1.1 (" in said


def test_what_was_chosen_beforehand_stands_beside_what_was_best_afterwards(results):
    found = voices(results)
    empty = chosen_table(found, results)
    assert empty.empty and words.chosen_words(empty).text == words.NOT_RUN
    picks = ["level"] + ["functionals"] * 4
    for fold, pick in zip(FOLDS, picks, strict=True):
        data = record("chosen", fold, 0, corpus="nemo", skill=0.2)
        scores = [{"option": name, "ua": 0.5} for name in ("level", "functionals", "both")]
        data["choice"] = {
            "inner": "3 inner folds by speaker",
            "chosen": pick,
            "scores": scores,
            "row": "egemaps-lr",
            "source": "x",
        }
        data["config"] |= {"normalise": "speaker"}
        write(results / "voices-chosen-nemo-speaker", data)
    table = chosen_table(found, results, 50)
    assert list(table.index) == [("nEMO", "speaker (T)")]
    line = table.iloc[0]
    assert line["folds that chose"] == "functionals 4, level 1"
    top = 100 * best(found["nemo"]["speaker"]).ua.mean()
    assert float(line["best afterwards"]) == pytest.approx(top, abs=0.05)
    gap = float(line["chosen in each fold"].split()[0]) - float(line["best afterwards"])
    assert gap < 0 and f"nEMO, speaker (T) {gap:+.1f}." in words.chosen_words(table).text


def test_what_the_chapter_says_in_plain_text_is_in_its_records():
    """Summary and "How far it goes" are written by hand; new records may make them untrue."""
    results = ROOT / "book" / "results"
    gains = options_table(results).gain
    ends = gains[gains != ""].str.extract(r"\((\S+) to (\S+)\)").astype(float)
    above = {
        (row.partition(", ")[0], option.partition(" ")[0])
        for (*_, row) in ends[ends[0] > 0].index
        if not row.startswith("prosody-lstm, also") and (option := row.partition(", ")[2])
    }
    corpora = [{key[0] for key in ends[ends[0] > 0].index if f"{row}, {option}" in key[2]}
               for row, option in above]  # fmt: skip
    assert all(len(where) == 1 for where in corpora), "no option holds on both corpora"
    others = ends[[("also" in key[2] and "lstm" not in key[2]) for key in ends.index]]
    assert (others[0] <= 0).all() and len(others) > 3, "functionals gain by no other voices"
    assert ends.loc["EmoDB", "train", "prosody-lstm, also nemo"][0] > 0
    assert ends.loc["EmoDB", "enrol:3 (E 3)", "prosody-lstm, also nemo"].tolist()[0] < 0
    running = options_table(results).UA["nEMO", "running (R)"].astype(float)
    for name, score in running.items():
        whole = 100 * voices(results)["nemo"]["speaker"][name].ua.mean()
        assert abs(score - whole) < 2, "running comes near to all recordings"
    took = (
        pd.concat(
            pd.read_parquet(results / name / "records.parquet", columns=["model", "wall_seconds"])
            for name in ("nemo-loso-dev", "voices-nemo-speaker")
        )
        .groupby("model")["wall_seconds"]
        .mean()
    )
    names = ["dual+", "prosody-lstm+compare-lr", "compare-lr", "prosody-lstm"]
    assert took[names].round().tolist() == [910, 162, 94, 68]
    for rows in voices(results)["emodb"].values():
        pair, share = words.worst_pair(best(rows))
        assert pair == ("angry", "happy") and share > 50


def test_rows_abroad_say_where_they_were_trained(tmp_path):
    assert cross_table(tmp_path).empty
    data = record("egemaps-lr", "nemo-emodb", corpus="nemo", protocol="cross",
                  test_corpus="emodb", folds=1)  # fmt: skip
    data["config"] |= {"normalise": "train"}
    write(tmp_path / "voices-cross-nemo-emodb-train", data)
    table = cross_table(tmp_path, 50)
    assert list(table.index) == [("nEMO", "EmoDB", "egemaps-lr")] and list(table) == ["train"]


@pytest.fixture(scope="module")
def heard():
    """Voices that lie far apart, and emotions that lie alike in each: the mean is what lacks."""
    rng = np.random.default_rng(0)
    rows = corpus_rows(6, 40)
    table = pd.DataFrame({"utterance": rows["utterances"], "speaker": rows["speakers"]})
    kinds = np.array(["angry", "happy", "neutral", "sad"])
    table["emotion"] = kinds[rows["labels"]]
    place = {"angry": (3, 0), "happy": (0, 3), "neutral": (0, 0), "sad": (-3, 0)}
    voice = {name: 12 * rng.normal(size=2) for name in sorted(set(rows["speakers"]))}
    values = [np.add(place[r.emotion], voice[r.speaker]) for r in table.itertuples()]
    return table, np.array(values) + 0.4 * rng.normal(size=(len(table), 2))


def test_three_calm_utterances_tell_where_a_voice_lies(heard):
    table, values = heard
    told = {rule: left_out_answers(table, values, rule) for rule in RULES}
    right = {rule: (each.answer == each.emotion).mean() for rule, each in told.items()}
    assert right["train"] < 0.7 < 0.95 < min(right["enrol:3"], right["speaker"])
    left = set(table.utterance) - set(told["enrol:3"].utterance)
    assert len(told["train"]) == len(table) and len(left) == 3 * table.speaker.nunique()
    assert set(table.set_index("utterance").emotion[list(left)]) == {"neutral"}


def test_the_surest_mistakes_are_of_the_worst_voice(heard):
    told = left_out_answers(*heard, "train")
    wrong = surest_wrong(told)
    right = (told.answer == told.emotion).groupby(told.speaker).mean()
    assert set(wrong.speaker) == {right.idxmin()} and (wrong.answer != wrong.emotion).all()
    assert wrong.emotion.is_unique and wrong.sure.is_monotonic_decreasing
    perfect = told.assign(answer=told.emotion)
    assert len(surest_wrong(perfect)) == 1


def test_the_drawing_shows_who_lends():
    assert tuple(DRAWN) == tuple(RULES)
    assert [lends("train", new, 0) for new in (False, True)] == [True, False]
    assert all(lends("speaker", True, place) for place in range(6))
    shown = whose_mean()
    assert "3 of 6 of the new voice" in repr(shown) and "stroke-dasharray" in shown.html


@pytest.fixture
def view_rows():
    before = dict(ROWS)
    runpy.run_path(str(ROOT / "book/chapters/unheard_voices/views.py"), run_name="__main__")
    yield
    for name in ROWS.keys() - before:
        del ROWS[name]


def test_controls_of_two_views_differ_by_the_view_alone(view_rows):
    """A view that is lost is lost in training alone; the same view twice leaves MFCCs unread."""
    lengths = torch.tensor([40, 30])
    valid = (torch.arange(40) < lengths[:, None])[..., None]
    batch = Batch(
        mfcc=torch.randn(2, 40, 39) * valid, mfcc_lengths=lengths,
        prosody=torch.randn(2, 40, 25) * valid, prosody_lengths=lengths,
    )  # fmt: skip
    other = replace(batch, mfcc=batch.mfcc + 1.0 * valid)
    plain, dropping = (build_model(n, hidden=4) for n in ("ds-lstm-prosody", "view-dropout"))
    weights = plain.state_dict()
    dropping.load_state_dict(
        {k.replace("ds-lstm-prosody", "view-dropout"): weights[k] for k in weights}
    )
    dropping.train()
    told = torch.stack([dropping(batch) for _ in range(30)])
    assert len({tuple(line.tolist()) for line in told[:, 0]}) == 3  # both, MFCCs, prosody
    torch.testing.assert_close(dropping.eval()(batch), plain(batch))
    for name, reads in (("prosody-twice", False), ("side-by-side", True)):
        net = build_model(name, hidden=4, seed=0).eval()
        assert torch.equal(net(batch), net(other)) != reads
