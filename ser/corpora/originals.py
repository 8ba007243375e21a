"""What the owners' own clips look like, byte for byte (book: chapter "Corpora").

Copies going round are often re-encoded, resampled or cut; a number made on them compares with
nothing. So the package carries, for five corpora, each clip's name, size in bytes and the first
128 bits of its SHA-256, which no accident and no known attack reproduces.

``originals/<corpus>.xz`` is xz-compressed text, one clip a line, ``<32 hex digits> <name>
<bytes>``, sorted by name (``xzcat emodb.xz`` shows it).

How sure the lists are: nEMO and URDU are confirmed on bytes throughout, EmoDB for 342 of 535
clips; CREMA-D's come from its git-lfs pointers; RAVDESS's from a complete copy whose durations
fit the published metadata.
"""

from __future__ import annotations

import functools
import hashlib
import lzma
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ser.corpora.scan import look, walk

FOLDER = Path(__file__).with_name("originals")
DIGITS = 32


@dataclass(frozen=True)
class Original:
    """One clip as its owners ship it: name (URDU: with its folder), size in bytes, digest."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Originals:
    """The owners' clips of one corpus; look-ups ignore folders and the case of names."""

    clips: tuple[Original, ...]

    def __len__(self) -> int:
        return len(self.clips)

    @functools.cached_property
    def by_name(self) -> dict[str, Original]:
        """File name in small letters -> clip."""
        return {PurePosixPath(clip.name).name.lower(): clip for clip in self.clips}

    @functools.cached_property
    def by_stem(self) -> dict[str, Original]:
        """The same without the names' endings."""
        return {os.path.splitext(name)[0]: clip for name, clip in self.by_name.items()}

    @functools.cached_property
    def by_digest(self) -> dict[str, tuple[Original, ...]]:
        """Digest -> the clips that have it."""
        found: dict[str, tuple[Original, ...]] = {}
        for clip in self.clips:
            found[clip.digest] = (*found.get(clip.digest, ()), clip)
        return found

    @property
    def size(self) -> int:
        """Bytes of all clips together."""
        return sum(clip.size for clip in self.clips)

    def verdict(self, file_name: str, digest: str) -> str:
        """How a file stands to the owners' clips.

        Returns:
            ``"original"``: name and bytes are the owners'; ``"renamed"``: the bytes are those of
            a clip with another name, so that its label is in doubt; ``"re-encoded"``: a clip's
            name with another ending (FLAC for WAV); ``"differing"``: a clip's name, other bytes;
            ``"unlisted"``: neither name nor bytes are known.

        Example:
            >>> originals("emodb").verdict("03a01Fa.wav", "9c0fd58b5068636d850cf10b69f71da3")
            'original'
            >>> originals("emodb").verdict("03a01Fa.flac", "0" * 32)
            're-encoded'
        """
        name = file_name.lower()
        clip = self.by_name.get(name)
        if clip and clip.digest == digest:
            return "original"
        if digest in self.by_digest:
            return "renamed"
        if clip:
            return "differing"
        return "re-encoded" if os.path.splitext(name)[0] in self.by_stem else "unlisted"


@functools.cache
def originals(corpus: str) -> Originals | None:
    """The list for *corpus*, or None where the package has none.

    Example:
        >>> known = originals("urdu")
        >>> len(known), known.clips[0].name
        (400, 'Angry/SM1_F10_A010.wav')
        >>> originals("manifest") is None
        True
    """
    file = FOLDER / f"{corpus}.xz"
    if not corpus.isalnum() or not file.is_file():
        return None
    clips = []
    for line in lzma.decompress(file.read_bytes()).decode("utf-8").splitlines():
        digest, name, size = line.split(" ")
        clips.append(Original(name, int(size), digest))
    return Originals(tuple(clips))


def file_digest(path: str | os.PathLike) -> str:
    """First 128 bits of the SHA-256 of a file's bytes, in hex, as the lists hold them.

    Raises:
        OSError: it is not there, is not a file or cannot be read.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "empty"
        >>> file.touch()
        >>> file_digest(file)
        'e3b0c44298fc1c149afbf4c8996fb924'
    """
    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        raise OSError(f"{path}: is a folder, a pipe or a device, not a file; move it away")
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:DIGITS]


def compare(folder: str | os.PathLike, known: Originals) -> tuple[int, str]:
    """Hash every clip below *folder* whose name is known.

    Returns:
        How many clips are the owners', byte for byte, and what is wrong, ``""`` where all are.

    Example:
        >>> import tempfile
        >>> compare(tempfile.mkdtemp(), originals("urdu"))[1]
        '0 of 400 clips match, 400 are missing, such as Angry/SM1_F10_A010.wav'
    """
    files = [path for path in walk(Path(folder)) if path.name.lower() in known.by_name]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        digests = dict(zip(files, pool.map(_digest_or_none, files), strict=True))
    good = {
        path.name.lower()
        for path in files
        if known.by_name[path.name.lower()].digest == digests[path]
    }
    bad = [path for path in files if path.name.lower() not in good]
    seen = {path.name.lower() for path in files}
    missing = [clip.name for base, clip in known.by_name.items() if base not in seen]
    if not bad and not missing:
        return len(good), ""
    wrong = [f"{len(good)} of {len(good) + len(missing) + len(bad)} clips match"]
    if missing:
        wrong.append(f"{len(missing)} are missing, such as {missing[0]}")
    if bad:
        wrong.append(f"{len(bad)} differ, such as {bad[0].name}")
    if any(look(path)[1] == "pointer" for path in bad):
        wrong.append("some are git-lfs pointers: clone with git and type: git lfs pull")
    return len(good), ", ".join(wrong)


def _digest_or_none(path: Path) -> str | None:
    """The digest of what can be read: a link to nowhere is not the owners' clip."""
    try:
        return file_digest(path)
    except OSError:
        return None
