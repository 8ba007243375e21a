"""On a GPU: the recurrent layer, the front end, and training steps, each against the plain thing.

A round is many calls back to back, and the clock stops when the device has done them. What cuDNN
rounds to TF32 by itself is told with each row; ours multiplies in float32 unless asked otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from benchmarks.pairs import (
    HIDDEN,
    STEPS,
    Pair,
    front_end_pair,
    recurrent_pair,
    repeated,
    step_pair,
    tf32_of_cudnn,
    warm,
)

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no NVIDIA GPU")
DEVICE = "cuda"
ROWS = ("mfcc-lstm", "cnn-lstm-s1", "cnn-lstm-s2", "cnn-lstm-pair", "ds-lstm")
NORMS = {"gate_norm": True, "output_norm": True}
ROUNDS = 9


@pytest.fixture
def on_gpu(compare, quick) -> Callable:
    """``compare`` for a pair on the GPU, all of the start before the clock."""

    def measure(pair: Pair, **extra: object) -> None:
        counts = [1 if quick else count for count in (warm(work, DEVICE) for work in pair)]
        ours, plain = (repeated(w, n, DEVICE) for w, n in zip(pair, counts, strict=True))
        told = {"device": DEVICE, "matmul_tf32": torch.backends.cuda.matmul.allow_tf32}
        compare(
            ours,
            plain,
            repeats=counts[0],
            plain_repeats=counts[1],
            rounds=ROUNDS,
            warm_up=1,
            cudnn_tf32=torch.backends.cudnn.allow_tf32,
            **told,
            **extra,
        )

    return measure


@pytest.mark.parametrize("tf32", [None, False], ids=["as_set_up", "float32"])
@pytest.mark.parametrize("norms", [False, True], ids=["equations", "norms"])
@pytest.mark.parametrize("batch", [32, 128])
def test_ds_lstm_against_cudnn(on_gpu, batch, norms, tf32):
    """Goal: 2 times cuDNN's nn.LSTM at batch 128, as torch sets it up. By operation count: 1.9.

    As set up, cuDNN rounds factors to TF32, which the DS-LSTM does not; once more without.
    """
    with tf32_of_cudnn(tf32) as rounded:
        options = dict.fromkeys(NORMS, norms)
        on_gpu(
            recurrent_pair(DEVICE, batch, STEPS, HIDDEN, **options),
            against=f"cuDNN's nn.LSTM over the pair, in {'TF32' if rounded else 'float32'}",
            goal=2.0 if batch == 128 and tf32 is None else None,
            cost=True,
        )


@pytest.mark.parametrize("value", [7, 27, 108])
def test_ds_lstm_scaling_cuda(on_gpu, value):
    """Cost against T with the release's norms, the rest as released (batch 128, hidden 200)."""
    on_gpu(
        recurrent_pair(DEVICE, 128, value, HIDDEN, **NORMS),
        against="cuDNN's nn.LSTM over the concatenated pair",
        cost=True,
        axis="T",
        value=value,
        batch=128,
    )


@pytest.mark.parametrize("which", ["s1", "s2"])
@pytest.mark.parametrize("batch", [32, 128])
def test_front_end_on_cuda(on_gpu, batch, which):
    """Convolution, batch norm, ReLU, pool: ours against as written, both on the GPU."""
    on_gpu(front_end_pair(DEVICE, batch, which), against="the formulas as written, same GPU")


@pytest.mark.parametrize("batch", [32, 128])
@pytest.mark.parametrize("row", ROWS)
def test_training_step_on_cuda(on_gpu, row, batch):
    """Forward, backward and Adam: ours against the release's formulas, both on the GPU."""
    on_gpu(step_pair(DEVICE, batch, row), against="the release's formulas as written, same GPU")
