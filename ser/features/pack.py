"""A folder that holds everything training needs of a corpus, without its audio.

``meta.json`` is the table with the name, licence and citation of the corpus, the preset, each row's
key and a digest of all this; beside it is a cache of the features. Both are checked when a pack is
loaded: a damaged one is an error, and stays as it is, for it may be the only copy. It is read
without soundfile, soxr, librosa or opensmile: made where the corpus is, used where the GPU is. The
owners' licence goes with it; features of a restricted corpus are restricted too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from ser.errors import FeatureError
from ser.features.cache import FeatureStore, open_store
from ser.features.compute import TASK
from ser.features.extract import parameters
from ser.features.presets import Preset
from ser.features.prosody import PARAMETERS
from ser.features.table import Features
from ser.paths import atomic_write, sealed, unseal

PACK_FORMAT = 3
META = "meta.json"
MAKE = "make it anew where the audio is (`ser features --out`)"
ANEW = f"copy the pack again, or {MAKE}"


def save_pack(features: Features, folder: str | os.PathLike) -> Path:
    """Write *features* as a self-contained pack.

    Args:
        features: what ``extract`` returned.
        folder: made if absent; keys a pack there already holds are not written again.

    Returns:
        The folder.

    Raises:
        FeatureError: the folder holds something else, a pack of another corpus or with other
            settings, or cannot be written.

    Example:
        >>> save_pack(extract(corpus), "packs/emodb")            # doctest: +SKIP
    """
    folder = Path(folder)
    meta = check_folder(folder, features.corpus, features.preset)
    if (old := _meta(folder)) and not set(old["keys"]) & set(features.keys):
        raise FeatureError(
            f"{folder}: holds a pack of other recordings ({len(set(old['keys']))}, none of them "
            "among these); name a new folder"
        )
    _copy(features.store, folder, meta["parameters"], features.keys)
    if features.prosody_store is not None:
        meta["prosody"] = PARAMETERS
        _copy(features.prosody_store, folder, meta["prosody"], features.keys)
    table = features.table.drop(columns="path")
    meta["keys"] = features.keys
    meta["types"] = {column: str(kind) for column, kind in table.dtypes.items()}
    meta["table"] = {c: [None if v != v else v for v in table[c].tolist()] for c in table}
    try:
        with atomic_write(folder / META, "w") as stream:
            stream.write(sealed(meta))
    except OSError as error:
        raise FeatureError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def _copy(source: FeatureStore, folder: Path, made: dict, keys: Sequence[str]) -> None:
    """Write what the cache in *folder* lacks of *keys*."""
    store = open_store(made, folder)
    store.check(keys)
    store.throw_away()
    missing = [key for key in dict.fromkeys(keys) if key not in store.entries]
    for i in range(0, len(missing), TASK):
        part = missing[i : i + TASK]
        store.write({key: (source.read(key), source.entries[key].samples) for key in part})


def check_folder(folder: str | os.PathLike, corpus: dict, preset: Preset) -> dict:
    """Whether a pack of *corpus* may be written to *folder*, before anything is computed.

    Args:
        folder: need not exist.
        corpus: as in ``Features.corpus``.
        preset: of the features.

    Returns:
        What ``meta.json`` will say of both.

    Raises:
        FeatureError: the folder holds something else, or a pack of another corpus or preset.
    """
    meta = {
        "format": PACK_FORMAT,
        "corpus": corpus,
        "preset": asdict(preset),
        "parameters": parameters(preset),
    }
    if (old := _meta(Path(folder))) and _kind(old) != _kind(meta):
        name, preset, *_ = _kind(old)
        other = ", of another version of ser" if _kind(meta)[:2] == [name, preset] else ""
        raise FeatureError(
            f"{folder}: holds a pack of {name}, preset {preset}{other}; name a new folder"
        )
    return meta


def _kind(meta: dict) -> list:
    """What two packs must share for one to be written over the other."""
    corpus, preset = meta["corpus"], meta["preset"]
    name, emotions = corpus["name"], ", ".join(corpus.get("emotions", ()))
    named = f"{name} ({emotions})" if emotions else name
    return [named, preset["name"], meta["format"], meta.get("parameters")]


def _meta(folder: Path) -> dict | None:
    """The ``meta.json`` of a pack there; None where the folder is absent, empty or left unfinished.

    Raises:
        FeatureError: the folder holds something else.
    """
    try:
        found = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
        if found <= {"features"}:
            return None
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        _kind(meta)
    except FileNotFoundError:
        if not folder.exists():
            return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    else:
        return meta
    raise FeatureError(f"{folder}: is not empty and not a pack; name a new folder")


def load_pack(folder: str | os.PathLike) -> Features:
    """Read a pack that :func:`save_pack` wrote.

    Args:
        folder: of the pack.

    Returns:
        Features, as ``extract`` returns them; ``table.path`` is empty: the audio is not there.

    Raises:
        FeatureError: no pack, of another version of this package, or with parts missing or
            changed.

    Example:
        >>> features = load_pack("packs/emodb")                  # doctest: +SKIP
    """
    folder = Path(folder)
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        if not unseal(meta):
            raise ValueError("its digest is missing: damaged or edited")
        if meta["format"] != PACK_FORMAT:
            raise FeatureError(
                f"{folder}: a pack of format {meta['format']}, of another version of ser; {MAKE}"
            )
        name, n_fft, frames = (meta["preset"][part] for part in ("name", "n_fft", "frames"))
        preset = Preset(name, tuple(n_fft), frames and tuple(frames))
        table, keys = pd.DataFrame(meta["table"]).astype(meta["types"]), meta["keys"]
    except FeatureError:
        raise
    except FileNotFoundError as error:
        raise FeatureError(
            f"{folder}: not a pack of features ({META} is missing); name the folder that "
            "`ser features --out` made, or copy it again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FeatureError(f"{folder / META}: not a pack of features ({error}); {ANEW}") from error
    prosody = meta.get("prosody")
    if (meta["parameters"], prosody or PARAMETERS) != (parameters(preset), PARAMETERS):
        raise FeatureError(
            f"{folder}: this version of ser makes other features than it holds; {MAKE}"
        )
    table.insert(1, "path", "")
    store = _whole(folder, meta["parameters"], keys)
    frames = _whole(folder, prosody, keys) if prosody else None
    return Features(table, keys, preset, store, meta["corpus"], prosody_store=frames)


def _whole(folder: Path, made: dict, keys: Sequence[str]) -> FeatureStore:
    """The features of a pack that were made so; FeatureError where one of *keys* lacks them."""
    store = open_store(made, folder)
    store.check(keys)
    absent = sum(key not in store.entries for key in keys)
    if absent:
        reasons = "".join(f"; {name}: {why}" for name, why in [*store.damaged.items()][:3])
        raise FeatureError(
            f"{folder}: features of {absent} of {len(keys)} utterances are missing or damaged"
            f"{reasons}; {ANEW}"
        )
    return store
