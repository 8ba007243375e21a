"""Options that no row asked for would take: refused, for a report would tell of them as of others.

A grid of several rows may have options that only some of them take. What every script gives all
rows, :data:`PLAIN`, is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

from ser.errors import SerError
from ser.experiments.baselines import INPUTS
from ser.experiments.config import RunConfig
from ser.normalise import enrolled_by
from ser.rows import ROWS, ModelRow, get_row
from ser.training.config import TrainConfig

PLAIN = frozenset(
    {"epochs", "batch_size", "lr", "optimiser", "weight_decay", "schedule", "milestones", "gamma"}
    | {"clip"}
)
"""How long and how fast a network learns."""
_FEATURES = {field.name: field.metadata["features"] for field in fields(TrainConfig)}
LOOKED_AT = (_FEATURES.keys() - PLAIN) | {"joint", "baseline_tuning", "ssl"}
"""Names of the options that :func:`check_taken` knows."""


def takes(config: RunConfig, model: str, option: str) -> bool:
    """Whether a row, or a branch of it, is another one with the option as *config* has it.

    Example:
        >>> shifted = RunConfig(train=TrainConfig(pitch_shift=3.0))
        >>> [takes(shifted, row, "pitch_shift") for row in ("mfcc-lstm", "triple", "majority")]
        [False, True, False]
    """
    row = get_row(model)
    if option == "joint":
        return row.kind == "fused"
    branches = [get_row(branch) for branch in row.branches]
    if option in ("baseline_tuning", "ssl"):
        inputs = [INPUTS[branch.name] for branch in branches if branch.name in INPUTS]
        return "ssl" in inputs if option == "ssl" else bool(inputs)
    return any(_takes(config, branch, option) for branch in branches)


def _takes(config: RunConfig, row: ModelRow, option: str) -> bool:
    value = getattr(config.train, option)
    if option in row.recipe:
        return row.recipe[option] == value
    if row.kind == "baseline":
        if option == "normalise" and enrolled_by(value):
            return True  # of every row: those who enrol are not tested
        known = option == "clip_z" or (option == "normalise" and value != "utterance")
        return known and row.name in INPUTS
    wanted = _FEATURES[option] or row.needs
    if option == "tempo" and config.train.frames_of(config.preset) == "true":
        wanted = row.needs  # squashed spectrograms alone have no tempo
    return bool(row.needs & wanted)


def check_taken(configs: Sequence[RunConfig], given: Iterable[str]) -> None:
    """Refuse options that no row of *configs* takes.

    Args:
        configs: the grid; of a choice, those of all options.
        given: names of the options that were asked for.

    Raises:
        SerError: names the first such option, the rows, and rows that take it.
    """
    for option in sorted(LOOKED_AT.intersection(given)):
        if any(takes(config, model, option) for config in configs for model in config.models):
            continue
        first, models = configs[0], dict.fromkeys(m for c in configs for m in c.models)
        settings = first.train if option in _FEATURES else first
        value = getattr(settings, option)
        shown = ",".join(f"{v:g}" for v in value) if isinstance(value, tuple) else value
        words = f"--{option.replace('_', '-')}" + (f" {shown}" if value is not True else "")
        others = [name for name in ROWS if takes(first, name, option)]
        way_out = f", as {_some(others)}" if others else ""
        raise SerError(
            f"{words} changes nothing in the rows asked for ({', '.join(models)})"
            f"{_why(models, option)}: leave it out, or name a row that takes it{way_out}"
        )


def _some(names: Sequence[str]) -> str:
    plain = [name for name in names if not ROWS[name].variant] or list(names)
    return ", ".join(plain[:3])


def _why(models: Iterable[str], option: str) -> str:
    own = [m for m in models if any(option in get_row(b).recipe for b in get_row(m).branches)]
    if own:
        return f", {own[0]} has its own"
    return ", where functionals take running, enrol:K and speaker" * (option == "normalise")
