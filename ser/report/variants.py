"""Runs of one row under other settings: what sets them apart from the row's usual runs.

Folders of a study hold ``cnn-lstm-pair`` with two hidden sizes, or ``dual`` with fixed and with
true lengths. Such runs share a row's name and are not the same experiment, so they must not be
pooled. Where runs of one row differ in such a setting, the unusual ones get a tag behind the
name: ``cnn-lstm-pair [hidden 260]``. Any other setting sets runs apart only where the same fold
and seed was run twice, with and without it. Runs with permuted labels are always tagged, and so
are baselines that were trained without the dev set.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from ser.report.record import Record

ALWAYS: tuple[str, ...] = ("frames", "hidden", "tuning", "ssl", "normalise", "clip_z")
"""Settings that set runs of a row apart even where no two of them are of one fold and seed."""

_OWN_WAY = frozenset({"seed", "permute", "leave_dev"})
"""Settings that are told in words of their own, or not at all."""

HELD_OUT = "dev held out"
"""Whether speakers of the training side were held out: not in the settings, but in the split."""


def setting(config: Mapping[str, Any], preset: str | None, name: str) -> Any:
    """A setting of a run; ``frames`` as ``fixed`` or ``true``, whatever the preset does.

    Example:
        >>> setting({"frames": "preset"}, "release", "frames"), setting({}, "release", "hidden")
        ('fixed', None)
    """
    value = config.get(name)
    if name == "frames" and value == "preset":
        from ser.features.presets import PRESETS

        known = PRESETS.get(preset or "")
        return value if known is None else "true" if known.frames is None else "fixed"
    return value


def tagged(records: Sequence[Record]) -> list[Record]:
    """The same records, those under unusual settings tagged.

    Within runs of one row (corpus, protocol, preset, model), for each setting in which they differ:
    usual is the package's own value if a run has it, else the most frequent, of equals the first
    in order. A record that does not name a setting has the package's own.

    Args:
        records: of any rows.

    Returns:
        Records in the same order; ``Record.group`` has the tags in the model's name.
    """
    groups: dict[tuple, list[int]] = defaultdict(list)
    for i, record in enumerate(records):
        groups[record.group].append(i)
    result = list(records)
    for members in groups.values():
        runs = [result[i] for i in members]
        names = list(ALWAYS)
        if len({(r.seed, r.fold) for r in runs}) < len(runs):
            names += [HELD_OUT, *sorted({k for r in runs for k in r.data.get("config") or {}})]
        names = [name for name in dict.fromkeys(names) if name not in _OWN_WAY]
        words = [_unusual(runs, name) for name in names]
        for i, run, *parts in zip(members, runs, *words, strict=True):
            tags = {name: part for name, part in zip(names, parts, strict=True) if part}
            config = run.data.get("config") or {}
            if config.get("permute") is not None:
                tags["permute"] = f"labels permuted {config['permute']}"
            if config.get("leave_dev"):
                tags["leave_dev"] = "without dev"
            if tags:
                result[i] = replace(run, tags=tags)
    return result


def _unusual(runs: Sequence[Record], name: str) -> list[str]:
    """For each run its setting in words; empty where it is the usual."""
    values = [_of(run, name, {}) for run in runs]
    if all(value == values[0] for value in values):
        return [""] * len(runs)
    from ser.training.config import TrainConfig

    own = asdict(TrainConfig()) | {"joint": False, HELD_OUT: False, "tuning": "nested"}
    values = [_of(run, name, own) for run in runs]
    usual = setting(own, runs[0].data.get("preset"), name)
    if usual not in values:
        counts = Counter(map(str, values))
        usual = min(values, key=lambda value: (-counts[str(value)], str(value)))
    return ["" if value == usual else _words(name, value) for value in values]


def _of(run: Record, name: str, own: Mapping[str, Any]) -> Any:
    """The setting; where a record does not say, *own*: options that came later are left out."""
    if name == "tuning":  # of baselines; a fixed one does not say
        return (run.data.get("config") or {}).get(name, "fixed")
    if name == HELD_OUT:
        return bool(run.data["protocol"].get("dev"))
    value = setting({**own, **(run.data.get("config") or {})}, run.data.get("preset"), name)
    return list(value) if isinstance(value, tuple) else value


def _words(name: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, list):
        between = " to " if [type(each) for each in value] == [float, float] else " and "
        value = between.join(map(str, value))
    return f"{name} {value}"
