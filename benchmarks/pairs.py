"""Ours and the plain thing as two functions of no arguments, on a CPU or a GPU."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator

import torch
from torch import nn

from benchmarks.inputs import plain_model, reference, release_batch, training_step
from ser.models import build_model
from ser.nn import DSLSTM, FrontEnd
from ser.nn.lstm import lstm_output
from ser.training import TrainConfig, make_optimiser
from ser.training.loop import branch_logits

X_SIZE, Y_SIZE, HIDDEN, STEPS = 496, 1008, 200, 27
"""What the released front ends and the alignment give at 128 x 230 and 256 x 120."""
WARM_UP = 6
"""Calls before the clock starts on a GPU: kernels compiled, algorithms chosen, graphs captured."""
ROUND_SECONDS = 0.03
"""A round on a GPU is as many calls back to back as take so long, then a wait for the device."""

Pair = tuple[Callable[[], None], Callable[[], None]]


def wait(device: str) -> None:
    """Until a GPU has done all it was asked to do."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def forward_and_backward(run: Callable[[], torch.Tensor]) -> Callable[[], None]:
    """A function that makes the output and the gradients of its sum of squares."""

    def step() -> None:
        run().square().sum().backward()

    return step


def recurrent_pair(device: str, batch: int, steps: int, hidden: int, **options: bool) -> Pair:
    """DS-LSTM and nn.LSTM over the concatenated pair, both with two layers."""
    torch.manual_seed(0)
    x = torch.randn(batch, steps, X_SIZE, device=device, requires_grad=True)
    y = torch.randn(batch, steps, Y_SIZE, device=device, requires_grad=True)
    ours = DSLSTM(X_SIZE, Y_SIZE, hidden, num_layers=2, batch_first=True, **options).to(device)
    plain = nn.LSTM(X_SIZE + Y_SIZE, hidden, num_layers=2, batch_first=True).to(device)
    return (
        forward_and_backward(lambda: ours(x, y)[0]),
        forward_and_backward(lambda: plain(torch.cat([x, y], 2))[0]),
    )


def packed_pair(batch: int) -> Pair:
    """The MFCC branch's LSTM over sequences of different lengths: ours, and nn.LSTM over packed."""
    data = release_batch(batch)
    torch.manual_seed(0)
    lstm = nn.LSTM(data.mfcc.shape[2], HIDDEN, num_layers=2, batch_first=True)
    x, lengths = data.mfcc / 10, data.mfcc_lengths
    return (
        forward_and_backward(lambda: lstm_output(lstm, x, lengths)),
        forward_and_backward(lambda: lstm_output(lstm, x, lengths, fast=False)),
    )


def front_end_pair(device: str, batch: int, which: str) -> Pair:
    """The front end of one spectrogram, and convolution, batch norm, ReLU, pool as written."""
    kernel, shape = {"s1": ((4, 2), (128, 230)), "s2": ((2, 4), (256, 120))}[which]
    torch.manual_seed(0)
    spectrogram = 50 + 20 * torch.randn(batch, *shape).to(device)
    ours = FrontEnd(shape[0], which).to(device)
    plain = reference.PlainFrontEnd(kernel).to(device)
    return (
        forward_and_backward(lambda: ours(spectrogram)),
        forward_and_backward(lambda: plain(spectrogram)),
    )


def step_pair(device: str, batch: int, row: str, hidden: int = HIDDEN) -> Pair:
    """A training step of a row's network as the package takes it, and of the plain formulas."""
    data = release_batch(batch, device=device)
    torch.manual_seed(0)
    ours = build_model(row, "release", hidden=hidden).to(device).train()
    plain = plain_model(row, hidden).to(device).train()
    optimisers = (
        make_optimiser(ours, TrainConfig(lr=1e-3)),
        torch.optim.Adam(plain.parameters(), lr=1e-3),
    )
    return (
        training_step(lambda batch: branch_logits(ours, batch)[0], data, optimisers[0]),
        training_step(plain, data, optimisers[1]),
    )


@contextlib.contextmanager
def tf32_of_cudnn(on: bool | None) -> Iterator[bool]:
    """Whether cuDNN's LSTM and convolutions may round factors to TF32; None: as it is."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = before if on is None else on
    try:
        yield torch.backends.cudnn.allow_tf32
    finally:
        torch.backends.cudnn.allow_tf32 = before


def warm(work: Callable[[], None], device: str, calls: int = WARM_UP) -> int:
    """Call *work* some times; how many calls then make a round of about ROUND_SECONDS."""
    for _ in range(calls):
        work()
    wait(device)
    begun = time.perf_counter()
    work()
    wait(device)
    return max(1, min(200, math.ceil(ROUND_SECONDS / (time.perf_counter() - begun))))


def repeated(work: Callable[[], None], count: int, device: str) -> Callable[[], None]:
    """*work* so many times back to back, then a wait: what the clock goes around."""

    def run() -> None:
        for _ in range(count):
            work()
        wait(device)

    return run
