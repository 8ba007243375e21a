"""People who are one: names that may be the same person's, and names that are nobody's."""

from __future__ import annotations

import pytest
import trees
from test_protocols import corpus_table

from ser.cli import main
from ser.corpora import load_corpus
from ser.corpora.check import check
from ser.corpora.speaker_names import alike, names_nobody, person
from ser.errors import CorpusError, ProtocolError
from ser.protocols import find_leaks, split


@pytest.mark.parametrize(
    "names",
    [
        ("3", "03", "3.0", " 3", "003", "3.", "3.00", "\uff13"),
        ("Anna B", "anna-b", "ANNA_B", "annab", " Anna  B ", "Anna\u00a0B", "Anna\u2010B"),
        ("Jos\u00e9", "Jose\u0301", "JOS\u00c9"),
        ("S3", "s03", "S-3", "s_003"),
        ("anna", "anna\u200b", "\ufeffanna", "\u0430nna"),
        ("Stra\u00dfe", "STRASSE"),
    ],
)
def test_a9_names_of_one_person(names):
    assert len({person(name) for name in names}) == 1
    assert alike(names) == [list(names)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("3", "S3"), ("3", "30"), ("1-1", "11"), ("3.1", "3.10"), ("10", "1"), ("0", "00a")),
        *(("SM1", "SM17"), ("Ses01F", "Ses01M"), ("OAF", "YAF"), ("Jose", "Jos\u00e9")),
    ],
)
def test_a9_names_of_two_people(one, other):
    assert person(one) != person(other)
    assert alike([one, other]) == []


@pytest.mark.parametrize(
    "name", ["nan", "NaN", "none", "None", "unknown", "?", "-", "n/a", "N/A", "null", "<NA>"]
)
def test_a9_nobody_is_not_a_person(tmp_path, name):
    trees.files(tmp_path, "a.wav", "b.wav")
    file = trees.text(tmp_path / "m.csv", f"path,emotion,speaker\na.wav,sad,x\nb.wav,sad,{name}\n")
    assert names_nobody(name)
    with pytest.raises(CorpusError, match=r"m\.csv line 3: the speaker .* names nobody"):
        load_corpus("manifest", file)
    table = corpus_table().assign(session="A")
    table.loc[3, "speaker"] = name
    for protocol in ("speakers", "loso"):
        with pytest.raises(ProtocolError, match="needs a speaker for every utterance; 1 have none"):
            split(table, protocol)
    assert split(table, "random")


def test_a9_four_spellings_of_one_and_nobody(tmp_path, capsys):
    trees.files(tmp_path, *(f"{n}.wav" for n in range(6)))
    names = ["3", "03", "3.0", " 3", "nan", "nan"]
    rows = [f"{n}.wav,sad,{name}" for n, name in enumerate(names)]
    file = trees.text(tmp_path / "m.csv", "\n".join(["path,emotion,speaker", *rows]))
    assert main(["check", "manifest", "--root", str(file)]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "m.csv line 6: the speaker 'nan' names nobody (2 such rows)" in told
    assert "3 = 03 = 3.0?" in told


@pytest.fixture
def four_in_one(tmp_path):
    """One person under four names, and another."""
    rows = ["path,emotion,speaker"]
    for number, name in enumerate(["3", "03", "3.0", "s_1", "S1", "7"]):
        for emotion in ("angry", "happy", "neutral", "sad"):
            trees.tone(tmp_path / f"{number}{emotion}.wav", 0.3 + 0.01 * len(rows))
            rows.append(f"{number}{emotion}.wav,{emotion},{name}")
    return trees.text(tmp_path / "mine.csv", "\n".join(rows))


def test_a9_told_as_alike_by_check(four_in_one):
    report = check("manifest", four_in_one)
    (found,) = [p for p in report["problems"] if p["kind"] == "speakers alike"]
    assert found["files"] == ["3 = 03 = 3.0?", "s_1 = S1?"] and found["count"] == 2
    assert len(report["speakers"]) == 6, "told, not changed"


@pytest.mark.parametrize("protocol", ["speakers", "loso"])
def test_a9_refused_by_a_run_unless_confirmed(four_in_one, tmp_path, capsys, caplog, protocol):
    command = ["run", "--corpus", "manifest", "--root", str(four_in_one), "--model", "majority"]
    command += ["--protocol", protocol, "--folds", "2", "--quiet", "--jobs", "1"]
    command += ["--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache"), "--dry-run"]
    assert main(command) == 2
    told = capsys.readouterr().err
    assert "'3' = '03' = '3.0'?; 's_1' = 'S1'?" in told and "--distinct-speakers" in told
    assert main([*command, "--distinct-speakers"]) == 0
    assert "nothing" in capsys.readouterr().out


def test_a9_random_splits_tell_it_as_a_leak(four_in_one):
    table = load_corpus("manifest", four_in_one).table
    assert split(table, "random", folds=2)
    train, test = table[table.speaker == "3"], table[table.speaker == "03"]
    assert find_leaks(train, test).speakers == ("03 = 3",)
    assert find_leaks(train, test, distinct_speakers=True).speakers == ()


def test_a9_sessions_that_are_one_and_speakers_of_two(four_in_one):
    table = corpus_table()
    table["session"] = table.session.replace({"Ses1": "1", "Ses2": "01"})
    with pytest.raises(ProtocolError, match=r"keeps sessions apart.*'1' = '01'"):
        split(table, "sessions")
    assert len(split(table, "sessions", distinct_speakers=True)) == 3


def test_a9_cross_refuses_them_where_a_dev_set_is_taken_by_speakers():
    table = corpus_table()
    table["speaker"] = table.speaker.replace({"S1": "s-0"})
    assert split(table, "cross", test=corpus_table())
    with pytest.raises(ProtocolError, match="'S0' = 's-0'"):
        split(table, "cross", test=corpus_table(), dev=0.2)
