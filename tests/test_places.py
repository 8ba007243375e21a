"""Which folders of records a page takes, by what their records say."""

from __future__ import annotations

import pytest
from chapters.shared.study_folders import (
    corpora,
    folder_facts,
    folders_with_facts,
    page_folders,
    study_folders,
)
from records_maker import folded, make_results

FOLDERS = {
    "a": ("emodb", "loso", "main", 0), "b": ("emodb", "loso", "main", 5),
    "c": ("emodb", "loso", "variants", 5), "d": ("emodb", "random", "main", 0),
    "e": ("emodb", "loso", "precision", 5), "f": ("emodb", "loso", "floors", 0),
    "g": ("nemo", "loso", "main", 5), "h": ("nemo", "loso", "even", 5),
    "i": ("nemo", "random", "main", 0), "j": ("tess", "loso", "", 5),
}  # fmt: skip
"""Name -> corpus, protocol, study, and utterances held out."""


@pytest.fixture(params=["a file a run", "one file"])
def results(tmp_path, request):
    for name, (corpus, protocol, study, dev) in FOLDERS.items():
        out = make_results(tmp_path / name, {"mfcc-lstm": 1.0}, speakers=2, each=4, corpus=corpus,
                           protocol=protocol, study=study, dev=dev)  # fmt: skip
        if request.param == "one file":
            folded(out)
    (tmp_path / "k" / "work").mkdir(parents=True)
    return tmp_path


def names(folders):
    return [folder.name for folder in folders]


def test_the_study_is_what_was_trained_on_the_same_utterances(results):
    assert names(study_folders(results)) == ["b", "c", "g", "h", "j"]
    assert names(study_folders(results, "nemo")) == ["g", "h"]
    assert names(study_folders(results, protocol="random")) == []
    assert study_folders(results / "nowhere") == []


def test_a_page_takes_records_with_a_dev_set_where_there_are_some(results):
    assert names(page_folders(results, "emodb")) == ["b", "d"]
    assert names(page_folders(results, "nemo")) == ["g", "i"]
    assert page_folders(results, "other") == []


def test_corpora_and_facts_are_those_of_the_records(results):
    assert corpora(study_folders(results)) == ["emodb", "nemo", "tess"]
    assert [tuple(facts) for _, facts in folders_with_facts(results)] == [
        (study or "main", corpus, protocol, dev > 0)
        for corpus, protocol, study, dev in FOLDERS.values()
    ]
    assert folder_facts(results / "k") is None
