"""What a user of the command waits for, against another checkout of the project, turn by turn.

Each turn runs one command of either checkout in a process of its own; medians of user CPU, wall
time and peak memory are kept. User CPU and memory are told with the processes that a command
starts (memory: of the largest of them), and hardly depend on what else the machine does; wall time
does, so the record says how busy it was.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from ser.paths import atomic_write

EPILOG = """\
examples:
  git worktree add ../old d72ef4d
  python -m benchmarks.command --old ../old --emodb data/emodb
  python -m benchmarks.command --old ../old --emodb data/emodb --rounds 7 \\
      --out book/results/benchmarks/command.json
  python -m benchmarks.command --show book/results/benchmarks/command.json"""

ROOT = Path(__file__).resolve().parent.parent
ROWS = ("import torch", "predict", "report", "majority", "egemaps-lr", "dual")
SIDES = ("old", "new")
MEASURES = ("user_seconds", "wall_seconds", "peak_gb")


@dataclass(frozen=True)
class Goal:
    """What one figure of a row is to reach.

    Attributes:
        row: of :data:`ROWS`.
        measure: of :data:`MEASURES`.
        ratio: old by new, at least; None: *most* counts.
        most: the new figure, at most, in its own unit.
        above_torch: ``import torch`` is taken off both sides first.
    """

    row: str
    measure: str
    ratio: float | None = None
    most: float | None = None
    above_torch: bool = False


GOALS = (
    Goal("predict", "user_seconds", ratio=3.5, above_torch=True),
    Goal("predict", "user_seconds", most=1.0, above_torch=True),
    Goal("predict", "peak_gb", most=0.75),
    Goal("report", "user_seconds", ratio=3.0),
    Goal("report", "peak_gb", most=0.25),
    Goal("majority", "user_seconds", ratio=4.0),
    Goal("egemaps-lr", "wall_seconds", ratio=1.7),
    Goal("dual", "peak_gb", most=1.2),
)


class Checkout:
    """One checkout of the project, run by this Python.

    Args:
        folder: its root.
        work: a folder of its own for models, caches and compiled kernels.
        emodb: root of the corpus.
    """

    def __init__(self, folder: Path, work: Path, emodb: Path) -> None:
        self.folder, self.work = folder.resolve(), work
        grid = ["run", "--corpus", "emodb", "--root", str(emodb.resolve()), "--quiet"]
        self.dual = [*grid, "--model", "dual", "--folds", "2", "--epochs", "1", "--jobs", "1"]
        self.dual += ["--batch-size", "32", "--cache", str(work / "cache")]
        self.baseline = [*grid, "--folds", "10", "--model"]
        self.clip = emodb.resolve() / "wav" / "03a01Fa.wav"  # 1.9 s
        self.models = work / "prepared"

    def prepare(self) -> None:
        """A trained model, features in a cache, kernels compiled."""
        self.work.mkdir()
        self.measure([*self.ser(*self.dual), "--out", str(self.models)])

    def ser(self, *arguments: str) -> list[str]:
        """``ser`` with *arguments*."""
        return [sys.executable, "-m", "ser", *arguments]

    def command(self, row: str, fresh: Path) -> list[str]:
        """What *row* runs; *fresh* is an empty folder."""
        out = ["--out", str(fresh / "out")]
        if row == "import torch":
            return [sys.executable, "-c", "import torch"]
        if row == "predict":
            model = self.models / "models" / "dual" / "speakers-release-1-seed0"
            return self.ser("predict", str(self.clip), "--checkpoint", str(model))
        if row == "report":
            return self.ser("report", str(self.folder / "book" / "results" / "emodb-loso"))
        if row == "dual":
            return self.ser(*self.dual, *out)
        return self.ser(*self.baseline, row, "--cache", str(fresh / "cache"), *out)

    def measure(self, command: list[str]) -> dict[str, float]:
        """Run *command* to its end.

        A new process counts the memory of the one that starts it as its own (Linux, between vfork
        and exec), so this one stays small: it does not import torch before all is measured.

        Raises:
            SystemExit: it failed.
        """
        places = {"PYTHONPATH": str(self.folder), "NUMBA_CACHE_DIR": str(self.work / "kernels")}
        with tempfile.TemporaryFile() as said:
            began = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=self.work, env=os.environ | places, stdout=said, stderr=said
            )
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                said.seek(0)
                print(said.read().decode(errors="replace"), file=sys.stderr)
                sys.exit(f"{shlex.join(command)} failed in {self.folder}")
        unit = 1e9 if sys.platform == "darwin" else 1e6  # bytes there, KiB elsewhere
        figures = used.ru_utime, wall, used.ru_maxrss / unit
        return dict(zip(MEASURES, figures, strict=True))


def compare(old: Path, emodb: Path, rows: list[str], rounds: int) -> dict:
    """Measure *rows* of the checkout *old* and of this one, turn by turn.

    Returns:
        JSON-able; ``commands``: row -> side -> measure -> median.
    """
    load = [os.getloadavg()]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        sides = {
            side: Checkout(place, work / side, emodb)
            for side, place in zip(SIDES, (old, ROOT), strict=True)
        }
        for checkout in sides.values():
            checkout.prepare()
        found: dict[str, dict[str, list[dict]]] = {r: {s: [] for s in SIDES} for r in rows}
        for turn in range(rounds):
            for row in rows:
                for side, checkout in sides.items():
                    with tempfile.TemporaryDirectory(dir=work) as fresh:
                        told = checkout.measure(checkout.command(row, Path(fresh)))
                    found[row][side].append(told)
                    print(f"{turn + 1}/{rounds} {row:13} {side}  {_figures(told)}", file=sys.stderr)
    load.append(os.getloadavg())
    from benchmarks.record import cpu_name, versions  # after the runs, see measure()

    commits = {side: _commit(checkout.folder) for side, checkout in sides.items()}
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commits["new"],
        "old_commit": commits["old"],
        "machine": {"cpu": cpu_name(), "cores": len(os.sched_getaffinity(0)), "load": load},
        "versions": versions(),
        "rounds": rounds,
        "commands": {row: {s: _medians(m) for s, m in both.items()} for row, both in found.items()},
    }


def _commit(folder: Path) -> str:
    if folder == ROOT:
        from benchmarks.record import commit

        return commit()
    done = subprocess.run(
        ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True
    )
    return done.stdout.strip()


def _medians(figures: list[dict[str, float]]) -> dict[str, float]:
    return {m: round(statistics.median(f[m] for f in figures), 3) for m in MEASURES}


def _figures(told: dict[str, float]) -> str:
    user, wall, peak = (told[m] for m in MEASURES)
    return f"{user:6.2f} s user  {wall:6.2f} s wall  {peak:5.2f} GB"


def reached(goal: Goal, commands: dict) -> tuple[float, bool] | None:
    """The figure that *goal* is about, and whether it is good enough; None: not measured.

    Example:
        >>> figures = {"majority": {"old": {"user_seconds": 8.0}, "new": {"user_seconds": 2.0}}}
        >>> reached(Goal("majority", "user_seconds", ratio=4.0), figures)
        (4.0, True)
    """
    needed = {goal.row} | ({"import torch"} if goal.above_torch else set())
    if not needed <= commands.keys():
        return None
    old, new = (commands[goal.row][side][goal.measure] for side in SIDES)
    if goal.above_torch:
        torch = [commands["import torch"][side][goal.measure] for side in SIDES]
        old, new = old - torch[0], new - torch[1]
    if goal.most is not None:
        return new, new <= goal.most
    return (old / new, old / new >= goal.ratio) if new > 0 else None


def table(record: dict) -> str:
    """The record as text: figures of both sides, then the goals."""
    lines = []
    for row, both in record["commands"].items():
        lines += [f"{row:13} {side}  {_figures(both[side])}" for side in SIDES]
    lines.append("")
    for goal in GOALS:
        told = reached(goal, record["commands"])
        if told is None:
            continue
        what = f"{goal.row}, {goal.measure}{' above import torch' * goal.above_torch}"
        bound = f"at most {goal.most:g}" if goal.ratio is None else f"{goal.ratio:g} times less"
        verdict = "reached" if told[1] else "not reached"
        lines.append(f"{what:45} {told[0]:6.2f}  goal: {bound}, {verdict}")
    machine = record["machine"]
    loads = " and ".join(f"{load[0]:.1f}" for load in machine["load"])
    lines.append(f"\n{machine['cpu']}, {machine['cores']} cores, load {loads} before and after")
    lines.append(f"{record['command']}\nold: {record['old_commit']}, new: {record['commit']}")
    return "\n".join(lines)


def main() -> int:
    """Measure, print the table, keep the record."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.command",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--old", type=Path, metavar="DIR", help="the checkout to compare with")
    parser.add_argument("--emodb", type=Path, metavar="DIR", help="EmoDB's folder")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns (default: 5)")
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the record goes (JSON)")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print a record's table; no run")
    args = parser.parse_args()
    if args.show:
        print(table(json.loads(args.show.read_text(encoding="utf-8"))))
        return 0
    rows = args.rows.split(",")
    if args.old is None or args.emodb is None or not set(rows) <= set(ROWS):
        parser.error("give --old, --emodb, and --rows of those there are")
    typed = f"python -m benchmarks.command --old OLD --emodb EMODB --rounds {args.rounds}"
    record = {"command": typed, **compare(args.old, args.emodb, rows, args.rounds)}
    print(table(record))
    if args.out:
        with atomic_write(args.out, "w") as stream:
            stream.write(json.dumps(record, indent=1) + "\n")
        print(f"record: {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
