"""What a network of ser.nn is given: it works and is right, or the error says what to do."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from chapters.shared.gate_trace import trace
from torch import nn

from ser.batch import Batch
from ser.nn import (
    DSLSTM,
    CNNLSTMBranch,
    CNNLSTMPairBranch,
    ConcatBranch,
    DSBranch,
    DSLSTMCell,
    FrontEnd,
    Fused,
    GateNorm,
    MFCCBranch,
    OutputNorm,
    TimePool,
    align,
    fuse,
    fused_loss,
    lstm_output,
    mean_over_time,
)

torch.manual_seed(0)
X, Y = torch.randn(8, 3, 5), torch.randn(8, 3, 7)
H = torch.zeros(2, 3, 6)
PACKED = nn.utils.rnn.pack_padded_sequence(X, torch.tensor([8, 4, 2]))
OTHER = "lstm(x, y, state=(h_0, c_0))"

WRONG = {  # arguments, names, kind of error, what it says
    "h and c third": ((X, Y, (H, H)), {}, TypeError, OTHER),
    "h third": ((X, Y, H), {}, TypeError, OTHER),
    "h and c second": ((X, (H, H)), {}, TypeError, OTHER),
    "packed x": ((PACKED, Y), {}, TypeError, "pad_packed_sequence"),
    "packed y": ((X, PACKED), {}, TypeError, "pad_packed_sequence"),
    "numpy": ((X.numpy(), Y.numpy()), {}, TypeError, "torch.as_tensor"),
    "None": ((None, Y), {}, TypeError, "torch.as_tensor"),
    "float64": ((X.double(), Y.double()), {}, TypeError, "x.to(torch.float32)"),
    "y float64": ((X, Y.double()), {}, TypeError, "y.to(torch.float32)"),
    "half": ((X.half(), Y), {}, TypeError, "module.to(torch.float16)"),
    "bfloat16": ((X.bfloat16(), Y.bfloat16()), {}, TypeError, "x.to(torch.float32)"),
    "whole numbers": ((X.int(), Y), {}, TypeError, "x.float()"),
    "complex": ((X + 0j, Y), {}, TypeError, "complex64"),
    "meta": ((X.to("meta"), Y.to("meta")), {}, ValueError, "x.to('cpu')"),
    "sparse": ((X.to_sparse(), Y), {}, TypeError, "padded, with lengths"),
    "one dimension": ((X[0, 0], Y[0, 0]), {}, ValueError, "3 dimensions"),
    "four dimensions": ((X[None], Y[None]), {}, ValueError, "3 dimensions"),
    "lengths of the other dimension": ((X, Y, [3] * 8), {}, ValueError, "batch_first"),
    "lengths beyond": ((X, Y, [8, 9, 1]), {}, ValueError, "1 to 8"),
    "length zero": ((X, Y, [8, 0, 1]), {}, ValueError, "1 to 8"),
    "length below zero": ((X, Y, torch.tensor([8, -1, 1])), {}, ValueError, "1 to 8"),
    "lengths float": ((X, Y, torch.tensor([8.0, 1.0, 1.0])), {}, ValueError, "whole numbers"),
    "lengths of nothing": ((X, Y, [None, 1, 1]), {}, TypeError, "whole numbers"),
    "lengths a word": ((X, Y, "abc"), {}, TypeError, "whole numbers"),
    "lengths meta": ((X, Y, torch.tensor([8, 1, 1], device="meta")), {}, ValueError, "meta"),
    "state one tensor": ((X, Y), {"state": H}, TypeError, "pair"),
    "state of three": ((X, Y), {"state": (H, H, H)}, TypeError, "pair"),
    "state numpy": ((X, Y), {"state": (H.numpy(), H)}, TypeError, "torch.as_tensor"),
    "state float64": ((X, Y), {"state": (H, H.double())}, TypeError, "c.to(torch.float32)"),
    "state of another size": ((X, Y), {"state": (H[:1], H)}, ValueError, "(2, 3, 6)"),
}


@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
@pytest.mark.parametrize("name", WRONG)
def test_dslstm_says_what_to_do(name, reference):
    given, named, kind, said = WRONG[name]
    with pytest.raises(kind) as raised:
        DSLSTM(5, 7, 6, 2, reference=reference)(*given, **named)
    assert said in str(raised.value)


WHOLE = {
    "list": [8, 1, 5],
    "numpy": np.array([8, 1, 5]),
    "int32": torch.tensor([8, 1, 5], dtype=torch.int32),
    "uint8": torch.tensor([8, 1, 5], dtype=torch.uint8),
    "int16": torch.tensor([8, 1, 5], dtype=torch.int16),
}


@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
@pytest.mark.parametrize("name", WHOLE)
def test_lengths_of_every_whole_kind(name, reference):
    lstm = DSLSTM(5, 7, 6, 2, bidirectional=True, reference=reference)
    expected, got = lstm(X, Y, torch.tensor([8, 1, 5])), lstm(X, Y, WHOLE[name])
    assert torch.equal(got[0], expected[0])


@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
def test_what_works_is_right(reference):
    """Views, states as a list, one sequence, no sequence, low precision, shapes alone."""
    lstm = DSLSTM(5, 7, 6, 2, reference=reference)
    output, (h, _) = lstm(X, Y)
    scattered = X.permute(2, 0, 1).contiguous().permute(1, 2, 0), Y
    assert not scattered[0].is_contiguous()
    torch.testing.assert_close(lstm(*scattered)[0], output)
    torch.testing.assert_close(lstm(X[::2], Y[::2])[0], lstm(X[::2].clone(), Y[::2].clone())[0])
    torch.testing.assert_close(lstm(X, Y, state=[H, H])[0], output)
    torch.testing.assert_close(lstm(X[:, 1], Y[:, 1], [8])[0], output[:, 1])
    for lengths in (None, [], torch.zeros(0, dtype=torch.long)):
        assert lstm(X[:, :0], Y[:, :0], lengths)[0].shape == (8, 0, 6)
    for dtype, gap in ((torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.float64, 1e-6)):
        low = copy.deepcopy(lstm).to(dtype)(X.to(dtype), Y.to(dtype))[0]
        assert low.dtype == dtype
        torch.testing.assert_close(low.float(), output, rtol=0, atol=gap)
    shape = copy.deepcopy(lstm).to("meta")(X.to("meta"), Y.to("meta"), [8, 3, 2])
    assert shape[0].is_meta and shape[0].shape == output.shape and shape[1][0].shape == h.shape
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(lstm(X.bfloat16(), Y)[0].float(), output, rtol=0, atol=2e-2)


CELL = DSLSTMCell(5, 7, 6)
LSTM = nn.LSTM(5, 8, batch_first=True)
FRONT = FrontEnd(24, "s1")
S1, S2 = torch.randn(2, 24, 60), torch.randn(2, 48, 40)
MFCC = torch.randn(2, 20, 39)
BRANCHES = {
    "mfcc": MFCCBranch(hidden=8),
    "s1": CNNLSTMBranch("s1", 24, hidden=8),
    "pair": CNNLSTMPairBranch((24, 48), hidden=8),
    "ds": DSBranch((24, 48), hidden=8),
    "concat": ConcatBranch((24, 48), hidden=8),
}
STEPS, POOL, ATTENTION = torch.randn(3, 8, 6), TimePool(6), TimePool(6, "attention")
GATES, ROWS = GateNorm(6, 3), torch.rand(4, 6)
OUT = OutputNorm(6)
LOGITS, LABELS = {"a": torch.zeros(2, 4)}, torch.tensor([1, 3])
LONG, SHORT = torch.randn(2, 56, 5), torch.randn(2, 29, 7)

ELSEWHERE = {
    "cell: numpy": (lambda: CELL(X[0].numpy(), Y[0]), TypeError, "torch.as_tensor"),
    "cell: packed": (lambda: CELL(PACKED, Y[0]), TypeError, "pad_packed_sequence"),
    "cell: float64": (lambda: CELL(X[0].double(), Y[0]), TypeError, "x.to(torch.float32)"),
    "cell: all steps": (lambda: CELL(X, Y), ValueError, "(B, size)"),
    "cell: h alone": (lambda: CELL(X[0], Y[0], H[0]), TypeError, "pair"),
    "cell: lengths": (lambda: CELL(X[0], Y[0], [8, 1, 5]), TypeError, "pair"),
    "cell: meta": (lambda: CELL(X[0].to("meta"), Y[0]), ValueError, "x.to('cpu')"),
    "cell: sizes": (lambda: DSLSTMCell("5", 7, 6), TypeError, "x_size must be a whole number"),
    "dslstm: layers": (lambda: DSLSTM(5, 7, 6, 1.5), TypeError, "num_layers"),
    "lstm: numpy": (lambda: lstm_output(LSTM, X.numpy()), TypeError, "torch.as_tensor"),
    "lstm: packed": (lambda: lstm_output(LSTM, PACKED), TypeError, "pad_packed_sequence"),
    "lstm: float64": (lambda: lstm_output(LSTM, X.double()), TypeError, "x.to(torch.float32)"),
    "lstm: features": (lambda: lstm_output(LSTM, Y), ValueError, "(B, T, 5)"),
    "lstm: rank": (lambda: lstm_output(LSTM, X[0]), ValueError, "(B, T, 5)"),
    "lstm: no steps": (lambda: lstm_output(LSTM, X[:, :0]), ValueError, "one step"),
    "lstm: meta": (lambda: lstm_output(LSTM, X.to("meta")), ValueError, "x.to('cpu')"),
    "lstm: lengths": (lambda: lstm_output(LSTM, X, [3] * 7 + [4]), ValueError, "1 to 3"),
    "lstm: order": (lambda: lstm_output(LSTM, X, [1, 2, 3]), ValueError, "batch_first"),
    "lstm: time first": (
        lambda: lstm_output(nn.LSTM(5, 8), X, [3] * 8), ValueError, "batch_first=True"
    ),
    "front: numpy": (lambda: FRONT(S1.numpy()), TypeError, "torch.as_tensor"),
    "front: float64": (lambda: FRONT(S1.double()), TypeError, "spectrogram.to(torch.float32)"),
    "front: rank": (lambda: FRONT(S1[0]), ValueError, "(B, 24, T)"),
    "front: lengths": (lambda: FRONT(S1, [60, 61]), ValueError, "0 to 60"),
    "front: float lengths": (lambda: FRONT(S1, torch.ones(2)), ValueError, "whole numbers"),
    "front: one length": (lambda: FRONT(S1, [60]), ValueError, "(2,)"),
    "front: size": (lambda: FrontEnd(40.5), TypeError, "n_mels"),
    "pool: numpy": (lambda: POOL(STEPS.numpy()), TypeError, "torch.as_tensor"),
    "pool: float64": (lambda: ATTENTION(STEPS.double()), TypeError, "steps.to(torch.float32)"),
    "pool: rank": (lambda: POOL(STEPS[0]), ValueError, "(B, T, H)"),
    "pool: features": (lambda: ATTENTION(STEPS[..., :5]), ValueError, "(B, T, 6)"),
    "pool: length zero": (lambda: POOL(STEPS, [8, 0, 1]), ValueError, "1 to 8"),
    "mean: beyond": (lambda: mean_over_time(STEPS, [8, 9, 1]), ValueError, "1 to 8"),
    "mean: no steps": (lambda: mean_over_time(STEPS[:, :0]), ValueError, "at least one"),
    "align: numpy": (lambda: align(LONG.numpy(), SHORT), TypeError, "torch.as_tensor"),
    "align: beyond": (
        lambda: align(LONG, SHORT, [57, 40], [29, 20]), ValueError, "x_lengths must lie in 0 to 56"
    ),
    "align: one": (lambda: align(LONG, SHORT, [56, 40]), ValueError, "both"),
    "gates: numpy": (lambda: GATES(ROWS.numpy(), 0), TypeError, "torch.as_tensor"),
    "gates: features": (lambda: GATES(ROWS[:, :1], 0), ValueError, "(B, 6)"),
    "gates: step": (lambda: GATES(ROWS, -1), ValueError, "at least 0"),
    "gates: valid": (
        lambda: GATES(ROWS, 0, torch.tensor([1, 1, 0, 0])), ValueError, "truth values"
    ),
    "output: valid": (lambda: OUT(ROWS, torch.tensor([True])), ValueError, "4 truth values"),
    "output: features": (lambda: OUT(ROWS[:, :1]), ValueError, "(B, 6)"),
    "trace: numpy": (
        lambda: trace(DSLSTM(5, 7, 6).layers[0], X.numpy(), Y), TypeError, "torch.as_tensor"
    ),
    "fuse: shapes": (lambda: fuse(ROWS, ROWS[:2]), ValueError, "alike"),
    "fuse: mapping": (lambda: fuse(LOGITS), TypeError, "dict"),
    "loss: nothing": (lambda: fused_loss({}, LABELS), ValueError, "no branch"),
    "loss: float labels": (lambda: fused_loss(LOGITS, LABELS.float()), ValueError, "whole"),
    "loss: classes": (lambda: fused_loss(LOGITS, LABELS + 1), ValueError, "0 to 3"),
    "loss: no labels": (
        lambda: Fused({"mfcc": BRANCHES["mfcc"]}).loss(Batch(mfcc=MFCC)), ValueError, "labels"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ELSEWHERE)
def test_every_other_part_says_what_to_do(name):
    action, kind, said = ELSEWHERE[name]
    with pytest.raises(kind) as raised:
        action()
    assert said in str(raised.value)


@pytest.mark.parametrize("name", BRANCHES)
def test_a_branch_says_what_its_batch_lacks(name):
    branch, first = BRANCHES[name], "mfcc" if name == "mfcc" else "s1"
    with pytest.raises(ValueError, match=f"no {first}"):
        branch(Batch())
    with pytest.raises(TypeError, match=r"ser\.batch\.Batch"):
        branch(S1)
    with pytest.raises(TypeError, match=r"torch\.as_tensor"):
        branch(Batch(mfcc=MFCC.numpy(), s1=S1.numpy(), s2=S2.numpy()))
    whole = Batch(mfcc=MFCC, s1=S1, s2=S2)
    assert branch(whole).shape == (2, 4)
    assert branch(Batch(mfcc=MFCC[:0], s1=S1[:0], s2=S2[:0])).shape == (0, 4)
    shapes = copy.deepcopy(branch).to("meta")
    assert shapes(whole.to("meta")).shape == (2, 4)


@pytest.mark.parametrize("branch", [BRANCHES["ds"], BRANCHES["concat"]], ids=["ds", "concat"])
@pytest.mark.parametrize("name", ["s1_lengths", "s2_lengths"])
def test_lengths_of_one_spectrogram_alone(branch, name):
    """Those of s2 alone would have been left out without a word."""
    with pytest.raises(ValueError, match="or neither"):
        branch(Batch(s1=S1, s2=S2, **{name: torch.tensor([40, 36])}))


def test_parts_that_work_are_right():
    for lengths in (None, [], torch.zeros(0, dtype=torch.long)):
        assert lstm_output(LSTM, X[:0], lengths).shape == (0, 3, 8)
        assert FRONT(S1[:0], lengths).shape == (0, FRONT.out_lengths(60), FRONT.size)
        assert ATTENTION(STEPS[:0], lengths).shape == (0, 6)
    assert CELL(X[0, :0], Y[0, :0])[0].shape == (0, 6)
    both = nn.LSTM(5, 8, batch_first=True, bidirectional=True)
    assert lstm_output(both, X[:0], []).shape == (0, 3, 16)
    turned = S1.transpose(1, 2).contiguous().transpose(1, 2)
    torch.testing.assert_close(FRONT(turned, [60, 40]), FRONT(S1, torch.tensor([60, 40])))
    labels = np.array([1, 3])
    assert fused_loss(LOGITS, labels) == fused_loss(LOGITS, LABELS.int()) == np.log(4).astype("f")
    shape = lstm_output(copy.deepcopy(LSTM).to("meta"), X.to("meta"), [3] * 8)
    assert shape.shape == (8, 3, 8)
