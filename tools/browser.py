"""A headless Chromium that asks no network, driven over a pipe by the DevTools protocol.

Nothing is installed for it and no port is opened. The books on paper are made with it
(:mod:`tools.printing`), and the tests read pages with it.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

QUIET = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--mute-audio"]
QUIET += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
QUIET += ["--disable-component-update"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def chromium() -> str | None:
    """Path of a Chromium or Chrome, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class BrowserError(RuntimeError):
    """The browser did not answer, or answered with an error."""


class Page:
    """A page of a browser.

    Attributes:
        events: what the browser told, as (method, params).
        patience: seconds that an answer may take.
    """

    def __init__(self, read: int, write: int) -> None:
        self._read, self._write, self._left, self._count = read, write, b"", 0
        self.events: list[tuple[str, dict]] = []
        self.patience = 60.0
        self._session = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        made = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = made["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict:
        """Ask for something and wait for the answer.

        Raises:
            BrowserError: an error, or no answer in time.
        """
        self._count += 1
        body = {"id": self._count, "method": method, "params": params}
        if self._session:
            body["sessionId"] = self._session
        message = json.dumps(body).encode() + b"\0"
        while message:
            message = message[os.write(self._write, message) :]
        while True:
            told = self._next(self.patience)
            if told.get("id") == self._count:
                if "error" in told:
                    raise BrowserError(f"{method}: {told['error']}")
                return told["result"]
            self.events.append((told.get("method", ""), told.get("params", {})))

    def _next(self, seconds: float) -> dict:
        end = time.monotonic() + seconds
        while b"\0" not in self._left:
            if not select.select([self._read], [], [], max(0, end - time.monotonic()))[0]:
                raise BrowserError(f"no answer in {seconds:.0f} s")
            if not (more := os.read(self._read, 1 << 20)):
                raise BrowserError("the browser has ended")
            self._left += more
        message, self._left = self._left.split(b"\0", 1)
        return json.loads(message)

    def open(self, file: Path) -> None:
        """Open a file of this machine, as a reader does by a double click."""
        self.send("Page.navigate", url=file.as_uri())
        self.until("document.readyState === 'complete'", 180)

    def js(self, expression: str) -> Any:
        """The value of an expression, awaited."""
        told = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in told:
            details = told["exceptionDetails"]
            raise BrowserError(details.get("exception", {}).get("description", details["text"]))
        return told["result"].get("value")

    def until(self, expression: str, seconds: float = 60) -> Any:
        """The expression's value, once it is true."""
        end = time.monotonic() + seconds
        while not (value := self.js(expression)):
            if time.monotonic() > end:
                raise BrowserError(f"not in {seconds:.0f} s: {expression}")
            time.sleep(0.05)
        return value

    def picture(self, file: Path, width: int, height: int = 900) -> None:
        """The whole page at a width, as PNG."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        made = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(made["data"]))

    def pdf(self, file: Path) -> None:
        """The page on paper of the size its CSS says, with an outline of its headings."""
        told = self.send("Page.printToPDF", printBackground=True, preferCSSPageSize=True,
                         generateTaggedPDF=True, generateDocumentOutline=True,
                         transferMode="ReturnAsStream")  # fmt: skip
        with file.open("wb") as stream:
            while True:
                part = self.send("IO.read", handle=told["stream"], size=1 << 22)
                data = part["data"]
                stream.write(base64.b64decode(data) if part["base64Encoded"] else data.encode())
                if part["eof"]:
                    break
        self.send("IO.close", handle=told["stream"])


@contextlib.contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen]:
    """A process that says nothing and ends with the block; *options* are those of ``Popen``."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, **quiet, **options)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


Kind = TypeVar("Kind", bound=Page)


@contextlib.contextmanager
def opened(kind: type[Kind], *options: str) -> Iterator[Kind]:
    """A page of a browser without a network; needs :func:`chromium` and a system as POSIX."""
    to_read, to_write = os.pipe(), os.pipe()  # the browser's, 3 and 4 in it

    def renumber() -> None:
        os.dup2(os.dup(to_read[0]), 3)
        os.dup2(os.dup(to_write[1]), 4)
        for number in (3, 4):
            os.set_inheritable(number, True)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium() or "", *QUIET, "--remote-debugging-pipe"]
        command += [f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND", *options]
        with running(command, preexec_fn=renumber, close_fds=False):
            os.close(to_read[0])
            os.close(to_write[1])
            yield kind(to_write[0], to_read[1])
        os.close(to_write[0])
        os.close(to_read[1])
