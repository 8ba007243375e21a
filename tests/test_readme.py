"""The README: links, commands, and tables that are made from the records."""

from __future__ import annotations

import json
import re

import pytest
from conftest import ROOT
from records_maker import make_results

from tools import readme


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
    folders = readme.folders(corpus)
    if not folders:
        pytest.skip("needs the records under book/results")
    text = (ROOT / "README.md").read_text("utf-8")
    assert f"<!-- table:{corpus} -->" in text
    assert readme.fill(text, readme.table(folders), corpus) == text


def test_the_answers_of_the_readme_are_made_from_the_records():
    results = ROOT / "book" / "results"
    if not readme.study_folders(results):
        pytest.skip("needs the records under book/results")
    text = (ROOT / "README.md").read_text("utf-8")
    assert "<!-- table:answers -->" in text
    assert readme.fill(text, readme.answers(results), "answers") == text


def test_a_table_of_the_readme_says_which_networks_had_a_dev_set(tmp_path):
    models = {"majority": 0.0, "mfcc-lstm": 1.0, "dual": 2.0}
    made = [
        make_results(tmp_path / f"nemo-{p}", models, corpus="nemo", protocol=p, seeds=2)
        for p in ("loso", "random")
    ]
    table = readme.table(made)
    assert table.startswith("| row |") and "nEMO, four classes" in table
    assert "| `dual` | 2, 2 |" in table and "dev set" not in table
    for path in (tmp_path / "nemo-loso").glob("*/*.json"):
        data = json.loads(path.read_text())
        data["protocol"]["dev"] = 9
        path.write_text(json.dumps(data))
    assert "dev set (whole speakers where one is left out)." in readme.table(made)


def test_a_row_by_our_recipe_stands_beside_the_same_row_without_it(tmp_path):
    models = {"majority": 0.0, "mfcc-lstm": 1.0}
    made = [
        make_results(tmp_path / f"nemo-{p}", models, corpus="nemo", protocol=p)
        for p in ("loso", "random")
    ]
    more = {"ds-lstm": 1.0, "dual": 1.5, "dual+": 2.0}
    make_results(tmp_path / "nemo-loso", more, corpus="nemo", protocol="loso")
    lines = readme.table(made).splitlines()
    shown = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert shown == ["majority", "mfcc-lstm", "ds-lstm", "dual", "dual+"]
    assert any(line.startswith("| `dual` | 1, - |") for line in lines)
