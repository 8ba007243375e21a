"""A chapter's MyST as Markdown that any notebook editor shows: no roles, no directives, no labels.

JupyterLab shows ``{cite:p}`wang2020speech``` and ``:::{admonition}`` as they stand, and of
``[](lstm.ipynb)`` nothing at all. What is said on slides has the same words.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache

from pybtex.database import parse_file

from tools.chapters import title
from tools.course.tasks import ROOT, chapter_path

BOX = re.compile(r"^(:{3,})\{admonition\} *(.*?)\n(.*?)^\1[ \t]*$", re.DOTALL | re.MULTILINE)
LABEL = re.compile(r"^\([\w-]+\)=\n", re.MULTILINE)
LINK = re.compile(r"\[([^\]\n]*)\]\(((?:\.\./)?[\w-]+(?:\.ipynb|\.md)?)\)")
TERM = re.compile(r"\{term\}`([^`<]*?)(?: *<[^`]*>)?`")


def plain(text: str, kept: Collection[str] = ()) -> str:
    """*text* without MyST; links to the notebooks in *kept* stay links, others become words.

    >>> plain("{term}`harmonics <harmonic>` {cite:p}`hochreiter1997long`, see [](lstm.ipynb)")
    'harmonics (Hochreiter and Schmidhuber 1997), see "The LSTM"'
    >>> plain("as {cite:t}`wang2020speech` say, see [](lstm.ipynb)", ["lstm"])
    'as Wang et al. (2020) say, see [The LSTM](lstm.ipynb)'
    """
    text = LABEL.sub("", BOX.sub(boxed, text))
    text = TERM.sub(r"\1", text)
    text = re.sub(r"\{cite:t\}`([^`]*)`", lambda m: works(m[1], "{} ({})"), text)
    text = re.sub(r"\{cite:p\}`([^`]*)`", lambda m: f"({works(m[1], '{} {}')})", text)
    return LINK.sub(lambda m: linked(m[1], m[2], kept), text)


def boxed(found: re.Match[str]) -> str:
    """A box as a quotation with its title in bold."""
    body = re.sub(r"\A(?::\w+:.*\n)+\s*", "", found[3]).rstrip()
    return "\n".join(f"> {line}".rstrip() for line in [f"**{found[2]}**", "", *body.split("\n")])


def linked(words: str, target: str, kept: Collection[str]) -> str:
    page = target.removeprefix("../").partition(".")[0]
    if target == page:  # a label of the book
        return words or "there"
    if page in kept:
        return f"[{words or title(chapter_path(page))}]({page}.ipynb)"
    return words or named(page)


def named(page: str) -> str:
    """A page of the book by its title, in quotation marks."""
    path = chapter_path(page)
    return f'"{title(path if path.is_file() else path.with_suffix(".md"))}"'


@cache
def library() -> dict:
    return dict(parse_file(ROOT / "book" / "references.bib").entries)


def works(keys: str, form: str) -> str:
    """Authors and year of works in *form*, several parted by semicolons.

    >>> works("burkhardt2005database", "{} ({})")
    'Burkhardt et al. (2005)'
    """
    return "; ".join(form.format(*who_and_when(key.strip())) for key in keys.split(","))


def who_and_when(key: str) -> tuple[str, str]:
    """The names that a text calls a work by, and its year.

    Raises:
        KeyError: the bibliography has no such work.
    """
    work = library()[key]
    people = work.persons.get("author") or work.persons["editor"]
    names = [" ".join([*p.prelast_names, *p.last_names]).strip("{}") for p in people]
    who = " and ".join(names) if len(names) < 3 else f"{names[0]} et al."
    return who.replace("{", "").replace("}", ""), work.fields["year"]
