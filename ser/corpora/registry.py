"""What is known of each corpus before a byte of it is read: ``corpora.toml``, as objects."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ser.corpora.emotion_set import FOUR, EmotionSet, ordered


@dataclass(frozen=True)
class Source:
    """Where a corpus is.

    Attributes:
        url: a zip archive; or, with ``{name}`` in it, one clip.
        size: its bytes, if published.
        md5: its MD5, if published.
        folder: for single clips, the folder that they belong in.
        extras: small tables that go beside that folder; not verified, done without if they fail.
    """

    url: str
    size: int | None = None
    md5: str | None = None
    folder: str = ""
    extras: tuple[str, ...] = ()

    @property
    def by_clip(self) -> bool:
        """True where every clip is a download of its own."""
        return "{name}" in self.url


@dataclass(frozen=True)
class CorpusInfo:
    """One corpus, as its owners describe it.

    Attributes:
        name: short name, as in ``load_corpus(name)`` and ``--corpus``.
        title: full name.
        language: language spoken.
        licence: the owners' terms in a few words.
        citation: how to cite it.
        get: how to get it, in a sentence that an error message can end with.
        layout: the names the reader looks for below the root.
        commercial: True where commercial use is allowed, False where it is not, None where
            it depends on the user's own recordings.
        homepage: where it lives; ``""`` for what is made here.
        speakers: number of speakers, None where open.
        sessions: number of recording sessions, named Ses01, Ses02, ...; 0 where there are none.
        total: utterances of all labels, None where open.
        labels: owners' label -> utterances.
        words: owners' label -> the field's word, ``""`` where it says no emotion.
        sources: where ``ser fetch`` finds it, the preferred source first.
        file_names: what its files' names say, where they say everything; see
            :mod:`ser.corpora.file_names`.
    """

    name: str
    title: str
    language: str
    licence: str
    citation: str
    get: str
    layout: str
    commercial: bool | None = None
    homepage: str = ""
    speakers: int | None = None
    sessions: int = 0
    total: int | None = None
    labels: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    file_names: dict[str, Any] = field(default_factory=dict)

    def counts(self, chosen: EmotionSet = FOUR) -> dict[str, int]:
        """The classes of a set -> utterances of the whole corpus, those that it has.

        Example:
            >>> from ser.corpora.emotion_set import emotion_set
            >>> CORPORA["ravdess"].counts(emotion_set("fear,calm=neutral"))
            {'fearful': 192, 'neutral': 288}
        """
        found: dict[str, int] = {}
        for label, count in self.labels.items():
            word = chosen.counts_as(self.words[label])
            if chosen.takes(word):
                found[word] = found.get(word, 0) + count
        return {word: found[word] for word in chosen.words or ordered(found) if word in found}

    @property
    def by_emotion(self) -> dict[str, int]:
        """The four classes -> utterances."""
        return self.counts()

    @property
    def four_class(self) -> int | None:
        """Utterances of the four-class task, None where open.

        Example:
            >>> CORPORA["emodb"].four_class, CORPORA["iemocap"].four_class
            (339, 5531)
        """
        return sum(self.by_emotion.values()) or None

    @property
    def fetchable(self) -> bool:
        """``ser fetch`` may download it."""
        return bool(self.sources)


def _read() -> dict[str, CorpusInfo]:
    text = Path(__file__).with_name("corpora.toml").read_text("utf-8")
    found = {}
    for name, known in tomllib.loads(text).items():
        sources = tuple(
            Source(**source | {"extras": tuple(source.get("extras", ()))})
            for source in known.pop("sources", ())
        )
        found[name] = CorpusInfo(name, sources=sources, **known)
    return found


CORPORA: dict[str, CorpusInfo] = _read()
"""All corpora by name, the built-in one first."""
