"""The book as one PDF: one document, printed by Chromium, with outline, contents, page numbers."""

from __future__ import annotations

import copy
import json
import re
from html import escape
from pathlib import Path

from tools.browser import Page as Browser
from tools.browser import opened
from tools.printing.edition import Edition, title_page
from tools.printing.pages import Page

HERE = Path(__file__).parent
MATHJAX = "_static/mathjax/tex-chtml.js"
SETTINGS = {
    "options": {"processHtmlClass": "math", "enableMenu": False, "enableAssistiveMml": False}
}
HEADING = re.compile(r"^h[1-6]$")
RUNNING = 'content: "%s"; font: 8pt "Liberation Sans", Arial, sans-serif; color: #55595f;'


def document(pages: list[Page], about: Edition, image: str, html: Path | None) -> str:
    """The whole book as one page of HTML.

    Args:
        pages: of :func:`tools.printing.pages.read`.
        about: title and authors.
        image: address of the picture of the title page, "" for none.
        html: folder of the built pages, for MathJax and the colours of code; None without them.
    """
    styles = [(HERE / name).read_text(encoding="utf-8") for name in ("book.css", "paper.css")]
    styles += running_titles(pages)
    scripts = [f"<script>{(HERE / 'paper.js').read_text(encoding='utf-8')}</script>"]
    if html is not None:
        styles.append((html / "_static" / "pygments.css").read_text(encoding="utf-8"))
        scripts.append(f"<script>window.MathJax = {json.dumps(SETTINGS)}</script>")
        scripts.append(f'<script src="{(html / MATHJAX).as_uri()}"></script>')
    before = [None, *pages][: len(pages)]
    chapters = "".join(map(chapter, pages, before))
    return (
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8">'
        f"<title>{escape(about.title)}</title><style>{''.join(styles)}</style>"
        f"{''.join(scripts)}</head><body>"
        f'<div class="front">{title_page(about, image)}</div>{contents(pages)}{chapters}'
        "</body></html>"
    )


def running_titles(pages: list[Page]) -> list[str]:
    """Rules that put a chapter's title at the top of its pages."""
    rules, name = [], ""
    for page in pages:
        if page.depth == 0:
            name = f"p-{page.id}".replace(".", "-")
            title = page.title.replace("\\", r"\\").replace('"', r"\"")
            rules.append(f"@page {name} {{ @top-right {{ {RUNNING % title} }} }}")
        rules.append(f"#{css_name(page.id)} {{ page: {name}; }}")
    return rules


def css_name(name: str) -> str:
    return re.sub(r"([^\w-])", r"\\\1", name)


def chapter(page: Page, before: Page | None) -> str:
    """A page's markup; headings are one level lower below a part, two below another page."""
    body = copy.copy(page.body)
    shift = page.depth + (1 if page.part else 0)
    for heading in body.find_all(HEADING):
        level = int(heading.name[1])
        heading["class"] = [*heading.get("class", []), f"level{level}"]
        heading.name = f"h{min(6, level + shift)}"
    body.name = "div"
    body["class"] = "chapter" if page.depth == 0 else "below"
    if page.part and (before is None or before.part != page.part):
        part = f'<h1 class="part">{escape(page.part)}</h1>'
        return body.decode(formatter="minimal").replace(">", f">{part}", 1)
    return body.decode(formatter="minimal")


def contents(pages: list[Page]) -> str:
    """The table of contents; the page numbers are put in once they are known."""
    lines, part = ['<div class="front contents"><h1 class="level1">Contents</h1><ol>'], ""
    for page in pages:
        if page.part != part:
            lines.append(f'<li class="part">{escape(page.part)}</li>')
            part = page.part
        lines.append(line(page.id, page.title, "deeper" if page.depth else ""))
        if page.depth == 0:
            lines += [line(name, words, "deeper") for name, words in page.sections()]
    return "".join([*lines, "</ol></div>"])


def line(target: str, words: str, kind: str) -> str:
    number = f'<span class="page-of" data-of="{escape(target)}"></span>'
    return f'<li class="{kind}"><a href="#{escape(target)}">{escape(words)}{number}</a></li>'


FILL = """(numbers => {
    let changed = 0;
    for (const place of document.querySelectorAll('.page-of')) {
        const number = String(numbers[place.dataset.of] || '');
        changed += place.textContent !== number;
        place.textContent = number;
    }
    return changed;
})"""


def printed(
    target: Path, pages: list[Page], about: Edition, image: str, html: Path | None
) -> list[str]:
    """Print the book to *target*: once, and again with the numbers of the pages in its contents.

    Returns:
        What sticks out of the page, as ``place: ELEMENT``; nothing, if all is well.

    Raises:
        BrowserError: the browser failed.
    """
    source = target.with_suffix(".html")
    source.write_text(document(pages, about, image, html), encoding="utf-8")
    with opened(Browser, "--allow-file-access-from-files") as browser:
        browser.patience = 900
        browser.open(source)
        browser.send("Emulation.setEmulatedMedia", media="print")
        wide = browser.js("readyForPaper()")
        browser.pdf(target)
        for _ in range(2):  # numbers may move a line, and a line a page
            numbers = page_numbers(target.read_bytes())
            if not browser.js(f"{FILL}({json.dumps(numbers)})"):
                break
            browser.pdf(target)
    return wide


def page_numbers(pdf: bytes) -> dict[str, int]:
    """Of every place that a link leads to: the page it stands on, counted from 1."""
    file = File(pdf)
    places = {page: number for number, page in enumerate(file.pages(), 1)}
    found = re.findall(rb"/(\S+) \[(\d+) 0 R /XYZ", file.object(file.pointed(b"Dests")))
    plain = {re.sub(rb"#([0-9A-Fa-f]{2})", _byte, name).decode(): int(n) for name, n in found}
    return {name: places[page] for name, page in plain.items()}


def _byte(match: re.Match) -> bytes:
    return bytes.fromhex(match[1].decode())


class File:
    """A PDF as Chromium writes it: dictionaries in plain text, one table of where they begin."""

    def __init__(self, pdf: bytes) -> None:
        self.pdf = pdf
        table = int(re.findall(rb"startxref\s+(\d+)", pdf[-100:])[0])
        first, count = re.match(rb"xref\s+(\d+) (\d+)\s", pdf[table : table + 60]).groups()
        rows = re.compile(rb"(\d{10}) \d{5} [nf]").findall(pdf, table)[: int(count)]
        self.starts = {int(first) + k: int(row) for k, row in enumerate(rows)}

    def object(self, number: int) -> bytes:
        start = self.starts[number]
        return self.pdf[start : self.pdf.index(b"endobj", start)]

    def pointed(self, name: bytes) -> int:
        """Number of the object that the catalogue calls *name*."""
        root = int(re.findall(rb"/Root (\d+) 0 R", self.pdf[-2000:])[0])
        return int(re.search(rb"/%s (\d+) 0 R" % name, self.object(root))[1])

    def pages(self) -> list[int]:
        """Numbers of the objects that are pages, in the order of the pages."""

        def below(number: int) -> list[int]:
            kids = re.search(rb"/Kids \[([^]]*)\]", self.object(number))
            if kids is None:
                return [number]
            return [page for k in re.findall(rb"(\d+) 0 R", kids[1]) for page in below(int(k))]

        return below(self.pointed(b"Pages"))
