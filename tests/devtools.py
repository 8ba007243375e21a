"""Drive a headless Chromium as a reader would: keys, files; and see what it asks for."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools import browser

KEYS = {"Tab": 9, "Enter": 13, " ": 32, "ArrowDown": 40, "ArrowRight": 39, "ArrowLeft": 37}


class Page(browser.Page):
    """A page as a reader handles it."""

    def press(self, key: str) -> None:
        """A key, down and up."""
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        code = KEYS.get(key) or ord(key.upper())
        both = {"key": key, "windowsVirtualKeyCode": code}
        kind = "keyDown" if text else "rawKeyDown"
        self.send("Input.dispatchKeyEvent", type=kind, text=text, **both)
        self.send("Input.dispatchKeyEvent", type="keyUp", **both)

    def tab_to(self, selector: str) -> None:
        """Move the focus there by the tabulator alone."""
        for _ in range(200):
            if self.js(f"document.activeElement.matches({json.dumps(selector)})"):
                return
            self.press("Tab")
        raise AssertionError(f"the tabulator never comes to {selector}")

    def choose_file(self, selector: str, file: Path) -> None:
        """Give a file to a field."""
        self.send("DOM.enable")
        root = self.send("DOM.getDocument")["root"]["nodeId"]
        node = self.send("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.send("DOM.setFileInputFiles", files=[str(file)], nodeId=node)

    def requests(self) -> list[str]:
        """Addresses that were asked for, those within the page left out."""
        asked = [p["request"]["url"] for m, p in self.events if m == "Network.requestWillBeSent"]
        return [u for u in asked if not u.startswith(("data:", "blob:", "about:"))]

    def errors(self) -> list[str]:
        """What went wrong in its scripts."""
        found = [p["exceptionDetails"]["exception"].get("description", "?")
                 for m, p in self.events if m == "Runtime.exceptionThrown"]  # fmt: skip
        return found + [p["entry"]["text"] for m, p in self.events if m == "Log.entryAdded"]


def needs_chromium() -> None:
    """Skip the test where there is no browser that can be driven."""
    if browser.chromium() is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    if os.name == "nt":
        pytest.skip("the pipe is numbered as POSIX numbers files")


@contextlib.contextmanager
def page(*options: str) -> Iterator[Page]:
    """A page of a browser without a network; the test is skipped where there is no browser."""
    needs_chromium()
    with browser.opened(Page, *options) as made:
        yield made
