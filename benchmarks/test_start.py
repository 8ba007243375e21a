"""From pressing enter to the first line: against an interpreter that does nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

COMMANDS = {
    "ser --help": ["-m", "ser", "--help"],
    "ser run --help": ["-m", "ser", "run", "--help"],
    "import ser": ["-c", "import ser"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_start(compare, command):
    """Goal: half a second; the ratio tells what of it is ours."""

    def call(arguments: list[str]) -> None:
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)

    compare(
        lambda: call(COMMANDS[command]),
        lambda: call(["-c", "pass"]),
        against="python -c pass",
        cost=True,
        rounds=9,
        limit_seconds=0.5,
    )
