"""Buttons that open a chapter in Colab or on Binder, and the cell that such a place needs first.

One setting drives both: ``repository.url`` in ``_config.yml``, the public address of this
repository. While it is empty there are no such buttons (the download button is always there). After
setting it, ``python -m tools.launch`` puts a first cell into every chapter that installs the
package where it is missing, as in Colab, and does nothing elsewhere; without an address it takes
it out.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import nbformat
import yaml

from tools.execute import ROOT, notebooks

TAG = "launch"
PLACES = {
    "notebook_interface": "jupyterlab",
    "binderhub_url": "https://mybinder.org",
    "colab_url": "https://colab.research.google.com",
}
CELL = """\
# Installs the book's package where it is missing (Colab); elsewhere this cell does nothing.
import importlib.util, os, subprocess, sys

if importlib.util.find_spec("chapters") is None:
    if not os.path.isdir("ser-book"):
        get = ["git", "clone", "--depth", "1", "{url}", "ser-book"]
        subprocess.run(get, check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "./ser-book[book]", "-e", "./ser-book/book"], check=True)
    sys.path.insert(0, os.path.abspath("ser-book/book"))
    os.chdir("ser-book/book")"""


def address(config: Path) -> str:
    """The repository's address in a ``_config.yml``, "" where none is set.

    Raises:
        ValueError: an address that is not https://HOST/OWNER/NAME.
    """
    settings = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    url = (settings.get("repository", {}).get("url") or "").removesuffix(".git").rstrip("/")
    if url and not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", url):
        raise ValueError(f"{config}: repository.url is https://HOST/OWNER/NAME, not {url!r}")
    return url


def fill(config: Path) -> None:
    """Give a staged ``_config.yml`` its launch buttons, if the address is set.

    They go to the theme's options: those that the book sets itself replace what Jupyter Book would
    make of its own ``launch_buttons``.
    """
    if url := address(config):
        settings = yaml.safe_load(config.read_text(encoding="utf-8"))
        options = settings["sphinx"]["config"]["html_theme_options"]
        branch = settings["repository"].get("branch", "main")
        options |= {"repository_url": url, "repository_branch": branch, "launch_buttons": PLACES}
        config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def with_cell(notebook: nbformat.NotebookNode, url: str) -> nbformat.NotebookNode:
    """The notebook with the cell for *url* after its title, or without one where *url* is ""."""
    cells = [c for c in notebook.cells if TAG not in c.metadata.get("tags", [])]
    if url:
        cell = nbformat.v4.new_code_cell(
            CELL.format(url=url), metadata={"tags": [TAG, "remove-cell"]}
        )
        cell["id"] = "launch"
        cells.insert(1, cell)
    notebook.cells = cells
    return notebook


def main() -> int:
    try:
        url = address(ROOT / "_config.yml")
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    changed = 0
    for path in notebooks(ROOT):
        before = path.read_text(encoding="utf-8")
        made = with_cell(nbformat.reads(before, as_version=4), url)
        after = nbformat.writes(made) + "\n"
        if made.cells != nbformat.reads(before, as_version=4).cells:
            path.write_text(after, encoding="utf-8")
            changed += 1
    print(f"{changed} notebooks changed; address: {url or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
