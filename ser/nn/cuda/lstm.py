"""torch.nn.LSTM in training on a GPU, all its layers in one recurrence.

Layer l can make its step t as soon as the layer below has made it. So in wave s all layers work
at once, layer l at its step s - l, and the stack is one LSTM of ``layers * H`` units whose
recurrent weight has the layers' own weights on its diagonal and those from layer to layer beside
it. A layer that has not begun is held at zero by an input gate that is shut. A wave is one matrix
product and one kernel (:mod:`ser.nn.cuda.dslstm_triton`: a DS-LSTM without y is an LSTM).

A CUDA graph holds :data:`SEGMENT` waves. A batch replays it as often as its longest sequence needs,
each time from where the last one ended, and what the backward pass will read is copied out in
between; so one graph serves batches of all lengths, and none is padded by more than a segment. That
longest sequence decides what a batch costs: see ``similar`` batches in
:func:`ser.training.order.epoch_batches`.

Book: chapter "Making it fast".
"""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from ser.nn.cuda import dslstm_triton
from ser.nn.cuda.graphs import FUSED, CudaReplay, Graphs, Steps
from ser.nn.cuda.verify import disagreement, largest_gap
from ser.nn.fast import once_differentiable
from ser.nn.precision import lowered

log = logging.getLogger(__name__)

SEGMENT = 64
"""Waves a graph."""
GRAPHS = 4
"""Captured graphs kept at most: a network has one for full batches, one for an epoch's last."""
LAYERS = 3
"""At most; the zeros in the weight grow with the square of the layers."""
SHUT = -1e4
"""Before the sigmoid, of an input gate that lets nothing in."""
TOLERANCE = 2e-3
"""Largest deviation in the proof."""
_ORDER = (2, 1, 0, 3)
"""torch's blocks i, f, g, o in the order of :mod:`ser.nn.cpu.dslstm`: g, f, i, o."""


def why_not(lstm: nn.LSTM, x: Tensor, lengths: Tensor | None) -> str:
    """What keeps :func:`output` from standing in: it is for training in float32, one direction.

    Under autocast to bfloat16 cuDNN's LSTM has kernels for it, and the waves have not.
    """
    if lengths is None:
        return "all sequences are equally long"
    if not (torch.is_grad_enabled() and lstm.weight_hh_l0.requires_grad):
        return "it is not in training"
    if not x.dtype == lstm.weight_hh_l0.dtype == torch.float32 or lowered(x.device.type):
        return "it is not float32"
    dropped = lstm.dropout and lstm.training
    if lstm.bidirectional or lstm.proj_size or dropped or not lstm.bias:
        return "it has two directions, a projection, dropout or no bias"
    if lstm.num_layers > LAYERS:
        return f"it has more than {LAYERS} layers"
    if not dslstm_triton.fits(len(x), x.dtype):
        return "Triton is missing, or the batch too large or empty"
    if torch.cuda.is_current_stream_capturing():
        return "a CUDA graph is being captured"
    return "" if proven(str(x.device)) else "the waves do not agree with torch here"


def output(lstm: nn.LSTM, x: Tensor, lengths: Tensor) -> Tensor | None:
    """As :func:`ser.nn.lstm_output`, or None: a shape's first time, or too little memory.

    None leaves the batch to cuDNN.
    """
    padding = torch.arange(x.shape[1], device=x.device) >= lengths.to(x.device)[:, None]
    x = x.masked_fill(padding[:, :, None], 0.0)
    behind = lstm.num_layers - 1
    count = -(-(x.shape[1] + behind) // SEGMENT)
    graph, batch = held_bytes(lstm, len(x), count)
    graphs = _graphs()
    graphs.limit = min(GRAPHS, int((room_for_graphs(x.device) - batch) // graph))
    if graphs.limit < 1:
        return None
    here = torch.cuda.device(x.device) if x.is_cuda else contextlib.nullcontext()
    with here, torch.autocast(x.device.type, enabled=False):
        pre, weight, h0, c0 = waves(
            lstm, F.pad(x, (0, 0, 0, count * SEGMENT - behind - x.shape[1]))
        )
        first = (pre[: SEGMENT * len(x)], weight, h0, c0, *[None] * 4)
        lease = graphs.lease(first, ([len(x)] * SEGMENT, 0.0, False))
        if lease is None:
            return None
        found = _output(lstm, x, Segments.apply(lease.steps, pre, weight, h0, c0))
    return found.masked_fill(padding[:, :, None], 0.0)


class Segments(Function):
    """A recurrence cut into pieces of equally many steps, one after the other by the same graphs.

    Between passes the graphs hold nothing: what a backward pass needs is copied out of them.
    """

    @staticmethod
    def forward(
        ctx: Any, steps: Steps, pre: Tensor, weight: Tensor, h: Tensor, c: Tensor
    ) -> Tensor:
        """h (rows, H) for pre (rows, 4 H), weight (4 H, H) and the first h and c (B, H).

        The arguments are those of :func:`ser.nn.cpu.dslstm.recurrence_forward`; all steps have as
        many sequences.
        """
        batch, states, saved = len(h), pre.new_empty(len(pre), h.shape[1]), []
        rows = len(steps.inputs[0])
        for given, found in zip(pre.split(rows), states.split(rows), strict=True):
            all_h, all_c, *_ = steps.replay_forward((given, weight, h, c, *[None] * 4))
            found.copy_(all_h)
            h, c = all_h[-batch:], all_c[-batch:]
            saved += [t.clone() for t in steps.kept]
        ctx.save_for_backward(weight, *saved)
        ctx.steps, ctx.batch = steps, batch
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of pre, weight and the first h and c; none for the graphs."""
        steps, batch = ctx.steps, ctx.batch
        weight, *saved = ctx.saved_tensors
        rows, each = len(steps.inputs[0]), len(steps.kept)
        grad_pre = grad.new_empty(len(grad), 4 * grad.shape[1])
        steps.inputs[1].copy_(weight)
        of_h, of_c = steps.grads
        grad_weight = grad_h = grad_c = None
        for k in range(len(grad) // rows - 1, -1, -1):
            now = slice(k * rows, (k + 1) * rows)
            for kept, found in zip(steps.kept, saved[k * each : (k + 1) * each], strict=True):
                kept.copy_(found)
            of_h.copy_(grad[now])
            of_c.zero_()
            if grad_h is not None:
                of_h[-batch:] += grad_h
                of_c[-batch:] = grad_c
            of_pre, of_weight, grad_h, grad_c, *_ = steps.replay_backward()
            grad_pre[now] = of_pre
            grad_weight = of_weight.clone() if grad_weight is None else grad_weight.add_(of_weight)
        return None, grad_pre, grad_weight, grad_h.clone(), grad_c.clone()


def held_bytes(lstm: nn.LSTM, batch: int, count: int) -> tuple[int, int]:
    """About what one graph keeps, and what a batch of *count* segments needs besides.

    In a graph, counted generously: four tensors of all gates' size, six of the states', weights.
    A batch: three of all gates' size (their values before and after, their gradients), five of the
    states'.
    """
    units = lstm.num_layers * lstm.hidden_size
    states = SEGMENT * batch * units
    return 4 * (states * (4 * 4 + 6) + 2 * 4 * units * units), 4 * count * states * (3 * 4 + 5)


@functools.cache
def room_for_graphs(device: torch.device) -> float:
    """Bytes for graphs and a batch: a quarter of the device's memory, at most half of the free."""
    free, total = torch.cuda.mem_get_info(device)
    return min(total / 4, free / 2)


def waves(lstm: nn.LSTM, x: Tensor) -> tuple[Tensor, ...]:
    """The stack as one recurrence over T + layers - 1 waves, each of all sequences.

    Args:
        lstm: its weights.
        x: (B, T, size).

    Returns:
        pre (waves * B, 4 * layers * H), weight (4 * layers * H, layers * H), h0 and c0, as
        :func:`ser.nn.cpu.dslstm.recurrence_forward` takes them.
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
    return pre, weight, state, state


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
    reason = disagreement(lambda: deviation(device), device, TOLERANCE)
    if reason:
        log.warning(
            "the waves of the LSTM cannot be used on %s (%s); using cuDNN's", device, reason
        )
    return not reason


def deviation(device: str, replay: Callable | None = None, layers: int = 2) -> float:
    """Largest difference of output and gradients from ``torch.nn.LSTM``, as a share of the largest.

    ``replay`` stands in for :class:`~ser.nn.cuda.graphs.CudaReplay` where there is no GPU.
    """
    cuts = 3
    steps = 4 * cuts + 1 - layers
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(0)  # the device's own goes on as it was
        lstm = nn.LSTM(7, 20, layers, batch_first=True)
        x, draw = torch.randn(5, steps, 7), torch.randn(5, steps, 20)
    lstm, x, draw, found = lstm.to(device), x.to(device), draw.to(device), []
    for ours in (True, False):
        lstm.zero_grad()
        given = x.clone().requires_grad_()
        if ours:
            pre, *others = waves(lstm, given)
            first = (pre[: len(pre) // cuts], *others, *[None] * 4)
            once = Steps(FUSED, first, ([len(x)] * 4, 0.0, False), replay or CudaReplay)
            result = _output(lstm, given, Segments.apply(once, pre, *others))
        else:
            with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                result = lstm(given)[0]
        (result * draw).sum().backward()
        grads = [p.grad.clone() for p in lstm.parameters()]
        found.append([result.detach(), given.grad, *grads])
    return largest_gap(zip(*found, strict=True))
