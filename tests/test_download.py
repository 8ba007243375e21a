"""Downloads from a server on this machine: cut, wrong, endless, busy, honest."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest
from fileserver import PAYLOAD, misbehaving

import ser.corpora.download as download_module
from ser.corpora.download import DiskFullError, download
from ser.corpora.fetch import sources
from ser.errors import FetchError


@pytest.fixture
def server():
    with misbehaving() as server:
        yield server


SHA = "sha256:" + hashlib.sha256(PAYLOAD).hexdigest()


def get(server, target, **options) -> Path:
    return download(f"{server.url}/a.zip", target, pause=0.01, **options)


def test_whole_download_counts_every_byte(server, tmp_path):
    seen = []
    get(
        server, tmp_path / "a", size=1_000_000, known_hash=SHA,
        progress=seen.append,
    )  # fmt: skip
    assert (tmp_path / "a").read_bytes() == PAYLOAD and sum(seen) == 1_000_000
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_cut_connections_are_resumed(server, tmp_path):
    server.cuts = [300_000, 200_000, 1]
    seen = []
    get(server, tmp_path / "a", known_hash=SHA, progress=seen.append)
    starts = [int((asked or "=0-")[:-1].rpartition("=")[2]) for _, asked in server.requests]
    # What had come of the chunk that was being read is asked for once more.
    assert starts == [0, 294912, 491520, 491520]
    assert (tmp_path / "a").read_bytes() == PAYLOAD and sum(seen) == 1_000_000


def test_part_of_an_earlier_call_is_taken_up(server, tmp_path):
    server.cuts = [400_000]
    with pytest.raises(FetchError, match=r"393,216 bytes are kept in .*a\.part"):
        get(server, tmp_path / "a", retries=0)
    assert (tmp_path / "a.part").stat().st_size == 393_216 and not (tmp_path / "a").exists()
    get(server, tmp_path / "a")
    assert server.requests[-1][1] == "bytes=393216-"
    assert (tmp_path / "a").read_bytes() == PAYLOAD


def test_server_that_ignores_range_starts_afresh(server, tmp_path):
    server.ignore_range, server.cuts = True, [400_000]
    seen = []
    get(server, tmp_path / "a", known_hash=SHA, progress=seen.append)
    assert (tmp_path / "a").read_bytes() == PAYLOAD and sum(seen) == 1_000_000


def test_ignored_range_and_the_same_cut_each_time_ends(server, tmp_path):
    server.ignore_range, server.cuts = True, [400_000] * 50
    with pytest.raises(FetchError, match="gave up after 3 retries"):
        get(server, tmp_path / "a", retries=3)
    assert len(server.requests) == 4


def test_two_versions_are_never_glued_together(server, tmp_path):
    server.cuts = [400_000]
    with pytest.raises(FetchError):
        get(server, tmp_path / "a", retries=0)
    server.files["/a.zip"], server.etag = PAYLOAD[::-1], '"v2"'
    get(server, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == PAYLOAD[::-1]


def test_part_of_another_address_is_not_used(server, tmp_path):
    server.files["/b.zip"] = PAYLOAD[::-1]
    server.cuts = [400_000]
    with pytest.raises(FetchError):
        get(server, tmp_path / "a", retries=0)
    download(f"{server.url}/b.zip", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == PAYLOAD[::-1]


def test_complete_part_needs_no_more_bytes(server, tmp_path):
    server.cuts = [400_000]
    with pytest.raises(FetchError):
        get(server, tmp_path / "a", retries=0)
    (tmp_path / "a.part").write_bytes(PAYLOAD)
    get(server, tmp_path / "a", known_hash=SHA)
    assert server.requests[-1][1] == "bytes=1000000-"


def test_too_long_a_part_is_dropped_at_416(server, tmp_path):
    server.cuts = [400_000]
    with pytest.raises(FetchError):
        get(server, tmp_path / "a", retries=0)
    (tmp_path / "a.part").write_bytes(PAYLOAD + b"more")
    get(server, tmp_path / "a", known_hash=SHA)
    assert (tmp_path / "a").read_bytes() == PAYLOAD


def test_no_content_length(server, tmp_path):
    server.length = False
    get(server, tmp_path / "a", known_hash=SHA)
    assert (tmp_path / "a").read_bytes() == PAYLOAD


def test_busy_server_is_asked_again(server, tmp_path):
    server.statuses = [(503,), (429, "0")]
    get(server, tmp_path / "a")
    assert len(server.requests) == 3


def test_missing_file_is_told_at_once(server, tmp_path):
    with pytest.raises(FetchError, match=r"404.*no such file.*--url"):
        download(f"{server.url}/none.zip", tmp_path / "a", pause=0.01)
    assert len(server.requests) == 1


def test_nobody_answers(tmp_path):
    with pytest.raises(FetchError, match=r"no connection.*gave up after 1 retries"):
        download("http://127.0.0.1:9/a.zip", tmp_path / "a", retries=1, pause=0.01)


def test_silent_server_times_out(server, tmp_path):
    server.delay = 3.0
    with pytest.raises(FetchError, match="timed out"):
        get(server, tmp_path / "a", retries=0, timeout=0.2)
    assert (tmp_path / "a.part").stat().st_size > 0


def test_wrong_checksum_sets_the_file_aside(server, tmp_path):
    with pytest.raises(FetchError, match=r"wrong checksum.*set aside as .*a\.bad"):
        get(server, tmp_path / "a", known_hash="md5:" + "0" * 32)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bad"]


def test_wrong_size_is_seen_before_the_bytes_come(server, tmp_path):
    with pytest.raises(FetchError, match=r"offers 1,000,000 bytes, expected are 999"):
        get(server, tmp_path / "a", size=999)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("length", [True, False])
def test_endless_answers_are_cut_short(server, tmp_path, length):
    server.length = length
    with pytest.raises(FetchError, match="larger than 300,000 bytes"):
        get(server, tmp_path / "a", limit=300_000)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "a.zip", "http:///a"])
def test_only_the_web(tmp_path, url):
    with pytest.raises(FetchError, match="not an http"):
        download(url, tmp_path / "a")


def test_bad_checksum_text():
    with pytest.raises(FetchError, match="no sha256 checksum"):
        sources("emodb", sha256="abc")


def test_no_room_is_seen_up_front(server, tmp_path, monkeypatch):
    class Usage:
        free = 500_000

    monkeypatch.setattr(download_module.shutil, "disk_usage", lambda folder: Usage)
    with pytest.raises(DiskFullError, match="1 MB are needed"):
        get(server, tmp_path / "a")


def test_disk_full_midway_keeps_the_part(server, tmp_path, monkeypatch):
    class Full:
        def __init__(self, *arguments):
            self.file = open(*arguments)  # noqa: SIM115

        def __enter__(self):
            return self

        def __exit__(self, *error):
            self.file.close()

        def flush(self):
            self.file.flush()

        def write(self, data):
            if self.file.tell() > 100_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(data)

    monkeypatch.setattr(download_module, "open", Full, raising=False)
    with pytest.raises(DiskFullError, match="disk is full"):
        get(server, tmp_path / "a")
    monkeypatch.undo()
    assert (tmp_path / "a.part").stat().st_size > 0
    get(server, tmp_path / "a", known_hash=SHA)


# --- answers and addresses that are broken: a message with the address, never a traceback -----

HUGE = b"9" * 5000


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"200 OK\r\nContent-Length: " + HUGE, "makes no sense"),
        (b"200 OK\r\nContent-Length: 9999999999", "larger than"),
        (b"200 OK\r\nContent-Length: 1e9", "makes no sense.*--url"),
        (b"200 OK\r\nContent-Encoding: gzip", "packed as gzip"),
        (b"206 Part\r\nContent-Range: bytes " + HUGE + b"-9/10", "another part"),
        (b"206 Part\r\nContent-Range: bytes -5-9/10", "another part"),
        (b"206 Part", "another part"),
        (b"416 No\r\nContent-Range: bytes */" + HUGE, "416"),
        (b"503 Busy\r\nRetry-After: Mon, 01 Jan 9999 00:00:00 +9999", "503 Busy; gave up"),
        (b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc", "it broke"),
        (b"200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc", "it broke"),
        (b"200 OK\r\nX: " + b"a" * 70000, "it broke"),
        (b"abc \x07\xff", "it broke"),
        (b"302 Found\r\nLocation: http://[::1/", "makes no sense"),
        (b"302 Found\r\nLocation: http://[bad]/", "makes no sense"),
        (b"302 Found\r\nLocation: http://a..b/", "makes no sense"),
        (b"302 Found\r\nLocation: http://x:99999/", "makes no sense"),
        (b"302 Found\r\nLocation: http://\xe4\xf6/", "makes no sense"),
        (b"302 Found\r\nLocation: ftp://x/", "makes no sense"),
        (b"302 Found\r\nLocation: file:///etc/passwd", "makes no sense"),
        (b"302 Found\r\nLocation: http://127.0.0.1:9/", "no connection"),
        (b"302 Found\r\nLocation: /a.zip", "makes no sense"),
        (b"302 Found", "unexpected answer"),
    ],
)
def test_absurd_answers_are_told_with_the_address(server, tmp_path, head, text):
    server.raw = [b"HTTP/1.1 " + head + b"\r\n\r\n" + b"x" * 9] * 40
    with pytest.raises(FetchError, match=rf"(?s)http://127\.0\.0\.1:\d+/a\.zip.*{text}"):
        get(server, tmp_path / "a", retries=0, limit=10**6, timeout=2)
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("error", [ConnectionResetError(104, "reset by peer"), TimeoutError()])
def test_a_reset_connection_keeps_what_came(server, tmp_path, monkeypatch, error):
    import http.client

    read, calls = http.client.HTTPResponse.read, []

    def breaks(self, size):
        calls.append(size)
        if len(calls) == 2:
            raise error
        return read(self, size)

    monkeypatch.setattr(http.client.HTTPResponse, "read", breaks)
    get(server, tmp_path / "a", known_hash=SHA)
    assert server.requests[1][1] == f"bytes={download_module.CHUNK}-"


@pytest.mark.parametrize(
    "url",
    ["http://[::1/a.zip", "http://[bad]/a", "http://a..b/a", "http://x:abc/", "http://x:99999/",
     "http://a b/", "http://user:word@x/a", "http://x/\ud800", "http://a\uff0fb/", "http://["],
)  # fmt: skip
def test_broken_addresses_are_told(tmp_path, url):
    with pytest.raises(FetchError, match=r"not an http|leave it out"):
        download(url, tmp_path / "a")


def test_umlauts_and_blanks_in_an_address_are_sent_as_they_must_be(server, tmp_path):
    server.files["/T%C3%B6ne%20(1)%20a.zip"] = PAYLOAD
    download(f"{server.url}/Töne (1)%20a.zip?x=ä#teil", tmp_path / "a")
    assert server.requests[-1][0] == "/T%C3%B6ne%20(1)%20a.zip?x=%C3%A4"
    assert (tmp_path / "a").read_bytes() == PAYLOAD


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": float("nan")}, {"retries": -1}])
def test_waiting_that_makes_no_sense(tmp_path, options):
    with pytest.raises(FetchError, match="make no sense"):
        download("http://127.0.0.1:9/a", tmp_path / "a", **options)
