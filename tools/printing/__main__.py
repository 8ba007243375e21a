"""The book in one file: ``python -m tools.printing pdf`` (``make pdf``), ``epub`` (``make epub``).

The stored notebooks are rendered as ``python -m tools.book render`` does it, strictly and without
running them, once for a state of the sources; then Chromium prints ``_build/book.pdf``, or sets
the mathematics of ``_build/book.epub``. Nothing is left at the target unless all went well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tools import book
from tools.browser import BrowserError, chromium
from tools.execute import ROOT, tree_digest
from tools.printing import epub, pdf
from tools.printing.edition import IMAGE, edition
from tools.printing.pages import read


def missing(kind: str) -> str:
    """What has to be installed before the book can be made, "" if nothing."""
    if os.name == "nt":
        return f"make {kind} needs Linux or macOS: it speaks with Chromium over a pipe"
    if chromium() is None:
        return (
            f"make {kind} needs Chromium or Chrome on the PATH; "
            "install it first (Debian: apt-get install chromium)"
        )
    return ""


def rendered(build: Path) -> Path:
    """The pages of the stored notebooks below *build*, rendered once for a state of the sources."""
    home = build / "printing"
    kept = home / tree_digest(*(ROOT / name for name in book.SOURCES))[:16]
    if not (kept / "index.html").is_file():
        say("rendering the pages (some minutes)")
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        with TemporaryDirectory(prefix="stage-", dir=home, ignore_cleanup_errors=True) as own:
            book.render(book.stage(Path(own)), home / "sphinx").replace(kept)
        shutil.rmtree(home / "sphinx", ignore_errors=True)
    return kept


def make(kind: str, target: Path, html: Path, root: Path = ROOT) -> str:
    """Write the book from the folder *html* of built pages; returns what there is to say of it.

    Raises:
        BrowserError: Chromium failed; *target* is as it was before.
    """
    say("reading the pages")
    pages, about, image = read(html, root), edition(root), (root / IMAGE).as_uri()
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f"{kind}-", dir=target.parent) as own:
        part = Path(own) / target.name
        say(f"{'printing' if kind == 'pdf' else 'packing'} {len(pages)} chapters")
        if kind == "pdf":
            for place in pdf.printed(part, pages, about, image, html):
                print(f"wider than the paper: {place}", file=sys.stderr)
            told = f"{len(pdf.File(part.read_bytes()).pages())} pages"
        else:
            epub.printed(part, pages, about, image, html)
            told = f"{len(pages)} chapters"
        size = part.stat().st_size / 1e6
        part.replace(target)
    return f"the book: {target}, {told}, {size:.1f} MB"


def say(words: str) -> None:
    print(f"{words} ...", flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.printing", description=__doc__)
    parser.add_argument("kind", choices=["pdf", "epub"])
    parser.add_argument("--output", type=Path, help="the file; default: _build/book.pdf or .epub")
    args = parser.parse_args(argv)
    if words := missing(args.kind):
        print(f"error: {words}", file=sys.stderr)
        return 2
    build = ROOT / "_build"
    target = (args.output or build / f"book.{args.kind}").resolve()
    try:
        print(make(args.kind, target, rendered(build)))
    except BrowserError as error:
        print(f"error: Chromium failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
