"""Choosing among options on training speakers: the choice, what it cannot see, its record."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ser.cli import main
from ser.errors import ProtocolError, RecordError
from ser.experiments import RunConfig, run
from ser.experiments.choice import CHOSEN, choose
from ser.experiments.record_folder import stored_records
from ser.loading import load_model
from ser.metrics import ua
from ser.protocols import inner_split, split
from ser.report import make_report
from ser.training import TrainConfig


@pytest.fixture(scope="module")
def base(tiny_root, tmp_path_factory) -> RunConfig:
    cache = str(tmp_path_factory.mktemp("cache"))
    return RunConfig(root=str(tiny_root), models=("level-lr",), protocol="loso", select=("last",),
                     baseline_tuning="fixed", jobs=1, threads=1, progress=False,
                     cache=cache)  # fmt: skip


def with_noise(base: RunConfig, out) -> dict[str, RunConfig]:
    """The level, which tells emotions apart here, and an answer that is always one emotion."""
    return {
        "noise": replace(base, models=("majority",), out=out),
        "level": replace(base, models=("level-lr",), out=out),
    }


@pytest.fixture(scope="module")
def chosen(base, tmp_path_factory):
    out = tmp_path_factory.mktemp("chosen")
    return out, choose(with_noise(base, out), inner=2)


def test_the_option_that_is_no_noise_is_chosen_and_tested_as_if_it_had_been_run_alone(base, chosen):
    records = chosen[1]
    alone = {r["protocol"]["fold"]: r for r in run(replace(base, models=("level-lr",)))}
    assert len(records) == len(alone) == 4
    for record in records:
        told = record["choice"]
        assert (record["model"], told["chosen"], told["row"]) == (CHOSEN, "level", "level-lr")
        scores = {s["option"]: s["ua"] for s in told["scores"]}
        assert scores["noise"] == 0.25 and scores["level"] > 0.3
        same = alone[record["protocol"]["fold"]]
        assert record["selection"] == same["selection"] and record["test"] == same["test"]
        assert record["config"] == {"among": ["noise", "level"], "inner": 2}


def test_inner_scores_are_of_training_speakers_alone(base, chosen):
    """What the inner folds tested is the outer fold's training side, each utterance once."""
    out, records = chosen
    inner = stored_records(out / "work" / "choice" / "inner" / "noise")  # shared: rows differ only
    inner = {key: record for key, record in inner.items() if record["model"] == "level-lr"}
    for record in records:
        fold = record["protocol"]["fold"]
        parts = [r for r in inner.values() if r["protocol"]["outer"] == fold]
        heard = [u for r in parts for u in r["test"]["utterances"]]
        assert len(parts) == 2 and len(heard) == len(set(heard)) == record["protocol"]["train"]
        assert not set(heard) & set(record["test"]["utterances"])
        for part in parts:
            assert fold not in part["protocol"]["test_speakers"]
            assert part["protocol"]["train"] + len(part["test"]["labels"]) == len(heard)
        labels = np.concatenate([r["test"]["labels"] for r in parts])
        answers = np.concatenate([np.argmax(r["selection"]["last"]["logits"], 1) for r in parts])
        score = next(s["ua"] for s in record["choice"]["scores"] if s["option"] == "level")
        assert score == pytest.approx(ua(labels, answers), abs=1e-6)


def test_other_labels_of_the_test_speaker_change_no_score(base, chosen, tmp_path, monkeypatch):
    import ser.experiments.grid as grid

    load = grid.load_inputs
    who = chosen[1][0]["protocol"]["fold"]

    def turned(config, rows):
        corpus, _ = load(config, rows)
        table = corpus.table.copy()
        own = (table.speaker == who).to_numpy()
        table.loc[own, "emotion"] = np.roll(table.loc[own, "emotion"].to_numpy(), 5)
        assert (table.emotion != corpus.table.emotion).any()
        changed = replace(corpus, table=table, content_hash="turned")
        return changed, changed

    monkeypatch.setattr(grid, "load_inputs", turned)
    again = {r["protocol"]["fold"]: r for r in choose(with_noise(base, tmp_path), inner=2)}
    before = {r["protocol"]["fold"]: r for r in chosen[1]}
    assert again[who]["choice"]["scores"] == before[who]["choice"]["scores"]
    assert again[who]["selection"] == before[who]["selection"]
    assert again[who]["test"]["labels"] != before[who]["test"]["labels"]
    others = [f for f in before if f != who]
    assert any(again[f]["choice"]["scores"] != before[f]["choice"]["scores"] for f in others)


def test_the_same_command_trains_nothing_twice_and_another_choice_is_refused(
    base, chosen, monkeypatch
):
    import ser.experiments.grid as grid

    def never(*given, **more):
        raise AssertionError("trained again")

    out, records = chosen
    with monkeypatch.context() as patch:
        patch.setattr(grid, "execute", never)
        assert [r["choice"] for r in choose(with_noise(base, out), 2)] == [
            r["choice"] for r in records
        ]
    with pytest.raises(RecordError, match="a choice among other options is here"):
        choose(with_noise(base, out), inner=3)


def test_inner_runs_that_do_not_say_their_fold_are_refused_by_name(base, tmp_path, monkeypatch):
    import ser.experiments.choice as choice

    def earlier(config):
        return [{"protocol": {"fold": "S00 / 1"}}]

    monkeypatch.setattr(choice, "run", earlier)
    with pytest.raises(RecordError, match=r"work/choice/inner/noise: an inner run .*run the same"):
        choose(with_noise(base, tmp_path), inner=2)


def test_after_an_interruption_only_the_rest_is_trained(base, chosen, tmp_path, monkeypatch):
    import ser.experiments.grid as grid

    execute, done = grid.execute, []

    def some(fold_run, *given):
        if len(done) == 11:
            raise KeyboardInterrupt
        done.append(str(fold_run))
        return execute(fold_run, *given)

    monkeypatch.setattr(grid, "execute", some)
    with pytest.raises(KeyboardInterrupt):
        choose(with_noise(base, tmp_path), inner=2)
    first = list(done)
    done.clear()
    monkeypatch.setattr(grid, "execute", lambda *a: done.append(str(a[0])) or execute(*a))
    records = choose(with_noise(base, tmp_path), inner=2)
    assert len(first) + len(done) == 2 * 4 * 2 + 4
    assert [r["choice"] for r in records] == [r["choice"] for r in chosen[1]]


def test_a_branch_that_several_options_average_is_trained_once(base, tmp_path, monkeypatch):
    import ser.experiments.grid as grid

    execute, done = grid.execute, []
    monkeypatch.setattr(grid, "execute", lambda *a: done.append(str(a[0])) or execute(*a))
    rows = {"level": "level-lr", "both": "level-lr+duration-lr", "duration": "duration-lr"}
    options = {k: replace(base, models=(row,), out=tmp_path) for k, row in rows.items()}
    records = choose(options, inner=2)
    inner = [name for name in done if " / " in name]
    assert len(set(inner)) == len(inner) == 2 * 4 * 2
    assert {s["option"] for s in records[0]["choice"]["scores"]} == set(options)
    assert len({s["ua"] for s in records[0]["choice"]["scores"]}) > 1


def test_the_report_shows_every_option_and_how_often_it_was_chosen(chosen, capsys):
    out, _ = chosen
    assert main(["report", str(out)]) == 0
    told = capsys.readouterr().out
    assert "chosen: in each fold the best of these options on its training side" in told
    lines = [line.split() for line in told.splitlines()]
    assert ["noise", "25.0", "25.0", "25.0", "0", "of", "4"] in lines
    assert any(line[:1] == ["level"] and line[-3:] == ["4", "of", "4"] for line in lines)
    report = make_report(out)
    assert list(report.table.model) == [CHOSEN] and report.table.folds[0] == 4
    options = json.loads(report.to_json())["rows"][0]["choice"]["options"]
    assert [(o["option"], o["chosen"]) for o in options] == [("noise", 0), ("level", 4)]


def test_options_that_know_different_things_of_a_speaker_are_not_mixed(base, tmp_path):
    level = replace(base, models=("egemaps-lr",), out=tmp_path)
    for one, other in (("none", "speaker"), ("enrol:1", "enrol:2"), ("running", "train")):
        options = {
            rule.replace(":", ""): replace(level, train=TrainConfig(normalise=rule))
            for rule in (one, other)
        }
        with pytest.raises(ProtocolError, match="choose within each rule"):
            choose(options)
    plus = {"a": level, "b": replace(level, models=("egemaps-lr+",))}
    with pytest.raises(ProtocolError, match=r"inductive: a; speaker: b"):
        choose(plus)
    two = {"a": level, "b": replace(level, models=("majority",))}
    for change, match in (
        ({"protocol": "random"}, "heard in training"),
        ({"select": ("last", "test")}, "--select last"),
        ({"models": ("majority", "level-lr")}, "an option is one row"),
        ({"out": None}, "give out"),
    ):
        with pytest.raises(ProtocolError, match=match):
            choose({k: replace(c, **change) for k, c in two.items()})
    with pytest.raises(ProtocolError, match="two options or more"):
        choose({"a": level})
    with pytest.raises(ProtocolError, match="1 inner folds"):
        choose(two, inner=1)


FILE = """
[wide]
model = "mfcc-lstm"
hidden = 6

[narrow]
model = "mfcc-lstm"
hidden = 2
clip-z = 3.0
normalise = "train"
"""


def test_the_command_reads_options_trains_them_and_keeps_the_chosen_network(
    tiny_root, base, tmp_path, capsys
):
    options = tmp_path / "options.toml"
    options.write_text(FILE)
    out = tmp_path / "out"
    words = ["run", "--root", str(tiny_root), "--protocol", "speakers", "--folds", "2"]
    words += ["--epochs", "1", "--batch-size", "16", "--jobs", "1", "--threads", "1", "--quiet"]
    words += ["--cache", base.cache, "--seeds", "2", "--choose", str(options), "--inner", "2"]
    assert main([*words, "--out", str(out)]) == 0
    assert "2 seeds" in capsys.readouterr().out
    records = stored_records(out)
    assert len(records) == 4  # two folds, two seeds
    for (_, name), record in records.items():
        won = {"wide": 6, "narrow": 2}[record["choice"]["chosen"]]
        model = load_model(out / "models" / CHOSEN / name, "cpu")
        assert model.branches["mfcc-lstm"].lstm.hidden_size == won
        assert record["command"].startswith("ser run --root")
        assert {s["option"] for s in record["choice"]["scores"]} == {"wide", "narrow"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[a]\nmodel = "level-lr"\nprotocol = "loso"', r"\[a\]: protocol is the same for all"),
        ('[a]\nmodle = "level-lr"', r"\[a\]: unrecognized arguments: --modle=level-lr"),
        ('[a]\nmodel = "level-lr"\nepochs = 0', r"\[a\]: cannot train with epochs = 0"),
        ('model = "level-lr"', "model is no option; write its name in brackets"),
        ("[a", "not TOML"),
        ('["a/b"]\nmodel = "level-lr"\n[c]\nmodel = "majority"', "name an option by letters"),
    ],
)
def test_a_file_of_options_that_cannot_be_is_told(tmp_path, capsys, text, told):
    import re

    file = tmp_path / "options.toml"
    file.write_text(text)
    assert main(["run", "--protocol", "loso", "--choose", str(file), "--out", str(tmp_path)]) == 2
    heard = capsys.readouterr().err
    assert re.search(told, heard)


def test_across_corpora_the_training_corpus_chooses(base, tmp_path):
    other = {"protocol": "cross", "test_corpus": "synthetic", "test_root": base.root}
    options = {k: replace(c, **other) for k, c in with_noise(base, tmp_path).items()}
    (record,) = choose(options, inner=2)
    assert record["choice"]["chosen"] == "level"
    assert record["choice"]["inner"] == "2 inner folds by speaker"
    assert record["test_corpus"]["name"] == "synthetic"


def test_a_training_side_of_one_speaker_has_nobody_to_choose_by(base):
    from ser.corpora import load_corpus

    table = load_corpus("synthetic", base.root).table
    two = table[table.speaker.isin(sorted(set(table.speaker))[:2])].reset_index(drop=True)
    with pytest.raises(ProtocolError, match="trains on one speaker"):
        inner_split(split(two, "loso")[0], two, 3)
