"""``ser features`` from end to end."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile as sf

from ser.cli import build_parser, main
from ser.features import load_pack


@pytest.fixture
def emodb(tmp_path):
    """A small tree in EmoDB's layout."""
    root = tmp_path / "emodb"
    (root / "wav").mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ("03a01Fa", "03a01Nc", "08a02Wa", "08b01Tb"):
        sf.write(root / "wav" / f"{name}.wav", random.normal(0, 0.1, 16000), 16000)
    return root


def command(emodb, tmp_path, *more: str) -> list[str]:
    options = ["--corpus", "emodb", "--root", str(emodb), "--cache", str(tmp_path / "cache")]
    return ["features", *options, *more]


def test_summary_as_json(emodb, tmp_path, capsys):
    assert main(command(emodb, tmp_path, "--json")) == 0
    first = json.loads(capsys.readouterr().out)
    assert first["utterances"] == first["computed"] == 4 and first["preset"] == "release"
    assert first["hours"] == pytest.approx(4 / 3600)
    assert first["frames"] == {"mfcc": 4 * 98, "s1": 4 * 63, "s2": 4 * 32}
    assert first["real_time_factor"] > 0 and first["cache_bytes"] > 200_000
    assert str(tmp_path / "cache") in first["cache"]
    assert main(command(emodb, tmp_path, "--json")) == 0
    second = json.loads(capsys.readouterr().out)
    assert second["computed"] == 0 and second["content_hash"] == first["content_hash"]


def test_summary_for_people_and_pack(emodb, tmp_path, capsys):
    pack = tmp_path / "pack"
    assert main(command(emodb, tmp_path, "--preset", "paper", "--out", str(pack))) == 0
    text = capsys.readouterr().out
    assert "4 computed" in text and "times real time" in text and str(pack) in text
    assert "features of emodb" not in text, "the progress bar goes to standard error"
    assert len(load_pack(pack)) == 4 and load_pack(pack).preset.name == "paper"
    assert main(command(emodb, tmp_path, "--preset", "paper")) == 0
    assert "all in the cache" in capsys.readouterr().out


def test_bad_file_stops_unless_skipped(emodb, tmp_path, capsys):
    bad = emodb / "wav" / "08a02Wa.wav"
    bad.write_bytes(bad.read_bytes()[:5000])
    assert main(command(emodb, tmp_path)) == 2
    errors = capsys.readouterr().err
    assert "08a02Wa.wav" in errors and "--skip-bad" in errors and "Traceback" not in errors
    assert main(command(emodb, tmp_path, "--skip-bad")) == 0
    text = capsys.readouterr().out
    assert "utterances  3" in text and "left out    1" in text and "cut off" in text


def test_missing_folder_and_unknown_corpus(tmp_path, capsys):
    assert main(command(tmp_path / "nowhere", tmp_path)) == 2
    assert "nowhere" in capsys.readouterr().err
    assert main(["features", "--corpus", "edomb", "--cache", str(tmp_path)]) == 2
    assert "edomb" in capsys.readouterr().err


def test_help_teaches(capsys):
    with pytest.raises(SystemExit) as caught:
        build_parser("features").parse_args(["features", "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for word in ("--preset", "--out", "--skip-bad", "examples:", "release", "paper", "SER_CACHE"):
        assert word in text
