"""Make the pictures of the README and the welcome page, into book/images.

system.svg is the whole system with its shapes, by chapters.shared.system_drawing; it follows the
reader's light or dark system. two_resolutions.png is one sentence of the synthetic corpus as a
waveform and as the two spectrograms of the preset release, by the functions that draw the book's
figures; the first time, the corpus is made, which takes a minute.
"""

from __future__ import annotations

import argparse
import sys

from tools.execute import ROOT, prepare

FOLDER = ROOT / "book" / "images"


def system() -> None:
    """The whole system, as SVG."""
    from chapters.shared.system_drawing import drawn_system

    drawn = drawn_system().svg(static=True)
    (FOLDER / "system.svg").write_text(drawn + "\n", encoding="utf-8", newline="\n")


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


PICTURES = {"system.svg": system, "two_resolutions.png": two_resolutions}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.picture",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example: python -m tools.picture system.svg",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{' or '.join(PICTURES)}; without a name: both"
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
