"""Small made-up trees in each corpus's layout, with real (tiny) sound files."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import soundfile

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:c6f94b2592487c7556bd86df7df6e8f4420d1b9c11414aeec9d8e5e640b51495\n"
    "size 72862\n"
)

_pitch = itertools.count(1)


def tone(path: Path, seconds: float = 0.1, rate: int = 16000, channels: int = 1) -> Path:
    """Write a tone, each file another pitch; the ending says the format."""
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * rate)) / rate
    wave = 0.1 * np.sin(2 * np.pi * (100 + next(_pitch) % 3000) * time)
    soundfile.write(path, np.repeat(wave[:, None], channels, axis=1), rate)
    return path


def filler_wav(path: Path, seconds: float = 0.1, rate: int = 48000) -> Path:
    """A WAV with an Apple filler chunk before ``data``, as in RAVDESS."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = (np.sin(np.arange(round(seconds * rate)) / 20) * 3000).astype("<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    body = b"WAVE"
    for name, chunk in ((b"fmt ", form), (b"FLLR", bytes(4044)), (b"data", samples)):
        body += name + struct.pack("<I", len(chunk)) + chunk
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    return path


def files(root: Path, *names: str, **how) -> Path:
    """A tone for each of *names* below *root*."""
    for name in names:
        tone(root / name, **how)
    return root


def text(path: Path, content: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))
    return path


NEMO_HEAD = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"


def nemo(root: Path, *clips: str, ending: str = ".wav") -> Path:
    """nEMO with the clips named, e.g. ``EB0_anger_1``; speaker ids padded as in the original."""
    lines = [NEMO_HEAD]
    for clip in clips:
        speaker, emotion, number = clip.split("_")
        gender = "female" if speaker == "EB0" else "male"
        said = f"Zdanie {number}, „żółć”."
        lines.append(
            f"{clip}.wav\t{emotion}\t{said}\t{said.lower()}\t        {speaker}\t{gender}\t27\n"
        )
        tone(root / "samples" / f"{clip}{ending}")
    text(root / "data.tsv", "".join(lines))
    return root


def turn(name: str, label: str = "neu", at: float = 6.2901, levels: str = "2.5, 2.5, 2.5") -> str:
    """One block of an IEMOCAP label file."""
    return (
        f"[{at:.4f} - {at + 0.1:.4f}]\t{name}\t{label}\t[{levels}]\n"
        "C-E2:\tNeutral;\t()\n"
        "C-E3:\tNeutral; Frustration;\t(a (free) comment)\n"
        "C-F1:\tAnger;\t()\n"
        "A-E3:\tval 3; act 2; dom  2;\t()\n"
        "A-F1:\tval 2; act 3; dom  ;\t()\n\n"
    )


def iemocap(
    root: Path, turns: dict[str, str], texts: dict[str, str] | None = None, audio: bool = True
) -> Path:
    """IEMOCAP with *turns* (name -> label); *texts* (name -> words) where transcribed."""
    dialogs: dict[str, list[str]] = {}
    for name in turns:
        dialogs.setdefault(name.rsplit("_", 1)[0], []).append(name)
    for dialog, names in dialogs.items():
        session = root / f"Session{dialog[4]}"
        blocks = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"
        blocks += "".join(turn(name, turns[name]) for name in names)
        text(session / "dialog" / "EmoEvaluation" / f"{dialog}.txt", blocks)
        for name in names if audio else ():
            tone(session / "sentences" / "wav" / dialog / f"{name}.wav")
        said = [name for name in names if name in (texts or {})]
        if said:
            lines = "".join(f"{n} [006.2901-008.2357]: {texts[n]}\n" for n in said)
            text(session / "dialog" / "transcriptions" / f"{dialog}.txt", lines)
    return root
