"""How far the best of several tries rises above each of them, by chance alone.

Choosing the epoch or the seed on the test data takes a maximum over noisy scores, and a maximum
is too high even where no try is better than another. Book: "The protocol laboratory".
"""

from __future__ import annotations

import numpy as np
from scipy.stats import binom


def expected_best(tries: int, utterances: int, accuracy: float = 0.25) -> float:
    """Expected highest score of independent tries that are all equally good.

    Each of k tries answers n utterances and is right with probability p on each, so its number of
    right answers X is binomial, and with F its distribution function

        E[max] / n = 1/n * sum over x = 0..n-1 of (1 - F(x)^k).

    Args:
        tries: k, how many scores the best is taken of (epochs, seeds, settings).
        utterances: n, on the test side that chooses.
        accuracy: p, what every try is worth; a quarter is guessing among four classes.

    Returns:
        The expected best accuracy, a fraction of 1; ``accuracy`` itself for one try.

    Raises:
        ValueError: no tries, no utterances, or an accuracy outside 0..1.

    Example:
        >>> expected_best(1, 34)
        0.25
        >>> round(expected_best(15, 34), 3), round(expected_best(15, 340), 3)
        (0.383, 0.291)
    """
    if tries < 1 or utterances < 1 or not 0 <= accuracy <= 1:
        raise ValueError(
            f"tries and utterances are at least 1 and accuracy is in 0..1, not {tries}, "
            f"{utterances}, {accuracy}"
        )
    if tries == 1:
        return float(accuracy)
    below = binom.cdf(np.arange(utterances), utterances, accuracy)
    return float((1 - below**tries).sum() / utterances)


def known_speaker_accuracy(distance: float, speaker_sd: float, rest_sd: float) -> tuple[float, ...]:
    """Best accuracy of two classes for a known and for an unknown speaker, in the smallest model.

    One number is measured: x = m + u + e, with class means a distance d apart, a speaker's own
    offset u of standard deviation s_u, and the rest e of standard deviation s_e, all normal. Who
    knows the offset can take it off: Phi(d / (2 s_e)). Who does not must live with both spreads:
    Phi(d / (2 sqrt(s_e^2 + s_u^2))).

    Args:
        distance: d, between the two class means, in any unit.
        speaker_sd: s_u, in the same unit; 0 makes the two equal.
        rest_sd: s_e, above 0.

    Returns:
        (known, unknown), fractions of 1.

    Raises:
        ValueError: a negative spread, or no spread of the rest.

    Example:
        >>> [round(a, 3) for a in known_speaker_accuracy(2.0, 1.0, 1.0)]
        [0.841, 0.76]
    """
    from scipy.stats import norm

    if speaker_sd < 0 or rest_sd <= 0:
        raise ValueError(
            f"spreads are not negative, the rest's is above 0: {speaker_sd}, {rest_sd}"
        )
    spreads = (rest_sd, float(np.hypot(rest_sd, speaker_sd)))
    return tuple(float(norm.cdf(distance / (2 * s))) for s in spreads)
