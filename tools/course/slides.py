"""Slides of a chapter: its cells tagged ``slide``, its quiz, its summary, with speaker's notes.

A slide shows what the cell shows on the page: figure, table, sound, drawing, or the equations of a
text. The notes are the chapter's own sentences around that cell, with minutes; a question of the
quiz becomes a slide of its own, with the expected answer in the notes. reveal.js (MIT) comes from
the package sphinx-revealjs, MathJax from sphinx-mathjax-offline: nothing is loaded from elsewhere.
"""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nbformat
import sphinx_revealjs
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.chapters import title
from tools.course.guide import thin
from tools.course.notebooks import chapters
from tools.course.plain import plain
from tools.course.tasks import chapter_path
from tools.quizzes import QUIZZES, read_quiz

TEMPLATE = Path(__file__).with_name("slides.html")
WORDS_A_MINUTE = 130
"""How fast one speaks who explains."""

EQUATION = re.compile(r"\$\$.+?\$\$", re.DOTALL)
HEADING = re.compile(r"^#{1,4} +(.+?)\s*$", re.MULTILINE)
TABLE = re.compile(r"(?:^\|.*\n?)+", re.MULTILINE)
DIRECTIVE = re.compile(r"^(:{3,}|`{3,})\{.*?^\1\s*$", re.DOTALL | re.MULTILINE)


@dataclass
class Slide:
    """One slide: its heading, what it shows (HTML), and what is said (Markdown)."""

    heading: str
    body: str
    notes: str = ""
    minutes: int = 1
    sounds: int = 0


def tagged() -> list[str]:
    """Names of the chapters that have cells tagged ``slide``, in the book's order."""
    found = []
    for name in chapters():
        cells = nbformat.read(chapter_path(name), as_version=4).cells
        if any("slide" in cell.metadata.get("tags", []) for cell in cells):
            found.append(name)
    return found


def slides_of(name: str) -> list[Slide]:
    """The slides of a chapter, in its order.

    Raises:
        FileNotFoundError: no chapter of that name.
        ValueError: the chapter has no cell tagged ``slide``.
    """
    path = chapter_path(name)
    cells = nbformat.read(path, as_version=4).cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    shown = [Slide(title(path), markdown(opening(text)), "Greet; say what is needed.", 2)]
    heading = ""
    for place, cell in enumerate(cells):
        if cell.cell_type == "markdown" and (found := HEADING.findall(cell.source)):
            heading = found[-1]
        if "slide" in cell.metadata.get("tags", []):
            after = cells[place + 1] if place + 1 < len(cells) else None
            shown.append(slide(cell, heading, cells[:place], after))
    if len(shown) == 1:
        raise ValueError(f"{path.name}: no cell is tagged 'slide'")
    if (QUIZZES / f"{name}.toml").is_file():
        shown += questions(name)
    return [*shown, *closing(text)]


def opening(text: str) -> str:
    """What one will be able to do, from the chapter's opening box."""
    found = re.search(r"\*\*Afterwards you will be able to\*\*\n(.+?)\n\n", text, re.DOTALL)
    return "Afterwards you will be able to\n\n" + (found[1] if found else "")


def slide(cell, heading: str, earlier: list, after) -> Slide:
    """A cell as a slide; what is said is the text around it, or else the last one before it."""
    if cell.cell_type == "markdown":
        shown = "\n\n".join([*EQUATION.findall(cell.source), *TABLE.findall(cell.source)])
        own = HEADING.findall(cell.source.split("$$")[0])
        made = Slide(own[-1] if own else heading, markdown(shown), prose(cell.source))
    else:
        texts = [c for c in earlier if is_text(c)]
        said = [prose(tail(earlier[-1].source))] if is_text(earlier[-1]) else []
        said += [prose(lead(after.source))] if is_text(after) else []
        if not any(said) and texts:
            said = [prose(tail(texts[-1].source))]
        made = Slide(heading, outputs(cell), "\n\n".join(said))
    made.sounds = made.body.count("<audio")
    words = len(made.notes.split())
    made.minutes = max(1, round(words / WORDS_A_MINUTE)) + (1 if made.sounds else 0)
    return made


def is_text(cell) -> bool:
    return cell is not None and cell.cell_type == "markdown"


def tail(text: str) -> str:
    """What stands below the last heading."""
    return HEADING.split(text)[-1]


def lead(text: str) -> str:
    """What stands before the first heading."""
    return HEADING.split(text)[0]


def prose(text: str) -> str:
    """A chapter's text as it is said: without boxes, equations' blocks, tables, keys of works."""
    text = TABLE.sub("", DIRECTIVE.sub("", text))
    return cited(HEADING.sub("", text)).strip()


def cited(text: str) -> str:
    """References of MyST as words; works in brackets are not said.

    >>> cited("as {cite:t}`wang2020speech` say {cite:p}`a2001b`, see [](lstm.ipynb)")
    'as Wang et al. (2020) say, see "The LSTM"'
    """
    text = plain(re.sub(r"\s*\{cite:p\}`[^`]*`", "", text))
    return re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text)


def markdown(text: str) -> str:
    """Markdown with mathematics as HTML; MathJax sets the formulas in the page."""
    parser = MarkdownIt("commonmark").enable("table")
    parser.use(dollarmath_plugin, renderer=formula).use(amsmath_plugin, renderer=block)
    return parser.render(cited(text))


def formula(content: str, options: dict) -> str:
    return rf"\[{escape(content)}\]" if options["display_mode"] else rf"\({escape(content)}\)"


def block(content: str) -> str:
    return rf"\[{escape(content)}\]"


def outputs(cell) -> str:
    """What a code cell shows; where it only prints, the code stands above."""
    parts, rich = [], False
    for output in cell.outputs:
        data = output.get("data", {})
        if "text/html" in data:
            parts.append("".join(data["text/html"]))
            rich = True
        elif "text/markdown" in data:
            parts.append(markdown("".join(data["text/markdown"])))
            rich = True
        elif "image/png" in data:
            parts.append(f'<img alt="" src="data:image/png;base64,{data["image/png"]}">')
            rich = True
        else:
            plain = output.get("text") or data.get("text/plain", "")
            parts.append(f"<pre>{escape(''.join(plain))}</pre>")
    if not rich:
        parts.insert(0, f"<pre><code>{escape(cell.source)}</code></pre>")
    return "\n".join(parts)


def questions(name: str) -> list[Slide]:
    """A slide for each question of the chapter's quiz; the answer is in the notes."""
    made = []
    for number, question in enumerate(read_quiz(QUIZZES / f"{name}.toml")[1], 1):
        items = "\n".join(f"{i}. {a.text}" for i, a in enumerate(question.answers, 1))
        right = next(i for i, answer in enumerate(question.answers, 1) if answer.right)
        why = "\n".join(f"- {i}: {a.why}" for i, a in enumerate(question.answers, 1))
        said = f"Vote by hands, talk in pairs, vote again. **Expected: {right}.**\n\n{why}"
        body = markdown(f"{question.ask}\n\n{items}")
        made.append(Slide(f"Question {number}", body, said, 3))
    return made


def closing(text: str) -> list[Slide]:
    """Summary and exercises; what the folded answers say is in the notes."""
    summary = section(text, "Summary")
    exercises = section(text, "Exercises")
    folds = re.findall(r"^:::\{dropdown\} *(.*?)\n(.*?)^:::", exercises, re.DOTALL | re.MULTILINE)
    asked = "\n\n".join(
        re.findall(r"^\*\*\d\. .+?(?=\n\n|\Z)", exercises, re.DOTALL | re.MULTILINE)
    )
    answers = "\n\n".join(f"**{name}.** {cited(answer)}" for name, answer in folds)
    return [
        Slide("Summary", markdown(prose(summary)), "Read aloud; ask for an example of each.", 3),
        Slide("Exercises", markdown(asked), answers or "The solutions are in the chapter.", 2),
    ]


def section(text: str, name: str) -> str:
    found = re.search(rf"^## {name}\s*$(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return found[1].strip() if found else ""


def page(name: str) -> str:
    """The slides of a chapter as a page; its assets lie in ``assets`` beside it."""
    made = slides_of(name)
    total = sum(s.minutes for s in made)
    parts = []
    for number, s in enumerate(made, 1):
        level = "h1" if number == 1 else "h2"
        notes = markdown(f"*About {s.minutes} min of {total}.*\n\n{s.notes}")
        parts.append(
            f'<section data-minutes="{s.minutes}"><{level}>{markdown(s.heading)[3:-5]}</{level}>'
            f'<div class="shown" tabindex="0">{s.body}</div>'
            f'<aside class="notes">{notes}</aside></section>'
        )
    text = TEMPLATE.read_text(encoding="utf-8")
    return text.replace("TITLE", escape(made[0].heading)).replace("SLIDES", "\n".join(parts))


def build_slides(names: list[str], target: Path) -> None:
    """Pages of slides and their assets below *target*."""
    assets = target / "assets"
    reveal = Path(sphinx_revealjs.__file__).parent / "_static" / "revealjs"
    for part in ("dist/reset.css", "dist/reveal.css", "dist/reveal.js", "plugin/notes/notes.js"):
        (assets / "reveal" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(reveal / part, assets / "reveal" / part)
    shutil.copyfile(reveal / "LICENSE", assets / "reveal" / "LICENSE")
    files = importlib.metadata.files("sphinx-mathjax-offline") or []
    (whole,) = [f.locate() for f in files if f.name == "tex-chtml.js" and "mathjax" in f.parts]
    shutil.copytree(Path(whole).parent, assets / "mathjax")
    thin(assets / "mathjax")
    for name in names:
        (target / f"{name}.html").write_text(page(name), encoding="utf-8")
