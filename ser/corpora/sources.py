"""Where the corpora that may be downloaded are (book: chapter "Corpora")."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ser.corpora import corpus_info
from ser.corpora.checksum import Checksum
from ser.corpora.web import web_address
from ser.errors import FetchError


@dataclass(frozen=True)
class Source:
    """Where a corpus is.

    Attributes:
        url: an archive; or, with ``{name}`` in it, one clip.
        size: the archive's bytes, if published.
        md5: the archive's MD5, if published.
        folder: for single clips, the folder that they belong in.
        extras: small tables that go beside that folder; not verified, done without if they fail.
    """

    url: str
    size: int | None = None
    md5: str | None = None
    folder: str = ""
    extras: tuple[str, ...] = ()

    @property
    def by_clip(self) -> bool:
        """True where every clip is a download of its own."""
        return "{name}" in self.url


SOURCES: dict[str, tuple[Source, ...]] = {
    "emodb": (
        Source(
            "https://zenodo.org/records/7447302/files/emodb.zip",
            md5="9d21362dbc5676ef3ab4745d83ced0db",
        ),
        Source("http://emodb.bilderbar.info/download/download.zip"),
    ),
    "nemo": (Source("https://github.com/amu-cai/nEMO/archive/refs/heads/main.zip"),),
    "ravdess": (
        Source(
            "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip",
            size=208_468_073,
            md5="bc696df654c87fed845eb13823edef8a",
        ),
    ),
    "cremad": (
        Source(
            "https://media.githubusercontent.com/media/CheyneyComputerScience/CREMA-D/master/"
            "AudioWAV/{name}",
            folder="AudioWAV",
            extras=(
                "https://raw.githubusercontent.com/CheyneyComputerScience/CREMA-D/master/"
                "VideoDemographics.csv",
            ),
        ),
    ),
    "urdu": (
        Source("https://github.com/siddiquelatif/URDU-Dataset/archive/refs/heads/master.zip"),
    ),
}
"""Corpora that may be downloaded, the preferred source first."""


def sources(
    name: str, url: str | None = None, md5: str | None = None, sha256: str | None = None
) -> tuple[tuple[Source, Checksum | None], ...]:
    """Sources of corpus *name* with the checksum each must have.

    With *url* that source alone; the checksum given goes with it, or else the corpus's published
    one. Without any the clips themselves are verified.

    Raises:
        FetchError: the corpus may not be downloaded (the message says how to get it), or *url* is
            no address.
    """
    info = corpus_info(name)
    if info.name not in SOURCES:
        reason = {
            "synthetic": "is made on this computer, there is nothing to fetch: ser check synthetic",
            "manifest": "lists recordings of your own, there is nothing to fetch",
        }.get(info.name, "cannot be fetched by a program")
        way = "" if info.name == "synthetic" else f". {info.get}"
        raise FetchError(f"{info.name} {reason}{way}")
    published = SOURCES[info.name]
    if url:
        url = web_address(url)
        known = [source for source in published if source.url == url]
        summed = [source for source in published if source.md5]
        by_clip = published[0].by_clip and not re.search(r"\.(zip|tar|t?gz|tar\.\w+)(\?|$)", url)
        if by_clip and "{name}" not in url:
            url = url.rstrip("/") + "/{name}"
        own = summed[0].md5 if summed and not sha256 else None
        published = tuple(known) or (Source(url, md5=own, folder=published[0].folder),)
    given = Checksum("sha256", sha256) if sha256 else Checksum("md5", md5) if md5 else None
    return tuple(
        (source, given or (Checksum("md5", source.md5) if source.md5 else None))
        for source in published
    )
