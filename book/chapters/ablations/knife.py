"""A trained network without one of its inputs, fold by fold. Book: chapter "Ablations"."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from ser import load_audio, load_corpus
from ser.corpora import EMOTIONS
from ser.plots.html import Html

from chapters.shared.player import page_gain, player, players

if TYPE_CHECKING:
    from ser.batch import Batch
    from ser.nn.branches import DSBranch


class Side(NamedTuple):
    """One fold's network and what it never heard: a batch and the utterances' names."""

    network: DSBranch
    batch: Batch
    names: list[str]


def quietly(folder: Path) -> dict[str, Any]:
    """What papermill is told besides: to run in *folder*, without a progress bar or log."""
    return {
        "cwd": str(folder),
        "kernel_name": "python3",
        "progress_bar": False,
        "extra_arguments": ["--log-level=ERROR"],
    }


def test_side_networks(runs: Path, model: str = "ds-lstm") -> list[Side]:
    """The saved networks of a small grid's row, each with the test side of its fold.

    Args:
        runs: folder in which ``one_run.ipynb`` left records, models and the pack of features.
        model: a row of one branch.
    """
    from ser.batch import Dataset
    from ser.features import load_pack
    from ser.loading import load_model
    from ser.report import load_records

    pack = load_pack(runs / "work" / "pack")
    place = {u: i for i, u in enumerate(pack.table.utterance)}
    sides = []
    for record in load_records(runs):
        if record.data["model"] == model:
            network = load_model(runs / "models" / model / record.name, "cpu").branches[model]
            names = record.data["test"]["utterances"]
            heard = [place[u] for u in names]
            batch = Dataset(pack, heard, record.labels, {"s1", "s2"}).batch()
            sides.append(Side(network, batch, names))
    return sides


def play_losses(
    sides: Sequence[Side],
    truth: Sequence[int],
    whole: np.ndarray,
    without: dict[str, np.ndarray],
    corpus: str,
    root: str | None,
) -> Html:
    """The utterance whose true emotion loses most without each input, to be played.

    Args:
        sides: of :func:`test_side_networks`.
        truth, whole: label and probabilities (n, 4) of the network as it is.
        without: name of the input -> probabilities (n, 4) without it.
        corpus, root: where the sounds are.
    """
    table = load_corpus(corpus, root).table.set_index("utterance")
    names, index = [name for side in sides for name in side.names], np.arange(len(truth))
    worst = {k: int(np.argmax((whole - p)[index, truth])) for k, p in without.items()}
    clips = {k: table.loc[names[i]] for k, i in worst.items()}
    waves = {k: _wave(clip) for k, clip in clips.items()}
    gain = page_gain(waves.values())
    items = []
    for k, clip in clips.items():
        said = [_answer(p[worst[k]]) for p in (whole, without[k])]
        caption = f"{clip.emotion}, heard as {said[0]}; without {k} as {said[1]}"
        items.append(player(waves[k], caption=caption, transcript=clip.text, gain=gain))
    return players(items)


def _wave(clip: Any) -> np.ndarray:
    if not clip.segment:
        return load_audio(clip.path)
    return load_audio(clip.path, start=clip.start, seconds=clip.seconds)


def _answer(probabilities: np.ndarray) -> str:
    best = int(probabilities.argmax())
    return f"{EMOTIONS[best]} ({100 * probabilities[best]:.0f} %)"
