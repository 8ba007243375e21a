"""A trained network with its features in one ONNX file: a waveform in, logits out.

The file needs no Python: onnxruntime reads it, on a server, a telephone or in a web page. In it are
the spectrograms and MFCCs with the floors of their logarithms, the normalisation, and the branches.
What :func:`ser.predict` does before that is not: reading the file, mixing it to one channel,
bringing it to 16 kHz, and taking away the offset of a bad sound card.

Book: chapter "Bring IEMOCAP, or your own voice".
"""

from __future__ import annotations

import bisect
import contextlib
import importlib
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ser.batch import Batch
from ser.errors import FeatureError, ModelError
from ser.features.mel import log_mel
from ser.features.mfcc import mfcc_of
from ser.features.presets import SAMPLE_RATE, get_preset
from ser.loading import SavedModel, load_model
from ser.nn.exported import exportable, squashed, standardised
from ser.paths import atomic_write
from ser.prediction import branch_logits

TOLERANCE = 1e-4
"""How far a logit may be from that of :func:`ser.predict`."""

INPUT, OUTPUT = "waveform", "logits"
TRACED = SAMPLE_RATE // 4
"""Samples above the fewest from which on tracing must hold: torch 2.11 wants no axis of length 1
there. What is traced is right below as well, which the check sees."""


class Exported(nn.Module):
    """Waveform (samples,) -> the mean of the branches' logits, and each branch's (classes,).

    Args:
        model: of :func:`ser.loading.load_model`; it stays as it is.
    """

    def __init__(self, model: SavedModel) -> None:
        super().__init__()
        self.model, self.preset = model, get_preset(model.preset)
        self.parts = nn.ModuleList(map(exportable, model.branches.values()))
        self.scales = [
            {name: [torch.as_tensor(v) for v in pair] for name, pair in model.scales[row].items()}
            if model.normalise == "train"
            else {}
            for row in model.branches
        ]

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """(samples,) float32, mono, 16 kHz, within -1..1."""
        logits = []
        for part, scale in zip(self.parts, self.scales, strict=True):
            needs = sorted(part.needs)
            given = {name: self._input(waveform, name, scale.get(name)) for name in needs}
            logits.append(part(Batch(**given))[0])
        return (torch.stack(logits).mean(0), *logits)

    def _input(self, waveform: Tensor, name: str, scale: Sequence[Tensor] | None) -> Tensor:
        """One of a branch's features, a batch of one, as :class:`ser.batch.Dataset` gives it."""
        model, k = self.model, int(name == "s2")
        if name == "mfcc":
            table = mfcc_of(waveform)
        else:
            table = log_mel(waveform, self.preset.n_fft[k], self.preset.n_mels[k])
        if model.normalise != "none":
            table = standardised(table, scale, model.clip_z)
        if name != "mfcc" and model.frames == "fixed":
            table = squashed(table, self.preset.frames[k])
        return (table if name == "mfcc" else table.T)[None]


def export_model(checkpoint: SavedModel | str | os.PathLike, out: str | os.PathLike) -> float:
    """Write a trained model as an ONNX file, once it has been checked.

    The file's input ``waveform`` is float32 (samples,), mono at 16 kHz within -1..1. Its outputs
    are ``logits`` (classes,), the mean of the branches', and each branch's by its row's name, in
    the order of the model's emotions. Its metadata tell the classes, the rate, the fewest
    samples and what the model was trained on.

    Args:
        checkpoint: a model of :func:`ser.loading.load_model` on the CPU, or its folder.
        out: the file to write; put in its place whole, or not at all.

    Returns:
        The largest difference of a logit between onnxruntime and :func:`ser.predict`, over clips
        of several lengths, silence and near silence among them.

    Raises:
        ModelError: the extra ``export`` is not installed, no model there, one that cannot be
            exported, or a file that does not give the model's logits to 1e-4.

    Example:
        >>> export_model("results/models/dual/speakers-release-1-seed0", "m.onnx")  # doctest: +SKIP
        7.6e-06
    """
    _need_packages()
    if Path(out).is_dir():
        raise ModelError(f"{out} is a folder; name the file to write: {Path(out) / 'model.onnx'}")
    model = checkpoint
    if not isinstance(model, SavedModel):
        model = load_model(checkpoint, "cpu", recordings=1)
    if "prosody" in frozenset().union(*(part.needs for part in model.branches.values())):
        raise ModelError(
            f"{model.row} hears prosody, which openSMILE computes and an ONNX file cannot"
        )
    if model.normalise not in ("none", "train", "utterance"):
        raise ModelError(
            f"{model.row} is normalised by {model.normalise}, which needs more than the one "
            "recording that an exported network hears. Train it with --normalise train or "
            "utterance, or none"
        )
    shortest = _shortest(model)
    data = to_onnx(model, shortest)
    worst = check(data, model, shortest)
    with atomic_write(out) as stream:
        stream.write(data)
    return worst


def to_onnx(model: SavedModel, shortest: int) -> bytes:
    """The bytes of the ONNX file, unchecked.

    Args:
        model: on the CPU.
        shortest: the fewest samples it takes; told in the metadata.

    Raises:
        ModelError: torch cannot export it, or fixed the length of the waveform.
    """
    from onnxscript.ir.passes.common import ClearMetadataAndDocStringPass

    network = Exported(model).eval().requires_grad_(False)
    # Windows and filters are kept from their first use on: that must not be the tracing.
    for name in {name for part in model.branches.values() for name in part.needs}:
        network._input(torch.zeros(SAMPLE_RATE), name, None)
    samples = torch.export.Dim("samples", min=shortest + TRACED, max=2**31)
    with _quiet():
        try:
            traced = torch.export.export(
                network,
                (torch.zeros(SAMPLE_RATE),),
                dynamic_shapes=({0: samples},),
                # The pool's shape asks whether a number of frames is even (torch 2.11).
                prefer_deferred_runtime_asserts_over_guards=True,
            )
            made = torch.onnx.export(
                traced, (), dynamo=True, dynamic_shapes=({0: samples},), verbose=False
            )
        except Exception as error:  # of any class
            raise ModelError(
                f"{model.row} cannot be exported by torch {torch.__version__}: "
                f"{type(error).__name__}: {' '.join(str(error).split()):.300}"
            ) from error
    graph = made.model.graph
    length = graph.inputs[0].shape[0]
    if isinstance(length, int):
        raise ModelError(f"torch {torch.__version__} fixed the waveform's length to {length}")
    graph.inputs[0].name = INPUT
    for value, name in zip(graph.outputs, (OUTPUT, *model.branches), strict=True):
        value.name = name
    ClearMetadataAndDocStringPass()(made.model)  # lines and folders of this machine
    made.model.metadata_props.update(_metadata(model, shortest))
    return made.model_proto.SerializeToString()


def check(data: bytes, model: SavedModel, shortest: int) -> float:
    """The largest difference of a logit between onnxruntime on *data* and *model*.

    Raises:
        ModelError: onnxruntime cannot run it, or the difference is above :data:`TOLERANCE`.
    """
    import onnxruntime

    ran = f"onnxruntime {onnxruntime.__version__}"
    waves = clips(shortest)
    try:
        session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
        found = [session.run(None, {INPUT: wave}) for wave in waves.values()]
    except Exception as error:  # onnxruntime's own are of no common class
        raise ModelError(
            f"{model.row}: {ran} cannot run what was exported, nothing was written "
            f"({' '.join(str(error).split()):.300})"
        ) from error
    worst = 0.0
    for (name, wave), outputs in zip(waves.items(), found, strict=True):
        with torch.no_grad():
            wanted = [branch_logits(wave, model, row, name).numpy() for row in model.branches]
        wanted.insert(0, np.mean(wanted, axis=0, dtype=np.float32))
        away = max(float(np.abs(a - b).max()) for a, b in zip(outputs, wanted, strict=True))
        if not away <= TOLERANCE:
            raise ModelError(
                f"{model.row}: for {name} {ran} is {away:.1e} from the model's logits, more than "
                f"{TOLERANCE:.0e}; nothing was written"
            )
        worst = max(worst, away)
    return worst


def clips(shortest: int) -> dict[str, np.ndarray]:
    """What a file is checked with: name -> float32 (samples,), as a 16-bit recording gives them.

    Example:
        >>> {name: len(wave) for name, wave in clips(400).items()}["silence"]
        16000
    """
    random = np.random.default_rng(0)

    def voice(count: int) -> np.ndarray:
        """Syllables of a gliding tone of 24 harmonics, in the noise of a quiet room."""
        time = np.arange(count) / SAMPLE_RATE
        phase = 2 * np.pi * (140 * time + 12 * np.sin(3 * time))
        tone = sum(np.sin(k * phase) / k for k in range(1, 25))
        loud = np.clip(np.sin(2 * np.pi * 2.2 * time), 0, None)
        return 0.1 * loud * tone + 1e-3 * random.standard_normal(count)

    found = {
        "the shortest clip": voice(shortest),
        "one sample more": voice(shortest + 1),
        **{f"{count} samples": voice(count) for count in range(7999, 9024, 128)},
        "2.3 s": voice(36_801),
        "9 s": voice(144_000),
        "silence": np.zeros(16_000),
        "near silence": random.uniform(-1.4, 1.4, 20_000) / 2**15,
        "a clip that begins and ends in silence": np.pad(voice(20_000), 6000),
    }
    return {k: (np.round(v * 2**15) / 2**15).astype(np.float32) for k, v in found.items()}


def _shortest(model: SavedModel) -> int:
    """The fewest samples that :func:`ser.predict` answers."""

    def answers(count: int) -> bool:
        try:
            for row in model.branches:
                branch_logits(np.zeros(count, np.float32), model, row, "")
        except FeatureError:
            return False
        return True

    with torch.no_grad():
        return bisect.bisect_left(range(SAMPLE_RATE), True, key=answers)


def _metadata(model: SavedModel, shortest: int) -> dict[str, str]:
    from ser import __version__

    told = {name: getattr(model, name) for name in ("emotions", "preset", "frames", "normalise")}
    told |= {"model": model.row, "sample_rate": SAMPLE_RATE, "fewest_samples": shortest}
    told |= {"trained_on": model.trained_on, "ser": __version__}
    return {k: v if isinstance(v, str) else json.dumps(v) for k, v in told.items()}


def _need_packages() -> None:
    try:
        for name in ("onnx", "onnxruntime", "onnxscript", "torch.onnx.ops"):
            importlib.import_module(name)
    except ImportError as error:
        raise ModelError(
            f"an ONNX file is made with packages that are an extra ({error}): "
            "pip install 'ser-book[export]' 'torch>=2.11'"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch's remarks on its own deprecations and on torchvision are not for our users."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
