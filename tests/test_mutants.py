"""Mutants: one that a test sees, one that none sees, and a test that fails anyway sees nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import mutants

CODE = '''"""Shares."""


def share_of(part: float, whole: float) -> float:
    """The share.

    >>> share_of(1.0, 4.0)
    0.25
    """
    share = part / whole
    unseen = 3
    return share
'''
TESTS = """from ser.metrics import share_of


def test_always_fails():
    assert share_of(1.0, 1.0) == 2
"""


@pytest.fixture
def tree(tmp_path) -> Path:
    for folder, name, text in (
        ("ser/metrics", "__init__.py", CODE),
        ("tests", "test_it.py", TESTS),
    ):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(text)
    (tmp_path / "ser/__init__.py").touch()
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --doctest-modules\n")
    return tmp_path


def test_drawn_alike_for_one_seed_and_placed_by_its_words(tree):
    first, again = (mutants.chosen(2, 5, ("metrics",), tree) for _ in range(2))
    assert first == again
    assert {m.after for m in first} == {"share = part * whole", "unseen = 4"}
    assert all(mutants.stands(mutant, tree) for mutant in first)
    moved = tree / "ser/shares.py"
    (tree / "ser/metrics/__init__.py").replace(moved)
    assert {mutants.place(mutant, tree)[0] for mutant in first} == {moved}
    moved.write_text(CODE.replace("part / whole", "1 - part"))
    assert [mutants.stands(m, tree) for m in first].count(False) == 1


def test_seen_by_an_example_or_by_none(tree):
    broken: set[str] = set()
    seen = {
        m.after: mutants.killed_by(m, tree, broken)
        for m in mutants.chosen(2, 0, ("metrics",), tree)
    }
    assert "share_of" in seen["share = part * whole"]
    assert seen["unseen = 4"] == ""
    assert broken == {"tests/test_it.py::test_always_fails"}
    assert (tree / "ser/metrics/__init__.py").read_text() == CODE
