"""``ser features``: compute and cache MFCCs and mel-spectrograms of a corpus."""

from __future__ import annotations

import argparse
import json

from ser.cli.options import add_emotions

DESCRIPTION = """\
Compute the three inputs of the networks for every utterance of a corpus, and
keep them in a cache: 39 MFCCs a frame, and two mel-spectrograms in dB, S1 fine
in time and S2 fine in frequency. With --prosody, a fourth. 'ser run' does the same by itself; this
command does it beforehand, and makes packs.

presets (--preset):
  release   windows of 512 and 1024 samples, as in the authors' code; time is
            squashed to 230 and 120 frames when batches are made     (default)
  paper     windows of 256 and 512 samples, as in the paper's figure; true lengths

The cache is keyed by the bytes of each file and by the parameters: what is
there is not computed again, moved or renamed files are recognised, and changed
files are computed anew. Several processes may fill it at once, and it may be
interrupted at any time: the same command takes up where it stopped."""

EPILOG = """\
examples:
  ser features                                    the built-in synthetic corpus
  ser features --corpus emodb --root data/emodb
  ser features --corpus emodb --root data/emodb --preset paper
  ser features --corpus iemocap --root IEMOCAP_full_release --out packs/iemocap
  ser run --features packs/iemocap --model dual   trains from the pack alone
  ser features --corpus emodb --root data/emodb --emotions all --out packs/emodb-7

A pack (--out) is a folder with the table, the features and the licence, and
no audio. It is read without any sound library: make it where the corpus is,
copy it to where the GPU is. The owners' licence goes for it too.

The cache is in the user's cache folder; --cache or the variable SER_CACHE puts
it elsewhere. It may be deleted at any time."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ser features``."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument(
        "--corpus",
        default="synthetic",
        metavar="NAME",
        help="one of 'ser corpora' (default: synthetic)",
    )
    parser.add_argument(
        "--root",
        metavar="DIR",
        help="folder of the corpus, or the CSV file of a manifest (default: the data folder)",
    )
    add_emotions(parser)
    parser.add_argument(
        "--preset",
        default="release",
        choices=("release", "paper"),
        help="window lengths of the spectrograms (default: release)",
    )
    parser.add_argument("--out", metavar="DIR", help="also write a self-contained pack there")
    parser.add_argument(
        "--prosody",
        action="store_true",
        help="also the 25 descriptors every 10 ms that prosody-lstm and its kin read (openSMILE)",
    )
    parser.add_argument("--cache", metavar="DIR", help="folder of the cache")
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out utterances whose audio cannot be read, instead of stopping",
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")


def main(args: argparse.Namespace) -> int:
    """Compute, cache, pack, and print a summary."""
    from ser.corpora import EMOTIONS, load_corpus
    from ser.features import extract, save_pack
    from ser.features.pack import check_folder
    from ser.features.presets import get_preset

    corpus = load_corpus(args.corpus, args.root, args.emotions)
    if args.out:
        named = {"emotions": corpus.emotions} if corpus.emotions != EMOTIONS else {}
        check_folder(args.out, {"name": corpus.name, **named}, get_preset(args.preset))
    features = extract(
        corpus,
        preset=args.preset,
        cache=args.cache,
        skip_bad=args.skip_bad,
        prosody=args.prosody,
    )
    summary = summarise(features)
    if args.out:
        summary["pack"] = str(save_pack(features, args.out))
    print(json.dumps(summary, indent=1) if args.json else as_text(summary))
    return 0


def summarise(features) -> dict:
    """What was computed and where it is, as JSON-able values."""
    report = features.report
    wall, new = report["wall_seconds"], report["computed_seconds"]
    frames = features.lengths.sum(axis=0).tolist()
    return {
        "corpus": features.corpus["name"],
        "content_hash": features.content_hash,
        "preset": features.preset.name,
        "utterances": len(features),
        "emotions": features.table.emotion.value_counts().reindex(features.emotions).to_dict(),
        "left_out": report["left_out"],
        "hours": float(features.samples.sum()) / 16000 / 3600,
        "frames": dict(zip(("mfcc", "s1", "s2"), frames, strict=True)),
        "computed": report["computed"],
        "wall_seconds": wall,
        "real_time_factor": new / wall if new else None,
        "cache": report["folder"],
        "cache_bytes": features.store.bytes(),
    }


def as_text(summary: dict) -> str:
    """The summary for people."""
    frames, computed = summary["frames"], summary["computed"]
    speed = (
        f"{computed} computed in {summary['wall_seconds']:.1f} s, "
        f"{summary['real_time_factor']:.0f} times real time"
        if computed
        else f"all in the cache, read in {summary['wall_seconds']:.1f} s"
    )
    lines = [
        f"{summary['corpus']}, preset {summary['preset']}",
        f"  utterances  {summary['utterances']}  ({summary['hours']:.2f} hours)",
        f"  frames      {frames['mfcc']} of MFCC, {frames['s1']} of S1, {frames['s2']} of S2",
        f"  work        {speed}",
        f"  cache       {summary['cache']}  ({summary['cache_bytes'] / 1e6:.0f} MB)",
    ]
    if "pack" in summary:
        lines.append(f"  pack        {summary['pack']}")
    if summary["left_out"]:
        lines.append(f"  left out    {len(summary['left_out'])}:")
        lines += [f"    {line}" for line in summary["left_out"][:10]]
    return "\n".join(lines)
