"""Addresses and answers of web servers, before anything of them is believed."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from ser.errors import FetchError


def web_address(url: str) -> str:
    """An http(s) address as it is sent, in ASCII.

    Args:
        url: as a person types it, umlauts and blanks too.

    Raises:
        FetchError: it is none.

    Example:
        >>> web_address("https://bücher.example/Ton ä.zip")
        'https://xn--bcher-kva.example/Ton%20%C3%A4.zip'
        >>> web_address("ftp://x/a.zip")
        Traceback (most recent call last):
        ser.errors.FetchError: ftp://x/a.zip: not an http:// or https:// address
    """
    import requests

    try:
        url.encode()  # no half of a surrogate pair
        sent = requests.Request("GET", url.strip()).prepare().url or ""
        parts = urlsplit(sent)
        host = (parts.hostname or "").encode("idna").decode()  # labels of 1 to 63 letters
        if parts.scheme not in ("http", "https") or not re.fullmatch(r"[\w.:-]+", host):
            raise ValueError("")
        named = parts.username is not None
    except (requests.RequestException, ValueError):
        raise FetchError(f"{url}: not an http:// or https:// address") from None
    if named:
        raise FetchError(f"{url}: a name or password in the address is not sent; leave it out")
    return sent


def cause(error: BaseException) -> BaseException:
    """What lies at the root of an error of the network."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def plain(text: object) -> str:
    """What a server said, on one line that a terminal can show.

    Example:
        >>> plain("a\\n\\x07b")
        'a \\\\x07b'
    """
    line = " ".join((str(text) or type(text).__name__).split())
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    return shown if len(shown) <= 160 else shown[:157] + "..."
