"""Two rows of records on the same utterances, and a corpus small enough to be learnt at once."""

from __future__ import annotations

import csv
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ser.audio import load_audio
from ser.corpora import EMOTIONS
from ser.experiments import stored_records
from ser.metrics import Paired, paired_test, ua
from ser.plots.html import Html

from chapters.shared.player import page_gain, player, players
from chapters.shared.seen import Seen, seen

MAY_DIFFER = {"pooling"}
"""Settings in which the two rows may differ; any other difference is an error."""


@dataclass(frozen=True)
class Compared:
    """Row a less row b, on the folds and seeds that both have.

    Attributes:
        names: what a and b are called.
        result: differences with intervals over speakers.
        seeds: training seeds of both.
        by_speaker: UA in percent, a line a speaker, a column a row.
        learnt: UA of a and b on their own training side after the last epoch, in percent.
        corpus, protocol, folds, of: where, and how many folds of how many.
    """

    names: tuple[str, str]
    result: Paired
    seeds: tuple[int, ...]
    by_speaker: pd.DataFrame
    learnt: tuple[float, float]
    corpus: str
    protocol: str
    folds: int
    of: int

    @property
    def table(self) -> pd.DataFrame:
        """WA and UA in percent, and their difference with its interval in points."""
        r, (a, b) = self.result, self.names
        lines = {
            a: {"WA (%)": r.wa_a, "UA (%)": r.ua_a},
            b: {"WA (%)": r.wa_b, "UA (%)": r.ua_b},
            "difference": {"WA (%)": r.wa_difference, "UA (%)": r.ua_difference},
            "from": {"WA (%)": r.wa_low, "UA (%)": r.ua_low},
            "to": {"WA (%)": r.wa_high, "UA (%)": r.ua_high},
        }
        return (100 * pd.DataFrame(lines).T).round(1)


def compared(
    results: str | os.PathLike,
    a: tuple[str, str],
    b: tuple[str, str],
    names: tuple[str, str],
    selection: str = "last",
) -> Compared | None:
    """Row *a* against row *b*, each a folder of records and a model.

    Args:
        results: the folder of folders.
        a, b: (folder, model).
        names: what tables call them.
        selection: the epoch: ``last``, ``dev`` or ``test``.

    Returns:
        None where one of them has no records, or no fold and seed that the other has too.

    Raises:
        ValueError: the two were trained under other settings, or on other utterances.
    """
    found = [_runs(Path(results) / folder, model) for folder, model in (a, b)]
    seeds = sorted({seed for _, seed in found[0]} & {seed for _, seed in found[1]})
    folds = sorted(
        fold
        for fold in {fold for fold, _ in found[0]}
        if all((fold, seed) in runs for runs in found for seed in seeds)
    )
    if not seeds or not folds:
        return None
    pairs = [[runs[fold, seed] for fold in folds for seed in seeds] for runs in found]
    for first, second in zip(*pairs, strict=True):
        _check_alike(first, second)
    answers = [
        np.array([np.concatenate([_answers(runs[f, s], selection) for f in folds]) for s in seeds])
        for runs in found
    ]
    tests = [found[0][fold, seeds[0]]["test"] for fold in folds]
    labels = np.concatenate([test["labels"] for test in tests])
    speakers = np.concatenate([test["speakers"] for test in tests])
    first = pairs[0][0]
    return Compared(
        names,
        paired_test(labels, *answers, speakers),
        tuple(seeds),
        pd.DataFrame(
            {
                name: [
                    round(100 * np.mean([ua(labels[own], run[own]) for run in answer]), 1)
                    for own in (speakers == s for s in np.unique(speakers))
                ]
                for name, answer in zip(names, answers, strict=True)
            },
            index=pd.Index(np.unique(speakers), name="speaker"),
        ),
        tuple(100 * np.mean([r["history"][-1]["train_ua"] for r in runs]) for runs in pairs),
        first["corpus"]["name"],
        first["protocol"]["name"],
        len(folds),
        first["protocol"]["folds"],
    )


def _runs(folder: Path, model: str) -> dict[tuple[str, int], dict]:
    if not folder.is_dir():
        return {}
    records = [r for (name, _), r in stored_records(folder).items() if name == model]
    return {(r["protocol"]["fold"], r["seed"]): r for r in records}


def _answers(record: dict, selection: str) -> np.ndarray:
    return np.argmax(record["selection"][selection]["logits"], axis=1)


def _check_alike(a: dict, b: dict) -> None:
    if a["protocol"]["hash"] != b["protocol"]["hash"] or a["test"] != b["test"]:
        raise ValueError(f"{a['id']} and {b['id']} were not trained and tested on the same")
    configs = [{k: v for k, v in r["config"].items() if k not in MAY_DIFFER} for r in (a, b)]
    if configs[0] != configs[1]:
        raise ValueError(f"{a['id']} and {b['id']} were trained under other settings")


def told(found: Compared | None) -> Seen:
    """What a comparison says, with its protocol; true whatever it found."""
    if found is None:
        return seen("There are no records of both rows under `results`.")
    r, (a, b) = found.result, found.names
    if not np.isfinite(r.ua_low):
        verdict = "One speaker settles nothing about others."
    elif r.ua_low <= 0 <= r.ua_high:
        verdict = (
            f"The interval holds 0, so these {r.speakers} speakers do not show that either row is "
            "better than the other."
        )
    else:
        better, worse = (a, b) if r.ua_difference > 0 else (b, a)
        verdict = (
            f"The interval leaves 0 out: on these {r.speakers} speakers `{better}` is better than "
            f"`{worse}`, whatever the reason."
        )
    seeds = f"{len(found.seeds)} training seed{'s' * (len(found.seeds) != 1)}"
    return seen(
        f"On {found.corpus}, protocol `{found.protocol}`, {found.folds} of {found.of} folds, last "
        f"epoch, {seeds}: `{a}` minus `{b}` is {100 * r.ua_difference:+.1f} points of UA, 95 % "
        f"interval over {r.speakers} speakers {100 * r.ua_low:+.1f} to {100 * r.ua_high:+.1f}. "
        f"{verdict}"
    )


def spread(found: Compared | None) -> Seen:
    """For how many speakers either row is ahead, and how well each knew its training side."""
    if found is None:
        return seen("Without records there are no speakers to compare.")
    a, b = found.names
    gap = found.by_speaker[a] - found.by_speaker[b]
    return seen(
        f"`{a}` is ahead for {(gap > 0).sum()} and behind for {(gap < 0).sum()} of {len(gap)} "
        f"speakers; the differences reach from {gap.min():+.1f} points (speaker {gap.idxmin()}) to "
        f"{gap.max():+.1f} (speaker {gap.idxmax()}). On its own training side `{a}` ends at a UA "
        f"of {found.learnt[0]:.0f} %, `{b}` at {found.learnt[1]:.0f} %."
    )


def seed_scores(results: str | os.PathLike, folder: str, model: str) -> list[float]:
    """UA in percent of each training seed that has every fold, last epoch, folds pooled."""
    runs, scores = _runs(Path(results) / folder, model), []
    for seed in sorted({seed for _, seed in runs}):
        own = [record for (_, s), record in runs.items() if s == seed]
        if len(own) == own[0]["protocol"]["folds"]:
            labels = np.concatenate([record["test"]["labels"] for record in own])
            scores.append(100 * ua(labels, np.concatenate([_answers(r, "last") for r in own])))
    return scores


def luck(results: str | os.PathLike, folder: str, model: str) -> Seen:
    """How far training seeds alone move a row: the scale on which a difference is read."""
    scores = seed_scores(results, folder, model)
    if len(scores) < 2:
        return seen(f"There are no records of several seeds of `{model}` under `results`.")
    return seen(
        f"The scale for it: {len(scores)} training seeds of `{model}` as it is, leave one speaker "
        f"out, last epoch, reach a UA of {min(scores):.1f} to {max(scores):.1f} %. An interval "
        "over speakers holds nothing of that luck."
    )


def live_scores(records: list[dict]) -> pd.DataFrame:
    """UA in percent, mean over folds, and the count of weights, a line a row."""
    lines = [(r["model"], 100 * r["history"][-1]["test_ua"], r["parameters"]) for r in records]
    table = pd.DataFrame(lines, columns=["row", "UA (%)", "weights"])
    table = table.groupby("row", sort=False).mean()
    return table.round(1).astype({"weights": int})


def wave_of(row: Any) -> np.ndarray:
    """The sound of a line of a corpus's table."""
    part = {"start": row.start, "seconds": row.seconds} if row.segment else {}
    return load_audio(row.path, **part)


def few_utterances(table: pd.DataFrame, speakers: int = 4, each: int = 4) -> str:
    """A CSV file that lists *each* utterances of each emotion of the first *speakers*.

    ``load_corpus("manifest", file)`` reads it, and so does :func:`ser.run`.

    Args:
        table: of a corpus.
    """
    few = table[table.speaker.isin(sorted(table.speaker.unique())[:speakers])]
    few = few[few.groupby(["speaker", "emotion"]).cumcount() < each]
    file = Path(tempfile.mkdtemp(prefix="few-")) / "few.csv"
    with open(file, "w", newline="", encoding="utf-8") as stream:
        lines = csv.writer(stream)
        lines.writerow(["path", "emotion", "speaker", "text", "start", "seconds"])
        for row in few.itertuples():
            part = [row.start, row.seconds] if row.segment else ["", ""]
            lines.writerow([Path(row.path).resolve(), row.emotion, row.speaker, row.text, *part])
    return str(file)


def surest_mistakes(records: list[dict], table: pd.DataFrame, most: int = 3) -> pd.DataFrame:
    """The wrong answers whose class leads the true one by most, the surest first.

    Args:
        records: of one row, each utterance tested once.
        table: of their corpus.
        most: at most so many.

    Returns:
        Lines of *table* with a column ``heard``, the answer.
    """
    found = []
    for record in records:
        logits = np.array(record["selection"]["last"]["logits"])
        truth = np.array(record["test"]["labels"])
        lead = logits.max(1) - logits[np.arange(len(truth)), truth]
        for i in np.flatnonzero(logits.argmax(1) != truth):
            name = record["test"]["utterances"][i]
            found.append((lead[i], name, EMOTIONS[logits[i].argmax()]))
    found = sorted(found, reverse=True)[:most]
    rows = table.set_index("utterance").loc[[name for _, name, _ in found]]
    return rows.assign(heard=[heard for _, _, heard in found])


def play_mistakes(records: list[dict], table: pd.DataFrame) -> Html:
    """Players of :func:`surest_mistakes`."""
    missed = list(surest_mistakes(records, table).itertuples())
    waves = [wave_of(row) for row in missed]
    return players(
        [
            player(
                wave,
                caption=f"{row.emotion}, taken for {row.heard}",
                transcript=row.text,
                gain=page_gain(waves),
            )
            for row, wave in zip(missed, waves, strict=True)
        ]
    )
