"""``ser explain``: what an answer rests on, and what tells the emotions of a corpus apart."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from ser.cli.options import add_emotions, positive, took_all

DESCRIPTION = """\
Why this answer? Of a recording: a page with the sound, the answer, what each
branch of the network says, and what of the recording the answer rests on, over
time and frequency, in two ways:

  occlusion             a patch of the sound is replaced by the mean; what does
                        the logit of the answer lose?
  integrated gradients  what does each patch add, on the way from the mean to
                        the recording? The parts sum to the whole difference,
                        and the page says whether they do. Needs captum:
                        pip install 'ser-book[explain]', or --occlusion-only

A control shows what the same picture is with the network's weights shuffled.
Without --checkpoint the small model that comes with ser is explained.

Of a corpus (--corpus): a page that says which groups of the 88 eGeMAPS
functionals (pitch, level, rate, spectrum, voice quality) a linear classifier
needs for speakers whom it has not heard, a map of the utterances by emotion and
by speaker, before and after each speaker is normalised, and how a few
functionals with units differ between emotions. Needs opensmile:
pip install 'ser-book[egemaps]'

A page is one HTML file that needs no other, nor a network. What is shown there
is what a model went by, not what a person feels."""

EPILOG = """\
examples:
  ser explain me.wav --out me.html
  ser explain me.wav --out pages                       writes pages/me.html
  ser explain me.wav --checkpoint MODEL --out me.html --csv me.csv
  ser explain me.wav --occlusion-only --json me.json   the numbers alone
  ser explain me.wav --neutral calm1.wav calm2.wav calm3.wav --out me.html
  ser explain --corpus emodb --root data/emodb --out emodb.html
  ser explain --corpus nemo --root data/nemo --json nemo.json

In Python: ser.explain.explain("me.wav"), ser.explain.explain_corpus(corpus); the figures are in
ser.plots.explanation and ser.plots.voices.

exit codes: 0 done, 2 wrong usage or input, 130 interrupted"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ser explain``."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument("file", nargs="?", metavar="FILE", help="a recording of one utterance")
    parser.add_argument(
        "--out", metavar="PAGE", help="the page: a name that ends in .html, or a folder for it"
    )
    parser.add_argument("--json", metavar="FILE", help="write all numbers as JSON; - prints them")
    parser.add_argument(
        "--csv", metavar="FILE", help="write a line a patch, or a line a group, as CSV; - prints it"
    )
    one = parser.add_argument_group("of a recording")
    one.add_argument("--checkpoint", metavar="DIR", help="a model's folder (default: the small "
        "model that comes with ser)")  # fmt: skip
    one.add_argument("--neutral", nargs="+", metavar="FILE", help="calm recordings of the same "
        "speaker; with --checkpoint, for a model of 'ser run --normalise enrol:K'")  # fmt: skip
    one.add_argument("--occlusion-only", action="store_true", help="no integrated gradients")
    many = parser.add_argument_group("of a corpus")
    many.add_argument("--corpus", metavar="NAME", help="one of 'ser corpora'")
    many.add_argument("--root", metavar="DIR", help="its folder, or the CSV file of a manifest")
    add_emotions(many)
    many.add_argument("--repeats", type=positive, default=10, metavar="N", help="how often each "
        "group is dealt anew (default: 10)")  # fmt: skip
    many.add_argument("--seed", type=int, default=0, metavar="N", help="of dealing and map (0)")
    many.add_argument("--cache", metavar="DIR", help="folder of the cache of functionals")
    many.add_argument(
        "--skip-bad", action="store_true", help="leave out utterances that cannot be read"
    )


def main(args: argparse.Namespace) -> int:
    """Explain, write, and say where it is."""
    from ser.errors import SerError

    if args.file is None and args.corpus is None and args.neutral:
        raise SerError(took_all("explain", args.neutral))
    if (args.file is None) == (args.corpus is None):
        raise SerError("give one recording, or --corpus NAME (ser explain --help has examples)")
    if not (args.out or args.json or args.csv):
        raise SerError("nothing would be written: give --out PAGE.html, --json FILE or --csv FILE")
    if [args.json, args.csv].count("-") > 1:
        raise SerError("--json - and --csv - both want the screen; write one of them to a file")
    target = _target(args)
    if args.corpus is None:
        for option in ("root", "cache", "skip_bad"):
            if getattr(args, option):
                raise SerError(f"--{option.replace('_', '-')} goes with --corpus")
        body, table, page = _recording(args)
    else:
        for option in ("checkpoint", "neutral", "occlusion_only"):
            if getattr(args, option):
                raise SerError(f"--{option.replace('_', '-')} goes with a recording")
        body, table, page = _corpus(args)
    if args.json:
        compact = None if args.json == "-" else (",", ":")
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=compact)
        _write(args.json, text + "\n")
    if args.csv:
        _write(args.csv, table)
    if target:
        _write(target, page())
    return 0


def _recording(args: argparse.Namespace) -> tuple:
    from ser.explain import explain

    found = explain(
        args.file, args.checkpoint, args.neutral or (), not args.occlusion_only, progress=True
    )

    def page() -> str:
        from ser.plots.explain_page import recording_page

        return recording_page(found, args.command_line)

    if "-" not in (args.json, args.csv):
        print(found.prediction.to_text())
    return found.as_dict(), found.to_csv(), page


def _corpus(args: argparse.Namespace) -> tuple:
    from ser.corpora import load_corpus
    from ser.explain import explain_corpus

    corpus = load_corpus(args.corpus, args.root, args.emotions)
    record = explain_corpus(corpus, args.cache, True, args.repeats, args.seed, args.skip_bad)
    head = "row,group,functionals,ua_lost_points,low,high,ua_alone_percent"
    lines = [
        f"{row},{g['name']},{g['functionals']},{g['drop']},{g['low']},{g['high']},{g['alone']}"
        for row, told in record["importance"].items()
        for g in told["groups"]
    ]

    def page() -> str:
        from ser.plots.explain_page import corpus_page

        return corpus_page(record, args.command_line)

    return record, "\n".join([head, *lines, ""]), page


def _target(args: argparse.Namespace) -> Path | None:
    """The page's file; told before long work where it cannot be one."""
    from ser.errors import SerError

    if not args.out:
        return None
    out = Path(args.out)
    name = f"{args.corpus or Path(args.file).stem}.html"
    if out.suffix.lower() in (".html", ".htm"):
        if out.is_dir():
            raise SerError(f"--out {out}: a folder is called so; give another name")
        return out
    if out.is_file() or (out.suffix and not out.is_dir()):
        raise SerError(
            f"--out {out}: the page is HTML: give a name that ends in .html, or a folder for it"
        )
    return out / name


def _write(path: str | os.PathLike, text: str) -> None:
    from ser.paths import atomic_write

    if str(path) == "-":
        sys.stdout.write(text)
        return
    with atomic_write(path, "w") as stream:
        stream.write(text)
    print(path, file=sys.stderr)
