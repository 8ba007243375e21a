"""A file from the web, whole or not at all: resume, retries, checksum, and a clear error.

What has come stays in ``<target>.part`` until it is complete and verified, so a cut connection,
Ctrl-C or a power cut costs nothing: the same call goes on from there. Beside it a small JSON file
remembers which version of the file was being sent (ETag or date), so that two versions are never
glued together.
"""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import logging
import os
import shutil
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from ser import __version__
from ser.corpora.checksum import Checksum
from ser.corpora.web import OPENER, extent, plain, retry_after, web_address, whole
from ser.errors import FetchError
from ser.paths import atomic_write

log = logging.getLogger(__name__)
CHUNK = 1 << 18
MARGIN = 32 << 20
LONGEST_WAIT = 60.0
LONGEST_TIMEOUT = 3600.0


class DiskFullError(FetchError):
    """No room; another source would not help."""


class _Retry(Exception):
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
    checksum: Checksum | None = None,
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
        checksum: checked before *target* appears.
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
    target = Path(target)
    url = web_address(url)
    if not (0 < timeout <= LONGEST_TIMEOUT and retries >= 0 and 0 <= pause <= LONGEST_TIMEOUT):
        raise FetchError(
            f"a timeout of {timeout} s or {retries} retries make no sense: give above 0 and up to "
            f"{LONGEST_TIMEOUT:.0f} s, and 0 or more retries"
        )
    part = target.with_name(target.name + ".part")
    tell = progress or (lambda count: None)
    stop = stop or threading.Event()
    if target.is_file() and (checksum is None or checksum.fits(target)):
        tell(target.stat().st_size)
        return target
    transfer = _Transfer(url, part, size, limit, timeout, tell)
    best, failures = -1, 0
    tell(transfer.have)
    while True:
        if stop.is_set():
            raise FetchError(f"{url}: stopped; {part} is kept")
        try:
            transfer.go_on()
            break
        except _Retry as failure:
            # A server that ignores Range starts afresh each time: only bytes beyond the
            # furthest point so far count as getting on, or this might never end.
            failures = 1 if transfer.have > best else failures + 1
            best = max(best, transfer.have)
            if failures > retries:
                raise FetchError(
                    f"{url}: {failure}; gave up after {retries} retries. "
                    f"{transfer.have:,} bytes are kept in {part}: the same command goes on there"
                ) from None
            wait = min(failure.wait or pause * 2 ** (failures - 1), LONGEST_WAIT)
            log.info("%s; trying again in %.0f s", failure, wait)
            stop.wait(wait)
    if checksum and not checksum.fits(part):
        found, bad = checksum.of(part), target.with_name(target.name + ".bad")
        os.replace(part, bad)
        transfer.forget()
        raise FetchError(
            f"{url}: wrong checksum: {checksum.algorithm} is {found}, expected "
            f"{checksum.digits.lower()}. The file is set aside as {bad}; the same command "
            "starts afresh. If it happens again, the source has changed: do not use it"
        )
    os.replace(part, target)
    transfer.forget()
    return target


class _Transfer:
    """One file on its way: the part on disk and what is known of the version being sent."""

    def __init__(
        self, url: str, part: Path, size: int | None, limit: int, timeout: float, tell: Callable
    ) -> None:
        self.url, self.part, self.size, self.limit = url, part, size, limit
        self.timeout, self.tell = timeout, tell
        self.note = part.with_name(part.name + ".json")
        self.version: str | None = None
        memory = {}
        with contextlib.suppress(OSError, ValueError):
            memory = json.loads(self.note.read_text("utf-8"))
        if isinstance(memory, dict) and memory.get("url") == url:
            version = memory.get("version")
            self.version = version if isinstance(version, str) and version.isprintable() else None
        else:
            part.unlink(missing_ok=True)
        if size is not None and self.have > size:
            part.unlink()

    @property
    def have(self) -> int:
        """Bytes on disk."""
        return self.part.stat().st_size if self.part.exists() else 0

    def forget(self) -> None:
        """Remove the memory of the version."""
        self.note.unlink(missing_ok=True)

    def go_on(self) -> None:
        """Transfer the rest; :class:`_Retry` if it breaks off."""
        have = self.have
        if self.size is not None and have == self.size:
            return
        headers = {"User-Agent": f"ser-book/{__version__}", "Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if self.version:
                headers["If-Range"] = self.version
        try:
            with OPENER.open(
                urllib.request.Request(self.url, headers=headers), timeout=self.timeout
            ) as response:
                self._receive(response, have)
        except urllib.error.HTTPError as error:
            with error:
                self._refused(error, have)
        except urllib.error.URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise FetchError(
                    f"{self.url}: its certificate cannot be verified ({error.reason.reason}); "
                    "check this computer's clock and certificates"
                ) from None
            raise _Retry(f"no connection ({plain(error.reason)})") from None
        except FetchError:
            raise
        except (ValueError, http.client.InvalidURL) as error:  # of a redirect: url is checked
            raise FetchError(
                f"{self.url}: redirected to an address that cannot be one ({plain(error)}); give "
                "another source with --url"
            ) from None
        except (OSError, http.client.HTTPException) as error:
            what = plain(error) or type(error).__name__
            raise _Retry(f"the connection broke ({what})") from None

    def _receive(self, response: http.client.HTTPResponse, have: int) -> None:
        first, total = extent(response)
        if first and first != have:
            self._start_afresh()
            raise _Retry(f"the server sent bytes from {first} instead of {have}")
        if have and not first:
            log.info("the server starts again from the beginning")
            self._start_afresh()
        if total is not None and self.size is not None and total != self.size:
            raise FetchError(
                f"{self.url}: the server offers {total:,} bytes, expected are {self.size:,}: "
                "this is not the same file"
            )
        total = total if total is not None else self.size
        self._allow(total or 0)
        self._remember(response)
        need_room(self.part.parent, (total or 0) - first)
        with open(self.part, "ab") as stream:
            at = first
            # read1 gives what is there: bytes that came before a connection died are kept.
            while at != total and (chunk := response.read1(CHUNK)):
                at += len(chunk)
                self._allow(at)
                self._write(stream, chunk)
        if total is not None and self.have < total:
            raise _Retry(f"the connection closed after {self.have:,} of {total:,} bytes")

    def _allow(self, size: int) -> None:
        if size > self.limit:
            raise FetchError(f"{self.url}: larger than {self.limit:,} bytes; this is not the file")

    def _write(self, stream: IO, chunk: bytes) -> None:
        try:
            stream.write(chunk)
            stream.flush()
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(
                    f"{self.part}: the disk is full; make room, then the same command goes on"
                ) from None
            raise FetchError(f"{self.part}: cannot be written ({error.strerror})") from None
        self.tell(len(chunk))

    def _remember(self, response: http.client.HTTPResponse) -> None:
        tag = response.headers.get("ETag", "")
        version = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
        with atomic_write(self.note, "w") as stream:
            json.dump({"url": self.url, "version": version}, stream)
        self.version = version

    def _start_afresh(self) -> None:
        self.tell(-self.have)
        self.part.unlink(missing_ok=True)

    def _refused(self, error: urllib.error.HTTPError, have: int) -> None:
        if error.code == 416 and have:
            total = whole(error.headers.get("Content-Range", "").strip().removeprefix("bytes */"))
            if total == have and self.size in (None, have):
                return
            self._start_afresh()
            raise _Retry("the server does not have the rest of this version", 0.01)
        if error.code in (408, 425, 429) or error.code >= 500:
            wait = retry_after(error.headers.get("Retry-After"))
            raise _Retry(f"the server answers {error.code} {plain(error.reason)}", wait)
        hint = {
            401: "it asks for a password",
            403: "access is refused",
            404: "there is no such file (any more)",
            410: "the file was withdrawn",
        }.get(error.code, "it cannot be had from there")
        if 300 <= error.code < 400:
            hint = "its redirects lead nowhere"
        raise FetchError(
            f"{self.url}: the server answers {error.code} {plain(error.reason)}: {hint}. "
            "Give another source with --url"
        )


def need_room(folder: Path, needed: int) -> None:
    """Raise DiskFullError unless *folder*'s disk has *needed* bytes and a little more."""
    free = shutil.disk_usage(folder).free
    if needed > 0 and free < needed + MARGIN:
        raise DiskFullError(
            f"{folder}: {needed / 1e6:,.0f} MB are needed, {free / 1e6:,.0f} MB are free; make "
            "room or choose another disk with --root"
        )
