"""``make bench`` or ``python -m benchmarks``: run every benchmark, print a table, keep a record.

Anything else goes to pytest: ``python -m benchmarks -k front_end``. Machines are noisy, so every
figure is a ratio to something timed turn by turn in the same run; nothing fails for being slow.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.record import ROOT, reduce, table
from ser.paths import atomic_write

BOTH = ("benchmarks",)
TARGETS = {"cpu": ("benchmarks", "--ignore=benchmarks/test_cuda.py"),
           "cuda": ("benchmarks/test_cuda.py",)}  # fmt: skip
"""What pytest is given for the rows of a device, relative to the project."""
EPILOG = """\
examples:
  make bench                                  everything, half an hour on two idle cores
  python -m benchmarks --quick                does everything run? (the figures mean little)
  python -m benchmarks -k ds_lstm --out here.json
  python -m benchmarks --device cuda --out book/results/benchmarks/gpu.json
                                              the rows of a GPU alone, a minute or two
  python -m benchmarks --corpus-size 2000     fewer made-up utterances (35000 need 12 GB of disk)
  python -m benchmarks --show book/results/benchmarks/cpu.json"""


def main() -> int:
    """Run and record."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the record goes (JSON)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print a record's table; no run")
    parser.add_argument("--device", choices=TARGETS, help="rows of one alone (default: both)")
    parser.add_argument("--commit", default="", metavar="SHA", help="where git does not know it")
    args, rest = parser.parse_known_args()
    if args.show:
        print(table(json.loads(args.show.read_text(encoding="utf-8"))))
        return 0
    if args.device == "cuda" and not torch.cuda.is_available():
        print("benchmarks: torch sees no NVIDIA GPU here", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.json"
        command = [sys.executable, "-m", "pytest", *TARGETS.get(args.device, BOTH), "-q", "-rs"]
        command += ["-p", "no:cacheprovider", "--benchmark-disable-gc", f"--benchmark-json={raw}"]
        done = subprocess.run([*command, "--benchmark-columns=median,iqr,rounds", *rest], cwd=ROOT)
        if not raw.exists() or not raw.stat().st_size:
            return done.returncode or 1
        body = json.loads(raw.read_text(encoding="utf-8"))
    chosen = ["--device", args.device] if args.device else []
    typed = shlex.join(["python", "-m", "benchmarks", *chosen, *rest])
    record = reduce(body, typed, args.commit)
    print("\n" + table(record))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(args.out, "w") as stream:
            stream.write(json.dumps(record, indent=1) + "\n")
        print(f"record: {args.out}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
