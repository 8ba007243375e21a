"""What each library calls an MFCC: its settings, and one function that follows any of them.

openSMILE, librosa and torchaudio all call the result MFCC and give different numbers. Here every
choice has a name, so that each library's numbers come out of the same few lines of numpy, and one
choice can be changed at a time. For explaining: slow, float64, one utterance. What the models of
this book hear is :func:`ser.features.mfcc39`. Book: chapter "MFCC: a spectrum in a few numbers".
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from ser.errors import FeatureError
from ser.features.mel import hz_to_mel, mel_to_hz
from ser.features.presets import INT16_SCALE, SAMPLE_RATE

CONFIGURATION = Path(__file__).with_name("MFCC12_E_D_A.conf")
"""openSMILE's configuration of this name; its Python package ships no MFCC-only set."""


@dataclass(frozen=True)
class MFCCSettings:
    """Every choice between a wave and its cepstra; 16 kHz throughout.

    Attributes:
        scale: what samples of full scale 1 are multiplied by.
        frame, hop, n_fft: samples a frame, from frame to frame, of the transform (zeros follow).
        centre: ``""`` whole frames only, the first begins at sample 0; ``"zeros"`` or
            ``"mirror"``: frame t is centred on ``t * hop``, and this stands beyond the ends.
        emphasis: of each frame, ``y[n] = x[n] - emphasis x[n-1]``, ``y[0] = (1 - emphasis) x[0]``.
        window: ``"hamming"`` (symmetric) or ``"hann"`` (periodic).
        bands: mel bands from 0 to 8000 Hz.
        mel: ``"htk"``, ``1127 ln(1 + f / 700)``, or ``"slaney"``, straight to 1000 Hz.
        triangles: straight on the ``"mel"`` axis or on the ``"hertz"`` axis.
        area: each triangle is divided by half its width in hertz.
        log: ``"ln"`` or ``"dB"`` (``10 log10``).
        floor: least power before the logarithm.
        top_db: nothing is further than this below the clip's loudest band; None: no limit.
        lifter: ``1 + lifter / 2 sin(pi k / lifter)`` on coefficient k; 0: none.

    Example:
        >>> OPENSMILE.window, LIBROSA.window
        ('hamming', 'hann')
    """

    scale: float = INT16_SCALE
    frame: int = 400
    hop: int = 160
    n_fft: int = 512
    centre: str = ""
    emphasis: float = 0.97
    window: str = "hamming"
    bands: int = 26
    mel: str = "htk"
    triangles: str = "mel"
    area: bool = False
    log: str = "ln"
    floor: float = 1.0
    top_db: float | None = None
    lifter: int = 22

    def __post_init__(self) -> None:
        allowed = {
            "centre": ("", "zeros", "mirror"),
            "window": ("hamming", "hann"),
            "mel": ("htk", "slaney"),
            "triangles": ("mel", "hertz"),
            "log": ("ln", "dB"),
        }
        for name, values in allowed.items():
            if getattr(self, name) not in values:
                raise FeatureError(f"{name} is one of {values}, not {getattr(self, name)!r}")
        if self.n_fft < self.frame:
            raise FeatureError(f"n_fft {self.n_fft} is shorter than the frame of {self.frame}")


_LIBRARY = {"scale": 1.0, "emphasis": 0.0, "window": "hann", "triangles": "hertz", "log": "dB"}
_LIBRARY |= {"floor": 1e-10, "top_db": 80.0, "lifter": 0, "bands": 128}

OPENSMILE = MFCCSettings()
"""MFCC12_E_D_A's cepstra, as HTK and :func:`ser.features.mfcc39` have them."""

LIBROSA = MFCCSettings(
    **_LIBRARY, frame=2048, hop=512, n_fft=2048, centre="zeros", mel="slaney", area=True
)
"""``librosa.feature.mfcc(y=wave, sr=16000)`` as it comes (librosa 0.11)."""

TORCHAUDIO = MFCCSettings(**_LIBRARY, frame=400, hop=200, n_fft=400, centre="mirror")
"""``torchaudio.transforms.MFCC(16000)`` as it comes (torchaudio 2.11)."""


CHANGES = {
    "dB instead of ln": {"log": "dB"},
    "no lifter": {"lifter": 0},
    "full scale 1, floor 1e-10": {"scale": 1.0, "floor": 1e-10},
    "no pre-emphasis": {"emphasis": 0.0},
    "triangles of equal area": {"area": True},
    "triangles straight in hertz": {"triangles": "hertz"},
    "Hann window": {"window": "hann"},
    "Slaney's mel": {"mel": "slaney"},
    "128 bands": {"bands": 128},
    "frames of 512": {"frame": 512},
    "centred frames": {"centre": "zeros"},
}
"""What the other libraries do otherwise than openSMILE, one setting at a time."""


def filter_bank(settings: MFCCSettings) -> np.ndarray:
    """Its mel triangles on the bins of its spectrum.

    Returns:
        float64 (bands, n_fft // 2 + 1).

    Example:
        >>> filter_bank(OPENSMILE).shape, filter_bank(LIBROSA).shape
        ((26, 257), (128, 1025))
    """
    bins = np.arange(settings.n_fft // 2 + 1) * SAMPLE_RATE / settings.n_fft
    to_mel = hz_to_mel if settings.mel == "slaney" else _htk
    to_hertz = mel_to_hz if settings.mel == "slaney" else _from_htk
    mels = np.linspace(0.0, float(to_mel(np.array(SAMPLE_RATE / 2))), settings.bands + 2)
    hertz = to_hertz(mels)
    place, corners = (to_mel(bins), mels) if settings.triangles == "mel" else (bins, hertz)
    left, top, right = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    rising, falling = (place - left) / (top - left), (right - place) / (right - top)
    bank = np.clip(np.minimum(rising, falling), 0.0, None)
    return bank * (2.0 / (hertz[2:] - hertz[:-2]))[:, None] if settings.area else bank


def log_bands(wave: ArrayLike, settings: MFCCSettings = OPENSMILE) -> np.ndarray:
    """Logarithm of the power in each mel band.

    Args:
        wave: (samples,), full scale 1, 16 kHz.
        settings: which library's, or changed ones.

    Returns:
        float64 (frames, bands), in nepers of power (``"ln"``) or dB.

    Raises:
        FeatureError: not one row of samples, or shorter than a frame.

    Example:
        >>> log_bands(np.ones(16000)).shape
        (98, 26)
    """
    wave = np.asarray(wave, dtype=float)
    if wave.ndim != 1 or len(wave) < (1 if settings.centre else settings.frame):
        raise FeatureError(f"a wave is one row of at least one frame, not {wave.shape}")
    if settings.centre == "mirror" and len(wave) <= settings.frame // 2:
        raise FeatureError("a wave is mirrored at its ends only where it is longer than that")
    wave = wave * settings.scale
    if settings.centre:
        mode = {"zeros": "constant", "mirror": "reflect"}[settings.centre]
        wave = np.pad(wave, settings.frame // 2, mode=mode)
    frames = np.lib.stride_tricks.sliding_window_view(wave, settings.frame)[:: settings.hop]
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    n = np.arange(settings.frame)
    if settings.window == "hamming":
        window = 0.54 - 0.46 * np.cos(2 * np.pi * n / (settings.frame - 1))
    else:
        window = 0.5 - 0.5 * np.cos(2 * np.pi * n / settings.frame)
    spectrum = np.fft.rfft((frames - settings.emphasis * before) * window, settings.n_fft)
    power = np.maximum(np.abs(spectrum) ** 2 @ filter_bank(settings).T, settings.floor)
    if settings.log == "ln":
        return np.log(power)
    level = 10 * np.log10(power)
    return level if settings.top_db is None else np.maximum(level, level.max() - settings.top_db)


def cosines(bands: int, count: int) -> np.ndarray:
    """The first rows of the orthonormal cosine transform (DCT-II).

    Returns:
        float64 (count, bands).

    Example:
        >>> np.allclose(cosines(26, 26) @ cosines(26, 26).T, np.eye(26))
        True
    """
    k = np.arange(count)[:, None]
    matrix = np.sqrt(2 / bands) * np.cos(np.pi * k / bands * (np.arange(bands) + 0.5))
    matrix[0] /= np.sqrt(2)
    return matrix


def cepstra(wave: ArrayLike, settings: MFCCSettings = OPENSMILE, count: int = 13) -> np.ndarray:
    """Cepstra 0 to ``count - 1`` by these settings.

    Args:
        wave: (samples,), full scale 1, 16 kHz.
        settings: which library's, or changed ones.
        count: how many, at most bands.

    Returns:
        float64 (frames, count). Column 0 is orthonormal; HTK's own is larger by the root of 2.

    Raises:
        FeatureError: as :func:`log_bands`, or more coefficients than bands.

    Source: Davis and Mermelstein, "Comparison of Parametric Representations for Monosyllabic Word
    Recognition in Continuously Spoken Sentences", IEEE Transactions on Acoustics, Speech, and
    Signal Processing 28(4), 1980.

    Example:
        >>> cepstra(np.ones(16000)).shape
        (98, 13)
    """
    if not 1 <= count <= settings.bands:
        raise FeatureError(
            f"{settings.bands} bands have 1 to {settings.bands} cepstra, not {count}"
        )
    values = log_bands(wave, settings) @ cosines(settings.bands, count).T
    if settings.lifter:
        values = values * lifter(count, settings.lifter)
    return values


def lifter(count: int, length: int = 22) -> np.ndarray:
    """HTK's lifter, ``1 + length / 2 sin(pi k / length)``, for k = 0 to ``count - 1``.

    Example:
        >>> lifter(13)[[0, 11]].tolist()
        [1.0, 12.0]
    """
    return 1 + length / 2 * np.sin(np.pi * np.arange(count) / length)


def _htk(hertz: np.ndarray) -> np.ndarray:
    return 1127 * np.log1p(hertz / 700)


def _from_htk(mel: np.ndarray) -> np.ndarray:
    return 700 * np.expm1(mel / 1127)
