"""Who normalises: training side, utterance, what was heard so far, K calm utterances, speaker."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from ser.cli import main
from ser.enrolment import enrol, without_enrolled
from ser.errors import ModelError, ProtocolError, TrainingError
from ser.experiments import RunConfig, run
from ser.experiments.record_folder import stored_records
from ser.experiments.record_schema import check_record
from ser.experiments.records import normaliser_of
from ser.features.utterance_values import normalised_values
from ser.normalise import measure, normalised
from ser.protocols import split
from ser.rows import get_row
from ser.training import TrainConfig

QUICK = TrainConfig(epochs=1, batch_size=8, hidden=4)


def fake(count: int = 4) -> SimpleNamespace:
    random = np.random.default_rng(0)
    mfcc = [random.normal(i, 1 + i, (20 + 5 * i, 39)) for i in range(count)]
    prosody = [random.normal(10 * i, 2, (18 + 5 * i, 25)) for i in range(count)]
    for rows in prosody:
        rows[::2, 10:] = np.nan
    return SimpleNamespace(mfcc=mfcc.__getitem__, prosody=prosody.__getitem__, preset="p")


def table(calm: int = 4) -> pd.DataFrame:
    rows = [
        {"utterance": f"{who}-{emotion}{i}", "speaker": who, "emotion": emotion, "session": ""}
        for who in "ABC"
        for emotion in ("angry", "happy", "neutral", "sad")
        for i in range(calm)
    ]
    return pd.DataFrame(rows)


def test_numbers_that_are_not_there_count_nowhere_and_become_the_mean():
    features = fake()
    mean, deviation = measure(features, [1, 2], {"prosody"})["prosody"]
    heard = np.concatenate([features.prosody(1), features.prosody(2)])
    assert np.allclose(mean, np.nanmean(heard, 0), atol=1e-5)
    assert np.allclose(deviation, np.nanstd(heard, 0), atol=1e-4)
    seen = normalised(features, "utterance", {"prosody"}).prosody(1)
    assert seen.dtype == np.float32 and (seen[::2, 10:] == 0).all()
    assert np.allclose(np.delete(seen, np.s_[::2], 0)[:, 10:].mean(0), 0, atol=1e-5)


def test_a_voice_that_is_never_there_leaves_zeros():
    rows = np.full((5, 25), np.nan)
    one = SimpleNamespace(prosody=lambda i: rows, preset=None)
    assert (normalised(one, "utterance", {"prosody"}).prosody(0) == 0).all()


def test_enrolled_speakers_are_normalised_by_those_utterances_alone():
    features = fake()
    seen = normalised(
        features, "enrol:1", {"mfcc"}, [1, 3], ["a", "b"], enrolled={"a": [0], "b": [2]}
    )
    for row, calm in ((1, 0), (3, 2)):
        mean, deviation = measure(features, [calm], {"mfcc"})["mfcc"]
        assert np.allclose(seen.mfcc(row), (features.mfcc(row) - mean) / deviation, atol=1e-4)


def test_running_is_causal_and_begins_with_the_training_side():
    features, rows, who = fake(), [0, 1, 2, 3], ["a", "a", "a", "b"]
    scale = measure(features, rows, {"mfcc"})
    given = {"scale": scale, "names": list("wxyz"), "seed": 5}
    before = normalised(features, "running", {"mfcc"}, rows, who, **given)
    # what is heard last changes nothing of what was said before
    from ser.normalise import drawn

    order = [i for i in drawn(list("wxyz"), 5) if who[i] == "a"]
    changed = [features.mfcc(i) for i in rows]
    changed[order[-1]] = changed[order[-1]] * 9 + 100
    other = SimpleNamespace(mfcc=changed.__getitem__, preset="p")
    after = normalised(other, "running", {"mfcc"}, rows, who, **given)
    for row in order[:-1]:
        assert np.array_equal(before.mfcc(row), after.mfcc(row))
    assert not np.array_equal(before.mfcc(order[-1]), after.mfcc(order[-1]))
    # the first is normalised by the mean of its own mean and the training side's
    first = order[0]
    mean = (scale["mfcc"][0] + features.mfcc(first).mean(0)) / 2
    seen = before.mfcc(first)
    assert np.allclose(seen.mean(0) * seen.std(0) ** 0 > 0, features.mfcc(first).mean(0) > mean)


def test_functionals_by_each_rule():
    values = np.random.default_rng(1).normal(5, 2, (6, 3))
    who, names = list("aaabbb"), list("uvwxyz")
    given = {"mean": values.mean(0), "names": names, "enrolled": {"a": [0], "b": [3]}}
    rows = np.array([1, 2, 4, 5])
    centred = normalised_values(values, "enrol:1", rows, who, **given)
    assert np.allclose(centred, values[rows] - values[[0, 0, 3, 3]])
    by = normalised_values(values, "speaker", np.arange(6), who, **given)
    assert np.allclose(by[:3].mean(0), 0) and np.allclose(by[:3].std(0), 1)
    for rule in ("none", "train", "utterance"):
        assert np.array_equal(normalised_values(values, rule, rows, who, **given), values[rows])
    running = normalised_values(values, "running", rows, who, seed=1, **given)
    later = values.copy()
    order = (
        [2, 1]
        if not np.allclose(running[0], values[1] - (values.mean(0) + values[1]) / 2)
        else [1, 2]
    )
    later[order[1]] += 50
    again = normalised_values(later, "running", rows, who, seed=1, **given)
    assert np.allclose(again[order[0] - 1], running[order[0] - 1]), "the first hears no later one"
    assert not np.allclose(again[order[1] - 1], running[order[1] - 1])


def test_one_utterance_of_a_speaker_and_a_constant_number_become_zero():
    values = np.array([[1.0, 7.0], [3.0, 7.0], [5.0, 2.0]])
    given = {"mean": values.mean(0), "names": list("xyz")}
    found = normalised_values(values, "speaker", np.arange(3), list("aab"), **given)
    assert found.tolist() == [[-1, 0], [1, 0], [0, 0]]


def test_the_draw_is_of_neutral_utterances_and_depends_on_names_and_seed():
    one = table()
    drawn = enrol(one, 3, seed=0)
    assert set(drawn) == set("ABC") and all(len(set(rows)) == 3 for rows in drawn.values())
    for speaker, rows in drawn.items():
        assert set(one.emotion[rows]) == {"neutral"} and set(one.speaker[rows]) == {speaker}
    shuffled = one.sample(frac=1, random_state=1).reset_index(drop=True)
    again = enrol(shuffled, 3, seed=0)
    for speaker in "ABC":
        assert set(shuffled.utterance[again[speaker]]) == set(one.utterance[drawn[speaker]])
    assert any(enrol(one, 3, seed=s) != drawn for s in range(1, 4))
    assert [enrol(one, 1)[w] == drawn[w][:1] for w in "ABC"] == [True] * 3


def test_speakers_with_too_few_calm_utterances_are_named():
    one = table()
    one = one[~one.utterance.isin(["B-neutral0"])].reset_index(drop=True)
    with pytest.raises(ProtocolError, match=r"1 of 3 speakers have fewer than 4: 'B' \(3\)"):
        enrol(one, 3)
    enrol(one, 2)
    with pytest.raises(ProtocolError, match=r"Take fewer \(--normalise enrol:2\), or leave"):
        enrol(one, 3)
    with pytest.raises(ProtocolError, match="Take another rule, or leave"):
        enrol(one[(one.emotion != "neutral") | (one.speaker != "A")].reset_index(drop=True), 1)
    with pytest.raises(ProtocolError, match="neutral is none of the emotions here"):
        enrol(one[one.emotion != "neutral"].reset_index(drop=True), 1)


def test_enrolled_utterances_and_their_doubles_are_on_no_side():
    one = table()
    drawn = sorted(i for rows in enrol(one, 2).values() for i in rows)
    keys = [f"k{i}" for i in range(len(one))]
    double = next(i for i in range(len(one)) if one.emotion[i] == "sad")
    keys[double] = keys[drawn[0]]
    for fold in split(one, "loso", dev=0.5):
        side = SimpleNamespace(table=one, keys=keys)
        left = without_enrolled(fold, {keys[i] for i in drawn}, side, side)
        sides = [set(part.tolist()) for part in (left.train, left.dev, left.test)]
        assert set.union(*sides) == set(range(len(one))) - set(drawn) - {double}
        assert left.hash != fold.hash and left.name == fold.name


@pytest.mark.parametrize(
    "rule", ["enrol", "enrol:0", "enrol:03", "enrol:\u0663", "enrol:K", "enrol:x", "speakers"]
)
def test_rules_that_there_are_not(rule):
    with pytest.raises(TrainingError, match="running, enrol:K, speaker"):
        replace(QUICK, normalise=rule)


@pytest.fixture(scope="module")
def base(tiny_root, tmp_path_factory) -> RunConfig:
    pytest.importorskip("opensmile")
    cache = str(tmp_path_factory.mktemp("cache"))
    return RunConfig(root=str(tiny_root), folds=2, train=QUICK, jobs=1, threads=1, progress=False,
                     keep_models=False, cache=cache, select=("last",), protocol="loso")  # fmt: skip


def test_enrolment_from_run_to_report(base, tmp_path, capsys):
    rows = ("prosody-lstm", "egemaps-lr", "prosody-lstm+egemaps-lr")
    out = tmp_path / "out"
    records = run(
        replace(base, models=rows, out=out, train=replace(QUICK, normalise="enrol:1"), seeds=(0, 1))
    )
    assert len(records) == 4 * (2 + 1 + 2)
    for record in records:
        check_record(record)
        drawn = record["protocol"]["enrolled"]
        assert len(drawn) == 1 and not set(drawn) & set(record["test"]["utterances"])
        assert record["normaliser"] == record["config"]["normalise"] == "enrol:1"
        assert len(record["test"]["labels"]) == 11 and record["protocol"]["train"] == 33
        assert not record["transductive"]
    by = {(r["model"], r["protocol"]["fold"], r["seed"]): r for r in records}
    fused = next(r for r in records if r["model"] == rows[2] and r["seed"] == 1)
    fold = fused["protocol"]["fold"]
    shares = []
    for part in (by[rows[0], fold, 1], by[rows[1], fold, 0]):
        powers = np.exp(np.array(part["selection"]["last"]["logits"]))
        shares.append(powers / powers.sum(1, keepdims=True))
    fused_shares = np.exp(np.array(fused["selection"]["last"]["logits"]))
    assert np.allclose(fused_shares, np.mean(shares, 0), atol=1e-4)
    before = (out / "records.parquet").stat().st_mtime_ns
    again = run(
        replace(base, models=rows, out=out, train=replace(QUICK, normalise="enrol:1"), seeds=(0, 1))
    )
    assert len(again) == len(records) and (out / "records.parquet").stat().st_mtime_ns == before
    assert len(stored_records(out)) == len(records)
    assert main(["report", str(out)]) == 0
    told = capsys.readouterr().out
    assert "prosody-lstm (E 1)" in told and "egemaps-lr (E 1)" in told
    assert "neither trained on nor tested" in told
    assert "enrol:1: 44 utterances tested" in " ".join(told.split())


def test_a_sum_is_of_the_networks_seed_wherever_it_stands_and_of_none_without_one(base):
    rows = ("egemaps-lr+prosody-lstm", "egemaps-lr+level-lr")
    records = run(replace(base, models=rows, protocol="speakers", seeds=(3, 5)))
    first, second = ([r for r in records if r["model"] == row] for row in rows)
    assert sorted(r["seed"] for r in first) == [3, 3, 5, 5]
    assert [r["seed"] for r in second] == [3, 3], "nothing in it depends on a seed"


def test_each_rule_is_a_fact_of_its_record(base):
    told = {}
    for rule in ("none", "utterance", "running", "speaker"):
        config = replace(base, models=("prosody-lstm", "egemaps-lr"), protocol="speakers",
                         train=replace(QUICK, normalise=rule))  # fmt: skip
        for record in run(config):
            told[rule, record["model"]] = record["normaliser"], record["transductive"]
            assert "enrolled" not in record["protocol"]
    assert told["none", "prosody-lstm"] == ("train", False), "prosody has units of its own"
    assert told["none", "egemaps-lr"] == told["utterance", "egemaps-lr"] == ("train", False)
    assert told["utterance", "prosody-lstm"] == ("utterance", False)
    for row in ("prosody-lstm", "egemaps-lr"):
        assert told["running", row] == ("running", False)
        assert told["speaker", row] == ("speaker", True)


def test_records_from_before_the_fact_tell_it_by_their_settings(base, tmp_path):
    records = run(replace(base, models=("egemaps-lr+", "majority"), protocol="speakers"))
    old = [{k: v for k, v in r.items() if k != "normaliser"} for r in records]
    for record in old:
        check_record(record)
    assert {normaliser_of(r) for r in old} == {"speaker", "none"}
    from ser.experiments.record_table import RecordFile, write_table

    write_table(tmp_path / "records.parquet", old)
    assert [r.get("normaliser", "") for r in RecordFile(tmp_path / "records.parquet").records] == [
        "" for _ in old
    ]


def test_two_views_one_memory_and_three_branches(base):
    train = TrainConfig.named("small", epochs=1, hidden=4, batch_size=8)
    records = run(
        replace(base, models=("ds-lstm-prosody", "triple"), protocol="speakers", train=train)
    )
    assert {r["model"] for r in records} == {"ds-lstm-prosody", "triple"}
    settings = records[0]["config"]
    for name in ("stride", "recurrent_dropout", "schedule", "label_smoothing", "pooling"):
        assert settings[name] == getattr(train, name), "a field of the record each"
    assert records[-1]["normaliser"] == "none, train"
    assert get_row("triple").branches == ("mfcc-lstm", "ds-lstm", "prosody-lstm")


def test_calm_recordings_tell_a_model_the_voice(base, tiny_root, tmp_path, capsys):
    from ser.corpora import load_corpus
    from ser.enrolled_model import model_for
    from ser.loading import load_model
    from ser.prediction import AGAIN, predict

    out = tmp_path / "out"
    for rule in ("enrol:1", "train"):
        run(replace(base, models=("prosody-lstm",), protocol="speakers", out=out / rule[:5],
                    keep_models=True, train=replace(QUICK, normalise=rule)))  # fmt: skip
    model = load_model(out / "enrol" / "models" / "prosody-lstm" / "speakers-release-1-seed0")
    one = load_corpus("synthetic", str(tiny_root)).table
    paths = one[one.speaker == one.speaker[0]]
    calm = paths[paths.emotion == "neutral"].path.tolist()
    path = paths[paths.emotion == "angry"].path.iloc[0]
    with pytest.raises(ModelError, match=r"give 1 of the one who speaks, --neutral"):
        predict(path, model)
    first = predict(path, model, calm[:1]).probabilities
    assert first == predict(path, model_for(model, calm[:1])).probabilities
    assert first != predict(path, model, calm[1:2]).probabilities
    assert first == predict(path, model, calm[0]).probabilities  # one, not its letters
    assert AGAIN in predict(calm[0], model, calm[:1]).remarks
    assert AGAIN not in predict(path, model, calm[:1]).remarks
    with pytest.raises(ModelError, match="silence tells no voice"):
        predict(path, model, [np.zeros(32000, np.float32)])
    with pytest.raises(ModelError, match="the same sound"):
        model_for(model, [calm[0], calm[0]])
    checkpoint = str(out / "enrol" / "models" / "prosody-lstm" / "speakers-release-1-seed0")
    assert main(["predict", path, "--neutral", calm[0], "--checkpoint", checkpoint]) == 0
    assert f"{100 * first['angry']:5.1f} %" in capsys.readouterr().out
    other = str(out / "train" / "models" / "prosody-lstm" / "speakers-release-1-seed0")
    assert main(["predict", path, "--neutral", calm[0], "--checkpoint", other]) == 2
    assert "has not learnt to be told a voice" in capsys.readouterr().err
