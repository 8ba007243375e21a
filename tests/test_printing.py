"""The book as PDF and EPUB: a book of two pages, what paper lacks, and a browser missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from devtools import needs_chromium, page

from tools.printing import __main__ as command
from tools.printing import epub, pdf
from tools.printing.edition import edition
from tools.printing.pages import Page, read

TOC = """\
root: book/first
parts:
  - caption: Seeing
    chapters:
      - file: book/second
      - file: book/reference
"""
ABOUT = """\
title: "Voices: a book"
version: 1.2.0
date-released: 2026-01-02
authors: [{name: The authors}, {given-names: Ada, family-names: Byron}]
"""
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII="
FIRST = f"""
<section id="first"><h1>First &amp; last<a class="headerlink" href="#first">#</a></h1>
<p>See <a href="second.html#two">there</a>, <a href="reference.html#x">the reference</a> and
<a href="https://example.org/">elsewhere</a>.</p>
<audio controls src="a.mp3" aria-label="Four ways"></audio>
<figure class="ser-player"><audio controls src="data:audio/wav;base64,AAAA"></audio>
<figcaption>A happy voice</figcaption></figure>
<figure class="ser-figure"><img alt="A dot" src="data:image/png;base64,{DOT}"/></figure>
<figure class="ser-gates"><div><svg viewbox="0 0 9 9"><style>.a{{fill:red}}</style><path class="a"
d="M0 0h9"></path></svg><div class="controls" hidden=""><button>Play</button></div></div>
<figcaption>Two gates</figcaption><script>1</script></figure>
</section>"""
SECOND = """
<section id="second"><h1>Second</h1><section id="two"><h2>Two</h2>
<p>Mathematics <span class="math notranslate nohighlight">\\(x^2\\)</span>.</p>
<div class="cell tag_hide-input"><details class="hide above-input"><summary><p>Show the code</p>
</summary><pre>plot()</pre></details><div class="cell_output">
<table border="1"><tr><td>7</td></tr></table></div></div>
<div class="cell tag_hide-cell"><details class="hide above-input"><summary><p>Show all</p></summary>
<div class="cell_input"><pre>every_row()</pre></div><p>All rows</p></details></div></section>
<section aria-label="Check" class="ser-quiz"><p class="ser-quiz-title">Check yourself</p>
<div aria-labelledby="q" class="ser-question" role="group"><p id="q"><b>1.</b> <span>Why?</span></p>
<details class="ser-wrong" name="q"><summary><span>No idea</span></summary><p><b>No.</b>
<span>There is one.</span></p></details>
<details class="ser-right" name="q"><summary><span>Because</span></summary><p><b>Right.</b>
<span>It is so.</span></p></details></div></section>
<section id="exercises"><h2>Exercises</h2><p><strong>2. Think.</strong> How?</p>
<details class="sd-dropdown"><summary><span class="sd-summary-text">Hints</span></summary>
<div><p>Slowly.</p></div></details>
<div class="cell tag_hide-cell"><details class="hide above-input"><summary><p>Show it</p></summary>
<div class="cell_input"><pre>solve()</pre></div></details></div></section></section>"""


@pytest.fixture
def built(tmp_path) -> Path:
    """A tiny book as it looks once it is rendered, and what describes it."""
    for name, article in (("first", FIRST), ("second", SECOND), ("reference", "<h1>Names</h1>")):
        file = tmp_path / "book" / f"{name}.html"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"<html><nav>menu</nav><article>{article}</article></html>", "utf-8")
    (tmp_path / "_toc.yml").write_text(TOC, encoding="utf-8")
    (tmp_path / "CITATION.cff").write_text(ABOUT, encoding="utf-8")
    return tmp_path


@pytest.fixture
def pages(built) -> list[Page]:
    return read(built, built)


def test_pages_in_order_with_the_answers_last(pages):
    titles = [(page.part, page.title) for page in pages]
    assert titles == [
        ("", "First & last"), ("Seeing", "Second"), ("Seeing", "Answers and solutions"),
    ]  # fmt: skip
    assert pages[1].sections() == [
        ("book-second--two", "Two"),
        ("book-second--exercises", "Exercises"),
    ]


def test_what_paper_does_not_have_is_said_in_words(pages):
    first, second = pages[0].body, pages[1].body
    assert not first.select("audio, script, button, .controls, .headerlink, style:not(svg style)")
    said = " ".join(first.get_text().split())
    assert "Sound, played on the page. Four ways" in said
    assert "Sound, played on the page. A happy voice" in said
    assert "Interactive on the page; here as it stands at first. Two gates" in said
    assert first.select("svg path") and "menu" not in said
    assert second.get_text().count("Code: on the page.") == 2 and "All rows" in second.get_text()
    assert not re.search(r"plot\(\)|every_row\(\)", second.get_text())
    assert second.select("td") and not second.find("table").attrs


def test_answers_are_at_the_back_and_not_under_their_questions(pages):
    second, back = (" ".join(page.body.get_text(" ").split()) for page in pages[1:])
    assert not any(page.body.find(["details", "summary"]) for page in pages)
    for word in ("Right.", "It is so.", "Slowly.", "solve()"):
        assert word not in second
    assert "1. b is right. a: There is one. b: It is so." in back
    assert "2. Think. Hints Slowly. 2. Think. Solution solve()" in back and "rows" not in back
    assert [option.get_text() for option in pages[1].body.select(".options li")] == [
        "No idea",
        "Because",
    ]


def test_links_stay_in_the_book(pages):
    every = [element["id"] for page in pages for element in page.body.find_all(id=True)]
    ids = {*every, *(page.id for page in pages)}
    assert len(every) == len(set(every))
    links = [link["href"] for page in pages for link in page.body.find_all("a", href=True)]
    assert "#book-second--two" in links and "https://example.org/" in links
    assert all(link[1:] in ids for link in links if link.startswith("#"))
    assert "the reference" in pages[0].body.get_text()
    assert not any("reference" in link for link in links), "it is not in the book"


def test_title_and_authors_are_those_of_the_citation(built):
    about = edition(built)
    assert (about.title, about.subtitle) == ("Voices", "a book")
    assert about.authors == ("The authors", "Ada Byron")


def test_epub_lists_every_file_and_every_link_leads_somewhere(built, pages):
    target = built / "book.epub"
    epub.write(target, pages, edition(built), "", b"cover", lambda html: html)
    with zipfile.ZipFile(target) as book:
        names = book.namelist()
        assert names[0] == "mimetype" and book.infolist()[0].compress_type == zipfile.ZIP_STORED
        package = ElementTree.fromstring(book.read("EPUB/package.opf"))
        items = {i.get("id"): i for i in package.iter("{http://www.idpf.org/2007/opf}item")}
        listed = {f"EPUB/{item.get('href')}" for item in items.values()} | {"EPUB/package.opf"}
        assert listed == {name for name in names if name.startswith("EPUB/")}
        order = [items[i.get("idref")].get("href")
                 for i in package.iter("{http://www.idpf.org/2007/opf}itemref")]  # fmt: skip
        assert order[:2] == ["title.xhtml", "nav.xhtml"] and order[-1] == "answers.xhtml"
        texts = {name: book.read(name).decode() for name in names if name.endswith(".xhtml")}
    for text in texts.values():
        ElementTree.fromstring(text)
        soup = BeautifulSoup(text, "html.parser")
        for tag in soup.select("[href], img[src]"):
            file, _, place = (tag.get("href") or tag["src"]).partition("#")
            if not file.startswith("https:"):
                assert f"EPUB/{file}" in names, file
                assert not place or f'id="{place}"' in texts[f"EPUB/{file}"], place
    assert "A dot" in texts["EPUB/book-first.xhtml"]


def test_the_same_book_gives_the_same_bytes(built):
    files = [built / "a.epub", built / "b.epub"]
    for file in files:
        epub.write(file, read(built, built), edition(built), "", b"cover", lambda html: html)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("kind", ["pdf", "epub"])
def test_without_a_browser_it_says_what_to_install(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "chromium", lambda: None)
    target = tmp_path / f"book.{kind}"
    target.write_text("the old one", encoding="utf-8")
    assert command.main([kind, "--output", str(target)]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1 and f"make {kind} needs" in told
    assert target.read_text(encoding="utf-8") == "the old one"
    assert [file.name for file in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("kind", ["pdf", "epub"])
def test_nothing_is_left_where_the_browser_fails(kind, built, monkeypatch, capsys):
    from tools.browser import BrowserError

    def fail(part: Path, *_: object) -> None:
        part.write_text("half", encoding="utf-8")
        raise BrowserError("it ended")

    monkeypatch.setattr(command, "chromium", lambda: "a browser")
    monkeypatch.setattr(command, "rendered", lambda build: built)
    monkeypatch.setattr(command, "read", lambda html, root: [])
    monkeypatch.setattr({"pdf": pdf, "epub": epub}[kind], "printed", fail)
    out = built / "out"
    assert command.main([kind, "--output", str(out / f"book.{kind}")]) == 1
    assert "it ended" in capsys.readouterr().err
    assert not list(out.iterdir())


def test_pages_are_rendered_once_for_a_state_of_the_sources(tmp_path, monkeypatch):
    calls = []

    def render(staged: Path, output: Path) -> Path:
        calls.append(staged)
        html = output / "_build" / "html"
        html.mkdir(parents=True)
        (html / "index.html").write_text("made", encoding="utf-8")
        return html

    monkeypatch.setattr(command.book, "stage", lambda folder: folder)
    monkeypatch.setattr(command.book, "render", render)
    monkeypatch.setattr(command, "tree_digest", lambda *paths: "a" * 64)
    assert (command.rendered(tmp_path) / "index.html").read_text("utf-8") == "made"
    kept = command.rendered(tmp_path)
    monkeypatch.setattr(command, "tree_digest", lambda *paths: "b" * 64)
    assert command.rendered(tmp_path) != kept and len(calls) == 2
    assert len(list((tmp_path / "printing").iterdir())) == 1


def test_pdf_of_a_tiny_book(built, pages):
    needs_chromium()
    target = built / "book.pdf"
    assert pdf.printed(target, pages, edition(built), "", None) == []
    data = target.read_bytes()
    numbers = pdf.page_numbers(data)
    assert len(pdf.File(data).pages()) == 5, "title, contents, two chapters, answers"
    assert [numbers[page.id] for page in pages] == [3, 4, 5]
    titles = re.findall(rb"/Title \(([^)]*)\)", data)
    for title in (b"Contents", b"First & last", b"Seeing", b"Second", b"Two"):
        assert title in titles
    if shutil.which("pdftotext") is None:
        pytest.skip("the rest needs pdftotext (Debian: apt-get install poppler-utils)")
    done = subprocess.run(["pdftotext", "-layout", target, "-"], capture_output=True, check=True)
    text = done.stdout.decode().split("\f")
    assert re.search(r"Second\s+4", text[1]) and re.search(r"Answers and solutions\s+5", text[1])
    assert "Answers, page 5" in text[3] and "It is so." in text[4]


def test_epub_of_a_tiny_book_has_mathematics(built, pages):
    """MathML and the colours of drawings come from the browser; MathJax here is a stand-in."""
    needs_chromium()
    math = built / "_static" / "mathjax" / "tex-chtml.js"
    math.parent.mkdir(parents=True)
    math.write_text(
        "MathJax = {startup: {promise: Promise.resolve()}, tex2mmlPromise: async tex =>"
        "`<math xmlns='http://www.w3.org/1998/Math/MathML' data-x='1'><mi>${tex}</mi></math>`}",
        encoding="utf-8",
    )
    (built / "_static" / "pygments.css").write_text("", encoding="utf-8")
    target = built / "book.epub"
    epub.printed(target, pages, edition(built), "", built)
    with zipfile.ZipFile(target) as book:
        first = book.read("EPUB/book-first.xhtml").decode()
        second = book.read("EPUB/book-second.xhtml").decode()
        assert book.read("EPUB/images/cover.png").startswith(b"\x89PNG")
        assert 'properties="mathml"' in book.read("EPUB/package.opf").decode()
    ElementTree.fromstring(first)
    ElementTree.fromstring(second)
    assert 'fill="rgb(255, 0, 0)"' in first and "viewBox" in first and "<style" not in first
    assert 'alttext="x^2"' in second and "data-x" not in second


def test_on_paper_long_lines_break_and_intervals_do_not(tmp_path):
    needs_chromium()
    folder = Path(pdf.__file__).parent
    styles = "".join((folder / name).read_text("utf-8") for name in ("book.css", "paper.css"))
    script = (folder / "paper.js").read_text("utf-8")
    name = "option-" * 12
    file = tmp_path / "paper.html"
    file.write_text(
        f"<!doctype html><style>{styles}</style><script>{script}</script><body>"
        f"<pre>short</pre><pre>{'x' * 100}</pre><pre>{'word ' * 60}</pre>"
        f"<table><tr><th>{name} {name}</th><td>76.6 (73.8 to 81.2)</td></tr></table>",
        encoding="utf-8",
    )
    with page() as tab:
        tab.open(file)
        assert tab.js("readyForPaper()") == []
        sizes = "[...document.querySelectorAll('pre')].map(p => parseFloat(p.style.fontSize) || 0)"
        short, wide, long = tab.js(sizes)
        assert (short, long) == (0, 0) and 0 < wide < 11.7, "one line too long leaves all readable"
        boxes = "(r => (r.selectNodeContents(document.querySelector('td')), r.getClientRects()))"
        assert tab.js(f"{boxes}(document.createRange()).length") == 1
