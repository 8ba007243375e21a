"""How much faster than speech the page's own forward pass is, in node on one core.

``python -m benchmarks.page --out book/results/page-speed.json`` writes the record that the
chapter "The listening lab" reads. A browser has the same engine (V8), or one as fast. The time of
the processor hardly depends on what else the machine does; wall time does.
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from chapters.lab.model import LIBRARY, packed
from chapters.shared.widget import PAGE

from ser.loading import load_model
from ser.paths import atomic_write


def measure(seconds: float, rounds: int) -> dict[str, Any]:
    """Median seconds of one answer to *seconds* of noise, wall and processor, over *rounds*."""
    wave = 0.05 * np.random.default_rng(0).standard_normal(round(seconds * 16000))
    sound = io.BytesIO()
    soundfile.write(sound, wave, 16000, format="WAV", subtype="PCM_16")
    given = {
        "model": packed(load_model(device="cpu")),
        "wave": base64.b64encode(sound.getvalue()).decode("ascii"),
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "given.json"
        file.write_text(json.dumps(given), encoding="utf-8")
        script = Path(__file__).with_suffix(".js")
        command = ["node", "--single-threaded", script, file, str(rounds), PAGE, *LIBRARY]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(argv: list[str] | None = None) -> int:
    """Measure, print, and keep a record."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="of sound (default: 3)")
    parser.add_argument("--rounds", type=int, default=40, help="answers timed (default: 40)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the record goes (JSON)")
    args = parser.parse_args(argv)
    if shutil.which("node") is None:
        print("benchmarks.page: needs node (Debian: apt-get install nodejs)", file=sys.stderr)
        return 2
    found = measure(args.seconds, args.rounds)
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    record = {
        "command": shlex.join(["python", "-m", "benchmarks.page", *argv]),
        "node": version.stdout.strip(),
        "rounds": args.rounds,
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        **found,
    }
    for kind in ("wall", "cpu"):
        record[f"times_real_time_{kind}"] = round(found["seconds"] / found[kind], 1)
    print(json.dumps(record, indent=1))
    if args.out:
        with atomic_write(args.out, "w") as stream:
            stream.write(json.dumps(record, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
