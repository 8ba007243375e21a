"""A trained network read back from disk, ready to answer; the one that comes with the package.

Book: chapter "Bring IEMOCAP, or your own voice".
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ser.corpora.base import EMOTIONS
from ser.corpora.emotion_set import chance, set_name
from ser.corpora.problems import many
from ser.errors import ModelError
from ser.logs import WAYS
from ser.normalise import enrolled_by

if TYPE_CHECKING:
    from ser.recording import Recording

SHIPPED = Path(__file__).parent / "shipped_model"
"""The model that comes with the package and answers where no other is named; its card is
``CARD.md`` in there (made by ``python -m tools.ship``)."""
SHIPPED_ENROLLED = Path(__file__).parent / "shipped_model_enrolled"
"""The one that answers where neutral recordings of the speaker are given beside."""

FEW = 5
"""Recordings that the equations on one core answer sooner than compiled kernels, which have to be
loaded first: half a second to load them, and 0.08 s that they save on an utterance of 2 s."""


@dataclass(frozen=True)
class SavedModel:
    """A trained model read back from disk.

    Attributes:
        row: its row in the ablation table.
        preset, frames: how spectrograms are made.
        branches: branch name -> network, in evaluation mode.
        trained_on: corpus, protocol, fold, speakers, epochs, test score.
        device: where it runs.
        normalise: rule of :mod:`ser.normalise`; a recording counts as one speaker of its own.
        clip_z: deviations at which its features are clipped; 0: nowhere.
        scales: branch name -> mean and deviation of its inputs, for rules ``train``, ``running``,
            and, once :func:`ser.enrolled_model.model_for` was asked, ``enrol:K``.
        calm: the neutral recordings that it was given.
        emotions: the classes, in the order of logits.
    """

    row: str
    preset: str
    frames: str
    branches: dict
    trained_on: dict
    device: str
    normalise: str = "none"
    scales: dict = field(default_factory=dict)
    calm: tuple[Recording, ...] = ()
    clip_z: float = 0.0
    emotions: tuple[str, ...] = EMOTIONS

    def describe(self) -> str:
        """One sentence on what the model was trained on, one on how it scored."""
        told = self.trained_on
        scored = ""
        if told.get("unseen"):
            return _shipped_line(told, self.normalise)
        if told.get("test_ua") is not None:
            side = f"fold {told['fold']} of protocol {told['protocol']!r}"
            scored = f" It scored UA {100 * told['test_ua']:.1f} % on {told['tested_on']}, {side}."
        if asked := set_name(self.emotions):
            scored += f" It answers with one of {asked}; guessing gives {chance(self.emotions)}."
        only = ""
        if told["corpus"] == "synthetic":
            only = " Synthetic voices: it teaches how things work and says nothing about people."
        return (
            f"Model: {self.row}, trained on {told['utterances']} utterances of "
            f"{told['corpus']} ({many(len(told['speakers']), 'speaker')}, "
            f"{many(told['epochs'], 'epoch')}; "
            f"licence of the corpus: {told['licence'] or 'unknown'}).{scored}{only}"
        )


def describe_shipped(folder: Path = SHIPPED) -> str:
    """One line on a model that comes with the package: whose voices it knows, how good it is.

    Read without torch.

    Args:
        folder: :data:`SHIPPED` or :data:`SHIPPED_ENROLLED`.

    Raises:
        ModelError: its description is missing or damaged.
    """
    from ser.saved_models import read_description

    body = read_description(folder)
    return _shipped_line(body["trained_on"], body["normalise"])


def _shipped_line(told: dict, rule: str) -> str:
    unseen, other = told["unseen"], told["other_language"]
    count = enrolled_by(rule)
    heard = f"heard, {count} neutral recordings of each given" if count else "heard"
    return (
        f"Model: the small {unseen['model']} that comes with ser, trained on "
        f"{told['utterances']} acted {told['language']} utterances by "
        f"{many(len(told['speakers']), 'speaker')} ({told['title']}). UA on speakers it has not "
        f"{heard}: {100 * unseen['ua']:.0f} % (95 %: {100 * unseen['low']:.0f} to "
        f"{100 * unseen['high']:.0f}); on {other['language']} speech: "
        f"{100 * other['ua']:.0f} %; chance: {chance(EMOTIONS)}."
    )


def load_model(
    checkpoint: str | os.PathLike | None = None,
    device: str = "auto",
    recordings: int | None = None,
    enrolled: bool = False,
) -> SavedModel:
    """Read a model that a run left, or the one that comes with the package.

    Args:
        checkpoint: its folder (``OUT/models/ROW/RUN``), or a folder above it that holds only one;
            None: one of the package's own, :data:`SHIPPED` or :data:`SHIPPED_ENROLLED`.
        device: ``auto``, ``cpu`` or ``cuda``.
        recordings: how many it is to answer, if that is known. Up to :data:`FEW` go through the
            equations: to load compiled kernels takes longer than they save there.
        enrolled: of the package's own, the one that is told a voice first
            (:func:`ser.enrolled_model.model_for`).

    Raises:
        ModelError: no model there, several, or one that does not fit this version.
    """
    from ser.devices import resolve_device
    from ser.models import build_model
    from ser.normalise import known_rule
    from ser.saved_models import COPY, read_branch, read_description

    if checkpoint is None:
        try:
            return load_model(SHIPPED_ENROLLED if enrolled else SHIPPED, device, recordings)
        except ModelError as error:
            raise ModelError(
                f"the model that comes with ser is damaged ({str(error).split(';')[0]}); "
                "install the package again, or name another with --checkpoint"
            ) from error
    body = read_description(Path(checkpoint))
    device = resolve_device(device)
    if not known_rule(body["normalise"]):
        raise ModelError(
            f"{body['folder']}: unknown normalisation {body['normalise']!r}; update the package"
        )
    fast = recordings is None or recordings > FEW
    if not fast:
        logging.getLogger(WAYS).info("every layer: the equations (%d or fewer recordings)", FEW)
    _check_own(body)
    branches, scales = {}, {}
    for row, digest in body["branches"].items():
        weights, scales[row] = read_branch(body["folder"], row, digest)
        try:
            network = build_model(
                row,
                preset=body["preset"],
                classes=len(body["emotions"]),
                hidden=body["hidden"],
                fast=fast,
                **body["options"],
            ).parts[0]
            network.load_state_dict(weights)
        except (RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{body['folder']}: the weights of {row} do not fit this version of the package "
                f"({' '.join(str(error).split()):.200}); {COPY}"
            ) from error
        if body["normalise"] in ("train", "running") and set(scales[row]) != set(network.needs):
            raise ModelError(
                f"{body['folder']}: the mean and deviation of {row} are missing; {COPY}"
            )
        branches[row] = network.to(device).eval()
    told = ("row", "preset", "frames", "trained_on", "normalise", "clip_z")
    return SavedModel(
        **{name: body[name] for name in told},
        branches=branches,
        device=device,
        scales=scales,
        emotions=tuple(body["emotions"]),
    )


def _check_own(body: dict) -> None:
    """ModelError where the model is a network of a reader's own that is not, or not so, here."""
    from ser.rows import ROWS

    if not (source := body.get("source", "")):
        return
    own = ROWS.get(body["row"])
    if own is None:
        raise ModelError(
            f"{body['folder']}: {body['row']} is a network of your own, and none is called so yet: "
            "add it first, in Python, with ser.add_row, then ser.predict(file, folder)"
        )
    if own.source != source:
        raise ModelError(
            f"{body['folder']}: {body['row']} was another network when it was trained (its source "
            "has changed since); add the one of then, or train this one"
        )
