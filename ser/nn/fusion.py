"""Late fusion (Wang et al. 2020, section 2.4): mean of losses in training, of logits after.

Book: chapter "Fusion".
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ser.nn.inputs import check_lengths, check_tensors, field_of


def fuse(*logits: Tensor) -> Tensor:
    """Mean of the branches' logits, each (B, classes).

    Raises:
        TypeError, ValueError: no logits, no tensors, other shapes.

    Example:
        >>> fuse(torch.tensor([[1.0, 3.0]]), torch.tensor([[3.0, 5.0]]))
        tensor([[2., 4.]])
    """
    if not logits:
        raise ValueError("nothing to fuse: no branch gave logits")
    check_tensors(None, **{f"logits {k}": one for k, one in enumerate(logits)})
    if any(one.shape != logits[0].shape for one in logits):
        raise ValueError(f"logits must be alike, got {[tuple(one.shape) for one in logits]}")
    return torch.stack(logits).mean(0)


def fused_loss(logits: Mapping[str, Tensor], labels: Tensor) -> Tensor:
    """Mean of the branches' cross entropies: for two branches 0.5 CE + 0.5 CE.

    The branches share no weight and Adam does not care for a gradient's scale, so training with
    this loss is training each branch apart.

    Raises:
        TypeError, ValueError: no logits, or labels that are not one class for each row of them.
    """
    if not logits:
        raise ValueError("nothing to fuse: no branch gave logits")
    rows, classes = next(iter(logits.values())).shape
    if not (isinstance(labels, Tensor) and labels.is_cuda):  # there, looking costs a wait
        labels = check_lengths(labels, rows, classes - 1, name="labels", least=0)
    return torch.stack([F.cross_entropy(branch, labels) for branch in logits.values()]).mean()


class Fused(nn.Module):
    """Branches side by side; the prediction is the mean of their logits.

    Args:
        parts: name -> branch, a module from a Batch to logits with ``needs``.
    """

    def __init__(self, parts: Mapping[str, nn.Module]):
        super().__init__()
        self.names = tuple(parts)
        self.parts = nn.ModuleList(parts.values())
        self.needs = frozenset().union(*(part.needs for part in self.parts))

    def branch_logits(self, batch) -> dict[str, Tensor]:
        """Each branch's logits by its row's name."""
        return {name: part(batch) for name, part in zip(self.names, self.parts, strict=True)}

    branches = branch_logits

    def loss(self, batch) -> Tensor:
        """The training loss, see :func:`fused_loss`."""
        return fused_loss(self.branch_logits(batch), field_of(batch, "labels"))

    def forward(self, batch) -> Tensor:
        """Batch with what the branches need -> logits (B, classes), the mean of theirs."""
        return fuse(*self.branch_logits(batch).values())
