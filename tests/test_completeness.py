"""What is missing of a corpus is said in sentences, for ``ser check`` and beside results."""

from __future__ import annotations

import json

import pytest
import trees

from ser.corpora import load_corpus
from ser.corpora.check import check
from ser.corpora.completeness import completeness


def test_one_class_is_told(tmp_path):
    trees.files(tmp_path, "a.wav", "b.wav")
    table = trees.text(tmp_path / "t.csv", "path,emotion,speaker\na.wav,angry,1\nb.wav,angry,2\n")
    found = completeness(load_corpus("manifest", table))
    assert found == {
        "utterances": 2,
        "expected": None,
        "classes": ["angry"],
        "missing": ["no utterance is happy, neutral or sad: scores are over one class, not four"],
    }
    problems = check("manifest", table)["problems"]
    assert found["missing"][0] in [p["message"] for p in problems if p["severity"] == "warning"]


def test_two_of_five_sessions_and_what_they_hold_are_told(tmp_path):
    labels = ("ang", "hap", "neu", "sad")
    turns = {f"Ses0{s}F_impro01_F00{i}": label for s in (1, 4) for i, label in enumerate(labels)}
    found = completeness(load_corpus("iemocap", trees.iemocap(tmp_path, turns)))
    assert (found["utterances"], found["expected"]) == (8, 5531)
    assert found["classes"] == ["angry", "happy", "neutral", "sad"]
    assert found["missing"][:2] == [
        "Ses02, Ses03, Ses05 of 5 sessions not here",
        "2 speakers are here, the whole corpus has 10",
    ]
    assert found["missing"][2].startswith(
        "8 utterances of the four classes instead of 5531 (angry 2 of 1103,"
    )
    assert json.loads(json.dumps(found)) == found


@pytest.mark.parametrize("name", ["emodb", "nemo"])
def test_the_four_classes_of_real_corpora_are_complete(shared, name):
    found = completeness(load_corpus(name, shared / "data" / name))
    assert found["utterances"] == found["expected"] and found["missing"] == []
