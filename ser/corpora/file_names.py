"""The corpora whose file names say everything: EmoDB, RAVDESS, CREMA-D, URDU, TESS, SAVEE.

What a name means stands in ``corpora.toml``, a table a corpus; this reads it. Book: chapter
"Corpora".
"""

from __future__ import annotations

import csv
import functools
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from ser.corpora.base import Corpus
from ser.corpora.copies import choose
from ser.corpora.emotion_names import FAMILIES
from ser.corpora.emotion_set import FOUR, EmotionSet
from ser.corpora.problems import Problems
from ser.corpora.readers import finish, open_root, report_unknown, wrong_layout
from ser.corpora.registry import CORPORA, CorpusInfo
from ser.corpora.scan import walk


def parse(corpus: str, path: Path) -> dict | str | None:
    """A file's name -> its row.

    Returns:
        The columns that the name tells; a reason (str) why the file is left out on purpose; None
        where the name does not fit.

    Example:
        >>> row = parse("emodb", Path("wav/08b10Wa.wav"))
        >>> row["speaker"], row["gender"], row["text"], row["emotion"]
        ('08', 'female', 'b10', 'angry')
        >>> parse("savee", Path("AudioData/DC/sa01.wav"))["utterance"]
        'DC_sa01'
        >>> parse("ravdess", Path("Actor_12/03-02-05-01-02-01-12.wav"))
        'song, not speech'
    """
    names = CORPORA[corpus].file_names
    match = _pattern(corpus).fullmatch(path.stem)
    if not match:
        return None
    capitals = names.get("capitals", ())
    found: dict = {
        group: (value or "").upper() if group in capitals else (value or "").lower()
        for group, value in match.groupdict().items()
    }
    if corpus in _SPECIAL and (reason := _SPECIAL[corpus](found, path)) != "":
        return reason
    for column, values in names.get("maps", {}).items():
        found[column] = values.get(found[values["of"]], "")
    row = {"utterance": names["utterance"].format(stem=path.stem, **found)}
    row["emotion"] = CORPORA[corpus].words.get(found["label"], "")
    columns = ("speaker", "gender", "text", "label", *names.get("extra", ()))
    return row | {column: found[column] for column in columns if column in found}


@functools.cache
def _pattern(corpus: str) -> re.Pattern:
    return re.compile(CORPORA[corpus].file_names["pattern"], re.IGNORECASE)


def _ravdess(found: dict, path: Path) -> str | None:
    if found["_channel"] == "02":
        return "song, not speech"
    if found["_modality"] != "03":
        return "the sound of a video, not the audio-only recording"
    found["gender"] = "male" if int(found["speaker"]) % 2 else "female"
    found["repetition"] = int(found["repetition"])
    return ""


def _savee(found: dict, path: Path) -> str | None:
    """Flat copies have the speaker in the name, the owners' tree in the folder's."""
    found["speaker"] = found["speaker"] or path.parent.name.upper()
    found["text"] = found["label"] + found["_number"]
    return "" if found["speaker"] in CORPORA["savee"].file_names["maps"]["gender"] else None


def _tess(found: dict, path: Path) -> str | None:
    found["speaker"] = found["speaker"][0] + "AF"
    found["sentence"] = f"Say the word {found['text']}."
    return ""


_SPECIAL: dict[str, Callable[[dict, Path], str | None]] = {
    "ravdess": _ravdess,
    "savee": _savee,
    "tess": _tess,
}
"""What a pattern and maps cannot say; they answer as :func:`parse`, "" where all is well."""


def read(root: str | os.PathLike, info: CorpusInfo, chosen: EmotionSet = FOUR) -> Corpus:
    """Read corpus *info* from *root*: its folder, a parent or a part of it; of it what is *chosen*.

    Returns:
        The corpus; each clip once, also where the tree holds it several times. ``text`` is the
        sentence's code or the word, and further columns follow the standard ones (``extra`` in
        ``corpora.toml``). git-lfs pointers are listed with ``seconds`` NaN.

    Raises:
        CorpusError: no such folder, or no name in it fits.

    Example:
        >>> read("data/emodb", CORPORA["emodb"]).table.emotion.value_counts()   # doctest: +SKIP
    """
    root, problems = open_root(info, root), Problems()
    genders = _cremad_genders(root, problems) if info.name == "cremad" else None
    rows: dict[str, dict] = {}
    groups: dict[str, list[Path]] = defaultdict(list)
    unknown: list[Path] = []
    left_out: Counter[str] = Counter()
    for path in walk(root):
        row = parse(info.name, path)
        if row is None:
            unknown.append(path)
        elif isinstance(row, str):
            left_out[row] += 1
        else:
            rows.setdefault(row["utterance"], row)
            groups[row["utterance"]].append(path)
            said = path.parent.name.lower()
            if said in FAMILIES and said != row["emotion"]:
                problems.add(
                    "contradiction",
                    f"{path.parent.name}/{path.name}: the folder says {said}, the name "
                    f"{row['emotion'] or row['label']}; the name was taken",
                )
    if not groups:
        raise wrong_layout(info, root)
    taken, copies = choose(info.name, groups, root)
    report_unknown(unknown, {path.parent for path in taken.values()}, root, problems)
    for reason, count in sorted(left_out.items()):
        problems.note(f"{count} files left out: {reason}")
    listed = [rows[name] | {"path": str(path)} for name, path in taken.items()]
    if genders is not None:
        listed = [row | {"gender": genders.get(row["speaker"], "")} for row in listed]
    return finish(info, root, listed, problems, copies, chosen)


def _cremad_genders(folder: Path, problems: Problems) -> dict[str, str]:
    """Actor -> ``female`` or ``male``; empty without a readable ``VideoDemographics.csv``."""
    name = "VideoDemographics.csv"
    near = [folder / name]
    if folder.name.lower() in ("audiowav", "audiomp3"):
        near.append(folder.parent / name)
    near += [path for path in walk(folder, [".csv"]) if path.name.lower() == name.lower()]
    for path in near:
        if path.is_file():
            with path.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
                rows = list(csv.DictReader(stream))
            found = {(row.get("ActorID") or "").strip(): row.get("Sex") or "" for row in rows}
            found = {actor: sex.strip().lower() for actor, sex in found.items()}
            return {actor: sex for actor, sex in found.items() if sex in ("female", "male")}
    problems.note("no VideoDemographics.csv beside the audio: genders are unknown")
    return {}
