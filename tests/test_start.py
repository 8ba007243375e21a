"""What a command loads: no library that its work does not need."""

from __future__ import annotations

import subprocess
import sys

import pytest
from small_corpora import make_corpus

from ser.features.egemaps import installed

HEAVY = (
    "torch",
    "torch._dynamo",
    "numba",
    "triton",
    "pandas",
    "scipy",
    "sklearn",
    "matplotlib",
    "joblib",
)


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


def grid(manifest, folder) -> list:
    """Arguments of a small grid."""
    given = ["--corpus", "manifest", "--root", manifest[0], "--folds", "2", "--quiet"]
    return [*given, "--cache", folder / "cache", "--protocol", "random", "--jobs", "1"]


def test_a_row_without_a_network_needs_no_torch(manifest, tmp_path):
    given = grid(manifest, tmp_path)
    rows = "majority,duration-lr" + ",egemaps-lr" * installed()
    found = loaded("run", *given, "--model", rows, "--out", tmp_path / "out")
    assert not found & {"torch", "numba", "triton", "matplotlib"}


def test_a_training_needs_no_compiler_and_one_clip_torch_alone(manifest, tmp_path):
    given = grid(manifest, tmp_path)
    given += ["--epochs", "1", "--batch-size", "16", "--hidden", "4"]
    found = loaded("run", *given, "--model", "dual", "--out", tmp_path)
    assert "torch._dynamo" not in found  # 100 MB, which torch's own optimisers import
    model = tmp_path / "models" / "dual" / "random-release-1-seed0"
    assert loaded("predict", manifest[1], "--checkpoint", model) <= {"torch", "triton"}
