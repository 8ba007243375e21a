"""A run that was killed at any of its writes, given again, ends with the same bits."""

from __future__ import annotations

import os

from ser.experiments import RunConfig, run, stored_records
from ser.paths import atomic_write
from ser.training import TrainConfig


class Killed(BaseException):
    """Nothing catches it, as nothing catches a kill."""


def what_a_run_leaves(out) -> dict:
    """Answers of the records, and bytes of the networks."""
    left: dict = {p.relative_to(out): p.read_bytes() for p in out.rglob("models/*/*/*.safetensors")}
    for (_, name), told in stored_records(out).items():
        left[name] = [told[k] for k in ("fingerprint", "history", "selection")]
        left[name] += [told["epoch_logits"][side].tolist() for side in ("test", "dev")]
    return left


def test_a_kill_at_any_write_costs_no_bit(tiny_root, tmp_path, monkeypatch):
    killed = []

    def go(name: str, at: int | None = None, whole: bool = False) -> int:
        """Run, or be killed at a write, before its file or with it; the number of writes."""
        replace, count = os.replace, 0

        def kill(source, target):
            nonlocal count
            count += 1
            if count == at and whole:
                replace(source, target)
            if count == at:
                monkeypatch.setattr(os, "unlink", lambda _: None)  # what a kill leaves stays
                raise Killed
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", kill)
            try:
                run(RunConfig(
                    root=str(tiny_root), models=("mfcc-lstm",), protocol="random", folds=2,
                    train=TrainConfig(epochs=2, batch_size=16, hidden=4, optimiser="adam"),
                    out=tmp_path / name / "out", cache=str(tmp_path / name / "cache"),
                    jobs=1, threads=1, progress=False,
                ))  # fmt: skip
            except Killed:
                killed.append(at)
        monkeypatch.undo()
        return count

    writes = go("never")
    right = what_a_run_leaves(tmp_path / "never" / "out")
    assert len(right) == 4 and writes >= 10
    for at in range(1, writes + 1, 2):
        name = f"killed {at}"
        go(name, at, whole=at % 4 == 1)
        go(name)
        assert what_a_run_leaves(tmp_path / name / "out") == right, name
    assert len(killed) >= 5, "how often the progress is written depends on the time"


def test_a_half_written_file_is_never_taken(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("old")
    try:
        with atomic_write(path, "w") as stream:
            stream.write("ne")
            raise Killed
    except Killed:
        pass
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]
