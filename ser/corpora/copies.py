"""Several files that bear one clip's name: which is taken, and what is said of the others.

Whoever searches a tree for ``*.wav`` gets all of them. Here the file whose bytes are the owners'
is taken, wherever it lies. Else folders whose names say that they hold another signal
(:data:`OTHER_SIGNALS`) are passed over, unreadable files go after readable ones and lossy formats
after lossless ones. Files of equal bytes, or of equal samples, are one clip. Where none of this
decides, nothing is guessed: :func:`ser.load_corpus` refuses, and ``ser check`` says which files
differ in what.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ser.corpora.base import Copy
from ser.corpora.examine import Clip, examine_all
from ser.corpora.originals import file_digest, originals
from ser.corpora.problems import Problem
from ser.corpora.scan import SUFFIXES, below, look
from ser.paths import quoted

OTHER_SIGNALS = frozenset([
    # of other sensors than the microphone
    "egg", "electroglottograph", "electroglottography", "laryngo", "laryngogram", "laryngograms",
    "laryngograph", "lx",
    # made from the clips to train on
    "aug", "augment", "augmentation", "augmentations", "augmented", "babble", "mixup", "noise",
    "noised", "noisy", "perturb", "perturbed", "pitched", "pitchshift", "pitchshifted", "reverb",
    "reverbed", "reverberant", "reverberated", "rir", "shifted", "stretch", "stretched",
    "timestretch", "timestretched",
    # made from the clips to be heard better
    "cleaned", "denoise", "denoised", "denoising", "dereverb", "dereverberated", "enhanced",
    "enhancement",
])  # fmt: skip
"""Words in a folder's name that say it holds another signal under the clips' names."""

LOSSLESS = (".wav", ".flac", ".aiff", ".aif", ".au", ".aifc", ".caf", ".rf64", ".snd", ".w64")
LOSSY_PADDING = 0.25
"""Seconds by which a lossy file may be longer or shorter than the sound it was made of."""


def rank(path: Path) -> tuple:
    """The order of files of one clip that are equal in sound: WAV first, then the least deep."""
    suffix = path.suffix.lower()
    order = SUFFIXES.index(suffix) if suffix in SUFFIXES else len(SUFFIXES)
    return order, len(path.parts), path.as_posix()


def other_signal(path: Path, root: Path) -> Path | None:
    """The folder between *root* and *path* whose name says that it holds another signal.

    Example:
        >>> root = Path("EmoDB")
        >>> other_signal(root / "laryngo" / "03a01Fa.wav", root).name
        'laryngo'
        >>> other_signal(root / "wav" / "03a01Fa.wav", root) is None
        True
    """
    for folder in reversed(path.parents):
        if folder.is_relative_to(root) and folder != root and names_other_signal(folder.name):
            return folder
    return None


def names_other_signal(name: str) -> bool:
    """True for a folder's name such as ``laryngo``, ``wav_noisy`` or ``AugmentedData``."""
    words = re.findall(r"[A-Z]*[a-z]+|[A-Z]+", name)
    return any(word.lower() in OTHER_SIGNALS for word in words)


def choose(
    corpus: str, groups: dict[str, list[Path]], root: Path
) -> tuple[dict[str, Path], tuple[Copy, ...]]:
    """One file a clip.

    Args:
        corpus: its name, for the list of the owners' bytes.
        groups: clip's name -> the files that bear it.
        root: the folder that is read; names of folders above it say nothing.

    Returns:
        Clip's name -> its file, without clips that lie in passed-over folders only; and every
        other file, with how it stands to the one taken. Bytes are compared only where a clip has
        several files, samples only where bytes differ and neither are the owners'.
    """
    known = originals(corpus)
    folders = {path.parent for group in groups.values() for path in group}
    elsewhere = {folder for folder in folders if other_signal(folder / "clip", root)}
    taken, several = {}, {}
    for name, group in sorted(groups.items()):
        if len(group) == 1 and group[0].parent not in elsewhere:
            taken[name] = group[0]
        else:
            several[name] = sorted(group, key=rank)
    paths = [path for group in several.values() for path in group]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        digests = dict(zip(paths, pool.map(_digest, paths), strict=True))
    copies, undecided = [], {}
    for name, group in several.items():
        clip = known.by_stem.get(name.lower()) if known else None
        own = [path for path in group if clip and digests[path] == clip.digest]
        speech = [path for path in group if path.parent not in elsewhere]
        if own:
            taken[name] = own[0]
            copies += [Copy(path, own[0], "same bytes") for path in own[1:]]
            for path in [path for path in speech if path not in own]:
                same = path.suffix.lower() == own[0].suffix.lower()
                copies.append(Copy(path, own[0], "not original" if same else "other format"))
        elif len({digests[path] for path in speech}) > 1:
            undecided[name] = speech
        elif speech:
            taken[name] = speech[0]
            copies += [Copy(path, speech[0], "same bytes") for path in speech[1:]]
    for name, (path, others) in _by_sound(undecided).items():
        taken[name] = path
        copies += others
    done = {copy.path for copy in copies} | set(taken.values())
    for name, group in several.items():
        rest = [path for path in group if path not in done]
        copies += [Copy(path, taken.get(name), "other signal") for path in rest]
    return taken, tuple(sorted(copies, key=lambda copy: copy.path))


def _digest(path: Path) -> str:
    try:
        return file_digest(path)
    except OSError:
        return f"cannot be read: {path}"


def _by_sound(groups: dict[str, list[Path]]) -> dict[str, tuple[Path, list[Copy]]]:
    """Of files with different bytes, none of them the owners': the one that is taken, and why."""
    lossless = {
        name: [path for path in group if path.suffix.lower() in LOSSLESS] or group
        for name, group in groups.items()
    }
    paths = [path for group in lossless.values() if len(group) > 1 for path in group]
    heard = dict(zip(paths, examine_all([(str(p), 0.0, None) for p in paths]), strict=True))
    found = {}
    for name, group in groups.items():
        best = next((p for p in lossless[name] if p not in heard or not heard[p].error), group[0])
        others = [
            _beside(path, best, heard) if path in lossless[name] else _lossy(path, best)
            for path in group
            if path != best
        ]
        found[name] = best, others
    return found


def _beside(path: Path, best: Path, heard: dict[Path, Clip]) -> Copy:
    one, two = heard[path], heard[best]
    if one.digest and one.digest == two.digest:
        return Copy(path, best, "same bytes")
    if one.error:
        return Copy(path, best, "unusable", one.error)
    if (one.sound, one.rate) == (two.sound, two.rate):
        return Copy(path, best, "same sound")
    return Copy(path, best, "undecided", f"{_facts(one)}; the other {_facts(two)}")


def _lossy(path: Path, best: Path) -> Copy:
    (length, wrong, _), (wanted, unknown, _) = look(path), look(best)
    if wrong or unknown or abs(length - wanted) <= LOSSY_PADDING:
        return Copy(path, best, "other format")
    return Copy(path, best, "undecided", f"{length:.3f} s; the other {wanted:.3f} s")


def _facts(clip: Clip) -> str:
    channels = f", {clip.channels} channels" if clip.channels > 1 else ""
    return f"{clip.rate} Hz, {clip.seconds:.3f} s{channels}, SHA-256 {clip.digest[:12]}"


def copy_problems(copies: Sequence[Copy], root: Path) -> list[Problem]:
    """What to say of files that bear a clip's name and were not taken."""
    groups: dict[str, list[Copy]] = defaultdict(list)
    for copy in copies:
        groups[copy.how].append(copy)
    told = []
    if same := groups["undecided"]:
        lines = [f"{below(c.path, root)} and {below(c.taken, root)}: {c.differs}" for c in same]
        text = (
            "two files bear the name of one clip and differ, and nothing says which is right "
            f"({len(same)}); {_ways_out(same, root)}"
        )
        told.append(Problem("conflicting copies", "error", text, lines))
    parting = "{count} files below {folder} and as many below {first} are the same"
    told += _parted(
        groups["same bytes"], root, "nested copy", "warning",
        parting + ", byte for byte; each clip was taken once (a recursive search counts it twice "
        "and leaks it into the test side)",
    )  # fmt: skip
    told += _parted(
        groups["not original"], root, "other version", "warning",
        "{count} files below {folder} bear names of clips whose owners' files, byte for byte, lie "
        "below {first}; the owners' were taken",
    )  # fmt: skip
    told += _parted(
        groups["unusable"], root, "unusable copy", "warning",
        "{count} files below {folder} cannot be used; those of the same name below {first} were "
        "taken",
    )  # fmt: skip
    told += _parted(
        groups["same sound"], root, "same sound", "note",
        parting + " samples in other bytes; each clip was taken once",
    )  # fmt: skip
    kinds: dict[str, list[str]] = defaultdict(list)
    for copy in groups["other format"]:
        kinds[copy.path.suffix.lower()].append(below(copy.path, root))
    for suffix, names in sorted(kinds.items()):
        text = f"clips that are there as {suffix} files too: {len(names)}; those were not taken"
        told.append(Problem("other format", "note", text, names))
    folders: dict[str, list[Copy]] = defaultdict(list)
    for copy in groups["other signal"]:
        folders[below(other_signal(copy.path, root) or root, root)].append(copy)
    for folder, inside in sorted(folders.items()):
        alone = sum(copy.taken is None for copy in inside)
        only = f" ({alone} of them are all there is of their clip)" if alone else ""
        text = (
            f"{len(inside)} files in {folder}/ were passed over{only}: by its name it holds "
            "another signal than the clips as recorded; to read it all the same: "
            f"`--root {quoted(root / folder)}`"
        )
        severity = "warning" if alone else "note"
        names = [below(copy.path, root) for copy in inside]
        told.append(Problem("other signal", severity, text, names))
    return told


def _ways_out(same: Sequence[Copy], root: Path) -> str:
    """What to do where nothing decides; whatever it is, no file is lost by it."""
    pairs = {_where_they_part(copy, root) for copy in same}
    one, two = next(iter(pairs))
    if len(pairs) > 1 or one == two:
        return "move those that you do not mean to a place of their own"
    if one.is_relative_to(two) or two.is_relative_to(one):
        inner = max(one, two, key=lambda folder: len(folder.parts))
        return f"give the inner folder, `--root {quoted(inner)}`, or move it out of {root}"
    return f"give the folder that you mean: `--root {quoted(one)}` or `--root {quoted(two)}`"


def _where_they_part(copy: Copy, root: Path) -> tuple[Path, Path]:
    """The two folders without the trailing parts they share (``Actor_01``)."""
    one, two = copy.path.parent, copy.taken.parent
    while one.name == two.name and one not in (two, root) and two != root:
        one, two = one.parent, two.parent
    return one, two


def _parted(same: list[Copy], root: Path, kind: str, severity: str, text: str) -> list[Problem]:
    groups: dict[tuple[Path, Path], list[str]] = defaultdict(list)
    for copy in same:
        groups[_where_they_part(copy, root)].append(below(copy.path, root))
    told = []
    for (one, two), names in sorted(groups.items()):
        said = text.format(count=len(names), folder=below(one, root), first=below(two, root))
        told.append(Problem(kind, severity, said, names))
    return told
