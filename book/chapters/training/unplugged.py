"""A training side that fails in the middle of an epoch (book: chapter "Training on a GPU")."""

from __future__ import annotations

from collections.abc import Sequence

from ser.batch import Batch, Dataset


class PowerCut(Exception):
    """Somebody tripped over the cable."""


class Unplugged:
    """A dataset that gives so many batches and then no more.

    Args:
        data: to take the batches from.
        batches_left: how many there are before the power is cut.

    Example:
        >>> Unplugged([1, 2, 3], 0).batch([0])
        Traceback (most recent call last):
        chapters.training.unplugged.PowerCut
    """

    def __init__(self, data: Dataset, batches_left: int) -> None:
        self.data, self.left = data, batches_left

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, part: Sequence[int]) -> Batch:
        """The next batch.

        Raises:
            PowerCut: there is none left.
        """
        if self.left == 0:
            raise PowerCut
        self.left -= 1
        return self.data.batch(part)
