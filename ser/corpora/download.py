"""A file from the web, whole or not at all: resumed, retried, verified, or a clear error.

pooch transfers the bytes. What it does not do stands here: it keeps nothing of a cut download, asks
neither for room on the disk nor for an end of what comes, and tries once. What has come stays in
``<target>.part`` until it is complete and verified, so a cut connection, Ctrl-C or a power cut
costs nothing: the same call goes on from there. A text file beside it remembers which version of
the file was being sent (ETag or date), so that two versions are never glued together.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import shutil
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser import __version__
from ser.corpora.web import cause, plain, web_address
from ser.errors import FULL, FetchError

if TYPE_CHECKING:
    import requests

log = logging.getLogger(__name__)
CHUNK = 1 << 14
MARGIN = 32 << 20
LONGEST_WAIT = 60.0
LONGEST_TIMEOUT = 3600.0
_REFUSED = {
    401: "it asks for a password",
    403: "access is refused",
    404: "there is no such file (any more)",
    410: "the file was withdrawn",
}


class DiskFullError(FetchError):
    """No room; another source would not help."""


class _Interrupted(Exception):
    """Worth another try, after *wait* seconds if the server named a time."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


def download(
    url: str,
    target: str | os.PathLike,
    *,
    size: int | None = None,
    limit: int = 100 << 30,
    known_hash: str | None = None,
    timeout: float = 30.0,
    retries: int = 5,
    pause: float = 1.0,
    progress: Callable[[int], object] | None = None,
    stop: threading.Event | None = None,
) -> Path:
    """Fetch *url* into the file *target*, going on from ``<target>.part`` if it is there.

    Args:
        url: an http or https address.
        target: where the complete, verified file goes; its folder must exist.
        size: bytes expected, if known.
        limit: most bytes to accept.
        known_hash: checked before *target* appears; see :func:`hash_of`.
        timeout: seconds of silence after which the connection counts as lost.
        retries: tries in a row without a new byte before giving up.
        pause: seconds before the first retry; doubled each time, a minute at most.
        progress: called with the bytes newly there (negative when it starts afresh).
        stop: set by another thread to break off soon; the part is kept.

    Returns:
        *target* as a Path.

    Raises:
        FetchError: the address, the network, the server's answer, the size or the checksum is
            wrong; a file with a wrong checksum is set aside as ``<target>.bad``.
        DiskFullError: there is no room on the disk; the part is kept.

    Example:
        >>> download("http://localhost/emodb.zip", "emodb.zip")     # doctest: +SKIP
        PosixPath('emodb.zip')
    """
    target, url = Path(target), web_address(url)
    if not (0 < timeout <= LONGEST_TIMEOUT and retries >= 0 and 0 <= pause <= LONGEST_TIMEOUT):
        raise FetchError(
            f"a timeout of {timeout} s or {retries} retries make no sense: give above 0 and up to "
            f"{LONGEST_TIMEOUT:.0f} s, and 0 or more retries"
        )
    tell, stop = progress or (lambda count: None), stop or threading.Event()
    if target.is_file() and (known_hash is None or hash_of(target, known_hash) == known_hash):
        tell(target.stat().st_size)
        return target
    part = _Part(url, target.with_name(target.name + ".part"), size, limit, tell, stop)
    best, failures = -1, 0
    while True:
        try:
            part.go_on(timeout)
            break
        except _Interrupted as failure:
            # A server that ignores Range starts afresh each time: only bytes beyond the
            # furthest point so far count as getting on, or this might never end.
            failures = 1 if part.have > best else failures + 1
            best = max(best, part.have)
            if failures > retries:
                raise FetchError(
                    f"{url}: {failure}; gave up after {retries} retries. {part.have:,} bytes are "
                    f"kept in {part.path}: the same command goes on there"
                ) from None
            wait = min(failure.wait or pause * 2 ** (failures - 1), LONGEST_WAIT)
            log.info("%s; trying again in %.0f s", failure, wait)
            stop.wait(wait)
    part.note.unlink(missing_ok=True)
    if known_hash and (found := hash_of(part.path, known_hash)) != known_hash:
        bad = target.with_name(target.name + ".bad")
        os.replace(part.path, bad)
        raise FetchError(
            f"{url}: wrong checksum: it is {found}, expected {known_hash}. The file is set aside "
            f"as {bad}; the same command starts afresh. If it happens again, the source has "
            "changed: do not use it"
        )
    os.replace(part.path, target)
    return target


class _Part:
    """The bytes that have come: a file that pooch writes to, and which version they are of."""

    def __init__(
        self,
        url: str,
        path: Path,
        size: int | None,
        limit: int,
        tell: Callable[[int], object],
        stop: threading.Event,
    ) -> None:
        self.url, self.path, self.size, self.limit = url, path, size, limit
        self.tell, self.stop = tell, stop
        self.note = path.with_name(path.name + ".version")
        told = ""
        with contextlib.suppress(OSError, UnicodeDecodeError):
            told = self.note.read_text("utf-8")
        before, _, self.version = told.partition("\n")
        if before != url or (size is not None and self.have > size):
            path.unlink(missing_ok=True)
        tell(self.have)

    @property
    def have(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size if self.path.exists() else 0

    def go_on(self, timeout: float) -> None:
        """Transfer the rest; :class:`_Interrupted` if it breaks off."""
        import pooch
        import requests

        have = self.have
        if self.size is not None and have == self.size:
            return
        headers = {"User-Agent": f"ser-book/{__version__}", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.version:
                headers["If-Range"] = self.version
        transfer = pooch.HTTPDownloader(
            chunk_size=CHUNK, timeout=timeout, headers=headers, hooks={"response": self.begin}
        )
        try:
            transfer(self.url, self, None)
            if self.size is not None and self.have < self.size:
                raise _Interrupted(f"it closed after {self.have:,} of {self.size:,} bytes")
        except requests.HTTPError as error:
            self.refused(error.response, have)
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            why = cause(error)
            if isinstance(why, ssl.SSLCertVerificationError):
                raise FetchError(
                    f"{self.url}: its certificate cannot be verified ({plain(why)}); check this "
                    "computer's clock and certificates"
                ) from None
            raise _Interrupted(f"no connection, or it broke ({plain(why)})") from None
        except (requests.RequestException, ValueError) as error:  # a redirect to nowhere, too
            raise FetchError(
                f"{self.url}: the server's answer makes no sense ({plain(cause(error))}); give "
                "another source with --url"
            ) from None

    def begin(self, response: requests.Response, **_: Any) -> None:
        """Look at an answer before its body: is this the rest of this file, and is there room?"""
        if response.is_redirect or response.status_code >= 400:
            return
        coding = response.headers.get("Content-Encoding", "identity")
        if coding != "identity" or response.status_code not in (200, 206):
            raise FetchError(  # what is unpacked on the way cannot be resumed
                f"{self.url}: an unexpected answer ({response.status_code}, packed as "
                f"{plain(coding)}); give another source with --url"
            )
        first, told = 0, response.headers.get("Content-Length", "")
        if response.status_code == 206:
            extent = response.headers.get("Content-Range", "")
            found = re.fullmatch(r"bytes ([0-9]{1,18})-[0-9]+/(.+)", extent.strip())
            first, told = (int(found[1]), found[2]) if found else (-1, "")
        if first != self.have:
            self.start_afresh()
        if first != self.have:
            raise _Interrupted("the server sent another part of the file than was asked for")
        expected = int(told) if re.fullmatch("[0-9]{1,18}", told) else self.size
        if None not in (expected, self.size) and expected != self.size:
            raise FetchError(
                f"{self.url}: the server offers {expected:,} bytes, expected are {self.size:,}: "
                "this is not the same file"
            )
        self.check_limit(expected or 0)
        tag = response.headers.get("ETag", "W/")
        changed = response.headers.get("Last-Modified", "")
        self.version = changed if tag.startswith("W/") else tag
        self.note.write_text(f"{self.url}\n{self.version}", "utf-8")
        need_room(self.path.parent, (expected or 0) - first)

    def write(self, chunk: bytes) -> None:
        """Add what came to the part."""
        if self.stop.is_set():
            raise FetchError(f"{self.url}: stopped; {self.path} is kept")
        self.check_limit(self.have + len(chunk))
        try:
            with open(self.path, "ab") as stream:
                stream.write(chunk)
        except OSError as error:
            if error.errno in FULL:
                raise DiskFullError(
                    f"{self.path}: the disk is full; make room, then the same command goes on"
                ) from None
            raise FetchError(f"{self.path}: cannot be written ({error.strerror})") from None
        self.tell(len(chunk))

    def flush(self) -> None:
        """Nothing is held back."""

    def check_limit(self, size: int) -> None:
        """Refuse more bytes than any honest copy has."""
        if size > self.limit:
            raise FetchError(f"{self.url}: larger than {self.limit:,} bytes; this is not the file")

    def start_afresh(self) -> None:
        """Drop what has come."""
        self.tell(-self.have)
        self.path.unlink(missing_ok=True)

    def refused(self, response: requests.Response, have: int) -> None:
        """Tell an error status from one that is worth another try."""
        status, reason = response.status_code, plain(response.reason)
        if status == 416 and have:
            if response.headers.get("Content-Range", "").strip() == f"bytes */{have}":
                return  # all of it had come
            self.start_afresh()
            raise _Interrupted("the server does not have the rest of this version", 0.01)
        if status in (408, 425, 429) or status >= 500:
            wait = response.headers.get("Retry-After", "")
            seconds = float(wait) if re.fullmatch("[0-9]{1,9}", wait) else None
            raise _Interrupted(f"the server answers {status} {reason}", seconds)
        raise FetchError(
            f"{self.url}: the server answers {status} {reason}: "
            f"{_REFUSED.get(status, 'it cannot be had from there')}. Give another source with --url"
        )


def hash_of(path: str | os.PathLike, like: str) -> str:
    """A file's hash, written as *like* is: ``md5:<digits>`` or ``sha256:<digits>``.

    Of a SHA-256 the first 128 bits are enough: *like* tells how many digits are compared.

    Example:
        >>> hash_of(os.devnull, "md5:" + "0" * 32)
        'md5:d41d8cd98f00b204e9800998ecf8427e'
    """
    algorithm, _, digits = like.partition(":")
    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, algorithm).hexdigest()
    return f"{algorithm}:{found[: len(digits)]}"


def need_room(folder: Path, needed: int) -> None:
    """Raise DiskFullError unless *folder*'s disk has *needed* bytes and a little more."""
    free = shutil.disk_usage(folder).free
    if needed > 0 and free < needed + MARGIN:
        raise DiskFullError(
            f"{folder}: {needed / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free; make "
            "room or choose another disk with --root"
        )
