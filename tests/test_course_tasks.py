"""Graded tasks: the solution gets all, the starter nothing, wrong answers what they should."""

from __future__ import annotations

import importlib

import pytest

from tools.chapters import contents
from tools.course.notebooks import chapters
from tools.course.tasks import (
    ROOT,
    VARIANTS,
    Sheet,
    filled,
    from_chapter,
    headings,
    marks,
    read_sheet,
    sheets,
)


@pytest.fixture(params=sheets())
def name(request) -> str:
    return request.param


def solutions(sheet: Sheet) -> dict[str, str]:
    return {task.name: task.solution for task in sheet.tasks}


def test_every_chapter_with_exercises_has_three_tasks_and_there_are_two_labs():
    few = {c: len(read_sheet(c).tasks) for c in chapters() if len(read_sheet(c).tasks) < 3}
    assert not few
    assert set(sheets()) - set(chapters()) == {"lab_ds_lstm", "lab_leak"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_solution_gets_all_points_and_the_starter_none(name, variant):
    sheet = read_sheet(name, variant)
    full = {task.name: task.points for task in sheet.tasks}
    assert marks(sheet, solutions(sheet)) == full
    assert marks(sheet, {}) == dict.fromkeys(full, 0)


def test_wrong_answers_get_the_marks_they_should(name):
    sheet = read_sheet(name, "B")
    right = solutions(sheet)
    got, wanted = {}, {}
    for task in sheet.tasks:
        assert task.wrong, f"{name}/{task.name}: what do students get wrong?"
        for wrong in task.wrong:
            key = f"{task.name}: {wrong.says}"
            got[key] = marks(sheet, {**right, task.name: wrong.code})[task.name]
            wanted[key] = wrong.marks
            assert wrong.marks < task.points, key
    assert got == wanted


def test_neighbours_have_other_numbers_and_a_seed_deals_anew(name):
    texts = {
        variant: [(t.text, t.checks) for t in read_sheet(name, variant).tasks]
        + [read_sheet(name, variant).setup]
        for variant in VARIANTS
    }
    for i, task in enumerate(texts["A"][:-1]):
        others = [texts[v][i] for v in VARIANTS]
        assert name.startswith("lab_") or len({repr(o) for o in others}) == len(VARIANTS), task
    assert len({repr(t) for t in texts.values()}) == len(VARIANTS)
    again = [read_sheet(name, v, seed=2027) for v in VARIANTS]
    assert any(repr(read_sheet(name, v)) != repr(s) for v, s in zip(VARIANTS, again, strict=True))


def test_what_a_task_names_is_in_its_chapter_and_in_the_package(name):
    sheet = read_sheet(name)
    assert f"book/{sheet.chapter}" in [page for _, part in contents(ROOT) for page in part]
    known = headings(sheet.chapter)
    for task in sheet.tasks:
        assert task.section in known, f"{name}/{task.name}: {sheet.chapter} has no such section"
    for dotted in sheet.uses:
        module, _, attribute = dotted.rpartition(".")
        found = importlib.import_module(module or dotted)
        assert not module or hasattr(found, attribute), dotted


def test_a_function_that_the_chapter_no_longer_has_is_missed():
    assert from_chapter("two_resolutions", "hz_to_mel").startswith("def hz_to_mel")
    with pytest.raises(LookupError, match="defines no function 'mel_of'"):
        from_chapter("two_resolutions", "mel_of")
    with pytest.raises(KeyError):
        filled("<<nothing>>", {})


def test_every_task_has_a_visible_and_a_hidden_check(name):
    for task in read_sheet(name).tasks:
        hidden = [check.hidden for check in task.checks]
        assert any(hidden) and not all(hidden), f"{name}/{task.name}"
