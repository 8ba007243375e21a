"""What the chapter's tables and figures show, in sentences. Book: chapter "Ablations"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from ser.metrics import Paired

from chapters.shared.seen import Seen, seen

__all__ = ["live_words", "loss_words", "power_words", "sign_words", "size_words", "speaker_words"]


def size_words(first: int, second: int) -> Seen:
    """By how much the DS-LSTM is larger than two LSTMs, in parameters."""
    more = 100 * (first / second - 1)
    return seen(
        f"At the released size the DS-LSTM has {first:,} parameters and the two LSTMs have "
        f"{second:,}: the new cell comes with {more:.0f} % more. Two changes stand behind one "
        "difference."
    )


def live_words(pair: Paired) -> Seen:
    """The difference of the two rows of the small grid."""
    gap, low, high = (100 * v for v in (pair.ua_difference, pair.ua_low, pair.ua_high))
    settled = "does not settle it" if low <= 0 <= high else "leaves zero out"
    return seen(
        f"The DS-LSTM scores {100 * pair.ua_a:.1f} % and the two LSTMs {100 * pair.ua_b:.1f} %: "
        f"a difference of {gap:+.1f} points, and an interval over {pair.speakers} speakers from "
        f"{low:+.1f} to {high:+.1f}, which {settled} (UA, last epoch, unseen speakers, one seed)."
    )


def loss_words(whole: float, knife: pd.DataFrame) -> Seen:
    """What the network scores without each input, over all stand-ins.

    Args:
        whole: UA of the intact network, percent.
        knife: stand-ins × inputs that are replaced, UA in percent.
    """
    told = [
        f"{side} {knife[side].min():.0f} to {knife[side].max():.0f} %, as the stand-in is chosen"
        for side in knife
    ]
    return seen(f"Intact, the network scores {whole:.0f} %; {'; '.join(told)}.")


def sign_words(d: pd.Series, p: float) -> Seen:
    """A difference over speakers, its p-value, and the smallest one there can be."""
    return seen(
        f"DS-LSTM minus two LSTMs on EmoDB: {d.mean():+.1f} points, p = {p:.3f}; "
        f"{(d > 0).sum()} of {len(d)} speakers gain. {len(d)} speakers have {2 ** len(d)} patterns "
        f"of signs, so no p can be below {2 / 2 ** len(d):.4f}, however large the difference."
    )


def power_words(
    counts: Sequence[int], curves: Mapping[int, Sequence[float]], need: Mapping[int, int]
) -> Seen:
    """What ten speakers find, and how many find more often.

    Args:
        counts: numbers of speakers, 10 among them.
        curves: true gain, points -> chance at each count.
        need: true gain, points -> speakers for a chance of 80 %, by the formula.
    """
    at = list(counts).index(10)
    found = ", ".join(f"of {g} points in {100 * c[at]:.0f} %" for g, c in curves.items())
    wanted = ", ".join(f"{n} speakers for {g} points" for g, n in need.items() if n >= 20)
    return seen(
        f"With 10 speakers the test finds a true gain {found} of the tries. By the formula, "
        f"a chance of 80 % takes {wanted or 'fewer than 20 speakers for each'}."
    )


def speaker_words(each: pd.DataFrame) -> Seen:
    """For how many speakers each part gains and loses, and how much one of them carries."""
    told = [
        f"the {name} helps {(v > 0).sum()} speakers and costs {(v < 0).sum()}"
        for name, v in each.items()
    ]
    name, values = next(iter(each.items()))
    top = values.abs().idxmax()
    text, rest = "; ".join(told), values.drop(top).mean()
    return seen(
        f"{text[0].upper()}{text[1:]}. One person moves a mean: that of the {name} is "
        f"{values.mean():+.1f} points with speaker {top} and {rest:+.1f} without."
    )
