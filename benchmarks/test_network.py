"""The two costly parts alone: the recurrent layer and the convolutional front end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from benchmarks.inputs import reference
from ser.allocator import tune_allocator
from ser.nn import DSLSTM, FrontEnd

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.skipif("not torch.cuda.is_available()"))]
X_SIZE, Y_SIZE, HIDDEN, STEPS = 496, 1008, 200, 27
"""What the released front ends and the alignment give at 128 x 230 and 256 x 120."""


def forward_and_backward(run: Callable[[], torch.Tensor], device: str) -> Callable[[], None]:
    """A function that makes the output and the gradients of its sum of squares, and waits."""

    def step() -> None:
        run().square().sum().backward()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def recurrent_pair(
    device: str, batch: int, steps: int, hidden: int, **options: object
) -> tuple[Callable[[], None], Callable[[], None]]:
    """DS-LSTM and nn.LSTM over the concatenated pair, both with two layers."""
    torch.manual_seed(0)
    x = torch.randn(batch, steps, X_SIZE, device=device, requires_grad=True)
    y = torch.randn(batch, steps, Y_SIZE, device=device, requires_grad=True)
    ours = DSLSTM(X_SIZE, Y_SIZE, hidden, num_layers=2, batch_first=True, **options).to(device)
    plain = nn.LSTM(X_SIZE + Y_SIZE, hidden, num_layers=2, batch_first=True).to(device)
    return (
        forward_and_backward(lambda: ours(x, y)[0], device),
        forward_and_backward(lambda: plain(torch.cat([x, y], 2))[0], device),
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("norms", [False, True], ids=["equations", "norms"])
@pytest.mark.parametrize("batch", [32, 128])
def test_ds_lstm_against_nn_lstm(compare, device, batch, norms):
    """Goal: 2.2 times on a CPU, 2 times cuDNN's at batch 128. By operation count: 1.9.

    Once the paper's equations, once with the release's batch norms of gates and output.
    """
    tune_allocator()
    options = {"gate_norm": norms, "output_norm": norms}
    ours, plain = recurrent_pair(device, batch, STEPS, HIDDEN, **options)
    compare(
        ours,
        plain,
        against="nn.LSTM over the concatenated pair",
        goal=2.2 if device == "cpu" else 2.0,
        cost=True,
        rounds=15,
        warm_up=3,
        device=device,
    )


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
    kernel, shape = {"s1": ((4, 2), (128, 230)), "s2": ((2, 4), (256, 120))}[which]
    torch.manual_seed(0)
    spectrogram = 50 + 20 * torch.randn(32, *shape)
    ours, plain = FrontEnd(shape[0], which), reference.PlainFrontEnd(kernel)
    compare(
        forward_and_backward(lambda: ours(spectrogram), "cpu"),
        forward_and_backward(lambda: plain(spectrogram), "cpu"),
        against="the formulas as written, same allocator",
        goal=3,
        rounds=5,
    )
