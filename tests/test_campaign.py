"""The campaign of faults: its own oracles, and a small share of its cases."""

from __future__ import annotations

import pytest

from ser.errors import AudioError
from tools.campaign.pool import Wrong, judge
from tools.campaign.sounds import Sounds
from tools.campaign.trees import Trees

BAD = ("wrong", "traceback", "hang", "memory")


def raising(error):
    def check():
        raise error

    return lambda number: ("done", check)


@pytest.mark.parametrize(
    ("error", "verdict"),
    [(Wrong("short"), "wrong"), (AudioError("a.wav: cut"), "error"), (KeyError("x"), "traceback")],
)
def test_a_verdict_is_what_was_raised(error, verdict):
    assert judge(raising(error), 7).verdict == verdict


def test_a_sound_cut_short_without_a_word_is_wrong(monkeypatch):
    sounds = Sounds(0)
    case = next(n for n in range(0, 999, len(sounds.files)) if "behind" in sounds(n)[0])
    assert judge(sounds, case).verdict in ("right", "error")
    monkeypatch.setattr("tools.campaign.sounds.load_audio", lambda path: sounds.whole["wav"][:9000])
    assert judge(sounds, case).verdict == "wrong"


@pytest.mark.parametrize(("make", "cases"), [(Sounds, 120), (Trees, 24)])
def test_some_of_its_cases(make, cases):
    case = make(1)
    outcomes = [judge(case, number) for number in range(cases)]
    assert [o for o in outcomes if o.verdict in BAD] == []
    assert {o.verdict for o in outcomes} == {"right", "error"}
