"""Networks: the DS-LSTM, the CNN front end, the alignment, the branches and their fusion.

The modules here are the equations, in plain torch: any device, any format, differentiable twice.
Beside them, ``cpu`` and ``cuda`` hold at most one faster way a layer and device. Which there are,
when each is taken, what it gains and how it was proven equal stands in :data:`ser.nn.fast.WAYS`;
:func:`ser.nn.fast.choose` decides, and says so (``SER_LOG=info``).

A transform of torch finds the equations. The transforms of ``torch.func``, forward-mode
differentiation, ``torch.compile``, ``torch.export`` and ``torch.onnx.export``, dispatch modes such
as ``FakeTensorMode``, the meta device and subclasses of tensors take them by themselves
(:func:`ser.nn.transforms.transformed`). The fast ways stay under ``torch.utils.checkpoint`` with
``use_reentrant=False``, autocast and ``torch.func.functional_call``; a second derivative or a batch
of gradients through one of them is refused with a word on what to do.
"""

from ser.allocator import tune_allocator
from ser.nn.alignment import align, aligned_lengths
from ser.nn.branches import (
    CNNLSTMBranch,
    CNNLSTMPairBranch,
    ConcatBranch,
    DSBranch,
    MFCCBranch,
)
from ser.nn.cell import DSLSTMCell
from ser.nn.dslstm import DSLSTM
from ser.nn.frontend import FrontEnd
from ser.nn.fusion import Fused, fuse, fused_loss
from ser.nn.lstm import lstm_output
from ser.nn.norms import GateNorm, OutputNorm
from ser.nn.time_pool import TimePool, mean_over_time

__all__ = [
    "DSLSTM",
    "CNNLSTMBranch",
    "CNNLSTMPairBranch",
    "ConcatBranch",
    "DSBranch",
    "DSLSTMCell",
    "FrontEnd",
    "Fused",
    "GateNorm",
    "MFCCBranch",
    "OutputNorm",
    "TimePool",
    "align",
    "aligned_lengths",
    "fuse",
    "fused_loss",
    "lstm_output",
    "mean_over_time",
    "tune_allocator",
]
