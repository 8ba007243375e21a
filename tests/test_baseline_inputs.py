"""Rows that are told one number only, labels that are shuffled, the plain LSTM over both inputs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
import torch
from chapters.shared.paired_questions import equal_size
from small_corpora import make_corpus

from ser.batch import Batch
from ser.cli import main
from ser.corpora.base import EMOTIONS, Corpus, make_table
from ser.errors import CorpusError, ModelError, ProtocolError, RecordError, TrainingError
from ser.experiments import RunConfig, execution, run
from ser.experiments.baselines import baseline_logits
from ser.features.utterance_values import SILENCE_DB, levels, log_seconds
from ser.metrics import bootstrap_interval, ua
from ser.models import build_model, count_parameters
from ser.report import load_records
from ser.training import TrainConfig

ROWS_OF_ONE_NUMBER = ("level-lr", "duration-lr")


@pytest.fixture(scope="module")
def base(tiny_root, tmp_path_factory) -> RunConfig:
    return RunConfig(
        root=str(tiny_root),
        models=ROWS_OF_ONE_NUMBER,
        protocol="loso",
        jobs=1,
        threads=1,
        progress=False,
        keep_models=False,
        cache=str(tmp_path_factory.mktemp("cache")),
    )


def pooled(records: list[dict]) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Labels, answers and speakers of all folds."""
    labels = np.concatenate([r["test"]["labels"] for r in records])
    logits = np.concatenate([r["selection"]["last"]["logits"] for r in records])
    return labels, logits.argmax(1), [s for r in records for s in r["test"]["speakers"]]


def test_levels_are_rms_in_decibels_and_cached(tmp_path, monkeypatch):
    rows = []
    sounds = {"a": np.full(8000, 0.1), "b": np.zeros(8000), "c": 0.5 * np.ones(16000)}
    for name, wave in sounds.items():
        path = tmp_path / f"{name}.wav"
        sf.write(path, wave, 16000, subtype="FLOAT")
        rows.append({"utterance": name, "path": str(path), "speaker": "1", "emotion": "sad",
                     "text": "NA", "seconds": len(wave) / 16000})  # fmt: skip
    table = make_table(rows)
    corpus = Corpus("made", tmp_path, table, table, "", "")
    found = levels(corpus, tmp_path / "cache", progress=False).values
    assert found.shape == (3, 1) and found.dtype == np.float32
    assert np.allclose(found[:, 0], [-20, SILENCE_DB, 20 * np.log10(0.5)], atol=1e-4)
    monkeypatch.setattr("ser.features.utterance_values._levels", None)
    assert np.array_equal(levels(corpus, tmp_path / "cache", progress=False).values, found)


def test_durations_are_finite_whatever_the_length():
    assert np.isfinite(log_seconds([0, 1, 10**9])).all()
    assert log_seconds([16000 * 3])[0, 0] == pytest.approx(np.log(3))


@pytest.mark.parametrize("row", ROWS_OF_ONE_NUMBER)
def test_one_number_that_tells_the_class_is_found_and_one_that_does_not_is_not(row):
    rng = np.random.default_rng(0)
    labels = np.arange(4).repeat(25)
    told = (10.0 * labels + rng.normal(size=100))[:, None]
    logits, parameters = baseline_logits(row, told, labels, told, 100)
    assert (logits.argmax(1) == labels).mean() > 0.9 and parameters == 8
    with pytest.raises(TrainingError, match=row.removesuffix("-lr")):
        baseline_logits(row, None, labels, None, 100)


def test_the_floors_run_on_a_corpus_and_duration_on_a_pack(base, tiny_root, tmp_path):
    from ser.corpora import load_corpus
    from ser.features import extract, save_pack

    records = run(base)
    assert {r["model"] for r in records} == set(ROWS_OF_ONE_NUMBER)
    assert all(r["parameters"] == 8 and r["device"] == "cpu" for r in records)
    features = extract(load_corpus("synthetic", tiny_root), cache=base.cache, progress=False)
    save_pack(features, tmp_path / "pack")
    packed = replace(base, features=str(tmp_path / "pack"), root=None)
    again = run(replace(packed, models=("duration-lr",)))
    assert [r["selection"] for r in again] == [
        r["selection"] for r in records if r["model"] == "duration-lr"
    ]
    with pytest.raises(CorpusError, match="no sound"):
        run(packed)


def test_silent_clips_do_not_stop_the_level_row(base, tmp_path, monkeypatch):
    corpus = make_corpus(tmp_path / "noises", 24)
    monkeypatch.setattr("ser.corpora.load_corpus", lambda *_: corpus)
    records = run(replace(base, models=("level-lr",), protocol="speakers", folds=2))
    assert all(np.isfinite(r["selection"]["last"]["logits"]).all() for r in records)


def test_permuted_labels_give_chance_and_true_ones_do_not(base):
    pytest.importorskip("opensmile")
    config = replace(base, models=("egemaps-lr",))
    truth, answers, speakers = pooled(run(config))
    shuffled = [pooled(run(replace(config, permute=seed))) for seed in range(5)]
    assert all(np.array_equal(labels, truth) for labels, _, _ in shuffled)
    chance = np.array([a for _, a, _ in shuffled])
    low, high = bootstrap_interval(truth, chance, speakers)
    assert low <= 0.25 <= high and high < 0.45
    assert ua(truth, answers) > 0.6 and bootstrap_interval(truth, answers, speakers).low > high


def test_permuting_is_in_the_record_and_the_fingerprint_only_where_asked_for(base, tmp_path):
    config = replace(base, models=("duration-lr",))
    plain, shuffled = run(replace(config, out=tmp_path / "a")), run(replace(config, permute=0))
    for a, b in zip(plain, shuffled, strict=True):
        assert "permute" not in a["config"] and b["config"]["permute"] == 0
        assert a["fingerprint"] != b["fingerprint"] and a["test"] == b["test"]
    with pytest.raises(RecordError, match="other settings"):
        run(replace(config, permute=0, out=tmp_path / "a"))


def test_a_network_is_told_shuffled_labels_on_both_training_sides(base, tmp_path):
    train = TrainConfig(epochs=1, batch_size=16, hidden=4)
    config = replace(
        base, models=("mfcc-lstm",), protocol="speakers", folds=2, train=train, dev=0.5,
        select=("last", "dev"), keep_models=True,
    )  # fmt: skip
    plain = run(replace(config, out=tmp_path / "plain"))
    shuffled = run(replace(config, permute=3, out=tmp_path / "shuffled"))
    assert not (tmp_path / "shuffled" / "models").exists()
    for a, b in zip(plain, shuffled, strict=True):
        assert a["test"] == b["test"] and b["config"]["permute"] == 3
        assert len(a["dev_labels"]) == len(b["dev_labels"]) and a["dev_labels"] != b["dev_labels"]
        assert a["selection"]["last"]["logits"] != b["selection"]["last"]["logits"]


def test_training_labels_change_places_within_the_training_side_only(base, tiny_root):
    from ser.experiments.grid import plan
    from ser.experiments.grid_inputs import load_inputs

    config = replace(base, models=("majority",), permute=1, seeds=(0, 1), select=("last", "dev"))
    corpus, test = load_inputs(config, set())
    true = np.array([EMOTIONS.index(e) for e in corpus.table.emotion])
    tasks = [*plan(config, corpus, test)[0], *plan(replace(config, seeds=(1,)), corpus, test)[0]]
    told = [task.training_labels(corpus) for task in tasks]
    for task, labels in zip(tasks, told, strict=True):
        rows = np.concatenate([task.fold.train, task.fold.dev])
        assert np.array_equal(labels[task.fold.test], true[task.fold.test])
        assert (labels[rows] != true[rows]).any()
        assert np.array_equal(np.bincount(labels[rows]), np.bincount(true[rows]))
    assert len({labels.tobytes() for labels in told}) == len(told)


def test_baselines_can_leave_the_dev_set_to_the_networks(base, tmp_path, monkeypatch):
    """Then they are told the labels of the fold's training side, and no other."""
    from ser.experiments.grid import plan
    from ser.experiments.grid_inputs import load_inputs

    select = ("last", "dev")
    split = {"select": select, "dev": 0.5, "protocol": "speakers", "folds": 2}
    config = replace(base, models=("duration-lr",), **split)
    left = replace(config, leave_dev=True, out=tmp_path / "left")
    for a, b in zip(run(config), run(left), strict=True):
        assert a["protocol"] == b["protocol"] and a["test"] == b["test"]
        assert "leave_dev" not in a["config"] and b["config"]["leave_dev"] is True
        assert a["fingerprint"] != b["fingerprint"]
        assert a["selection"]["last"]["logits"] != b["selection"]["last"]["logits"]
    corpus, test = load_inputs(left, set())
    told, fit = [], execution.baseline_logits

    def look(row, x, labels, *more, **setting):
        told.append((len(x), labels.tolist()))
        return fit(row, x, labels, *more, **setting)

    monkeypatch.setattr(execution, "baseline_logits", look)
    for with_dev, leave in ((True, config), (False, replace(left, out=tmp_path / "again"))):
        told.clear()
        run(replace(leave, jobs=1))
        for task, (rows, labels) in zip(plan(leave, corpus, test)[0], told, strict=True):
            wanted = [*task.fold.train, *(task.fold.dev if with_dev else [])]
            assert rows == len(labels) == len(wanted) and len(task.fold.dev) > 0
            assert labels == task.training_labels(corpus)[wanted].tolist()
    mixed = replace(left, models=("mfcc-lstm", "duration-lr"))
    assert [t.leave_dev for t in plan(mixed, corpus, test)[0]] == [False] * 2 + [True] * 2
    with pytest.raises(ProtocolError, match="--select last,dev"):
        replace(left, select=("last",))
    with pytest.raises(ProtocolError, match="--dev 0 holds none out"):
        replace(left, dev=0.0)
    with pytest.raises(ModelError, match="no row asked for is one"):
        replace(left, models=("mfcc-lstm",))
    with pytest.raises(RecordError, match="other settings"):
        run(replace(config, out=tmp_path / "left"))


def test_the_command_line_knows_permuted_labels(tiny_root, tmp_path, capsys):
    command = ["run", "--root", str(tiny_root), "--model", "majority", "--folds", "2", "--quiet"]
    command += ["--permute-labels", "7", "--out", str(tmp_path / "out"), "--json"]
    assert main([*command, "--cache", str(tmp_path / "cache")]) == 0
    capsys.readouterr()
    for record in load_records(tmp_path / "out"):
        assert record.data["config"] == {"permute": 7}
        assert record.data["options"]["--permute-labels"] == "7"


@pytest.mark.parametrize("preset", ["release", "paper"])
def test_concat_lstm_has_the_size_it_is_said_to_have(preset):
    def size(row: str, hidden: int) -> int:
        return count_parameters(build_model(row, preset=preset, hidden=hidden))

    if preset == "release":
        assert size("concat-lstm", 200) == 1_705_092
    target = size("ds-lstm", 200)
    hidden = equal_size(lambda h: size("concat-lstm", h), target, high=600)
    assert hidden == {"release": 323, "paper": 295}[preset]
    assert abs(size("concat-lstm", hidden) / target - 1) < 0.002


def test_concat_lstm_ignores_padding_and_learns():
    torch.manual_seed(0)
    model = build_model("concat-lstm", hidden=8, seed=0).eval()
    s1, s2 = torch.randn(2, 128, 120), torch.randn(2, 256, 60)
    lengths = {"s1_lengths": torch.tensor([120, 80]), "s2_lengths": torch.tensor([60, 40])}
    padded = model(Batch(s1=s1, s2=s2, **lengths))
    alone = model(
        Batch(
            s1=s1[1:, :, :80],
            s2=s2[1:, :, :40],
            **{k: v[1:] for k, v in lengths.items()},
        )
    )
    torch.testing.assert_close(padded[1:], alone, rtol=1e-4, atol=1e-5)
    model.train()
    batch = Batch(s1=s1, s2=s2, labels=torch.tensor([0, 3]))
    optimiser, losses = torch.optim.Adam(model.parameters(), 1e-2), []
    for _ in range(15):
        optimiser.zero_grad()
        loss = model.loss(batch)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
