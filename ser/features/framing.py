"""Frames of many utterances at once: one long buffer, one matrix of frames, equal-sized chunks.

Utterances are laid one after the other in a single buffer, each in a block that is a whole number
of hops long; then frame ``i`` of the buffer starts at ``i * hop`` and only the few frames at the
seams, which would mix two utterances, are thrown away. Nothing is padded to the longest utterance.

Chunks always have the same number of rows. A matrix product may round differently when its shape
changes; with one shape, a frame's numbers do not depend on which utterances it was computed with,
so a cache filled in one go and one filled after three interruptions hold the same bits (on CPU).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from ser.compiling import load_kernels
from ser.errors import FeatureError
from ser.features.presets import INT16_SCALE
from ser.threads import share_work

CHUNK_CPU = 64
CHUNK_GPU = 8192


def as_waves(
    waves: Sequence[np.ndarray | torch.Tensor], device: str | torch.device | None, shortest: int
) -> tuple[list[torch.Tensor], torch.device]:
    """Check a list of waveforms and bring them to *device* as float32.

    Args:
        waves: 1-D arrays or tensors, values in -1..1 at 16 kHz.
        device: where to compute; None: where the first one is.
        shortest: fewest samples allowed.

    Raises:
        FeatureError: none at all, not 1-D, or too short.
    """
    if len(waves) == 0:
        raise FeatureError("no waveform to compute features of: the list is empty")
    tensors = [torch.as_tensor(w) for w in waves]
    device = torch.device(device) if device is not None else tensors[0].device
    for i, wave in enumerate(tensors):
        if wave.ndim != 1:
            raise FeatureError(
                f"waveform {i} has shape {tuple(wave.shape)}; expected one channel, (samples,). "
                "ser.load_audio gives that for any file"
            )
        if len(wave) < shortest:
            raise FeatureError(
                f"waveform {i} has {len(wave)} samples at 16 kHz; at least {shortest} are needed"
            )
    return [t.to(device=device, dtype=torch.float32) for t in tensors], device


def lay_out(
    waves: list[torch.Tensor], hops: Sequence[int], hop: int, window: int, lead: int
) -> tuple[torch.Tensor, np.ndarray]:
    """All waveforms in one zero-filled buffer, scaled to 16-bit sample values.

    Args:
        waves: 1-D float32 tensors.
        hops: length of each one's block in hops.
        hop: samples from frame to frame.
        window: samples a frame.
        lead: zeros before each waveform inside its block.

    Returns:
        The buffer and the row (frame number) at which each block starts.
    """
    first = np.concatenate([[0], np.cumsum(hops)])
    rows = chunked_rows(int(first[-1]), waves[0].device)
    buffer = torch.zeros((rows - 1) * hop + window, device=waves[0].device)
    for start, blocks, wave in zip(first[:-1].tolist(), hops, waves, strict=True):
        begin = start * hop + lead
        end = min(begin + len(wave), (start + int(blocks)) * hop)
        torch.mul(wave[: end - begin], INT16_SCALE, out=buffer[begin:end])
    return buffer, first[:-1]


def chunk_size(device: torch.device) -> int:
    """Rows of frames that are worked on at once: few on a CPU, so that they stay in its cache."""
    return CHUNK_CPU if device.type == "cpu" else CHUNK_GPU


def chunked_rows(rows: int, device: torch.device) -> int:
    """*rows* rounded up to whole chunks."""
    size = chunk_size(device)
    return -(-rows // size) * size


class Bank(NamedTuple):
    """A filter bank: whole, for torch, and the few weights that are not zero, for the kernel.

    ``whole`` (bins, bands); of each band the ``first`` bin it reaches and their ``count``;
    ``weights`` of all bands in turn.
    """

    whole: torch.Tensor
    first: np.ndarray
    count: np.ndarray
    weights: np.ndarray


def filter_bank(bank: np.ndarray, device: torch.device) -> Bank:
    """A bank (bands, n_fft // 2 + 1) as :func:`log_bands` takes it.

    Example:
        >>> bank = filter_bank(np.eye(257)[:40], torch.device("cpu"))
        >>> bank.first[:3].tolist(), bank.count.sum().item(), bank.whole.shape
        ([0, 1, 2], 40, torch.Size([257, 40]))
    """
    reached = [np.flatnonzero(band) for band in bank]
    first = np.array([r[0] if len(r) else 0 for r in reached])
    count = np.array([r[-1] - r[0] + 1 if len(r) else 1 for r in reached])
    parts = [band[a : a + n] for band, a, n in zip(bank, first, count, strict=True)]
    whole = torch.tensor(np.ascontiguousarray(bank.T), dtype=torch.float32, device=device)
    return Bank(whole, first, count, np.concatenate(parts).astype(np.float32))


def log_bands(
    frames: torch.Tensor,
    window: torch.Tensor,
    n_fft: int,
    bank: Bank,
    floor: float,
    scale: float,
    onset: torch.Tensor | None = None,
) -> torch.Tensor:
    """Window, Fourier transform, power, filter bank, logarithm: chunk after chunk of frames.

    On a CPU torch's threads share the chunks, each computing on one core: so the numbers do not
    depend on how many threads there are.

    Args:
        frames: (rows, len(window)) view of the buffer, rows a multiple of the chunk size.
        window: (samples of a frame,).
        n_fft: length of the transform; frames are followed by zeros up to it.
        bank: what :func:`filter_bank` makes of (bands, n_fft // 2 + 1) weights.
        floor: least power; less counts as this.
        scale: what the natural logarithm is multiplied by.
        onset: (rows,) windowed first samples to put in place of the computed ones, or None.

    Returns:
        (bands, rows) scaled logarithms of the power in each band.
    """
    width, device = len(window), frames.device
    size = min(chunk_size(device), len(frames))
    if len(frames) % size:
        raise ValueError(f"{len(frames)} frames are not a multiple of a chunk of {size}")
    out = torch.empty(len(bank.first), len(frames), device=device)
    chunks = len(frames) // size
    least = scale * math.log(floor)
    kernels = load_kernels("ser.features.kernels") if device.type == "cpu" else None
    if kernels is not None and _suits(kernels, frames, window, n_fft, size):
        hop = frames.stride(0)
        samples = frames.as_strided(((len(frames) - 1) * hop + width,), (1,)).numpy()
        tables = kernels.fourier_tables(n_fft)
        given = [samples, hop, window.contiguous().numpy(), *tables]
        given += [np.empty(0, np.float32) if onset is None else onset.numpy(), *bank[1:]]
        given += [np.float32(number) for number in (floor, scale, least)]
        given.append(out.numpy())
        share_work(chunks, lambda a, b: kernels.log_band_powers(*given, a * size, b * size))
        return out

    def run(first: int, last: int) -> None:
        """Columns of ``out`` for chunks ``first`` to ``last - 1``, by torch's own transform."""
        work = torch.zeros(size, n_fft, device=device)
        for start in range(first * size, last * size, size):
            part = slice(start, start + size)
            torch.mul(frames[part], window, out=work[:, :width])
            if onset is not None:
                work[:, 0] = onset[part]
            power = torch.view_as_real(torch.fft.rfft(work)).square().sum(2)
            bands = (power @ bank.whole).T
            out[:, part] = torch.where(bands <= floor, least, scale * bands.log())

    if device.type == "cpu":
        share_work(chunks, run, alone=True)
    else:
        run(0, chunks)
    return out


def _suits(kernels: Any, frames: torch.Tensor, window: torch.Tensor, n_fft: int, size: int) -> bool:
    """Whether the kernel takes these: single precision, powers of two, whole vectors of samples."""
    whole = size % kernels.LANES == 0 and len(window) % kernels.LANES == 0
    single = frames.dtype == window.dtype == torch.float32 and frames.stride(1) == 1
    return whole and single and n_fft >= 16 and n_fft & (n_fft - 1) == 0


def pad_rows(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Tensors (T_i, width) -> zero-padded (B, max T, width) and int64 lengths (B,) on the CPU."""
    lengths = torch.tensor([len(r) for r in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), lengths
