"""Make the README's picture: ``python -m tools.picture``.

One sentence of the synthetic corpus as a waveform and as the two spectrograms of the ``release``
preset, drawn by the functions that draw the book's figures.
"""

from __future__ import annotations

import sys

from tools.execute import ROOT, prepare

TARGET = ROOT / "book" / "images" / "two_resolutions.png"


def main() -> int:
    prepare(ROOT / "_build")
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
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(TARGET, dpi=110, metadata={"Software": None})
    return 0


if __name__ == "__main__":
    sys.exit(main())
