"""``ser fetch`` against a server on this machine: verified, resumed, consented to."""

from __future__ import annotations

import hashlib
import io
import os
import random
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from functools import partial

import filelock
import pytest
from fileserver import PAYLOAD, make_zip, misbehaving

from ser.cli import main
from ser.corpora import CORPORA
from ser.corpora.fetch import fetch, sources
from ser.corpora.originals import Original, Originals, compare
from ser.corpora.registry import Source
from ser.errors import FetchError


@pytest.fixture
def server():
    with misbehaving() as server:
        yield server


CLIPS = {f"03a0{i}{e}a.wav": random.Random(f"{i}{e}").randbytes(9000) for i in (1, 2) for e in "WF"}


@pytest.fixture
def known(monkeypatch) -> Originals:
    """A list of originals for four small clips in place of EmoDB's and CREMA-D's."""
    clips = tuple(
        Original(name, len(data), hashlib.sha256(data).hexdigest()[:32])
        for name, data in CLIPS.items()
    )
    listed = Originals(clips)
    for module in ("ser.corpora.fetch", "ser.corpora.originals"):
        monkeypatch.setattr(f"{module}.originals", lambda name: listed)
    return listed


def archive_bytes(clips: dict[str, bytes] = CLIPS, top: str = "emodb/") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, data in clips.items():
            file.writestr(f"{top}wav/{name}", data)
        file.writestr(f"{top}readme.txt", "hello")
    return buffer.getvalue()


def set_sources(monkeypatch, name: str, *ways: Source) -> None:
    monkeypatch.setitem(CORPORA, name, replace(CORPORA[name], sources=ways))


def serve(server, monkeypatch, data: bytes, md5: str | None = None) -> str:
    server.files["/emodb.zip"] = data
    url = f"{server.url}/emodb.zip"
    set_sources(monkeypatch, "emodb", Source(url, len(data), md5))
    return url


def test_fetch_installs_the_whole_corpus(server, tmp_path, monkeypatch, known):
    data = archive_bytes()
    serve(server, monkeypatch, data, hashlib.md5(data).hexdigest())
    server.cuts = [10_000]
    root = fetch("emodb", tmp_path / "my data ä" / "emodb", pause=0.01)
    assert {p.name: p.read_bytes() for p in (root / "wav").iterdir()} == CLIPS
    assert [p.name for p in root.parent.iterdir()] == ["emodb"]
    asked = len(server.requests)
    assert fetch("emodb", root) == root and len(server.requests) == asked


def test_fetch_refuses_a_wrong_archive(server, tmp_path, monkeypatch, known):
    serve(server, monkeypatch, archive_bytes(), "0" * 32)
    with pytest.raises(FetchError, match="wrong checksum"):
        fetch("emodb", tmp_path / "emodb", pause=0.01)
    assert not (tmp_path / "emodb").exists()
    assert (tmp_path / "emodb.download" / "emodb.zip.bad").exists()


def test_mirror_must_have_the_published_checksum(server, tmp_path, monkeypatch, known):
    serve(server, monkeypatch, archive_bytes(), "0" * 32)
    server.files["/mirror.zip"] = archive_bytes()
    url = f"{server.url}/mirror.zip"
    with pytest.raises(FetchError, match="wrong checksum"):
        fetch("emodb", tmp_path / "emodb", url=url)
    own = hashlib.sha256(archive_bytes()).hexdigest()
    assert fetch("emodb", tmp_path / "emodb", url=url, sha256=own).is_dir()


def test_without_a_checksum_every_clip_must_fit(server, tmp_path, monkeypatch, known):
    names = list(CLIPS)
    for clips, text in (
        (CLIPS | {names[0]: b"other"}, "1 differ, such as 03a01Wa.wav"),
        ({n: CLIPS[n] for n in names[1:]}, "1 are missing, such as 03a01Wa.wav"),
        (CLIPS | {names[1]: b"version https://git-lfs.github.com/spec/v1\n"}, "git lfs pull"),
    ):
        serve(server, monkeypatch, archive_bytes(clips))
        with pytest.raises(FetchError, match=text):
            fetch("emodb", tmp_path / "emodb", pause=0.01)
        assert not (tmp_path / "emodb").exists()
    serve(server, monkeypatch, archive_bytes())
    assert compare(fetch("emodb", tmp_path / "emodb"), known)[1] == ""


def test_next_source_when_the_first_fails(server, tmp_path, monkeypatch, known):
    server.files["/good.zip"] = archive_bytes(top="")
    ways = (Source(f"{server.url}/gone.zip"), Source(f"{server.url}/good.zip"))
    set_sources(monkeypatch, "emodb", *ways)
    assert compare(fetch("emodb", tmp_path / "emodb"), known)[1] == ""


def test_hostile_archive_installs_nothing(server, tmp_path, monkeypatch, known):
    data = make_zip(tmp_path / "x.zip", CLIPS | {"../../evil.wav": b"!"}).read_bytes()
    serve(server, monkeypatch, data, hashlib.md5(data).hexdigest())
    with pytest.raises(FetchError, match="unsafe member"):
        fetch("emodb", tmp_path / "deep" / "emodb")
    assert not list(tmp_path.rglob("evil.wav")) and not (tmp_path / "deep" / "emodb").exists()


def test_existing_folder_is_left_alone_unless_forced(server, tmp_path, monkeypatch, known):
    serve(server, monkeypatch, archive_bytes())
    root = tmp_path / "emodb"
    root.mkdir()
    (root / "mine.txt").write_text("keep")
    (root / known.clips[0].name).symlink_to("nowhere.wav")
    with pytest.raises(FetchError, match="--force"):
        fetch("emodb", root)
    assert not server.requests and (root / "mine.txt").exists()
    fetch("emodb", root, force=True)
    assert (tmp_path / "emodb.before" / "mine.txt").read_text() == "keep"
    assert compare(root, known)[1] == ""


def test_clip_by_clip_resumes_and_verifies(server, tmp_path, monkeypatch, known):
    for name, data in CLIPS.items():
        server.files[f"/wav/{name}"] = data
    server.files["/who.csv"] = b"ActorID,Sex"
    extras = (f"{server.url}/who.csv", f"{server.url}/gone.csv")
    source = Source(f"{server.url}/wav/{{name}}", folder="AudioWAV", extras=extras)
    set_sources(monkeypatch, "cremad", source)
    last = list(CLIPS)[-1]
    good, server.files[f"/wav/{last}"] = server.files[f"/wav/{last}"], b"x" * 9000
    with pytest.raises(FetchError, match="wrong checksum"):
        fetch("cremad", tmp_path / "cremad", pause=0.01)
    assert not (tmp_path / "cremad").exists()
    server.files[f"/wav/{last}"] = good
    server.requests.clear()
    root = fetch("cremad", tmp_path / "cremad", pause=0.01)
    assert {p.name: p.read_bytes() for p in (root / "AudioWAV").iterdir()} == CLIPS
    assert f"/wav/{last}" in [path for path, _ in server.requests]
    assert sorted(p.name for p in root.iterdir()) == ["AudioWAV", "who.csv"]


def test_second_process_has_to_wait(server, tmp_path, monkeypatch, known):
    serve(server, monkeypatch, archive_bytes())
    (tmp_path / "emodb.download").mkdir()
    with (
        filelock.FileLock(tmp_path / "emodb.download" / "lock"),
        pytest.raises(FetchError, match="another 'ser fetch'"),
    ):
        fetch("emodb", tmp_path / "emodb")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("iemocap", "release form"), ("savee", "Register"), ("tess", "1807/24487"),
        ("synthetic", "ser check synthetic"), ("manifest", "recordings of your own"),
    ],
)  # fmt: skip
def test_what_cannot_be_fetched_says_how_to_get_it(name, text, capsys):
    assert main(["fetch", name, "--yes"]) == 2
    assert text in capsys.readouterr().err


def test_every_fetchable_corpus_can_be_verified():
    from ser.corpora.originals import originals

    fetchable = {name: info for name, info in CORPORA.items() if info.fetchable}
    assert set(fetchable) == {"emodb", "nemo", "ravdess", "cremad", "urdu"}
    for name, info in fetchable.items():
        known = originals(name)
        assert known and len(known) == info.total


def test_mirror_of_clips_may_leave_out_the_name():
    ((source, checksum),) = sources("cremad", "http://127.0.0.1/AudioWAV/")
    assert source.by_clip and source.url.endswith("/AudioWAV/{name}") and checksum is None
    ((source, _),) = sources("cremad", "http://127.0.0.1/cremad.zip")
    assert not source.by_clip


# --- the command ---------------------------------------------------------------------------


def test_terms_come_first_and_consent_is_needed(server, tmp_path, monkeypatch, known, capsys):
    serve(server, monkeypatch, archive_bytes())
    root = str(tmp_path / "emodb")
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert main(["fetch", "emodb", "--root", root]) == 2
    shown = capsys.readouterr()
    assert "CC BY 4.0" in shown.out and "Burkhardt" in shown.out and "--yes" in shown.err
    assert not server.requests
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda prompt: "n")
    assert main(["fetch", "emodb", "--root", root]) == 2 and not server.requests
    monkeypatch.setattr("builtins.input", lambda prompt: "Yes")
    assert main(["fetch", "emodb", "--root", root]) == 0
    assert "ser check emodb" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="signals as on Unix")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_command_goes_on_where_it_was(server, tmp_path, how):
    data = archive_bytes({f"{n}.wav": PAYLOAD[n : n + 400_000] for n in range(5)})
    server.files["/emodb.zip"], server.delay = data, 0.02
    root = tmp_path / "emodb"
    part = tmp_path / "emodb.download" / "emodb.zip.part"
    command = [
        sys.executable, "-c", "import sys; from ser.cli import main; sys.exit(main())",
        "fetch", "emodb", "--yes", "--root", str(root), "--url", f"{server.url}/emodb.zip",
        "--sha256", hashlib.sha256(data).hexdigest(),
    ]  # fmt: skip
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a job in the background is deaf
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, preexec_fn=heard
    )
    while not part.exists() or part.stat().st_size < 300_000:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(how)
    _, stderr = process.communicate(timeout=10)
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    if how == signal.SIGINT:
        assert b"takes up where it stopped" in stderr
    kept = part.stat().st_size
    assert 300_000 <= kept < len(data) and not root.exists()
    server.delay = 0.0
    assert subprocess.run(command, capture_output=True).returncode == 0
    assert server.requests[-1][1] == f"bytes={kept}-"
    assert len(list((root / "wav").iterdir())) == 5 and not part.parent.exists()


@pytest.mark.parametrize("url", ["http://[::1/a.zip", "https://a..b/ä.zip", "a.zip"])
def test_a_broken_url_is_told_before_the_terms_are_shown(url, tmp_path, capsys):
    assert main(["fetch", "emodb", "--yes", "--root", str(tmp_path / "e"), "--url", url]) == 2
    shown = capsys.readouterr()
    assert url in shown.err and "not an http" in shown.err and "licence" not in shown.out
    assert not list(tmp_path.iterdir())


def test_a_url_with_umlauts_and_a_long_name_is_fetched(server, tmp_path, known):
    server.files["/T%C3%B6ne" + "x" * 300 + ".zip"] = archive_bytes()
    own = hashlib.sha256(archive_bytes()).hexdigest()
    url = f"{server.url}/Töne{'x' * 300}.zip"
    assert compare(fetch("emodb", tmp_path / "emodb", url=url, sha256=own), known)[1] == ""


def test_published_addresses_stay_as_they_are():
    from ser.corpora.web import web_address

    for info in CORPORA.values():
        for source in info.sources:
            for url in (source.url.replace("{name}", "a.wav"), *source.extras):
                assert web_address(url) == url
