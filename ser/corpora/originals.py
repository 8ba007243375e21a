"""What the owners' own clips look like, byte for byte (book: chapter "Corpora").

Copies going round are often re-encoded, resampled or cut; a number made on them compares with
nothing. So the package carries, for five corpora, each clip's name, size in bytes and the first
128 bits of its SHA-256, which no accident and no known attack reproduces.

``originals/<corpus>.xz`` is xz-compressed text, one clip a line, ``<32 hex digits> <name>
<bytes>``, sorted by name (``xzcat emodb.xz`` shows it). :func:`pack` made the files from lists
``<64 hex digits>  <name>  <bytes>``::

    python -c "from ser.corpora.originals import pack; pack('emodb.txt', 'emodb.xz')"

How sure the lists are: nEMO and URDU are confirmed on bytes throughout, EmoDB for 342 of 535
clips; CREMA-D's come from its git-lfs pointers; RAVDESS's from a complete copy whose durations
fit the published metadata.
"""

from __future__ import annotations

import functools
import hashlib
import lzma
import os
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ser.errors import CorpusError

FOLDER = Path(__file__).with_name("originals")
DIGITS = 32
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Original:
    """One clip as its owners ship it: name (URDU: with its folder), size in bytes, digest."""

    name: str
    size: int
    digest: str


@dataclass(frozen=True)
class Originals:
    """The owners' clips of one corpus; look-ups ignore folders and the case of names."""

    corpus: str
    clips: tuple[Original, ...]
    by_name: dict[str, Original] = field(repr=False)
    by_stem: dict[str, Original] = field(repr=False)
    by_digest: dict[str, tuple[Original, ...]] = field(repr=False)

    def __len__(self) -> int:
        return len(self.clips)

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
    by_digest: dict[str, tuple[Original, ...]] = {}
    for clip in clips:
        by_digest[clip.digest] = (*by_digest.get(clip.digest, ()), clip)
    bases = {PurePosixPath(clip.name).name.lower(): clip for clip in clips}
    stems = {os.path.splitext(name)[0]: clip for name, clip in bases.items()}
    return Originals(corpus, tuple(clips), bases, stems, by_digest)


def file_digest(path: str | os.PathLike) -> str:
    """First 128 bits of the SHA-256 of a file's bytes, in hex, as the lists hold them.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "empty"
        >>> file.touch()
        >>> file_digest(file)
        'e3b0c44298fc1c149afbf4c8996fb924'
    """
    state = hashlib.sha256()
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            state.update(chunk)
    return state.hexdigest()[:DIGITS]


def is_pointer(path: str | os.PathLike) -> bool:
    """True for the short text that git-lfs leaves where a file has not been pulled.

    Example:
        >>> is_pointer(__file__)
        False
    """
    with open(path, "rb") as stream:
        return stream.read(40).startswith(b"version https://git-lfs")


def pack(source: str | os.PathLike, target: str | os.PathLike) -> int:
    """Turn a list ``sha256  name  bytes`` into the compact form; returns the number of clips.

    Raises:
        CorpusError: a line of *source* has another form.
    """
    lines = []
    for number, line in enumerate(Path(source).read_text("utf-8").splitlines(), start=1):
        fields = line.split()
        if len(fields) != 3 or len(fields[0]) != 64 or not fields[2].isdecimal():
            raise CorpusError(f"{source}, line {number}: not 'sha256  name  bytes': {line[:80]!r}")
        lines.append((fields[1], f"{fields[0][:DIGITS].lower()} {fields[1]} {fields[2]}\n"))
    text = "".join(line for _, line in sorted(lines)).encode()
    Path(target).write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))
    return len(lines)
