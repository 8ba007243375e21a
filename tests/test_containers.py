"""Sound that ends early: cut, damaged and joined files, where libsndfile would read a part."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
import soundfile

from ser.audio import load_audio, probe, stream_audio
from ser.errors import AudioError

KINDS = {
    "wav": {}, "aiff": {}, "au": {}, "rf64": {}, "caf": {}, "mp3": {}, "ogg": {},
    "flac": {}, "opus": {"format": "OGG", "subtype": "OPUS"},
}  # fmt: skip
ID3V1 = b"TAG" + bytes(125)
ID3V2 = b"ID3\x04\0\0\0\0\x02\x00" + b"\0" * 256
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 40, 1, 0xA0000000) + bytes(8) + b"12345678"
APE += b"APETAGEX" + struct.pack("<IIII", 2000, 40, 1, 0x80000000) + bytes(8)


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise whose level goes up and down, so that a variable bit rate does vary."""
    noise = np.random.default_rng(seed).standard_normal(round(16000 * seconds))
    return 0.1 * noise * (1 + np.sin(np.arange(len(noise)) / 3000))


def made(kind: str, sound: np.ndarray, rate: int = 16000, **options) -> bytes:
    file = io.BytesIO()
    how = {"format": kind.upper(), **KINDS[kind], **options}
    soundfile.write(file, sound, rate, **how)
    return file.getvalue()


def without_xing(mp3: bytes) -> bytes:
    at = next(i for i in range(200) if mp3[i : i + 4] in (b"Xing", b"Info"))
    return mp3[mp3.index(mp3[:2], at) :]


def samples(path) -> int:
    """All readers agree on the length."""
    wave = load_audio(path)
    assert probe(path).frames == len(wave) == sum(map(len, stream_audio(path, seconds=0.3)))
    return len(wave)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a b"


@pytest.fixture(params=KINDS)
def whole(request, tmp_path):
    path = tmp_path / f"a b.{request.param}"
    stereo = np.stack([speech(2), speech(2, 1)], axis=1)
    path.write_bytes(made(request.param, stereo))
    return path


def test_a_whole_file_lacks_nothing(whole):
    assert samples(whole) == 32000


@pytest.mark.parametrize("share", [0.98, 0.9, 0.5, 0.2])
def test_a_cut_file_is_refused_with_its_name_and_the_way_out(whole, share):
    data = whole.read_bytes()
    whole.write_bytes(data[: int(share * len(data))])
    reads = (load_audio,) if whole.suffix == ".flac" and share == 0.98 else (load_audio, probe)
    for read in reads:
        with pytest.raises(
            AudioError, match=r"a b\.\w+: is (cut off|damaged): .*; copy or download"
        ):
            read(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_and_every_flipped_header_is_answered(path, kind):
    """An error of ours, or all of the sound."""
    data = made(kind, speech(0.25))
    changed = [data[:size] for size in range(0, len(data), 211)]
    told = {"au": range(16, 24), "aiff": range(28, 38), "caf": range(20, 28)}  # the rate, once
    for at in {*range(60), *range(60, len(data), 97)} - set(told.get(kind, ())):
        changed.append(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :])
    for content in changed:
        path.write_bytes(content)
        try:
            assert len(load_audio(path)) == 4000
        except AudioError as error:
            assert str(error).startswith(str(path))


@pytest.mark.parametrize("kind", KINDS)
def test_files_joined_end_to_end_are_read_to_the_last(path, kind):
    parts = [speech(1), speech(0.7, 1), speech(0.4, 2)]
    path.write_bytes(b"".join(made(kind, part) for part in parts))
    assert samples(path) == 33600
    for first, part in ((0, parts[0]), (16000, parts[1]), (27200, parts[2])):
        wave = load_audio(path, start=first / 16000, seconds=len(part) / 16000)
        assert np.corrcoef(wave, part)[0, 1] > 0.7


def test_joined_files_of_two_rates_are_refused(path):
    path.write_bytes(made("ogg", speech(1)) + made("ogg", speech(1), 44100))
    with pytest.raises(AudioError, match=r"differ in rate.*ffmpeg"):
        load_audio(path)


@pytest.mark.parametrize("kind", ["mp3", "flac", "ogg", "wav", "au"])
def test_tags_change_nothing(path, kind):
    path.write_bytes(ID3V2 + made(kind, speech(1)) + APE + ID3V1)
    assert samples(path) == 16000


def test_an_mp3_of_a_variable_rate_that_does_not_tell_its_length_is_read_whole(path):
    sound = np.concatenate([speech(2), np.zeros(32000), speech(2, 1)])
    data = made("mp3", sound, bitrate_mode="VARIABLE", compression_level=0.9)
    path.write_bytes(data)
    wave = load_audio(path)
    path.write_bytes(without_xing(data))
    assert 96000 <= samples(path) < 96000 + 3 * 576, "whole frames of 576"
    late = 576  # the encoder's delay, which no header tells
    assert np.abs(load_audio(path)[late : late + 95000] - wave[:95000]).max() < 1e-5
    part = load_audio(path, start=4.5, seconds=1.0)
    assert np.abs(part - load_audio(path)[72000:88000]).max() < 1e-5
    path.write_bytes(without_xing(data)[:-10])
    with pytest.raises(AudioError, match="last frame lacks 10 bytes"):
        load_audio(path)


def test_a_part_of_an_mp3_far_into_it_is_where_it_should_be(path, monkeypatch):
    monkeypatch.setattr("ser.containers.decoding._BEFORE", 1 << 15)
    path.write_bytes(made("mp3", speech(20), bitrate_mode="VARIABLE"))
    part = load_audio(path, start=17.3, seconds=1.0)
    assert np.abs(part - load_audio(path)[276800:292800]).max() < 1e-5


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_a_damaged_ogg_page_is_an_error(path, kind):
    """Vorbis with one bit changed was cut short without a word (68 of 111 bits)."""
    data = made(kind, speech(3))
    for at in range(0, len(data), len(data) // 111):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :])
        with pytest.raises(AudioError, match=r"damaged|cut off|not a sound file"):
            load_audio(path)


def test_a_missing_ogg_page_is_an_error(path):
    data = made("ogg", speech(3))
    pages = [b"OggS" + page for page in data.split(b"OggS")[1:]]
    for gone in range(3, len(pages)):
        path.write_bytes(b"".join(pages[:gone] + pages[gone + 1 :]))
        with pytest.raises(AudioError, match=r"pages are missing|not marked as the end"):
            load_audio(path)


def test_a_whole_mp3_in_a_wav_is_read(path):
    mp3 = without_xing(made("mp3", speech(1)))
    form = struct.pack("<HHIIHHHHIHHH", 0x55, 1, 16000, 4000, 1, 0, 12, 1, 2, 144, 1, 1393)
    body = b"WAVEfmt " + struct.pack("<I", 30) + form
    body += b"fact" + struct.pack("<II", 4, 16000) + b"data" + struct.pack("<I", len(mp3)) + mp3
    path.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    assert 16000 <= samples(path) < 16000 + 3 * 576
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(AudioError, match="cut off: its header promises 100 bytes"):
        load_audio(path)


def test_a_flac_that_does_not_tell_its_length_is_read_whole(path):
    data = bytearray(made("flac", speech(3)))
    data[21] &= 0xF0
    data[22:26] = bytes(4)  # 36 bits of STREAMINFO: no number of samples
    path.write_bytes(data)
    assert samples(path) == 48000
    path.write_bytes(data[:-5])
    with pytest.raises(AudioError, match="cut off"):
        load_audio(path)


def test_an_aiff_and_a_caf_from_a_pipe_are_read(path):
    aiff = bytearray(made("aiff", speech(1), subtype="PCM_16"))
    for at in (4, aiff.index(b"COMM") + 10, aiff.index(b"SSND") + 4):
        aiff[at : at + 4] = bytes(4)
    path.write_bytes(aiff)
    assert samples(path) == 16000
    caf = bytearray(made("caf", speech(1), subtype="PCM_16"))
    at = caf.index(b"data") + 4
    caf[at : at + 8] = b"\xff" * 8
    path.write_bytes(caf[: at + 12 + 32000])
    assert samples(path) == 16000


def test_a_plain_file_is_opened_by_its_name_and_decoded_once(tmp_path, monkeypatch):
    for kind in ("wav", "flac"):
        file = tmp_path / f"a.{kind}"
        file.write_bytes(made(kind, speech(1)))
        monkeypatch.setattr("ser.containers.decoding.Window", None)
        assert len(load_audio(file)) == 16000
