"""Glossary, notation, citation, changes and the map of the chapters: complete and in use."""

from __future__ import annotations

import re
import tomllib

import pytest
import yaml
from bs4 import BeautifulSoup
from built import built_pages
from conftest import ROOT
from pybtex.database import parse_file, parse_string

from tools import chapters, cite

BOOK = ROOT / "book"


def words(text: str) -> str:
    return re.sub(r"[\s\-‑_]+", " ", text.lower())


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """Name of a page -> its words (of a notebook: text and code)."""
    import nbformat

    found = {}
    for page in chapters.chapters(ROOT).values():
        if page.is_notebook:
            source = "\n".join(cell.source for cell in nbformat.read(page.path, 4).cells)
        else:
            source = page.path.read_text("utf-8")
        found[page.name] = words(source)
    return found


def glossary() -> dict[str, str]:
    """Term -> definition."""
    text = (BOOK / "glossary.md").read_text("utf-8")
    block = re.search(r"```\{glossary\}\n(.*?)\n```", text, re.DOTALL)[1]
    found: dict[str, str] = {}
    for entry in re.split(r"\n\s*\n", block):
        term, _, definition = entry.partition("\n")
        found[term.strip()] = definition
    return found


def test_every_term_is_used_in_a_chapter(texts):
    elsewhere = " ".join(t for name, t in texts.items() if name != "book/glossary")
    assert [term for term in glossary() if words(term) not in elsewhere] == []


def test_every_term_names_the_chapter_that_explains_it():
    assert [
        t for t, text in glossary().items() if "](" not in text and "chapter *" not in text
    ] == []


def test_terms_are_in_order_and_of_some_number():
    terms = [term.lower() for term in glossary()]
    assert terms == sorted(terms)
    assert len(terms) >= 40


def test_terms_can_be_linked():
    page = (built_pages() / "book" / "glossary.html").read_text("utf-8")
    soup = BeautifulSoup(page, "html.parser")
    assert len(soup.select("dl.glossary dt[id^=term-]")) == len(glossary())


@pytest.mark.parametrize(
    "symbol", ["x_t", "y_t", "i^T_t", "g^F_t", "T_3", r"\odot", "S_1", "n_{ij}"]
)
def test_notation_has(symbol):
    assert symbol in (BOOK / "notation.md").read_text("utf-8")


def test_welcome_leads_to_every_chapter():
    text = (BOOK / "welcome.md").read_text("utf-8")
    listed = {
        name.removeprefix("book/")
        for caption, names in chapters.contents(ROOT)
        for name in names
        if caption and "/" not in name.removeprefix("book/")
    }
    linked = {target.split(".")[0] for target in re.findall(r"\]\(([\w/]+\.\w+)\)", text)}
    assert listed - linked == set()


def test_the_course_has_twelve_weeks_and_uses_every_chapter():
    text = (BOOK / "teach.md").read_text("utf-8")
    plan = text.split("(course-plan)=")[1]
    rows = re.findall(r"^\| (\d+) \|(.*)$", plan, re.MULTILINE)
    assert [int(week) for week, _ in rows] == list(range(1, 13))
    appendix = dict(chapters.contents(ROOT))["The study in full"]
    notebooks = {p.name for p in chapters.chapters(ROOT).values() if p.is_notebook}
    planned = {f"book/{n}" for n in re.findall(r"\]\((\w+)\.ipynb\)", " ".join(r for _, r in rows))}
    assert notebooks - planned <= set(appendix)


def test_both_citations_are_on_the_page_and_are_those_of_the_file():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    page = BeautifulSoup((built_pages() / "book" / "cite.html").read_text("utf-8"), "html.parser")
    entries = {}
    for block in page.select("div.highlight-bibtex pre"):
        entries |= dict(parse_string(block.get_text(), "bibtex").entries)
    assert set(entries) == {"serbook", "wang2020speech"}
    assert entries["serbook"].fields["version"] == citation["version"]
    paper, source = entries["wang2020speech"], citation["references"][0]
    assert paper.fields["doi"] == source["doi"]
    assert [p.last_names[-1] for p in paper.persons["author"]] == [
        author["family-names"] for author in source["authors"]
    ]
    plain = re.sub(r"[{}]", "", paper.fields["title"])
    assert plain == source["title"]


def test_the_paper_is_the_same_in_the_bibliography_and_in_the_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    made = parse_string(cite.entries(citation)["paper"], "bibtex").entries["wang2020speech"]
    entry = parse_file(str(BOOK / "references.bib")).entries["wang2020speech"]
    for name in ("doi", "pages", "year"):
        assert made.fields[name] == entry.fields[name], name


def test_citations_leave_out_what_is_not_known():
    assert cite.bibtex("misc", "a", {"title": "The LSTM", "doi": ""}) == (
        "@misc{a,\n  title     = {The {LSTM}},\n}"
    )


def test_entries_of_the_bibliography_are_complete():
    entries = parse_file(str(BOOK / "references.bib")).entries
    for key, entry in entries.items():
        assert re.fullmatch(r"[a-z]+(\d{4}[a-z0-9]*)?", key), key
        assert entry.persons.get("author"), key
        assert {"title", "year"} <= set(entry.fields), key
        assert entry.fields["year"] in key or key.isalpha(), key
        where = {"journal", "booktitle", "howpublished", "institution", "note", "publisher"}
        assert where & set(entry.fields), key
        assert re.fullmatch(r"10\.\d{4,}/\S+", entry.fields.get("doi", "10.1000/x")), key
    dois = [e.fields["doi"].lower() for e in entries.values() if "doi" in e.fields]
    assert len(dois) == len(set(dois))


def test_the_changes_begin_with_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    headings = re.findall(r"^## (\S+)", (BOOK / "changes.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == version


def test_a_run_that_two_pages_name_is_one_command():
    """An interrupted run takes up where it stopped only when the same command is given."""
    runs: dict[str, set[str]] = {}
    for page in ("README.md", "book/setup.md", "ser/cli/run.py"):
        text = (ROOT / page).read_text("utf-8").replace("\\\\\n", "\\\n")
        for command in re.findall(r"^ *ser run (?:.*\\\n)*.*", text, re.MULTILINE):
            words = command.replace("\\\n", " ").partition(" #")[0].split()
            if "--out" in words:
                runs.setdefault(words[words.index("--out") + 1], set()).add(" ".join(words))
    assert "results/emodb-loso" in runs
    assert not {out: said for out, said in runs.items() if len(said) > 1}
