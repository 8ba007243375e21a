"""The traps of the chapter "Corpora" are there, and the check finds each of them."""

from __future__ import annotations

import pytest
from chapters.corpora.traps import (
    cremad_without_sound,
    doubled_ravdess,
    spoiled_copy,
    tell,
    urdu_by_speaker,
)

from ser import load_corpus
from ser.corpora.check import check
from ser.corpora.synthetic import make

pytest.importorskip("parselmouth")


def kinds(corpus: str, root) -> set[str]:
    return {problem["kind"] for problem in check(corpus, root)["problems"]}


def test_every_tree_has_its_trap(tmp_path):
    assert {"nested copy", "channels"} <= kinds("ravdess", doubled_ravdess(tmp_path / "r"))
    assert {"git-lfs pointer", "silent", "duplicate audio with different labels"} <= kinds(
        "cremad", cremad_without_sound(tmp_path / "c")
    )
    assert {"speaker predicts class", "level"} <= kinds("urdu", urdu_by_speaker(tmp_path / "u"))


def test_five_files_of_a_copy_are_spoiled_and_none_of_the_original(tmp_path):
    root = make(tmp_path / "whole", speakers=2, sentences=4, progress=False)
    table = load_corpus("synthetic", root).table
    before = kinds("synthetic", root)
    spoiled_copy(root, tmp_path / "spoiled", table)  # a cell may be run again
    found = kinds("synthetic", spoiled_copy(root, tmp_path / "spoiled", table))
    new = {"missing", "unreadable", "silent", "duplicate audio with different labels", "clipped"}
    assert new <= found and not new & before
    assert kinds("synthetic", root) == before


def test_tell_prints_the_kinds_asked_for(capsys, tmp_path):
    problems = [
        {"severity": "error", "kind": "a", "message": f"{tmp_path}/x is cut"},
        {"severity": "note", "kind": "b", "message": "louder"},
    ]
    tell({"problems": problems}, "a", home=tmp_path)
    assert capsys.readouterr().out == "error (a): x is cut\n"
