"""torch.nn.LSTM in training on a GPU, all its layers in one recurrence.

Layer l can make its step t as soon as the layer below has made it. So in wave s all layers work
at once, layer l at its step s - l, and the stack is one LSTM of ``layers * H`` units whose
recurrent weight has the layers' own weights on its diagonal and those from layer to layer beside
it. A layer that has not begun is held at zero by an input gate that is shut. A wave is one matrix
product and one kernel (:mod:`ser.nn.triton_steps`: a DS-LSTM without y is an LSTM), and all waves
are one CUDA graph. A batch is padded to its longest sequence, so that one decides how many waves.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.nn import triton_steps
from ser.nn.cuda_graphs import FUSED, CudaReplay, GraphRecurrence, Graphs, Lease, Steps
from ser.nn.proof import doubt

log = logging.getLogger(__name__)

BUCKET = 128
"""Sequences are padded to a multiple of so many steps, so that few graphs serve all batches."""
GRAPHS = 8
"""Captured graphs kept; each holds its batch's gates."""
LAYERS = 3
"""At most; the zeros in the weight grow with the square of the layers."""
SHUT = -1e4
"""Before the sigmoid, of an input gate that lets nothing in."""
TOLERANCE = 2e-3
"""Largest deviation in the proof."""
_ORDER = (2, 1, 0, 3)
"""torch's blocks i, f, g, o in the order of :mod:`ser.nn.functional`: g, f, i, o."""


def applies(lstm: nn.LSTM, x: Tensor) -> bool:
    """Whether :func:`output` can stand in: training on a GPU in float32, one direction."""
    return (
        x.device.type == "cuda"
        and torch.is_grad_enabled()
        and lstm.weight_hh_l0.requires_grad
        and x.dtype == lstm.weight_hh_l0.dtype == torch.float32
        and lstm.num_layers <= LAYERS
        and not (lstm.bidirectional or lstm.proj_size or (lstm.dropout and lstm.training))
        and lstm.bias
        and x.shape[1] > 0
        and triton_steps.fits(len(x), x.dtype)
        and not torch.cuda.is_current_stream_capturing()
        and proven(str(x.device))
    )


def output(lstm: nn.LSTM, x: Tensor) -> Tensor | None:
    """``lstm(x)[0]`` of padded x (B, T, size), or None: a shape's first time, or too little memory.

    What stands beyond a sequence's end has no influence on what is before it.
    """
    steps = -(-x.shape[1] // BUCKET) * BUCKET
    room = int(room_for_graphs(x.device) // held_bytes(lstm, len(x), steps))
    if not room:
        return None
    graphs, nothing = _graphs(), [None] * 4
    graphs.limit = min(GRAPHS, room)
    here = torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext()
    with here, torch.autocast(x.device.type, enabled=False):
        inputs, sizes = waves(lstm, F.pad(x, (0, 0, 0, steps - x.shape[1])))
        try:
            lease = graphs.lease((*inputs, *nothing), (sizes, 0.0, False))
        except torch.OutOfMemoryError:
            graphs.kept.clear()
            torch.cuda.empty_cache()
            log.warning("no memory on %s for the LSTM's waves; using cuDNN's", x.device)
            return None
        if lease is None:
            return None
        return _output(lstm, x, GraphRecurrence.apply(lease, *inputs, *nothing)[0])


def held_bytes(lstm: nn.LSTM, batch: int, steps: int) -> int:
    """About what one graph keeps: four tensors of all gates' size, six of the states'."""
    wide = lstm.num_layers * lstm.hidden_size
    return 4 * (steps + lstm.num_layers - 1) * batch * wide * (4 * 4 + 6)


@functools.cache
def room_for_graphs(device: torch.device) -> float:
    """Bytes that graphs may keep: a quarter of the device's memory."""
    return torch.cuda.get_device_properties(device).total_memory / 4


def waves(lstm: nn.LSTM, x: Tensor) -> tuple[tuple[Tensor, ...], list[int]]:
    """The stack as one recurrence over T + layers - 1 waves.

    Args:
        lstm: its weights.
        x: (B, T, size).

    Returns:
        pre (waves * B, 4 * layers * H), weight (4 * layers * H, layers * H), h0 and c0, as
        :func:`ser.nn.functional.recurrence_forward` takes them; and the sequences of each wave.
    """
    layers, hidden = lstm.num_layers, lstm.hidden_size
    batch, steps, _ = x.shape
    count = steps + layers - 1
    weight = x.new_zeros(4, layers, hidden, layers, hidden)
    columns = []
    for k in range(layers):
        own = getattr(lstm, f"weight_hh_l{k}").view(4, hidden, hidden)[_ORDER, :]
        weight[:, k, :, k] = own
        bias = getattr(lstm, f"bias_ih_l{k}") + getattr(lstm, f"bias_hh_l{k}")
        below = getattr(lstm, f"weight_ih_l{k}")
        if k == 0:
            first = F.linear(x.transpose(0, 1), below, bias).view(steps, batch, 4, hidden)
            columns.append(F.pad(first[:, :, _ORDER, :], (0, 0, 0, 0, 0, 0, 0, layers - 1)))
            continue
        weight[:, k, :, k - 1] = below.view(4, hidden, hidden)[_ORDER, :]
        asleep = x.new_zeros(4, hidden)
        asleep[2] = SHUT
        bias = bias.view(4, hidden)[_ORDER, :]
        begun = torch.arange(count, device=x.device)[:, None, None] >= k
        column = torch.where(begun, bias, asleep)
        columns.append(column[:, None].expand(count, batch, 4, hidden))
    pre = torch.stack(columns, dim=3).view(count * batch, 4 * layers * hidden)
    state = x.new_zeros(batch, layers * hidden)
    weight = weight.view(4 * layers * hidden, layers * hidden)
    return (pre, weight, state, state), [batch] * count


def _output(lstm: nn.LSTM, x: Tensor, h: Tensor) -> Tensor:
    """Rows of h of all waves (waves * B, layers * H) -> the top layer's output (B, T, H)."""
    top = h.view(-1, len(x), lstm.num_layers, lstm.hidden_size)[lstm.num_layers - 1 :, :, -1]
    return top[: x.shape[1]].transpose(0, 1)


@functools.cache
def _graphs() -> Graphs:
    return Graphs(CudaReplay, limit=GRAPHS, loop=FUSED)


@functools.cache
def proven(device: str) -> bool:
    """Whether all this agrees with torch's LSTM on *device*; tried once."""
    reason = doubt(lambda: deviation(device), device, TOLERANCE)
    if reason:
        log.warning(
            "the waves of the LSTM cannot be used on %s (%s); using cuDNN's", device, reason
        )
    return not reason


def deviation(device: str, replay: Callable | None = None, layers: int = 2) -> float:
    """Largest difference of output and gradients from ``torch.nn.LSTM``, as a share of the largest.

    ``replay`` stands in for :class:`~ser.nn.cuda_graphs.CudaReplay` where there is no GPU.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        lstm = nn.LSTM(7, 20, layers, batch_first=True)
        x, draw = torch.randn(5, 9, 7), torch.randn(5, 9, 20)
    lstm, x, draw, found = lstm.to(device), x.to(device), draw.to(device), []
    for ours in (True, False):
        lstm.zero_grad()
        given = x.clone().requires_grad_()
        if ours:
            inputs, sizes = waves(lstm, given)
            settings = (sizes, 0.0, False)
            nothing = [None] * 4
            lease = Lease(Steps(FUSED, (*inputs, *nothing), settings, replay or CudaReplay))
            result = _output(lstm, given, GraphRecurrence.apply(lease, *inputs, *nothing)[0])
        else:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                result = lstm(given)[0]
        (result * draw).sum().backward()
        grads = [p.grad.clone() for p in lstm.parameters()]
        found.append([result.detach(), given.grad, *grads])
    worst = 0.0
    for a, b in zip(*found, strict=True):
        gap = float((a - b).abs().max() / b.abs().max().clamp_min(1.0))
        worst = max(worst, gap if gap == gap else float("inf"))
    return worst
