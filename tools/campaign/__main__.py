"""``python -m tools.campaign``: run the cases, show a bar, count what came of them."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from tools.campaign.damage import Damage
from tools.campaign.kills import run_kills
from tools.campaign.pool import Outcome, run_cases
from tools.campaign.sounds import Sounds
from tools.campaign.trees import Trees

PARTS = {"sounds": 3000, "trees": 250, "damaged": 500, "kills": 40}
"""Part -> cases of a whole campaign."""
BAD = ("wrong", "traceback", "hang", "memory")

EPILOG = """\
examples:
  python -m tools.campaign                                 all of it, about an hour on two cores
  python -m tools.campaign --only sounds --cases 300       a tenth of one part
  python -m tools.campaign --only trees --case 17          one case again, with all it said

verdicts: right (the right answer), error (a clear one), wrong (another answer without a word),
traceback, hang (over 5 s), memory (over 2 GB). Exit code 1 if there is any of the last four."""


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.campaign",
        description="Damage sounds, corpora and files on purpose, kill runs, count what comes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument("--cases", type=int, metavar="N", help="as many of each part")
    parser.add_argument("--case", type=int, metavar="K", help="case K alone (with --only)")
    parser.add_argument("--seed", type=int, default=0, help="of all cases (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default: 2)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="every outcome, a JSON line each")
    args = parser.parse_args(arguments)
    bad = 0
    with contextlib.ExitStack() as stack:
        out = stack.enter_context(args.out.open("w")) if args.out else None
        for part in [args.only] if args.only else PARTS:
            numbers = list(range(args.cases or PARTS[part]))
            if args.case is not None:
                numbers = [args.case]
            counts: Counter[str] = Counter()
            for outcome in tqdm(
                _outcomes(part, args.seed, numbers, args.jobs),
                total=len(numbers),
                desc=part,
                file=sys.stderr,
            ):
                counts[outcome.verdict] += 1
                if outcome.verdict in BAD or args.case is not None:
                    tqdm.write(f"{part} {outcome.case}: {outcome.verdict}: {outcome.done}")
                    tqdm.write(f"    {outcome.seen}")
                if out:
                    print(json.dumps({"part": part, **vars(outcome)}), file=out, flush=True)
            bad += sum(counts[verdict] for verdict in BAD)
            shown = ", ".join(f"{v} {counts[v]}" for v in ("right", "error", *BAD))
            print(f"{part}: {len(numbers)} cases: {shown}", flush=True)
    return 1 if bad else 0


def _outcomes(part: str, seed: int, numbers: list[int], jobs: int) -> Iterator[Outcome]:
    if part == "kills":
        return run_kills(seed, numbers)
    make = {"sounds": Sounds, "trees": Trees, "damaged": Damage}[part]
    return run_cases(make, (seed,), numbers, jobs)


if __name__ == "__main__":
    sys.exit(main())
