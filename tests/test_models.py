"""Rows by name: sizes, seeds, fusion, options, and that fast and plain train alike."""

from __future__ import annotations

import copy

import pytest
import reference
import torch
import torch.nn.functional as F

from ser.batch import NEEDS, Batch
from ser.errors import ModelError
from ser.features.presets import PRESETS, Preset
from ser.models import ROWS, build_model, count_parameters, get_row
from ser.nn import Fused, fuse, fused_loss, lstm_output, mean_over_time, tune_allocator

NETWORKS = [name for name, row in ROWS.items() if row.kind != "baseline" and row.fusion == "logits"]
SMALL = Preset("small", (128, 256), (40, 22))  # 32 and 64 mel bands


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def small_batch(lengths: bool = False, size: int = 5) -> Batch:
    draw = torch.Generator().manual_seed(5)
    batch = Batch(
        mfcc=10 * torch.randn(size, 30, 39, generator=draw),
        mfcc_lengths=torch.tensor([30, 22, 9, 30, 17][:size]),
        s1=50 + 20 * torch.randn(size, 32, 40, generator=draw),
        s2=50 + 20 * torch.randn(size, 64, 22, generator=draw),
        prosody=torch.randn(size, 28, 25, generator=draw),
        prosody_lengths=torch.tensor([28, 20, 7, 28, 15][:size]),
        labels=torch.tensor([0, 1, 2, 3, 0][:size]),
    )
    if lengths:
        batch.s1_lengths = torch.tensor([40, 38, 25, 40, 30][:size])
        batch.s2_lengths = torch.tensor([22, 20, 15, 22, 17][:size])
    return batch


def small(name: str, **options) -> torch.nn.Module:
    return build_model(name, SMALL, hidden=12, seed=3, **options)


PUBLISHED = {  # thousands, as released; the last but one row of it is "model1"
    "mfcc-lstm": (515, 515_204),
    "cnn-lstm-s1": (890, 889_748),
    "cnn-lstm-s2": (1300, 1_299_348),
    "cnn-lstm-pair": (2190, 2_189_092),
    "mfcc+cnn-lstm-pair": (2700, 2_704_296),
    "ds-lstm": (3220, 3_217_092),
    "dual": (3730, 3_732_296),
    "dual-no-y-candidate": (2620, 2_625_096),
}
"""What was published, and exactly."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_parameters_are_the_published_ones(name):
    """Within the rounding of three figures (2.625 M was published as 2.62 M)."""
    thousands, exactly = PUBLISHED[name]
    assert count_parameters(build_model(name)) == exactly
    step = 1 if thousands < 1000 else 10
    assert abs(exactly / 1000 - thousands) <= 0.52 * step


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("lengths", [False, True], ids=["fixed", "true"])
def test_every_row_trains(name, lengths):
    model, batch = small(name), small_batch(lengths)
    for field in NEEDS:
        if field not in model.needs:
            setattr(batch, field, None)
    logits = model(batch)
    assert logits.shape == (5, 4)
    F.cross_entropy(logits, batch.labels).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), key
    assert list(model.branch_logits(batch)) == list(ROWS[name].branches)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_sizes_follow_the_preset(name, preset):
    model = build_model(name, preset, hidden=3)
    batch = Batch(
        mfcc=torch.randn(2, 20, 39),
        mfcc_lengths=torch.tensor([20, 11]),
        s1=torch.randn(2, preset.n_mels[0], 30),
        s2=torch.randn(2, preset.n_mels[1], 20),
        prosody=torch.randn(2, 18, 25),
        prosody_lengths=torch.tensor([18, 9]),
    )
    assert model(batch).shape == (2, 4)


@pytest.mark.parametrize("name", NETWORKS)
def test_fast_equals_plain(name):
    fast, plain = small(name), small(name, fast=False)
    batch = small_batch()
    for model in (fast, plain):
        fused_loss(model.branch_logits(batch), batch.labels).backward()
    torch.testing.assert_close(fast(batch), plain(batch), rtol=1e-4, atol=1e-4)
    for (key, a), b in zip(fast.named_parameters(), plain.parameters(), strict=True):
        if not key.endswith("conv.bias"):
            assert float((a.grad - b.grad).abs().max()) < 1e-3 * float(b.grad.abs().max()), key


def test_the_whole_network_is_the_releases_formulas():
    """Logits, gradients and running statistics of ds-lstm, in float64."""
    torch.manual_seed(0)
    ours = build_model("ds-lstm", hidden=16, seed=0).parts[0].double().train()
    plain = reference.PlainDS(hidden=16).double().train()
    pairs = list(zip(ours.lstm.layers, plain.lstm.cells, strict=True))
    plain.linear.load_state_dict(ours.linear.state_dict())
    for name in ("front1", "front2"):
        own, other = getattr(ours, name), getattr(plain, name)
        values = dict(zip(other.state_dict(), own.state_dict().values(), strict=True))
        other.load_state_dict(values)
    with torch.no_grad():
        for layer, cell in pairs:
            for linear, letter in ((cell.gates, ""), (cell.from_x, "_T"), (cell.from_y, "_F")):
                linear.weight.copy_(getattr(layer.cell, f"W{letter}"))
                linear.bias.copy_(getattr(layer.cell, f"b{letter}"))
            cell.scale.copy_(layer.gate_norm.weight)
            cell.shift.copy_(layer.gate_norm.bias)
    s1, s2 = 50 + 20 * torch.randn(4, 128, 230), 50 + 20 * torch.randn(4, 256, 120)
    batch = Batch(s1=s1.double(), s2=s2.double(), labels=torch.tensor([0, 1, 2, 3]))
    logits = ours(batch), plain(batch)
    torch.testing.assert_close(*logits, rtol=1e-10, atol=1e-10)
    for each in logits:
        torch.nn.functional.cross_entropy(each, batch.labels).backward()

    def same(a, b):
        scale = float(b.abs().max())
        assert scale > 0 and float((a - b).abs().max()) < 1e-10 * scale

    same(ours.linear.weight.grad, plain.linear.weight.grad)
    for layer, cell in pairs:
        for linear, letter in ((cell.gates, ""), (cell.from_x, "_T"), (cell.from_y, "_F")):
            same(getattr(layer.cell, f"W{letter}").grad, linear.weight.grad)
        same(layer.gate_norm.weight.grad, cell.scale.grad)
        same(layer.output_norm.running_mean, cell.output_norm.running_mean)
        for step in (0, 3):
            same(layer.gate_norm.running_var[step], cell.gate_norms[step].running_var)
    for name in ("front1", "front2"):
        own, other = getattr(ours, name), getattr(plain, name)
        for (key, a), b in zip(own.named_parameters(), other.parameters(), strict=True):
            if not key.endswith("conv.bias"):  # batch norm takes it away: zero but for rounding
                same(a.grad, b.grad)
        for a, b in zip(own.buffers(), other.buffers(), strict=True):
            same(a.double(), b.double())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_padding_does_not_matter(name, training):
    model = small(name)
    short = small_batch(lengths=True)
    long = copy.copy(short)
    for field, time in (("mfcc", 1), ("s1", 2), ("s2", 2), ("prosody", 1)):
        tensor, lengths = getattr(short, field), getattr(short, f"{field}_lengths")
        shape = list(tensor.shape)
        shape[time] += 7
        padded = torch.full(shape, 333.0)
        for row, source, n in zip(padded, tensor, lengths.tolist(), strict=True):
            row.narrow(time - 1, 0, n).copy_(source.narrow(time - 1, 0, n))
        setattr(long, field, padded)
    a, b = (copy.deepcopy(model).train(training)(x) for x in (short, long))
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["dual", "mfcc+cnn-lstm-s1", "dual-equations"])
def test_branches_start_as_the_rows_trained_apart(name):
    model = build_model(name, SMALL, hidden=12, seed=7)
    for branch, part in zip(model.names, model.parts, strict=True):
        alone = build_model(branch, SMALL, hidden=12, seed=7).parts[0]
        for key, tensor in alone.state_dict().items():
            assert torch.equal(tensor, part.state_dict()[key])
    other = build_model(name, SMALL, hidden=12, seed=8)
    assert not torch.equal(other.parts[0].linear.weight, model.parts[0].linear.weight)


def test_seed_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    build_model("dual", SMALL, hidden=4, seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_joint_training_equals_training_apart():
    """Losses add up, no weight is shared, Adam ignores a gradient's scale: three steps agree."""
    batch = small_batch()
    joint = small("dual")
    apart = [small(name) for name in ROWS["dual"].branches]
    models = [joint, *apart]
    optimisers = [torch.optim.Adam(m.parameters(), 1e-3, eps=1e-14) for m in models]
    for _ in range(3):
        for model, optimiser in zip(models, optimisers, strict=True):
            optimiser.zero_grad()
            model.loss(batch).backward()
            optimiser.step()
    logits = joint.eval().branch_logits(batch)
    for model in apart:
        torch.testing.assert_close(
            model.eval()(batch), logits[model.names[0]], rtol=1e-3, atol=1e-4
        )
    torch.testing.assert_close(joint(batch), fuse(*logits.values()))


def test_fused_loss_is_the_papers():
    a, b, labels = torch.randn(5, 4), torch.randn(5, 4), torch.tensor([0, 1, 2, 3, 3])
    expected = 0.5 * F.cross_entropy(a, labels) + 0.5 * F.cross_entropy(b, labels)
    torch.testing.assert_close(fused_loss({"a": a, "b": b}, labels), expected)
    torch.testing.assert_close(fuse(a, b), (a + b) / 2)
    with pytest.raises(ValueError, match="nothing to fuse"):
        fuse()


def test_variants_differ_from_the_released_in_what_their_name_says():
    for prefix in ("ds-lstm", "dual"):
        suffixes = ("", "-no-y-candidate", "-no-gate-norm", "-no-output-norm", "-equations")
        lstm = {s: build_model(prefix + s, SMALL, hidden=4).parts[-1].lstm for s in suffixes}
        have = {
            s: (
                m.layers[0].gate_norm is not None,
                m.layers[0].output_norm is not None,
                m.layers[0].cell.y_candidate,
            )
            for s, m in lstm.items()
        }
        assert have == {
            "": (True, True, True),
            "-no-y-candidate": (True, True, False),
            "-no-gate-norm": (False, True, True),
            "-no-output-norm": (True, False, True),
            "-equations": (False, False, True),
        }


def test_options_reach_the_layers():
    model = small("dual", channels=(8, 4), layers=3, max_steps=9, gate_norm=False)
    ds = model.parts[1]
    assert ds.lstm.num_layers == 3 and ds.front1.blocks[0].conv.out_channels == 8
    assert ds.lstm.layers[0].gate_norm is None and model.parts[0].lstm.num_layers == 3
    assert small("mfcc-lstm", layers=1).parts[0].lstm.num_layers == 1
    assert build_model("ds-lstm", SMALL, classes=7, hidden=4)(small_batch()).shape == (5, 7)


def test_rows_are_complete():
    assert [n for n, r in ROWS.items() if r.kind == "baseline"] == [
        "majority",
        "egemaps-svm",
        "egemaps-lr",
        "compare-lr",
        "ssl-lr",
        "level-lr",
        "duration-lr",
        "egemaps-svm+",
        "egemaps-lr+",
    ]
    for row in ROWS.values():
        assert row.summary and all(b in ROWS for b in row.branches)
        if row.kind == "network":
            assert row.needs == build_model(row.name, SMALL, hidden=2).needs
    assert ROWS["dual"].branches == ("mfcc-lstm", "ds-lstm")
    assert isinstance(build_model("dual", SMALL, hidden=2), Fused)
    with pytest.raises(ModelError, match="one of them a baseline's: no network"):
        build_model("prosody-lstm+egemaps-lr")
    sizes = {"prosody-lstm": 504_004, "ds-lstm-prosody": 772_204, "triple": 4_236_300}
    for name, size in sizes.items():
        assert count_parameters(build_model(name)) == size


def test_probabilities_of_any_rows_are_averaged_by_joining_their_names():
    row = get_row("mfcc-lstm++egemaps-lr+")
    assert row.branches == ("mfcc-lstm+", "egemaps-lr+") and row.fusion == "probabilities"
    assert get_row("mfcc-lstm+prosody-lstm+compare-lr").branches[2] == "compare-lr"
    assert get_row("mfcc+cnn-lstm-pair").fusion == "logits", "a row of the paper's"
    with pytest.raises(ModelError, match="dual is fused itself; name its branches, mfcc-lstm and"):
        get_row("dual+egemaps-lr")
    with pytest.raises(ModelError, match="twice"):
        get_row("mfcc-lstm+mfcc-lstm")
    with pytest.raises(ModelError, match="no model is called"):
        get_row("mfcc-lstm+nothing")


def test_bad_names_and_options():
    with pytest.raises(ModelError, match=r"'ds-lsmt'.*ds-lstm"):
        build_model("ds-lsmt")
    with pytest.raises(ModelError, match="there are mfcc-lstm"):
        get_row("zzzzzz")
    with pytest.raises(ModelError, match="ser run"):
        build_model("majority")
    with pytest.raises(ModelError, match=r"chanels.*channels"):
        build_model("ds-lstm", chanels=(4, 4))
    with pytest.raises(ValueError, match="preset"):
        build_model("ds-lstm", preset="papr")


def test_mean_over_time():
    steps = torch.randn(3, 6, 2)
    lengths = torch.tensor([6, 1, 4])
    got = mean_over_time(steps, lengths)
    for b, n in enumerate(lengths):
        torch.testing.assert_close(got[b], steps[b, :n].mean(0))
    torch.testing.assert_close(mean_over_time(steps), steps.mean(1))


@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize(
    "lengths", [[5, 8, 1], [9] * 3, [3, 1, 2, 9, 9, 4, 7, 7, 2, 5, 6, 8, 1, 3, 3, 2]]
)
@pytest.mark.parametrize("bidirectional", [False, True])
def test_lstm_output_equals_packed(layers, lengths, bidirectional):
    lstm = torch.nn.LSTM(5, 4, layers, batch_first=True, bidirectional=bidirectional).double()
    x, lengths = torch.randn(len(lengths), 10, 5).double(), torch.tensor(lengths)
    results = []
    for fast in (True, False):
        lstm.zero_grad()
        leaf = x.clone().requires_grad_()
        output = lstm_output(lstm, leaf, lengths, fast)
        (output * torch.arange(10.0)[:, None]).sin().sum().backward()
        results.append([output, leaf.grad, *(p.grad for p in lstm.parameters())])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(lstm_output(lstm, x), lstm(x)[0])
    with pytest.raises(ValueError, match="lengths"):
        lstm_output(lstm, x, lengths[:2])


def test_tune_allocator_can_be_called_twice():
    assert tune_allocator() == tune_allocator()


def _trained_weights(seed: int) -> list:
    torch.set_num_threads(1)
    tune_allocator()
    model = small("cnn-lstm-s1")
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(2):
        optimiser.zero_grad()
        model.loss(small_batch()).backward()
        optimiser.step()
    return [p.detach().numpy() for p in model.parameters()]


def test_worker_processes_get_the_same_bits():
    """Compiled kernels and their threads work in joblib's processes."""
    joblib = pytest.importorskip("joblib")
    here = _trained_weights(0)
    there = joblib.Parallel(2)(joblib.delayed(_trained_weights)(s) for s in range(2))
    for weights in there:
        assert all((a == b).all() for a, b in zip(here, weights, strict=True))
