"""For whom and where a row fails, over all its seeds: speakers, clips, pairs of emotions, epochs.

Everything here takes rows of a :class:`ser.report.Report`; nothing is trained. Intervals resample
speakers with the answers of all seeds, except where one speaker alone is described. Book: chapters
"Confusion matrices" and "EmoDB, measured".
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from ser.corpora.base import EMOTIONS
from ser.errors import RecordError
from ser.metrics import bootstrap_interval, paired_test, speaker_counts
from ser.metrics.intervals import draw, percentiles
from ser.metrics.scores import as_codes, count_ua
from ser.report.build import Report
from ser.report.pool import Row, pool_records
from ser.report.record import Record

from chapters.shared.study_questions import questions

__all__ = ["by_group", "genders", "misheard", "pair_confusion", "questions", "selection_gap"]


def genders(row: Row) -> np.ndarray:
    """The gender of each utterance's speaker as the records tell it.

    Args:
        row: of a report.

    Returns:
        (n,) str, in the order of ``row.utterances``; ``""`` where the corpus does not say.

    Example:
        >>> genders(report.row("dual"))[:2]                      # doctest: +SKIP
        array(['male', 'male'], dtype='<U6')
    """
    known: dict[str, str] = {}
    for record in row.records:
        test = record.data["test"]
        said = test.get("genders") or [""] * len(test["utterances"])
        known |= {u: str(g or "") for u, g in zip(test["utterances"], said, strict=True)}
    return np.array([known[u] for u in row.utterances])


def by_group(
    source: Row | Iterable[Record],
    by: str = "speaker",
    selection: str = "last",
    resamples: int = 2000,
) -> pd.DataFrame:
    """UA of each speaker, or of women and men.

    The interval of a gender resamples its speakers: what another group of such speakers might
    have scored. That of one speaker resamples the speaker's utterances: how far this many clips
    settle this one voice's score. The two say different things.

    Args:
        source: a row, or the records of one row.
        by: ``"speaker"`` or ``"gender"``.
        selection: of the epoch, where records are given.
        resamples: of the bootstrap.

    Returns:
        DataFrame, a line a group, worst first; the index is the group. ``gender`` (of a speaker),
        ``speakers`` and ``n`` utterances, ``seeds``, ``ua`` (mean over seeds), ``sd`` (over seeds,
        NaN with one), ``low``, ``high`` (95 %; NaN for a gender of one speaker); points of UA over
        the classes that the group has, ``classes`` of them.

    Raises:
        RecordError: no such grouping, records of several rows, or no gender in the records.

    Example:
        >>> by_group(report.row("dual"), "gender")[["ua", "low", "high"]]  # doctest: +SKIP
    """
    row = _row(source, selection)
    sex = genders(row)
    if by not in ("speaker", "gender"):
        raise RecordError(f"groups are by speaker or by gender, not by {by!r}")
    groups = row.speakers if by == "speaker" else sex
    if by == "gender" and not any(groups):
        raise RecordError(f"{row.name}: the records do not say who is female and who male")
    lines = {}
    for name in np.unique(groups[groups != ""] if by == "gender" else groups):
        mine = groups == name
        truth, answers = row.labels[mine], row.predictions[:, mine]
        unit = row.speakers[mine] if by == "gender" else row.utterances[mine]
        _, counts = speaker_counts(truth, answers, row.speakers[mine])
        ua = 100 * count_ua(counts.sum(0))
        ends = bootstrap_interval(truth, answers, unit, "ua", resamples)
        lines[str(name)] = {
            "gender": "/".join(sorted(set(sex[mine]))),
            "speakers": len(set(row.speakers[mine])),
            "n": int(mine.sum()),
            "classes": len(set(truth.tolist())),
            "seeds": len(row.seeds),
            "ua": float(ua.mean()),
            "sd": float(ua.std(ddof=1)) if len(ua) > 1 else np.nan,
            "low": 100 * ends.low,
            "high": 100 * ends.high,
        }
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis(by)
    if by == "gender":
        table = table.drop(columns="gender")
    return table.sort_values("ua", kind="stable")


def misheard(source: Row | Iterable[Row], share: float = 0.5) -> pd.DataFrame:
    """The clips that most seeds answer wrongly; of several rows, that most of their runs do.

    Args:
        source: a row, or several that were tested on the same utterances.
        share: a clip is listed if more than this share of the runs is wrong.

    Returns:
        DataFrame, a line a clip, those missed most often first: ``utterance``, ``speaker``,
        ``true``, ``answered`` (the most frequent wrong answer; of equals the first in the order of
        the emotions), ``as_that`` (share of the runs that gave it), ``wrong`` (share of the runs
        that are wrong), ``runs``. ``attrs["of"]`` is how many clips were tested.

    Raises:
        RecordError: rows tested on different utterances, none at all, or a share outside 0 to 1.

    Example:
        >>> misheard(report.row("dual")).head(3)                 # doctest: +SKIP
    """
    rows = [source] if isinstance(source, Row) else list(source)
    if not rows or not 0 <= share < 1:
        raise RecordError("name at least one row, and a share from 0 to below 1")
    first = rows[0]
    for row in rows[1:]:
        if not np.array_equal(row.utterances, first.utterances):
            raise RecordError(f"{first.name} and {row.name} were not tested on the same utterances")
    answers = np.concatenate([row.predictions for row in rows])
    votes = (answers[:, :, None] == np.arange(len(EMOTIONS))).mean(0)
    votes[np.arange(len(first.labels)), first.labels] = 0
    wrong = (answers != first.labels).mean(0)
    names = np.array(EMOTIONS)
    table = pd.DataFrame(
        {
            "utterance": first.utterances,
            "speaker": first.speakers,
            "true": names[first.labels],
            "answered": names[votes.argmax(1)],
            "as_that": votes.max(1),
            "wrong": wrong,
            "runs": len(answers),
        }
    )
    table = table[wrong > share].sort_values(
        ["wrong", "as_that", "utterance"], ascending=[False, False, True]
    )
    table = table.reset_index(drop=True)
    table.attrs["of"] = len(first.labels)
    return table


def pair_confusion(
    row: Row, first: str = "angry", second: str = "happy", resamples: int = 2000
) -> pd.DataFrame:
    """How often one emotion is heard as another, and the reverse.

    Args:
        row: of a report.
        first, second: two emotions.
        resamples: of the bootstrap over speakers.

    Returns:
        DataFrame of two lines: ``true``, ``answered``, ``n`` (utterances that are truly so),
        ``heard`` (how many of them are heard as the other, mean over seeds), ``share``, ``low``,
        ``high`` (percent of ``n``, 95 %; NaN where there is none, or one speaker).

    Raises:
        RecordError: no such emotion, or the same twice.

    Example:
        >>> pair_confusion(report.row("dual"))[["true", "answered", "share"]]  # doctest: +SKIP
    """
    try:
        codes = [int(c) for c in as_codes([first, second])]
    except ValueError as error:
        raise RecordError(str(error)) from None
    if codes[0] == codes[1]:
        raise RecordError(f"two different emotions, please, not {first} twice")
    _, counts = speaker_counts(row.labels, row.predictions, row.speakers)
    speakers = len(counts)
    weights = draw(speakers, resamples, 0)
    lines = []
    for true, answered in (codes, codes[::-1]):
        heard, total = counts[:, :, true, answered].mean(1), counts[:, 0, true].sum(-1)
        drawn = weights @ total
        ends = (np.nan, np.nan)
        if speakers > 1 and (drawn > 0).any():
            shares = (weights @ heard)[drawn > 0] / drawn[drawn > 0]
            ends = percentiles(shares, 0.95)
        lines.append(
            {
                "true": EMOTIONS[true],
                "answered": EMOTIONS[answered],
                "n": int(total.sum()),
                "heard": float(heard.sum()),
                "share": 100 * heard.sum() / total.sum() if total.sum() else np.nan,
                "low": 100 * ends[0],
                "high": 100 * ends[1],
            }
        )
    return pd.DataFrame(lines)


def selection_gap(
    report: Report, model: str = "dual", reference: str = "last", **where: str
) -> pd.DataFrame:
    """UA of the last, the dev-chosen and the test-chosen epoch of the same runs.

    Args:
        report: of :func:`ser.report.make_report`.
        model: the row.
        reference: the selection the others are compared with.
        where: narrows by ``corpus``, ``test_corpus``, ``protocol``, ``preset``; the first that
            fits is taken.

    Returns:
        DataFrame, a line a selection; the index is its name. ``ua``, ``low``, ``high`` and, against
        the reference, ``difference``, ``difference_low``, ``difference_high`` in points, ``p``
        (NaN for the reference itself); ``epoch`` (mean), ``seeds``, ``speakers``. Only runs that
        have all selections count: ``attrs["notes"]`` says if some had to be left out.

    Raises:
        RecordError: no such row, or not the reference and another selection.

    Example:
        >>> selection_gap(report, "dual", protocol="loso").ua     # doctest: +SKIP
    """
    fits = [r for r in report.rows if r.model == model]
    fits = [r for r in fits if all(getattr(r, k) == v for k, v in where.items())]
    if not fits:
        report.row(model, reference, **where)  # raises, and lists what there is
    here = [r for r in fits if (r.block, r.preset) == (fits[0].block, fits[0].preset)]
    names = [r.selection for r in here]
    if reference not in names or len(names) < 2:
        raise RecordError(
            f"{here[0].name}: it has the selection {', '.join(names)} only; "
            "'ser run --select last,dev,test' keeps all three"
        )
    runs = {id(rec): rec for r in here for rec in r.records}
    complete = [rec for rec in runs.values() if all(n in rec.logits for n in names)]
    if not complete:
        raise RecordError(f"{here[0].name}: no run has all of {', '.join(names)}")
    rows = {r.selection: r for r in pool_records(complete)}
    base, lines = rows[reference], {}
    for name in names:
        row = rows[name]
        ends = row.interval("ua", report.resamples)
        epochs = [rec.data["selection"][name].get("epoch") or np.nan for rec in row.records]
        line = {"ua": 100 * float(row.ua.mean()), "low": 100 * ends.low, "high": 100 * ends.high}
        if name != reference:
            result = paired_test(
                row.labels, row.predictions, base.predictions, row.speakers, report.resamples
            )
            line |= {
                "difference": 100 * result.ua_difference,
                "difference_low": 100 * result.ua_low,
                "difference_high": 100 * result.ua_high,
                "p": result.ua_p,
            }
        else:
            line |= {"difference": 0.0} | dict.fromkeys(
                ("difference_low", "difference_high", "p"), np.nan
            )
        line |= {"epoch": float(np.mean(epochs)), "seeds": len(row.seeds)}
        lines[name] = line | {"speakers": len(set(row.speakers))}
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis("selection")
    left = len(runs) - len(complete)
    table.attrs["notes"] = [f"{left} runs without all selections are left out"] if left else []
    table.attrs["name"] = f"{model}, {base.corpus}, {base.protocol}"
    return table


def _row(source: Row | Iterable[Record], selection: str) -> Row:
    if isinstance(source, Row):
        return source
    rows = [r for r in pool_records(source) if r.selection == selection]
    if len(rows) != 1:
        names = ", ".join(r.name for r in rows) or "none"
        raise RecordError(f"records of one row with selection {selection!r}, please; here: {names}")
    return rows[0]
