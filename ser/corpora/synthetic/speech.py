"""The sound of the synthetic corpus: Praat speaks a sentence plainly, then it is acted.

Praat (through parselmouth, GPL-3, imported by this module only when it speaks) contains the
synthesiser espeak-ng and the pitch-synchronous overlap-add that moves F0 and duration. Both
remember what they did before: a sentence sounds minutely different when another one was spoken
first, and the resynthesis draws random numbers. So each voice is spoken by a process of its
own, always in the same order from the first sentence on (:func:`main`), and Praat's random
numbers are seeded for every utterance. The same versions on the same kind of computer give the
same bytes, whatever the number of processes.
"""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from ser.corpora.synthetic.script import SENTENCES, VOICES, Line, Voice, act, stream
from ser.errors import FULL
from ser.paths import atomic_write
from ser.threads import end_with

RATE = 16000
NOISE_DB = -72.0
"""RMS of the room's noise in dB below full scale, so that no pause is digital silence."""

_TILT_FROM_HZ = 500.0
_PEAK = 0.97


class Speaker:
    """One voice with the plain readings of its sentences.

    Args:
        voice: who speaks.
        sentences: how many of :data:`SENTENCES`, from the first, it can say.

    Raises:
        ImportError: parselmouth is not installed.
    """

    def __init__(self, voice: Voice, sentences: int = len(SENTENCES)) -> None:
        self.voice = voice
        self._plain = [_prepare(sound) for sound in _read_plainly(voice, sentences)]

    def speak(self, line: Line) -> np.ndarray:
        """Act one line.

        Args:
            line: what to say and how; its voice must be this one.

        Returns:
            int16 samples at 16 kHz, (samples,), with a little room noise around and below the
            speech.
        """
        from parselmouth import Sound

        random = stream("sound", *line.key)
        manipulation, times, semitones = self._plain[line.sentence]
        speech = _resynthesise(manipulation, times, semitones, line.factors, random)
        speech = Sound(speech, sampling_frequency=manipulation.rate).resample(RATE).values[0]
        speech = _trim(_tilt(speech, line.factors["tilt_db"]), RATE)
        speech = speech * _gain(speech, line.factors["level_db"])
        before, after = (0.12 + 0.15 * random.random_sample(2)) * RATE
        wave_ = np.concatenate([np.zeros(int(before)), speech, np.zeros(int(after))])
        wave_ = wave_ + _room(len(wave_), random)
        return np.clip(np.round(wave_ * 32767), -32768, 32767).astype("<i2")


class _Manipulation(NamedTuple):
    """Praat's Manipulation of one plain reading, and the sampling rate of its sound."""

    praat: Any
    rate: float
    seconds: float


def _read_plainly(voice: Voice, count: int) -> list[Any]:
    """The first sentences, always in the same order, as Praat Sounds."""
    from parselmouth import Sound
    from parselmouth.praat import call

    synthesizer = call("Create SpeechSynthesizer", voice.language, voice.variant)
    settings = (44100.0, 0.01, 1.0, 1.0, voice.words_per_minute, "IPA")
    call(synthesizer, "Speech output settings", *settings)
    sounds = []
    for text in SENTENCES[:count]:
        made = call(synthesizer, "To Sound", text, "no")
        sound = made[0] if isinstance(made, list) else made
        # Played at another rate, all resonances move together; F0 and duration, which move
        # with them, are set anew in the acting.
        rate = sound.sampling_frequency * voice.formants
        sounds.append(Sound(_trim(sound.values[0], rate), sampling_frequency=rate))
    return sounds


def _prepare(sound: Any) -> tuple[_Manipulation, np.ndarray, np.ndarray]:
    """A Manipulation, the times of its F0 points (s), and F0 in semitones scaled to sd 1."""
    from parselmouth.praat import call

    praat = call(sound, "To Manipulation", 0.01, 60, 500)
    tier = call(praat, "Extract pitch tier")
    count = call(tier, "Get number of points")
    times = np.array([call(tier, "Get time from index", i + 1) for i in range(count)])
    hertz = np.array([call(tier, "Get value at index", i + 1) for i in range(count)])
    semitones = 12 * np.log2(hertz / np.median(hertz))
    # Octave errors of the pitch tracker would be acted as shrieks.
    semitones = np.clip(semitones, -7, 7)
    semitones = semitones - np.median(semitones)
    return (
        _Manipulation(praat, sound.sampling_frequency, sound.duration),
        times,
        semitones / max(semitones.std(), 0.1),
    )


def _resynthesise(
    manipulation: _Manipulation,
    times: np.ndarray,
    semitones: np.ndarray,
    factors: dict[str, float],
    random: np.random.RandomState,
) -> np.ndarray:
    """Overlap-add with the line's F0, range, rate and jitter -> samples at the plain rate."""
    from parselmouth import praat as praat_module
    from parselmouth.praat import call

    end, rate = manipulation.seconds, factors["rate"]
    contour = factors["f0_hz"] * 2 ** (semitones * factors["f0_range_semitones"] / 12)
    contour = np.clip(contour, 50.0, 600.0)
    # Every cycle a little too long or too short. Cycles are laid out in the time of the plain
    # reading, where a cycle of the result lasts rate times its period.
    noise = np.clip(random.standard_normal(int(end * 900 / min(rate, 1.0)) + 8), -3, 3)
    stretch = rate * (1 + factors["jitter_percent"] / 100 * noise)
    cycles = [0.0]
    for factor in stretch:
        cycles.append(cycles[-1] + float(factor / np.interp(cycles[-1], times, contour)))
        if cycles[-1] >= end:
            break
    process = call("Create empty PointProcess", "cycles", 0.0, end)
    call(process, "Add points", np.array(cycles[:-1]))
    pitch = call(process, "To PitchTier", 0.05)
    call(pitch, "Multiply frequencies", 0.0, end, rate)
    duration = call("Create DurationTier", "rate", 0.0, end)
    call(duration, "Add point", 0.0, 1 / rate)
    call([manipulation.praat, pitch], "Replace pitch tier")
    call([manipulation.praat, duration], "Replace duration tier")
    seed = int(random.randint(1, 2**31 - 1))
    praat_module.run(f"random_initializeWithSeedUnsafelyButPredictably ({seed})")
    return call(manipulation.praat, "Get resynthesis (overlap-add)").values[0]


def _trim(samples: np.ndarray, rate: float) -> np.ndarray:
    """Cut silence (60 dB under the peak) off both ends, leaving 10 ms."""
    loud = np.flatnonzero(np.abs(samples) > 1e-3 * np.abs(samples).max())
    margin = int(0.01 * rate)
    return samples[max(loud[0] - margin, 0) : loud[-1] + margin]


def _tilt(samples: np.ndarray, db_per_octave: float) -> np.ndarray:
    """Raise (or lower) the spectrum above 500 Hz by a straight line in dB per octave."""
    size = 1 << (len(samples) + RATE // 10).bit_length()
    octaves = np.log2(np.maximum(np.fft.rfftfreq(size, 1 / RATE), _TILT_FROM_HZ) / _TILT_FROM_HZ)
    spectrum = np.fft.rfft(samples, size) * 10 ** (db_per_octave * octaves / 20)
    return np.fft.irfft(spectrum, size)[: len(samples)]


def _gain(speech: np.ndarray, level_db: float) -> float:
    """Factor that brings the speech to its level, held back where it would clip."""
    wanted = 10 ** (level_db / 20) / max(math.sqrt(float(np.mean(speech**2))), 1e-9)
    return min(wanted, _PEAK / float(np.abs(speech).max()))


def _room(count: int, random: np.random.RandomState) -> np.ndarray:
    """Steady noise, softer towards high frequencies, at :data:`NOISE_DB`."""
    white = random.standard_normal(count + 1)
    soft = white[1:] + white[:-1]
    return soft * (10 ** (NOISE_DB / 20) / math.sqrt(2.0))


def speak_voice(job: dict[str, Any]) -> None:
    """Write the missing files of one voice; to be called once, in a fresh process.

    Args:
        job: ``voice`` (index), ``folder``, ``lines``: list of (path below folder, emotion,
            sentence).
    """
    folder, speaker = Path(job["folder"]), None
    for path, emotion, sentence in job["lines"]:
        if not (folder / path).exists():
            if speaker is None:
                count = 1 + max(line[2] for line in job["lines"])
                speaker = Speaker(VOICES[job["voice"]], count)
            samples = speaker.speak(act(job["voice"], emotion, sentence))
            with atomic_write(folder / path) as file:
                soundfile.write(file, samples, RATE, subtype="PCM_16", format="WAV")
        _tell({"done": 1})


def _tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def main() -> int:
    """Read one job as JSON from standard input, report progress as JSON lines."""
    try:
        speak_voice(json.loads(sys.stdin.buffer.read()))
    except BrokenPipeError:  # whoever asked is gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception as error:
        full = isinstance(error, OSError) and error.errno in FULL
        _tell({"error": f"{type(error).__name__}: {error}", "full": full})
        return 1
    return 0


if __name__ == "__main__":
    end_with(int(sys.argv[1]))
    sys.exit(main())
