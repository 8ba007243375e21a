"""The two commands, the environment's versions, what stands in the root, and the build's cache."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from conftest import ROOT
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ser.experiments.record_folder import record_files
from ser.experiments.record_table import FILE
from tools import book, check, execute


def pins() -> dict[str, Requirement]:
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(r.name): r for r in wanted}


def needs_make() -> str:
    make = shutil.which("make")
    if make is None or os.name == "nt":
        pytest.skip("needs make (the README says what to type instead)")
    return make


def test_requirements_are_exact_and_name_no_host():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*-", text, re.MULTILINE)
    for name, requirement in pins().items():
        assert [s.operator for s in requirement.specifier] == ["=="], name


def test_requirements_fulfil_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["book"], *extras["test"]]
    wanted += [*extras["synthetic"], *extras["egemaps"]]
    have = pins()
    for requirement in map(Requirement, wanted):
        name = canonicalize_name(requirement.name)
        if name == project["name"]:
            continue
        assert name in have, f"{name} is in pyproject.toml and not in requirements.txt"
        version = next(iter(have[name].specifier)).version
        assert requirement.specifier.contains(version), f"{name} {version}"


def test_the_environment_is_the_pinned_one():
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        pytest.skip("not run in the project's .venv")
    here = {name: r for name, r in pins().items() if r.marker is None or r.marker.evaluate()}
    other = {name: metadata.version(name) for name, r in here.items()}
    assert {n: v for n, v in other.items() if not here[n].specifier.contains(v)} == {}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_packages_for_one_system_are_marked():
    for name, requirement in pins().items():
        assert name.startswith(("nvidia-", "cuda-", "triton")) == (
            requirement.marker is not None and "Linux" in str(requirement.marker)
        ), name


@pytest.mark.parametrize(
    "name", ["README.md", "LICENSE", "LICENSE-TEXT", "CITATION.cff", "CONTRIBUTING.md", "Makefile"]
)
def test_root_has(name):
    assert (ROOT / name).stat().st_size > 400


def test_licences_are_the_ones_named():
    assert "MIT License" in (ROOT / "LICENSE").read_text("utf-8")
    assert "Attribution 4.0 International" in (ROOT / "LICENSE-TEXT").read_text("utf-8")


def test_citation_file():
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert citation["version"] == project["version"]
    assert citation["references"][0]["year"] == 2020
    assert len(citation["references"][0]["authors"]) == 6


def test_make_alone_lists_the_commands():
    done = subprocess.run([needs_make()], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in ("make book", "make test", "make clean"):
        assert name in done.stdout


def test_make_plans_both_commands_where_a_path_has_spaces(tmp_path):
    folder = tmp_path / "my book ä"
    folder.mkdir()
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    command = [needs_make(), "-n", "-j2", "test", "book"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    for part in ("-m venv .venv", "-r requirements.txt", "tools.check", "tools.book build"):
        assert done.stdout.count(part) == 1, part


def test_the_environment_is_made_once(tmp_path):
    make = needs_make()
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    stamp = tmp_path / ".venv" / ".made"
    stamp.parent.mkdir()
    stamp.touch()
    command = [make, "-n", "book"]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "pip install" not in again.stdout
    os.utime(tmp_path / "requirements.txt", (stamp.stat().st_mtime + 10,) * 2)
    changed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "pip install" in changed.stdout


def test_an_old_python_is_refused_in_words(tmp_path):
    make = needs_make()
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    command = [make, "book", "PYTHON="]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Python 3.11" in done.stderr


@pytest.mark.parametrize("folder", [".", "book", "tests"])
def test_the_chapters_code_is_found_from_any_folder(folder):
    command = [sys.executable, "-c", "import chapters; print(chapters.__path__[0])"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=ROOT / folder, env=environment, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).name == "chapters"


def test_the_drawing_of_the_house_shows_every_room_and_no_other():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    drawing = text.split("```text\n")[1].split("```")[0]
    assert len(drawing.splitlines()) <= 30
    named = set(re.findall(r"ser/([\w.]+)|[ ,(]([a-z_]+\.py)", drawing))
    named = {a or b for a, b in named}
    rooms = {p.name for p in (ROOT / "ser").iterdir() if (p / "__init__.py").is_file()}
    assert rooms <= named
    assert all((ROOT / "ser" / name).exists() for name in named)
    places = text.split("Places that are looked for:")[1].split("\n## ")[0]
    paths = re.findall(r"`((?:ser|book)/[\w/.]+)`", places)
    assert len(paths) >= 7
    assert all((ROOT / path).is_file() for path in paths)


def test_the_installed_package_does_not_hold_the_chapters_code():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["tool"]["setuptools"]["packages"]["find"]["include"] == ["ser", "ser.*"]
    for file in (ROOT / "ser").rglob("*.py"):
        imported = re.search(r"^\s*(from|import) chapters\b", file.read_text("utf-8"), re.MULTILINE)
        assert not imported, f"{file} uses the chapters' code"


def test_continuous_integration_calls_both_commands():
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    assert script.startswith("#!/usr/bin/env bash")
    assert "set -euo pipefail" in script
    lines = script.splitlines()
    assert lines.index("make test") < lines.index("make book")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.fixture
def project(tmp_path) -> Path:
    """A project with a package of one file and a notebook of one cell."""
    for folder in ("ser", "book/results"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ser" / "__init__.py").write_text("x = 1\n")
    (tmp_path / "requirements.txt").write_text("numpy==1\n")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(6 * 7)")])
    nbformat.write(notebook, tmp_path / "book" / "one.ipynb")
    return tmp_path


def test_key_follows_package_records_versions_and_cells(project):
    path = project / "book" / "one.ipynb"
    keys = [execute.notebook_key(path, project)]
    package = ("ser/__init__.py", "ser/new.py", "book/chapters/one.py")
    for change in (*package, "requirements.txt", "book/results/a/records.parquet"):
        (project / change).parent.mkdir(exist_ok=True)
        (project / change).write_text("changed")
        keys.append(execute.notebook_key(path, project))
    notebook = nbformat.read(path, 4)
    notebook.cells[0].source = "print(42)"
    nbformat.write(notebook, path)
    keys.append(execute.notebook_key(path, project))
    assert len(set(keys)) == len(keys)


def test_key_ignores_outputs_and_what_python_leaves(project):
    path = project / "book" / "one.ipynb"
    key = execute.notebook_key(path, project)
    notebook = nbformat.read(path, 4)
    notebook.cells[0].outputs = [nbformat.v4.new_output("stream", text="42\n")]
    notebook.cells[0].execution_count = 3
    nbformat.write(notebook, path)
    cache = project / "ser" / "__pycache__" / "x.pyc"
    cache.parent.mkdir()
    cache.write_bytes(b"1")
    assert execute.notebook_key(path, project) == key


def test_executed_once_and_again_after_a_change_in_the_package(project):
    path, cache = project / "book" / "one.ipynb", project / "cache"

    def go():
        return execute.execute_cached(path, project, cache, project)

    first, second = go(), go()
    assert (first["ran"], second["ran"]) == (True, False)
    executed = nbformat.read(second["path"], 4)
    assert executed.cells[0].outputs[0].text == "42\n"
    (project / "ser" / "__init__.py").write_text("x = 2\n")
    assert go()["ran"]
    assert len(list(cache.glob("*.ipynb"))) == 1


def test_a_failing_cell_fails_the_build(project, capsys):
    path = project / "book" / "one.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(notebook, path)
    (project / "book" / "run_times.md").write_text(book.RUN_TIMES)
    for name in ("_config.yml", "_toc.yml"):
        (project / name).write_text("")
    staged = book.stage(project / "stage", project)
    with pytest.raises(SystemExit, match=r"one\.ipynb"):
        book.execute_all(project / "build", staged, project)
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_standard_error_is_told_and_on_no_page(project, monkeypatch, capsys):
    """A library may say something on one machine alone: the page is the same, and a store fails."""
    path = project / "book" / "one.ipynb"
    words = "import sys; sys.stderr.write('a font was not found'); print(42)"
    cells = [nbformat.v4.new_markdown_cell("# One"), nbformat.v4.new_code_cell(words)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    (project / "book" / "run_times.md").write_text(book.RUN_TIMES)
    for name in ("_config.yml", "_toc.yml"):
        (project / name).write_text("")
    staged = book.stage(project / "stage", project)
    done = book.execute_all(project / "build", staged, project)
    told = "cell 2 wrote on standard error: a font was not found"
    assert done["book/one.ipynb"]["stderr"] == [told]
    assert f"book/one.ipynb, {told}" in capsys.readouterr().err
    (shown,) = nbformat.read(staged / "book" / "one.ipynb", 4).cells[1].outputs
    assert (shown.name, shown.text) == ("stdout", "42\n")
    monkeypatch.setattr(book, "prepare", lambda _: None)
    monkeypatch.setattr(book, "ROOT", project)
    monkeypatch.setattr(book, "execute_all", lambda *_, **__: done)
    assert book.make(argparse.Namespace(command="store", only=[]), project, staged) == 1


def test_single_notebooks_can_be_stored(project, monkeypatch):
    two = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(two, project / "book" / "two.ipynb")
    assert [p.stem for p in book.chosen(["one"], project)] == ["one"]
    assert [p.stem for p in book.chosen([], project)] == ["one", "two"]
    with pytest.raises(SystemExit, match="no notebook 'three'"):
        book.chosen(["three"], project)
    (project / "book" / "run_times.md").write_text(book.RUN_TIMES)
    (project / "stage" / "book").mkdir(parents=True)
    shutil.copy(project / "book" / "run_times.md", project / "stage" / "book")
    done = book.execute_all(project / "build", project / "stage", project, only=["one"])
    assert list(done) == ["book/one.ipynb"]
    with pytest.raises(SystemExit):
        book.main(["build", "--only", "recipe"])


def test_two_runs_beside_each_other_have_a_stage_each(tmp_path, monkeypatch):
    """A second run neither uses nor removes the copy that the first one works in."""
    staged = []

    def make(args, output, own):
        (own / "page").touch()
        staged.append(own)
        if len(staged) == 1:
            book.main(["render", "--output", str(output)])
        assert (own / "page").is_file()
        return 0

    monkeypatch.setattr(book, "stage", lambda folder: folder)
    monkeypatch.setattr(book, "make", make)
    assert book.main(["render", "--output", str(tmp_path)]) == 0
    first, second = staged
    assert first != second and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("chosen", "given"), [(None, "1"), ("2", "2")])
def test_numpy_has_one_thread_in_kernels_unless_told(chosen, given, tmp_path, monkeypatch):
    monkeypatch.setattr("ser.load_corpus", lambda name: None)
    environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"}
    environment |= {"SER_DATA": "", "SER_CACHE": ""}
    environment |= {"OPENBLAS_NUM_THREADS": chosen} if chosen else {}
    monkeypatch.setattr(os, "environ", environment)
    execute.prepare(tmp_path, ROOT)
    assert environment["OPENBLAS_NUM_THREADS"] == given


def test_the_page_of_run_times():
    table = book.run_times({"book/a.ipynb": {"seconds": 61.2}, "book/b.ipynb": {"seconds": 3.4}})
    assert "| `book/a.ipynb` | 61 |" in table
    assert "| **all** | **65** |" in table


def test_style_comes_before_tests_and_stops_there(monkeypatch):
    commands = []

    def run(command, **_):
        commands.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr(check.subprocess, "run", run)
    monkeypatch.setattr(check, "prepare", lambda _: None)
    assert check.main([]) == 1
    assert len(commands) == 1
    assert commands[0][:3] == [sys.executable, "-m", "ruff"]


@pytest.mark.parametrize(("chosen", "given"), [(None, "1"), ("3", "3")])
def test_tests_side_by_side_get_one_thread_each(monkeypatch, chosen, given):
    calls = []

    def run(command, env=None, **_):
        calls.append((command, env))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if chosen:
        monkeypatch.setenv("OMP_NUM_THREADS", chosen)
    monkeypatch.setattr(check.subprocess, "run", run)
    monkeypatch.setattr(check, "prepare", lambda _: None)
    assert check.main(["-k", "metrics"]) == 0
    command, environment = calls[-1]
    assert command[2] == "pytest" and command[-2:] == ["-k", "metrics"]
    assert environment["OMP_NUM_THREADS"] == given


def test_the_records_stay_small():
    """Who clones the project gets all of them; ``python -m tools.thin`` makes room."""
    folder = ROOT / "book" / "results"
    files = list(record_files(folder))
    assert sum(len(pd.read_parquet(p, columns=["id"])) for p in files if p.name == FILE) > 1500
    assert sum(p.stat().st_size for p in files) < 20_000_000


def test_no_record_names_a_folder_of_one_machine():
    """A command beside a number is one that a reader can give."""
    paths = re.compile(r"(?<![\w.])(?:~|/(?:home|root|tmp|work|Users|mnt|content))/|[A-Z]:\\")
    for path in record_files(ROOT / "book" / "results"):
        if path.name == FILE:
            for command in pd.read_parquet(path, columns=["command"]).command.dropna().unique():
                assert not paths.search(command), f"{path.parent.name}: {command}"
