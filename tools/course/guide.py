"""The instructor's guide: plans, chapters, exam bank and handouts, as pages that open as files.

Sources: ``course/guide`` and ``course/handouts`` (Markdown), ``course/guide/chapters.toml``,
``course/exam.toml``. Titles and reading times come from the chapters, numbers of the keys from the
package, so that the guide cannot say something else than the book.
"""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nbformat
from scipy.stats import binom, norm

from tools.chapters import title
from tools.course.plain import plain
from tools.course.tasks import ROOT, chapter_path, filled

COURSE = ROOT / "course"
STYLE = Path(__file__).with_name("guide.css")
WEEKS = "<!-- weeks: the table of the book's page -->"
LEVELS = ("recall", "understand", "apply", "analyse", "design")
NAMES = {"math": math, "Fraction": Fraction, "binom": binom, "norm": norm}
"""What a formula of the exam bank may use."""


def reading_time(chapter: str) -> str:
    """What the chapter's opening box says: "twenty-five minutes to read".

    Raises:
        ValueError: the chapter says nothing about it.
    """
    cells = nbformat.read(chapter_path(chapter), as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    found = re.search(r"\*\*Time\*\*\s+(.+?minutes)", text, re.DOTALL)
    if not found:
        raise ValueError(f"{chapter}.ipynb does not say how long it takes to read")
    return " ".join(found[1].split())


def chapters_page() -> str:
    """The guide by chapter, as Markdown."""
    guide = tomllib.loads((COURSE / "guide" / "chapters.toml").read_text(encoding="utf-8"))
    parts = ["# Chapter by chapter\n"]
    for name, entry in guide.items():
        parts.append(f"## {title(chapter_path(name))}\n")
        time = f"To read: {reading_time(name)}. In class: {entry['minutes']} minutes."
        parts += [time, "\n**In class**\n", *(f"- {line}" for line in entry["do"])]
        parts.append("\n**What students believe, and the question that brings it out**\n")
        parts += [f"- {belief} *{question}*" for belief, question in entry["believed"]]
        parts.append(f"\n**May be skipped**: {entry['skip']}\n")
    return "\n".join(parts)


def exam_items() -> list[dict]:
    """The exam bank, each key with its numbers filled in.

    Raises:
        ValueError: an item lacks something; the message says which.
    """
    items = tomllib.loads((COURSE / "exam.toml").read_text(encoding="utf-8"))["item"]
    for number, item in enumerate(items, 1):
        needed = {"chapter", "rests_on", "level", "points", "ask", "key", "marks"}
        if missing := needed - set(item):
            raise ValueError(f"exam.toml, item {number}: no {', '.join(sorted(missing))}")
        formulas = item.get("compute", {}).items()
        values = {name: eval(formula, dict(NAMES)) for name, formula in formulas}
        item["key"] = filled(item["key"], values)
    return items


def exam_pages() -> tuple[str, str]:
    """Questions, and key with marking notes, as Markdown."""
    items = exam_items()
    asked, key = ["# Exam bank\n"], ["# Exam bank: key and marking notes\n"]
    levels = Counter(item["level"] for item in items)
    asked.append(
        f"{len(items)} items about {len({item['chapter'] for item in items})} chapters: "
        f"{', '.join(f'{levels[level]} {level}' for level in LEVELS)}. "
        "In brackets: points, level, chapter.\n"
    )
    for number, item in enumerate(items, 1):
        name = title(chapter_path(item["chapter"]))
        asked.append(f"**{number}.** ({item['points']}; {item['level']}; {name}) {item['ask']}\n")
        rests = f'{name}, "{item["rests_on"]}"'
        key.append(
            f"**{number}.** {item['key']}\n\n*Marks ({item['points']})*: {item['marks']} "
            f"*Rests on*: {rests}.\n"
        )
    return "\n".join(asked), "\n".join(key)


def shapes() -> dict[str, tuple[str, str, str]]:
    """The handout "Shapes", filled in by the package: two seconds, preset ``release``."""
    import torch

    from ser import mel_pair, mfcc39
    from ser.features import PRESETS
    from ser.features.mfcc import FRAME, HOP
    from ser.nn import FrontEnd, align

    def times(tensor: torch.Tensor) -> str:
        return " × ".join(map(str, tensor.shape))

    wave = torch.randn(32000, generator=torch.Generator().manual_seed(0)).numpy() / 10
    preset, pair = PRESETS["release"], mel_pair(wave, "release")
    found = {
        "spectrogram before the squash (bands × frames)": [times(s) for s in (pair.s1, pair.s2)]
    }
    two = preset.squash(*pair)
    found["after the squash"] = [times(s) for s in two]
    sequences = []
    for which, spectrogram in zip(("s1", "s2"), two, strict=True):
        front = FrontEnd(spectrogram.shape[0], which, fast=False).eval()
        z = spectrogram[None, None].float()
        with torch.no_grad():
            for number, block in zip(("first", "second"), front.blocks, strict=True):
                z = torch.nn.functional.max_pool2d(block.norm(block.conv(z)).relu(), 2)
                row = f"after the {number} block (channels × bands × frames)"
                found.setdefault(row, []).append(times(z[0]))
            sequences.append(front(spectrogram[None].float()))
    mfcc = times(mfcc39(wave))
    found["sequence (steps × numbers)"] = [times(s[0]) for s in sequences]
    found["aligned (steps × numbers)"] = [times(s[0]) for s in align(*sequences)]
    cut = [f"{n}, {hop}" for n, hop in zip(preset.n_fft, preset.hop_length, strict=True)]
    rows = {"samples": ("32000",) * 3, "window, hop (samples)": (*cut, f"{FRAME}, {HOP}")}
    rows |= {name: (*pair, "–") for name, pair in found.items()}
    rows["sequence (steps × numbers)"] = (*found["sequence (steps × numbers)"], mfcc)
    return rows


def weeks() -> str:
    """The table of twelve weeks that the book's page has, its links in words."""
    page = (ROOT / "book" / "teach.md").read_text(encoding="utf-8")
    part = page.partition("(course-plan)=")[2].partition("(course-kit)=")[0]
    return plain("\n".join(line for line in part.splitlines() if line.startswith("|")))


def handout_keys() -> str:
    """The two handouts that are filled in, filled in."""
    lines = ["# Handouts: keys\n", "## Shapes\n", "| step | S1 and x | S2 and y | MFCC |"]
    lines.append("| :-- | :-: | :-: | :-: |")
    lines += [f"| {name} | {' | '.join(row)} |" for name, row in shapes().items()]
    lines += ["\nThe rest: memory 200, means 200, logits 4, fused 4.\n"]
    lines.append("## The DS-LSTM by hand\n")
    powers = [Fraction(3) ** n for n in range(-2, 3)]
    lines += ["| n | -2 | -1 | 0 | 1 | 2 |", "| :-- | :-: | :-: | :-: | :-: | :-: |"]
    lines.append("| σ(n ln 3) | " + " | ".join(str(p / (p + 1)) for p in powers) + " |")
    halves = " | ".join(str((p - 1) / (p + 1)) for p in powers)
    lines.append(f"| tanh(n/2 ln 3) | {halves} |\n")
    lines.append("| t | iT | gT | iF | gF | iT gT | iF gF | c |")
    lines.append("| :-- | :-: | :-: | :-: | :-: | :-: | :-: | :-: |")
    c = Fraction(0)
    for t, (x, y) in enumerate(((1, 2), (2, 0), (0, 0)), 1):
        from_x, from_y = written(x, y), written(y, x)
        c = c / 2 + from_x[0] * from_x[1] + from_y[0] * from_y[1]
        row = (t, *from_x, *from_y, from_x[0] * from_x[1], from_y[0] * from_y[1], c)
        lines.append("| " + " | ".join(map(str, row)) + " |")
    lines.append(
        "\n1: step 1. 2: nothing, both candidates are 0. 3: an LSTM that writes x alone; its gates "
        "still look at y. 4: iF and gF, and the lines that bring y to the other gates."
    )
    return "\n".join(lines)


def written(mine: int, other: int) -> tuple[Fraction, Fraction]:
    """Gate and candidate of one input of the handout, both inputs whole numbers.

    >>> written(2, 1)
    (Fraction(3, 4), Fraction(4, 5))
    """
    gate = Fraction(3**mine, 3**mine + 3**other)
    return gate, Fraction(3**mine - 1, 3**mine + 1)


def sources(folder: Path) -> None:
    """Everything as Markdown below *folder*: what is written and what is made."""
    for part in ("guide", "handouts"):
        shutil.copytree(COURSE / part, folder / part, ignore=shutil.ignore_patterns("*.toml"))
    asked, key = exam_pages()
    made = {"chapters": chapters_page(), "exam": asked, "exam_key": key, "keys": handout_keys()}
    twelve = (folder / "guide" / "twelve_weeks.md").read_text(encoding="utf-8")
    made["twelve_weeks"] = twelve.replace(WEEKS, weeks())
    for name, text in made.items():
        (folder / "guide" / f"{name}.md").write_text(text + "\n", encoding="utf-8")


def build_guide(target: Path) -> None:
    """The guide as pages below *target*, ``guide/index.html`` first; a warning is an error."""
    with TemporaryDirectory() as scratch:
        source, out = Path(scratch) / "source", Path(scratch) / "html"
        source.mkdir()
        sources(source)
        (source / "_static").mkdir()
        shutil.copyfile(STYLE, source / "_static" / "custom.css")  # as the theme calls it
        settings = {
            "project": "Speech emotion recognition: the course",
            "root_doc": "guide/index",
            "extensions": ["myst_parser", "sphinx-mathjax-offline"],
            "myst_enable_extensions": ["dollarmath"],
            "html_theme": "alabaster",
            "html_static_path": ["_static"],
            "html_theme_options": {"nosidebar": True, "page_width": "960px"},
            "html_show_sphinx": False,
            "html_show_copyright": False,
            "html_copy_source": False,
        }
        build_pages(source, out, settings)
        shutil.rmtree(out / "_sources", ignore_errors=True)
        thin(out / "_static" / "mathjax")
        shutil.copytree(out, target, dirs_exist_ok=True)
        for part in ("guide", "handouts"):
            shutil.copytree(source / part, target / "markdown" / part)


def build_pages(source: Path, out: Path, settings: dict[str, Any]) -> None:
    """The pages below *source* as HTML in *out*; a warning is an error.

    Sphinx gets a process of its own, since what one build registers would be in the next one's way.
    """
    conf = "".join(f"{name} = {value!r}\n" for name, value in settings.items())
    (source / "conf.py").write_text(conf, encoding="utf-8")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html"]
    command += ["-d", str(out.parent / "doctrees"), str(source), str(out)]
    subprocess.run(command, cwd=ROOT, check=True)


def thin(mathjax: Path) -> None:
    """Leave of MathJax what the pages load: one combined script, its fonts and extensions."""
    for path in mathjax.glob("*.js"):
        if path.name != "tex-chtml.js":
            path.unlink()
    for folder in ("sre", "output/svg", "input/mml", "input/asciimath"):
        shutil.rmtree(mathjax / folder, ignore_errors=True)
