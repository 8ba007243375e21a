"""The notebooks as stored: valid, executed, clean; and run on another corpus by parameters.

That each runs from the top and still prints what must not change is nbval's part
(``python -m tools.check``).
"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import soundfile
from bs4 import BeautifulSoup
from conftest import ROOT
from records_maker import make_results

from tools.chapters import contents

NOTEBOOKS = sorted(
    p for p in (ROOT / "book").rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts
)
APPENDIX = {Path(name).stem for name in dict(contents(ROOT))["The study in full"]}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:work|root|tmp|home|Users|var)/|\b[A-Z]:\\")


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda p: p.stem)
def notebook(request) -> nbformat.NotebookNode:
    return nbformat.read(request.param, as_version=4)


def code(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [output for cell in code(notebook) for output in cell.outputs]


def shown(output: nbformat.NotebookNode) -> str:
    """Everything of an output that is text, pictures and sounds left out."""
    parts = [output.get("text", ""), *output.get("traceback", [])]
    parts += [
        v for k, v in output.get("data", {}).items() if isinstance(v, str) and "image/" not in k
    ]
    return re.sub(r"base64,[A-Za-z0-9+/=]+", "", "\n".join(parts))


def test_there_are_notebooks():
    assert {"ten_minutes", "results_emodb"} <= {p.stem for p in NOTEBOOKS}


def test_valid(notebook):
    nbformat.validate(notebook)
    names = [cell.id for cell in notebook.cells]
    assert len(names) == len(set(names))


def test_has_one_cell_of_parameters(notebook):
    cells = [c for c in code(notebook) if "parameters" in c.metadata.get("tags", [])]
    assert len(cells) == 1
    names: dict = {}
    exec(cells[0].source, names)
    assert "corpus" in names
    assert names["profile"] == "smoke"


def test_stored_outputs_come_from_one_run_from_the_top(notebook):
    counts = [cell.execution_count for cell in code(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    assert outputs(notebook)


def test_no_error_and_no_warning_in_outputs(notebook):
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", shown(output)
        assert "Warning" not in shown(output)


def test_no_path_of_a_machine_in_outputs(notebook):
    for output in outputs(notebook):
        assert not MACHINE_PATH.search(shown(output)), shown(output)[:500]
        assert str(ROOT) not in shown(output)


def test_cells_are_short(notebook):
    for cell in code(notebook):
        assert len(cell.source.splitlines()) <= 30, cell.source


def test_pictures_have_alternative_text_and_caption(notebook):
    bare = 0
    for output in outputs(notebook):
        data = output.get("data", {})
        html = BeautifulSoup(data.get("text/html", ""), "html.parser")
        bare += any(kind.startswith("image/") for kind in data)
        for image in html.find_all("img"):
            figure = image.find_parent("figure")
            bare += not (image.get("alt", "").strip() and figure and figure.find("figcaption"))
        for figure in html.find_all("figure", class_="ser-drawing"):
            bare += not (figure.find("svg")["aria-label"].strip() and figure.find("figcaption"))
    assert bare == 0


def test_sounds_have_captions_and_a_size_budget(notebook):
    total = 0
    for output in outputs(notebook):
        html = BeautifulSoup(output.get("data", {}).get("text/html", ""), "html.parser")
        for audio in html.find_all("audio"):
            assert audio.get("aria-label", "").strip()
            assert audio.find_parent("figure").find("figcaption").get_text(strip=True)
            total += len(audio["src"])
    assert total < 2_000_000


def test_says_what_a_chapter_says(notebook, request):
    if request.node.callspec.params["notebook"].stem in APPENDIX:
        pytest.skip("a page of the study has no exercises")
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for part in ("Afterwards you will be able to", "**You need**", "**Time**", "## Summary"):
        assert part in text
    assert "## Further reading" in text
    box = text.split("**Time**")[1][:200]
    assert re.search(r"minutes?\b", box), box
    goals = text.split("Afterwards you will be able to")[1].split("**You need**")[0]
    assert 3 <= len(re.findall(r"^\s*[-*] ", goals, re.MULTILINE)) <= 6, goals
    exercises = text.split("## Exercises")[1]
    assert re.findall(r"^\*\*(\d)\.", exercises, re.MULTILINE) == ["1", "2", "3"]
    solutions = [c for c in code(notebook) if "hide-cell" in c.metadata.get("tags", [])]
    assert len(solutions) + exercises.count(":::{dropdown}") >= 3


def test_no_cell_is_left_out_when_the_notebooks_are_run(notebook):
    """Solutions are folded away on the page and run like every other cell."""
    skipping = {"nbval-skip", "raises-exception", "skip-execution", "nbval-raises-exception"}
    assert [c.source for c in code(notebook) if skipping & set(c.metadata.get("tags", []))] == []
    assert not [
        c.source for c in code(notebook) if re.match(r"%%(?:script|capture|bash)", c.source)
    ]


def test_something_is_compared_by_nbval(notebook):
    tags = [t for c in code(notebook) for t in c.metadata.get("tags", [])]
    assert "nbval-check-output" in tags


def test_a_cell_may_be_run_again(notebook):
    """What another cell made keeps its kind, or a second run finds a table in a dict's place."""
    for cell in code(notebook):
        for made in re.finditer(r"^(\w+) = pd\.\w+\(\1\b", cell.source, re.MULTILINE):
            before = cell.source[: made.start()]
            assert re.search(rf"^(.*, )?{made[1]}\b.* = ", before, re.MULTILINE), cell.source


@pytest.mark.parametrize(
    ("chapter", "words", "asked"),
    [
        ("confusion", "Rules made these voices", "synthetic"),
        ("your_voice", "the voices of the training", "trained_on"),
    ],
)
def test_what_only_some_voices_are_is_said_of_those_alone(chapter, words, asked):
    """Both pages invite a reader to name EmoDB, whose voices are people's, and the training's."""
    cells = code(nbformat.read(ROOT / "book" / f"{chapter}.ipynb", as_version=4))
    (cell,) = (c.source for c in cells if words in c.source)
    assert (asked in cell and "== corpus" in cell) or f'corpus == "{asked}"' in cell


def test_the_patterns_find_what_they_should():
    assert MACHINE_PATH.search("saved to /home/me/x.wav")
    assert MACHINE_PATH.search(r"C:\Users\me")
    assert not MACHINE_PATH.search("results/emodb-loso and a/work/b")


@pytest.fixture(scope="module")
def small_corpus(tmp_path_factory) -> Path:
    """A manifest of 64 hums: 4 speakers, 4 takes; each emotion has its pitch and loudness."""
    folder = tmp_path_factory.mktemp("hums with ä space")
    rng = np.random.default_rng(0)
    voices = {"angry": (260, 0.5), "happy": (320, 0.3), "neutral": (180, 0.1), "sad": (140, 0.03)}
    lines = ["path,emotion,speaker"]
    for speaker in ("Ada", "Bo", "Cy", "Di"):
        shift = rng.uniform(0.8, 1.25)
        for emotion, (pitch, level) in voices.items():
            for take in range(4):
                t = np.arange(int(16000 * rng.uniform(0.8, 1.1))) / 16000
                phase = 2 * np.pi * pitch * shift * rng.uniform(0.95, 1.05) * t
                wave = sum(np.sin(k * phase) / k for k in range(1, 9))
                wave = level * wave / np.abs(wave).max() + rng.normal(0, 1e-3, len(t))
                name = f"{speaker} {emotion} {take}.wav"
                soundfile.write(folder / name, wave, 16000)
                lines.append(f"{name},{emotion},{speaker}")
    (folder / "hums.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "hums.csv"


@pytest.fixture(scope="module")
def small_results(tmp_path_factory) -> Path:
    """Records of two protocols of a corpus that is not EmoDB."""
    folder = tmp_path_factory.mktemp("records")
    models = {"majority": 0.0, "mfcc-lstm": 0.8, "ds-lstm": 1.2, "dual": 2.0}
    for protocol in ("loso", "random"):
        make_results(folder / f"other-{protocol}", models, corpus="other", protocol=protocol)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_runs_with_other_parameters(path, tmp_path, small_corpus, small_results):
    import papermill

    parameters = {"corpus": "manifest", "root": str(small_corpus), "profile": "smoke"}
    if path.stem.startswith("results_"):
        parameters = {"corpus": "other", "results": str(small_results), "profile": "smoke"}
    done = papermill.execute_notebook(
        path,
        tmp_path / "out.ipynb",
        parameters=parameters,
        cwd=path.parent,
        kernel_name="python3",
        progress_bar=False,
    )
    assert [c.execution_count for c in code(done)] == list(range(1, len(code(done)) + 1))
    assert not [o for o in outputs(done) if o.get("name") == "stderr"]
