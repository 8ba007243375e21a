"""Speech emotion recognition with the Dual-Sequence LSTM, as the book *opens it up*.

The way of an utterance: corpus table -> split -> features -> batch -> model -> logits ->
record -> metric -> figure. Names below are loaded on first use, so ``import ser`` is quick.
"""

from __future__ import annotations

import importlib
from typing import Any

from ser.threads import tune_threads

__version__ = "0.1.0"

_WHERE = {
    "load_corpus": "ser.corpora",
    "Corpus": "ser.corpora",
    "load_audio": "ser.audio",
    "mfcc39": "ser.features",
    "mel_pair": "ser.features",
    "DSLSTMCell": "ser.nn",
    "DSLSTM": "ser.nn",
    "build_model": "ser.models",
    "split": "ser.protocols",
    "RunConfig": "ser.experiments",
    "run": "ser.experiments",
    "predict": "ser.prediction",
    "SerError": "ser.errors",
}

__all__ = ["__version__", *_WHERE]

tune_threads()


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'ser' has no attribute {name!r}")
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
