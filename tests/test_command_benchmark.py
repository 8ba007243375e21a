"""The benchmark of the command: what its goals mean, and that its table prints."""

from __future__ import annotations

from benchmarks.command import GOALS, MEASURES, ROWS, Goal, reached, table


def figures(old: float, new: float) -> dict:
    return {side: dict.fromkeys(MEASURES, value) for side, value in (("old", old), ("new", new))}


def test_a_goal_above_import_torch_takes_it_off_both_sides():
    told = {"import torch": figures(2.0, 2.0), "predict": figures(5.5, 3.0)}
    assert reached(Goal("predict", "user_seconds", ratio=3.5, above_torch=True), told) == (
        3.5,
        True,
    )
    assert reached(Goal("predict", "user_seconds", most=0.9, above_torch=True), told) == (
        1.0,
        False,
    )
    assert reached(Goal("dual", "peak_gb", most=1.2), told) is None


def test_every_goal_is_of_a_row_and_has_a_line():
    assert {goal.row for goal in GOALS} < set(ROWS)
    record = {
        "command": "python -m benchmarks.command", "commit": "b", "old_commit": "a",
        "machine": {"cpu": "some", "cores": 2, "load": [[0.1, 0, 0], [0.2, 0, 0]]},
        "commands": {row: figures(8.0, 1.0 if row != "import torch" else 0.5) for row in ROWS},
    }  # fmt: skip
    text = table(record)
    assert text.count("goal: ") == len(GOALS) and "load 0.1 and 0.2" in text
