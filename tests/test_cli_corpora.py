"""``ser corpora``: the list for people and for programs."""

from __future__ import annotations

import json

import pytest

from ser.cli import main
from ser.corpora import CORPORA
from ser.paths import data_dir


def test_names_all_with_licence_and_way(capsys):
    assert main(["corpora"]) == 0
    text = capsys.readouterr().out
    for info in CORPORA.values():
        assert info.name in text and info.title in text
    assert "CC BY-NC-SA 4.0" in text and "5,531" in text and str(data_dir()) in text


def test_json_is_complete(capsys):
    assert main(["corpora", "--json"]) == 0
    found = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(found) == list(CORPORA)
    assert found["emodb"]["utterances"] == 339 and found["emodb"]["total"] == 535
    assert found["iemocap"]["fetchable"] is False and found["ravdess"]["fetchable"] is True
    assert found["nemo"]["language"] == "Polish" and found["nemo"]["speakers"] == 9


def test_says_what_is_here(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    (tmp_path / "emodb" / "wav").mkdir(parents=True)
    (tmp_path / "nemo").mkdir()
    main(["corpora", "--json"])
    here = {row["name"]: row["root"] for row in json.loads(capsys.readouterr().out) if row["here"]}
    assert here == {"emodb": str(tmp_path / "emodb")}


def test_short_table(capsys):
    assert main(["corpora", "--names"]) == 0
    text = capsys.readouterr().out
    assert "Burkhardt" not in text
    assert len(text.strip().splitlines()) == len(CORPORA) + 3


@pytest.mark.parametrize("command", ["corpora", "check", "fetch"])
def test_help_teaches(command, capsys):
    with pytest.raises(SystemExit) as done:
        main([command, "--help"])
    assert done.value.code == 0
    assert f"ser {command} " in capsys.readouterr().out.split("examples:")[1]
