"""What kinds of values the parts of a record are, checked before anything reads them.

A file that is whole JSON can still be damaged or edited by hand; said here, it is one line that
names the part, and not a traceback from wherever that part is first used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_NONE = type(None)

KINDS: dict[str, tuple[type, ...]] = {
    "schema": (int,),
    "id": (str,),
    "fingerprint": (str,),
    "command": (str, _NONE),
    "corpus": (dict,),
    "corpus.name": (str,),
    "corpus.content_hash": (str,),
    "test_corpus": (dict, _NONE),
    "test_corpus.name": (str,),
    "test_corpus.content_hash": (str,),
    "protocol": (dict,),
    "protocol.name": (str,),
    "protocol.fold": (str,),
    "protocol.folds": (int,),
    "protocol.hash": (str,),
    "protocol.dev": (int,),
    "protocol.leak": (dict, _NONE),
    "protocol.leak_told": (str, _NONE),
    "preset": (str, _NONE),
    "model": (str,),
    "seed": (int,),
    "device": (str, _NONE),
    "config": (dict, _NONE),
    "parameters": (int, _NONE),
    "test": (dict,),
    "test.utterances": (list,),
    "test.speakers": (list, dict),
    "test.labels": (list,),
    "history": (list,),
    "dev_labels": (list,),
    "selection": (dict,),
    "epoch_logits": (dict,),
    "fused_from": (list, _NONE),
}
"""Part of a record -> what it may be, where it is there at all."""

_WORDS = {dict: "an object", list: "a list", str: "text", int: "a whole number", _NONE: "null"}


def check_shape(record: Mapping[str, Any]) -> None:
    """Look at every part named in :data:`KINDS` that *record* has.

    Raises:
        ValueError: a part of another kind; the message names it.

    Example:
        >>> check_shape({"schema": 2, "preset": ["release"]})
        Traceback (most recent call last):
        ...
        ValueError: 'preset' is a list, not text or null
    """
    for name, kinds in KINDS.items():
        holder: Any = record
        *outer, last = name.split(".")
        for part in outer:
            holder = holder.get(part)
        if not isinstance(holder, Mapping) or last not in holder:
            continue
        value = holder[last]
        if not isinstance(value, kinds) or isinstance(value, bool):
            wanted = " or ".join(_WORDS[kind] for kind in kinds)
            found = _WORDS.get(type(value), repr(value))
            raise ValueError(f"{name!r} is {found}, not {wanted}")
    for name in ("history", "selection"):
        parts = record.get(name) or []
        for entry in parts.values() if isinstance(parts, dict) else parts:
            if not isinstance(entry, dict | _NONE):
                raise ValueError(f"{name!r} holds {entry!r:.40} where an object belongs")
    for kind, count in ((record.get("protocol") or {}).get("leak") or {}).items():
        if type(count) is not int:
            raise ValueError(f"'protocol.leak' has {count!r:.40} as its number of {kind}")
