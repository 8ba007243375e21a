"""Is all of a corpus there: what a table of results has to say beside its numbers."""

from __future__ import annotations

from collections import Counter

from ser.corpora.base import Corpus
from ser.corpora.emotion_set import emotion_set, number
from ser.corpora.registry import CORPORA

ABSENT = "no utterance is "
"""How the sentence about absent classes begins; a report as text has its own words for them."""


def completeness(corpus: Corpus) -> dict:
    """What of the task, the corpus's emotions, is here, and what is missing.

    Returns:
        A dictionary that JSON can hold: ``utterances`` (of the classes, here), ``expected``
        (in the whole corpus; None where nobody knows, as with tables of one's own), ``classes``
        (those that are here) and ``missing`` (sentences, empty where all is here).

    Example:
        >>> from pathlib import Path
        >>> from ser.corpora.base import make_table
        >>> row = {"utterance": "a", "path": "a.wav", "emotion": "angry", "speaker": "me"}
        >>> table = make_table([row])
        >>> found = completeness(Corpus("manifest", Path(), table, table, "", ""))
        >>> found["classes"], found["missing"]
        (['angry'], ['no utterance is happy, neutral or sad: scores are over one class, not four'])
    """
    info = CORPORA.get(corpus.name, CORPORA["manifest"])
    found = Counter(corpus.table.emotion)
    whole = info.counts(emotion_set(corpus.asked or None))
    task = [*corpus.emotions, *(e for e in whole if e not in corpus.emotions)]  # "all" of a part
    classes = [emotion for emotion in corpus.emotions if found[emotion]]
    missing = []
    if absent := [emotion for emotion in task if not found[emotion]]:
        names = " or ".join(filter(None, [", ".join(absent[:-1]), absent[-1]]))
        left = f"{number(len(classes))} class{'es' * (len(classes) > 1)}" if classes else "none"
        missing.append(f"{ABSENT}{names}: scores are over {left}, not {number(len(task))}")
    here = set(corpus.table.session)
    sessions = [f"Ses{number:02d}" for number in range(1, info.sessions + 1)]
    if gone := [session for session in sessions if session not in here]:
        missing.append(f"{', '.join(gone)} of {info.sessions} sessions not here")
    speakers = corpus.table.speaker.nunique()
    if info.speakers and speakers < info.speakers:
        missing.append(f"{speakers} speakers are here, the whole corpus has {info.speakers}")
    off = [
        f"{emotion} {found[emotion]} of {expected}"
        for emotion, expected in whole.items()
        if found[emotion] != expected
    ]
    total = sum(whole.values())
    if off:
        part = "a part" if len(corpus.table) < total else "another set"
        missing.append(
            f"{len(corpus.table)} utterances of {corpus.class_words} instead of {total} "
            f"({', '.join(off)}): numbers made on {part} do not compare with published ones"
        )
    return {
        "utterances": len(corpus.table),
        "expected": total or None,
        "classes": classes,
        "missing": missing,
    }
