"""What a step of the front end has heard, and when (book: "The CNN front end and alignment").

The front end is :class:`ser.nn.FrontEnd`: two blocks of convolution and 2 × 2 max pool.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from ser.features.mel import hz_to_mel, mel_to_hz
from ser.features.presets import PRESETS, get_preset, nearest_index
from ser.nn.frontend import KERNELS, FrontEnd

SPECTROGRAMS = ("s1", "s2")


def receptive_field(kernel: int) -> tuple[int, int, int]:
    """First index, size and spacing of what a step depends on along one axis, after two blocks.

    Example:
        >>> receptive_field(2), receptive_field(4)
        ((0, 7, 4), (-3, 13, 4))
    """
    first, size, spacing = 0, 1, 1
    for _ in range(2):
        first -= (kernel - 1) // 2 * spacing
        size += (kernel - 1) * spacing + spacing  # the convolution, then the pool
        spacing *= 2
    return first, size, spacing


def heard_ms(which: str, steps: int, preset: str = "release") -> np.ndarray:
    """(steps, 3): start, centre and end in ms of what each step of ``s1`` or ``s2`` has heard.

    Frames are taken as they are, not squashed; a frame hears one hop to each side of its middle.
    """
    ms = get_preset(preset).hop_length[SPECTROGRAMS.index(which)] / 16
    first, size, spacing = receptive_field(KERNELS[which][1])
    start = first + spacing * np.arange(steps)
    end = start + size - 1
    return np.stack([(start - 1) * ms, (start + end) / 2 * ms, (end + 1) * ms], axis=1)


def squash_drift(frames: tuple[int, int]) -> np.ndarray:
    """How much later in ms x' hears than y, at each aligned step, with the release's fixed frames.

    Args:
        frames: of S1 and S2 before they are squashed to 230 and 120.

    Returns:
        (steps,) ms: the mean time of the frames that the three steps of x have heard, less that of
        the step of y.
    """
    preset, means = get_preset("release"), []
    for k, which in enumerate(SPECTROGRAMS):
        size = preset.frames[k]
        times = nearest_index(frames[k], size) * preset.hop_length[k] / 16
        first, width, spacing = receptive_field(KERNELS[which][1])
        steps = int(FrontEnd(preset.n_mels[k], which).out_lengths(size))
        index = first + spacing * np.arange(steps)[:, None] + np.arange(width)
        means.append(times[index.clip(0, size - 1)].mean(axis=1))
    x, y = means
    count = min(len(y), len(x) // 2 - 1)
    paced = np.stack([x[k : k + 2 * count : 2] for k in range(3)]).mean(axis=0)
    return paced - y[:count]


def heard_table() -> pd.DataFrame:
    """What a step of each front end has heard, in both presets.

    Returns:
        indexed by preset and spectrogram: ``hears, ms`` and ``a step every, ms``; ``Hz wide at
        500 Hz`` and ``at 3000 Hz``. A frame is a window of two hops, a band a triangle from the
        corner before to the corner after.
    """
    top, rows = float(hz_to_mel(np.array(8000.0))), {}
    for name, preset in PRESETS.items():
        for k, which in enumerate(SPECTROGRAMS):
            ms = preset.hop_length[k] / 16
            (_, bands, _), (_, frames, step) = (receptive_field(n) for n in KERNELS[which])
            corners = mel_to_hz(np.linspace(0, top, preset.n_mels[k] + 2))
            row = {"hears, ms": (frames + 1) * ms, "a step every, ms": step * ms}
            for hz in (500, 3000):
                low = np.searchsorted(corners, hz) - bands // 2
                row[f"Hz wide at {hz} Hz"] = corners[low + bands + 1] - corners[low]
            rows[name, which.upper()] = row
    return pd.DataFrame(rows).T.round().astype(int)


def not_heard(seconds: pd.Series) -> pd.DataFrame:
    """What is left of clips of so many seconds after the last frame that x' and y' have heard.

    Returns:
        indexed as *seconds*: ``x, ms``, ``y, ms``, ``x, percent`` of the clip, and ``x ends, s``.
    """
    samples = (16000 * seconds).astype(int)
    x_steps = FrontEnd(128, "s1").out_lengths(1 + samples // 256)
    y_steps = FrontEnd(256, "s2").out_lengths(1 + samples // 512)
    steps = np.minimum(y_steps, x_steps // 2 - 1)
    most = int(steps.max())
    x_end = heard_ms("s1", 2 * most + 1)[2 * steps, 2] / 1000  # of x[2t + 2] at the last t
    y_end = heard_ms("s2", most)[steps - 1, 2] / 1000
    return pd.DataFrame(
        {
            "x, ms": 1000 * (seconds - x_end).clip(lower=0),
            "y, ms": 1000 * (seconds - y_end).clip(lower=0),
            "x, percent": 100 * (1 - x_end / seconds).clip(lower=0),
            "x ends, s": x_end,
        }
    )
