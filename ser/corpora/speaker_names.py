"""Names of speakers: which may be one person, and which name nobody."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

NOBODY: frozenset[str] = frozenset(
    (
        *("", "nan", "nat", "none", "null", "nil", "na", "n/a", "#n/a", "<na>", "n.a."),
        *("?", "??", "???", "-", "--", "---", ".", "_", "*", "unk", "unknown", "undefined"),
    )
)
"""What programs and people write where they do not know who speaks, in small letters."""

_AS_LATIN = str.maketrans(
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf",
    "ABEKMHOPCTYXIJSaeopcyxijsABEZHIKMNOPTYXo",
)
"""Cyrillic and Greek letters that are drawn as Latin ones are."""


def names_nobody(name: object) -> bool:
    """Whether *name* stands where a speaker is not known.

    Example:
        >>> names_nobody("NaN"), names_nobody(" ? "), names_nobody("Nan Goldin")
        (True, True, False)
    """
    return unicodedata.normalize("NFKC", str(name)).strip().casefold() in NOBODY


def person(name: object) -> str:
    """*name* in a form that is equal for names which may be one person's.

    Left out of account are capitals, blanks, hyphens and underscores (but between digits), zeros
    before a number, ``.0`` behind one, how Unicode composes a letter, what cannot be seen, and
    Cyrillic or Greek letters that look as Latin ones.

    Example:
        >>> {person(name) for name in ("3", "03", "3.0", " 3")}
        {'3'}
        >>> person("Anna B") == person("anna-b"), person("S3") == person("3")
        (True, False)
        >>> person("1-1") == person("11"), person("3.1") == person("3.10")
        (False, False)
    """
    text = unicodedata.normalize("NFKC", str(name).translate(_AS_LATIN))
    text = "".join(c for c in text if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    text = re.sub(r"[\s_\-\u2010-\u2015]+", "-", text.casefold().strip()).strip("-")
    text = re.sub(r"(?<!\d)-|-(?!\d)", "", text)
    text = re.sub(r"^(\d+)[.,]0*$", r"\1", text)
    return re.sub(r"(?<![\d.,])0+(?=\d)", "", text)


def alike(names: Iterable[object]) -> list[list[str]]:
    """Groups of different names that may be one person's.

    Example:
        >>> alike(["3", "03", "4", "3"])
        [['3', '03']]
    """
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(map(str, names)):
        groups.setdefault(person(name), []).append(name)
    return [group for plain, group in groups.items() if plain and len(group) > 1]
