"""``ser predict``: the emotion of recordings, by the package's model or one that a run has left."""

from __future__ import annotations

import argparse
import json
import os
import sys

DESCRIPTION = """\
Say which emotion a recording sounds like to a trained model (angry, happy,
neutral or sad, unless it was trained on others: ser run --emotions), with
probabilities, and what each branch of a fused model says.

Any format, rate and number of channels that 'ser check' reads; one utterance a
file works best, of about the length the model was trained on. Of a folder all
recordings in it and below are taken; *, ? and ** are understood, quoted too.
Notes tell what in a recording moves an answer: a telephone's band, noise, hum,
a bang, clipping, an offset, channels that cancel, its length or level.

Without --checkpoint a small model that comes with ser answers:
{shipped}
With --neutral, calm recordings of the one who speaks, three at best, it is one
that compares a voice with itself:
{enrolled}
--checkpoint names another: a folder that 'ser run' left under OUT/models, or
OUT itself if it holds one.

With --stream, a long recording is answered window by window, in bounded
memory, each line as soon as its sound is there; '-' reads a microphone through
a pipe: raw 16-bit mono samples, at 16 kHz or at --rate.

A model knows the voices, the language and the acting it was trained on; the
answer is about them, not about what a person feels. What it was trained on is
printed with every answer."""

EPILOG = """\
examples:
  ser predict me.wav
  ser predict me.wav --neutral calm1.wav calm2.wav calm3.wav
  ser run --model dual --folds 2 --epochs 5 --batch-size 32 --out results/first
  ser predict me.wav --checkpoint results/first/models/dual/speakers-release-1-seed0
  ser predict *.wav --checkpoint results/first/models/dual/speakers-release-1-seed0 --json
  ser predict recordings/ "more/**/*.m4a" --checkpoint MODEL
  ser predict meeting.flac --stream --window 3 --hop 1 --checkpoint MODEL
  arecord -q -t raw -f S16_LE -c 1 -r 16000 | ser predict - --stream

exit codes: 0 every recording is answered, 2 some are not (each is told, the others are
            answered) or wrong usage, 130 interrupted"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ser predict``."""
    parser.description = DESCRIPTION.format(shipped=_shipped(), enrolled=_shipped(enrolled=True))
    parser.epilog = EPILOG
    parser.add_argument(
        "files",
        nargs="*",  # that none is left is told in words of its own
        metavar="FILE",
        help="recordings, folders, patterns ('-' with --stream: standard input)",
    )
    parser.add_argument("--checkpoint", metavar="DIR", help="a model's folder (default: the small "
        "model that comes with ser)")  # fmt: skip
    parser.add_argument("--neutral", nargs="+", metavar="FILE", help="calm recordings of the same "
        "speaker, which tell what the voice is like at rest (after the recordings). With "
        "--checkpoint the model must be of 'ser run --normalise enrol:K'")  # fmt: skip
    parser.add_argument("--device", default="auto", metavar="DEV", help="auto, cpu, cuda")
    parser.add_argument("--json", action="store_true", help="print JSON (--stream: a line each)")
    parser.add_argument("--stream", action="store_true", help="one answer every --hop seconds")
    parser.add_argument("--window", type=float, metavar="S", help="seconds of a window (3)")
    parser.add_argument("--hop", type=float, metavar="S", help="seconds between answers (1)")
    parser.add_argument("--rate", type=int, metavar="HZ", help="rate of '-' (16000)")
    parser.add_argument("--threads", type=int, metavar="N", help="processor cores (all; of a "
        "few recordings one, for several wait for each other)")  # fmt: skip


def _shipped(enrolled: bool = False) -> str:
    """Which model comes with the package and how good it is, in lines as of a paragraph."""
    import textwrap

    from ser.errors import ModelError
    from ser.loading import SHIPPED, SHIPPED_ENROLLED, describe_shipped

    folder = SHIPPED_ENROLLED if enrolled else SHIPPED
    try:
        told = f"{describe_shipped(folder)} Its card: {folder / 'CARD.md'}"
    except ModelError:  # told where it is asked, not where help is
        told = "(damaged: install the package again)"
    lines = textwrap.wrap(told, 76, break_long_words=False, break_on_hyphens=False)
    return "\n".join(f"  {line}" for line in lines)


def main(args: argparse.Namespace) -> int:
    """Predict each file; a file that cannot be read is told and does not stop the others."""
    from ser.cli.options import took_all
    from ser.errors import SerError

    if not args.files:
        told = "give at least one recording (ser predict --help has examples)"
        raise SerError(took_all("predict", args.neutral) if args.neutral else told)
    if args.threads is not None and args.threads < 1:
        raise SerError(f"--threads {args.threads}: give at least 1")
    args.files, failed = recordings(args.files)
    for one in failed:
        print(f"ser: {one['error']}", file=sys.stderr)
    if args.stream:
        return _stream(args, bool(failed))
    for option in ("window", "hop", "rate"):
        if getattr(args, option) is not None:
            raise SerError(f"--{option} goes with --stream")
    if "-" in args.files:
        raise SerError("'-' (standard input) goes with --stream")
    return _files(args, failed)


def recordings(names: list[str]) -> tuple[list[str], list[dict[str, str]]]:
    """The files that are meant by *names*, and which names mean none.

    A name that is there is itself, whatever characters it holds. A folder is all recordings below
    it; a name that is not there but holds ``*``, ``?`` or ``[`` is a pattern (the shell of Windows
    leaves patterns to the program); any other stays, for its reader to tell.

    Example:
        >>> recordings(["-", "none.wav"])
        (['-', 'none.wav'], [])
    """
    import glob
    from pathlib import Path

    from ser.corpora.scan import walk

    found, failed = [], []
    for name in names:
        meant = [name]
        if name != "-" and not os.path.lexists(name) and glob.has_magic(name):
            folder = name
            while folder and not os.path.isdir(folder):
                folder = os.path.dirname(folder)
            rest = name[len(folder) :]
            meant = sorted(glob.glob(glob.escape(folder) + rest, recursive=True))
        below = [walk(Path(one)) if os.path.isdir(one) else [one] for one in meant]
        files = list(dict.fromkeys(str(file) for some in below for file in some))
        found += files
        if not files:
            why = (
                "there are no recordings in this folder (.wav, .flac, .ogg, .mp3 ...)"
                if meant
                else "no such file, and none fits it as a pattern; check the folder and the ending"
            )
            failed.append({"path": name, "error": f"{name}: {why}"})
    return found, failed


def _files(args: argparse.Namespace, failed: list[dict[str, str]]) -> int:
    from ser.enrolled_model import model_for
    from ser.errors import SerError, shortage
    from ser.loading import FEW
    from ser.prediction import predict
    from ser.progress import counted

    answers, count = [], len(args.files)
    _set_threads(args.threads or (1 if count <= FEW else None))
    model = model_for(args.checkpoint, args.neutral or (), args.device, count)
    with counted(
        "listening", count, "files", count > 1, items=args.files, leave=False, delay=0.5
    ) as bar:
        for path in bar:
            try:
                answers.append(predict(path, model))
                if not args.json:
                    bar.write(answers[-1].to_text() + "\n", file=sys.stdout)
            except (SerError, MemoryError, RuntimeError) as error:
                lacking = shortage(error)
                if not lacking and not isinstance(error, SerError):
                    raise
                told = f"{path}: {lacking}, or use --stream" if lacking else str(error)
                failed.append({"path": path, "error": told})
                bar.write(f"ser: {told}", file=sys.stderr)
    if args.json:
        body = {
            "trained_on": model.trained_on,
            "predictions": [a.as_dict() for a in answers],
            "failed": failed,
        }
        print(json.dumps(body, ensure_ascii=False, indent=1))
    else:
        print(model.describe())
    return 2 if failed else 0


def _set_threads(number: int | None) -> None:
    if number is not None:
        import torch

        torch.set_num_threads(min(number, os.cpu_count() or 1))


def _stream(args: argparse.Namespace, failed: bool) -> int:
    """Each file in turn, a line an answer; figures of speed at the end, on standard error."""
    from ser.enrolled_model import calm_remarks, model_for
    from ser.errors import SerError
    from ser.streaming import pcm_blocks, predict_stream

    if args.rate is not None and args.rate < 1000:
        raise SerError(f"--rate {args.rate}: give samples a second, e.g. 16000")
    if args.rate is not None and "-" not in args.files:
        raise SerError("--rate is that of '-' (standard input); a sound file tells its own")
    if "-" in args.files and sys.stdin is None:
        raise SerError("standard input is closed; send raw samples through a pipe")
    window = 3.0 if args.window is None else args.window
    hop = 1.0 if args.hop is None else args.hop
    _set_threads(args.threads)
    model = model_for(args.checkpoint, args.neutral or (), args.device)
    print(model.describe(), file=sys.stderr)
    for remark in calm_remarks(model):
        print(f"ser: {': '.join(remark)}", file=sys.stderr)
    known = set()
    for path in args.files:
        spent, end = [], 0.0
        source = pcm_blocks(sys.stdin.buffer, args.rate or 16000) if path == "-" else path
        if not args.json and len(args.files) > 1:
            print(path)
        try:
            told = "standard input" if path == "-" else ""
            for answer in predict_stream(source, model, window, hop, told):
                spent.append(answer.compute_seconds)
                end = answer.end
                line = {"path": path, **answer.as_dict()}
                shown = json.dumps(line, ensure_ascii=False) if args.json else answer.to_text()
                print(shown, flush=True)
                for heard, effect in answer.prediction.remarks:  # a line has no room for the effect
                    if effect and effect not in known and not args.json:
                        print(f"ser: {path}: {heard}: {effect}", file=sys.stderr)
                        known.add(effect)
        except SerError as error:
            failed = True
            print(f"ser: {error}", file=sys.stderr)
        finally:
            print(_speed(path, spent, end), file=sys.stderr)
    return 2 if failed else 0


def _speed(path: str, spent: list[float], end: float) -> str:
    """How fast answers came: seconds that each took, and seconds of sound."""
    import numpy as np

    if not spent:
        return f"{path}: no answers"
    median, late = 1000 * np.percentile(spent, (50, 95))
    return (
        f"{path}: {len(spent)} answers over {end:.1f} s of sound; an answer took {median:.0f} ms "
        f"(median; 95 %: {late:.0f} ms), {end / sum(spent):.0f} times faster than the sound"
    )
