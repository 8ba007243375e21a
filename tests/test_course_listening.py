"""The clips of the listening sheet: eight sounds twice, a key that says which is which."""

from __future__ import annotations

import re
from base64 import b64decode
from collections import Counter

import pytest
from bs4 import BeautifulSoup

from ser import load_corpus
from tools.course.guide import COURSE
from tools.course.listening import listening_page


@pytest.fixture(scope="module")
def page(tiny_root) -> BeautifulSoup:
    table = load_corpus("synthetic", tiny_root).table
    return BeautifulSoup(listening_page(table, 2026), "html.parser")


def key_of(page: BeautifulSoup) -> list[dict[str, str]]:
    head, *rows = ([c.text for c in r.select("th, td")] for r in page.select("details tr"))
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_round_two_has_the_clips_of_round_one_in_another_order(page):
    sounds = [a["src"].partition(",")[2] for a in page.select("audio")]
    assert len(sounds) == 16 and all(b64decode(s).startswith(b"RIFF") for s in sounds)
    first, second = sounds[:8], sounds[8:]
    assert sorted(first) == sorted(second) and len(set(first)) == 8
    assert not [i for i in range(8) if first[i] == second[i]]
    for row in key_of(page):
        assert second[int(row["round 2"]) - 1] == first[int(row["round 1"]) - 1]


def test_the_key_is_folded_and_names_two_of_each_emotion_and_the_models_answers(page):
    key, emotions = key_of(page), ["angry", "happy", "neutral", "sad"]
    assert Counter(row["label"] for row in key) == dict.fromkeys(emotions, 2)
    assert {row["model"] for row in key} <= set(emotions)
    captions = [c.text for c in page.select("figcaption")]
    assert captions == 2 * [f"clip {n}" for n in range(1, 9)], "which tell nothing"


def test_the_sheet_has_a_line_for_every_clip(page):
    sheet = (COURSE / "handouts" / "listening_sheet.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\| \d \|", sheet, re.MULTILINE)) == 8
