"""Batch norm over the valid frames of pictures of different lengths."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def beyond(lengths: Tensor, frames: int) -> Tensor:
    """(B, 1, 1, frames), True where a frame is padding.

    >>> beyond(torch.tensor([2]), 3).flatten().tolist()
    [False, False, True]
    """
    return (torch.arange(frames, device=lengths.device) >= lengths[:, None])[:, None, None]


def masked_batch_norm(norm: nn.BatchNorm2d, z: Tensor, lengths: Tensor) -> Tensor:
    """Batch norm of z (B, C, bands, frames) with statistics over the valid frames (B,) alone."""
    if norm.weight is None or norm.running_mean is None or not norm.track_running_stats:
        return called_norm(norm, z, lengths)
    if norm.training:
        valid = ~beyond(lengths, z.shape[3])
        count = valid.sum() * z.shape[2]
        z0 = z.masked_fill(~valid, 0.0)
        mean = z0.sum((0, 2, 3)) / count
        centred = (z - mean[:, None, None]).masked_fill(~valid, 0.0)
        var = centred.square().sum((0, 2, 3)) / count
        update_running(norm, mean.detach(), var.detach(), count)
    else:
        mean, var = norm.running_mean, norm.running_var
    scale = norm.weight * torch.rsqrt(var + norm.eps)
    shift = norm.bias - mean * scale
    return z * scale[:, None, None] + shift[:, None, None]


def called_norm(norm: nn.Module, z: Tensor, lengths: Tensor) -> Tensor:
    """What a norm makes of the valid frames, by calling it; zeros beyond.

    A batch norm is given all of them as one long clip, as its statistics are over them; another
    norm is given clip after clip.
    """
    if isinstance(norm, nn.modules.batchnorm._BatchNorm):
        valid = ~beyond(lengths, z.shape[3])[:, 0, 0]
        found = norm(z.permute(1, 2, 0, 3)[:, :, valid][None])[0]
        room = found.new_zeros(*found.shape[:2], *valid.shape)
        room[:, :, valid] = found
        return room.permute(2, 0, 1, 3)
    clips = [norm(one[None, :, :, :n]) for one, n in zip(z, lengths.tolist(), strict=True)]
    return torch.cat([F.pad(clip, (0, z.shape[3] - clip.shape[3])) for clip in clips])


@torch.no_grad()
def update_running(norm: nn.BatchNorm2d, mean: Tensor, var: Tensor, count: Tensor | int) -> None:
    """Moves the running statistics as BatchNorm2d does (var biased, count of values)."""
    norm.num_batches_tracked += 1
    # momentum None is torch's way to ask for the plain mean over all batches (update_bn).
    share = 1 / norm.num_batches_tracked if norm.momentum is None else norm.momentum
    unbiased = var * (count / (count - 1))
    norm.running_mean += share * (mean - norm.running_mean)
    norm.running_var += share * (unbiased - norm.running_var)
