"""Options that several commands have."""

from __future__ import annotations

import argparse
import shlex

EMOTIONS_HELP = (
    "which emotions to tell apart, in the order of the answers (default: angry,happy,neutral,sad); "
    "'all' that the corpus has; calm=neutral makes calm count as neutral, so RAVDESS's seven are "
    "all,calm=neutral. A manifest may have words of its own. Excited counts as happy unless named; "
    "synonyms are one word (anger: angry)"
)


def add_emotions(to: argparse._ActionsContainer) -> None:
    """The option ``--emotions`` of a command, or of a group of its options."""
    to.add_argument("--emotions", metavar="WORD,WORD", help=EMOTIONS_HELP)


def took_all(command: str, neutral: list[str]) -> str:
    """What to say where ``--neutral`` has taken the recording as well."""
    count = f"all {len(neutral)} files" if len(neutral) > 1 else "the only file"
    calm = neutral[:-1] or ["calm.wav"]
    return (
        f"--neutral took {count}, and none is left to be heard: the recording goes first, as in "
        f"{shlex.join(['ser', command, neutral[-1], '--neutral', *calm])}"
    )


def positive(text: str) -> int:
    """A whole number from 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value
