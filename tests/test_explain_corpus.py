"""``ser explain --corpus``: importance by group, the map, distributions, the record."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from bs4 import BeautifulSoup

from ser.cli import main
from ser.errors import ProtocolError, RecordError
from ser.explain import GROUPS, group_of, importance, read_voices
from ser.explain.corpus import NAMED
from ser.features.egemaps import egemaps_names
from ser.plots import describe
from ser.plots.explain_page import corpus_page
from ser.plots.voices import colours_of, group_importance, named_distribution, utterance_map

NAMES = ["F0semitone", "loudness", "jitter"]


def made_up(classes: int = 2, speakers: int = 6, each: int = 20):
    """Pitch tells the class, loudness only who speaks, jitter nothing."""
    draw = np.random.default_rng(0)
    labels = np.tile(np.arange(classes), speakers * each)
    who = np.repeat(np.arange(speakers), classes * each)
    pitch = labels + draw.normal(0, 0.05, len(labels))
    values = np.stack([pitch, who.astype(float), draw.normal(size=len(labels))], 1)
    return values, labels, [f"s{n}" for n in who]


def of(told: dict) -> dict[str, dict]:
    return {group["name"]: group for group in told["groups"]}


@pytest.mark.parametrize("classes", [2, 5])
def test_importance_finds_what_tells_the_classes_apart(classes):
    told = of(importance(*made_up(classes), NAMES))
    assert told["pitch"]["drop"] == pytest.approx(100 - 100 / classes, abs=12)
    assert told["pitch"]["low"] > 20 and told["pitch"]["alone"] > 90
    assert told["level"]["drop"] == 0, "dealt within a speaker, what tells speakers does nothing"
    assert abs(told["voice quality"]["drop"]) < 5
    assert told["voice quality"]["alone"] < 100 / classes + 15


def test_columns_of_a_group_go_together():
    values, labels, speakers = made_up()
    twice = np.concatenate([values[:, :1], values[:, :1]], 1)
    (group,) = importance(twice, labels, speakers, ["F0semitone", "F0semitoneFrom"])["groups"]
    assert group["functionals"] == 2 and group["drop"] > 35


def test_the_answers_are_about_speakers_who_were_left_out():
    """A column that says a speaker's own code for the class is of no use for another speaker."""
    _, labels, speakers = made_up()
    number = np.array([int(s[1:]) for s in speakers])
    code = np.where(number % 2 == 0, labels, 1 - labels).astype(float)
    told = importance(code[:, None], labels, speakers, ["jitter"])
    assert told["ua"] <= 60 and told["folds"] == 6


def test_with_many_speakers_several_are_held_out_together():
    told = importance(*made_up(speakers=30, each=2), NAMES, repeats=2)
    assert told["folds"] == 20 and told["speakers"] == 30


def test_one_speaker_is_not_enough():
    values, labels, _ = made_up()
    with pytest.raises(ProtocolError, match="only one speaker"):
        importance(values, labels, ["a"] * len(labels), NAMES)


@pytest.mark.parametrize("speakers", [1, 2], ids=["one emotion in all", "one a speaker"])
def test_one_emotion_is_nothing_to_learn_from(speakers):
    labels = np.repeat(np.arange(2) % speakers, 6)
    values = np.random.default_rng(0).normal(size=(12, len(NAMES)))
    with pytest.raises(ProtocolError, match="one emotion only is left"):
        importance(values, labels, np.repeat(["a", "b"], 6), NAMES)


def test_every_functional_has_its_group():
    groups = [group_of(name) for name in egemaps_names()]
    assert {g: groups.count(g) for g in GROUPS} == {
        "pitch": 10, "level": 11, "rate": 6, "spectrum": 51, "voice quality": 10
    }  # fmt: skip
    assert set(NAMED) <= set(egemaps_names())


@pytest.fixture(scope="module")
def made(tiny_root, tmp_path_factory):
    out = tmp_path_factory.mktemp("voices")
    words = ["explain", "--corpus", "synthetic", "--root", str(tiny_root), "--repeats", "2"]
    words += ["--out", str(out / "page.html"), "--json", str(out / "a.json")]
    assert main([*words, "--csv", str(out / "a.csv"), "--cache", str(out / "cache")]) == 0
    return out


def test_the_record_says_what_is_in_the_corpus(made):
    record = read_voices(made / "a.json")
    assert record["corpus"] == "synthetic" and record["utterances"] == record["shown"] == 48
    assert record["classes"] == ["angry", "happy", "neutral", "sad"]
    assert len(record["speakers"]) == 4
    for way in ("as they are", "by speaker"):
        assert len(record["map"][way]["x"]) == len(record["map"][way]["y"]) == 48
        assert max(map(abs, record["map"][way]["x"] + record["map"][way]["y"])) == 99
    near = record["near"]
    assert near["by speaker"]["speaker"] < near["as they are"]["speaker"]
    assert record["chance"]["speaker"] == pytest.approx(100 * 11 / 47, abs=0.1)
    assert set(record["importance"]) == {"egemaps-lr", "egemaps-lr+"}
    assert (made / "a.json").stat().st_size < 12_000


def test_the_same_again_from_the_cache(made, tiny_root, tmp_path):
    words = ["explain", "--corpus", "synthetic", "--root", str(tiny_root), "--repeats", "2"]
    again = tmp_path / "b.json"
    assert main([*words, "--json", str(again), "--cache", str(made / "cache")]) == 0
    assert again.read_bytes() == (made / "a.json").read_bytes()


def test_the_table_is_the_records(made):
    record = read_voices(made / "a.json")
    lines = list(csv.DictReader(io.StringIO((made / "a.csv").read_text(encoding="utf-8"))))
    assert len(lines) == 2 * len(GROUPS)
    told = of(record["importance"]["egemaps-lr+"])
    found = {line["group"]: line for line in lines if line["row"] == "egemaps-lr+"}
    assert float(found["pitch"]["ua_lost_points"]) == told["pitch"]["drop"]
    assert float(found["rate"]["ua_alone_percent"]) == told["rate"]["alone"]


def test_the_page_has_every_figure_in_words(made):
    text = (made / "page.html").read_text(encoding="utf-8")
    soup = BeautifulSoup(text, "html.parser")
    assert len(soup.select("img[alt]")) == 3 + len(NAMED)
    assert all(len(image["alt"]) > 60 for image in soup.select("img"))
    assert len(soup.select("tbody tr")) == 2 * len(GROUPS)
    assert "ser explain --corpus synthetic" in soup.select("p")[-1].text


def test_figures_are_of_the_record_they_are_given(made):
    record = read_voices(made / "a.json")
    record["importance"]["egemaps-lr"]["groups"][0]["drop"] = 12.3
    assert "pitch 12.3" in describe(group_importance(record))
    record["near"]["by speaker"]["speaker"] = 77.0
    fig = utterance_map(record, "by speaker", "Title")
    assert "77 % are of the same speaker" in describe(fig)
    shown = [len(ax.collections) for ax in fig.axes]
    assert shown == [4, 4]
    assert sum(len(c.get_offsets()) for c in fig.axes[1].collections) == 48
    pitch = record["named"][0]
    pitch["values"] = [10.0 * (e + 1) for e in record["emotion"]]
    assert "angry 10, happy 20, neutral 30, sad 40" in describe(
        named_distribution(record, pitch["name"])
    )
    with pytest.raises(ValueError, match="no map"):
        utterance_map(record, "upside down")
    with pytest.raises(ValueError, match="no functional"):
        named_distribution(record, "smile")


@pytest.mark.parametrize("speakers", [4, 9, 14])
def test_a_map_keeps_its_titles_within_the_figure(made, speakers):
    record = read_voices(made / "a.json")
    record["speakers"] = [f"s{n}" for n in range(speakers)]
    record["speaker"] = [n % speakers for n in range(48)]
    for title in (None, "Title"):
        fig = utterance_map(record, title=title)
        fig.savefig(io.BytesIO(), dpi=fig.dpi)
        tops = [
            text.get_window_extent().y1 for ax in fig.axes for text in (ax.title, ax._left_title)
        ]
        assert max(tops) <= fig.bbox.y1


def test_any_classes_and_any_number_of_speakers_can_be_drawn(made):
    record = read_voices(made / "a.json")
    record["classes"] = ["angry", "bored", "disgusted", "fearful"]
    record["speakers"] = [f"s{n}" for n in range(30)]
    record["speaker"] = [n % 30 for n in range(48)]
    assert len(set(colours_of(record["classes"]).values())) == 4
    assert "bored" in describe(named_distribution(record, "mean pitch"))
    assert "30 speakers" in describe(utterance_map(record))
    assert "fearful" in corpus_page(record)


def test_a_file_that_is_no_record_is_told(tmp_path):
    with pytest.raises(RecordError, match="make it anew"):
        read_voices(tmp_path / "none.json")
    (tmp_path / "a.json").write_text("[1]")
    with pytest.raises(RecordError, match=r"a\.json: no record"):
        read_voices(tmp_path / "a.json")
    (tmp_path / "a.json").write_text(json.dumps({"kind": "ser explain --corpus", "format": 9}))
    with pytest.raises(RecordError, match="later version"):
        read_voices(tmp_path / "a.json")
