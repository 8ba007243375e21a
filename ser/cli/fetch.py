"""``ser fetch``: download a corpus that may be downloaded."""

from __future__ import annotations

import argparse
import contextlib
import sys

from ser.cli.corpora import field

EPILOG = """\
examples:
  ser fetch emodb                          into $SER_DATA/emodb; asks first
  ser fetch ravdess --root /data/ravdess --yes
  ser fetch emodb --url https://mirror.example/emodb.zip
  ser fetch nemo --url https://mirror.example/nemo.zip --sha256 0f3a...

The licence and whom to cite are shown before a byte is fetched. A download that was cut off goes
on where it stopped when the same command is given again. The archive's checksum is verified where
one is published, and every clip against the owners' list; unpacking lets nothing out of the
folder. A corpus that is there already is left alone (--force sets it aside and fetches anew).

emodb, nemo, ravdess, cremad and urdu can be fetched. iemocap and savee are given on request or
registration, tess from its library's page: the command says how. synthetic is made here.

exit codes: 0 it is there, 2 it is not: the message says why and what to do, 130 interrupted"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.description = "Download a corpus, verify and unpack it."
    parser.epilog = EPILOG
    parser.add_argument("name", metavar="NAME", help="the corpus; 'ser corpora' lists them")
    parser.add_argument("--root", metavar="DIR", help="its folder; default: $SER_DATA/NAME")
    parser.add_argument("--url", metavar="URL", help="fetch from here instead (a mirror)")
    parser.add_argument("--sha256", metavar="HEX", help="checksum of the mirror's own archive")
    parser.add_argument("--md5", metavar="HEX", help="likewise, as MD5")
    parser.add_argument("--yes", "-y", action="store_true", help="accept the licence, do not ask")
    parser.add_argument(
        "--force", action="store_true", help="fetch anew; what is there is set aside"
    )
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="S", help="seconds of silence (default 30)"
    )
    parser.add_argument(
        "--retries", type=int, default=5, metavar="N", help="tries without progress (default 5)"
    )


def main(args: argparse.Namespace) -> int:
    """Show the terms, ask, fetch."""
    from ser.corpora import corpus_info
    from ser.corpora.fetch import fetch, sources
    from ser.corpora.originals import originals
    from ser.errors import FetchError
    from ser.paths import data_dir

    info = corpus_info(args.name)
    ways = sources(info.name, args.url, args.md5, args.sha256)
    known = originals(info.name)
    print(info.title)
    print(field("licence", info.licence))
    if info.commercial is False:
        print(field("", "not for commercial use"))
    print(field("cite", info.citation))
    print(field("home", info.homepage))
    print(field("source", ways[0][0].url))
    print(field("size", f"{len(known)} clips, {known.size / 1e6:,.0f} MB unpacked"))
    print(field("into", args.root or str(data_dir() / info.name)), flush=True)
    if not args.yes:
        if not sys.stdin.isatty():
            raise FetchError(
                "nobody is there to accept the licence above: add --yes if you accept it"
            )
        if input("Accept the licence and download? [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was downloaded.")
            return 2
    root = fetch(
        info.name, args.root, url=args.url, md5=args.md5, sha256=args.sha256, force=args.force,
        progress=_bar, timeout=args.timeout, retries=args.retries,
    )  # fmt: skip
    print(f'{info.name} is in {root}\nnext: ser check {info.name} --root "{root}"')
    return 0


@contextlib.contextmanager
def _bar(title: str, total: int | None):
    from ser.progress import counted

    with counted(title, total, "B", unit_scale=True) as bar:
        yield bar.update
