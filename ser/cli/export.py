"""``ser export``: one ONNX file of a model that a run has left, its features in it."""

from __future__ import annotations

import argparse
import os

DESCRIPTION = """\
Write a trained model as one ONNX file, which onnxruntime reads without Python:
on a server, a telephone or in a web page. In goes a waveform (float32, mono,
16 kHz, within -1..1, of any length), out come the logits of the model's
emotions (angry, happy, neutral, sad unless it was trained on others): the
model's, and each branch's. MFCCs, spectrograms with the
floors of their logarithms, and normalisation are in the file; its metadata
name the classes, the fewest samples and what the model was trained on. What
'ser predict' does to a recording before is not: one channel, 16 kHz, and no
offset must have been seen to.

Before the file is put in place, onnxruntime runs it on clips of many lengths,
silence and near silence; each logit must be that of 'ser predict' to 1e-4.

The model is a folder that 'ser run' left under OUT/models, or OUT itself if it
holds one. A model normalised by speaker cannot be exported, nor a baseline.
The packages are an extra: pip install 'ser-book[export]'."""

EPILOG = """\
examples:
  ser export results/first/models/dual/speakers-release-1-seed0 --out dual.onnx

exit codes: 0 written and checked, 2 it cannot be (nothing is written) or wrong usage"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``ser export``."""
    parser.description, parser.epilog = DESCRIPTION, EPILOG
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a model's folder")
    parser.add_argument("--out", required=True, metavar="FILE", help="the file to write")


def main(args: argparse.Namespace) -> int:
    """Write the file and say what is in it."""
    from ser.export import TOLERANCE, export_model
    from ser.loading import load_model

    model = load_model(args.checkpoint, "cpu", recordings=1)
    worst = export_model(model, args.out)
    print(
        f"{args.out}: {os.path.getsize(args.out) / 1e6:.1f} MB, checked: logits "
        f"{worst:.0e} or less from those of 'ser predict' (allowed: {TOLERANCE:.0e})"
    )
    print(model.describe())
    return 0
