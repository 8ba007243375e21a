"""Trained networks on disk: safetensors and JSON, nothing that needs unpickling.

A model's folder holds ``model.json`` (row, preset, what it was trained on, the SHA-256 of the
weights and a digest of itself) and one ``<branch>.safetensors`` for each branch: a fused row has
several, any other row one.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from ser.corpora.base import EMOTIONS
from ser.errors import ModelError
from ser.paths import atomic_write, sealed, unseal
from ser.rows import ROWS

if TYPE_CHECKING:
    import torch

    from ser.normalise import Scale

FORMAT = 2
"""Of the descriptions that are written; those of 1 have no digest of themselves."""

DESCRIPTION = "model.json"
ANEW = (
    "a finished run is not trained again, so delete the records (OUT/records.parquet), or choose "
    "another --out, and give the 'ser run' command once more, without --no-models"
)
COPY = f"copy the whole folder again, or train it anew: {ANEW}"
KINDS: dict[str, tuple[type, ...]] = {
    "row": (str,),
    "preset": (str,),
    "frames": (str,),
    "hidden": (int,),
    "normalise": (str,),
    "clip_z": (float, int),
    "options": (dict,),
    "emotions": (list,),
    "branches": (dict,),
    "trained_on": (dict,),
    "trained_on.corpus": (str,),
    "trained_on.licence": (str,),
    "trained_on.utterances": (int,),
    "trained_on.speakers": (list,),
    "trained_on.seconds": (list,),
    "trained_on.protocol": (str,),
    "trained_on.fold": (str,),
    "trained_on.tested_on": (str,),
    "trained_on.epochs": (int,),
    "trained_on.test_ua": (float, int, type(None)),
}
"""What a description tells -> of which kind it is."""

SCALE = "normalise/"
"""Where in a branch's file the mean and deviation of its inputs are, if it needs them."""


def save_model(
    folder: Path,
    model: torch.nn.Module,
    settings: dict,
    trained_on: dict,
    scale: Scale | None = None,
) -> None:
    """Write a trained network, what builds it again and the story of its training.

    Args:
        folder: where; made if need be.
        model: of :func:`ser.models.build_model`.
        settings: ``row``, ``preset``, ``frames``, ``hidden``, ``normalise``, ``options``,
            ``emotions`` (the classes, in the order of logits; without: the usual four) and, where
            features are clipped, ``clip_z``, as :data:`KINDS` names them.
        trained_on: as there, under ``trained_on``, and whatever else is to be told.
        scale: mean and deviation of its inputs, for normalisation ``train`` and ``running``.
    """
    import torch
    from safetensors.torch import save

    parts = dict(zip(model.names, model.parts, strict=True))
    digests = {}
    for row, part in parts.items():
        tensors = {k: v.detach().cpu().contiguous() for k, v in part.state_dict().items()}
        for name in part.needs if scale else ():
            for kind, values in zip(("mean", "deviation"), scale[name], strict=True):
                tensors[f"{SCALE}{name}/{kind}"] = torch.from_numpy(values)
        data = save(tensors)
        with atomic_write(folder / _file(row)) as stream:
            stream.write(data)
        digests[row] = hashlib.sha256(data).hexdigest()
    _describe(folder, settings, digests, trained_on)


def fuse_models(folder: Path, sources: dict[str, Path], settings: dict, scores: dict) -> None:
    """Make the folder of a fused row from its branches' folders, where these were kept.

    Args:
        folder: where.
        sources: branch -> its folder.
        settings: as for :func:`save_model`.
        scores: ``test_ua`` and ``test_wa`` of the fused answers.
    """
    if not all((s / DESCRIPTION).exists() for s in sources.values()):
        return
    digests, trained_on = {}, {}
    for branch, source in sources.items():
        told = read_description(source)
        digests[branch], trained_on = told["branches"][branch], told["trained_on"]
        data = _whole(source, branch, digests[branch])
        with atomic_write(folder / _file(branch)) as stream:
            stream.write(data)
    _describe(folder, settings, digests, trained_on | scores)


def _describe(folder: Path, settings: dict, digests: dict[str, str], trained_on: dict) -> None:
    body = {
        "format": FORMAT,
        "emotions": list(EMOTIONS),
        **settings,
        "branches": digests,
        "trained_on": trained_on,
    }
    with atomic_write(folder / DESCRIPTION, "w") as stream:
        stream.write(sealed(body, indent=1))


def read_description(folder: Path) -> dict:
    """The ``model.json`` of *folder*.

    Raises:
        ModelError: no model there, several below it, or a description that cannot be read, was
            damaged, or lacks something.
    """
    path = _find(Path(folder))
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
        if body["format"] > FORMAT:
            raise ModelError(f"{path}: written by a later version of ser; update the package")
        if not unseal(body) and body["format"] > 1:
            raise ValueError("its digest is missing: damaged or edited")
        body = {"normalise": "none", "options": {}, "clip_z": 0.0} | body
        _check_kinds(body)
        emotions = body["emotions"]
        if not all(isinstance(e, str) and e for e in emotions) or len(emotions) < 2:
            raise ValueError(f"emotions is {emotions!r:.40}")
        if len(set(emotions)) < len(emotions) or not body["branches"]:
            raise ValueError("an emotion is named twice, or there is no branch")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if isinstance(error, ModelError):
            raise
        told = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise ModelError(f"{path}: not the description of a model ({told}); {COPY}") from error
    return body | {"folder": str(path.parent)}


def _check_kinds(body: dict) -> None:
    """KeyError or ValueError where *body* lacks a part, or one is of another kind."""
    for name, kinds in KINDS.items():
        holder, _, last = name.rpartition(".")
        place = body[holder] if holder else body
        if last not in place:
            raise KeyError(name)
        if not isinstance(place[last], kinds) or isinstance(place[last], bool):
            raise ValueError(f"{name} is {place[last]!r:.40}")
    seconds = body["trained_on"]["seconds"]
    if len(seconds) != 2 or not all(type(s) in (int, float) for s in seconds):
        raise ValueError(f"trained_on.seconds is {seconds!r:.40}")
    if not all(isinstance(digest, str) for digest in body["branches"].values()):
        raise ValueError("branches without digests")


def read_branch(folder: Path, row: str, digest: str) -> tuple[dict[str, torch.Tensor], Scale]:
    """One branch's weights, and the mean and deviation of its inputs (empty where there are none).

    Raises:
        ModelError: missing, not what the description's SHA-256 is of, not safetensors, or a mean
            without its deviation.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        tensors = load(_whole(folder, row, digest))
        weights = {k: v for k, v in tensors.items() if not k.startswith(SCALE)}
        names = {k.split("/")[1] for k in tensors if k.startswith(SCALE)}
        kinds = ("mean", "deviation")
        return weights, {
            n: tuple(tensors[f"{SCALE}{n}/{kind}"].numpy() for kind in kinds) for n in names
        }
    except (SafetensorError, KeyError) as error:
        fault = f"it lacks {error}" if isinstance(error, KeyError) else error
        raise ModelError(
            f"{Path(folder) / _file(row)}: not a model's weights ({fault}); {COPY}"
        ) from error


def _whole(folder: str | Path, row: str, digest: str) -> bytes:
    """The file of one branch; ModelError where it is not the one that *digest* is of."""
    path = Path(folder) / _file(row)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; {COPY}") from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise ModelError(f"{path}: not the file that {DESCRIPTION} describes; {COPY}")
    return data


def _file(row: str) -> str:
    name = Path(f"{row}.safetensors")
    if name.name != str(name):
        raise ModelError(f"{row!r} cannot be the name of a branch")
    return str(name)


def _find(folder: Path) -> Path:
    if folder.is_file():
        folder = folder.parent
    if (folder / DESCRIPTION).is_file():
        return folder / DESCRIPTION
    found = sorted(folder.rglob(DESCRIPTION)) if folder.is_dir() else []
    if len(found) == 1:
        return found[0]
    if not found:
        why = f"{DESCRIPTION} is missing"
        for name in (*folder.parts, *(os.listdir(folder) if folder.is_dir() else ())):
            if name in ROWS and ROWS[name].kind == "baseline":
                why = f"{name} is a baseline, no network"
        raise ModelError(
            f"{folder}: no trained model here ({why}). 'ser run' leaves one for each run under "
            f"OUT/models/ROW/ unless --no-models is given; {ANEW}"
        )
    names = "\n  ".join(str(f.parent) for f in found[:12])
    more = f"\n  and {len(found) - 12} more" if len(found) > 12 else ""
    raise ModelError(f"{folder}: {len(found)} models here; name one of them:\n  {names}{more}")
