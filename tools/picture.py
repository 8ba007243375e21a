"""Make the pictures of the README and the welcome page, into book/images, and a sound beside them.

system.svg is the whole system with its shapes, by chapters.shared.system_drawing; surprise.svg is
the book's strongest result, from the records under book/results; both follow the reader's light or
dark system. four_ways.mp3 is a sentence of the synthetic corpus in four ways. two_resolutions.png
is one sentence of it as a waveform and as the two spectrograms of the preset release, by the
functions that draw the book's figures; the first time, the corpus is made, which takes a minute.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tools.execute import ROOT, prepare
from tools.readme import Score, surprise_scores

if TYPE_CHECKING:
    from chapters.shared.svg import Drawing

FOLDER = ROOT / "book" / "images"
STATIC = ROOT / "book" / "_static"
ORDER = ("happy", "sad", "angry", "neutral")
"""Of the four ways on the welcome page, which names it."""


def system() -> None:
    """The whole system, as SVG."""
    from chapters.shared.system_drawing import drawn_system

    drawn = drawn_system().svg(static=True)
    (FOLDER / "system.svg").write_text(drawn + "\n", encoding="utf-8", newline="\n")


def surprise() -> None:
    """The same network on the same recordings, with and without its speakers, as SVG."""
    drawn = drawn_surprise(surprise_scores()).svg(static=True)
    (FOLDER / "surprise.svg").write_text(drawn + "\n", encoding="utf-8", newline="\n")


def drawn_surprise(scores: dict[str, Score]) -> Drawing:
    """Two bars with their intervals, and where guessing would be."""
    from chapters.shared.svg import Drawing

    words = {"random": "its test speakers were heard in training", "loso": "they were not"}
    told = "; ".join(f"{words[p]}: {score.text()}" for p, score in scores.items())
    d = Drawing(400, 212, "One network, the same recordings", f"UA of dual on nEMO where {told}.")
    left, full = 12, 376
    places = {"random": 46, "loso": 116}
    titles = {"random": "test speakers heard in training", "loso": "test speakers never heard"}
    d.text(left, 22, "dual on nEMO: answers right (UA), percent", size=15, anchor="start")
    for protocol, top in places.items():
        score = scores[protocol]
        role = "ink" if protocol == "loso" else "quiet"
        d.box(left, top + 18, full * score.ua / 100, 28, role=role, rounded=3)
        middle = top + 32
        ends = [left + full * value / 100 for value in (score.low, score.high)]
        d.line((ends[0], middle), (ends[1], middle), role=role)
        for end in ends:
            d.line((end, middle - 5), (end, middle + 5), role=role)
        d.text(left, top + 10, titles[protocol], role, size=15, anchor="start")
        d.text(left + full, top + 10, f"{score.ua:.1f} %", role, size=19, anchor="end", bold=True)
    at = left + full / 4
    for top in places.values():
        d.line((at, top + 18), (at, top + 46), dash="4 4")
    d.line((at, 162), (at, 176), dash="4 4")
    d.text(at, 190, "guessing: 25 %", size=13)
    return d


def four_ways() -> None:
    """One sentence of the synthetic corpus in four ways, at one gain, as MP3."""
    import numpy as np
    import soundfile

    from ser import load_audio, load_corpus

    table = load_corpus("synthetic").table
    ways = table.groupby(["speaker", "text"]).emotion.nunique()
    speaker, text = ways.idxmax()
    clips = table[(table.speaker == speaker) & (table.text == text)].drop_duplicates("emotion")
    clips = clips.set_index("emotion").loc[list(ORDER)]
    pause = np.zeros(9600, np.float32)
    sound = np.concatenate([x for path in clips.path for x in (load_audio(path), pause)])
    sound = sound * (0.7 / np.abs(sound).max())
    soundfile.write(STATIC / "four_ways.mp3", sound, 16000, format="MP3")


def two_resolutions() -> None:
    """A waveform and its two spectrograms, as PNG."""
    from chapters.shared.sound_figures import spectrogram, waveform
    from matplotlib.figure import Figure

    from ser import load_audio, load_corpus, mel_pair

    table = load_corpus("synthetic").table
    utterance = table[(table.emotion == "angry") & (table.gender == "female")].iloc[0]
    wave = load_audio(utterance.path)
    pair = mel_pair(wave, preset="release")
    figure = Figure(figsize=(11, 3.4), layout="constrained", facecolor="#f8f8f5")
    axes = figure.subplots(1, 3, width_ratios=(1, 1.3, 1.3))
    waveform(wave, title="waveform", ax=axes[0])
    axes[0].set_ylim(-0.3, 0.3)
    spectrogram(pair.s1, title="S1: short window", ax=axes[1], seconds=len(wave) / 16000)
    spectrogram(pair.s2, title="S2: long window", ax=axes[2], seconds=len(wave) / 16000)
    figure.savefig(FOLDER / "two_resolutions.png", dpi=110, metadata={"Software": None})


PICTURES = {
    "system.svg": system,
    "surprise.svg": surprise,
    "four_ways.mp3": four_ways,
    "two_resolutions.png": two_resolutions,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.picture",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m tools.picture system.svg",
    )
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"{' or '.join(PICTURES)}; without a name: all",
    )
    names = parser.parse_args().names or list(PICTURES)
    if unknown := sorted(set(names) - set(PICTURES)):
        parser.error(f"no picture is called {unknown[0]}; there are {', '.join(PICTURES)}")
    prepare(ROOT / "_build")
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names:
        PICTURES[name]()
    return 0


if __name__ == "__main__":
    sys.exit(main())
