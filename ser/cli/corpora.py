"""``ser corpora``: the corpora the package reads."""

from __future__ import annotations

import argparse
import json
import textwrap
from typing import TYPE_CHECKING

from ser.cli.options import add_emotions

if TYPE_CHECKING:
    from ser.corpora.emotion_set import EmotionSet

EPILOG = """\
examples:
  ser corpora                     all of them, with sizes, licences and where to get them
  ser corpora --names             a short table
  ser corpora --json              for programs
  SER_DATA=/data ser corpora      which of them lie in /data/emodb, /data/nemo, ...
  ser corpora --names --emotions angry,happy,sad,fear    who has these, and how much

The task has four classes, angry, happy, neutral, sad, unless --emotions names others. 'here' says
whether the corpus's folder is in $SER_DATA (or this system's folder for data); anywhere else, name
it with --root."""

FACTS = ("name", "title", "language", "total", "labels", "speakers", "licence", "commercial",
         "citation", "homepage", "get", "layout", "fetchable")  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.description = "List the corpora: sizes, licences, where to get them, what is here."
    parser.epilog = EPILOG
    parser.add_argument("--names", action="store_true", help="the short table only")
    add_emotions(parser)
    parser.add_argument("--json", action="store_true", help="one JSON array on standard output")


def main(args: argparse.Namespace) -> int:
    """Print the list."""
    from ser.corpora.emotion_set import emotion_set
    from ser.paths import data_dir

    found = listing(args.emotions)
    if args.json:
        print(json.dumps(found, indent=1, ensure_ascii=False))
        return 0
    print(_table(found, emotion_set(args.emotions)))
    if not args.names:
        for corpus in found:
            print("\n" + _paragraph(corpus))
    print(f"\nfolder of the corpora on this computer: {data_dir()} (set SER_DATA to change it)")
    return 0


def listing(emotions: str | None = None) -> list[dict]:
    """What is known of every corpus, as JSON can hold it; ``utterances`` are of *emotions*."""
    from ser.corpora import CORPORA
    from ser.corpora.emotion_set import emotion_set
    from ser.paths import data_dir

    rows, chosen = [], emotion_set(emotions)
    for info in CORPORA.values():
        counts, home = info.counts(chosen), data_dir() / info.name
        here = home.is_dir() and any(home.iterdir())
        rows.append(
            {fact: getattr(info, fact) for fact in FACTS}
            | {
                "utterances": sum(counts.values()) or None,
                "emotions": counts,
                "all_emotions": info.counts(emotion_set("all")),
                "here": here,
                "root": str(home) if here else None,
            }
        )
    return rows


def _table(rows: list[dict], chosen: EmotionSet) -> str:
    from tabulate import tabulate

    from ser.corpora.emotion_set import ordered

    words = chosen.words or ordered(word for row in rows for word in row["emotions"])
    head = ("name", "language", "listed", f"{len(words)} classes", *words, "speakers", "how",
            "here")  # fmt: skip
    body = [
        (
            row["name"],
            row["language"],
            *(_number(row[key]) for key in ("total", "utterances")),
            *(_number(row["emotions"].get(e)) for e in words),
            _number(row["speakers"]),
            _how(row),
            "yes" if row["here"] else "no",
        )
        for row in rows
    ]
    sides = ["left"] * 2 + ["right"] * (len(head) - 4) + ["left"] * 2
    return tabulate([head, *body], tablefmt="plain", colalign=sides, disable_numparse=True)


def _how(row: dict) -> str:
    own = {"synthetic": "made here", "manifest": "your own"}
    return own.get(row["name"], "ser fetch" if row["fetchable"] else "by hand")


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _paragraph(row: dict) -> str:
    fields = {"licence": row["licence"], "get": row["get"], "cite": row["citation"]}
    if row["all_emotions"]:
        from ser.corpora.emotion_set import counted

        fields = {"emotions": counted(row["all_emotions"])} | fields
    return "\n".join([f"{row['name']}: {row['title']}", *map(field, fields, fields.values())])


def field(name: str, text: str) -> str:
    """A name and a text beside it, wrapped at 96 characters."""
    return textwrap.fill(
        text, 96, initial_indent=f"  {name:<9}", subsequent_indent=" " * 11,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
