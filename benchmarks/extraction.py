"""Features of the first N made-up utterances in a process of their own: time and peak memory.

``python -m benchmarks.extraction FOLDER N THREADS`` prints one JSON object. The cache it fills is
removed afterwards.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path


def peak_megabytes() -> float | None:
    """Largest resident memory of this process so far, mapped files included; Linux only."""
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return round(int(fields["VmHWM"].split()[0]) / 1024, 1)


def main() -> None:
    """Fill a fresh cache and read every utterance back once."""
    import torch

    from benchmarks.inputs import made_up_corpus
    from ser.corpora.base import Corpus
    from ser.features import extract

    folder, count, threads = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    table = made_up_corpus(folder, count)
    corpus = Corpus("made up", folder, table, table, licence="", citation="")
    cache = folder / f"cache-{count}"
    shutil.rmtree(cache, ignore_errors=True)
    before = peak_megabytes()
    features = extract(corpus, cache=cache, progress=False)
    filled = peak_megabytes()
    total = sum(float(features.mfcc(i)[0, 0]) for i in range(len(table)))
    size = sum(f.stat().st_size for f in cache.rglob("*") if f.is_file())
    print(
        json.dumps(
            {
                "value": count,
                "seconds": features.report["wall_seconds"],
                "wall_seconds": features.report["wall_seconds"],
                "sound_seconds": features.report["computed_seconds"],
                "megabytes_before": before,
                "megabytes_filled": filled,
                "megabytes_read_back": peak_megabytes(),
                "cache_megabytes": round(size / 2**20, 1),
                "finite": total == total,
            }
        )
    )
    shutil.rmtree(cache)


if __name__ == "__main__":
    main()
