"""BibTeX for the book and for the paper, made from CITATION.cff at build time."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

PLACE = "<!-- cite: {} -->"
ACRONYM = re.compile(r"\b(?:[A-Z]{2,}|LSTM|MFCC)\b")


def names(authors: list[dict]) -> str:
    """Authors as BibTeX writes them; a group's name in braces stays in one piece.

    >>> names([{"family-names": "Wang", "given-names": "Jianyou"}, {"name": "The Authors"}])
    'Wang, Jianyou and {The Authors}'
    """
    written = []
    for author in authors:
        if "name" in author:
            written.append(f"{{{author['name']}}}")
        else:
            written.append(f"{author['family-names']}, {author['given-names']}")
    return " and ".join(written)


def bibtex(kind: str, key: str, fields: dict[str, str]) -> str:
    """One entry; empty fields are left out, acronyms in the title keep their capitals."""
    lines = [f"@{kind}{{{key},"]
    for name, value in fields.items():
        if value:
            text = ACRONYM.sub(lambda m: f"{{{m[0]}}}", value) if name == "title" else value
            lines.append(f"  {name:<9} = {{{text}}},")
    return "\n".join([*lines, "}"])


def entries(citation: dict) -> dict[str, str]:
    """``{"book": BibTeX, "paper": BibTeX}`` of a parsed CITATION.cff."""
    paper = citation["references"][0]
    book = {
        "author": names(citation["authors"]),
        "title": citation["title"],
        "year": str(citation["date-released"])[:4],
        "version": str(citation["version"]),
        "note": f"Version {citation['version']}",
        "url": citation.get("repository-code", ""),
    }
    article = {
        "author": names(paper["authors"]),
        "title": paper["title"],
        "booktitle": paper["collection-title"],
        "year": str(paper["year"]),
        "pages": f"{paper['start']}--{paper['end']}" if "start" in paper else "",
        "doi": paper.get("doi", ""),
    }
    return {
        "book": bibtex("software", "serbook", book),
        "paper": bibtex("inproceedings", "wang2020speech", article),
    }


def fill(page: Path, source: Path) -> None:
    """Write both entries into the staged page of the book, where it has their comments."""
    if not page.is_file():
        return
    made = entries(yaml.safe_load(source.read_text(encoding="utf-8")))
    text = page.read_text(encoding="utf-8")
    for name, entry in made.items():
        text = text.replace(PLACE.format(name), f"```bibtex\n{entry}\n```")
    page.write_text(text, encoding="utf-8")
