"""A web server on this machine that misbehaves on request, and archives to serve."""

from __future__ import annotations

import contextlib
import random
import re
import threading
import time
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAYLOAD = random.Random(0).randbytes(1_000_000)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        if server.raw:  # an answer no honest server gives, byte for byte
            self.close_connection = True
            self.wfile.write(server.raw.pop(0))
            return None
        if server.statuses:
            return self.refuse(*server.statuses.pop(0))
        data = server.files.get(self.path.split("?")[0])
        if data is None:
            return self.refuse(404)
        first = 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range") in (None, server.etag)
        if asked and same and not server.ignore_range:
            first = int(asked[1])
            if first >= len(data):
                return self.refuse(416, f"bytes */{len(data)}")
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        if server.etag:
            self.send_header("ETag", server.etag)
        if server.length:
            self.send_header("Content-Length", str(len(data) - first))
        else:
            self.send_header("Connection", "close")
        self.end_headers()
        cut = server.cuts.pop(0) if server.cuts else None
        self.close_connection = not server.length or cut is not None
        rest = data[first:] if cut is None else data[first : first + cut]
        with contextlib.suppress(OSError):
            for start in range(0, len(rest), 20_000):
                self.wfile.write(rest[start : start + 20_000])
                time.sleep(server.delay)

    def refuse(self, status, extent=""):
        self.send_response(status)
        if status == 416:
            self.send_header("Content-Range", extent)
        elif extent:
            self.send_header("Retry-After", extent)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def misbehaving() -> Iterator[ThreadingHTTPServer]:
    """A running server; its attributes say how it behaves."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *arguments: None
    server.files = {"/a.zip": PAYLOAD}
    server.requests, server.cuts, server.statuses, server.raw = [], [], [], []
    server.etag, server.length, server.ignore_range, server.delay = '"v1"', True, False, 0.0
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            info = zipfile.ZipInfo("x")
            info.filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(info, data)
    return path
