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
from pathlib import Path, PurePosixPath
from urllib.parse import quote, unquote, urlsplit

from ser.corpora import corpus_info
from ser.corpora.archive import unpack
from ser.corpora.checksum import Checksum
from ser.corpora.compare import compare
from ser.corpora.download import DiskFullError, download, need_room
from ser.corpora.originals import Original, Originals, originals
from ser.corpora.sources import Source, sources
from ser.errors import FetchError
from ser.paths import data_dir

log = logging.getLogger(__name__)
Bar = Callable[[int], object]


LAYOUT_FOLDERS = {"wav", "samples", "audiowav"}


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
    show = progress or _no_bar
    limit = 2 * known.size + (1 << 30)
    options = {"timeout": timeout, "retries": retries, "pause": pause, "limit": limit}
    with _only_one(work):
        need_room(work, known.size + (ways[0][0].size or 0) - _bytes_in(work))
        for number, (source, checksum) in enumerate(ways, start=1):
            try:
                get = _by_clip if source.by_clip else _by_archive
                home = get(source, checksum, known, work, show, options)
                break
            except DiskFullError:
                raise
            except FetchError as error:
                if number == len(ways):
                    raise
                log.warning("%s\nnext source: %s", error, ways[number][0].url)
        _install(home, root)
    shutil.rmtree(work, ignore_errors=True)
    return root


def _is_there(name: str, root: Path, known: Originals) -> bool:
    """True if *root* is the whole corpus already; an error if something else is in the way."""
    if root.is_dir() and not any(root.iterdir()):
        return False
    if not root.exists():
        return False
    state = compare(root, known) if root.is_dir() else None
    if state and state.complete:
        log.info("%s is in %s already: all %d clips, verified", name, root, len(known))
        return True
    found = f"{state.matching} of {len(known)} clips as the owners ship them" if state else "a file"
    raise FetchError(
        f"{root}: is not empty ({found}). 'ser check {name} --root \"{root}\"' tells what it "
        f"holds; --force fetches anew and sets it aside as {root.name}.before"
    )


def _by_archive(
    source: Source,
    checksum: Checksum | None,
    known: Originals,
    work: Path,
    show: Callable,
    options: dict,
) -> Path:
    """Download, verify and unpack an archive; returns the corpus's folder in *work*."""
    name = PurePosixPath(unquote(urlsplit(source.url).path)).name
    archive = work / (re.sub(r"[^\w.-]", "_", name)[-80:].strip(".") or "archive")
    with show(archive.name, source.size) as tell:
        download(source.url, archive, size=source.size, checksum=checksum, progress=tell, **options)
    place = work / "unpacked"
    shutil.rmtree(place, ignore_errors=True)
    with show("unpacking", None) as tell:
        try:
            unpack(archive, place, max_bytes=max(1 << 30, 10 * known.size), progress=tell)
        except DiskFullError:
            raise
        except FetchError:
            _set_aside(archive)
            raise
    found = compare(place, known)
    if found.complete:
        log.info("verified: all %d clips are the owners', byte for byte", len(known))
    elif checksum:
        # The published checksum of the archive outweighs the list of clips.
        log.warning(
            "the archive is as published, but %d of %d clips are missing and %d differ from the "
            "list of originals; the check told next names them",
            len(found.missing), len(known), len(found.differing),
        )  # fmt: skip
    else:
        what, bad = found.summary(), _set_aside(archive)
        shutil.rmtree(place, ignore_errors=True)
        raise FetchError(
            f"{source.url}: not the owners' corpus: {what}. The archive is set aside as {bad}; "
            "nothing was installed"
        )
    return _home(place)


def _set_aside(archive: Path) -> Path:
    bad = archive.with_name(archive.name + ".bad")
    os.replace(archive, bad)
    return bad


def _by_clip(
    source: Source,
    checksum: Checksum | None,
    known: Originals,
    work: Path,
    show: Callable,
    options: dict,
) -> Path:
    """Download every clip of the list, several at a time; those that are there are kept."""
    place = work / "clips" / source.folder
    place.mkdir(parents=True, exist_ok=True)

    stop, lock = threading.Event(), threading.Lock()

    def get(clip: Original, tell: Bar) -> None:
        """Download one clip, verified, into its place."""

        def count(new: int) -> None:
            with lock:
                tell(new)

        target = place / PurePosixPath(clip.name).name
        download(
            source.url.replace("{name}", quote(PurePosixPath(clip.name).name)),
            target,
            size=clip.size,
            checksum=Checksum("sha256", clip.digest),
            progress=count,
            stop=stop,
            **options,
        )

    with show(source.folder, known.size) as tell, ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(get, clip, tell) for clip in known.clips]
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
        try:
            download(url, place.parent / PurePosixPath(url).name, **(options | {"limit": 1 << 20}))
        except DiskFullError:
            raise
        except FetchError as error:
            log.warning("%s; the corpus is complete without it", error)
            for rest in place.parent.glob(PurePosixPath(url).name + "*"):
                rest.unlink()
    return work / "clips"


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
        aside = root.with_name(root.name + ".before")
        number = 1
        while os.path.lexists(aside):
            number += 1
            aside = root.with_name(f"{root.name}.before{number}")
        os.rename(root, aside)
        log.info("what was in %s is now in %s", root, aside)
    os.rename(home, root)


def _bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def _no_bar(title: str, total: int | None) -> Iterator[Bar]:
    yield lambda count: None


@contextlib.contextmanager
def _only_one(work: Path) -> Iterator[None]:
    """Hold *work* for this process; the system lets go of the lock also after a kill."""
    with open(work / "lock", "a+b") as stream:
        try:
            try:
                import fcntl

                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except ImportError:
                import msvcrt

                stream.seek(0)
                msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            raise FetchError(f"{work}: another 'ser fetch' is at work there; wait for it") from None
        yield
