"""The two costly parts alone: the recurrent layer and the convolutional front end."""

from __future__ import annotations

import pytest

from benchmarks.pairs import HIDDEN, STEPS, front_end_pair, packed_pair, recurrent_pair
from ser.allocator import tune_allocator


@pytest.mark.parametrize("device", ["cpu"])
@pytest.mark.parametrize("norms", [False, True], ids=["equations", "norms"])
@pytest.mark.parametrize("batch", [32, 128])
def test_ds_lstm_against_nn_lstm(compare, device, batch, norms):
    """Goal: 2.3 times. By operation count: 1.9.

    Once the paper's equations, once with the release's batch norms of gates and output.
    """
    tune_allocator()
    options = {"gate_norm": norms, "output_norm": norms}
    ours, plain = recurrent_pair(device, batch, STEPS, HIDDEN, **options)
    compare(
        ours,
        plain,
        against="nn.LSTM over the concatenated pair",
        goal=2.3,
        cost=True,
        rounds=15,
        warm_up=3,
        device=device,
    )


@pytest.mark.parametrize("batch", [32, 128])
def test_lstm_of_lengths(compare, batch):
    """The MFCC branch's LSTM over lengths like EmoDB's, against torch's packed sequences."""
    tune_allocator()
    ours, plain = packed_pair(batch)
    compare(ours, plain, against="nn.LSTM over packed sequences", rounds=7, warm_up=1)


@pytest.mark.parametrize(
    ("axis", "value"),
    [("T", v) for v in (7, 14, 27, 54, 108, 216)]
    + [("batch", v) for v in (4, 8, 16, 32, 64, 128)]
    + [("hidden", v) for v in (25, 50, 100, 200, 400)],
)
def test_ds_lstm_scaling(compare, quick, axis, value):
    """Cost against each size, the others as released (T 27, batch 32, hidden 200)."""
    if quick and value > 60:
        pytest.skip("--quick leaves the large sizes out")
    tune_allocator()
    sizes = {"T": STEPS, "batch": 32, "hidden": HIDDEN} | {axis: value}
    ours, plain = recurrent_pair("cpu", sizes["batch"], sizes["T"], sizes["hidden"])
    compare(
        ours,
        plain,
        against="nn.LSTM over the concatenated pair",
        cost=True,
        axis=axis,
        value=value,
        rounds=7,
        warm_up=2,
    )


@pytest.mark.parametrize("which", ["s1", "s2"])
def test_front_end_against_as_written(compare, which):
    """Goal: 3 times faster than convolution, batch norm, ReLU, pool as written; same allocator."""
    tune_allocator()
    ours, plain = front_end_pair("cpu", 32, which)
    compare(
        ours,
        plain,
        against="the formulas as written, same allocator",
        goal=3,
        rounds=5,
    )
