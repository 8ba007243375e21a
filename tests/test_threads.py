"""Work that torch's threads share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ser.features.mel import DECIBEL, FLOOR, mel_filterbank, mel_pair
from ser.features.spectrum import log_band_powers
from ser.threads import share_work


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_every_item_is_worked_on_once_and_the_number_of_threads_stays(two_threads):
    for count in (0, 1, 2, 5, 64):
        seen = np.zeros(count, int)

        def work(start: int, stop: int, seen=seen) -> None:
            seen[start:stop] += 1
            assert torch.get_num_threads() == 1

        share_work(count, work, alone=True)
        assert (seen == 1).all() and torch.get_num_threads() == 2


def test_an_error_in_any_thread_comes_out_after_all_have_ended(two_threads):
    ended = []

    def work(start: int, stop: int) -> None:
        if start:
            raise ValueError("in the second thread")
        ended.append(stop)

    with pytest.raises(ValueError, match="second thread"):
        share_work(4, work)
    assert ended == [2]


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_spectrograms_do_not_depend_on_the_number_of_threads(two_threads, threads):
    rng = np.random.default_rng(0)
    wave = rng.normal(0, 0.1, 300_000).astype(np.float32)
    expected = mel_pair(wave)
    torch.set_num_threads(threads)
    for ours, theirs in zip(mel_pair(wave), expected, strict=True):
        assert torch.equal(ours, theirs)


def test_band_powers_equal_the_formulas_in_double_precision():
    torch.manual_seed(0)
    frames = 1000 * torch.randn(256, 512) * torch.rand(256, 1) ** 8
    frames[3], frames[7, 100], frames[9] = 0, torch.nan, 1e-9
    bank = mel_filterbank(512, 128)
    bank[5] = 0
    window, weights = torch.hann_window(512), torch.tensor(bank.T)
    ours = log_band_powers(frames, window, 512, weights.float(), FLOOR, DECIBEL)
    power = torch.fft.rfft((frames * window).double()).abs().square() @ weights
    exact = 10 * power.clamp(min=FLOOR).log10()
    torch.testing.assert_close(ours.double(), exact, rtol=0, atol=2e-3, equal_nan=True)
    assert (ours[3] == -100).all() and (ours[[0, 1, 9], 5] == -100).all()
    assert ours[7].isnan().all()
