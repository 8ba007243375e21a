"""What a command loads: no library that its work does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest
from small_corpora import make_corpus

HEAVY = ("torch", "numba", "triton", "pandas", "scipy", "sklearn", "matplotlib", "joblib")


def loaded(*arguments) -> set[str]:
    """Which of the heavy libraries ``ser`` with *arguments* has loaded when it is done."""
    code = (
        "import sys\nfrom ser.cli import main\nassert main(sys.argv[1:]) == 0\n"
        f"print('loaded', *set({HEAVY!r}) & sys.modules.keys())"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("loaded")[2].split())


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    table = make_corpus(folder / "wav", 12).table
    table[["path", "emotion", "speaker"]].to_csv(folder / "me.csv", index=False)
    return folder / "me.csv", table.path[0]


def test_a_row_without_a_network_needs_no_torch(manifest, tmp_path):
    given = ["--corpus", "manifest", "--root", manifest[0], "--folds", "2", "--quiet"]
    given += ["--cache", tmp_path / "cache", "--protocol", "random", "--jobs", "1"]
    found = loaded("run", *given, "--model", "majority,duration-lr", "--out", tmp_path / "out")
    assert not found & {"torch", "numba", "triton", "matplotlib"}


def test_one_clip_needs_torch_alone(manifest, tmp_path):
    from ser.experiments import RunConfig, run
    from ser.training import TrainConfig

    few = TrainConfig(epochs=1, batch_size=16, hidden=4)
    run(
        RunConfig(
            corpus="manifest", root=str(manifest[0]), models=("dual",), protocol="random", folds=2,
            train=few, jobs=1, out=tmp_path, cache=str(tmp_path / "cache"), progress=False,
        )
    )  # fmt: skip
    model = tmp_path / "models" / "dual" / "random-release-1-seed0"
    assert loaded("predict", manifest[1], "--checkpoint", model) <= {"torch", "triton"}
