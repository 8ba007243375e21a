"""Everything that is tested, in one command: ``python -m tools.check`` (what ``make test`` calls).

Style (ruff), unit tests and doctests, and every notebook under nbval: each runs in a fresh
kernel, and the cells tagged ``nbval-check-output`` must print what the stored copy shows.
Arguments go to pytest: ``python -m tools.check -k metrics``.
"""

from __future__ import annotations

import subprocess
import sys

from tools.execute import ROOT, prepare

STYLE = (["check", "."], ["format", "--check", "."])
PYTEST = ["-n", "2", "--dist", "loadscope", "--timeout", "900"]
PYTEST += ["--nbval-lax", "--nbval-cell-timeout", "600"]


def main(arguments: list[str]) -> int:
    prepare(ROOT / "_build")
    for style in STYLE:
        done = subprocess.run([sys.executable, "-m", "ruff", *style], cwd=ROOT, check=False)
        if done.returncode:
            return done.returncode
    command = [sys.executable, "-m", "pytest", *PYTEST, "tests", "ser", "tools", "book", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
