"""Open pages in a headless browser as a reader would, and say what is wrong with how they look.

A page of this module, served with the book from 127.0.0.1, loads each page of the book into a
frame, once a theme, and measures it at the width of a telephone and of a desk.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from tools.browser import QUIET, chromium, running

HARNESS = Path(__file__).with_name("browser_harness.html")
COLLECT = b"""<script>
window.__errors = [];
const keep = (e) => __errors.push(String(e.message || e.reason || (e.target && e.target.src) || e));
addEventListener("error", keep, true);
addEventListener("unhandledrejection", keep);
console.error = (...words) => __errors.push(words.join(" "));
</script>"""


def after(html: str, act: str, folder: Path, milliseconds: int = 3000) -> BeautifulSoup:
    """*html* as Chromium has it once its scripts and *act* have run, without a network.

    The test is skipped where there is no browser.
    """
    if chromium() is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    page = f"<!doctype html><meta charset='utf-8'>{html}<script>{act}</script>"
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [*QUIET, "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}"]
        command += [f"--virtual-time-budget={milliseconds}", "--dump-dom", file.as_uri()]
        done = subprocess.run(
            [chromium(), *command], capture_output=True, text=True, timeout=120, check=False
        )
    return BeautifulSoup(done.stdout, "html.parser")


def checked_by_node(script: Path) -> None:
    """A file of JavaScript is one, to ``node --check``; skipped where there is no node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node (Debian: apt-get install nodejs)")
    done = subprocess.run([node, "--check", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder and the harness; ``results`` holds what the harness has sent."""

    daemon_threads = True

    def __init__(self, folder: Path, pages: list[str], sizes: list[int], themes: list[str]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.results, self.done = folder, [], threading.Event()
        self.plan = {"pages": pages, "sizes": sizes, "themes": themes}


class Handler(http.server.BaseHTTPRequestHandler):
    """Files of the folder; book pages get a script that collects errors."""

    server: Server

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == "/harness":
            plan = json.dumps(self.server.plan).encode()
            return self.answer(HARNESS.read_bytes().replace(b"/*PLAN*/", plan), "text/html")
        file = (self.server.folder / path.lstrip("/")).resolve()
        if not file.is_relative_to(self.server.folder.resolve()) or not file.is_file():
            return self.send_error(404)
        content = file.read_bytes()
        if file.suffix == ".html":
            content = content.replace(b"<head>", b"<head>" + COLLECT, 1)
        return self.answer(content, self.kind(file))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body is None:
            self.server.done.set()
        else:
            self.server.results.append(body)
        self.answer(b"", "text/plain")

    def answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)

    @staticmethod
    def kind(file: Path) -> str:
        kinds = {".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css"}
        kinds |= {".svg": "image/svg+xml", ".png": "image/png", ".json": "application/json"}
        return kinds.get(file.suffix, "application/octet-stream")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def look(
    folder: Path,
    pages: list[str],
    sizes: list[int] = [390, 1280],  # noqa: B006  never changed
    themes: list[str] = ["light", "dark"],  # noqa: B006
    seconds: float = 900,
) -> list[dict]:
    """What the browser found: a dict for each page, theme and width.

    Keys: ``page``, ``theme``, ``width``, ``wide`` (elements that stick out), ``errors``,
    ``empty`` (figures without a size), ``dark_cards`` (figures on a dark ground), ``faint``
    (texts with too little contrast), ``images`` (their number), ``math`` (formulas shown).
    """
    server = Server(folder, pages, sizes, themes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    # Chromium removes its profile while it ends, so the folder's own removal must be patient
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium() or "", *QUIET]
        command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
        command += [f"--user-data-dir={profile}", "--window-size=1400,1000"]
        command += [f"http://127.0.0.1:{server.server_port}/harness"]
        with running(command):
            finished = server.done.wait(seconds)
    server.shutdown()
    server.server_close()
    expected = len(pages) * len(sizes) * len(themes)
    assert finished, f"the browser measured {len(server.results)} of {expected} in {seconds} s"
    return server.results
