"""Effect sizes against formulas written out, and where they are not defined."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from chapters.prosody.effects import effect_table, from_own_mean


@pytest.fixture
def table() -> pd.DataFrame:
    random = np.random.default_rng(0)
    rows = [
        (f"s{s}", emotion, 5.0 * s + shift + random.normal())
        for s in range(6)
        for emotion, shift in (("angry", 2.0), ("neutral", 0.0), ("sad", -1.0))
        for _ in range(8 + s)
    ]
    return pd.DataFrame(rows, columns=["speaker", "emotion", "x"])


def by_hand(table: pd.DataFrame, values: pd.Series) -> tuple[float, float]:
    """d of angry against neutral, and eta squared."""
    a, n = (values[table.emotion == e] for e in ("angry", "neutral"))
    pooled = ((len(a) - 1) * a.var() + (len(n) - 1) * n.var()) / (len(a) + len(n) - 2)
    groups = [values[table.emotion == e] for e in ("angry", "neutral", "sad")]
    between = sum(len(g) * (g.mean() - values.mean()) ** 2 for g in groups)
    d = (a.mean() - n.mean()) / np.sqrt(pooled)
    return d, between / ((values - values.mean()) ** 2).sum()


@pytest.mark.parametrize("own_mean", [True, False])
def test_equal_to_the_formulas(table, own_mean):
    values = from_own_mean(table, "x") if own_mean else table.x
    effects = effect_table(table, ["x"], own_mean=own_mean).set_index("effect")
    d, eta = by_hand(table, values)
    assert effects.value["angry"] == pytest.approx(d)
    assert effects.value["eta2"] == pytest.approx(eta)
    assert list(effects.index) == ["angry", "sad", "eta2"]
    assert effects.n["eta2"] == len(table)


def test_intervals_hold_the_value_and_repeat(table):
    effects = effect_table(table, ["x"])
    assert (effects.low < effects.value).all() and (effects.value < effects.high).all()
    pd.testing.assert_frame_equal(effects, effect_table(table, ["x"]))


def test_taking_off_the_mean_takes_speakers_out(table):
    raw, own = (effect_table(table, ["x"], own_mean=o).iloc[-1].value for o in (False, True))
    assert raw < 0.1 < 0.5 < own


def test_unequal_numbers_do_not_move_the_own_mean():
    table = pd.DataFrame(
        {"speaker": "a", "emotion": ["angry", "angry", "angry", "sad"], "x": [2.0, 2.0, 2.0, 0.0]}
    )
    assert from_own_mean(table, "x").tolist() == [1, 1, 1, -1]


def test_missing_values_are_left_out(table):
    holes = table.copy()
    holes.loc[[0, 20], "x"] = [np.nan, -np.inf]
    kept = table.drop([0, 20]).reset_index(drop=True)
    for own_mean in (True, False):
        pd.testing.assert_frame_equal(
            effect_table(holes, ["x"], own_mean=own_mean),
            effect_table(kept, ["x"], own_mean=own_mean),
        )


def test_not_defined_is_nan():
    table = pd.DataFrame({"speaker": ["a"] * 4, "emotion": ["sad", "neutral"] * 2, "x": 1.0})
    effects = effect_table(table.assign(y=[1, 2, 3, 5], z=np.nan), ["x", "y", "z"])
    effects = effects.set_index(["cue", "effect"])
    assert effects.loc[["x", "z"], ["value", "low", "high"]].isna().all(axis=None)
    assert np.isfinite(effects.value["y", "sad"])
    assert effects.loc["y", ["low", "high"]].isna().all(axis=None), "one speaker: no interval"


def test_the_reference_may_be_absent_but_not_the_emotions(table):
    calm = table[table.emotion != "neutral"]
    assert list(effect_table(calm, ["x"]).effect) == ["sad", "eta2"]
    with pytest.raises(ValueError, match="no utterance"):
        effect_table(table.assign(emotion="bored"), ["x"])
    with pytest.raises(ValueError, match="no column y"):
        effect_table(table, ["y"])
