"""What the chapter "Bring IEMOCAP, or your own voice" is made with."""

from __future__ import annotations

import numpy as np
import pandas as pd
from chapters.your_voice import as_your_own, moved_by, noisy, stand_in, telephone, terminal

from ser.corpora import EMOTIONS, load_corpus
from ser.loading import load_model


def test_clips_become_a_corpus_that_can_be_read(tiny_root, tmp_path):
    table = load_corpus("synthetic", tiny_root).table
    part = as_your_own(table, tmp_path, speakers=2, clips=1)
    assert part.speaker.nunique() == 2 and set(part.emotion) == set(EMOTIONS)
    read = load_corpus("manifest", tmp_path / "mine.csv").table
    assert sorted(read.emotion) == sorted(part.emotion) and len(read) == len(part)


def test_a_stand_in_is_read_as_iemocap(tiny_root, tmp_path):
    told = stand_in(tiny_root, tmp_path / "IEMOCAP")
    assert told and all(name.startswith("IEMOCAP/Session1/") for name in told)
    assert not any(name.endswith(".wav") for name in told)


def test_channels_change_what_they_say_and_nothing_else():
    wave = (0.1 * np.sin(2 * np.pi * 5000 * np.arange(32000) / 16000)).astype("f4")
    assert np.abs(telephone(wave)[1000:-1000]).max() < 0.005  # above the telephone's band
    noise = noisy(wave, 20) - wave
    assert abs(10 * np.log10(np.mean(wave**2) / np.mean(noise**2)) - 20) < 0.1


def test_what_moves_is_counted_against_the_first_channel():
    rng = np.random.default_rng(0)
    waves = [rng.normal(0, 0.05, 30000).astype("f4") for _ in range(2)]
    moved = moved_by({"as it is": lambda w: w, "again": lambda w: w.copy()}, waves, load_model())
    assert moved["same answer, %"].tolist() == [100, 100]
    assert set(moved["most frequent"]) <= set(EMOTIONS)
    assert isinstance(moved, pd.DataFrame) and moved["mean sureness, %"].between(25, 100).all()


def test_the_terminal_shows_the_command_and_no_folder(tmp_path, capsys):
    terminal(tmp_path)("ser predict nowhere.wav")
    told = capsys.readouterr().out
    assert told.startswith("$ ser predict nowhere.wav") and told.endswith("exit code: 2\n")
    assert str(tmp_path) not in told
