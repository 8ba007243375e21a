"""Archives that are hostile, damaged or harmless."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile

import pytest
from fileserver import PAYLOAD, make_zip

from ser.corpora.archive import unpack
from ser.errors import FetchError

UNSAFE = [
    "../evil.wav", "wav/../../evil.wav", "/evil.wav", "C:\\evil.wav", "C:evil.wav",
    "..\\evil.wav", "\\\\host\\evil.wav", "wav/a:b.wav",
]  # fmt: skip


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_stay_in_the_folder(tmp_path, name, kind):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    archive = inner / f"x.{kind}"
    if kind == "zip":
        make_zip(archive, {"good.wav": b"1", name: b"2"})
    else:
        with tarfile.open(archive, "w") as file:
            for member in ("good.wav", name):
                info = tarfile.TarInfo(member)
                info.size = 1
                file.addfile(info, io.BytesIO(b"2"))
    with pytest.raises(FetchError, match="unsafe member"):
        unpack(archive, inner / "out")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [archive]


def test_link_in_a_zip(tmp_path):
    info = zipfile.ZipInfo("link")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr(info, "/etc/passwd")
    with pytest.raises(FetchError, match="a link"):
        unpack(tmp_path / "x.zip", tmp_path / "out")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
)
def test_links_and_devices_in_a_tar(tmp_path, kind):
    info = tarfile.TarInfo("evil")
    info.type, info.linkname = kind, "/etc/passwd"
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as file:
        file.addfile(info)
    with pytest.raises(FetchError, match="unsafe member"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_bombs_are_not_unpacked(tmp_path, kind):
    archive = tmp_path / f"x.{kind}"
    if kind == "zip":
        make_zip(archive, {"zeros.wav": bytes(30 << 20)})
    else:
        with tarfile.open(archive, "w:gz") as file:
            info = tarfile.TarInfo("zeros.wav")
            info.size = 30 << 20
            file.addfile(info, io.BytesIO(bytes(30 << 20)))
    with pytest.raises(FetchError, match="are allowed"):
        unpack(archive, tmp_path / "out", max_bytes=1 << 20)
    assert [p.name for p in tmp_path.iterdir()] == [archive.name]


def test_damaged_archives(tmp_path):
    whole = make_zip(tmp_path / "x.zip", {"a.wav": PAYLOAD}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:500_000])
    (tmp_path / "bad.zip").write_bytes(whole[:1000] + b"????" + whole[1004:])
    (tmp_path / "page.zip").write_bytes(b"<!DOCTYPE html>")
    (tmp_path / "empty.zip").write_bytes(b"")
    with tarfile.open(tmp_path / "whole.tgz", "w:gz") as file:
        file.add(tmp_path / "x.zip", "a.wav")
    (tmp_path / "cut.tgz").write_bytes((tmp_path / "whole.tgz").read_bytes()[:500_000])
    expected = {
        "cut.zip": "damaged.*cut off", "bad.zip": "damaged", "page.zip": "web page",
        "empty.zip": "empty", "cut.tgz": "damaged|too early",
    }  # fmt: skip
    for name, text in expected.items():
        with pytest.raises(FetchError, match=text):
            unpack(tmp_path / name, tmp_path / "out")
        assert not (tmp_path / "out").exists()
        assert not (tmp_path / ".out.unpacking").exists()


def test_twice_the_same_member(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("a.wav", "1")
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("a.wav", "2")
    with pytest.raises(FetchError, match="twice"):
        unpack(tmp_path / "x.zip", tmp_path / "out")


def test_what_a_mac_adds_is_passed_over_and_nothing_is_overwritten(tmp_path):
    archive = make_zip(
        tmp_path / "x.zip", {"wav/ä b.wav": b"1", "__MACOSX/wav/._a.wav": b"2", ".DS_Store": b"3"}
    )
    unpack(archive, tmp_path / "out")
    files = [p.relative_to(tmp_path).as_posix() for p in (tmp_path / "out").rglob("*.*")]
    assert files == ["out/wav/ä b.wav"]
    with pytest.raises(FetchError, match="is there already"):
        unpack(archive, tmp_path / "out")


def tar_bytes(pax=None, members=("a.wav", "b.wav"), mode="w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=tarfile.PAX_FORMAT) as file:
        for name in members:
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = 1000, pax or {}
            file.addfile(info, io.BytesIO(b"1" * 1000))
    return buffer.getvalue()


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("wav/ä.wav", b"1" * 3000)
    return buffer.getvalue()


def bent(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


ZIPPED = zip_bytes()
CENTRAL, END = ZIPPED.rfind(b"PK\1\2"), ZIPPED.rfind(b"PK\5\6")
DAMAGED = {
    "a name flagged UTF-8 that is not": ZIPPED.replace("ä".encode(), b"\xe4\xff"),
    "a negative pax size": tar_bytes({"size": "-1"}),
    "a very negative pax size": tar_bytes({"size": "-9999999999999"}),
    "an absurd pax size": tar_bytes({"size": "9" * 20}),
    "a sparse map in words": tar_bytes({"GNU.sparse.map": "abc"}),
    "a sparse map": tar_bytes({"GNU.sparse.map": "0,5", "GNU.sparse.size": "5"}),
    "a sparse version": tar_bytes({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}),
    "an unknown method": bent(bent(ZIPPED, 8, b"\x60\0"), CENTRAL + 10, b"\x60\0"),
    "a wrong method": bent(bent(ZIPPED, 8, b"\x0c\0"), CENTRAL + 10, b"\x0c\0"),
    "a wrong offset": bent(ZIPPED, CENTRAL + 42, b"\x10\0\0\0"),
    "a wrong directory": bent(ZIPPED, END + 16, b"\xff" * 4),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_of_every_kind_names_the_archive_and_leaves_nothing(tmp_path, name):
    archive = tmp_path / "x.bin"
    archive.write_bytes(DAMAGED[name])
    with pytest.raises(FetchError, match=r"x\.bin: "):
        unpack(archive, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["x.bin"]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_whole_tars_come_out_whole(tmp_path, mode):
    (tmp_path / "x").write_bytes(tar_bytes(mode=mode))
    unpack(tmp_path / "x", tmp_path / "out")
    assert {p.name: p.stat().st_size for p in (tmp_path / "out").iterdir()} == {
        "a.wav": 1000,
        "b.wav": 1000,
    }
