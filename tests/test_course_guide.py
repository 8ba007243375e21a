"""The instructor's guide: complete, resting on the chapters, its keys those of the package."""

from __future__ import annotations

import re
import tomllib
from collections import Counter

import pytest
from bs4 import BeautifulSoup

from tools.course import guide
from tools.course.tasks import headings, read_sheet, sheets

TEACHING = ["spectrogram", "two_resolutions", "mfcc", "prosody", "lstm", "front_end", "ds_lstm"]
TEACHING += ["fusion", "training", "confusion", "protocols", "ablations"]


def test_items_from_recall_to_design_about_every_chapter_that_has_tasks():
    items = guide.exam_items()
    assert {item["level"] for item in items} == set(guide.LEVELS)
    chapters = {read_sheet(name).chapter for name in sheets()}
    about = Counter(item["chapter"] for item in items)
    assert set(about) == chapters and set(TEACHING) <= chapters
    for chapter in chapters:
        levels = {item["level"] for item in items if item["chapter"] == chapter}
        assert about[chapter] >= 2 and len(levels) >= 2, f"{chapter}: too few items of the exam"
    assert f"{len(items)} items about {len(chapters)} chapters" in guide.exam_pages()[0]
    for item in items:
        assert item["rests_on"] in headings(item["chapter"]), item["ask"]
        assert "<<" not in item["key"] and item["points"] >= 1


def test_keys_are_what_the_package_says():
    import torch

    from ser import DSLSTM
    from ser.nn import FrontEnd

    items = {re.sub(r"\W+", " ", item["ask"])[:40]: item["key"] for item in guide.exam_items()}

    def key(start: str) -> str:
        (found,) = [k for ask, k in items.items() if ask.startswith(start)]
        return found

    size = sum(p.numel() for p in DSLSTM(20, 40, 50).parameters())
    other = sum(p.numel() for p in torch.nn.LSTM(60, 50).parameters())
    assert f"{size} and {other}" in key("How many numbers has one DS LSTM")
    with torch.no_grad():
        steps, numbers = FrontEnd(256, "s2").eval()(torch.zeros(1, 256, 120))[0].shape
    assert f"{steps} steps of {numbers} numbers" in key("S2 of the preset release")
    ln3 = torch.tensor(3.0).double().log()
    c = (-ln3).sigmoid() * (ln3 / 2).tanh() + ln3.sigmoid() * ln3.tanh()
    assert key("With the chapter s weights").endswith("= 29/40.")
    assert abs(float(c) - 29 / 40) < 1e-12


def test_the_handouts_keys():
    rows = guide.shapes()
    assert rows["after the squash"][:2] == ("128 × 230", "256 × 120")
    assert rows["sequence (steps × numbers)"] == ("56 × 496", "29 × 1008", "198 × 39")
    assert rows["aligned (steps × numbers)"][:2] == ("27 × 496", "27 × 1008")
    assert rows["window, hop (samples)"] == ("512, 256", "1024, 512", "400, 160")
    asked = (guide.COURSE / "handouts" / "shapes.md").read_text(encoding="utf-8")
    for name in rows:
        assert f"| {name} |" in asked, name
    (i_x, g_x), (i_y, g_y) = guide.written(2, 1), guide.written(1, 2)
    assert i_x * g_x + i_y * g_y == guide.Fraction(29, 40), "as in the chapter"
    assert "| 2 | 9/10 | 4/5 | 1/10 | 0 | 18/25 | 0 | 433/400 |" in guide.handout_keys()


def test_every_chapter_of_the_guide_has_minutes_doings_and_beliefs():
    entries = tomllib.loads((guide.COURSE / "guide/chapters.toml").read_text(encoding="utf-8"))
    planned = {"ten_minutes", "recipe", "your_voice", "what_came_after", "unheard_voices"}
    assert set(entries) >= {*TEACHING, *planned}
    for name, entry in entries.items():
        assert guide.reading_time(name)
        assert 20 <= entry["minutes"] <= 90 and entry["do"] and entry["skip"]
        told = [int(found) for line in entry["do"] for found in re.findall(r"^(\d+) min:", line)]
        assert sum(told) == entry["minutes"], f"{name}: the parts do not add up"
        assert all("?" in question for _, question in entry["believed"])
        for quoted in re.findall(r'"([^"]+)"', entry["skip"]):
            assert quoted in headings(name), f"{name}: no section {quoted!r}"


def test_plans_name_chapters_and_sections_that_are_there():
    for plan in ("one_day", "six_weeks", "twelve_weeks"):
        text = (guide.COURSE / "guide" / f"{plan}.md").read_text(encoding="utf-8")
        for name in re.findall(r"`(?:chapters/)?([a-z_]+)(?:\.ipynb)?`", text):
            known = name == "students" or name in sheets() or guide.chapter_path(name).is_file()
            assert known, f"{plan}: {name}"
        for name in re.findall(r"`tasks/[A-D]/(\w+)\.ipynb`", text):
            assert name in sheets(), f"{plan}: {name}"
        stops = re.findall(r'`chapters/(\w+)\.ipynb`, stop (?:before|after) "([^"]+)"', text)
        assert len(stops) == (3 if plan == "one_day" else 0)
        for name, section in stops:
            assert section in headings(name), f"{plan}: {name} has no {section!r}"
    six = (guide.COURSE / "guide" / "six_weeks.md").read_text(encoding="utf-8")
    assert sum(int(m) for m in re.findall(r"\| (\d+) \|$", six, re.MULTILINE)) == 100
    twelve = (guide.COURSE / "guide" / "twelve_weeks.md").read_text(encoding="utf-8")
    assert sum(int(m) for m in re.findall(r"\| (\d+) \|$", twelve, re.MULTILINE)) == 100


@pytest.mark.parametrize("plan", ["six_weeks", "twelve_weeks"])
def test_a_plan_gives_each_sheet_marks_or_calls_it_extra_practice(plan):
    text = (guide.COURSE / "guide" / f"{plan}.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.splitlines() if re.search(r"\| \d+ \|$", line)]
    graded = {name for row in rows for name in re.findall(r"`(\w+)`", row[-3])}
    (extra,) = re.findall(r"^\*\*Extra practice\*\*.*?(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    instead = extra.partition(" may take the place of ")  # what stands behind it has marks
    practice = set(re.findall(r"`(\w+)`", instead[0]))
    assert graded | practice == set(sheets()), "a sheet has no place in the plan"
    assert not graded & practice and set(re.findall(r"`(\w+)`", instead[2])) <= graded
    for row in rows:  # where a row tells its parts, they sum to its marks
        parts = [int(part) for part in re.findall(r"\((\d+)\)", row[-3])]
        assert not parts or sum(parts) == int(row[-2]), row


def test_marks_are_given_for_chapters_that_were_read():
    six = (guide.COURSE / "guide" / "six_weeks.md").read_text(encoding="utf-8")
    plan = _rows(six)
    read = [(week, set(re.findall(r"`(\w+)`", before))) for week, before, *_ in plan]
    for week, *_, handed_in, _ in plan:
        _assert_read(read, week, handed_in)
    twelve = (guide.COURSE / "guide" / "twelve_weeks.md").read_text(encoding="utf-8")
    book = (guide.ROOT / "book" / "teach.md").read_text(encoding="utf-8")
    read = [(w, set(re.findall(r"\]\((\w+)\.ipynb", before))) for w, before, *_ in _rows(book)]
    assert len(read) == 12
    for weeks, graded in re.findall(r"^\| (\d[^|]*) \| (.+) \| \d+ \|$", twelve, re.MULTILINE):
        _assert_read(read, int(weeks.split()[-1]), graded)


def _rows(text: str) -> list[tuple]:
    """Rows of a table that begin with the number of a week."""
    found = re.findall(r"^\| (\d+) \| (.+) \|$", text, re.MULTILINE)
    return [(int(week), *rest.split(" | ")) for week, rest in found]


def _assert_read(read: list[tuple[int, set[str]]], week: int, graded: str) -> None:
    known = set().union(*(chapters for w, chapters in read if w <= week))
    for name in re.findall(r"`(\w+)`", graded):
        assert read_sheet(name).chapter in known, f"week {week}: {name} before its chapter"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guide")
    guide.build_guide(folder)
    return folder


def test_the_guide_opens_as_files_and_its_links_lead_somewhere(pages):
    first = pages / "guide" / "index.html"
    beside = {pages / "listening.html"}  # made with the kit, see test_course_listening
    links = []
    for page in [*pages.glob("guide/*.html"), *pages.glob("handouts/*.html")]:
        soup = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
        links += [(page, a["href"]) for a in soup.select("article a, div.body a")]
    assert len([link for page, link in links if page == first and "#" not in link]) >= 8
    for page, link in links:
        to = (page.parent / link.partition("#")[0]).resolve() if link[0] != "#" else page
        assert to.is_file() or to in beside, f"{page.name}: {link}"
    twelve = (pages / "guide" / "twelve_weeks.html").read_text(encoding="utf-8")
    assert "Confusion matrices" in twelve and "weeks:" not in twelve
    soup = BeautifulSoup(first.read_text(encoding="utf-8"), "html.parser")
    loaded = soup.find("script", src=re.compile("mathjax"))["src"]
    assert (first.parent / loaded).is_file()
    assert sum(f.stat().st_size for f in pages.rglob("*") if f.is_file()) < 8e6
    for page in pages.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        far = re.findall(r'(?:src|href)="(https?://[^"]+)"', text)
        assert not [f for f in far if f.endswith((".js", ".css"))], page
