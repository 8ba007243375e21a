"""A folder that holds everything training needs of a corpus, without its audio.

``table.csv`` (the utterances and their keys), ``meta.json`` (name, licence, citation, preset, and
digests of the table and of itself), ``shards/`` and, where prosody was asked for, ``prosody/``,
which are checked when it is loaded: a damaged
pack is an error, and stays as it is, for it may be the only copy. It is read without soundfile,
soxr, librosa or opensmile: made where the corpus is, used where the GPU is. The owners' licence
goes with it; features of a restricted corpus are restricted too.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ser.errors import FeatureError
from ser.features.cache import FeatureStore
from ser.features.extract import FEATURE_VERSION
from ser.features.presets import Preset
from ser.features.prosody import PARAMETERS
from ser.features.table import Features
from ser.paths import atomic_write, sealed, unseal

PACK_FORMAT = 2
"""Of the packs that are written; those of 1 have no digests, and are read unchecked."""

FIRST_VERSION = 3
"""Version of the features in packs that do not say it: there was no other when they were made."""

READABLE = (FIRST_VERSION, FEATURE_VERSION)
"""Versions of the features that a pack may hold. Those of 3 differ from today's by rounding alone
(MFCCs by less than 0.001, spectrograms by less than 0.02 dB), and a pack may be the only copy."""

COPY_AGAIN = "copy the pack again, or make it anew where the audio is (`ser features --out`)"

PROSODY = "prosody"
"""Folder of a pack in which the descriptors of :mod:`ser.features.prosody` are."""

KINDS = {"bool": bool, "int": int, "str": str}
"""Of the table's columns, as ``meta.json`` names them; ``float`` is read by Python, to the last
digit, which pandas' own reader does not promise in every version."""

_SHARD = 256
_SHARD_NUMBERS = 1 << 25


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
    meta["content_hash"] = features.content_hash
    _refuse_strangers(folder, features.keys)
    _copy(features.store, folder / "shards", features.keys)
    if features.prosody_store is not None:
        _copy(features.prosody_store, folder / PROSODY, features.keys)
        meta["prosody"] = PARAMETERS
    table = features.table.drop(columns="path").assign(key=features.keys)
    meta["kinds"] = {column: _kind(table[column]) for column in table}
    text = table.to_csv(index=False, lineterminator="\n").encode()
    meta["table"] = hashlib.sha256(text).hexdigest()
    try:
        with atomic_write(folder / "table.csv") as stream:
            stream.write(text)
        with atomic_write(folder / "meta.json", "w") as stream:
            stream.write(sealed(meta, indent=1))
    except OSError as error:
        raise FeatureError(f"cannot write {folder}: {error.strerror or error}") from error
    return folder


def _copy(source: FeatureStore, folder: Path, keys: Sequence[str]) -> None:
    """Write what the store in *folder* lacks of *keys*."""
    store = FeatureStore(folder)
    store.check(keys)
    store.throw_away()
    shard, numbers = {}, 0
    for key in dict.fromkeys(keys):
        entry = source.entry(key)
        if key in store:
            if store.entry(key).shapes != entry.shapes:
                raise FeatureError(
                    f"{folder.parent}: holds features with other settings; name a new folder"
                )
            continue
        if shard and (len(shard) >= _SHARD or numbers + entry.size > _SHARD_NUMBERS):
            store.write(shard)
            shard, numbers = {}, 0
        shard[key] = (source.read(key), entry.samples)
        numbers += entry.size
    store.write(shard)


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
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or _foreign(folder)):
        raise FeatureError(f"{folder}: is not empty and not a pack; name a new folder")
    meta = {
        "format": PACK_FORMAT,
        "features": FEATURE_VERSION,
        "corpus": corpus,
        "preset": {"name": preset.name, "n_fft": preset.n_fft, "frames": preset.frames},
    }
    _refuse_other(folder, meta)
    return meta


def load_pack(folder: str | os.PathLike) -> Features:
    """Read a pack that :func:`save_pack` wrote.

    Args:
        folder: of the pack.

    Returns:
        Features, as ``extract`` returns them; ``table.path`` is empty: the audio is not there.

    Raises:
        FeatureError: no pack, of another format or version of features, or with parts missing
            or changed.

    Example:
        >>> features = load_pack("packs/emodb")                  # doctest: +SKIP
    """
    folder = Path(folder)
    try:
        text = (folder / "meta.json").read_text(encoding="utf-8")
        meta = json.loads(text)
        if meta["format"] not in (1, PACK_FORMAT):
            raise FeatureError(f"{folder}: pack of format {meta['format']}, not {PACK_FORMAT}")
        if (version := meta.get("features", FIRST_VERSION)) not in READABLE:
            raise FeatureError(
                f"{folder}: its features are of version {version}, this version of ser "
                f"makes {FEATURE_VERSION}; `ser features --out` makes a pack anew"
            )
        _check_digests(folder, meta, text)
        table = _read_table(folder, meta["kinds"])
        preset = meta["preset"]
        frames = preset["frames"]
        preset = Preset(preset["name"], tuple(preset["n_fft"]), frames and tuple(frames))
    except FeatureError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FeatureError(
            f"{folder}: not a pack of features ({error}); `ser features --out` makes one"
        ) from error
    keys = table.pop("key").tolist()
    table.insert(1, "path", "")
    store, frames = _whole(folder, "shards", keys), None
    if (told := meta.get("prosody")) is not None:
        if told != PARAMETERS:
            raise FeatureError(f"{folder}: its prosody is {told}, this version of ser makes "
                f"{PARAMETERS}; `ser features --prosody --out` makes a pack anew")  # fmt: skip
        frames = _whole(folder, PROSODY, keys)
    features = Features(table, keys, preset, store, dict(meta["corpus"]), prosody_store=frames)
    bands = [shape[1] for shape in store.entry(keys[0]).shapes[1:3]] if keys else []
    if keys and bands != [n // 4 for n in preset.n_fft]:
        raise FeatureError(
            f"{folder}: its spectrograms have {bands} mel bands, which preset {preset.name} does "
            "not make; `ser features --out` makes a pack anew"
        )
    if features.content_hash != meta["content_hash"]:
        raise FeatureError(f"{folder}: table.csv does not fit meta.json; {COPY_AGAIN}")
    return features


def _whole(folder: Path, part: str, keys: Sequence[str]) -> FeatureStore:
    """The store in *part* of a pack; FeatureError where it lacks one of *keys*."""
    store = FeatureStore(folder / part)
    store.check(keys)
    absent = sum(key not in store for key in keys)
    if absent:
        reasons = "".join(f"; {name}.npy: {why}" for name, why in [*store.damaged.items()][:3])
        raise FeatureError(
            f"{folder}: features of {absent} of {len(keys)} utterances are missing or damaged"
            f"{reasons}; {COPY_AGAIN}"
        )
    return store


def _check_digests(folder: Path, meta: dict, text: str) -> None:
    try:
        if not unseal(meta, text):
            if meta["format"] == 1:
                return
            raise ValueError("its digest is missing: damaged or edited")
    except ValueError as error:
        raise FeatureError(f"{folder / 'meta.json'}: {error}; {COPY_AGAIN}") from None
    if hashlib.sha256((folder / "table.csv").read_bytes()).hexdigest() != meta["table"]:
        raise FeatureError(f"{folder}: table.csv does not fit meta.json; {COPY_AGAIN}")


def _read_table(folder: Path, kinds: dict[str, str]) -> pd.DataFrame:
    """``table.csv``, columns of the given kinds; an empty number is NaN, and nothing else is."""
    return pd.read_csv(
        folder / "table.csv",
        dtype={c: KINDS[kind] for c, kind in kinds.items() if kind != "float"},
        converters={c: _number for c, kind in kinds.items() if kind == "float"},
        keep_default_na=False,
        lineterminator="\n",  # pandas would end a row at a carriage return, which text may hold
    )


def _number(text: str) -> float:
    return float(text) if text else float("nan")


def _foreign(folder: Path) -> bool:
    """Whether it holds what is neither a pack nor what an interrupted one leaves."""
    names = {p.name for p in folder.iterdir() if not p.name.startswith(".")}
    if "meta.json" in names:
        return _meta(folder) is None
    return bool(names - {"shards", PROSODY, "table.csv"}) or names == {"table.csv"}


def _meta(folder: Path) -> dict | None:
    """The pack's ``meta.json``; None where there is none or it is something else."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    parts = ("format", "corpus", "preset", "content_hash")
    return meta if isinstance(meta, dict) and all(part in meta for part in parts) else None


def _refuse_other(folder: Path, new: dict) -> None:
    """A pack there is written over by one of the same corpus, preset and version alone."""
    old = _meta(folder)
    if old is None:
        return
    here, ours = _identity(old), _identity(json.loads(json.dumps(new)))
    if here != ours:
        name, preset, number = here
        preset = preset.get("name") if isinstance(preset, dict) else preset
        version = f", format {number}" if number != ours[2] else ""
        raise FeatureError(
            f"{folder}: holds a pack of {name}, preset {preset}{version}; name a new folder"
        )
    if (version := old.get("features", FIRST_VERSION)) != FEATURE_VERSION:
        raise FeatureError(
            f"{folder}: holds features of version {version}, these are of version "
            f"{FEATURE_VERSION}; name a new folder"
        )


def _identity(meta: dict) -> tuple:
    """Name of the corpus with its emotions where not the usual four, preset, format."""
    corpus = meta["corpus"]
    name = corpus.get("name") if isinstance(corpus, dict) else corpus
    if isinstance(corpus, dict) and corpus.get("emotions"):
        name = f"{name} ({', '.join(corpus['emotions'])})"
    return name, meta["preset"], meta["format"]


def _refuse_strangers(folder: Path, keys: Sequence[str]) -> None:
    """A pack without one recording of *keys* is another corpus's, whatever both are called."""
    if _meta(folder) is None:
        return
    try:
        before = set(_read_table(folder, {"key": "str"})["key"])
    except (OSError, ValueError, KeyError):
        return
    if before and before.isdisjoint(keys):
        raise FeatureError(
            f"{folder}: holds a pack of other recordings ({len(before)}, none of them among "
            "these); name a new folder"
        )


def _kind(column: pd.Series) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "bool"
    if pd.api.types.is_integer_dtype(column):
        return "int"
    return "float" if pd.api.types.is_float_dtype(column) else "str"
