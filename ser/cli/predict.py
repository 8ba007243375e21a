"""``ser predict``: the emotion of recordings, by a model that a run has left."""

from __future__ import annotations

import argparse
import json
import sys

DESCRIPTION = """\
Say which of angry, happy, neutral, sad a recording sounds like to a trained
model, with probabilities, and what each branch of a fused model says.

Any format, rate and number of channels that libsndfile reads; one utterance a
file works best, of about the length the model was trained on. The model is a
folder that 'ser run' left under OUT/models, or OUT itself if it holds one.

A model knows the voices, the language and the acting it was trained on; the
answer is about them, not about what a person feels. What it was trained on is
printed with every answer."""

EPILOG = """\
examples:
  ser run --model dual --folds 2 --epochs 5 --batch-size 32 --out results/first
  ser predict me.wav --checkpoint results/first/models/dual/speakers-release-1-seed0
  ser predict *.wav --checkpoint results/first/models/dual/speakers-release-1-seed0 --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ser predict``."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument("files", nargs="+", metavar="FILE", help="recordings")
    parser.add_argument("--checkpoint", required=True, metavar="DIR", help="a model's folder")
    parser.add_argument("--device", default="auto", metavar="DEV", help="auto, cpu, cuda")
    parser.add_argument("--json", action="store_true", help="print JSON")


def main(args: argparse.Namespace) -> int:
    """Predict each file; a file that cannot be read is told and does not stop the others."""
    from ser.errors import SerError
    from ser.prediction import load_model, predict

    model = load_model(args.checkpoint, args.device)
    answers, failed = [], []
    for path in args.files:
        try:
            answers.append(predict(path, model))
        except SerError as error:
            failed.append({"path": path, "error": str(error)})
            print(f"ser: {error}", file=sys.stderr)
    if args.json:
        body = {
            "trained_on": model.trained_on,
            "predictions": [a.as_dict() for a in answers],
            "failed": failed,
        }
        print(json.dumps(body, ensure_ascii=False, indent=1))
    else:
        for answer in answers:
            print(answer.to_text() + "\n")
        print(model.describe())
    return 2 if failed else 0
