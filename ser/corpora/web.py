"""Addresses and answers of web servers, before anything of them is believed."""

from __future__ import annotations

import contextlib
import http.client
import re
import time
import urllib.request
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlsplit, urlunsplit

from ser.errors import FetchError

_KEPT = "%/:=&?~+!$,;'@()*[]{}-._"
"""What an address may hold besides letters and digits; all else is written as %XX of its UTF-8."""


def web_address(url: str) -> str:
    """An http(s) address as it is sent: ASCII only, its host checked.

    Args:
        url: as a person types it, umlauts and blanks too.

    Raises:
        FetchError: it is none, or its host or port cannot be one.

    Example:
        >>> web_address("https://bücher.example/Ton ä.zip")
        'https://xn--bcher-kva.example/Ton%20%C3%A4.zip'
        >>> web_address("ftp://x/a.zip")
        Traceback (most recent call last):
        ser.errors.FetchError: ftp://x/a.zip: not an http:// or https:// address
    """
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        if host.isascii():
            host.encode("idna")  # its labels have 1 to 63 letters
        else:
            host = host.encode("idna").decode("ascii")
        path, query = quote(parts.path, _KEPT), quote(parts.query, _KEPT)
    except ValueError as error:
        raise FetchError(f"{url}: not an http:// or https:// address ({error})") from None
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[\w.:%-]+", host, re.ASCII):
        raise FetchError(f"{url}: not an http:// or https:// address")
    if parts.username is not None:
        raise FetchError(f"{url}: a name or password in the address is not sent; leave it out")
    host = f"[{host}]" if ":" in host else host
    where = host if port is None else f"{host}:{port}"
    return urlunsplit((parts.scheme, where, path, query, ""))


def extent(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """(first byte sent, bytes of the whole file or None).

    Raises:
        FetchError: an answer that cannot be one, or one that is packed once more.
    """
    headers = response.headers
    if (coding := headers.get("Content-Encoding", "identity").strip().lower()) != "identity":
        raise FetchError(
            f"{response.url}: the server packs its answer ({plain(coding)}) though "
            "asked not to; give another source with --url"
        )
    if response.status == 206:
        told = headers.get("Content-Range", "").strip()
        match = re.fullmatch(r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)", told)
        if match is None:
            raise FetchError(
                f"{response.url}: a part of the file that does not say which (Content-Range: "
                f"{plain(told)!r}); give another source with --url"
            )
        return whole(match[1]) or 0, whole(match[2])
    if response.status != 200:
        raise FetchError(f"{response.url}: unexpected answer {response.status}")
    length = headers.get("Content-Length")
    if length is not None and whole(length) is None:
        raise FetchError(
            f"{response.url}: a Content-Length of {plain(length)}; give another source with --url"
        )
    return 0, whole(length)


def whole(text: str | None) -> int | None:
    """A number of bytes from a header, None where it is none; those beyond 1e18 count as that.

    Example:
        >>> whole(" 12 "), whole("-1"), whole("9" * 5000) == 10**18
        (12, None, True)
    """
    match = re.fullmatch(r"\s*([0-9]+)\s*", text or "")
    if match is None:
        return None
    return int(match[1]) if len(match[1]) <= 18 else 10**18


def retry_after(value: str | None) -> float | None:
    """A Retry-After header, in seconds."""
    if not value:
        return None
    if (seconds := whole(value)) is not None:
        return float(seconds)
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    return None


def plain(text: object) -> str:
    """What a server said, on one line that a terminal can show.

    Example:
        >>> plain("a\\n\\x07b")
        'a \\\\x07b'
    """
    line = " ".join(str(text).split())
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    return shown if len(shown) <= 160 else shown[:157] + "..."


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Redirects stay on the web: no ftp, no files of this computer."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """The request that follows a redirect.

        Raises:
            FetchError: it leads off the web, or to an address that is none.
        """
        if urlsplit(newurl).scheme not in ("http", "https"):
            raise FetchError(
                f"{req.full_url}: redirected to {plain(newurl)}, which is not on the web; "
                "give another source with --url"
            )
        try:
            newurl = web_address(newurl)
        except FetchError as error:
            raise FetchError(
                f"{req.full_url}: redirected to {plain(error)}; give another source with --url"
            ) from None
        return super().redirect_request(req, fp, code, msg, headers, newurl)


OPENER = urllib.request.build_opener(_WebOnly)
