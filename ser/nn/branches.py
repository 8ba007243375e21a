"""One branch of the system each: a Batch becomes four logits (Wang et al. 2020, section 2).

Every branch has ``needs``, the names of the features it reads, and maps a
:class:`ser.batch.Batch` to logits (B, classes). Where the batch has lengths, padding has no
influence; where it has none (the release's fixed frames), all frames count.

Beyond the paper, every branch takes ``dropout`` (in training: of what enters the recurrence from a
front end, and of what enters the last linear layer), ``recurrent_dropout`` (of the weights from h,
:mod:`ser.nn.recurrent_dropout`) and ``pooling`` (:class:`ser.nn.time_pool.TimePool`). Branches that
read MFCCs or prosody, a row every 10 ms, take ``stride``: of so many rows one is read.

Book: chapter "Fusion".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.batch import Batch
from ser.nn.alignment import align
from ser.nn.dslstm import DSLSTM
from ser.nn.frontend import FrontEnd
from ser.nn.inputs import field_of
from ser.nn.lstm import lstm_output
from ser.nn.recurrent_dropout import run_dropped
from ser.nn.time_pool import TimePool, drop, pooled_size

MFCC_SIZE = 39
PROSODY_SIZE = 25


def aligned_pair(
    front1: FrontEnd, front2: FrontEnd, batch: Batch
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Both spectrograms through their front ends and the alignment.

    Returns:
        x (B, T, front1.size), y (B, T, front2.size) and the valid steps (B,), or None: all.

    Raises:
        TypeError, ValueError: a batch without both spectrograms, or with one's lengths alone.
    """
    s1, s2 = field_of(batch, "s1"), field_of(batch, "s2")
    if (batch.s1_lengths is None) != (batch.s2_lengths is None):
        raise ValueError("the batch must have s1_lengths and s2_lengths, or neither")
    x, y = front1(s1, batch.s1_lengths), front2(s2, batch.s2_lengths)
    if batch.s1_lengths is None:
        return *align(x, y), None
    lengths = front1.out_lengths(batch.s1_lengths), front2.out_lengths(batch.s2_lengths)
    return align(x, y, *lengths)


class MFCCBranch(nn.Module):
    """M_LSTM: MFCC -> 2-layer LSTM -> mean over the valid frames -> logits.

    Example:
        >>> batch = Batch(mfcc=torch.randn(2, 50, 39), mfcc_lengths=torch.tensor([50, 30]))
        >>> MFCCBranch(hidden=8)(batch).shape
        torch.Size([2, 4])
    """

    needs = frozenset({"mfcc"})
    reads = "mfcc"

    def __init__(
        self,
        classes: int = 4,
        hidden: int = 200,
        layers: int = 2,
        size: int = MFCC_SIZE,
        fast: bool = True,
        dropout: float = 0.0,
        pooling: str = "mean",
        recurrent_dropout: float = 0.0,
        stride: int = 1,
    ):
        super().__init__()
        self.lstm, self.fast = nn.LSTM(size, hidden, layers, batch_first=True), fast
        self.linear = nn.Linear(pooled_size(hidden, pooling), classes)
        self.pool = TimePool(hidden, pooling, dropout)
        self.recurrent_dropout, self.stride = recurrent_dropout, stride

    def forward(self, batch: Batch) -> Tensor:
        """Batch with mfcc (B, F, 39) and mfcc_lengths (B,) -> logits (B, classes)."""
        steps, lengths = strided(batch, self.reads, self.stride)
        share = self.recurrent_dropout if self.training else 0.0
        output = run_dropped(share, self.lstm, lstm_output, steps, lengths, self.fast)
        return self.linear(self.pool(output, lengths))


class ProsodyBranch(MFCCBranch):
    """The same LSTM over prosody: 25 descriptors -> 2-layer LSTM -> pooled -> logits.

    Example:
        >>> batch = Batch(prosody=torch.randn(2, 50, 25), prosody_lengths=torch.tensor([50, 30]))
        >>> ProsodyBranch(hidden=8, stride=2)(batch).shape
        torch.Size([2, 4])
    """

    needs = frozenset({"prosody"})
    reads = "prosody"

    def __init__(self, size: int = PROSODY_SIZE, **options):
        super().__init__(size=size, **options)


class DSProsodyBranch(nn.Module):
    """Two views, one memory: a DS-LSTM over MFCCs (x) and prosody (y), row by row, without a CNN.

    Both have a row every 10 ms and begin together; MFCCs have two rows more, which are left out.

    Example:
        >>> lengths = {"mfcc_lengths": torch.tensor([50]), "prosody_lengths": torch.tensor([48])}
        >>> batch = Batch(mfcc=torch.randn(1, 50, 39), prosody=torch.randn(1, 48, 25), **lengths)
        >>> DSProsodyBranch(hidden=8)(batch).shape
        torch.Size([1, 4])
    """

    needs = frozenset({"mfcc", "prosody"})

    def __init__(
        self,
        classes: int = 4,
        hidden: int = 200,
        layers: int = 2,
        gate_norm: bool = False,
        output_norm: bool = False,
        y_candidate: bool = True,
        max_steps: int = 128,
        fast: bool = True,
        dropout: float = 0.0,
        pooling: str = "mean",
        recurrent_dropout: float = 0.0,
        stride: int = 1,
    ):
        super().__init__()
        self.lstm = DSLSTM(
            MFCC_SIZE,
            PROSODY_SIZE,
            hidden,
            layers,
            batch_first=True,
            gate_norm=gate_norm,
            output_norm=output_norm,
            y_candidate=y_candidate,
            max_steps=max_steps,
            reference=not fast,
        )
        self.linear = nn.Linear(pooled_size(hidden, pooling), classes)
        self.pool = TimePool(hidden, pooling, dropout)
        self.recurrent_dropout, self.stride = recurrent_dropout, stride

    def forward(self, batch: Batch) -> Tensor:
        """Batch with mfcc (B, F, 39) and prosody (B, G, 25) -> logits (B, classes)."""
        x, x_lengths = strided(batch, "mfcc", self.stride)
        y, y_lengths = strided(batch, "prosody", self.stride)
        steps = min(x.shape[1], y.shape[1])
        lengths = torch.minimum(x_lengths, y_lengths)
        share = self.recurrent_dropout if self.training else 0.0
        output, _ = run_dropped(share, self.lstm, _run, x[:, :steps], y[:, :steps], lengths)
        return self.linear(self.pool(output, lengths))


def _run(lstm: nn.Module, *given: Tensor | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    return lstm(*given)


def strided(batch: Batch, name: str, stride: int) -> tuple[Tensor, Tensor | None]:
    """Every *stride*-th row of a batch's sequence, from the first, and how many are valid.

    Example:
        >>> batch = Batch(mfcc=torch.zeros(1, 5, 39), mfcc_lengths=torch.tensor([4]))
        >>> steps, lengths = strided(batch, "mfcc", 2)
        >>> steps.shape[1], lengths.tolist()
        (3, [2])
    """
    steps, lengths = field_of(batch, name), getattr(batch, f"{name}_lengths")
    if stride == 1:
        return steps, lengths
    if lengths is not None:
        lengths = torch.div(lengths + stride - 1, stride, rounding_mode="floor")
    return steps[:, ::stride], lengths


class CNNLSTMBranch(nn.Module):
    """One spectrogram: front end -> 2-layer LSTM -> mean over time -> logits.

    Args:
        which: ``"s1"`` or ``"s2"``.
        n_mels: its mel bands.

    Example:
        >>> branch = CNNLSTMBranch("s1", n_mels=128, hidden=8)
        >>> branch(Batch(s1=torch.randn(2, 128, 230))).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        which: str,
        n_mels: int,
        classes: int = 4,
        hidden: int = 200,
        layers: int = 2,
        channels: tuple[int, int] = (64, 16),
        fast: bool = True,
        dropout: float = 0.0,
        pooling: str = "mean",
        recurrent_dropout: float = 0.0,
    ):
        super().__init__()
        self.which, self.needs = which, frozenset({which})
        self.front = FrontEnd(n_mels, which, channels, fast)
        self.lstm, self.fast = nn.LSTM(self.front.size, hidden, layers, batch_first=True), fast
        self.linear = nn.Linear(pooled_size(hidden, pooling), classes)
        self.pool, self.dropout = TimePool(hidden, pooling, dropout), dropout
        self.recurrent_dropout = recurrent_dropout

    def pooled(self, batch: Batch) -> Tensor:
        """The LSTM's output pooled over time, (B, hidden)."""
        spectrogram, lengths = field_of(batch, self.which), getattr(batch, f"{self.which}_lengths")
        steps = drop(self.front(spectrogram, lengths), self.dropout, self.training)
        if lengths is not None:
            lengths = self.front.out_lengths(lengths)
        share = self.recurrent_dropout if self.training else 0.0
        output = run_dropped(share, self.lstm, lstm_output, steps, lengths, self.fast)
        return self.pool(output, lengths)

    def forward(self, batch: Batch) -> Tensor:
        """Batch with the branch's spectrogram (B, n_mels, T) -> logits (B, classes)."""
        return self.linear(self.pooled(batch))


class CNNLSTMPairBranch(nn.Module):
    """Both spectrograms, each by front end and LSTM; pooled outputs concatenated -> logits."""

    needs = frozenset({"s1", "s2"})

    def __init__(
        self,
        n_mels: tuple[int, int],
        classes: int = 4,
        hidden: int = 200,
        layers: int = 2,
        channels: tuple[int, int] = (64, 16),
        fast: bool = True,
        dropout: float = 0.0,
        pooling: str = "mean",
        recurrent_dropout: float = 0.0,
    ):
        super().__init__()
        common = (classes, hidden, layers, channels, fast, dropout, pooling, recurrent_dropout)
        self.s1 = CNNLSTMBranch("s1", n_mels[0], *common)
        self.s2 = CNNLSTMBranch("s2", n_mels[1], *common)
        self.s1.linear, self.s2.linear = nn.Identity(), nn.Identity()
        self.linear = nn.Linear(2 * pooled_size(hidden, pooling), classes)

    def forward(self, batch: Batch) -> Tensor:
        """Batch with s1 and s2, each (B, n_mels, T) -> logits (B, classes)."""
        return self.linear(torch.cat([self.s1.pooled(batch), self.s2.pooled(batch)], dim=1))


class DSBranch(nn.Module):
    """M_DS-LSTM: two front ends -> alignment -> DS-LSTM -> mean over time -> logits.

    Args:
        n_mels: mel bands of S1 and S2.
        gate_norm, output_norm, y_candidate: as in :class:`ser.nn.DSLSTM`; the defaults are the
            paper's equations.

    Example:
        >>> branch = DSBranch((128, 256), hidden=8)
        >>> branch(Batch(s1=torch.randn(2, 128, 230), s2=torch.randn(2, 256, 120))).shape
        torch.Size([2, 4])
    """

    needs = frozenset({"s1", "s2"})

    def __init__(
        self,
        n_mels: tuple[int, int],
        classes: int = 4,
        hidden: int = 200,
        layers: int = 2,
        channels: tuple[int, int] = (64, 16),
        gate_norm: bool = False,
        output_norm: bool = False,
        y_candidate: bool = True,
        max_steps: int = 128,
        fast: bool = True,
        dropout: float = 0.0,
        pooling: str = "mean",
        recurrent_dropout: float = 0.0,
    ):
        super().__init__()
        self.front1 = FrontEnd(n_mels[0], "s1", channels, fast)
        self.front2 = FrontEnd(n_mels[1], "s2", channels, fast)
        self.lstm = DSLSTM(
            self.front1.size,
            self.front2.size,
            hidden,
            layers,
            batch_first=True,
            gate_norm=gate_norm,
            output_norm=output_norm,
            y_candidate=y_candidate,
            max_steps=max_steps,
            reference=not fast,
        )
        self.linear = nn.Linear(pooled_size(hidden, pooling), classes)
        self.pool, self.dropout = TimePool(hidden, pooling, dropout), dropout
        self.recurrent_dropout = recurrent_dropout

    def forward(self, batch: Batch) -> Tensor:
        """Batch with s1 and s2, each (B, n_mels, T) -> logits (B, classes)."""
        x, y, lengths = aligned_pair(self.front1, self.front2, batch)
        x, y = (drop(steps, self.dropout, self.training) for steps in (x, y))
        share = self.recurrent_dropout if self.training else 0.0
        output, _ = run_dropped(share, self.lstm, _run, x, y, lengths)
        return self.linear(self.pool(output, lengths))
