"""Which emotions are to be told apart: the set asked for, and what counts as what.

``angry,happy,neutral,sad`` are the classes, in the order of the logits; ``all`` is all that a
corpus has; ``calm=neutral`` makes calm count as neutral. Excited counts as happy unless it is
named. Synonyms are one word (anger, ang: angry; :data:`ser.corpora.emotion_names.FAMILIES`).
Book: chapter "Corpora".
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ser.corpora.base import EMOTIONS
from ser.corpora.emotion_names import FAMILIES, UNDECIDED, USUAL, WORDS, plain
from ser.errors import CorpusError

ALL = "all"


@dataclass(frozen=True)
class EmotionSet:
    """A set of emotions.

    Attributes:
        words: the classes, in order; empty: all that the corpus has.
        merged: pairs (word, what it counts as).
        asked: somebody named it, so that a word which a corpus lacks is an error. Nobody named the
            four of today's task: a table of one's own may have three of them.

    Example:
        >>> seven = emotion_set("all,calm=neutral")
        >>> seven.counts_as("calm"), seven.counts_as("excited"), seven.takes("bored")
        ('neutral', 'happy', True)
        >>> str(emotion_set("anger, fear")), emotion_set(None) == FOUR
        ('angry,fearful', True)
    """

    words: tuple[str, ...] = EMOTIONS
    merged: tuple[tuple[str, str], ...] = ()
    asked: bool = False

    def __str__(self) -> str:
        merged = [f"{word}={other}" for word, other in self.merged]
        return ",".join([*(self.words or [ALL]), *merged])

    def counts_as(self, word: str) -> str:
        """The class that *word* is, be it in the set or not."""
        usual = word if word in self.words else USUAL.get(word, word)
        return dict(self.merged).get(word, usual)

    def takes(self, word: str) -> bool:
        """Whether a class is in the set; :meth:`counts_as` comes first."""
        return bool(word) and (not self.words or word in self.words)

    def classes(self, here: Mapping[str, int], listed: Mapping[str, int], whose: str) -> tuple:
        """The classes of a corpus under this set, in order.

        Args:
            here: class -> utterances that can be heard.
            listed: class -> utterances, those without sound too.
            whose: the corpus, for messages.

        Raises:
            CorpusError: the set names a class of which nothing can be heard; the message says
                what there is, and how much.

        Example:
            >>> emotion_set("all").classes({"sad": 3, "zen": 2, "angry": 4}, {}, "mine")
            ('angry', 'sad', 'zen')
            >>> emotion_set("boredom,sad").classes({"sad": 3, "bores": 2}, {}, "mine")
            Traceback (most recent call last):
            ...
            ser.errors.CorpusError: mine: no utterance is bored; there are sad 3, bores 2. Did ...
        """
        if not self.words:
            return ordered(word for word, count in here.items() if word and count)
        lacking = [word for word in self.words if not here.get(word)] if self.asked else []
        if lacking:
            named = " or ".join(filter(None, [", ".join(lacking[:-1]), lacking[-1]]))
            silent = [f"{w} ({listed[w]} listed)" for w in lacking if listed.get(w)]
            found = counted({word: here[word] for word in ordered(here) if here[word]}) or "none"
            near = [m for w in lacking for m in difflib.get_close_matches(w, list(here), 1)]
            hint = f". Did you mean {near[0]!r}?" if near and not silent else ""
            sound = f"; without any sound here: {', '.join(silent)}" if silent else ""
            raise CorpusError(f"{whose}: no utterance is {named}; there are {found}{sound}{hint}")
        return self.words

    def check_merged(self, listed: Iterable[str], whose: str) -> None:
        """Refuse ``clam=neutral``: a word to merge that neither the corpus nor the field has.

        Args:
            listed: the words of the corpus, before any is merged.
            whose: the corpus, for the message.

        Raises:
            CorpusError: there is one.
        """
        known = {*listed, *FAMILIES}
        for word, other in self.merged:
            if word not in known:
                near = difflib.get_close_matches(word, sorted(known), 1)
                hint = f"; did you mean {near[0]}={other}?" if near else ""
                raise CorpusError(f"{whose}: {word}={other}: no utterance is {word}{hint}")


FOUR = EmotionSet()
"""The four classes of today's task, which nobody has asked for by name."""

Emotions = str | Iterable[str] | EmotionSet | None
"""A set as it may be given: ``"angry,sad"``, ``["angry", "sad"]``, ``"all"``; None: the four."""


def emotion_set(given: Emotions) -> EmotionSet:
    """The set that *given* means.

    Raises:
        CorpusError: one class only, a word that counts as two, or one that is no emotion (``xxx``).

    Example:
        >>> emotion_set(["angry", "sad", "calm=sad"]).words
        ('angry', 'sad')
    """
    if given is None:
        return FOUR
    if isinstance(given, EmotionSet):
        return given
    parts = given.split(",") if isinstance(given, str) else [str(part) for part in given]
    if not any(part.strip() for part in parts):
        raise CorpusError(
            "--emotions is empty: name two emotions at least, e.g. angry,neutral, or all; without "
            "it they are the usual four"
        )
    words: list[str] = []
    merged: dict[str, str] = {}
    every = False
    for part in filter(None, (part.strip() for part in parts)):
        if plain(part) == ALL:
            every = True
            continue
        name, equals, other = part.partition("=")
        word = _word(name, part)
        if equals:
            if merged.setdefault(word, _word(other, part)) != _word(other, part):
                raise CorpusError(f"--emotions: {word} cannot count as two emotions ({part})")
            word = merged[word]
        words.append(word)
    named = {_word(p, p) for p in parts if p.strip() and "=" not in p and plain(p) != ALL}
    merged = {word: other for word, other in merged.items() if word != other}
    if chain := [w for w in merged if w in merged.values()]:
        raise CorpusError(f"--emotions: {chain[0]} counts as {merged[chain[0]]}; merge into that")
    if both := [w for w in merged if w in named]:
        raise CorpusError(
            f"--emotions: {both[0]} cannot be a class and count as {merged[both[0]]} as well"
        )
    if every and (more := sorted(named - set(USUAL))):
        raise CorpusError(f"--emotions: all takes {more[0]} already; leave one of the two out")
    if every:
        merged |= {word: word for word in named}  # excited by itself
    words = [] if every else list(dict.fromkeys(words))
    synonyms = list(dict.fromkeys(plain(p) for p in parts if p.strip() and "=" not in p))
    if not every and len(words) == 1 and len(synonyms) > 1 and not merged:
        raise CorpusError(
            f"--emotions: {' and '.join(synonyms)} are one word, {words[0]}: name two emotions at "
            "least, e.g. angry,neutral, or all"
        )
    if not every and len(words) < 2:
        raise CorpusError(
            f"--emotions {','.join(parts)}: name two emotions at least, e.g. angry,neutral, or all"
        )
    return EmotionSet(tuple(words), tuple(merged.items()), asked=True)


def _word(name: str, part: str) -> str:
    key = plain(name)
    if not key or "=" in key or key == ALL:
        raise CorpusError(
            f"--emotions: {part!r} is no emotion; a merge is written calm=neutral (calm counts as "
            "neutral)"
        )
    if key in UNDECIDED:
        raise CorpusError(f"--emotions: {name.strip()!r} says that nobody could tell the emotion")
    return WORDS.get(key, key)


def ordered(words: Iterable[str]) -> tuple[str, ...]:
    """Words in the order of ``all``: the field's, then those of one's own by the alphabet.

    Example:
        >>> ordered(["zen", "sad", "bored", "angry", "curious"])
        ('angry', 'sad', 'bored', 'curious', 'zen')
    """
    place = {word: number for number, word in enumerate(FAMILIES)}
    return tuple(sorted({w for w in words if w}, key=lambda w: (place.get(w, len(place)), w)))


def counted(counts: Mapping[str, int]) -> str:
    """``angry 3, sad 4``.

    >>> counted({"angry": 3})
    'angry 3'
    """
    return ", ".join(f"{word} {count}" for word, count in counts.items())


NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def number(count: int) -> str:
    """A small number as a word.

    >>> number(4), number(12)
    ('four', '12')
    """
    return NUMBERS[count] if count < len(NUMBERS) else str(count)


def chance(emotions: Iterable[str]) -> str:
    """What guessing comes to, as UA.

    >>> chance(EMOTIONS), chance(["a", "b", "c"])
    ('25 %', '33.3 %')
    """
    return f"{round(100 / len(tuple(emotions)), 1):g} %"


def set_name(emotions: Iterable[str]) -> str:
    """A set in words where it is not that of today's task, else ``""``.

    Example:
        >>> set_name(("angry", "sad")), set_name(EMOTIONS)
        ('2 emotions: angry, sad', '')
    """
    emotions = tuple(emotions)
    return "" if emotions == EMOTIONS else f"{len(emotions)} emotions: {', '.join(emotions)}"
