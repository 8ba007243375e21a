"""What stands on the first pages of both editions: title, authors, version, and what differs."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

import yaml

DIFFERS = (
    "This edition is made from the book's pages, as they are stored. Sounds are named where they "
    "are played there; interactive figures stand as they are at first; code that only makes a "
    "figure, the API reference and the run times are left out. Answers to the questions, hints and "
    "solutions are in the last chapter."
)
LICENCE = "Text and figures: CC BY 4.0. Code: MIT."
IMAGE = "book/images/system.svg"


@dataclass(frozen=True)
class Edition:
    """From CITATION.cff: title and subtitle, authors, version, date (``2026-11-22``)."""

    title: str
    subtitle: str
    authors: tuple[str, ...]
    version: str
    date: str


def edition(root: Path) -> Edition:
    """The edition that *root*'s CITATION.cff describes."""
    about = yaml.safe_load((root / "CITATION.cff").read_text(encoding="utf-8"))
    title, _, subtitle = about["title"].partition(":")
    authors = [
        who.get("name") or f"{who['given-names']} {who['family-names']}" for who in about["authors"]
    ]
    date = str(about["date-released"])
    return Edition(title, subtitle.strip(), tuple(authors), str(about["version"]), date)


def title_page(about: Edition, image: str) -> str:
    """The first page, as markup; *image* is the address of its picture, "" for none."""
    picture = f'<p><img alt="" src="{escape(image)}"/></p>' if image else ""
    return (
        f'<div class="title-page"><p class="part title">{escape(about.title)}</p>'
        f'<p class="subtitle">{escape(about.subtitle)}</p>{picture}'
        f"<p>{escape(', '.join(about.authors))}</p>"
        f"<p>Version {escape(about.version)}, {escape(about.date)}</p>"
        f'<p class="small">{LICENCE} {DIFFERS}</p></div>'
    )
