"""Small trees of files in the layouts of real corpora, each with a trap in it.

Nothing is downloaded: a clip is a tone. Book: chapter "Corpora".
"""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 72862\n"
"""What a clone without git-lfs holds instead of a clip."""


def tone(
    path: Path,
    hertz: float = 200.0,
    level: float = 0.1,
    seconds: float = 0.3,
    rate: int = 16000,
    channels: int = 1,
) -> None:
    """Write a sine to *path*, of peak *level* (full scale 1), making its folder."""
    time = np.arange(round(seconds * rate)) / rate
    wave = level * np.sin(2 * np.pi * hertz * time)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.stack([wave] * channels, axis=1), rate)


def tell(report: Mapping, *kinds: str, home: Path | None = None) -> None:
    """Print the problems of a report of :func:`ser.corpora.check.check`.

    Args:
        report: what ``check`` gave.
        kinds: the kinds to print; none: all.
        home: a folder whose path is left out.

    Example:
        >>> problem = {"severity": "note", "kind": "level", "message": "loud"}
        >>> tell({"problems": [problem]})
        note (level): loud
    """
    for p in report["problems"]:
        if not kinds or p["kind"] in kinds:
            text = f"{p['severity']} ({p['kind']}): {p['message']}"
            text = text.replace(f"{home}/", "") if home else text
            print(textwrap.fill(text, 78, subsequent_indent="    "))


def doubled_ravdess(root: Path) -> Path:
    """RAVDESS's layout with its tree a second time inside itself; one of four clips is stereo."""
    for emotion in ("01", "03", "04", "05"):
        for folder in ("", "audio_speech_actors_01-24"):
            name = f"Actor_01/03-01-{emotion}-01-01-01-01.wav"
            channels = 2 if emotion == "03" else 1
            tone(root / folder / name, 100 + 50 * int(emotion), rate=48000, channels=channels)
    return root


def cremad_without_sound(root: Path) -> Path:
    """CREMA-D's layout: two sound clips, one under two labels, a silent one and a pointer."""
    clips = root / "AudioWAV"
    tone(clips / "1001_DFA_ANG_XX.wav", 250)
    tone(clips / "1001_DFA_SAD_XX.wav", 150)
    tone(clips / "1006_TIE_HAP_XX.wav", 300)
    tone(clips / "1006_TIE_NEU_XX.wav", 300)
    tone(clips / "1076_MTI_SAD_XX.wav", level=0)
    (clips / "1001_DFA_HAP_XX.wav").write_text(POINTER, encoding="utf-8")
    return root


def urdu_by_speaker(root: Path) -> Path:
    """URDU's layout with one emotion a speaker, and the angry clips loudest."""
    levels = {"Angry": 0.5, "Happy": 0.3, "Neutral": 0.15, "Sad": 0.1}
    for number, (folder, level) in enumerate(levels.items()):
        for take in range(6):
            who = f"SM{2 * number + take % 2 + 1}"
            name = f"{who}_F{take}_{folder[0]}{take:03d}.wav"
            tone(root / folder / name, 100 + 40 * number + take, level)
    return root


def spoiled_copy(root: Path, copy: Path, table: pd.DataFrame) -> Path:
    """A copy of a corpus with five files spoiled, as downloads and hands spoil them.

    A file of the first emotion is cut off, one of the second deleted, one of the third turned up
    until it clips, one of the fourth silenced; a second one of the fourth gets the sound of the
    first emotion's second clip.

    Args:
        root: folder of the corpus.
        copy: where the copy goes.
        table: the corpus's utterances: ``path``, ``emotion``.

    Returns:
        *copy*.
    """
    shutil.copytree(root, copy, dirs_exist_ok=True)  # a cell may be run again
    there = [copy / Path(p).relative_to(root) for p in table.path]
    there = pd.Series(there).groupby(table.emotion).agg(list)
    cut, gone, loud, off = (there[e][0] for e in sorted(there.index))
    cut.write_bytes(cut.read_bytes()[:5000])
    gone.unlink()
    wave, rate = soundfile.read(loud)
    soundfile.write(loud, np.clip(100 * wave, -1, 1), rate)
    soundfile.write(off, 0 * wave, rate)
    first, *_, last = sorted(there.index)
    shutil.copyfile(there[first][1], there[last][1])
    return copy
