"""What may lift a network: each option does what it says, and nothing where it is off."""

from __future__ import annotations

import dataclasses
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ser import RunConfig, run
from ser.batch import Batch
from ser.errors import FeatureError, ModelError, TrainingError
from ser.features import mel_pair, mfcc39
from ser.loading import load_model
from ser.models import build_model, count_parameters
from ser.nn.time_pool import TimePool
from ser.normalise import Normalised, measure, normalised
from ser.paths import sealed
from ser.prediction import predict
from ser.rows import PLUS, ROWS, recipe_rows
from ser.training import TrainConfig, train
from ser.training.augment import ENERGY, WIDEST, Augmenter
from ser.training.optimiser import averaged

OPTIONS = {
    "normalise": "train",
    "spec_augment": 2,
    "level": 6.0,
    "speed": (0.9,),
    "mixup": 0.4,
    "dropout": 0.3,
    "pooling": "attention",
    "channels": (8, 4),
    "ema": 0.9,
}


def fake(seed: int = 0, count: int = 6) -> SimpleNamespace:
    """Features of utterances with different levels and lengths; the last one is silence."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(5, 30, count)
    mfcc = [rng.normal(3 * i, 2 + i, (n, 39)).astype(np.float32) for i, n in enumerate(frames)]
    pairs = [
        tuple(rng.normal(40 + i, 5, (m, n)).astype(np.float32) for m in (4, 8))
        for i, n in enumerate(frames)
    ]
    mfcc[-1][:], pairs[-1] = -1.0, tuple(np.full_like(s, -100) for s in pairs[-1])
    return SimpleNamespace(mfcc=mfcc.__getitem__, mel=pairs.__getitem__, preset="p")


NEEDS = {"mfcc", "s1", "s2"}


def together(features, rows) -> list[np.ndarray]:
    parts = [[features.mfcc(i).T, *features.mel(i)] for i in rows]
    return [np.concatenate(p, axis=1) for p in zip(*parts, strict=True)]


def standard(values: np.ndarray) -> bool:
    return np.allclose(values.mean(1), 0, atol=1e-3) and np.allclose(values.std(1), 1, atol=1e-3)


def test_every_rule_gives_its_own_group_mean_0_and_deviation_1():
    features, rows = fake(), [0, 1, 2, 3]
    speakers = ["A", "A", "B", "B"]
    scale = measure(features, rows, NEEDS)
    by_train = normalised(features, "train", NEEDS, rows, speakers, scale)
    assert all(standard(v) for v in together(by_train, rows))
    assert not any(standard(v) for v in together(by_train, [0]))
    by_speaker = normalised(features, "speaker", NEEDS, rows, speakers)
    assert all(standard(v) for pair in ([0, 1], [2, 3]) for v in together(by_speaker, pair))
    assert not any(standard(v) for v in together(by_speaker, [0]))
    one = normalised(features, "utterance", NEEDS, rows, speakers)
    assert all(standard(v) for i in rows for v in together(one, [i]))
    assert normalised(features, "none", NEEDS) is features


def test_another_speaker_does_not_change_what_a_speaker_becomes():
    features = fake()
    alone = normalised(features, "speaker", NEEDS, [0, 1], ["A", "A"])
    beside = normalised(features, "speaker", NEEDS, [0, 1, 2], ["A", "A", "B"])
    assert np.array_equal(alone.mfcc(0), beside.mfcc(0))
    with pytest.raises(KeyError):
        alone.mfcc(2)


def test_silence_becomes_zero_and_nothing_is_infinite():
    silent = normalised(fake(), "utterance", NEEDS)
    assert (silent.mfcc(5) == 0).all() and all((s == 0).all() for s in silent.mel(5))


def test_only_what_is_needed_is_measured():
    features = fake()
    features.mel = None
    seen = normalised(features, "utterance", {"mfcc"})
    assert isinstance(seen, Normalised) and standard(seen.mfcc(0).T)


def test_rules_that_cannot_be_followed():
    with pytest.raises(FeatureError, match="needs the training side"):
        normalised(fake(), "train", NEEDS)
    with pytest.raises(FeatureError, match="there are none, train, utterance, running"):
        normalised(fake(), "zscore", NEEDS)
    with pytest.raises(FeatureError, match="no utterance"):
        measure(fake(), [], NEEDS)


def made_batch(seed: int = 0) -> Batch:
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.tensor([40, 25, 33])
    mfcc = torch.randn(3, 40, 39, generator=draw)
    mfcc[torch.arange(40) >= lengths[:, None]] = 0
    s1, s2 = (60 + 9 * torch.randn(3, m, n, generator=draw) for m, n in ((20, 50), (40, 26)))
    return Batch(mfcc, lengths, s1, None, s2, None, torch.tensor([0, 2, 3]))


def test_masks_hide_a_little_by_the_mean_and_the_rest_is_as_it_was():
    batch = made_batch()
    config = TrainConfig(spec_augment=2)
    seen = 0
    for epoch in range(1, 30):
        changed = Augmenter(config, 0, epoch)(batch)
        for name in ("s1", "s2"):
            before, after = getattr(batch, name), getattr(changed, name)
            moved = before != after
            mean = before.mean(2, keepdim=True).expand_as(before)
            assert torch.allclose(after[moved], mean[moved], atol=1e-4)
            _, bands, frames = before.shape
            columns, rows = moved.all(1).sum(1), moved.all(2).sum(1)
            assert columns.max() <= 2 * (WIDEST * frames + 1)
            assert rows.max() <= 2 * (WIDEST * bands + 1)
            seen += int(moved.sum())
        moved = changed.mfcc != batch.mfcc
        assert not moved[torch.arange(40) >= batch.mfcc_lengths[:, None]].any()
        assert (moved.all(2) == moved.any(2)).all()
    assert seen > 0


@pytest.mark.parametrize("scaled", [False, True])
def test_level_equals_a_louder_recording(scaled):
    """Features of the scaled wave, and the scaled features, are the same."""
    rng = np.random.default_rng(0)
    wave = (0.05 * rng.standard_normal(16000)).astype(np.float32)
    scale = None
    if scaled:
        sizes = {"mfcc": 39, "s1": 128, "s2": 256}
        scale = {n: (np.zeros(k, np.float32), 2 + rng.random(k).astype(np.float32))
                 for n, k in sizes.items()}  # fmt: skip

    def batch(samples: np.ndarray) -> Batch:
        mfcc = mfcc39(samples)[None]
        s1, s2 = (s[None] for s in mel_pair(samples))
        if scaled:
            mfcc = mfcc / torch.from_numpy(scale["mfcc"][1])
            s1, s2 = (s / torch.from_numpy(scale[n][1])[:, None] for n, s in
                      (("s1", s1), ("s2", s2)))  # fmt: skip
        return Batch(mfcc, torch.tensor([mfcc.shape[1]]), s1, None, s2, None, torch.tensor([0]))

    augment = Augmenter(TrainConfig(level=6.0, normalise="train"), 3, 1, scale)
    louder = augment(batch(wave))
    one = scale["s1"][1][0] if scaled else 1.0
    gain = float((louder.s1 - batch(wave).s1)[0, 0, 5] * one)
    assert 0 < abs(gain) <= 6
    expected = batch(wave * np.float32(10 ** (gain / 20)))
    for name in ("mfcc", "s1", "s2"):
        torch.testing.assert_close(
            getattr(louder, name), getattr(expected, name), atol=2e-2, rtol=0
        )
    quiet = [k for k in range(39) if k != ENERGY]
    assert torch.equal(louder.mfcc[..., quiet], batch(wave).mfcc[..., quiet])


def test_a_mixture_and_its_loss():
    batch = made_batch()
    augment = Augmenter(TrainConfig(mixup=1.0), 0, 1)
    mixed = augment(batch)
    share, other = mixed.share, mixed.mixed
    assert 0 < share < 1
    torch.testing.assert_close(mixed.s1, share * batch.s1 + (1 - share) * batch.s1[other])
    assert (mixed.mfcc_lengths >= batch.mfcc_lengths).all()
    logits = torch.randn(3, 4)
    cross = torch.nn.functional.cross_entropy
    expected = share * cross(logits, batch.labels)
    expected += (1 - share) * cross(logits, batch.labels[other])
    torch.testing.assert_close(augment.loss(logits, mixed), expected)
    torch.testing.assert_close(augment.loss(logits, batch), cross(logits, batch.labels))


def test_random_numbers_depend_on_seed_and_epoch_and_not_on_the_branch():
    config = TrainConfig(spec_augment=1, level=3.0, mixup=0.4)
    batch = made_batch()
    alone = dataclasses.replace(batch, mfcc=None, mfcc_lengths=None, s2=None)
    for step in range(3):
        if step == 0:
            both, one = Augmenter(config, 0, 1), Augmenter(config, 0, 1)
        assert torch.equal(both(batch).s1, one(alone).s1)
    again = Augmenter(config, 0, 1)(batch)
    for seed, epoch in ((1, 1), (0, 2)):
        assert not torch.equal(Augmenter(config, seed, epoch)(batch).s1, again.s1)
    assert Augmenter(TrainConfig(), 0, 1)(batch) is batch


def test_attention_ignores_padding_and_can_be_the_mean():
    pool = TimePool(6, "attention")
    steps = torch.randn(2, 9, 6)
    lengths = torch.tensor([9, 4])
    expected = pool(steps[1:, :4])
    steps[1, 4:] = torch.nan
    torch.testing.assert_close(pool(steps, lengths)[1:], expected)
    torch.nn.init.zeros_(pool.score.weight)
    torch.testing.assert_close(pool(steps, lengths)[0], steps[0].mean(0))
    with pytest.raises(ModelError, match="there are mean, mean-deviation, attention"):
        TimePool(6, "max")


def test_dropout_acts_in_training_only_and_has_no_weights():
    batch = Batch(torch.randn(4, 20, 39), torch.tensor([20, 20, 9, 5]), torch.randn(4, 128, 40),
                  None, torch.randn(4, 256, 22), None, torch.tensor([0, 1, 2, 3]))  # fmt: skip
    for row in ("mfcc-lstm", "cnn-lstm-pair", "ds-lstm"):
        plain, model = (build_model(row, hidden=8, seed=0, **k) for k in ({}, {"dropout": 0.5}))
        assert list(plain.state_dict()) == list(model.state_dict())
        assert not torch.equal(model(batch), model(batch))
        model.load_state_dict(plain.state_dict())
        assert torch.equal(model.eval()(batch), plain.eval()(batch))
    wide = build_model("ds-lstm", hidden=8, pooling="attention", channels=(8, 4))
    assert count_parameters(wide) < count_parameters(plain)


def test_the_average_follows_and_a_resumed_run_gives_the_same_bits(tmp_path):
    class Data:
        def __init__(self, n: int):
            self.x, self.y = made_batch(n), None

        def __len__(self) -> int:
            return 3

        def batch(self, rows: np.ndarray) -> Batch:
            rows = torch.as_tensor(np.asarray(rows))
            part = {k: v[rows] for k, v in vars(self.x).items() if isinstance(v, torch.Tensor)}
            return Batch(**part)

    config = TrainConfig(epochs=4, batch_size=2, ema=0.9, dropout=0.2, spec_augment=1, mixup=0.3)

    def outcome(epochs: int, **given):
        model = build_model("mfcc-lstm", hidden=6, seed=0)
        changed = dataclasses.replace(config, epochs=epochs)
        return train(model, changed, Data(0), Data(1), seed=5, fingerprint="f", **given)

    whole = outcome(4)
    outcome(2, checkpoint=tmp_path / "c")
    resumed = outcome(4, checkpoint=tmp_path / "c")
    assert resumed.resumed == 2 and np.array_equal(whole.test_logits, resumed.test_logits)
    plain = train(build_model("mfcc-lstm", hidden=6, seed=0),
                  dataclasses.replace(config, ema=0.0), Data(0), Data(1), seed=5)  # fmt: skip
    assert not np.array_equal(whole.test_logits, plain.test_logits)
    live = torch.nn.Linear(1, 1)
    average = averaged(live, 0.99)
    start = average.module.weight.clone()
    live.weight.data += 1
    average.update_parameters(live)
    torch.testing.assert_close(average.module.weight, start + 0.9)


def test_what_is_off_leaves_the_fingerprint_alone():
    defaults = TrainConfig().as_dict()
    assert not set(defaults) & set(OPTIONS)
    for name, value in OPTIONS.items():
        stored = json.loads(json.dumps(TrainConfig(**{name: value}).as_dict()))
        assert stored == defaults | {name: list(value) if isinstance(value, tuple) else value}


@pytest.mark.parametrize(
    "wrong",
    [
        {"normalise": "z"},
        {"spec_augment": -1},
        {"level": math.nan},
        {"mixup": -0.1},
        {"speed": (3.0,)},
        {"speed": (1.0,)},
        {"speed": (0.9, 0.9)},
        {"dropout": 1.0},
        {"pooling": "max"},
        {"channels": (64,)},
        {"ema": 1.0},
    ],
)
def test_a_wrong_value_is_named(wrong):
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        TrainConfig(**wrong)


@pytest.mark.parametrize("rule", ["utterance", "speaker"])
def test_level_where_normalisation_takes_it_away(rule):
    with pytest.raises(TrainingError, match="takes the level away"):
        TrainConfig(level=3.0, normalise=rule)


RECIPE = {"normalise": "utterance", "dropout": 0.3}


@pytest.fixture
def plus(monkeypatch):
    """Rows with a recipe, whether the package has chosen one or not."""
    for row in recipe_rows(list(ROWS.values()), RECIPE):
        monkeypatch.setitem(ROWS, row.name, row)


def test_rows_with_a_recipe(plus):
    for name in ("mfcc-lstm+", "ds-lstm+", "dual+"):
        row = ROWS[name]
        assert row.recipe == RECIPE and row.variant and row.base == name[:-1]
    TrainConfig(**PLUS)
    one, other = build_model("dual+", hidden=8, seed=0), build_model("dual", hidden=8, seed=0)
    assert one.names == ("mfcc-lstm+", "ds-lstm+")
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    "options",
    [OPTIONS, {"normalise": "utterance"}, {"normalise": "speaker", "dropout": 0.1}],
    ids=["all at once", "utterance", "speaker"],
)
def test_a_run_with_options_predicts_from_its_saved_model(tmp_path, tiny_root, options):
    settings = TrainConfig(epochs=1, batch_size=16, hidden=8, **options)
    config = RunConfig(root=str(tiny_root), models=("dual",), protocol="random", folds=2, jobs=1,
                       threads=1, out=tmp_path, train=settings, progress=False)  # fmt: skip
    record = run(config)[0]
    expected = settings.as_dict()
    assert {k: record["config"][k] for k in expected} == expected
    folder = tmp_path / "models" / "dual" / "random-release-1-seed0"
    model = load_model(folder)
    assert model.normalise == settings.normalise
    description = folder / "model.json"
    body = json.loads(description.read_text())
    for rule, message in (("moon", "'moon'"), ("train", "mean and deviation of mfcc-lstm")):
        if settings.normalise != rule:
            description.write_text(sealed(body | {"normalise": rule}))
            with pytest.raises(ModelError, match=message):
                load_model(folder)
    rng = np.random.default_rng(0)
    answer = predict((0.1 * rng.standard_normal(24000)).astype(np.float32), model)
    assert math.isclose(sum(answer.probabilities.values()), 1, abs_tol=1e-4)
    alone = "this recording alone" in " ".join(answer.warnings)
    assert alone == (settings.normalise == "speaker")


def test_a_recipe_row_trains_by_its_recipe_and_predicts(plus, tmp_path, tiny_root):
    settings = TrainConfig(epochs=1, batch_size=16, hidden=8)
    config = RunConfig(root=str(tiny_root), models=("dual+", "mfcc-lstm"), protocol="random",
                       folds=2, jobs=1, threads=1, out=tmp_path, train=settings,
                       progress=False)  # fmt: skip
    records = {r["model"]: r for r in run(config)}
    assert set(records) == {"dual+", "mfcc-lstm"}
    for key, value in RECIPE.items():
        assert records["dual+"]["config"][key] == value
        assert key not in records["mfcc-lstm"]["config"]
    folder = tmp_path / "models" / "dual+" / "random-release-1-seed0"
    answer = predict(0.1 * np.sin(np.arange(24000) / 9).astype(np.float32), folder)
    assert set(answer.branches) == {"mfcc-lstm+", "ds-lstm+"}
