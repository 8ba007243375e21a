"""Archives that are hostile, damaged or harmless."""

from __future__ import annotations

import io
import stat
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
def test_members_stay_in_the_folder(tmp_path, name):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    archive = make_zip(inner / "x.zip", {"good.wav": b"1", name: b"2"})
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


def test_bombs_are_not_unpacked(tmp_path):
    archive = make_zip(tmp_path / "x.zip", {"zeros.wav": bytes(30 << 20)})
    with pytest.raises(FetchError, match="are allowed"):
        unpack(archive, tmp_path / "out", max_bytes=1 << 20)
    assert [p.name for p in tmp_path.iterdir()] == [archive.name]


def test_damaged_archives(tmp_path):
    whole = make_zip(tmp_path / "x.zip", {"a.wav": PAYLOAD}).read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:500_000])
    (tmp_path / "bad.zip").write_bytes(whole[:1000] + b"????" + whole[1004:])
    (tmp_path / "page.zip").write_bytes(b"<!DOCTYPE html>")
    (tmp_path / "empty.zip").write_bytes(b"")
    (tmp_path / "a.tar").write_bytes(b"wav/a.wav" + bytes(2000))
    expected = {
        "cut.zip": "damaged.*cut off", "bad.zip": "damaged", "page.zip": "web page",
        "empty.zip": "empty", "a.tar": "not a zip",
    }  # fmt: skip
    for name, text in expected.items():
        with pytest.raises(FetchError, match=text):
            unpack(tmp_path / name, tmp_path / "out")
        assert not (tmp_path / "out").exists()


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
