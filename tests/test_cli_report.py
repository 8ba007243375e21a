"""``ser report``: what it prints, writes and answers as exit code."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from records_maker import make_results

from ser.cli import main


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a folder") / "ergebnisse ü"
    return str(make_results(folder, {"mfcc-lstm": 0.8, "dual": 2.0}, each=8))


def test_text_by_default(results, capsys):
    assert main(["report", results]) == 0
    out = capsys.readouterr().out
    assert "protocol loso" in out
    assert "confusion of dual (last" in out
    assert "dual - mfcc-lstm" in out


def test_json_is_only_json(results, capsys):
    assert main(["report", results, "--json", "--selection", "last", "--resamples", "50"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [r["model"] for r in data["rows"]] == ["mfcc-lstm", "dual"]
    assert data["resamples"] == 50


def test_compare_follows_the_selection(results, capsys):
    command = ["report", results, "--json", "--selection", "test"]
    assert main([*command, "--compare", "mfcc-lstm", "dual"]) == 0
    (paired,) = json.loads(capsys.readouterr().out)["paired"]
    assert (paired["a"], paired["b"], paired["selection"]) == ("mfcc-lstm", "dual", "test")
    assert paired["ua_difference"] < 0


def test_confusion_of_one_of_all_of_none(results, capsys):
    main(["report", results, "--confusion", "mfcc-lstm"])
    assert capsys.readouterr().out.count("confusion of mfcc-lstm") == 2
    main(["report", results, "--confusion"])
    assert capsys.readouterr().out.count("confusion of") == 4
    main(["report", results, "--confusion", "none"])
    assert "confusion of" not in capsys.readouterr().out


def test_csv_to_a_file_and_to_the_screen(results, tmp_path, capsys):
    target = tmp_path / "new folder" / "table.csv"
    assert main(["report", results, "--csv", str(target)]) == 0
    assert "protocol loso" in capsys.readouterr().out
    assert main(["report", results, "--csv", "-"]) == 0
    assert capsys.readouterr().out == target.read_text(encoding="utf-8")


def test_figures_are_written_with_descriptions(results, tmp_path, capsys):
    command = ["report", results, "--selection", "last", "--resamples", "50"]
    assert main([*command, "--figures", str(tmp_path / "figures")]) == 0
    said = json.loads((tmp_path / "figures" / "figures.json").read_text())
    assert "confusion-emodb-loso-release-dual.png" in said
    for name, text in said.items():
        assert (tmp_path / "figures" / name).read_bytes().startswith(b"\x89PNG")
        assert len(text) > 40


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--compare", "dual", "nothing"], "no row nothing"),
        (["--confusion", "nothing"], "no row nothing"),
        (["--selection", "dev"], "selection 'dev'"),
        (["--json", "--csv", "-"], "both want the screen"),
    ],
)
def test_wrong_use_is_told_and_is_2(results, more, said, capsys):
    assert main(["report", results, *more]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


def test_rows_without_a_common_fold_are_shown_and_not_compared(tmp_path, capsys):
    """An unfinished grid: nobody asked for the comparison that cannot be made."""
    make_results(tmp_path, {"mfcc-lstm": 0.8, "ds-lstm": 1.2})
    for model, stay in (("mfcc-lstm", 0), ("ds-lstm", 1)):
        for k, path in enumerate(sorted((tmp_path / model).glob("*.parquet"))):
            if k != stay:
                path.unlink()
    assert main(["report", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "1/5" in out and "not compared" in out
    assert main(["report", str(tmp_path), "--compare", "mfcc-lstm", "ds-lstm"]) == 2


def test_no_records_is_2_and_says_what_makes_them(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "ser run" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-5", "many"])
def test_resamples_must_be_a_number_above_zero(results, number):
    with pytest.raises(SystemExit) as stopped:
        main(["report", results, "--resamples", number])
    assert stopped.value.code == 2


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["report", "--help"])
    assert stopped.value.code == 0
    out = capsys.readouterr().out
    assert "examples:" in out and "exit codes:" in out and "test*" in out


def test_the_report_may_be_written_into_the_folder_it_is_of(tmp_path):
    """The shell makes the file, empty, before the report looks around."""
    make_results(tmp_path, {"ds-lstm": 1.0}, speakers=2)
    command = [sys.executable, "-m", "ser", "report", str(tmp_path), "--json", "--resamples", "50"]
    for _ in range(2):
        with (tmp_path / "report.json").open("w") as stream:
            subprocess.run(command, stdout=stream, check=True)
        assert len(json.loads((tmp_path / "report.json").read_text())["rows"]) == 2
