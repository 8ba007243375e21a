"""A few numbers an utterance, for baselines: what their two sets share, reading and cache.

Nothing here needs PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ser.features.cache import open_store
from ser.features.fill import fill

if TYPE_CHECKING:
    from ser.corpora.base import Corpus


@dataclass(frozen=True)
class UtteranceValues:
    """Numbers of every utterance whose sound can be read.

    Attributes:
        table: the utterances, as in the corpus, less those left out.
        keys: content hash of each row's audio, as in :class:`ser.features.Features`.
        samples: int64 (utterances,) at 16 kHz.
        values: float32 (utterances, numbers).
    """

    table: pd.DataFrame
    keys: list[str]
    samples: np.ndarray
    values: np.ndarray


def utterance_values(
    corpus: Corpus | pd.DataFrame,
    parameters: dict,
    compute: Callable[[list[np.ndarray]], list[list[np.ndarray]]],
    cache: str | Path | None = None,
    progress: bool = True,
    skip_bad: bool = False,
    task: int = 16,
) -> UtteranceValues:
    """Numbers of every utterance, from the cache where it has them.

    Args:
        corpus: a corpus, or a table with columns path, start, seconds, segment.
        parameters: what the numbers depend on besides the audio.
        compute: waveforms (samples,) -> for each a list of one array (numbers,).
        cache: folder of the cache; None: ``$SER_CACHE`` or the user's cache folder.
        progress: show a progress bar.
        skip_bad: leave utterances out whose audio cannot be read; else they are an error.
        task: utterances a thread takes at a time.

    Raises:
        FeatureError: audio that cannot be read, or a cache that cannot be written.
    """
    table = corpus if isinstance(corpus, pd.DataFrame) else corpus.table
    store = open_store(parameters, cache)
    done = fill(
        store,
        table,
        compute,
        name=getattr(corpus, "name", "the corpus"),
        check=getattr(corpus, "check_command", ""),
        task=task,
        progress=progress,
        skip_bad=skip_bad,
    )
    rows = [i for i, key in enumerate(done.keys) if key is not None]
    keys = [done.keys[i] for i in rows]
    values = [store.read(key)[0] for key in keys]
    return UtteranceValues(
        table=table.iloc[rows].reset_index(drop=True),
        keys=keys,
        samples=np.array([store.entry(key).samples for key in keys], dtype=np.int64),
        values=np.array(values, dtype=np.float32).reshape(len(keys), -1),
    )
