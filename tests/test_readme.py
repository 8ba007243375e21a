"""The README: links, commands, and tables that are made from the records."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT
from records_maker import make_results, record, write

from ser.loading import SHIPPED, SHIPPED_ENROLLED
from ser.report import make_report
from tools import picture, readme


def test_readme_says_what_it_should():
    text = (ROOT / "README.md").read_text("utf-8")
    for part in ("make book", "make test", "IEMOCAP", "Windows", ".venv\\Scripts", "LICENSE-TEXT"):
        assert part in text
    for image in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text):
        assert (ROOT / image).is_file()
    for target in re.findall(r"(?<!!)\[[^\]]+\]\((?!http)([^)]+)\)", text):
        assert (ROOT / target).exists()


def test_commands_in_the_readme_are_accepted_by_the_command_line():
    from ser.cli import build_parser

    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    commands = [line.split("#")[0].split()[1:] for line in lines if line.startswith("ser ")]
    assert {c[0] for c in commands} >= {"check", "run", "report", "corpora", "predict"}
    for command in commands:
        assert build_parser(command[0]).parse_args(command).command == command[0]


@pytest.mark.parametrize("corpus", readme.CORPORA)
def test_the_tables_of_the_readme_are_made_from_the_records(corpus):
    if not readme.folders(corpus):
        pytest.skip("needs the records under book/results")
    text = (ROOT / "README.md").read_text("utf-8")
    made = readme.table(readme.RESULTS, corpus)
    assert readme.fill(text, made, corpus) == text and made in text
    rows = [line for line in made.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 6 and all(line.count("|") == 6 for line in rows)
    assert telephone(rows) <= 358  # of 390 points, less the page's margins


def telephone(rows: list[str]) -> float:
    """Least width of a table as GitHub shows it: 16 points a letter high, 13 beside each cell.

    Words may be broken at spaces and hyphens; a letter is 8.5 points wide on average.
    """
    cells = [re.sub(r"[*`]", "", row).split("|")[1:-1] for row in rows if ":--" not in row]
    longest = [
        max(len(piece) for cell in column for piece in re.split(r"\s+|-|<br>|–", cell))
        for column in zip(*cells, strict=True)
    ]
    return sum(8.5 * letters + 26 for letters in longest)


def test_a_table_of_long_words_is_too_wide_for_a_telephone():
    assert telephone(["| row | UA |", "| :-- | --: |", "| `ds-lstm` | 1.0 |"]) < 120
    assert telephone(["| " + " | ".join(["functionals"] * 5) + " |"]) > 358


@pytest.fixture(scope="module")
def strongest():
    if not readme.folders(readme.SURPRISE[0]):
        pytest.skip("needs the records under book/results")
    return readme.surprise_scores()


@pytest.mark.parametrize("page", readme.PLACES)
def test_the_strongest_result_is_the_records(page, strongest):
    text = (ROOT / page).read_text("utf-8")
    made = readme.surprise(strongest)
    assert readme.fill(text, made, "surprise") == text and made in text
    assert strongest["loso"].high < 50 < 90 < strongest["random"].low  # as the pictures' texts say
    assert "surprise.svg" in text


def test_the_picture_of_the_strongest_result_is_the_records(strongest):
    drawn = picture.drawn_surprise(strongest).svg(static=True)
    kept = (ROOT / "book" / "images" / "surprise.svg").read_text("utf-8")
    bare = [re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL) for text in (kept, drawn)]
    assert bare[0] == bare[1] + "\n"  # the style is that of all drawings
    assert f">{strongest['loso'].ua:.1f} %<" in drawn and strongest["random"].text() in drawn


def test_the_welcome_page_names_the_material_of_the_strongest_result():
    folders = readme.folders(readme.SURPRISE[0])
    if not folders:
        pytest.skip("needs the records under book/results")
    row = make_report([str(f) for f in folders]).row(readme.SURPRISE[1])
    text = (ROOT / "book" / "welcome.md").read_text("utf-8")
    assert f"{len(row.labels):,} acted utterances of nine Polish speakers" in text
    assert len(set(row.speakers)) == 9


def test_the_sound_of_the_welcome_page_is_in_the_order_that_it_names():
    text = (ROOT / "book" / "welcome.md").read_text("utf-8")
    assert ", ".join(picture.ORDER).capitalize() + "." in text
    sound = ROOT / "book" / "_static" / "four_ways.mp3"
    assert f"_static/{sound.name}" in text and sound.stat().st_size < 100_000


def test_rows_without_unseen_speakers_are_left_out(tmp_path):
    make_results(tmp_path / "nemo-loso", {"dual": 2.0, "majority": 0.0}, corpus="nemo")
    make_results(tmp_path / "nemo-random", {"ds-lstm": 1.0}, corpus="nemo", protocol="random")
    for fold in range(5):
        data = record("dual+", f"S{fold:02d}", corpus="nemo")
        data["config"] |= {"normalise": "speaker"}
        write(tmp_path / "nemo-loso", data)
    found = readme.rows_of(tmp_path, "nemo")
    assert [[row and row.base for row in rows] for rows in found.values()] == [
        ["dual", None, "dual+", None]
    ]
    line = readme.table(tmp_path, "nemo").splitlines()[2]
    assert line.startswith(f"| {readme.ROWS['dual']} | **") and line.endswith("| - |")
    assert line.count("| - |") == 2


@pytest.mark.parametrize("name", ["model", "enrolled"])
def test_the_readme_says_of_a_model_what_the_command_says(name):
    text = (ROOT / "README.md").read_text("utf-8")
    made = readme.model(SHIPPED if name == "model" else SHIPPED_ENROLLED)
    assert readme.fill(text, made, name) == text and made in text
