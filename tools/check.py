"""Everything that is tested, in one command: ``python -m tools.check`` (what ``make test`` calls).

Style (ruff), who imports whom (import-linter; the contract is in pyproject.toml), unit tests and
doctests, and every notebook under nbval: each runs in a fresh kernel, and the cells tagged
``nbval-check-output`` must print what the stored copy shows. What ran is kept for ``make book``.
Arguments go to pytest: ``python -m tools.check -k metrics``. Tests marked ``slow`` run with
``--all`` alone (``make test-all``).

Two tests run side by side, so torch gets one thread in each: with more, those of one process wait
for those of the other. ``OMP_NUM_THREADS`` wins where it is set.
"""

from __future__ import annotations

import os
import subprocess
import sys

from tools.execute import ROOT, prepare

IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"
FIRST = (
    ["-m", "ruff", "check", "."],
    ["-m", "ruff", "format", "--check", "."],
    ["-c", IMPORTS, "--no-logo", "--cache-dir", "_build/imports"],
)
"""What takes seconds comes before what takes minutes."""
PYTEST = ["-n", "2", "--dist", "loadscope", "--no-loadscope-reorder", "--timeout", "900"]
PYTEST += ["--nbval-lax", "--nbval-cell-timeout", "600", "-p", "tools.keep"]


def main(arguments: list[str]) -> int:
    prepare(ROOT / "_build")
    for first in FIRST:
        done = subprocess.run([sys.executable, *first], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    every = "--all" in arguments
    arguments = [a for a in arguments if a != "--all"]
    chosen = [] if every else ["-m", "not slow"]
    command = [sys.executable, "-m", "pytest", *PYTEST, *chosen, "book", "tests", "ser", "tools"]
    command += arguments
    environment = {"OMP_NUM_THREADS": "1"} | os.environ
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
