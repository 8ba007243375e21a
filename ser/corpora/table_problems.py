"""The table of a corpus: what is missing, what the speaker, the level or the length gives away."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser.corpora.base import Corpus
from ser.corpora.completeness import completeness
from ser.corpora.examine import Clip
from ser.corpora.problems import Problem
from ser.corpora.registry import CorpusInfo

LEVEL_SPREAD = 10.0
"""dB between the loudest and the softest class's median from which loudness is a giveaway."""
FEW_SPEAKERS = 5
"""Folds that a run makes where nobody asks for another number."""
SPEAKER_GAIN = 0.25
"""By how much naming each speaker's commonest class may beat naming the commonest of all."""


def table_problems(corpus: Corpus, info: CorpusInfo, used: list[tuple[str, Clip]]) -> list[Problem]:
    """Counts against the owners', what a speaker or a level gives away, odd lengths.

    Args:
        corpus: the corpus.
        info: what is known of it.
        used: (emotion, clip) of the classes' readable clips.
    """
    missing = completeness(corpus)["missing"]
    problems = [Problem("incomplete", "warning", text) for text in missing]
    total = len(corpus.everything)
    if info.total and total != info.total:
        rest = "" if missing else f"; {corpus.class_words} are complete"
        text = f"{total} utterances are listed, the whole corpus has {info.total}{rest}"
        problems.append(Problem("count", "note", text))
    problems += _speaker_problems(corpus.table)
    levels = {
        emotion: float(np.median(values))
        for emotion in corpus.emotions
        if len(values := [c.level for e, c in used if e == emotion and not c.silent]) >= 3
    }
    if levels and max(levels.values()) - min(levels.values()) > LEVEL_SPREAD:
        loud, soft = max(levels, key=levels.__getitem__), min(levels, key=levels.__getitem__)
        text = (
            f"levels differ by {levels[loud] - levels[soft]:.0f} dB between classes ({loud} "
            f"{levels[loud]:.0f} dB, {soft} {levels[soft]:.0f} dB re full scale, medians): a "
            "model may learn the loudness of the recording"
        )
        problems.append(Problem("level", "warning", text))
    lengths = {round(clip.seconds, 3) for _, clip in used}
    if len(lengths) == 1 and len(used) >= 10 and not corpus.everything.segment.any():
        text = (
            f"every clip of {corpus.class_words} lasts exactly {lengths.pop():.3f} s: they were "
            "cut or padded to one length; look for the originals"
        )
        problems.append(Problem("one length", "warning", text))
    return problems


def _speaker_problems(table: pd.DataFrame) -> list[Problem]:
    speakers = table.speaker.nunique()
    if speakers < 2:
        text = "all utterances are of one speaker: no speaker-disjoint split can be made"
        return [Problem("one speaker", "warning", text)]
    problems = []
    cross = pd.crosstab(table.speaker, table.emotion)
    heard = (cross > 0).sum()
    if few := [f"{e} from {n}" for e, n in heard.items() if n < min(FEW_SPEAKERS, speakers)]:
        text = (
            f"heard from few of the {speakers} speakers: {', '.join(few)}; in folds by speaker "
            "some test sides lack them, and UA there is over the others"
        )
        problems.append(Problem("few speakers", "note", text, count=len(few)))
    single = cross.index[(cross > 0).sum(axis=1) == 1]
    if cross.shape[1] > 1 and len(single):
        text = (
            f"{len(single)} of {speakers} speakers are heard in one class only: normalising by "
            "speaker (`--normalise speaker`, the rows with a +) takes the class away with the "
            "speaker, and such rows may score below chance"
        )
        names = [str(name) for name in single]
        problems.append(Problem("one class a speaker", "warning", text, names))
    by_speaker = cross.max(axis=1).sum() / len(table)
    by_class = cross.sum().max() / len(table)
    if len(table) >= 2 * speakers and by_speaker - by_class >= SPEAKER_GAIN:
        text = (
            f"the speaker gives the emotion away: naming each speaker's commonest class scores "
            f"{100 * by_speaker:.0f} % ({100 * by_class:.0f} % without knowing the speaker), as "
            f"{len(single)} of {speakers} speakers appear in one class only; a random split "
            "measures the speaker, use a speaker-disjoint protocol"
        )
        problems.append(Problem("speaker predicts class", "warning", text, count=len(single)))
    return problems
