"""Which utterances share a training batch, and in which order batches come.

Everything here follows from the seed and the number of the epoch, so that a resumed run has the
batches of an undisturbed one. Book: "Training on a GPU".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ser.errors import TrainingError
from ser.training.config import derived_seed

if TYPE_CHECKING:
    from ser.training.loop import Data

SHAKE = 0.05
"""Share by which lengths are shaken before similar ones are put together."""


def epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    """The order of *n* utterances in *epoch*; depends on nothing else.

    >>> sorted(epoch_order(5, seed=0, epoch=1).tolist())
    [0, 1, 2, 3, 4]
    """
    return np.random.default_rng(derived_seed("order", seed, epoch)).permutation(n)


def batches(order: np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Cut *order* into pieces of *size*; a last piece of one joins the piece before it.

    Batch norm cannot take the statistics of one utterance; the release crashes there.

    >>> [len(b) for b in batches(np.arange(9), 4)]
    [4, 5]
    """
    cuts = list(range(size, len(order), size))
    if cuts and len(order) - cuts[-1] == 1:
        cuts.pop()
    yield from np.split(order, cuts)


def epoch_batches(
    data: Data, size: int, seed: int, epoch: int, kind: str = "shuffled"
) -> list[np.ndarray]:
    """Positions of the utterances of every training batch of *epoch*, in order.

    A padded batch costs as many steps as its longest sequence has. ``similar`` sorts the shuffled
    utterances by length, each length shaken by up to 5 % so that no two epochs have the same
    batches, cuts, and shuffles the batches (bucketing; Khomenko et al. 2017). Where no utterance
    has a length of its own (spectrograms squashed to fixed frames), both are the same.

    ``balanced`` draws speakers by turns, and for each speaker the classes by turns
    (:func:`balanced_order`): an epoch has as many steps as otherwise, but not each utterance once.

    Args:
        data: the training side.
        size: utterances a batch.
        seed, epoch: decide the order, with the lengths, or speakers and labels, and nothing else.
        kind: ``shuffled``, ``similar`` or ``balanced``.

    Raises:
        TrainingError: ``balanced``, and nobody says who speaks.

    Example:
        >>> class Corpus:
        ...     lengths = np.array([100, 900, 120, 800])
        ...     def __len__(self): return 4
        >>> pairs = epoch_batches(Corpus(), 2, seed=0, epoch=1, kind="similar")
        >>> sorted(sorted(pair.tolist()) for pair in pairs)
        [[0, 2], [1, 3]]
    """
    if kind == "balanced":
        speakers = getattr(data, "speakers", None)
        if speakers is None:
            raise TrainingError(
                "balanced batches need to know who speaks: give the data speakers "
                "(ser.batch.Dataset), or train with batches 'shuffled'"
            )
        labels = np.asarray(data.labels.cpu())
        return list(batches(balanced_order(np.asarray(speakers.cpu()), labels, seed, epoch), size))
    order = epoch_order(len(data), seed, epoch)
    lengths = getattr(data, "lengths", None)
    if kind != "similar" or lengths is None:
        return list(batches(order, size))
    draw = np.random.default_rng(derived_seed("batches", seed, epoch))
    shaken = np.asarray(lengths)[order] * (1 + SHAKE * draw.uniform(-1, 1, len(order)))
    parts = list(batches(order[np.argsort(shaken, kind="stable")], size))
    return [parts[i] for i in draw.permutation(len(parts))]


def balanced_order(speakers: np.ndarray, labels: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """As many positions as there are utterances, speakers and their classes by turns.

    Of any so many positions one after another each speaker has an equal share, to one utterance;
    so has each class of a speaker. The utterances of a speaker and class come in an order drawn
    anew whenever all of them were heard: those of a speaker who said much come in some epochs,
    those of one who said little twice in an epoch.

    Args:
        speakers, labels: (utterances,) numbers of speaker and class.
        seed, epoch: of the order.

    Example:
        >>> who = np.array([0, 0, 0, 0, 0, 0, 1, 1])
        >>> order = balanced_order(who, np.array([0, 0, 0, 0, 0, 1, 0, 1]), seed=0, epoch=1)
        >>> np.bincount(who[order]).tolist()
        [4, 4]
    """
    draw = np.random.default_rng(derived_seed("balanced", seed, epoch))

    def turns(things: list) -> Iterator:
        """The things without end, in an order drawn anew in each round."""
        while True:
            yield from (things[i] for i in draw.permutation(len(things)))

    def of_speaker(who: int) -> Iterator[int]:
        """A speaker's utterances without end, its emotions in turns."""
        own = speakers == who
        cells = {c: turns(np.flatnonzero(own & (labels == c)).tolist()) for c in set(labels[own])}
        for one in turns(sorted(cells)):
            yield next(cells[one])

    names = sorted(set(speakers.tolist()))
    said = {who: of_speaker(who) for who in names}
    turn = turns(names)
    return np.array([next(said[next(turn)]) for _ in range(len(speakers))], dtype=int)
