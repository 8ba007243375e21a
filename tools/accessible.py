"""Sphinx extension: what the theme and the writers leave undone for readers who hear a page.

Each entry of ``RULES`` mends one thing in a page as it is written; ``tests/test_axe.py`` looks at
the result with axe-core, whose rules stand beside the entries.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx


def below(found: re.Match) -> str:
    """The arrow that unfolds a part of the contents says which part."""
    title = re.sub(r"<[^>]+>", "", found[2]).strip()
    return f'{found[1]}<summary aria-label="Pages below: {title}">'


def lines(found: re.Match) -> str:
    """A signature's lines as plain blocks: Sphinx makes a list of definitions without terms."""
    inside = found[2].replace("<dd>", "<div>").replace("</dd>", "</div>")
    return f'{found[1]}<div class="ser-sig-lines">{inside}</div>'


def unnamed(found: re.Match) -> str:
    """A tag without a name of its own, in whichever order its attributes stand."""
    return re.sub(r' (?:aria-label|title)="[^"]*"', "", found[0])


RULES: tuple[tuple[str, Any], ...] = (
    # label-content-name-mismatch: the name of a control holds the words that are seen on it
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (r'<button [^>]*class="btn search-button-field[^>]*>', unnamed),
    (r'(<i class="theme-switch [^>]*?) title="[^"]*"', r"\1"),
    # summary-name
    (
        r'(<a class="(?:current )?reference internal" href="[^"]*">((?:(?!</a>).)*)</a>'
        r'<details[^>]*>)<summary>(?=<span class="toctree-toggle")',
        below,
    ),
    # aria-required-children: a list has items
    (r'(<div class="citation"[^>]*) role="doc-biblioentry"', r'\1 role="listitem"'),
    # definition-list
    (r'(<span class="sig-paren">[(\[]</span>\s*)<dl>(.*?)</dl>', lines),
)
"""Pattern in a page -> what stands there instead."""
PATTERNS = [(re.compile(pattern, re.DOTALL), instead) for pattern, instead in RULES]


def mended(page: str) -> str:
    """A page of HTML, mended.

    >>> mended('<summary aria-label="Toggle hidden content">\\n<p>Show the code</p>')
    '<summary>\\n<p>Show the code</p>'
    >>> mended('<span class="sig-paren">(</span>\\n<dl>\\n<dd>path</dd>\\n</dl>')
    '<span class="sig-paren">(</span>\\n<div class="ser-sig-lines">\\n<div>path</div>\\n</div>'
    >>> mended('<button aria-label="Search" class="btn search-button-field" title="Search">')
    '<button class="btn search-button-field">'
    >>> link = '<a class="reference internal" href="r.html"><code>API</code></a>'
    >>> mended(f'{link}<details><summary><span class="toctree-toggle">')[len(link):]
    '<details><summary aria-label="Pages below: API"><span class="toctree-toggle">'
    >>> here = link.replace("reference", "current reference", 1)  # on the page itself
    >>> "Pages below: API" in mended(f'{here}<details><summary><span class="toctree-toggle">')
    True
    """
    for pattern, instead in PATTERNS:
        page = pattern.sub(instead, page)
    return page


def mend_pages(app: Sphinx, error: Exception | None) -> None:
    """Mend every page that was written."""
    if error is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        before = path.read_text(encoding="utf-8")
        after = mended(before)
        if after != before:
            path.write_text(after, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
