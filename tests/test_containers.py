"""Files that are cut where libsndfile would read what is left as if it were the whole."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from ser.audio import load_audio, probe
from ser.containers import missing_bytes
from ser.errors import AudioError

KINDS = {
    "wav": {}, "aiff": {}, "au": {}, "rf64": {}, "w64": {}, "mp3": {}, "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
}  # fmt: skip


@pytest.fixture
def sound():
    return 0.1 * np.random.default_rng(0).standard_normal((32000, 2))


@pytest.fixture(params=KINDS)
def whole(request, tmp_path, sound):
    path = tmp_path / f"a b.{request.param}"
    soundfile.write(path, sound, 16000, **KINDS[request.param])
    return path


def lacking(data: bytes) -> int:
    return missing_bytes(io.BytesIO(data), len(data))


def test_a_whole_file_lacks_nothing(whole):
    assert lacking(whole.read_bytes()) == 0
    assert len(load_audio(whole)) == pytest.approx(32000, abs=2000)


@pytest.mark.parametrize("share", [0.9, 0.5, 0.2])
def test_a_cut_file_is_refused_with_its_name_and_the_way_out(whole, share):
    data = whole.read_bytes()
    whole.write_bytes(data[: int(share * len(data))])
    for read in (load_audio, probe):
        with pytest.raises(AudioError, match=r"a b\.\w+: is cut off.*download it again"):
            read(whole)


def test_a_tag_before_an_mp3_changes_nothing(tmp_path, sound):
    soundfile.write(tmp_path / "a.mp3", sound, 44100)
    tag = b"ID3\x04\0\0\0\0\x02\x00" + b"\0" * 256
    data = tag + (tmp_path / "a.mp3").read_bytes()
    assert lacking(data) == 0 and lacking(data[: len(data) // 2]) > len(data) // 3


def test_an_mp3_that_does_not_tell_its_length_is_read_to_its_end(tmp_path, sound):
    path = tmp_path / "a.mp3"
    soundfile.write(path, sound, 44100)
    data = path.read_bytes().replace(b"Xing", b"\0\0\0\0").replace(b"Info", b"\0\0\0\0")
    path.write_bytes(data[: len(data) // 2])
    assert lacking(data[: len(data) // 2]) == 0 and len(load_audio(path)) > 1000


def test_a_wave64_of_unknown_length_is_taken_as_whole(tmp_path, sound):
    soundfile.write(tmp_path / "a.w64", sound, 16000)
    data = bytearray((tmp_path / "a.w64").read_bytes())
    at = data.index(b"data") + 16
    data[at : at + 8] = bytes(8)
    assert lacking(bytes(data)) == 0


@pytest.mark.parametrize("kind", ["w64", "ogg", "mp3"])
def test_every_cut_is_answered(tmp_path, sound, kind):
    """No length of what is left may end in an error of ours."""
    soundfile.write(tmp_path / f"a.{kind}", sound[:4000], 16000)
    data = (tmp_path / f"a.{kind}").read_bytes()
    for size in range(0, len(data), 7):
        assert 0 <= lacking(data[:size]) <= len(data)
