"""Write requirements.txt: the exact versions of the environment this runs in.

``python -m tools.lock`` after installing or upgrading a package in ``.venv``. Packages that
exist only beside a CUDA build of torch are marked, so that other systems can install the rest.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINUX_ONLY = ("nvidia-", "cuda-", "triton")
MARKER = ' ; platform_system == "Linux" and platform_machine == "x86_64"'
NOT_WINDOWS = ("pexpect", "ptyprocess")
HEAD = """\
# The book's environment, exactly: written by `python -m tools.lock`, installed by `make book`.
# Lower bounds for using the package elsewhere are in pyproject.toml.
"""


def lock(freeze: list[str]) -> list[str]:
    """Lines of ``pip freeze --all`` -> lines of requirements.txt.

    >>> lock(["numpy==2.0", "triton==3.6", "-e /somewhere", "pip==24.0", "pexpect==4.9"])
    ['numpy==2.0', 'pexpect==4.9 ; platform_system != "Windows"', \
'triton==3.6 ; platform_system == "Linux" and platform_machine == "x86_64"']
    """
    lines = []
    for line in freeze:
        name, found, _ = line.partition("==")
        if not found or line.startswith(("#", "-")) or name in ("pip", "wheel", "ser-book"):
            continue
        if name.lower().startswith(LINUX_ONLY):
            line += MARKER
        elif name.lower() in NOT_WINDOWS:
            line += ' ; platform_system != "Windows"'
        lines.append(line)
    return sorted(lines, key=str.lower)


def main() -> int:
    command = [sys.executable, "-m", "pip", "freeze", "--all", "--disable-pip-version-check"]
    freeze = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    (ROOT / "requirements.txt").write_text(HEAD + "\n".join(lock(freeze.splitlines())) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
