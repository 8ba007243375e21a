"""A published checksum, and whether a file has it."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass

from ser.errors import FetchError

CHUNK = 1 << 20


@dataclass(frozen=True)
class Checksum:
    """What a file's hash must begin with (128 bits at least).

    Example:
        >>> Checksum("md5", "d41d8cd98f00b204e9800998ecf8427e").of(os.devnull)
        'd41d8cd98f00b204e9800998ecf8427e'
    """

    algorithm: str
    digits: str

    def __post_init__(self) -> None:
        longest = {"md5": 32, "sha256": 64}.get(self.algorithm, 0)
        if not re.fullmatch(f"[0-9a-fA-F]{{32,{longest}}}", self.digits):
            raise FetchError(f"{self.digits!r} is no {self.algorithm} checksum in hex digits")

    def of(self, path: str | os.PathLike) -> str:
        """The file's hash, as many digits as ``digits`` has."""
        state = hashlib.new(self.algorithm, usedforsecurity=False)
        with open(path, "rb") as stream:
            while chunk := stream.read(CHUNK):
                state.update(chunk)
        return state.hexdigest()[: len(self.digits)]

    def fits(self, path: str | os.PathLike) -> bool:
        """True where the file has this checksum."""
        return self.of(path) == self.digits.lower()
