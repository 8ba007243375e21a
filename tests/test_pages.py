"""The built pages in a browser: no page too wide, no error, figures there, text legible.

Both themes as a reader switches them (the page's own setting), on a telephone and on a desk.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import chromium, look
from built import built_pages

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="needs Chromium (Debian: apt-get install chromium)"
)
PHONE, DESK = 390, 1280
BAD = """<!doctype html><html data-theme="light"><head><title>bad</title></head><body>
<article class="bd-article"><p style="width: 900px">wide</p><p style="color: #aaa">faint</p>
<div style="overflow-x: auto"><p style="width: 900px">this one scrolls</p></div>
<figure style="background: #222"><img alt="dark" src="data:image/svg+xml,
%3Csvg xmlns='http://www.w3.org/2000/svg' width='20' height='20'/%3E"></figure>
<figure><img alt="gone" src="missing.png"></figure></article>
<script>nothing.there()</script><script>console.error("said")</script></body></html>"""


@pytest.fixture(scope="module")
def seen() -> list[dict]:
    html = built_pages()
    names = sorted(p.relative_to(html).as_posix() for p in (html / "book").rglob("*.html"))
    return look(html, names, [PHONE, DESK], ["light", "dark"])


def found(seen: list[dict], what: str) -> dict[str, list]:
    return {f"{s['page']} {s['theme']} {s['width']}": s[what] for s in seen if s.get(what)}


def test_every_page_was_seen_in_both_themes_and_widths(seen):
    keys = {(s["page"], s["theme"], s["width"]) for s in seen}
    pages = {s["page"] for s in seen}
    assert len(pages) > 20
    assert keys == {(p, t, w) for p in pages for t in ("light", "dark") for w in (PHONE, DESK)}
    assert [s["page"] for s in seen if s["shown"] != s["theme"]] == []


def test_no_page_says_an_error(seen):
    assert found(seen, "errors") == {}


def test_no_page_is_wider_than_the_screen(seen):
    assert found(seen, "wide") == {}


def test_figures_have_a_size(seen):
    assert found(seen, "empty") == {}
    assert sum(s["images"] for s in seen) > 100


def test_figures_stand_on_a_light_card(seen):
    assert found(seen, "dark_cards") == {}


def test_text_stands_out_from_its_ground(seen):
    assert found(seen, "faint") == {}


def test_mathematics_is_shown(seen):
    assert all(s["math"] > 10 for s in seen if s["page"] == "book/notation.html")


def test_what_is_wrong_would_be_seen(tmp_path: Path):
    (tmp_path / "bad.html").write_text(BAD, encoding="utf-8")
    (page,) = look(tmp_path, ["bad.html"], [PHONE], ["light"], seconds=60)
    assert [w.split()[-1] for w in page["wide"]] == ["900", "wide"] or "wide" in page["wide"][-1]
    assert not any("scrolls" in w for w in page["wide"])
    assert any("nothing is not defined" in e for e in page["errors"])
    assert "said" in page["errors"]
    assert page["empty"] == ["gone"]
    assert page["dark_cards"] == ["dark"]
    assert any("faint" in f for f in page["faint"])
