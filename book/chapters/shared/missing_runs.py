"""The ``ser run`` command that would make records which are missing, from those that are there."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from ser.experiments.record_table import SELECTIONS
from ser.report.pool import Row


def command_for(missing: Sequence[Any], rows: Sequence[Row], protocol: str) -> str:
    """A command line, as near as possible to how the other rows of the corpus were made.

    Corpus and folder are those of a record there; epochs, batch size and all other
    settings are those of the network with the most seeds. ``DIR`` stands where no record says
    where the corpus lies.

    Args:
        missing: :class:`chapters.shared.question_list.Wanted` sides; they differ in no
            setting but the row's name, or each gets a command of its own.
        rows: of that corpus.
        protocol: of unseen speakers, for sides that do not want random folds.

    Returns:
        One command, or several joined by ``" && "``.
    """
    commands: dict[tuple, list[str]] = {}
    for wanted in missing:
        commands.setdefault(wanted[1:], []).append(wanted.model)
    return " && ".join(
        _line(models, dict(zip(missing[0]._fields[1:], settings, strict=True)), rows, protocol)
        for settings, models in commands.items()
    )


def _line(models: Sequence[str], wanted: dict, rows: Sequence[Row], protocol: str) -> str:
    protocol = "random" if wanted["random"] else protocol
    networks = [r for r in rows if r.records[0].data.get("history")] or list(rows)
    # Rows under odd settings are a poor model for a command; so is one with a tag.
    template = max(
        networks,
        key=lambda r: (
            r.protocol == protocol,
            not r.tags,
            r.preset == "release",
            len(r.seeds),
            len(r.records[0].logits),
        ),
    )
    data = template.records[0].data
    config = dict(data.get("config") or {})
    preset = wanted["preset"] or template.preset or "release"
    suffix = "" if preset == (template.preset or "release") else f"-{preset}"
    if wanted["frames"]:
        config["frames"] = wanted["frames"]
        suffix += f"-{wanted['frames']}"
    if wanted["like"]:
        config["hidden"] = _hidden(models[0], wanted["like"], preset)
        suffix += f"-hidden{config['hidden']}"
    selections = list(data["selection"])
    if wanted["selection"] not in selections:
        selections = [s for s in SELECTIONS if s in (*selections, wanted["selection"])]
        suffix += f"-{wanted['selection']}"
    root = data["options"].get("--root", "DIR")
    words = ["ser", "run", "--corpus", template.corpus, "--root", root]
    words += ["--model", ",".join(models), "--protocol", protocol]
    words += ["--seeds", str(len(template.seeds)), "--select", ",".join(selections)]
    if wanted["even"]:
        words.append("--leave-dev")
    if preset != "release":
        words += ["--preset", preset]
    folds = int(data["protocol"]["folds"])
    if template.protocol == protocol == "speakers" and folds != 5:
        words += ["--folds", str(folds)]
    words += _training(config)
    study = "even" if wanted["even"] else "variants" if suffix else "main"
    folder = template.records[0].folder.as_posix()
    if template.protocol != protocol:
        ending = "-dev" if data["protocol"].get("dev") else ""
        folder = f"results/{template.corpus}-{protocol}{ending}"
    if wanted["even"]:
        folder = f"{folder.removesuffix('-dev')}-even"
    return shlex.join([*words, "--no-models", "--study", study, "--out", folder + suffix])


def _hidden(model: str, like: str, preset: str) -> int:
    from ser.models import build_model, count_parameters

    from chapters.shared.paired_questions import equal_size

    def size(row: str, hidden: int) -> int:
        return count_parameters(build_model(row, preset=preset, hidden=hidden))

    return equal_size(lambda hidden: size(model, hidden), size(like, 200), high=1024)


def _training(config: dict[str, Any]) -> list[str]:
    """Options of the settings that are not ``ser run``'s own."""
    from ser.training.config import TrainConfig

    words = []
    own = TrainConfig().as_dict()
    for name, value in config.items():
        if name not in own or value == own[name] or value is False:
            continue
        words.append("--" + name.replace("_", "-"))
        if value is not True:
            listed = isinstance(value, list | tuple)
            words.append(",".join(map(str, value)) if listed else str(value))
    return words
