"""The release's two batch norms around the DS-LSTM cell (options; not in the paper's equations).

Both normalise over the sequences of a batch that are still running at a step. A step with one
such sequence has no variance to speak of: it is normalised with the running statistics, which
it leaves alone, so that a last batch of one trains. Book: chapters "The DS-LSTM" and "Ablations".
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ser.nn.inputs import check_size, check_tensors


class StepNorm(nn.Module):
    """What both norms are: batch norm of a step's rows (B, features), some of them not valid.

    Args:
        features: numbers of a row.
        steps: () for one set of running statistics, (T,) for one a step.
        kind: device and dtype, as in :class:`torch.nn.BatchNorm1d`.

    Attributes:
        eps, momentum: as in :class:`torch.nn.BatchNorm1d`.
        scale: what the weights start from.
    """

    eps, momentum, scale = 1e-5, 0.1, 1.0

    def __init__(self, features: int, steps: tuple[int, ...], **kind):
        super().__init__()
        self.features = features
        self.weight = nn.Parameter(torch.full((features,), self.scale, **kind))
        self.bias = nn.Parameter(torch.zeros(features, **kind))
        self.register_buffer("running_mean", torch.zeros(*steps, features, **kind))
        self.register_buffer("running_var", torch.ones(*steps, features, **kind))

    def reset_parameters(self) -> None:
        """Scale and shift as at construction; running statistics stay."""
        nn.init.constant_(self.weight, self.scale)
        nn.init.zeros_(self.bias)

    def extra_repr(self) -> str:
        """Features, for ``print``."""
        return f"{self.features}"

    def _normalise(
        self, rows: Tensor, valid: Tensor | None, mean: Tensor, var: Tensor, *step: int
    ) -> Tensor:
        """Rows by their own mean and variance in training, if two are valid; else by those given.

        Raises:
            TypeError, ValueError: rows or valid that do not fit.
        """
        check_tensors(None, rows=rows)
        own = self.training or valid is not None
        if (own and rows.dim() != 2) or rows.shape[-1:] != (self.features,):
            raise ValueError(f"expected (B, {self.features}), got {tuple(rows.shape)}")
        if valid is not None:
            if valid.dtype != torch.bool or valid.shape != rows.shape[:1]:
                raise ValueError(f"valid must be {len(rows)} truth values, got {valid}")
            # What is not valid may be no number, of which not even a gradient of zero is free.
            rows = rows.masked_fill(~valid[:, None], 0.0)
        if self.training and len(rows) > 1:
            if valid is None:
                valid = rows.new_ones(len(rows), dtype=torch.bool)
            count = valid.sum().view(1)
            own_mean = rows.sum(0) / count.clamp(min=1)
            centred = (rows - own_mean).masked_fill(~valid[:, None], 0.0)
            own_var = centred.square().sum(0) / count.clamp(min=1)
            mean = torch.where(count > 1, own_mean, mean)
            var = torch.where(count > 1, own_var, var)
            self.update(own_mean.detach()[None], own_var.detach()[None], count, *step)
        return self.weight * (rows - mean) / torch.sqrt(var + self.eps) + self.bias


class GateNorm(StepNorm):
    """Batch norm of the gates after their sigmoid; running statistics for every time step.

    Scale (0.1 at the start) and shift (0) are shared by all steps. Steps from ``max_steps`` on
    use the statistics of step ``max_steps - 1``; in evaluation, steps beyond the longest
    sequence seen in training use those of the last step that was seen.

    Args:
        features: number of gate values (4 * hidden size, or 3 * without y-candidate).
        max_steps: steps for which statistics are kept.
        device, dtype: as in :class:`torch.nn.BatchNorm1d`.

    Example:
        >>> norm = GateNorm(8, max_steps=3)
        >>> norm(torch.rand(5, 8), step=0).shape
        torch.Size([5, 8])
    """

    scale = 0.1

    def __init__(
        self,
        features: int,
        max_steps: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        check_size("max_steps", max_steps)
        super().__init__(features, (max_steps,), device=device, dtype=dtype)
        self.max_steps = max_steps
        counts = torch.zeros(max_steps, dtype=torch.long, device=device)
        self.register_buffer("num_batches_tracked", counts)

    def statistics(self, steps: int) -> tuple[Tensor, Tensor]:
        """Running mean and variance, each (steps, features), as evaluation uses them."""
        seen = (self.num_batches_tracked > 0).sum()
        last = torch.where(seen > 0, seen, seen + self.max_steps) - 1
        rows = torch.arange(steps, device=self.running_mean.device).clamp_max(last)
        return self.running_mean[rows], self.running_var[rows]

    @torch.no_grad()
    def update(self, mean: Tensor, var: Tensor, counts: Tensor, start: int = 0) -> None:
        """Moves the running statistics of steps ``start``, ``start + 1``, ... towards the batch's.

        Args:
            mean, var: (steps, features), the variance biased (divided by the count).
            counts: (steps,) sequences each step saw; steps with fewer than two are left out.
        """
        stop = min(start + len(mean), self.max_steps)
        if stop <= start:
            return
        mean, var, counts = mean[: stop - start], var[: stop - start], counts[: stop - start]
        counts = counts.to(mean.dtype)[:, None]
        rate = self.momentum * (counts > 1).to(mean.dtype)
        var = var * counts / (counts - 1).clamp_min(1)
        rows = slice(start, stop)
        self.running_mean[rows] += rate * (mean - self.running_mean[rows])
        self.running_var[rows] += rate * (var - self.running_var[rows])
        self.num_batches_tracked[rows] += (counts[:, 0] > 1).long()

    def forward(
        self,
        gates: Tensor,
        step: int,
        valid: Tensor | None = None,
        statistics: tuple[Tensor, Tensor] | None = None,
    ) -> Tensor:
        """One step, as written: gates (B, features) after the sigmoid -> the same shape.

        ``valid`` (B,) marks the sequences which are still running; the others do not count.
        ``statistics`` are those from before the first step (they change on the way).

        Raises:
            TypeError, ValueError: gates, valid or step that do not fit.
        """
        if step < 0:
            raise ValueError(f"step must be at least 0, got {step}")
        mean, var = (s[step] for s in statistics or self.statistics(step + 1))
        return self._normalise(gates, valid, mean, var, step)

    def extra_repr(self) -> str:
        """Features and steps with statistics of their own, for ``print``."""
        return f"{self.features}, max_steps={self.max_steps}"


class OutputNorm(StepNorm):
    """Batch norm of the output h, applied at every step with that step's batch statistics.

    One set of running statistics serves all steps and is moved once a step, as in the release.
    The raw h, not this output, recurs.

    Example:
        >>> OutputNorm(8)(torch.rand(5, 8)).shape
        torch.Size([5, 8])
    """

    def __init__(
        self,
        features: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__(features, (), device=device, dtype=dtype)

    @torch.no_grad()
    def update(self, mean: Tensor, var: Tensor, counts: Tensor) -> None:
        """One move a step, in order of time.

        Args:
            mean, var, counts: as in :meth:`GateNorm.update`.
        """
        counts = counts.to(mean.dtype)[:, None]
        rate = self.momentum * (counts > 1).to(mean.dtype)
        var = var * counts / (counts - 1).clamp_min(1)
        # Of a step's move, what the moves after it leave.
        left = torch.cat([1 - rate[1:], torch.ones_like(rate[:1])]).flip(0).cumprod(0).flip(0)
        self.running_mean += (rate * left * (mean - self.running_mean)).sum(0)
        self.running_var += (rate * left * (var - self.running_var)).sum(0)

    def forward(self, h: Tensor, valid: Tensor | None = None) -> Tensor:
        """One step, as written: h (B, features) -> the same shape; ``valid`` as in GateNorm.

        Raises:
            TypeError, ValueError: h or valid that do not fit.
        """
        return self._normalise(h, valid, self.running_mean, self.running_var)
