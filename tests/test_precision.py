"""bfloat16 as an option: what it changes, what it leaves alone, and old fingerprints."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ser.batch import Batch
from ser.errors import TrainingError
from ser.experiments.record_folder import record_files
from ser.experiments.record_table import FILE, RecordFile
from ser.experiments.records import fingerprint
from ser.models import build_model
from ser.nn import DSLSTM, DSBranch, MFCCBranch
from ser.nn import lstm as lstm_module
from ser.nn.lstm import lstm_output
from ser.nn.precision import PRECISIONS, in_software, precision_context
from ser.training import TrainConfig

RESULTS = Path(__file__).parent.parent / "book" / "results"


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def gradients(model, *inputs, precision="float32"):
    model.zero_grad()
    with precision_context(precision, "cpu"):
        output = model(*inputs)
    output = output[0] if isinstance(output, tuple) else output
    draw = torch.Generator().manual_seed(1)
    (output.float() * torch.randn(output.shape, generator=draw)).sum().backward()
    return output.detach().to(torch.float32), [p.grad.clone() for p in model.parameters()]


def off_by(got, expected):
    return float((got - expected).detach().norm() / expected.detach().norm().clamp_min(1e-3))


@pytest.mark.parametrize("norms", [False, True], ids=["equations", "norms"])
@pytest.mark.parametrize("lengths", [None, [9, 5, 9, 2, 1, 9, 8, 3, 9, 4, 6, 1]])
def test_dslstm_in_bfloat16_is_close_and_keeps_float32(norms, lengths):
    model = DSLSTM(24, 16, 32, 2, gate_norm=norms, output_norm=norms)
    x, y = torch.randn(9, 12, 24), torch.randn(9, 12, 16)
    lengths = lengths and torch.tensor(lengths)
    state = {k: v.clone() for k, v in model.state_dict().items()}
    expected, grads = gradients(model, x, y, lengths)
    model.load_state_dict(state)
    got, low = gradients(model, x, y, lengths, precision="bfloat16")
    assert 0 < off_by(got, expected) < 0.05
    for a, b in zip(low, grads, strict=True):
        assert a.dtype == torch.float32 and off_by(a, b) < 0.25
    assert all(v.dtype in (torch.float32, torch.long) for v in model.state_dict().values())
    with precision_context("bfloat16", "cpu"):
        output, (h, c) = model(x, y, lengths)
    assert output.dtype == h.dtype == c.dtype == torch.float32


def test_low_products_are_torch_s():
    """One step from zero states: the products are bfloat16's, the rest is float32's."""
    model = DSLSTM(24, 16, 32)
    cell = model.layers[0].cell
    x, y = torch.randn(1, 5, 24), torch.randn(1, 5, 16)
    with precision_context("bfloat16", "cpu"):
        got = model(x, y)[1][1][0]
    b = torch.bfloat16
    parts = x[0].to(b) @ cell.W[:, :24].to(b).T, y[0].to(b) @ cell.W[:, 24:40].to(b).T
    gates = torch.sigmoid(sum(p.float() for p in parts) + cell.b)
    g_t = torch.tanh((x[0].to(b) @ cell.W_T[:, :24].to(b).T).float() + cell.b_T)
    g_f = torch.tanh((y[0].to(b) @ cell.W_F[:, :16].to(b).T).float() + cell.b_F)
    expected = gates[:, 32:64] * g_t + gates[:, 96:] * g_f
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("norms", [False, True], ids=["equations", "norms"])
def test_not_a_number_stays_one(norms):
    for precision in PRECISIONS:
        model = DSLSTM(5, 7, 6, gate_norm=norms)
        x, y = torch.randn(3, 4, 5), torch.randn(3, 4, 7)
        x[1, 2, 0] = float("nan")
        with precision_context(precision, "cpu"):
            output = model(x, y)[0]
        assert torch.isnan(output[1, 2]).any() and torch.isfinite(output[0]).all()


@pytest.mark.parametrize("size", [1e2, 1e4, 1e30])
def test_saturated_gates_stay_finite(size):
    model, reference = DSLSTM(5, 7, 6), DSLSTM(5, 7, 6, reference=True)
    reference.load_state_dict(model.state_dict())
    x, y = size * torch.randn(3, 4, 5), size * torch.randn(3, 4, 7)
    got, low = gradients(model, x, y)
    expected, grads = gradients(reference, x, y)
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)
    assert all(torch.isfinite(g).all() for g in low) == all(torch.isfinite(g).all() for g in grads)


def test_the_layer_in_bfloat16_gives_float32():
    low = gradients(
        DSLSTM(24, 16, 8), torch.randn(9, 4, 24), torch.randn(9, 4, 16), precision="bfloat16"
    )
    assert low[0].dtype == torch.float32 and all(torch.isfinite(g).all() for g in low[1])


@pytest.mark.parametrize("row", ["mfcc-lstm", "ds-lstm", "dual", "cnn-lstm-s1"])
def test_a_step_of_every_kind_of_row(row):
    torch.manual_seed(0)
    lengths = torch.tensor([60, 41])
    batch = Batch(torch.randn(2, 60, 39), lengths, torch.randn(2, 128, 30), None,
                  torch.randn(2, 256, 16), None, torch.tensor([0, 3]))  # fmt: skip
    model = build_model(row, hidden=16, seed=0)
    with precision_context("bfloat16", "cpu"):
        logits = model(batch)
    logits.float().logsumexp(1).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    assert off_by(logits.float(), build_model(row, hidden=16, seed=0)(batch)) < 0.3


def test_true_lengths_in_bfloat16():
    lengths = torch.tensor([30, 22, 26])
    batch = Batch(s1=torch.randn(3, 128, 60), s1_lengths=2 * lengths, s2=torch.randn(3, 256, 30),
                  s2_lengths=lengths)  # fmt: skip
    model = DSBranch((128, 256), hidden=8)
    with precision_context("bfloat16", "cpu"):
        model(batch).float().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    mfcc = Batch(mfcc=torch.randn(3, 30, 39), mfcc_lengths=lengths)
    with precision_context("bfloat16", "cpu"):
        MFCCBranch(hidden=8)(mfcc).float().sum().backward()


def test_settings_without_a_choice_are_as_before():
    """Records and checkpoints made before the option keep their fingerprint."""
    before = {
        "epochs": 50, "batch_size": 128, "lr": 1e-3, "optimiser": "adam", "weight_decay": 0.0,
        "milestones": [10, 20, 30], "gamma": 0.5, "clip": 0.0, "frames": "preset", "hidden": 200,
    }  # fmt: skip
    assert TrainConfig().as_dict() == before
    assert fingerprint({"train": TrainConfig().as_dict()}) == fingerprint({"train": before})
    low = TrainConfig(precision="bfloat16").as_dict()
    assert low == before | {"precision": "bfloat16"}
    assert TrainConfig(**low).as_dict() == low


def test_committed_records_have_today_s_settings():
    files = [file for file in record_files(RESULTS) if file.name == FILE]
    if not files:
        pytest.skip("no committed records here")
    seen = 0
    for record in (r for file in files for r in RecordFile(file).records):
        config = dict(record["config"])
        if "epochs" not in config:
            continue  # a baseline
        config.pop("joint")
        settings = {k: v for k, v in config.items() if k in TrainConfig.__dataclass_fields__}
        assert TrainConfig(**settings).as_dict() == settings
        seen += 1
    assert seen


def test_unknown_precision():
    with pytest.raises(TrainingError, match="precision = half"):
        TrainConfig(precision="half")
    with pytest.raises(ValueError, match="half"):
        precision_context("half", "cpu")


def test_lstm_in_bfloat16_where_torch_has_none_for_the_processor(monkeypatch):
    """Then it computes in float32, with lengths and without, and gradients reach the input."""
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(5, 4, 2, batch_first=True)
    x, lengths = torch.randn(3, 7, 5, requires_grad=True), torch.tensor([7, 2, 5])
    monkeypatch.setattr(lstm_module, "_works", lambda _: False)
    for given in (None, lengths):
        with precision_context("bfloat16", "cpu"):
            output = lstm_output(lstm, x.bfloat16(), given)
        torch.testing.assert_close(output, lstm_output(lstm, x.bfloat16().float(), given))
        output.sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("has", "software"),
    [
        ({"avx2": True, "avx512_f": False, "avx512_bf16": False}, True),
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, True),
        ({"avx512_f": True, "avx512_bf16": True}, False),
        ({"avx512_bf16": False, "amx_bf16": True}, False),
        ({"neon": True, "bf16": True}, False),
        ({"neon": True, "bf16": False}, True),
    ],
)
def test_what_torch_computes_in_software(monkeypatch, has, software):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has)
    assert in_software("bfloat16", "cpu") is software
    assert not in_software("float32", "cpu")
    assert not in_software("bfloat16", "cuda")
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not in_software("bfloat16", "cpu")
