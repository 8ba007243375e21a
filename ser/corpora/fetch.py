"""Download a corpus that may be downloaded, verified and whole (book: chapter "Corpora").

Two things are checked: the archive, where its checksum is published, and every clip, against the
owners' list (:mod:`ser.corpora.originals`). Where no checksum of the archive is known (GitHub
makes its zip files anew), every clip of the list must be there and fit. A repository that keeps
its audio in git-lfs (CREMA-D) is fetched clip by clip.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import filelock

from ser.corpora.archive import unpack
from ser.corpora.download import DiskFullError, download, need_room
from ser.corpora.load import corpus_info
from ser.corpora.originals import Original, Originals, compare, originals
from ser.corpora.registry import Source
from ser.corpora.web import web_address
from ser.errors import FetchError
from ser.paths import data_dir

log = logging.getLogger(__name__)
Bar = Callable[[int], object]

LAYOUT_FOLDERS = {"wav", "samples", "audiowav"}
"""Folders that belong to a corpus's layout, though nothing may lie beside them."""


def fetch(
    name: str,
    root: str | os.PathLike | None = None,
    *,
    url: str | None = None,
    md5: str | None = None,
    sha256: str | None = None,
    force: bool = False,
    progress: Callable[[str, int | None], contextlib.AbstractContextManager[Bar]] | None = None,
    timeout: float = 30.0,
    retries: int = 5,
    pause: float = 1.0,
) -> Path:
    """Download corpus *name* into the folder *root*, verify and unpack it.

    Asking the user about the licence is the caller's part (``ser fetch`` does).

    Args:
        name: a corpus with ``fetchable`` set, e.g. ``"emodb"``.
        root: folder that will hold the corpus; None: its place in :func:`ser.paths.data_dir`.
        url: another source (a mirror); its checksum is demanded all the same.
        md5: the archive's checksum, where the mirror packed it anew.
        sha256: likewise.
        force: replace what is in *root*; that is set aside as ``<root>.before``.
        progress: ``progress(title, total bytes)`` gives a context manager that yields a function
            to call with the bytes newly done.
        timeout: seconds of silence after which a connection counts as lost.
        retries: tries in a row without a new byte.
        pause: seconds before the first retry, doubled each time.

    Returns:
        The corpus's folder.

    Raises:
        FetchError: it may not be downloaded; something else is in *root*; network, checksum,
            archive or clips are not as they must be. What has come is kept in
            ``<root>.download``, and the same call goes on there.

    Example:
        >>> fetch("emodb", "data/emodb")     # doctest: +SKIP
        PosixPath('data/emodb')
    """
    info = corpus_info(name)
    ways = sources(info.name, url, md5, sha256)
    known = originals(info.name)
    assert known is not None, "every corpus with a source has a list of its clips"
    root = Path(os.path.abspath(Path(root).expanduser() if root else data_dir() / info.name))
    if not force and _is_there(info.name, root, known):
        return root
    work = root.with_name(root.name + ".download")
    work.mkdir(parents=True, exist_ok=True)
    limit = 2 * known.size + (1 << 30)
    options = {"timeout": timeout, "retries": retries, "pause": pause, "limit": limit}
    job = _Job(known, work, progress or _no_bar, options)
    try:
        with filelock.FileLock(work / "lock", timeout=0):
            there = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
            need_room(work, known.size + (ways[0][0].size or 0) - there)
            for number, (source, known_hash) in enumerate(ways, start=1):
                try:
                    by_clip = source.by_clip
                    home = job.clips(source) if by_clip else job.archive(source, known_hash)
                    break
                except FetchError as error:
                    if number == len(ways) or isinstance(error, DiskFullError):
                        raise
                    log.warning("%s\nnext source: %s", error, ways[number][0].url)
            _install(home, root)
    except filelock.Timeout:
        raise FetchError(f"{work}: another 'ser fetch' is at work there; wait for it") from None
    shutil.rmtree(work, ignore_errors=True)
    return root


def sources(
    name: str, url: str | None = None, md5: str | None = None, sha256: str | None = None
) -> tuple[tuple[Source, str | None], ...]:
    """Sources of corpus *name* with the hash that each must have (``md5:...``, ``sha256:...``).

    With *url* that source alone; the checksum given goes with it, or else the corpus's published
    one. Without any the clips themselves are verified.

    Raises:
        FetchError: the corpus may not be downloaded (the message says how to get it), *url* is
            no address, or a checksum is none.

    Example:
        >>> sources("emodb")[0][1]
        'md5:9d21362dbc5676ef3ab4745d83ced0db'
    """
    info = corpus_info(name)
    if not info.fetchable:
        reason = {
            "synthetic": "is made on this computer, there is nothing to fetch: ser check synthetic",
            "manifest": "lists recordings of your own, there is nothing to fetch",
        }.get(info.name, "cannot be fetched by a program")
        way = "" if info.name == "synthetic" else f". {info.get}"
        raise FetchError(f"{info.name} {reason}{way}")
    for algorithm, digits, most in (("md5", md5, 32), ("sha256", sha256, 64)):
        if digits is not None and not re.fullmatch(f"[0-9a-fA-F]{{32,{most}}}", digits):
            raise FetchError(f"{digits!r} is no {algorithm} checksum in hex digits")
    ways = info.sources
    if url:
        url = web_address(url)
        by_clip = ways[0].by_clip and not re.search(r"\.zip(\?|$)", url)
        if by_clip and "{name}" not in url and "%7Bname%7D" not in url:
            url = url.rstrip("/") + "/{name}"
        summed = next((source.md5 for source in ways if source.md5 and not sha256), None)
        own = Source(url.replace("%7Bname%7D", "{name}"), md5=summed, folder=ways[0].folder)
        ways = tuple(source for source in ways if source.url == own.url) or (own,)
    given = f"sha256:{sha256.lower()}" if sha256 else f"md5:{md5.lower()}" if md5 else None
    return tuple(
        (source, given or (f"md5:{source.md5}" if source.md5 else None)) for source in ways
    )


def _is_there(name: str, root: Path, known: Originals) -> bool:
    """True if *root* is the whole corpus already; an error if something else is in the way."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    found = "a file"
    if root.is_dir():
        matching, wrong = compare(root, known)
        if not wrong:
            log.info("%s is in %s already: all %d clips, verified", name, root, len(known))
            return True
        found = f"{matching} of {len(known)} clips as the owners ship them"
    raise FetchError(
        f"{root}: is not empty ({found}). 'ser check {name} --root \"{root}\"' tells what it "
        f"holds; --force fetches anew and sets it aside as {root.name}.before"
    )


@dataclass(frozen=True)
class _Job:
    """One corpus on its way into the folder *work*."""

    known: Originals
    work: Path
    bar: Callable[[str, int | None], contextlib.AbstractContextManager[Bar]]
    options: dict[str, Any]

    def archive(self, source: Source, known_hash: str | None) -> Path:
        """Download, verify and unpack an archive; returns the corpus's folder in it."""
        name = PurePosixPath(unquote(urlsplit(source.url).path)).name
        file = self.work / (re.sub(r"[^\w.-]", "_", name)[-80:].strip(".") or "archive")
        with self.bar(file.name, source.size) as tell:
            download(
                source.url, file, size=source.size, known_hash=known_hash, progress=tell,
                **self.options,
            )  # fmt: skip
        place, bad = self.work / "unpacked", file.with_name(file.name + ".bad")
        shutil.rmtree(place, ignore_errors=True)
        with self.bar("unpacking", None) as tell:
            try:
                unpack(file, place, max_bytes=max(1 << 30, 10 * self.known.size), progress=tell)
            except FetchError as error:
                if not isinstance(error, DiskFullError):
                    os.replace(file, bad)
                raise
        _, wrong = compare(place, self.known)
        if not wrong:
            log.info("verified: all %d clips are the owners', byte for byte", len(self.known))
        elif known_hash:  # the published checksum of the archive outweighs the list of clips
            log.warning(
                "the archive is as published, but %s; the check told next names them", wrong
            )
        else:
            os.replace(file, bad)
            shutil.rmtree(place, ignore_errors=True)
            raise FetchError(
                f"{source.url}: not the owners' corpus: {wrong}. The archive is set aside as "
                f"{bad}; nothing was installed"
            )
        return _home(place)

    def clips(self, source: Source) -> Path:
        """Download every clip of the list, several at a time; those that are there are kept."""
        place = self.work / "clips" / source.folder
        place.mkdir(parents=True, exist_ok=True)
        stop, lock = threading.Event(), threading.Lock()

        def get(clip: Original, tell: Bar) -> None:
            """Download one clip, verified, into its place."""

            def count(new: int) -> None:
                with lock:
                    tell(new)

            name = PurePosixPath(clip.name).name
            download(
                source.url.replace("{name}", quote(name)), place / name, size=clip.size,
                known_hash=f"sha256:{clip.digest}", progress=count, stop=stop, **self.options,
            )  # fmt: skip

        with self.bar(source.folder, self.known.size) as tell, ThreadPoolExecutor(8) as pool:
            waiting = [pool.submit(get, clip, tell) for clip in self.known.clips]
            try:
                for done in as_completed(waiting):
                    done.result()
            except BaseException:
                stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for bad in place.glob("*.bad"):
            bad.unlink()
        for url in source.extras:
            target = place.parent / PurePosixPath(url).name
            try:
                download(url, target, **(self.options | {"limit": 1 << 20}))
            except FetchError as error:
                log.warning("%s; the corpus is complete without it", error)
                for rest in target.parent.glob(f"{target.name}*"):
                    rest.unlink()
        return self.work / "clips"


def _home(place: Path) -> Path:
    """The corpus's folder in what was unpacked: through folders that only wrap another one."""
    while True:
        inside = [path for path in place.iterdir() if not path.name.startswith(".")]
        if len(inside) != 1 or not inside[0].is_dir() or inside[0].name.lower() in LAYOUT_FOLDERS:
            return place
        place = inside[0]


def _install(home: Path, root: Path) -> None:
    if root.is_dir() and not any(root.iterdir()):
        root.rmdir()
    if os.path.lexists(root):
        aside, number = root.with_name(f"{root.name}.before"), 1
        while os.path.lexists(aside):
            number += 1
            aside = root.with_name(f"{root.name}.before{number}")
        os.rename(root, aside)
        log.info("what was in %s is now in %s", root, aside)
    os.rename(home, root)


@contextlib.contextmanager
def _no_bar(title: str, total: int | None) -> Iterator[Bar]:
    yield lambda count: None
