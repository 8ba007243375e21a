"""Sound on a page, at its true level.

The usual notebook player makes every clip equally loud and so hides level, which is one of the
cues of anger. Here a whole page has one gain (:func:`page_gain`), so that what was louder
plays louder, by as many decibels. Book: chapter "Emotion in a voice".
"""

from __future__ import annotations

import base64
import io
import os
import wave as wav_file
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np
from numpy.typing import ArrayLike
from ser.errors import AudioError
from ser.plots.html import Html

RATE = 16000
SECONDS = 6.0
Sound = str | os.PathLike | ArrayLike
"""A file, or samples with full scale 1."""


class Player(Html):
    """A player as a notebook shows it.

    Attributes:
        wav: the WAV file's bytes, 16 kHz, 16 bit, mono.
        gain: what every sample was multiplied by.
        seconds: duration.
    """

    def __init__(self, html: str, text: str, wav: bytes, gain: float, seconds: float) -> None:
        super().__init__(html, text)
        self.wav = wav
        self.gain = gain
        self.seconds = seconds


def page_gain(sounds: Iterable[Sound], rate: int = RATE, peak: float = 0.9) -> float:
    """One gain for all the players of a page: the loudest peak comes out at *peak*.

    Args:
        sounds: waves (samples,) with full scale 1, or files.
        rate: samples a second of the waves.
        peak: of full scale, 0 to 1.

    Returns:
        The gain; 1 if there is nothing but silence.

    Example:
        >>> float(page_gain([np.full(800, 0.1), np.full(800, -0.45)]))
        2.0
    """
    if not 0 < peak <= 1:
        raise ValueError(f"peak is a share of full scale, 0 < peak <= 1, not {peak}")
    highest = max((np.abs(_samples(s, rate)).max() for s in sounds), default=0.0)
    return float(peak / highest) if highest > 0 else 1.0


def player(
    sound: Sound,
    rate: int = RATE,
    caption: str = "",
    transcript: str = "",
    gain: float = 1.0,
    *,
    lang: str = "",
    seconds: float = SECONDS,
    cut: bool = True,
) -> Player:
    """Play a clip on a page, at the page's gain.

    Args:
        sound: wave (samples,), full scale 1, or an audio file.
        rate: samples a second of the wave (a file knows its own).
        caption: what it is; also read out by screen readers.
        transcript: the words.
        gain: the page's gain, of :func:`page_gain`; never chosen for one clip alone.
        lang: language of the transcript, e.g. ``"de"``, for screen readers.
        seconds: longest clip (a page has a size budget).
        cut: True: a longer clip is cut there and its caption says so; False: it is an error.

    Returns:
        :class:`Player`; as the last line of a cell it is displayed.

    Raises:
        ValueError: the gain would clip (the message names the largest allowed), or too long.
        AudioError: not a sound, or NaN in it.

    Example:
        >>> tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(8000) / 16000)
        >>> player(tone, caption="440 Hz", gain=2.0)
        [sound] 440 Hz (0.5 s)
    """
    wave = _samples(sound, rate)
    length = len(wave) / RATE
    if length > seconds + 0.5 / RATE:
        if not cut:
            raise ValueError(
                f"the clip lasts {length:.2f} s, more than {seconds:g} s; cut it first"
            )
        wave = wave[: int(seconds * RATE)]
        caption = f"{caption} (first {seconds:g} of {length:.1f} s)".strip()
    if not np.isfinite(gain) or gain <= 0:
        raise ValueError(f"gain is a positive number, not {gain}")
    highest = float(np.abs(wave).max())
    allowed = np.floor(1e4 / highest) / 1e4 if highest else np.inf
    if highest * gain > 1 + 1e-6:
        raise ValueError(
            f"gain {gain:g} would clip this sound (peak {highest:.3f}); at most {allowed:g} is "
            "allowed. Use page_gain over all sounds of the page"
        )
    data = _wav(wave * gain)
    name = caption or "sound"
    source = base64.b64encode(data).decode("ascii")
    language = f' lang="{escape(lang)}"' if lang else ""
    words = f"<div{language}>“{escape(transcript)}”</div>" if transcript else ""
    html = (
        '<figure class="ser-player" style="margin:.5em 0;max-width:100%">'
        f'<audio controls preload="metadata" aria-label="{escape(name)}" '
        f'style="width:320px;max-width:100%" src="data:audio/wav;base64,{source}"></audio>'
        f"<figcaption>{escape(caption)}{words}</figcaption></figure>"
    )
    said = f"[sound] {name} ({len(wave) / RATE:.1f} s)"
    return Player(
        html, f"{said}: {transcript}" if transcript else said, data, gain, len(wave) / RATE
    )


def players(items: Sequence[Player]) -> Html:
    """Several players side by side, below each other where the page is narrow.

    Raises:
        ValueError: they have different gains, so that their levels could not be compared.
    """
    if len({item.gain for item in items}) > 1:
        raise ValueError("these players have different gains; give all of them the page's gain")
    cells = "".join(f'<div style="flex:1 1 260px;min-width:0">{item.html}</div>' for item in items)
    html = f'<div class="ser-players" style="display:flex;flex-wrap:wrap;gap:0 1.5em">{cells}</div>'
    return Html(html, "\n".join(item.text for item in items))


def _samples(sound: Sound, rate: int) -> np.ndarray:
    """Mono float64 at 16 kHz, full scale 1."""
    if isinstance(sound, str | os.PathLike):
        from ser.audio import load_audio

        return np.asarray(load_audio(sound, rate=RATE), dtype=float)
    wave = np.asarray(sound)
    if np.issubdtype(wave.dtype, np.signedinteger):
        wave = wave / float(2 ** (8 * wave.dtype.itemsize - 1))
    wave = np.asarray(wave, dtype=float)
    if wave.ndim != 1 or wave.size == 0:
        raise AudioError(f"a sound is a row of samples, not an array of shape {wave.shape}")
    if not np.isfinite(wave).all():
        raise AudioError("the sound contains NaN or infinity; look at how it was computed")
    if rate != RATE:
        import soxr

        wave = soxr.resample(wave, rate, RATE, quality="HQ")
    return wave


def _wav(wave: np.ndarray) -> bytes:
    samples = np.clip(np.round(wave * 32767), -32768, 32767).astype("<i2")
    out = io.BytesIO()
    with wav_file.open(out, "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(RATE)
        stream.writeframes(samples.tobytes())
    return out.getvalue()
