"""Questions asked of records: the pairs, Holm's correction, speakers needed, published numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from chapters.ablations.figures import power_curves, who_gains
from chapters.ablations.published import (
    PUBLISHED,
    claims_table,
    published,
    published_rows,
    range_text,
)
from chapters.ablations.rows_drawing import DRAWN, parts, rows_drawing
from chapters.ablations.verdicts import inflow_words, verdict_table, verdict_words
from chapters.ablations.words import power_words, speaker_words
from chapters.shared.paired_questions import (
    QUESTIONS,
    Question,
    answers,
    ask,
    beside_page,
    equal_size,
    holm,
    speaker_differences,
    speakers_needed,
)
from records_maker import make_results

from ser.errors import RecordError
from ser.plots import describe
from ser.report import make_report
from ser.rows import ROWS


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    models = {"mfcc-lstm": 0.8, "ds-lstm": 1.2, "dual": 2.0}
    make_results(folder, models, corpus="other", protocol="loso")
    return make_report(folder, resamples=50)


def test_holm_is_what_the_textbook_has():
    p = [0.01, 0.04, 0.03, 0.005]
    np.testing.assert_allclose(holm(p), [0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == []
    assert holm([0.9, 0.8]).tolist() == [1, 1]


def test_holm_leaves_out_what_is_unknown():
    np.testing.assert_allclose(holm([np.nan, 0.02, 0.03]), [np.nan, 0.04, 0.04])
    with pytest.raises(ValueError, match="0 and 1"):
        holm([1.2])


def test_holm_lies_between_the_p_value_and_bonferroni():
    p = np.random.default_rng(0).uniform(size=50) ** 3
    assert (holm(p) >= p).all()
    assert (holm(p) <= np.minimum(1, 50 * p) + 1e-12).all()


def test_questions_are_pairs_of_rows():
    for question in QUESTIONS:
        assert {question.with_it, question.without} <= set(ROWS)
        assert question.with_it != question.without


def test_ask_passes_over_missing_rows(report):
    found = ask(report, "other", "loso")
    pairs = [(q.with_it, q.without) for q, _ in found]
    assert pairs == [("dual", "mfcc-lstm"), ("dual", "ds-lstm")]
    assert ask(report, "other", "random") == []
    table = answers(found)
    assert list(table.index) == [q.part for q, _ in found]
    result = found[0][1].result
    assert table.difference.iloc[0] == pytest.approx(100 * result.ua_difference)
    np.testing.assert_allclose(table.p_holm, holm(table.p))
    assert answers(found, "wa").p.iloc[0] == found[0][1].result.wa_p


def test_ask_passes_over_rows_that_are_not_finished(tmp_path):
    make_results(tmp_path, {"mfcc-lstm": 1.0, "dual": 1.0}, corpus="other", protocol="loso")
    next((tmp_path / "dual").glob("*.parquet")).unlink()
    report = make_report(tmp_path, resamples=10)
    assert ask(report, "other", "loso", [Question("x", "dual", "mfcc-lstm")]) == []
    pair = report.paired("dual", "mfcc-lstm")[0]
    with pytest.raises(RecordError, match="same utterances"):
        speaker_differences(pair)


def test_speakers_differences_have_the_difference_as_their_mean(report):
    pair = report.paired("dual", "mfcc-lstm")[0]
    each = speaker_differences(pair)
    assert len(each) == pair.result.speakers
    assert each.mean() == pytest.approx(100 * pair.result.ua_difference)


def test_a_test_with_so_many_speakers_finds_the_gain():
    n = speakers_needed(sd=8, gain=3)
    random = np.random.default_rng(0)
    d = random.normal(3, 8, (4000, n))
    t = d.mean(1) / (d.std(1, ddof=1) / np.sqrt(n))
    assert np.mean(t > 1.96) == pytest.approx(0.8, abs=0.03)
    assert speakers_needed(sd=0, gain=1) == 2
    assert speakers_needed(8, -3) == n


@pytest.mark.parametrize("wrong", [{"gain": 0}, {"sd": -1}, {"alpha": 1}, {"power": 0}])
def test_speakers_needed_refuses(wrong):
    with pytest.raises(ValueError, match="between 0 and 1"):
        speakers_needed(**({"sd": 8, "gain": 3} | wrong))


def test_equal_size_finds_the_nearest():
    assert equal_size(lambda h: 10 * h + 3, 203) == 20
    assert equal_size(lambda h: 10 * h, 1) == 1
    assert equal_size(lambda h: h, 99, high=50) == 50


def test_beside_page_looks_in_the_folder_and_in_the_book(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert beside_page("ten_minutes.ipynb").parent.name == "book"
    (tmp_path / "ten_minutes.ipynb").touch()
    assert beside_page("ten_minutes.ipynb") == tmp_path / "ten_minutes.ipynb"
    with pytest.raises(FileNotFoundError, match="run the page in the folder"):
        beside_page("no such page.ipynb")


def test_published_numbers_have_row_source_and_protocol():
    for entry in PUBLISHED:
        assert entry.source in ("paper", "logs", "benchmark")
        assert entry.protocol in ("random", "unseen speakers")
        for ends in (entry.wa, entry.ua):
            assert ends is None or 25 < ends[0] <= ends[1] < 100
    paper = [e for e in PUBLISHED if e.source == "paper"]
    assert {e.row for e in paper} <= set(ROWS)


def test_the_papers_best_number_is_above_every_log():
    """As the book says."""
    best = max(e.ua[1] for e in PUBLISHED if e.source == "paper")
    assert all(e.ua[1] < best for e in PUBLISHED if e.source == "logs")


def test_published_as_a_table():
    table = published()
    assert len(table) == len(PUBLISHED)
    assert list(table.columns) == ["row", "release", "source", "protocol", "epoch", "WA", "UA"]
    assert table.set_index("row").release["dual"].iloc[0] == "model4"
    assert range_text((61.0, 63.0)) == "61.0–63.0"
    with pytest.raises(ValueError, match="unknown source"):
        published(["hearsay"])


def test_claims_of_the_paper_stand_beside_those_of_records(report):
    family = {("other", "loso"): answers(ask(report, "other", "loso"))}
    table = claims_table(family)
    assert table.loc["logs, best", "fusion"] == "+3.3 to +4.8"
    own = family["other", "loso"].set_index("without").loc["ds-lstm"]
    assert table.loc["other, loso, last", "fusion"].startswith(f"{own.difference:+.1f} (")
    assert table.loc["other, loso, last", "cell"] == ""
    rows = published_rows()
    assert rows.loc["dual"].tolist() == ["73.3", "70.8", "69.0"]


def test_the_drawing_has_the_parts_of_the_rows():
    ds = {"s1": "DS-LSTM", "s2": "DS-LSTM"}
    assert parts("dual") == ds | {"mfcc": "LSTM"} and parts("ds-lstm") == ds
    assert parts("concat-lstm") == {"s1": "one LSTM", "s2": "one LSTM"}
    assert parts("mfcc+cnn-lstm-pair") == dict.fromkeys(("s1", "s2", "mfcc"), "LSTM")
    assert parts("cnn-lstm-s2") == {"s2": "LSTM"} and parts("mfcc-lstm") == {"mfcc": "LSTM"}
    assert set(DRAWN) <= set(ROWS)
    html = rows_drawing()._repr_html_()
    assert html.count('stroke-dasharray="4 4"') == sum(2 * (3 - len(parts(name))) for name in DRAWN)
    assert all(f">{name}<" in html for name in DRAWN)


def test_verdicts_say_what_is_settled(report):
    family = {"other": answers(ask(report, "other", "loso"))}
    table = verdict_table(family)
    assert list(table.columns) == ["other", "other, p"]
    assert table.loc["MFCC beside the DS-LSTM", "other"].startswith("+")
    family["other"]["p_holm"] = [0.01, 0.5]
    family["other"]["low"] = [1.0, -1.0]
    text = verdict_words(family).text
    assert "1 of the 2 questions is settled" in text
    assert "misses zero for *spectrograms beside MFCC*." in text
    family["other"]["p_holm"] = [0.2, 0.5]
    assert "none of the 2 questions is settled" in verdict_words(family).text
    family["other"]["low"] = [-1.0, -1.0]
    assert "every interval holds zero" in verdict_words(family).text


def test_sentences_of_speakers_and_of_power():
    each = pd.DataFrame({"cell": [9.0, 1.0, -1.0], "fusion": [1.0, 2.0, 3.0]}, index=list("abc"))
    text = speaker_words(each).text
    assert text.startswith("The cell helps 2 speakers and costs 1; the fusion helps 3")
    assert "+3.0 points with speaker a and +0.0 without" in text
    curves = {2: [0.1, 0.2], 10: [0.8, 0.95]}
    said = power_words((10, 20), curves, {2: 50, 10: 3}).text
    assert "a true gain of 2 points in 10 %, of 10 points in 80 % of the tries" in said
    assert "takes 50 speakers for 2 points." in said
    assert "20 % with 20" in describe(power_curves((10, 20), curves, 10))
    assert "a: cell +9.0, fusion +1.0" in describe(who_gains(each))


def test_where_most_enters_is_said():
    index = pd.MultiIndex.from_product(
        [[1, 2], ["iT*gT", "iF*gF"], ["angry", "sad"]], names=["layer", "quantity", "emotion"]
    )
    table = pd.DataFrame({"difference": [0.1, -0.1] * 4}, index=index)
    assert "in angry speech, by both gates" in inflow_words({"after": table}).text
    table.iloc[0] = -1
    assert "angry speech in 3 and sad speech in 1 of the 4" in inflow_words({"after": table}).text
