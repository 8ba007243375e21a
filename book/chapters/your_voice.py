"""Commands typed on a page, clips as a reader's own, and channels that move an answer (book: "Bring
IEMOCAP, or your own voice")."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from ser import predict
from ser.corpora.base import EMOTIONS
from ser.plots.style import (
    CARD,
    EMOTION_COLOURS,
    GREY,
    INK,
    drawing,
    set_alt,
    set_title,
)

from chapters.shared.channels import telephone
from chapters.shared.probabilities import checked

if TYPE_CHECKING:
    from ser.loading import SavedModel

__all__ = [
    "answer_bars",
    "as_your_own",
    "ask_all",
    "moved_by",
    "noisy",
    "stand_in",
    "telephone",
    "terminal",
]

SMALLEST = 0.12
"""Shares below this have no room for their number."""
HATCHES = dict(zip(EMOTIONS, ("", "//", "..", "xx"), strict=True))


PROGRESS = re.compile(r"^.*\b\d+ of \d+ \w+, \d\d:\d\d passed.*\n", re.MULTILINE)
"""Lines that say how far a slow machine is."""


def terminal(home: Path) -> Callable[[str], None]:
    """A hand that types commands in the folder *home* and shows what they print."""
    alone = os.environ | {"OMP_NUM_THREADS": "1"}  # enough, this small

    def shell(line: str) -> None:
        print("$", line.replace(" --", " \\\n    --"))
        words = [sys.executable, "-m", *shlex.split(line)]
        done = subprocess.run(
            words, cwd=home, env=alone, capture_output=True, text=True, check=False
        )
        text = PROGRESS.sub("", done.stderr) + done.stdout
        text = text.replace(f"{home}{os.sep}", "")
        print(text.replace(str(home), ".").rstrip())
        print("exit code:", done.returncode)

    return shell


def stand_in(built_in: Path, release: Path) -> list[str]:
    """One dialogue of each session of a corpus in IEMOCAP's layout, as *release*.

    Returns:
        What its first session holds, folders and tables of labels.
    """
    for path in sorted(built_in.glob("Session*/**/*_impro01*")):
        target = release / path.relative_to(built_in)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        elif path.suffix == ".txt":
            shutil.copyfile(path, target)
    found = sorted(release.glob("Session1/**/*_impro01*"))
    kept = [path for path in found if path.is_dir() or path.suffix == ".txt"]
    return [path.relative_to(release.parent).as_posix() for path in kept]


def as_your_own(table: pd.DataFrame, home: Path, speakers: int, clips: int) -> pd.DataFrame:
    """Some clips of a corpus as files of *home*, and ``mine.csv``, which lists them.

    Args:
        table: of a corpus.
        home: folder.
        speakers, clips: at most so many speakers, and clips of each emotion for each.

    Returns:
        ``path`` (within *home*), ``emotion``, ``speaker``, ``text``.
    """
    import soundfile
    from ser import load_audio

    part = table[table.speaker.isin(sorted(table.speaker.unique())[:speakers])]
    part = part.groupby(["speaker", "emotion"]).head(clips)
    (home / "clips").mkdir()
    lines = []
    for n, row in enumerate(part.itertuples()):
        span = {"start": row.start, "seconds": row.seconds} if row.segment else {}
        name = f"clips/{n:03d}.wav"
        soundfile.write(home / name, load_audio(row.path, **span), 16000)
        lines.append((name, row.emotion, row.speaker, row.text))
    mine = pd.DataFrame(lines, columns=["path", "emotion", "speaker", "text"])
    mine.to_csv(home / "mine.csv", index=False)
    return mine


def noisy(wave: np.ndarray, snr: float) -> np.ndarray:
    """White noise *snr* dB below the voice."""
    hiss = np.random.default_rng(0).standard_normal(len(wave))
    ratio = np.mean(wave**2) / np.mean(hiss**2) / 10 ** (snr / 10)
    return (wave + np.sqrt(ratio) * hiss).astype("f4")


def ask_all(waves: Sequence[np.ndarray], model: SavedModel) -> np.ndarray:
    """What *model* says of each sound: probabilities (utterances, classes)."""
    return np.array([list(predict(wave, model).probabilities.values()) for wave in waves])


def moved_by(
    channels: Mapping[str, Callable[[np.ndarray], np.ndarray]],
    waves: Sequence[np.ndarray],
    model: SavedModel,
) -> pd.DataFrame:
    """How answers move when the sound of many utterances comes through each channel.

    Args:
        channels: name -> what it does to a wave; the first is the recording itself.
        waves: at 16 kHz.
        model: who answers.

    Returns:
        A line a channel: ``same answer, %`` (as through the first), ``mean sureness, %`` (the
        largest probability) and ``most frequent`` (word).
    """
    asked = {name: ask_all([f(w) for w in waves], model) for name, f in channels.items()}
    clean = next(iter(asked.values())).argmax(1)
    lines = {
        name: (
            100 * np.mean(p.argmax(1) == clean),
            100 * p.max(1).mean(),
            EMOTIONS[np.bincount(p.argmax(1), minlength=len(EMOTIONS)).argmax()],
        )
        for name, p in asked.items()
    }
    names = ["same answer, %", "mean sureness, %", "most frequent"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=names)


def answer_bars(
    answers: Mapping[str, ArrayLike],
    title: str | None = None,
    classes: Sequence[str] = EMOTIONS,
) -> Figure:
    """What a model says of one clip under each condition: a bar a condition, parted by class.

    Args:
        answers: condition -> (classes,) probabilities, the first on top.
        title: of the figure.
        classes: their names.

    Returns:
        Figure.

    Raises:
        ValueError: nothing to draw, or probabilities that do not sum to 1.

    Example:
        >>> from ser.plots import describe
        >>> fig = answer_bars({"clean": [0.7, 0.1, 0.1, 0.1], "noise": [0.2, 0.2, 0.3, 0.3]})
        >>> describe(fig)
        'Answers by condition. clean: angry 70 %. noise: neutral 30 %.'
    """
    values = checked(answers, len(classes))
    table = np.stack(list(values.values()))
    ends = 100 * table.cumsum(1)
    with drawing(None, 1.5 + 0.45 * len(values)) as (fig, ax):
        for k, name in enumerate(classes):
            colour, hatch = EMOTION_COLOURS.get(name, GREY), HATCHES.get(name, "")
            look = {"color": colour, "hatch": hatch, "edgecolor": INK, "linewidth": 0.6}
            widths = 100 * table[:, k]
            ax.barh(range(len(table)), widths, left=ends[:, k] - widths, label=name, **look)
            for y, width in enumerate(widths):
                if width >= 100 * SMALLEST:
                    strong = table[y].argmax() == k
                    ax.text(
                        ends[y, k] - width / 2,
                        y,
                        f"{width:.0f}",
                        ha="center",
                        va="center",
                        fontsize=11,
                        weight="bold" if strong else "normal",
                        bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1.5},
                    )
        ax.set_yticks(range(len(table)), list(values))
        ax.set_ylim(len(table) - 0.4, -0.6)
        ax.set_xlim(0, 100)
        ax.tick_params(axis="y", length=0)
        ax.set_xlabel("probability, percent")
        fig.legend(loc="outside lower center", ncols=len(classes), handlelength=1.2)
        set_title(ax, title)
    best = table.argmax(1)
    said = " ".join(
        f"{name}: {classes[k]} {100 * p[k]:.0f} %."
        for (name, p), k in zip(values.items(), best, strict=True)
    )
    return set_alt(fig, f"Answers by condition. {said}")
