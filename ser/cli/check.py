"""``ser check``: what is in a corpus and what is wrong with it."""

from __future__ import annotations

import argparse
import json
import re
import textwrap

from ser.cli.options import add_emotions

EPILOG = """\
examples:
  ser check synthetic
  ser check emodb --root /data/emodb
  ser check manifest --root my_recordings.csv
  ser check nemo --root /data/nemo --json | python -m json.tool
  ser check ravdess --root /data/ravdess --emotions all,calm=neutral
  ser check manifest --root my_recordings.csv --emotions bored,curious,angry

Every recording is decoded. Told are files that are unreadable, empty, silent, clipped, missing,
of a telephone's band, with a DC offset, hum, loud noise, a bang or channels that cancel, or there
twice (by their samples, so also a FLAC of a WAV), names and labels that do not fit, nested
copies of the tree, clips that are not the owners' originals, and what gives the emotion away
without listening: a speaker with one emotion only, classes of different level.

  error    would spoil a result            warning  know it before you judge a result
  note     for your information

exit codes: 0 no errors, 1 there are errors, 2 no such corpus or folder"""

MARKS = {"error": "ERROR", "warning": "warning", "note": "note"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.description = "Read a corpus and say what is in it and what is wrong with it."
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME", help="the corpus; 'ser corpora' lists them")
    parser.add_argument(
        "--root", metavar="DIR", help="its folder (manifest: the CSV file); default: $SER_DATA/NAME"
    )
    add_emotions(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def main(args: argparse.Namespace) -> int:
    """Check and print; 1 if a problem would spoil a result."""
    from ser.corpora.check import check
    from ser.progress import counted

    def bar(results, total):
        return counted("reading", total, "utterances", items=results, leave=False, delay=0.5)

    report = check(args.name, args.root, progress=bar, emotions=args.emotions)
    if args.json:
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        print(render(report))
    return 0 if report["ok"] else 1


def render(report: dict) -> str:
    """The report as text for people."""
    lines = [f"{report['corpus']}: {report['root']}", ""]
    speakers = report["speaker_emotions"]
    lines.append(
        f"{report['utterances']} utterances of {_classes(report)} by {len(speakers)} speakers, "
        f"{_duration(report['seconds'])}; {report['total']} utterances listed"
    )
    if speakers:
        lines += ["", *_table(report)]
        lines.append("")
        if report["left_out"]:
            others = {word or "(no emotion)": n for word, n in report["left_out"].items()}
            lines.append(f"not asked for    {_counts(others)} (--emotions names others, or all)")
        lines.append(f"owners' labels   {_counts(report['labels'])}")
        part = f" (of {_classes(report)})" if report["total"] > report["utterances"] else ""
        lines.append(f"sample rates     {_counts(report['rates'], ' Hz')}{part}")
        shown = (f"{e} {v}" for e, v in report["levels"].items() if v is not None)
        lines.append(f"level (median)   {', '.join(shown)} dB re full scale")
    if known := report["originals"]:
        lines.append(
            f"originals        {known['matching']} of {known['compared']} files are the owners' "
            f"own, byte for byte ({known['known']} are known)"
        )
    lines += ["", *(_problems(report["problems"]) or ["no problems found"])]
    return "\n".join(lines)


def _classes(report: dict) -> str:
    from ser.corpora.base import EMOTIONS

    emotions = tuple(report["emotions"])
    return "the four classes" if emotions == EMOTIONS else f"{len(emotions)} emotions"


def _table(report: dict) -> list[str]:
    emotions = list(report["emotions"])
    rows = list(report["speaker_emotions"].items())
    shown, left = rows[:40], len(rows) - 40
    width = max(7, *(len(speaker) for speaker, _ in shown))
    wide = 1 + max(8, *map(len, emotions))
    head = f"{'speaker':<{width}}" + "".join(f"{e:>{wide}}" for e in [*emotions, "all"])
    lines = [head]
    for speaker, counts in shown:
        numbers = [*(counts[e] for e in emotions), sum(counts.values())]
        lines.append(f"{speaker:<{width}}" + "".join(f"{n:>{wide}}" for n in numbers))
    if left > 0:
        lines.append(f"... and {left} more speakers (--json names them all)")
    totals = [*report["emotions"].values(), report["utterances"]]
    return [*lines, f"{'all':<{width}}" + "".join(f"{n:>{wide}}" for n in totals)]


def _problems(problems: list[dict]) -> list[str]:
    lines = []
    for problem in problems:
        kind = "" if problem["kind"] == problem["severity"] else f" ({problem['kind']})"
        text = f"{MARKS[problem['severity']]}{kind}: {problem['message']}"
        lines += _wrapped(text)
        files, count = problem["files"], problem["count"]
        lines += [f"      {name}" for name in files[:5]]
        if files and count > 5:
            lines.append(f"      ... {count} in all")
    return lines


def _wrapped(text: str) -> list[str]:
    """Lines of 96 characters; what stands in backticks, a command, stays on one."""
    kept = re.sub(r"`[^`]*`", lambda match: match[0].replace(" ", "\0"), text)
    wrapped = textwrap.wrap(
        kept, 96, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return [line.replace("\0", " ") for line in wrapped]


def _counts(counts: dict, unit: str = "") -> str:
    return ", ".join(f"{key}{unit} {count}" for key, count in counts.items())


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.2f} h"
