"""A whole training step at batch 32, each side in a process of its own with its own allocator.

A round is a few steps back to back, as training takes them: a single one after seconds of waiting
for the other side pays for cold caches and sleeping threads, ours, being shorter, the more.
"""

from __future__ import annotations

import contextlib

import pytest

from benchmarks.worker import Stepper

STEPS = 3
"""In a round of each side."""

CASES = [
    # model, precision, plain side tuned, goal
    ("mfcc-lstm", "float32", False, None),
    ("ds-lstm", "float32", False, None),
    ("dual", "float32", False, 5.5),
    ("dual", "float32", True, None),
    ("dual", "bfloat16", False, 8.0),
    ("dual", "bfloat16", True, None),
]


@pytest.mark.parametrize(("model", "precision", "plain_tuned", "goal"), CASES)
def test_training_step(compare, quick, threads, model, precision, plain_tuned, goal):
    """Forward, backward and Adam; ours with its settings of the process, plain as the case says."""
    common = {"model": model, "batch": 8 if quick else 32, "threads": threads}
    with contextlib.ExitStack() as stack:
        ours = Stepper(**common, side="fast", tuned=True, precision=precision)
        stack.callback(ours.close)
        plain = Stepper(**common, side="plain", tuned=plain_tuned, warm_up=1)
        stack.callback(plain.close)
        allocator = "the same settings" if plain_tuned else "allocator as it comes"
        count = 1 if quick else STEPS
        compare(
            lambda: ours.step(count),
            lambda: plain.step(count),
            repeats=count,
            against=f"the release's formulas, {allocator}",
            goal=goal,
            rounds=5,
            warm_up=0,
        )
