"""torch.nn.LSTM over sequences of different lengths, without paying for the padding."""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ser.nn.dslstm import flip
from ser.nn.fast import choose
from ser.nn.hooks import LSTM
from ser.nn.inputs import check_lengths, check_tensors
from ser.nn.precision import autocast
from ser.nn.transforms import counted, transformed


def lstm_output(
    lstm: nn.LSTM, x: Tensor, lengths: Tensor | None = None, fast: bool = True
) -> Tensor:
    """Output of every valid step, zeros at the padding; padding has no influence.

    A packed sequence is what torch calls such a batch. Where it runs those slowly, a faster way is
    taken (:data:`ser.nn.fast.WAYS`). A processor for which torch has no LSTM in the 16 bits that
    autocast asks for computes in float32.

    Args:
        lstm: with ``batch_first=True``, any number of layers.
        x: (B, T, size).
        lengths: (B,) valid steps, or None: all.
        fast: False always packs, and so does an LSTM that is not ``nn.LSTM`` itself or that has
            hooks or a forward of its own; that is told once.

    Returns:
        (B, T, hidden), times two where the LSTM has two directions.

    Raises:
        TypeError: no tensor, or of another format than the weights.
        ValueError: shapes that do not fit, lengths outside 1 to T, another device.

    Example:
        >>> lstm = nn.LSTM(39, 8, 2, batch_first=True)
        >>> output = lstm_output(lstm, torch.randn(2, 50, 39), torch.tensor([50, 30]))
        >>> output.shape, bool((output[1, 30:] == 0).all())
        (torch.Size([2, 50, 8]), True)
    """
    check_tensors(lstm, x=x)
    if x.dim() != 3 or x.shape[1] == 0 or x.shape[2] != getattr(lstm, "input_size", x.shape[2]):
        raise ValueError(
            f"expected x (B, T, {getattr(lstm, 'input_size', 'size')}) of at least one step, got "
            f"{tuple(x.shape)}"
        )
    if lengths is not None:
        if not lstm.batch_first:
            raise ValueError("lengths need an LSTM with batch_first=True")
        lengths = check_lengths(lengths, *x.shape[:2])
    called = LSTM.why_not(lstm)
    # torch.jit, and torch.onnx where the number of steps is open, take an nn.LSTM whole.
    whole = torch.jit.is_tracing() or (lengths is None and isinstance(x.shape[1], torch.SymInt))
    if not called and lstm.batch_first and not whole and transformed(lstm, x, lengths):
        return equations(lstm, x, lengths)
    low = x.device.type == "cpu" and autocast("cpu")
    if low and not _works(torch.get_autocast_dtype("cpu")):
        with torch.autocast("cpu", enabled=False):
            return lstm_output(lstm, x.float(), lengths, fast)
    if x.is_meta or not len(x):  # nothing that can be packed
        lengths = None
    lengths = None if lengths is None else lengths.cpu()
    way = choose("LSTM", lstm, fast, called, x, lengths)
    if way is not None:
        return way.output(lstm, x, lengths)
    if lengths is None:
        return lstm(x)[0]
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    output, _ = lstm(packed)
    return pad_packed_sequence(output, batch_first=True, total_length=x.shape[1])[0]


def equations(lstm: nn.LSTM, x: Tensor, lengths: Tensor | None = None) -> Tensor:
    """As :func:`lstm_output`, step by step in plain torch: for its transforms (chapter "The LSTM").

        i, f, g, o = W x + b + U h + d             c' = sigmoid(f) c + sigmoid(i) tanh(g)
                                                   h' = sigmoid(o) tanh(c')

    Example:
        >>> lstm, x = nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True), torch.randn(2, 5, 3)
        >>> bool((equations(lstm, x) - lstm(x)[0]).abs().max() < 1e-6)
        True
    """
    steps, batch = counted(x.shape[1]), len(x)
    lengths = torch.full((batch,), steps) if lengths is None else lengths
    lengths = lengths.to(x.device)
    padding = (torch.arange(steps, device=x.device)[:, None] >= lengths)[:, :, None]
    x = x.transpose(0, 1).masked_fill(padding, 0.0)
    for k in range(lstm.num_layers):
        outputs = []
        for end in ("", "_reverse")[: 1 + lstm.bidirectional]:
            kinds = "weight_ih", "bias_ih", "weight_hh", "bias_hh", "weight_hr"
            w, b, u, d, project = (getattr(lstm, f"{kind}_l{k}{end}", None) for kind in kinds)
            inputs = F.linear(flip(x, lengths) if end else x, w, b)
            c = inputs.new_zeros(batch, lstm.hidden_size)
            h = inputs.new_zeros(batch, lstm.proj_size or lstm.hidden_size)
            states = []
            for t in range(steps):
                i, f, g, o = (inputs[t] + F.linear(h, u, d)).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
                h = h if project is None else F.linear(h, project)
                states.append(h)
            output = torch.stack(states)
            outputs.append(flip(output, lengths) if end else output)
        x = torch.cat(outputs, 2).masked_fill(padding, 0.0)
        if lstm.dropout and k < lstm.num_layers - 1:
            x = F.dropout(x, lstm.dropout, lstm.training)
    return x.transpose(0, 1)


@functools.cache
def _works(kind: torch.dtype) -> bool:
    """Whether torch trains an LSTM in this format here: bfloat16 wants AVX-512, float16 more."""
    try:
        with torch.enable_grad(), torch.autocast("cpu", kind):
            nn.LSTM(2, 2)(torch.zeros(1, 1, 2))
    except RuntimeError:
        return False
    return True
