"""The pages of the book as the build sees them: their order, their titles, their text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

# book: chapter "The LSTM" / book: chapters "A" and "B" / (book: "Corpora")
NAMED = re.compile(
    r"\b(?:book:|chapters?)\s+(?:chapters?\s+)?(\"[^\"]+\"(?:(?:,| and|, and)\s+\"[^\"]+\")*)"
)


@dataclass(frozen=True)
class Chapter:
    """A page of the book: its name without suffix (``book/lstm``), title and source file."""

    name: str
    title: str
    path: Path

    @property
    def is_notebook(self) -> bool:
        return self.path.suffix == ".ipynb"


def contents(root: Path) -> list[tuple[str, list[str]]]:
    """Parts of ``_toc.yml`` in order: (caption, names of pages); the first page comes first."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    parts = [("", [toc["root"]])]
    for part in toc.get("parts", []):
        names = []
        for entry in part["chapters"]:
            names += [entry["file"], *(section["file"] for section in entry.get("sections", []))]
        parts.append((part["caption"], names))
    return parts


def chapters(root: Path) -> dict[str, Chapter]:
    """Every page of the contents by name, in order."""
    names = [name for _, part in contents(root) for name in part]
    found = [(name, root / f"{name}{s}") for name in names for s in (".ipynb", ".md")]
    return {name: Chapter(name, title(path), path) for name, path in found if path.is_file()}


def title(path: Path) -> str:
    """The first heading of a page or notebook, or the name of the file."""
    match = re.search(r"^#\s+(.+?)\s*$", "\n".join(text_of(path)), re.MULTILINE)
    return match[1] if match else path.stem


def text_of(path: Path) -> list[str]:
    """Markdown of a page (one piece) or of a notebook (a piece a cell)."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        return [cell.source for cell in cells if cell.cell_type == "markdown"]
    return [path.read_text(encoding="utf-8")]


def chapters_named(docstring: str | None) -> list[str]:
    """Titles that a docstring names.

    >>> chapters_named('One step (book: chapters "The LSTM" and "The DS-LSTM").')
    ['The LSTM', 'The DS-LSTM']
    >>> chapters_named('The settings (book: "Training on a GPU").')
    ['Training on a GPU']
    >>> chapters_named('200 words after "Say the word".')
    []
    """
    matches = NAMED.finditer(re.sub(r"\s+", " ", docstring or ""))
    return [name for match in matches for name in re.findall(r'"([^"]+)"', match[1])]
