"""A folder held against the list of the owners' clips."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ser.corpora.originals import Originals, file_digest, is_pointer
from ser.corpora.scan import walk


@dataclass(frozen=True)
class Comparison:
    """A folder against the owners' list: clips that match, names missing or differing."""

    matching: int
    missing: tuple[str, ...]
    differing: tuple[Path, ...]

    @property
    def complete(self) -> bool:
        """Every clip is there, byte for byte."""
        return not self.missing and not self.differing

    def summary(self) -> str:
        """What differs, in words."""
        total = self.matching + len(self.missing) + len(self.differing)
        parts = [f"{self.matching} of {total} clips match"]
        if self.missing:
            parts.append(f"{len(self.missing)} are missing, such as {self.missing[0]}")
        if self.differing:
            parts.append(f"{len(self.differing)} differ, such as {self.differing[0].name}")
        if any(path.exists() and is_pointer(path) for path in self.differing):
            parts.append("some are git-lfs pointers: clone with git and type: git lfs pull")
        return ", ".join(parts)


def compare(folder: str | os.PathLike, known: Originals) -> Comparison:
    """Hash every clip below *folder* whose name is known.

    Example:
        >>> import tempfile
        >>> from ser.corpora.originals import originals
        >>> compare(tempfile.mkdtemp(), originals("urdu")).matching
        0
    """
    files = [path for path in walk(Path(folder)) if path.name.lower() in known.by_name]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        digests = list(pool.map(file_digest, files))
    good = {
        path.name.lower()
        for path, digest in zip(files, digests, strict=True)
        if known.by_name[path.name.lower()].digest == digest
    }
    bad = tuple(path for path in files if path.name.lower() not in good)
    seen = {path.name.lower() for path in files}
    missing = tuple(clip.name for base, clip in known.by_name.items() if base not in seen)
    return Comparison(len(good), missing, bad)
