"""Other corpora on the training side (--also): never tested, told apart, recorded, no copies."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import soundfile

from ser import RunConfig, load_corpus, run
from ser.errors import CorpusError, ProtocolError
from ser.experiments.grid import plan
from ser.experiments.grid_inputs import load_inputs
from ser.training import TrainConfig


@pytest.fixture
def other(tiny_root, tmp_path):
    """A manifest of the built-in corpus's utterances at half the level, by the same names."""
    table = load_corpus("synthetic", tiny_root).table
    for number, path in enumerate(table.path):
        wave, rate = soundfile.read(path)
        soundfile.write(tmp_path / f"{number}.wav", wave / 2, rate)
    rows = {"path": [f"{n}.wav" for n in range(len(table))], "emotion": table.emotion.tolist(),
            "speaker": table.speaker.tolist()}  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "mine.csv", index=False)
    return tmp_path / "mine.csv"


def made_config(tiny_root, tmp_path, **more) -> RunConfig:
    settings = TrainConfig(epochs=1, batch_size=16, hidden=8, normalise=more.pop("rule", "none"))
    given = {"models": ("level-lr",), "protocol": "loso", "select": ("last",), "progress": False}
    given |= {"cache": str(tmp_path / "cache"), "jobs": 1, "threads": 1, "train": settings}
    return RunConfig(root=str(tiny_root), **given | more)


def test_the_other_corpus_trains_in_every_fold_and_is_never_tested(tiny_root, tmp_path, other):
    alone = made_config(tiny_root, tmp_path, select=("dev",))
    mixed = replace(alone, also=(f"manifest={other}",))
    plain, both = (load_inputs(c, {"level-lr"}) for c in (alone, mixed))
    own = len(plain[0].table)
    assert len(both[0].table) == 2 * own and both[0] is both[1]
    assert both[0].content_hash == plain[0].content_hash
    for before, after in zip(plan(alone, *plain)[0], plan(mixed, *both)[0], strict=True):
        assert after.fold.train.tolist() == [*before.fold.train, *range(own, 2 * own)]
        for side in ("dev", "test"):
            assert np.array_equal(getattr(after.fold, side), getattr(before.fold, side))
        assert after.fold.hash != before.fold.hash
        assert after.settings(*both) != before.settings(*plain)
        assert after.leak["speakers"] == 0 and after.leak["audio"] == 0
    nested = plan(replace(mixed, select=("last",), inner=2), *both)[0]
    assert all(max(r.fold.test) < own <= max(r.fold.train) for r in nested)
    table = both[0].table
    assert table.utterance.is_unique
    assert set(table.speaker[own:]) == {f"manifest/{s}" for s in table.speaker[:own]}
    assert np.array_equal(both[0].values["level"][:own], plain[0].values["level"])
    assert len(both[0].samples) == len(both[0].keys) == 2 * own


def test_networks_and_classifiers_run_and_the_record_says_so(tiny_root, tmp_path, other):
    config = made_config(tiny_root, tmp_path, models=("mfcc-lstm", "level-lr"), protocol="random",
                         folds=2, also=(f"manifest={other}",), rule="speaker",
                         keep_models=False)  # fmt: skip
    records = run(config)
    without = run(replace(config, also=()))
    assert len(records) == 4
    for record, plain in zip(records, without, strict=True):
        (facts,) = record["protocol"]["also"]
        own = record["corpus"]["utterances"]
        assert facts["name"] == "manifest" and facts["utterances"] == own
        assert record["config"]["also"] == ["manifest"]
        assert record["protocol"]["train"] == plain["protocol"]["train"] + own
        assert record["test"] == plain["test"]
        assert record["fingerprint"] != plain["fingerprint"]
        assert "also" not in plain["protocol"] and "also" not in plain["config"]


def test_each_corpus_is_normalised_and_enrolled_by_its_own_speakers(tiny_root, tmp_path, other):
    config = made_config(tiny_root, tmp_path, models=("mfcc-lstm",), rule="enrol:1",
                         also=(f"manifest={other}",))  # fmt: skip
    inputs = load_inputs(config, {"mfcc-lstm"})
    corpus, own = inputs[0], len(load_corpus("synthetic", tiny_root).table)
    for fold_run in plan(config, *inputs)[0]:
        drawn = fold_run.enrolled
        assert any(name.startswith("manifest/") for name in drawn)
        for name, rows in drawn.items():
            assert set(corpus.table.speaker.iloc[rows]) == {name}
            assert (np.array(rows) >= own).all() == name.startswith("manifest/")
        heard = {i for rows in drawn.values() for i in rows}
        assert not heard & {*fold_run.fold.train, *fold_run.fold.test}
    alone = load_inputs(replace(config, also=()), {"mfcc-lstm"})[0]
    assert np.array_equal(corpus.features.mfcc(3), alone.features.mfcc(3))
    place = corpus.table.path.astype(str).str.endswith("/3.wav").to_numpy()
    quiet = corpus.features.mfcc(int(np.flatnonzero(place)[0]))  # row 3 at half the level
    np.testing.assert_allclose(
        quiet[:, 12], alone.features.mfcc(3)[:, 12] - 2 * np.log(2), atol=0.2
    )


def test_what_cannot_join_is_refused(tiny_root, tmp_path, other):
    config = made_config(tiny_root, tmp_path, also=(f"manifest={other}",))
    shutil.copy(load_corpus("synthetic", tiny_root).table.path.iloc[2], other.parent / "5.wav")
    with pytest.raises(ProtocolError, match="1 of its recordings are in synthetic too"):
        run(config)
    with pytest.raises(ProtocolError, match="trained on"):
        run(replace(config, also=(f"synthetic={tiny_root}",)))
    with pytest.raises(CorpusError, match="twice"):
        run(replace(config, also=("nemo=a", "nemo=b")))
    with pytest.raises(CorpusError, match="unknown corpus 'nemmo'"):
        run(replace(config, also=("nemmo=here",)))
