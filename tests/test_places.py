"""Which folders of records a page takes, by name."""

from __future__ import annotations

import pytest
from chapters.shared.study_folders import corpora, page_folders, study_folders
from records_maker import make_results


@pytest.fixture
def results(tmp_path):
    for name in (
        "emodb-loso", "emodb-loso-dev", "emodb-loso-paper", "emodb-loso-true", "emodb-random",
        "emodb-loso-dev-hidden260", "emodb-loso-bfloat16", "emodb-floors", "cross-emodb-nemo",
        "nemo-loso-dev", "nemo-loso-even", "nemo-random",
    ):  # fmt: skip
        corpus = name.partition("-")[0]
        models = {"mfcc-lstm": 1.0} if name == "emodb-loso-dev" else {"mfcc-lstm": 1.0, "dual": 2.0}
        make_results(tmp_path / name, models, speakers=2, each=4, corpus=corpus)
    (tmp_path / "other-loso-dev" / "work").mkdir(parents=True)
    return tmp_path


def names(folders):
    return [folder.name for folder in folders]


def test_the_study_is_what_was_trained_on_the_same_utterances(results):
    assert names(study_folders(results)) == [
        "emodb-loso-dev", "emodb-loso-dev-hidden260", "emodb-loso-paper", "emodb-loso-true",
        "nemo-loso-dev", "nemo-loso-even",
    ]  # fmt: skip
    assert names(study_folders(results, "nemo")) == ["nemo-loso-dev", "nemo-loso-even"]
    assert names(study_folders(results, protocol="random")) == []
    assert study_folders(results / "nowhere") == []


def test_a_page_takes_records_with_a_dev_set_where_there_are_some(results):
    assert names(page_folders(results, "emodb")) == ["emodb-loso-dev", "emodb-random"]
    assert names(page_folders(results, "nemo")) == ["nemo-loso-dev", "nemo-random"]
    assert page_folders(results, "other") == []


def test_corpora_are_read_off_the_names(results):
    assert corpora(study_folders(results)) == ["emodb", "nemo"]
