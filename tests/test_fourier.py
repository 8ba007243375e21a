"""The compiled transform of the spectrograms: against numpy in double precision, at every size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ser.features.framing import filter_bank, log_bands

SIZES = [16, 32, 64, 128, 256, 512, 1024, 2048, 4096]
CPU = torch.device("cpu")


def powers(frames: torch.Tensor, window: torch.Tensor, n: int, onset=None) -> np.ndarray:
    """(rows, n / 2 + 1), every bin a band of its own."""
    bank = filter_bank(np.eye(n // 2 + 1), CPU)
    return log_bands(frames, window, n, bank, 1e-30, 1.0, onset).exp().T.numpy()


def exact(frames: torch.Tensor, window: torch.Tensor, n: int) -> np.ndarray:
    return np.abs(np.fft.rfft((frames * window).double().numpy(), n)) ** 2


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    """To rounding of the frame's loudest bin, the measure of a transform in single precision."""
    assert ours.shape == theirs.shape
    loudest = theirs.max(axis=1, keepdims=True)
    assert (np.abs(ours - theirs) <= 2e-6 * loudest).all()


@pytest.fixture(autouse=True)
def kernels():
    return pytest.importorskip("ser.features.kernels")


@pytest.fixture
def never_torch(monkeypatch):
    """The slow way is a failure: the test is about the kernel."""
    monkeypatch.setattr(torch.fft, "rfft", None)


@pytest.mark.parametrize("n", SIZES)
def test_equal_to_numpy(never_torch, n):
    frames = torch.randn(64, n, generator=torch.Generator().manual_seed(n))
    window = torch.hann_window(n)
    close(powers(frames, window, n), exact(frames, window, n))


@pytest.mark.parametrize("n", SIZES)
def test_one_impulse_has_the_same_power_everywhere(never_torch, n):
    frames = torch.zeros(64, n)
    frames[torch.arange(64), torch.arange(64) * 7 % n] = 3.0
    np.testing.assert_allclose(powers(frames, torch.ones(n), n), 9.0, rtol=1e-5)


@pytest.mark.parametrize(("width", "n"), [(16, 64), (400, 512), (48, 1024)])
def test_short_frames_are_followed_by_zeros(never_torch, width, n):
    frames = torch.randn(128, width, generator=torch.Generator().manual_seed(0))
    window = torch.hamming_window(width)
    close(powers(frames, window, n), exact(frames, window, n))


@pytest.mark.parametrize("hop", [1, 160, 256, 700])
def test_overlapping_frames_of_a_part_of_a_longer_signal(never_torch, hop):
    signal = torch.randn(70_000, generator=torch.Generator().manual_seed(0))
    frames = signal[123 : 123 + 63 * hop + 512].unfold(0, 512, hop)
    close(powers(frames, torch.hann_window(512), 512), exact(frames, torch.hann_window(512), 512))


def test_a_given_onset_replaces_the_first_sample(never_torch):
    frames = torch.randn(64, 400, generator=torch.Generator().manual_seed(0))
    window = torch.hamming_window(400)
    onset = torch.linspace(-2, 2, 64)
    replaced = frames.clone()
    replaced[:, 0] = onset / window[0]
    close(powers(frames, window, 512, onset), exact(replaced, window, 512))


def test_a_frame_does_not_depend_on_its_neighbours(never_torch):
    frames = torch.randn(256, 512, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(512)
    alone = powers(frames[:64], window, 512)
    turned = powers(frames.roll(37, 0), window, 512)
    np.testing.assert_array_equal(turned[37 : 37 + 64], alone)
    frames[5] = torch.nan
    broken = powers(frames, window, 512)
    assert np.isnan(broken[5]).all()
    np.testing.assert_array_equal(np.delete(broken[:64], 5, 0), np.delete(alone, 5, 0))


@pytest.mark.parametrize(("width", "n"), [(100, 128), (24, 24), (400, 400)])
def test_other_sizes_go_the_slow_way(width, n):
    frames = torch.randn(64, width, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(width)
    close(powers(frames, window, n), exact(frames, window, n))


def test_double_precision_and_a_strided_window_give_the_same():
    frames = torch.randn(64, 512, generator=torch.Generator().manual_seed(0))
    window = torch.hann_window(1024)[::2]
    expected = exact(frames, window, 512)
    close(powers(frames, window, 512), expected)
    close(powers(frames.double(), window.contiguous(), 512), expected)
