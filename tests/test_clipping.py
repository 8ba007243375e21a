"""Numbers far beyond what training has shown: set to so many deviations, chosen or given."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ser.audio import load_audio
from ser.cli import main
from ser.corpora import load_corpus
from ser.errors import SerError
from ser.experiments import RunConfig, run
from ser.experiments.baselines import CLIPS, baseline_logits, tune
from ser.loading import load_model
from ser.metrics import ua
from ser.nn.exported import standardised
from ser.normalise import measure, normalised
from ser.prediction import branch_logits
from ser.training import TrainConfig
from tests.test_recipe import fake, together

NEEDS = {"mfcc", "s1", "s2"}


def wild(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eight speakers, four classes; one number in 200 is 30 times as large as it should be."""
    rng = np.random.default_rng(seed)
    labels, speakers = np.tile([0, 1, 2, 3], 60), np.repeat([f"s{i}" for i in range(8)], 30)
    values = np.eye(4)[labels] @ rng.normal(size=(4, 20)) + rng.normal(size=(240, 20))
    values[rng.random(values.shape) < 0.005] *= 30
    return values, labels, speakers


def test_frames_beyond_the_clip_are_set_to_it_and_all_others_stay():
    features, rows, who = fake(), [0, 1, 2, 3], ["A", "A", "B", "B"]
    scale = measure(features, rows, NEEDS)
    for rule in ("train", "utterance", "running", "speaker"):
        given = {"rows": rows, "speakers": who, "scale": scale}
        free = together(normalised(features, rule, NEEDS, **given), rows)
        held = together(normalised(features, rule, NEEDS, **given, clip_z=1.5), rows)
        for a, b in zip(free, held, strict=True):
            assert np.abs(a).max() > 1.5 and np.array_equal(a.clip(-1.5, 1.5), b)
    pair = [torch.from_numpy(values) for values in scale["mfcc"]]
    exported = standardised(torch.from_numpy(features.mfcc(0)), pair, clip_z=1.5)
    seen = normalised(features, "train", NEEDS, scale=scale, clip_z=1.5)
    assert np.allclose(exported.numpy(), seen.mfcc(0), atol=1e-5)


def test_a_chosen_clip_helps_where_numbers_are_wild_and_its_choice_is_told():
    (x, y, who), row = wild(), "egemaps-svm"
    test = np.isin(who, ["s0", "s1"])
    scores = {}
    for way in ("nested", "nested-robust"):
        found = tune(row, x[~test], y[~test], who[~test], tuning=way)
        logits, _ = baseline_logits(row, x[~test], y[~test], x[test], test.sum(), **found["chosen"])
        scores[way] = ua(y[test], logits.argmax(1)), found
    assert scores["nested-robust"][0] > scores["nested"][0] + 0.05
    chosen = scores["nested-robust"][1]
    assert chosen["chosen"]["clip_z"] in CLIPS[1:]
    assert "clip_z" not in scores["nested"][1]["chosen"]
    unclipped = [
        {k: v for k, v in s.items() if k != "clip_z"} for s in chosen["scores"] if not s["clip_z"]
    ]
    assert unclipped == scores["nested"][1]["scores"]
    assert len(chosen["scores"]) == len(CLIPS) * len(unclipped)


def test_a_fixed_clip_is_in_the_inner_folds_as_well():
    x, y, who = wild()
    free, held = (tune("egemaps-svm", x, y, who, clip_z=z)["scores"] for z in (0.0, 4.0))
    robust = tune("egemaps-svm", x, y, who, tuning="nested-robust")["scores"]
    assert held == [
        {k: v for k, v in s.items() if k != "clip_z"} for s in robust if s["clip_z"] == 4.0
    ]
    assert held != free


def test_where_nothing_is_wild_nothing_is_clipped():
    x = np.repeat(np.eye(4) * 50, 10, axis=0)
    y, who = np.repeat([0, 1, 2, 3], 10), np.tile(list("ABCDE"), 8)
    assert tune("egemaps-svm", x, y, who, tuning="nested-robust")["chosen"]["clip_z"] == 0


@pytest.fixture(scope="module")
def base(tiny_root, tmp_path_factory) -> RunConfig:
    cache = str(tmp_path_factory.mktemp("cache"))
    return RunConfig(root=str(tiny_root), protocol="random", folds=2, jobs=1, threads=1,
                     progress=False, cache=cache)  # fmt: skip


def test_a_network_is_saved_with_its_clip_and_answers_as_it_was_tested(base, tmp_path, tiny_root):
    settings = TrainConfig(epochs=1, batch_size=16, hidden=8, normalise="train", clip_z=0.7)
    config = replace(base, models=("mfcc-lstm",), train=settings, out=tmp_path)
    record = run(config)[0]
    assert record["config"]["clip_z"] == 0.7
    model = load_model(tmp_path / "models" / "mfcc-lstm" / "random-release-1-seed0", "cpu")
    assert model.clip_z == 0.7
    table = load_corpus("synthetic", tiny_root).table.set_index("utterance")
    name, expected = record["test"]["utterances"][0], record["selection"]["last"]["logits"][0]
    wave = load_audio(table.loc[name].path)
    with torch.no_grad():
        heard = branch_logits(wave, model, "mfcc-lstm", name).numpy()
        other = branch_logits(wave, replace(model, clip_z=0.0), "mfcc-lstm", name).numpy()
    assert np.allclose(heard, expected, atol=1e-3) and not np.allclose(other, expected, atol=1e-3)


def test_records_tell_the_clip_and_at_its_default_nothing_changes(base, tmp_path, capsys):
    assert "clip_z" not in TrainConfig().as_dict()
    config = replace(base, models=("duration-lr",), train=TrainConfig(epochs=1))
    plain = run(config)[0]
    assert "clip_z" not in plain["config"] and "clip_z" not in plain["tuning"]["chosen"]
    held = run(replace(config, train=TrainConfig(epochs=1, clip_z=2.0)))[0]
    assert held["config"]["clip_z"] == 2.0 and held["fingerprint"] != plain["fingerprint"]
    chosen = run(replace(config, baseline_tuning="nested-robust", out=tmp_path))
    assert chosen[0]["config"]["tuning"] == "nested-robust"
    assert {s["clip_z"] for s in chosen[0]["tuning"]["scores"]} == set(CLIPS)
    assert main(["report", str(tmp_path)]) == 0
    assert "numbers clipped " in capsys.readouterr().out


def test_what_cannot_be_clipped_is_told(base, capsys):
    with pytest.raises(SerError, match=r"--clip-z 4 counts in deviations.*--normalise train"):
        run(replace(base, models=("mfcc-lstm",), train=TrainConfig(clip_z=4)))
    with pytest.raises(SerError, match="give one"):
        replace(base, train=TrainConfig(clip_z=4), baseline_tuning="nested-robust")
    assert main(["run", "--clip-z", "-1"]) == 2
    assert "clip_z = -1.0" in capsys.readouterr().err


def test_the_functional_that_reaches_hundreds_of_deviations_is_a_quotient(shared):
    """EmoDB 11b03Fc: a mean of voiced MFCC 2 next to 0, by which its deviation is divided."""
    from ser.features.egemaps import egemaps, egemaps_names, installed

    if not installed():
        pytest.skip("needs opensmile")
    corpus = load_corpus("emodb", shared / "data" / "emodb")
    kept = corpus.table[corpus.table.utterance.isin(["11b03Fc", "11a01Nd", "11a02Fb"])]
    found = egemaps(replace(corpus, table=kept), progress=False)
    column = dict(zip(egemaps_names(), found.values.T, strict=True))
    odd = found.table.utterance.tolist().index("11b03Fc")
    assert abs(column["mfcc2V_sma3nz_amean"][odd]) < 0.01
    assert column["mfcc2V_sma3nz_stddevNorm"][odd] < -8000
    others = np.delete(column["mfcc2V_sma3nz_stddevNorm"], odd)
    assert len(others) and np.abs(others).max() < 100
