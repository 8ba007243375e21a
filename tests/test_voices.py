"""Other voices from few: throat, tempo, pitch, balanced batches; as they say, seeded, resumed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ser import RunConfig, run
from ser.batch import Dataset
from ser.errors import TrainingError
from ser.features import mel_pair
from ser.features.mfcc import BANDS, FRAME, HOP, N_FFT, matrices, static_features, with_deltas
from ser.features.presets import INT16_SCALE, PRESETS, SAMPLE_RATE
from ser.features.prosody import F0
from ser.features.vtlp import BANDWIDTHS, FREQUENCIES, Warped, Warps, cepstral_warp, warp
from ser.models import build_model
from ser.normalise import measure, normalised
from ser.training import TrainConfig, epoch_batches, train
from ser.training.adversary import Adversaries, strength
from ser.training.augment import Augmenter
from ser.training.voices import Voice, Voices, at_tempo

NEEDS = {"mfcc", "s1", "s2", "prosody"}
FACTORS = [0.9, 1.0, 1.1]


def vowel(stretch: float = 1.0) -> np.ndarray:
    """A second of a whispered vowel: noise through three formants divided by *stretch*."""
    wave = np.random.default_rng(0).standard_normal(16000)
    for formant, width in ((600, 90), (1500, 120), (2600, 160)):
        radius = np.exp(-np.pi * width / stretch / 16000)
        angle = 2 * np.pi * formant / stretch / 16000
        out = np.zeros(16000 + 2)
        for n in range(16000):
            out[n] = wave[n] + 2 * radius * np.cos(angle) * out[n - 1] - radius**2 * out[n - 2]
        wave = out[:16000]
    return (wave / np.abs(wave).max() * 0.3).astype(np.float32)


def made(count: int = 6, seed: int = 0) -> SimpleNamespace:
    """Features of utterances of different lengths, prosody with rows that have no value."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(12, 30, count)
    mfcc = [rng.normal(3, 2 + i, (n, 39)).astype(np.float32) for i, n in enumerate(frames)]
    prosody = [rng.uniform(100, 3000, (n, 25)).astype(np.float32) for n in frames]
    for rows in prosody:
        rows[::3, F0:] = np.nan
    pairs = [
        tuple(rng.normal(40, 5, (m, n)).astype(np.float32) for m, n in ((128, k), (256, k // 2)))
        for k in frames
    ]
    return SimpleNamespace(mfcc=mfcc.__getitem__, mel=pairs.__getitem__,
                           prosody=prosody.__getitem__, preset=PRESETS["paper"])  # fmt: skip


def test_the_warp_is_jaitlys_and_keeps_the_ends():
    hertz = np.linspace(0, 8000, 801)
    for factor in FACTORS:
        moved = warp(hertz, factor)
        assert (np.diff(moved) > 0).all() and moved[0] == 0 and moved[-1] == pytest.approx(8000)
        low = hertz <= 4800 * min(factor, 1) / factor
        assert moved[low] == pytest.approx(hertz[low] * factor)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_warped_cepstra_are_those_of_a_warped_filter_bank(factor):
    """The same features from the sound, by moving the filters as the paper does."""
    wave = torch.from_numpy(vowel())
    window, bank, cosines = matrices()
    frames = (wave * INT16_SCALE).unfold(0, FRAME, HOP)
    bins = 1127 * np.log1p(np.arange(N_FFT // 2 + 1) * SAMPLE_RATE / N_FFT / 700)
    corners = 700 * np.expm1(np.linspace(0, bins[-1], BANDS + 2) / 1127)
    corners = 1127 * np.log1p(warp(corners, factor) / 700)
    rising = (bins - corners[:-2, None]) / np.diff(corners)[:-1, None]
    falling = (corners[2:, None] - bins) / np.diff(corners)[1:, None]
    moved = torch.tensor(np.clip(np.minimum(rising, falling), 0, None).T, dtype=torch.float32)
    plain, wanted = (
        static_features(frames, window, filters, cosines)[:, :12].mean(0).numpy()
        for filters in (bank, moved)
    )
    found = cepstral_warp(12, factor) @ plain
    assert np.abs(found - wanted).mean() < 0.35 * np.abs(plain - wanted).mean()


def test_a_longer_throat_lowers_the_peaks_of_spectrogram_and_formants():
    warps = Warps([1.15])
    at = torch.tensor([0])
    plain, longer = mel_pair(vowel()), mel_pair(vowel(1.15))
    for name in ("s1", "s2"):
        before, wanted = getattr(plain, name)[None], getattr(longer, name)
        found = warps(name, before, at)[0]
        low = slice(0, before.shape[1] * 2 // 3)  # below 3.3 kHz, where formants are
        away = [(v[low].mean(1) - wanted[low].mean(1)).abs().mean() for v in (before[0], found)]
        assert away[1] < 0.6 * away[0]
    rows = torch.from_numpy(made().prosody(0))[None]
    changed = warps("prosody", rows, at)
    assert torch.equal(changed.isnan(), rows.isnan())
    torch.testing.assert_close(changed[..., BANDWIDTHS], rows[..., BANDWIDTHS] / 1.15,
                               equal_nan=True)  # fmt: skip
    formants = changed[..., FREQUENCIES].numpy()
    np.testing.assert_allclose(warp(formants, 1.15), rows[..., FREQUENCIES], rtol=1e-5)
    same = [c for c in range(25) if c not in (*FREQUENCIES, *BANDWIDTHS, 6, 7, 8, 9)]
    torch.testing.assert_close(changed[..., same], rows[..., same], rtol=0, atol=0, equal_nan=True)


def test_factor_one_changes_nothing():
    given, warps, at = made(), Warps([1.0]), torch.tensor([0])
    for name in ("mfcc", "prosody"):
        rows = torch.from_numpy(getattr(given, name)(0))[None]
        torch.testing.assert_close(warps(name, rows, at), rows, rtol=0, atol=0, equal_nan=True)
    for name, mel in zip(("s1", "s2"), given.mel(1), strict=True):
        rows = torch.from_numpy(mel)[None]
        assert torch.equal(warps(name, rows, at), rows)


@pytest.mark.parametrize("clip_z", [0.0, 1.0])
@pytest.mark.parametrize("rule", ["none", "train", "utterance", "speaker", "enrol:1", "running"])
def test_a_batch_is_that_of_warped_features_normalised(rule, clip_z):
    """On the fly equals warping a whole corpus first, and normalising what comes out."""
    given, rows, speakers = made(), np.arange(1, 6), list("AABBB")
    scale = measure(given, rows, NEEDS)
    told = {"rows": rows, "speakers": speakers, "scale": scale, "names": list("vwxyz"),
            "enrolled": {"A": [0], "B": [0]}, "clip_z": clip_z}  # fmt: skip

    def under(features):
        return normalised(features, rule, NEEDS, **told)

    data = Voices([given, made(seed=5)], rows, rows % 4, NEEDS, "true", factors=FACTORS,
                  normalise=under)  # fmt: skip
    tract, version = torch.tensor([0, 2, 1, 0, 2]), torch.tensor([0, 1, 0, 1, 1])
    found = data.voiced(range(5), version, Voice(tract))
    for place, (k, v) in enumerate(zip(tract, version, strict=True)):
        seen = under(Warped((given, made(seed=5))[v], Warps(FACTORS), int(k)))
        wanted = Dataset(seen, rows, rows % 4, NEEDS, "true").batch([place])
        for name in NEEDS:
            one, length = getattr(wanted, name), getattr(wanted, f"{name}_lengths")
            other = getattr(found, name)[place : place + 1]
            assert torch.equal(getattr(found, f"{name}_lengths")[place : place + 1], length)
            size = other[..., : one.shape[2]] if name in ("s1", "s2") else other[:, : one.shape[1]]
            torch.testing.assert_close(size, one, rtol=1e-4, atol=1e-4)
            assert other.abs().sum() == pytest.approx(float(size.abs().sum()), rel=1e-6)
    assert found.labels.tolist() == (rows % 4).tolist()


def test_tempo_reads_the_same_curve_faster_and_deltas_follow():
    time = torch.arange(60.0)
    curve = torch.stack([torch.sin(time / 9 + k) for k in range(13)], 1)
    given = SimpleNamespace(mfcc=lambda i: with_deltas(curve).numpy(), preset=None)
    data = Voices([given], [0], None, {"mfcc"}, "true")
    faster = data.voiced([0], None, Voice(torch.tensor([0]), torch.tensor([1.25])))
    steps = torch.arange(48.0) * 1.25
    wanted = with_deltas(torch.stack([torch.sin(steps / 9 + k) for k in range(13)], 1))
    assert faster.mfcc_lengths.tolist() == [48]
    inner = slice(6, -6)
    torch.testing.assert_close(faster.mfcc[0, inner], wanted[inner], atol=0.004, rtol=0.02)


def test_tempo_invents_no_voice_and_pads_with_zeros():
    rows = torch.tensor([[1.0], [float("nan")], [3.0], [4.0]])[None].repeat(2, 1, 1)
    found, lengths = at_tempo(rows, torch.tensor([4, 3]), torch.tensor([0.5, 1.0]))
    assert lengths.tolist() == [8, 3]
    assert found[0, :, 0].isnan().tolist() == [False] + [True] * 2 + [False] * 5
    assert found[0, 4:8, 0].tolist() == [3.0, 3.5, 4.0, 4.0]
    data = Voices([made()], [0, 1], None, {"prosody", "s1"}, "true")
    batch = data.voiced([0, 1], None, Voice(torch.zeros(2).long(), torch.tensor([0.5, 2.0])))
    assert (batch.prosody[1, int(batch.prosody_lengths[1]) :] == 0).all()
    assert (batch.s1[1, :, int(batch.s1_lengths[1]) :] == 0).all()
    assert batch.s1_lengths[0] == 2 * made().mel(0)[0].shape[1]


def test_pitch_moves_f0_alone_and_only_where_there_is_a_voice():
    given = made()
    scale = measure(given, [0, 1], {"prosody"})
    data = Voices([given], [0, 1], None, {"prosody"}, "true",
                  normalise=lambda f: normalised(f, "train", {"prosody"}, scale=scale))  # fmt: skip
    still = data.batch()
    moved = data.voiced([0, 1], None, Voice(torch.zeros(2).long(),
                                            semitones=torch.tensor([2.0, -1.0])))  # fmt: skip
    step = (moved.prosody - still.prosody)[..., F0] * float(scale["prosody"][1][F0])
    for i, shift in enumerate((2.0, -1.0)):
        voiced = ~np.isnan(given.prosody(i)[:, F0])
        there = torch.from_numpy(voiced)
        assert step[i, : len(there)][there].numpy() == pytest.approx(shift, abs=1e-3)
        assert (step[i, : len(there)][~there] == 0).all()
    others = [c for c in range(25) if c != F0]
    assert torch.equal(moved.prosody[..., others], still.prosody[..., others])


def test_draws_are_seeded_and_one_option_leaves_anothers_alone():
    given = made()
    data = Dataset(given, range(6), range(6), {"mfcc"}, "true")

    def seen(seed: int, epoch: int, **options):
        return Augmenter(TrainConfig(**options), seed, epoch)._voice(64)

    one = seen(0, 1, vtlp=(0.9, 1.1))
    assert torch.equal(one.tract, seen(0, 1, vtlp=(0.9, 1.1), tempo=(0.9, 1.1)).tract)
    assert not torch.equal(one.tract, seen(0, 2, vtlp=(0.9, 1.1)).tract)
    assert not torch.equal(one.tract, seen(1, 1, vtlp=(0.9, 1.1)).tract)
    tempo = seen(0, 1, tempo=(0.9, 1.1)).tempo
    assert one.tempo is None and 0.9 <= tempo.min() < 0.92 and 1.08 < tempo.max() <= 1.1
    assert set(one.tract.tolist()) == set(range(11))
    assert seen(0, 1, pitch_shift=2.0).semitones.abs().max() <= 2
    with pytest.raises(TrainingError, match=r"training side as ser\.training\.voices\.Voices"):
        train(torch.nn.Linear(1, 1), TrainConfig(vtlp=(0.9, 1.1)), data)


def test_bad_settings_are_refused():
    for wrong in ({"vtlp": (1.1, 0.9)}, {"vtlp": (1.0,)}, {"tempo": (0.1, 1.0)}):
        with pytest.raises(TrainingError, match=r"two factors A,B from 0\.5 to 2"):
            TrainConfig(**wrong)
    with pytest.raises(TrainingError, match="takes the speaker's own mean away"):
        TrainConfig(pitch_shift=2.0, normalise="speaker")
    assert not {"vtlp", "tempo", "pitch_shift"} & TrainConfig().as_dict().keys()
    assert TrainConfig(vtlp=(0.9, 1.1)).as_dict()["vtlp"] == [0.9, 1.1]


class Uneven:
    """A talkative speaker, a quiet one and two more; the classes of each are uneven too."""

    speakers = torch.tensor([0] * 60 + [1] * 4 + [2] * 20 + [3] * 16)
    labels = torch.tensor([0] * 50 + [1] * 10 + [0, 0, 0, 2] + [0, 1, 2, 4] * 5 + [3] * 16)

    def __len__(self):
        return 100


def test_balanced_batches_hear_every_speaker_and_class_equally_often():
    data = Uneven()
    counts = np.zeros(100)
    for epoch in range(1, 41):
        parts = epoch_batches(data, 16, 0, epoch, "balanced")
        assert [len(p) for p in parts] == [len(p) for p in epoch_batches(data, 16, 0, epoch)]
        for part in parts:
            told = np.bincount(data.speakers[part], minlength=4)
            assert told.max() - told.min() <= 1
        every = np.concatenate(parts)
        own = data.labels[every[data.speakers[every] == 2]]
        assert np.ptp(np.bincount(own, minlength=5)[[0, 1, 2, 4]]) <= 1
        counts += np.bincount(every, minlength=100)
    cells = {(int(s), int(c)) for s, c in zip(data.speakers, data.labels, strict=True)}
    for who, label in cells:
        cell = counts[(data.speakers == who).numpy() & (data.labels == label).numpy()]
        assert cell.min() > 0 and cell.max() < 3 * cell.mean()
    again = epoch_batches(data, 16, 0, 40, "balanced")
    assert all(map(np.array_equal, again, parts))
    assert not np.array_equal(again[0], epoch_batches(data, 16, 1, 40, "balanced")[0])
    data.speakers = None
    with pytest.raises(TrainingError, match="who speaks"):
        epoch_batches(data, 16, 0, 1, "balanced")


@pytest.mark.parametrize(
    "options",
    [{"vtlp": (0.9, 1.1), "tempo": (0.9, 1.1), "batches": "balanced"}, {"normalise": "speaker",
     "vtlp": (0.9, 1.1)}],
)  # fmt: skip
def test_a_run_with_options_resumes_to_the_same_bits(tiny_root, tmp_path, monkeypatch, options):
    """Whole, and killed after an epoch and gone on: the same record, which names the options."""
    from ser.experiments import execution

    settings = TrainConfig(epochs=3, batch_size=16, hidden=8, **options)
    config = RunConfig(root=str(tiny_root), models=("mfcc-lstm",), protocol="random", folds=2,
                       train=settings, jobs=1, threads=1, keep_models=False, progress=False,
                       cache=str(tmp_path / "cache"))  # fmt: skip
    whole = run(RunConfig(**vars(config) | {"out": tmp_path / "whole"}))
    config = RunConfig(**vars(config) | {"out": tmp_path / "killed"})

    class Killed(Exception):
        pass

    def stop(self, entry):
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(execution.RunNotes, "__call__", stop)
        with pytest.raises(Killed):
            run(config)
    found = run(config)
    for one, other in zip(found, whole, strict=True):
        assert one["selection"] == other["selection"] and one["history"] == other["history"]
        assert one["fingerprint"] == other["fingerprint"]
        for name, value in options.items():
            assert one["config"][name] == (list(value) if isinstance(value, tuple) else value)


def test_the_test_side_hears_the_voices_as_they_are(tiny_root, tmp_path, monkeypatch):
    seen = {}

    def spy(model, config, data, test=None, dev=None, **more):
        seen.update(data=data, test=test, dev=dev)
        raise TrainingError("seen")

    monkeypatch.setattr("ser.training.loop.train", spy)
    settings = TrainConfig(epochs=1, hidden=8, vtlp=(0.8, 0.8), normalise="train")
    with pytest.raises(TrainingError, match="seen"):
        run(RunConfig(root=str(tiny_root), models=("mfcc-lstm",), protocol="random", folds=2,
                      select=("dev",), train=settings, jobs=1, threads=1, progress=False,
                      cache=str(tmp_path / "cache")))  # fmt: skip
    assert isinstance(seen["data"], Voices)
    assert not isinstance(seen["test"], Voices) and not isinstance(seen["dev"], Voices)


def test_the_gradient_is_reversed_exactly():
    """With weight w a branch gets -w times what it would get if it helped to name the speaker."""
    torch.manual_seed(0)
    net, batch = (
        torch.nn.Sequential(torch.nn.Linear(7, 5), torch.nn.Linear(5, 4)),
        torch.randn(9, 7),
    )
    heads, who = Adversaries(net, 3, seed=1), torch.tensor([0, 1, 2] * 3)
    with heads:
        given = net(batch)
    heads.loss(who, 0.3).backward()
    found = [p.grad.clone() for p in net[0].parameters()]
    head = [p.grad.clone() for p in heads.parameters()]
    net.zero_grad(), heads.zero_grad()
    torch.nn.functional.cross_entropy(heads.heads[0](net[0](batch)), who).backward()
    for mine, plain in zip(found, net[0].parameters(), strict=True):
        assert torch.equal(mine, -0.3 * plain.grad) or torch.allclose(mine, -0.3 * plain.grad)
    for mine, plain in zip(head, heads.parameters(), strict=True):
        assert torch.equal(mine, plain.grad)
    assert given.shape == (9, 4) and net[1].weight.grad is None
    assert not net[1]._forward_pre_hooks


class Told(Dataset):
    """Utterances whose MFCCs say who speaks and, less loudly, what is felt."""

    def __init__(self, **more):
        rng = np.random.default_rng(0)
        who, felt = np.repeat(np.arange(4), 16), np.tile(np.arange(4), 16)
        rows = [rng.normal(0, 0.3, (8, 39)).astype(np.float32) for _ in who]
        for row, speaker, label in zip(rows, who, felt, strict=True):
            row[:, speaker] += 2
            row[:, 10 + label] += 1
        source = SimpleNamespace(mfcc=rows.__getitem__, preset=None)
        super().__init__(source, range(64), felt, {"mfcc"}, "true", **more)


def trained_on(data, **options):
    model = build_model("mfcc-lstm", hidden=options.get("hidden", 8), seed=0)
    settings = {"epochs": 4, "batch_size": 16, "lr": 0.01, "milestones": ()}
    config = TrainConfig(**settings | options)
    return train(model, config, data, data, seed=3), model


def test_weight_0_is_bit_equal_to_none_and_the_head_is_not_kept():
    who = np.repeat(list("ABCD"), 16)
    plain, _ = trained_on(Told())
    off, _ = trained_on(Told(speakers=who), adversarial=0.0)
    on, _ = trained_on(Told(speakers=who), adversarial=1.0)
    assert np.array_equal(plain.test_logits, off.test_logits)
    assert not np.array_equal(plain.test_logits, on.test_logits)
    assert on.model.state_dict().keys() == off.model.state_dict().keys()
    with pytest.raises(TrainingError, match="who speaks"):
        trained_on(Told(), adversarial=1.0)
    with pytest.raises(TrainingError, match="there is 1"):
        trained_on(Told(speakers=["A"] * 64), adversarial=1.0)


def test_a_step_of_the_head_names_speakers_better_and_one_of_the_branch_worse():
    data, model = (
        Told(speakers=np.repeat(list("ABCD"), 16)),
        build_model("mfcc-lstm", hidden=8, seed=0),
    )
    heads, batch = Adversaries(model, 4, seed=0), data.batch()

    def loss() -> torch.Tensor:
        with heads:
            model(batch)
        return heads.loss(batch.speakers, 1.0)

    for part, better in ((heads, True), (model.parts[0].lstm, False)):
        before = loss()
        model.zero_grad(), heads.zero_grad()
        before.backward()
        torch.optim.SGD(part.parameters(), lr=0.05).step()
        assert (loss() < before) == better
    assert strength(0.0) == 0 and strength(1.0) == pytest.approx(1, abs=1e-4)


def test_an_adversarial_run_resumes_to_the_same_bits(tmp_path):
    class Killed(Exception):
        pass

    def stop(entry):
        if entry["epoch"] == 2:
            raise Killed

    who, told = np.repeat(list("ABCD"), 16), []
    config = TrainConfig(epochs=4, batch_size=16, adversarial=0.5, batches="balanced")
    for name in ("whole", "killed"):
        given = {"seed": 1, "checkpoint": tmp_path / name, "fingerprint": "one"}
        if name == "killed":
            with pytest.raises(Killed):
                train(build_model("mfcc-lstm", hidden=8, seed=0), config, Told(speakers=who),
                      on_epoch=stop, **given)  # fmt: skip
        data = Told(speakers=who)
        told.append(train(build_model("mfcc-lstm", hidden=8, seed=0), config, data, data, **given))
    assert told[1].resumed == 2
    assert np.array_equal(told[0].test_logits[2:], told[1].test_logits)
