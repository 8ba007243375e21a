"""Whether a faster way is taken is decided in one place, and can be heard."""

from __future__ import annotations

import importlib
import logging
import re
import sys

import pytest
import torch
from conftest import ROOT
from torch import nn

from ser.nn import DSLSTM, DSLSTMCell, FrontEnd, fast, lstm_output
from ser.nn.cpu import first_block


@pytest.fixture(autouse=True)
def told(caplog):
    fast._say.cache_clear()
    caplog.set_level(logging.INFO, "ser")
    caplog.set_level(logging.INFO, "ser.nn.fast")
    return caplog


def test_every_way_of_the_table_is_there_and_so_is_its_proof():
    for way in fast.WAYS:
        assert callable(importlib.import_module(way.module).why_not)
        assert (ROOT / way.proof.partition(",")[0]).is_file()
    kinds = [(way.layer, way.device) for way in fast.WAYS]
    assert len(set(kinds)) == len(kinds)  # one a layer and device at most


def test_equations_do_not_import_the_ways():
    """They can be read, and run, without them."""
    for path in (ROOT / "ser" / "nn").glob("*.py"):
        text = path.read_text("utf-8")
        assert not re.findall(r"^(?:from|import) ser\.nn\.(?:cpu|cuda).*", text, re.MULTILINE), path


def test_each_layer_says_once_which_way_it_went(told):
    front, lstm = FrontEnd(16), nn.LSTM(4, 8, batch_first=True)
    ds = DSLSTM(4, 4, 8)
    for _ in range(2):
        front(torch.randn(2, 16, 30))
        lstm_output(lstm, torch.randn(2, 5, 4), torch.tensor([5, 3]))
        ds(torch.randn(3, 2, 4), torch.randn(3, 2, 4))
    lines = [r.getMessage() for r in told.records if r.name == "ser.nn.fast"]
    assert lines == [
        "first block on cpu: ser.nn.cpu.first_block",
        "first block on cpu: the equations (the convolution is not one of 1 channel and 8 taps)",
        "LSTM on cpu: ser.nn.cpu.lstm",
        "DS-LSTM on cpu: ser.nn.cpu.dslstm",
    ]


def test_nothing_is_said_or_taken_where_nobody_asks(told):
    FrontEnd(16, fast=False)(torch.randn(2, 16, 30))
    DSLSTM(4, 4, 8, reference=True)(torch.randn(3, 2, 4), torch.randn(3, 2, 4))
    assert not told.records


def test_a_missing_numba_is_told_once_and_loudly(told, monkeypatch):
    front, x = FrontEnd(16), torch.randn(2, 16, 30)
    expected = front.eval()(x)
    monkeypatch.setitem(sys.modules, "ser.nn.cpu.first_block_numba", None)
    monkeypatch.delattr("ser.nn.cpu.first_block_numba", raising=False)
    first_block._loops.cache_clear()
    for _ in range(2):
        torch.testing.assert_close(front(x), expected, rtol=1e-5, atol=1e-5)
    (line,) = [r for r in told.records if r.levelname == "WARNING"]
    assert "pip install numba" in line.getMessage()
    first_block._loops.cache_clear()


@pytest.mark.parametrize("options", [{}, {"gate_norm": True, "output_norm": True}])
@pytest.mark.parametrize("y_candidate", [True, False])
@pytest.mark.parametrize("lengths", [None, [9, 4, 1, 7, 9, 3, 2, 5, 8, 9]])
def test_a_ds_lstm_without_biases(options, y_candidate, lengths):
    torch.manual_seed(0)
    options = {**options, "y_candidate": y_candidate, "bias": False, "dtype": torch.float64}
    ours, plain = DSLSTM(5, 7, 6, 2, **options), DSLSTM(5, 7, 6, 2, reference=True, **options)
    plain.load_state_dict(ours.state_dict())
    assert not [name for name in ours.state_dict() if "cell.b" in name]
    lengths = lengths and torch.tensor(lengths)
    x, y, found = torch.randn(9, 10, 5).double(), torch.randn(9, 10, 7).double(), []
    for lstm in (ours, plain):
        output, (h, c) = lstm(x, y, lengths)
        (output.square().sum() + (h + c).sum()).backward()
        found.append([output, h, c, *(p.grad for p in lstm.parameters()), *lstm.buffers()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    for k, layer in enumerate(ours.layers):  # as a cell whose biases are all zero
        cell = DSLSTMCell(5 if k == 0 else 6, 7, 6, y_candidate, dtype=torch.float64)
        cell.load_state_dict(layer.cell.state_dict(), strict=False)
        nn.init.zeros_(cell.b), nn.init.zeros_(cell.b_T)
        if y_candidate:
            nn.init.zeros_(cell.b_F)
        given = torch.randn(2, cell.x_size).double(), torch.randn(2, 7).double()
        for a, b in zip(layer.cell(*given), cell(*given), strict=True):
            torch.testing.assert_close(a, b)
    assert "bias=False" in repr(ours)


def test_device_and_dtype_are_as_torchs_lstm_takes_them():
    options = {"gate_norm": True, "output_norm": True, "device": "meta", "dtype": torch.bfloat16}
    for module in (DSLSTM(5, 7, 6, 2, **options), DSLSTMCell(5, 7, 6, device="meta")):
        tensors = [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]
        assert {t.device.type for t in tensors} == {"meta"}
        assert {t.dtype for t in tensors} <= {torch.bfloat16, torch.float32}
    named = DSLSTM(5, 7, 6, 2, **options).state_dict()
    plain = DSLSTM(5, 7, 6, 2, gate_norm=True, output_norm=True).state_dict()
    assert [(k, v.shape) for k, v in named.items()] == [(k, v.shape) for k, v in plain.items()]


def test_ser_log_says_which_way_ran(monkeypatch, capfd):
    """In the command; without it, what is done is said and the ways are not."""
    from ser.cli import main

    ways, ours = logging.getLogger("ser.nn.fast"), logging.getLogger("ser")
    before = ways.level, ours.level
    try:
        for level, heard in ((None, False), ("info", True), ("warning", False)):
            monkeypatch.delenv("SER_LOG", raising=False)
            if level:
                monkeypatch.setenv("SER_LOG", level)
            assert main(["corpora"]) == 0
            assert ways.isEnabledFor(logging.INFO) == heard
            assert ours.isEnabledFor(logging.INFO) == (level != "warning")
        monkeypatch.setenv("SER_LOG", "loud")
        assert main(["corpora"]) == 2
        assert "SER_LOG is 'loud'; give one of debug, info" in capfd.readouterr().err
    finally:
        ways.setLevel(before[0]), ours.setLevel(before[1])
