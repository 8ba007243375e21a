"""The pages as built: strict, complete, readable without a network and without eyes.

One build of the stored notebooks (nothing is executed) serves all tests here.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from built import built_pages, render, soups
from conftest import ROOT

SKIP = "*.json,*.bib,*.txt,*.csv,*.tsv,*.ipynb,*.pyc,*.png"
REMOTE = re.compile(r"^(https?:)?//")
LINK = re.compile(r"\[[^\]]*\]\((?:reference/)?[a-z_]+\.\w+\)")
CDN = re.compile(r"unpkg\.com|jsdelivr\.net|cdnjs\.|googleapis\.com|requirejs\.org")


@pytest.fixture(scope="module")
def html() -> Path:
    return built_pages()


@pytest.fixture(scope="module")
def pages() -> dict[Path, BeautifulSoup]:
    return soups()


def anchors(soup: BeautifulSoup) -> set[str]:
    """Places of a page that a link can lead to."""
    return {tag[key] for tag in soup.find_all(True) for key in ("id", "name") if tag.has_attr(key)}


def broken_links(page: Path, soup: BeautifulSoup, places: dict[Path, set[str]]) -> list[str]:
    """Links and sources of *page* that lead nowhere; other hosts are not looked up.

    *places* are the anchors of all pages, looked up once: a page has hundreds of links.
    """
    broken = []
    for tag in soup.find_all(True):
        for address in (tag.get("href"), tag.get("src")):
            if not address or urlsplit(address).scheme or REMOTE.match(address):
                continue
            parts = urlsplit(address)
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            known = places.get(target)
            place = unquote(parts.fragment)
            if not target.exists() or (place and known is not None and place not in known):
                broken.append(address)
    return broken


def test_every_page_of_the_contents_is_built(html):
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    for name in re.findall(r"(?:root|file): *(\S+)", contents):
        assert (html / f"{name}.html").is_file()
    assert (html / "index.html").is_file()


def test_every_source_is_in_the_contents():
    contents = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r"(?:root|file): *(\S+)", contents))
    sources = {
        p.relative_to(ROOT).with_suffix("").as_posix()
        for p in (ROOT / "book").rglob("*")
        if p.suffix in (".md", ".ipynb") and not {".ipynb_checkpoints", "results"} & set(p.parts)
    }
    assert sources == listed


def test_the_parts_come_in_order():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    parts = [part["caption"] for part in contents["parts"]]
    expected = ["Start", "Hearing", "Seeing", "Modelling", "Training and judging"]
    assert parts == [*expected, "The study in full", "Back"]


def test_links_inside_the_book_resolve(pages):
    places = {page: anchors(soup) for page, soup in pages.items()}
    found = {page.name: broken_links(page.resolve(), soup, places) for page, soup in pages.items()}
    assert {page: links for page, links in found.items() if links} == {}


def test_a_broken_link_would_be_found(tmp_path):
    page = tmp_path / "a.html"
    soup = BeautifulSoup(
        '<a href="b.html">x</a><a href="#no">y</a><a id="yes" href="#yes">z</a>', "html.parser"
    )
    page.write_text(str(soup))
    assert broken_links(page, soup, {page: anchors(soup)}) == ["b.html", "#no"]


def remote(soup: BeautifulSoup) -> list[str]:
    """Addresses on other hosts that *soup* would load, now or when a script runs."""
    loaded = [t.get("src") for t in soup.find_all(["script", "img", "iframe", "audio", "video"])]
    loaded += [t.get("href") for t in soup.find_all("link") if "canonical" not in t.get("rel", [])]
    found = [address for address in loaded if address and REMOTE.match(address)]
    for script in soup.find_all("script"):
        addresses = re.findall(r"https?://[^\s\"'<>]+", script.get_text())
        found += [a for a in addresses if not a.startswith("http://www.w3.org/")]  # namespaces
    return found + list(soup.find_all(string=CDN))


def test_nothing_is_loaded_from_elsewhere(html, pages):
    assert {page.name: found for page, soup in pages.items() if (found := remote(soup))} == {}
    for style in (html / "_static").rglob("*.css"):
        text = style.read_text(encoding="utf-8", errors="replace")
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", text), style.name


@pytest.mark.parametrize(
    "piece",
    [
        '<script src="https://cdnjs.cloudflare.com/ajax/libs/require.js"></script>',
        '<script>load("https://unpkg.com/thebe")</script>',
        '<link rel="stylesheet" href="//fonts.googleapis.com/css">',
    ],
)
def test_what_is_loaded_from_elsewhere_would_be_found(piece):
    assert remote(BeautifulSoup(piece, "html.parser"))


def test_mathematics_comes_with_the_pages(html, pages):
    notation = next(soup for page, soup in pages.items() if page.stem == "notation")
    sources = [t["src"] for t in notation.find_all("script", src=True) if "mathjax" in t["src"]]
    assert sources
    assert (html / "book" / sources[0].split("?")[0]).resolve().is_file()
    assert list((html / "_static").rglob("MathJax_Math-Italic.woff"))


def test_no_picture_without_alternative_text(pages):
    bare = [
        (page.name, str(image)[:200])
        for page, soup in pages.items()
        for image in soup.find("main").find_all("img")
        if not image.get("alt", "").strip()
    ]
    assert bare == []


def test_pages_have_a_title_and_a_language(pages):
    for soup in pages.values():
        assert soup.html.get("lang") == "en"
        assert len(soup.find("article").find_all("h1")) == 1


def test_the_synthetic_corpus_is_never_without_its_caveat(pages):
    for page, soup in pages.items():
        text = soup.find("main").get_text()
        if "synthetic" in text and page.stem in ("welcome", "ten_minutes"):
            assert re.search(r"say[s]?\s+nothing about people", text), page.name


def test_a_warning_fails_the_build(tmp_path):
    for name in ("_config.yml", "_toc.yml", "CITATION.cff"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    book = tmp_path / "book"
    shutil.copytree(ROOT / "book", book, ignore=shutil.ignore_patterns("results", "*.ipynb"))
    contents = yaml.safe_load((tmp_path / "_toc.yml").read_text("utf-8"))
    left_out = ("book/setup", "book/reference")
    for part in contents["parts"]:  # pages only: the notebooks stay out
        part["chapters"] = [c for c in part["chapters"] if (tmp_path / f"{c['file']}.md").exists()]
        part["chapters"] = [c for c in part["chapters"] if c["file"] not in left_out]
    contents["parts"] = [part for part in contents["parts"] if part["chapters"]]
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(contents), "utf-8")
    for page in book.glob("*.md"):
        page.write_text(LINK.sub("there", page.read_text("utf-8")), "utf-8")
    (book / "setup.md").unlink()
    (book / "reference.md").unlink()
    shutil.rmtree(book / "reference")
    good = render(tmp_path / "out", tmp_path)
    assert good.returncode == 0, good.stderr[-2000:]
    with (book / "notation.md").open("a", encoding="utf-8") as page:
        page.write("\nSee {cite}`nobody2000` and [this](missing.md).\n")
    bad = render(tmp_path / "out", tmp_path)
    assert bad.returncode != 0
    assert "nobody2000" in bad.stderr
    assert "missing.md" in bad.stderr


def test_spelling():
    pytest.importorskip("codespell_lib")
    paths = ["README.md", "CONTRIBUTING.md", "book", "tools"]
    command = [sys.executable, "-m", "codespell_lib", "-L", "ser,vermillion,caf", "--skip", SKIP]
    done = subprocess.run([*command, *paths], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_spelling_of_notebooks(tmp_path):
    pytest.importorskip("codespell_lib")
    import nbformat

    for path in (ROOT / "book").rglob("*.ipynb"):
        if ".ipynb_checkpoints" not in path.parts:
            cells = nbformat.read(path, 4).cells
            (tmp_path / f"{path.stem}.md").write_text("\n".join(c.source for c in cells), "utf-8")
    command = [sys.executable, "-m", "codespell_lib", "-L", "ser,vermillion,caf", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_mathematics_shows_in_a_browser_without_a_network(html):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"]
        command += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
        command += ["--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND"]
        command += [f"--user-data-dir={profile}", "--virtual-time-budget=10000", "--dump-dom"]
        page = (html / "book" / "notation.html").as_uri()
        done = subprocess.run(
            [*command, page], capture_output=True, text=True, timeout=120, check=False
        )
    assert done.stdout.count("<mjx-container") > 10
