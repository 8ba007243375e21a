"""One branch of the system each: a Batch becomes four logits (Wang et al. 2020, section 2).

Every branch has ``needs``, the names of the features it reads, and maps a
:class:`ser.batch.Batch` to logits (B, classes). Where the batch has lengths, padding has no
influence; where it has none (the release's fixed frames), all frames count.

All end alike (:class:`Branch`): a recurrent layer, pooling over time, one linear layer. Branches
that read MFCCs or prosody, a row every 10 ms, take ``stride``: of so many rows one is read.

Book: chapter "Fusion".
"""

from __future__ import annotations

from abc import ABC, abstractmethod

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

SIZES = {"mfcc": 39, "prosody": 25}
"""Numbers of a row, every 10 ms."""


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


class Branch(nn.Module, ABC):
    """What all branches end in: a recurrent layer -> pooling over time -> logits.

    A branch makes its front ends, if it has any, then calls :meth:`end_in`; ``sequences`` says what
    the recurrent layer hears of a batch.

    Args:
        classes: emotions.
        hidden, layers: of the recurrent layer.
        fast: False takes the equations in place of every faster way (:data:`ser.nn.fast.WAYS`).
        dropout: beyond the paper; in training, the share of what enters the recurrence from a front
            end, and of what enters the last linear layer, that is set to 0.
        pooling: beyond the paper, see :class:`ser.nn.TimePool`; the paper's is the mean.
        recurrent_dropout: beyond the paper, see :mod:`ser.nn.recurrent_dropout`.
        cell: of a branch that ends in a DS-LSTM: ``gate_norm``, ``output_norm``, ``y_candidate``,
            ``max_steps``, as in :class:`ser.nn.DSLSTM`; the defaults are the paper's equations.
    """

    def __init__(
        self,
        classes: int = 4,
        hidden: int = 200,
        layers: int = 2,
        *,
        fast: bool = True,
        dropout: float = 0.0,
        pooling: str = "mean",
        recurrent_dropout: float = 0.0,
        **cell,
    ):
        super().__init__()
        self.classes, self.hidden, self.layers, self.fast = classes, hidden, layers, fast
        self.dropout, self.pooling, self.recurrent_dropout = dropout, pooling, recurrent_dropout
        self.cell = cell

    def end_in(self, *sizes: int) -> None:
        """Makes an LSTM over sequences of one size, a DS-LSTM over two, and what follows it."""
        sizes = *sizes, self.hidden, self.layers
        if len(sizes) == 4:
            self.lstm = DSLSTM(*sizes, batch_first=True, reference=not self.fast, **self.cell)
        elif self.cell:
            raise TypeError(f"{type(self).__name__} takes no {', '.join(self.cell)}")
        else:
            self.lstm = nn.LSTM(*sizes, batch_first=True)
        self.linear = nn.Linear(pooled_size(self.hidden, self.pooling), self.classes)
        self.pool = TimePool(self.hidden, self.pooling, self.dropout)

    @abstractmethod
    def sequences(self, batch: Batch) -> tuple[Tensor | None, ...]:
        """What the recurrent layer hears, (B, T, size) each, and the valid steps, or None: all."""

    def recur(self, lstm: nn.Module, *given: Tensor | None) -> Tensor:
        """Output (B, T, hidden) for steps and lengths, or a DS-LSTM's for x, y and lengths."""
        return lstm(*given)[0] if len(given) == 3 else lstm_output(lstm, *given, self.fast)

    def pooled(self, batch: Batch) -> Tensor:
        """The recurrent layer's output pooled over time."""
        given = self.sequences(batch)
        share = self.recurrent_dropout if self.training else 0.0
        output = run_dropped(share, self.lstm, self.recur, *given)
        return self.pool(output, given[-1])

    def forward(self, batch: Batch) -> Tensor:
        """Batch with the features that ``needs`` names -> logits (B, classes)."""
        return self.linear(self.pooled(batch))


class MFCCBranch(Branch):
    """M_LSTM: MFCC -> 2-layer LSTM -> mean over the valid frames -> logits.

    Args:
        shape, options: as in :class:`Branch`: classes, hidden and layers may be given by place.
        size: numbers of a row, where they are not those of :data:`SIZES`.
        stride: of so many rows one is read.

    Example:
        >>> batch = Batch(mfcc=torch.randn(2, 50, 39), mfcc_lengths=torch.tensor([50, 30]))
        >>> MFCCBranch(hidden=8)(batch).shape
        torch.Size([2, 4])
    """

    needs = frozenset({"mfcc"})
    reads = "mfcc"

    def __init__(self, *shape: int, size: int = 0, stride: int = 1, **options):
        super().__init__(*shape, **options)
        self.stride = stride
        self.end_in(size or SIZES[self.reads])

    def sequences(self, batch: Batch) -> tuple[Tensor | None, ...]:
        """From a batch with mfcc (B, F, 39) and, or not, mfcc_lengths (B,)."""
        return strided(batch, self.reads, self.stride)


class ProsodyBranch(MFCCBranch):
    """The same LSTM over prosody: 25 descriptors -> 2-layer LSTM -> pooled -> logits.

    Example:
        >>> batch = Batch(prosody=torch.randn(2, 50, 25), prosody_lengths=torch.tensor([50, 30]))
        >>> ProsodyBranch(hidden=8, stride=2)(batch).shape
        torch.Size([2, 4])
    """

    needs = frozenset({"prosody"})
    reads = "prosody"


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


class CNNLSTMBranch(Branch):
    """One spectrogram: front end -> 2-layer LSTM -> mean over time -> logits.

    Args:
        which: ``"s1"`` or ``"s2"``.
        n_mels: its mel bands.
        shape, options: as in :class:`Branch`: classes, hidden and layers may be given by place.
        channels: of the front end.

    Example:
        >>> branch = CNNLSTMBranch("s1", n_mels=128, hidden=8)
        >>> branch(Batch(s1=torch.randn(2, 128, 230))).shape
        torch.Size([2, 4])
    """

    def __init__(
        self,
        which: str,
        n_mels: int,
        *shape: int,
        channels: tuple[int, int] = (64, 16),
        **options,
    ):
        super().__init__(*shape, **options)
        self.which, self.needs = which, frozenset({which})
        self.front = FrontEnd(n_mels, which, channels, self.fast)
        self.end_in(self.front.size)

    def sequences(self, batch: Batch) -> tuple[Tensor | None, ...]:
        """From a batch with the branch's spectrogram (B, n_mels, T)."""
        spectrogram, lengths = field_of(batch, self.which), getattr(batch, f"{self.which}_lengths")
        steps = drop(self.front(spectrogram, lengths), self.dropout, self.training)
        return steps, None if lengths is None else self.front.out_lengths(lengths)


class CNNLSTMPairBranch(nn.Module):
    """Both spectrograms, each by front end and LSTM; pooled outputs concatenated -> logits.

    Args:
        n_mels: mel bands of S1 and S2.
        shape, options: as in :class:`CNNLSTMBranch`.
    """

    needs = frozenset({"s1", "s2"})

    def __init__(self, n_mels: tuple[int, int], *shape: int, **options):
        super().__init__()
        self.s1 = CNNLSTMBranch("s1", n_mels[0], *shape, **options)
        self.s2 = CNNLSTMBranch("s2", n_mels[1], *shape, **options)
        size = self.s1.linear.in_features
        self.s1.linear, self.s2.linear = nn.Identity(), nn.Identity()
        self.linear = nn.Linear(2 * size, self.s1.classes)

    def forward(self, batch: Batch) -> Tensor:
        """Batch with s1 and s2, each (B, n_mels, T) -> logits (B, classes)."""
        return self.linear(torch.cat([self.s1.pooled(batch), self.s2.pooled(batch)], dim=1))


class TwoFrontEndsBranch(Branch):
    """Both spectrograms, each by its front end, then alignment: what the two branches below share.

    Args:
        n_mels: mel bands of S1 and S2.
        shape, options: as in :class:`Branch`: classes, hidden and layers may be given by place.
        channels: of the front ends.
    """

    needs = frozenset({"s1", "s2"})
    joined = False
    """Whether the recurrent layer hears both sequences as one, side by side."""

    def __init__(
        self, n_mels: tuple[int, int], *shape: int, channels: tuple[int, int] = (64, 16), **options
    ):
        super().__init__(*shape, **options)
        self.front1 = FrontEnd(n_mels[0], "s1", channels, self.fast)
        self.front2 = FrontEnd(n_mels[1], "s2", channels, self.fast)
        sizes = self.front1.size, self.front2.size
        self.end_in(*[sum(sizes)] if self.joined else sizes)

    def sequences(self, batch: Batch) -> tuple[Tensor | None, ...]:
        """From a batch with s1 and s2, each (B, n_mels, T)."""
        x, y, lengths = aligned_pair(self.front1, self.front2, batch)
        given = [torch.cat([x, y], dim=2)] if self.joined else [x, y]
        return *(drop(steps, self.dropout, self.training) for steps in given), lengths


class ConcatBranch(TwoFrontEndsBranch):
    """Two front ends -> alignment -> ``nn.LSTM`` over [x; y] -> mean over time -> logits.

    The plain alternative to the DS-LSTM. If a cell with two inputs a step earns its place, it must
    beat ``nn.LSTM`` given the same two sequences as one vector a step (book: chapter "Ablations").
    Front ends, alignment, pooling and sizes are those of :class:`ser.nn.DSBranch`; only the cell
    differs, and it has fewer numbers. With the preset ``release`` a hidden size of 323 comes
    nearest to the ``ds-lstm`` of hidden size 200, with ``paper`` one of 295
    (:func:`chapters.shared.paired_questions.equal_size`).

    Example:
        >>> branch = ConcatBranch((128, 256), hidden=8)
        >>> branch(Batch(s1=torch.randn(2, 128, 230), s2=torch.randn(2, 256, 120))).shape
        torch.Size([2, 4])
    """

    joined = True


class DSBranch(TwoFrontEndsBranch):
    """M_DS-LSTM: two front ends -> alignment -> DS-LSTM -> mean over time -> logits.

    Example:
        >>> branch = DSBranch((128, 256), hidden=8)
        >>> branch(Batch(s1=torch.randn(2, 128, 230), s2=torch.randn(2, 256, 120))).shape
        torch.Size([2, 4])
    """


class DSProsodyBranch(Branch):
    """Two views, one memory: a DS-LSTM over MFCCs (x) and prosody (y), row by row, without a CNN.

    Both have a row every 10 ms and begin together; MFCCs have two rows more, which are left out.

    Example:
        >>> lengths = {"mfcc_lengths": torch.tensor([50]), "prosody_lengths": torch.tensor([48])}
        >>> batch = Batch(mfcc=torch.randn(1, 50, 39), prosody=torch.randn(1, 48, 25), **lengths)
        >>> DSProsodyBranch(hidden=8)(batch).shape
        torch.Size([1, 4])
    """

    needs = frozenset({"mfcc", "prosody"})

    def __init__(self, *shape: int, stride: int = 1, **options):
        super().__init__(*shape, **options)
        self.stride = stride
        self.end_in(SIZES["mfcc"], SIZES["prosody"])

    def sequences(self, batch: Batch) -> tuple[Tensor | None, ...]:
        """From a batch with mfcc (B, F, 39) and prosody (B, G, 25), and their lengths."""
        x, x_lengths = strided(batch, "mfcc", self.stride)
        y, y_lengths = strided(batch, "prosody", self.stride)
        steps = min(x.shape[1], y.shape[1])
        return x[:, :steps], y[:, :steps], torch.minimum(x_lengths, y_lengths)
