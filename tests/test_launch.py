"""Launch buttons: off without an address; with one, the right links, and a cell that installs."""

from __future__ import annotations

import subprocess
import sys
import tomllib

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from tools import launch
from tools.course.guide import build_pages
from tools.execute import ROOT, notebooks

MADE_UP = "https://github.com/nobody/made-up"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "_config.yml"
    path.write_text((ROOT / "_config.yml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def addressed(config, url):
    text = config.read_text(encoding="utf-8").replace('url: ""', f'url: "{url}"', 1)
    config.write_text(text, encoding="utf-8")
    return config


def test_one_setting_turns_the_buttons_on(config):
    before = config.read_bytes()
    launch.fill(config)
    assert config.read_bytes() == before and launch.address(config) == ""
    launch.fill(addressed(config, MADE_UP + ".git"))
    on = yaml.safe_load(config.read_text(encoding="utf-8"))["sphinx"]["config"]
    assert on["html_theme_options"]["launch_buttons"] == launch.PLACES
    assert on["html_theme_options"]["repository_url"] == launch.address(config) == MADE_UP


def test_an_address_that_is_none_is_an_error(config):
    with pytest.raises(ValueError, match="https://HOST/OWNER/NAME"):
        launch.address(addressed(config, "github.com/nobody"))


@pytest.mark.parametrize("url", ["", MADE_UP])
def test_the_pages_links(url, tmp_path, config):
    """The theme's own buttons, on a page of its own, from the book's settings."""
    from jupyter_book.config import get_final_config

    launch.fill(addressed(config, url))
    settings, _ = get_final_config(
        user_yaml=config, cli_config={"latex_individualpages": False}, sourcedir=tmp_path
    )
    (tmp_path / "index.md").write_text("# Page\n\n```{toctree}\nbook/lstm\n```\n", encoding="utf-8")
    (tmp_path / "book").mkdir()
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# LSTM")])
    nbformat.write(book, tmp_path / "book" / "lstm.ipynb")
    own = {
        "extensions": ["myst_nb", "sphinx_book_theme"],
        "html_theme": "sphinx_book_theme",
        "html_theme_options": settings["html_theme_options"],
        "nb_execution_mode": "off",
        "exclude_patterns": ["html"],
    }
    out = tmp_path / "html"
    build_pages(tmp_path, out, own)
    soup = BeautifulSoup((out / "book" / "lstm.html").read_text(encoding="utf-8"), "html.parser")
    links = {a["href"] for a in soup.select(".dropdown-launch-buttons a")}
    if not url:
        assert not links
        return
    where = "nobody/made-up"
    assert links == {
        f"https://mybinder.org/v2/gh/{where}/main?urlpath=lab/tree/book/lstm.ipynb",
        f"https://colab.research.google.com/github/{where}/blob/main/book/lstm.ipynb",
    }


def test_the_first_cell_comes_and_goes_with_the_address():
    path = next(p for p in notebooks(ROOT) if p.stem == "lstm")
    plain = nbformat.read(path, as_version=4)
    there = launch.with_cell(nbformat.read(path, as_version=4), MADE_UP)
    nbformat.validate(there)
    assert len(there.cells) == len(plain.cells) + 1 and MADE_UP in there.cells[1].source
    again = launch.with_cell(there, MADE_UP)
    assert len(again.cells) == len(plain.cells) + 1
    assert launch.with_cell(again, "").cells == plain.cells


def test_the_notebooks_follow_the_setting():
    url = launch.address(ROOT / "_config.yml")
    for path in notebooks(ROOT):
        notebook = nbformat.read(path, as_version=4)
        assert launch.with_cell(nbformat.read(path, as_version=4), url).cells == notebook.cells


def test_the_cell_installs_only_where_it_must(tmp_path):
    """In a bare Python with a pip and a git that only take notes."""
    cell = launch.CELL.format(url=MADE_UP)
    here = "import subprocess\nsubprocess.run = lambda *a, **k: print('called')\n" + cell
    done = subprocess.run(
        [sys.executable, "-c", here], capture_output=True, text=True, cwd=ROOT / "book", check=True
    )
    assert done.stdout == ""
    bare = (
        "import os, subprocess, sys\n"
        "sys.path[:] = [p for p in sys.path if 'site-packages' not in p]\n"
        "def note(command, check):\n    print(*command)\n"
        "    os.makedirs('ser-book/book', exist_ok=True)\nsubprocess.run = note\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", bare + cell + "\nprint(os.getcwd())"],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    )  # fmt: skip
    clone, pip, folder = done.stdout.splitlines()
    assert clone == f"git clone --depth 1 {MADE_UP} ser-book"
    assert pip.endswith("-m pip install --quiet ./ser-book[book] -e ./ser-book/book")
    assert folder.endswith("ser-book/book")


def test_binder_asks_for_what_there_is():
    made = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text(encoding="utf-8"))
    assert "pytorch-cpu>=2.4" in made["dependencies"]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "book" in extras["optional-dependencies"]
    after = ROOT / ".binder" / "postBuild"
    assert ".[book]" in after.read_text(encoding="utf-8") and after.stat().st_mode & 0o100
