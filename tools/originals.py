"""Make a list of a corpus's own clips, ``ser/corpora/originals/<corpus>.xz``.

``python -m tools.originals emodb.txt ser/corpora/originals/emodb.xz``, from lines ``<64 hex digits>
<name>  <bytes>`` (see :mod:`ser.corpora.originals`).
"""

from __future__ import annotations

import lzma
import os
import sys
from pathlib import Path

from ser.corpora.originals import DIGITS
from ser.errors import CorpusError


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


if __name__ == "__main__":
    print(f"{pack(*sys.argv[1:3])} clips")
