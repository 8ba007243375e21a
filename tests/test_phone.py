"""What telephones and browsers write: named for what it is, read by PyAV, or the way to WAV."""

from __future__ import annotations

import struct
import subprocess
import sys

import numpy as np
import pytest

from ser.audio import load_audio, probe, stream_audio
from ser.containers.mp4_webm_amr import container_of
from ser.corpora.scan import walk
from ser.errors import AudioError

av = pytest.importorskip("av")

KINDS = {
    "m4a": ("mp4", "aac", 16000, "MP4"),
    "mov": ("mov", "alac", 16000, "QuickTime"),
    "3gp": ("3gp", "libopencore_amrnb", 8000, "3GP"),
    "amr": ("amr", "libopencore_amrnb", 8000, "AMR"),
    "aac": ("adts", "aac", 16000, "AAC"),
    "webm": ("webm", "libopus", 48000, "WebM"),
    "mka": ("matroska", "libopus", 48000, "Matroska"),
}
DELAY = {"m4a": 1024, "aac": 1024}
"""Samples at 16 kHz by which the sound is late where the file does not tell: M4A is told below."""


def speech(seconds: float = 3.0) -> np.ndarray:
    """A voice's harmonics that glide, so that there is one place where it fits."""
    time = np.arange(round(16000 * seconds)) / 16000
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / 16000
    return 0.1 * sum(np.sin(k * phase) / k for k in range(1, 12)) * (1 + np.sin(5 * time))


def write(path, sound: np.ndarray, container: str, codec: str, rate: int, **options) -> None:
    with av.open(str(path), "w", format=container, options=options) as out:
        stream = out.add_stream(codec, rate=rate)
        coding = stream.codec_context
        coding.layout = "mono"
        coding.format = coding.codec.audio_formats[0].name
        coding.bit_rate = 12200 if "amr" in codec else 64000
        coding.open()
        frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts = 16000, 0
        resampler = av.AudioResampler(coding.format, "mono", rate)
        fifo = av.AudioFifo()
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            part.pts = None
            fifo.write(part)
        size = coding.frame_size or 1024
        while (part := fifo.read(size) or fifo.read(size, partial=True)) is not None:
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))


@pytest.fixture(params=KINDS)
def made(request, tmp_path):
    path = tmp_path / f"me.{request.param}"
    container, codec, rate, name = KINDS[request.param]
    try:
        write(path, speech(), container, codec, rate)
    except (av.FFmpegError, ValueError) as error:
        pytest.skip(f"this PyAV cannot write it: {error}")
    return path, name


def late(wave: np.ndarray) -> int:
    fit = np.correlate(wave[:28000], speech()[8000:24000], "valid")
    return int(np.argmax(fit)) - 8000


def test_what_a_telephone_writes_is_read(made):
    path, name = made
    wave = load_audio(path)
    info = probe(path)
    assert info.format == name
    assert abs(info.seconds * 16000 - len(wave)) <= 1
    assert np.array_equal(np.concatenate(list(stream_audio(path)))[:40000], wave[:40000])
    delay = DELAY.get(path.suffix[1:], 0)
    assert 48000 <= len(wave) <= 48000 + 3 * 1024
    assert abs(late(wave) - delay) <= (2 if KINDS[path.suffix[1:]][2] > 8000 else 200)
    part = load_audio(path, start=1.5, seconds=1.0)
    assert len(part) == 16000
    assert np.abs(part - wave[24000:40000])[100:-100].max() < 1e-4


@pytest.mark.parametrize("share", [0.95, 0.6, 0.1])
def test_what_is_cut_is_an_error(made, share):
    path, _ = made
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    for read in (load_audio, probe):
        with pytest.raises(AudioError, match=r"is (cut off|damaged): .*`ffmpeg -i"):
            read(path)


def test_two_joined_are_read_to_the_end(made):
    path, _ = made
    alone = probe(path).frames
    path.write_bytes(2 * path.read_bytes())
    assert probe(path).frames == 2 * alone


def test_without_pyav_the_command_is_told(made, monkeypatch):
    path, name = made
    monkeypatch.setitem(sys.modules, "av", None)
    for read in (load_audio, probe):
        with pytest.raises(AudioError) as caught:
            read(path)
        assert name in str(caught.value) and "pip install 'ser-book[phone]'" in str(caught.value)
        assert f"`ffmpeg -i {path} {path.with_suffix('.wav')}`" in str(caught.value)


def test_the_name_of_a_file_does_not_matter(made):
    path, name = made
    other = path.with_name("x.wav")
    path.rename(other)
    assert probe(other).format == name


def test_the_encoders_delay_of_an_m4a_is_cut(tmp_path):
    path = tmp_path / "me.m4a"
    write(path, speech(), "mp4", "aac", 16000)
    data = bytearray(path.read_bytes())
    at = data.index(b"elst") + 12  # duration in milliseconds, first sample: what encoders write
    data[at : at + 8] = struct.pack(">II", 3000, 1024)
    path.write_bytes(data)
    assert len(load_audio(path)) == probe(path).frames == 48000
    assert late(load_audio(path)) == 0


def test_a_webm_that_tells_no_length_is_read_whole(tmp_path):
    """What a browser records: no duration, clusters of unknown size."""
    path = tmp_path / "me.webm"
    write(path, speech(), "webm", "libopus", 48000, live="1")
    assert len(load_audio(path)) == 48000 and late(load_audio(path)) == 0


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x1cftypM4A ", "M4A"),
        (b"\0\0\0\x1cftyp3gp4", "3GP"),
        (b"\0\0\0\x1cftypisom", "MP4"),
        (b"\0\0\0\x14ftypqt  ", "QuickTime"),
        (b"#!AMR\n", "AMR"),
        (b"#!AMR-WB\n", "AMR-WB"),
        (b"\xff\xf1\x50\x80\x04\x1f\xfc", "AAC"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", "WebM"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x88matroska", "Matroska"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "WMA"),
        (b"RIFF\0\0\0\0AVI LIST", "AVI"),
        (b"RIFF\0\0\0\0WAVEfmt ", ""),
        (b"\xff\xfb\x90\x64\0\0\0\0", ""),
        (b"OggS\0\2", ""),
    ],
)
def test_files_are_named_by_their_first_bytes(head, name):
    assert container_of(head.ljust(64, b"\0")) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"wvpk", "WavPack"),
        (b"FLV\1", "a Flash video"),
        (bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c"), "WMA"),
        (b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00", "Wave64"),
    ],
)
def test_what_is_not_read_is_named_with_the_command(tmp_path, head, name):
    path = tmp_path / "my own.wav"
    path.write_bytes(head + bytes(2000))
    with pytest.raises(AudioError) as caught:
        load_audio(path)
    assert f"is {name}, which is not read" in str(caught.value)
    assert f'`ffmpeg -i "{path}" "{tmp_path / "my own-converted.wav"}"`' in str(caught.value)


def test_a_corpus_walk_sees_them(tmp_path):
    names = [f"{i}.{suffix}" for i, suffix in enumerate([*KINDS, "M4A", "mp4", "opus"])]
    for name in [*names, "notes.txt"]:
        (tmp_path / name).touch()
    assert {path.name for path in walk(tmp_path)} == set(names)


def test_pyav_is_imported_only_where_it_is_needed(tmp_path):
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(8000), 16000)
    code = "import sys; from ser.audio import load_audio; load_audio(sys.argv[1]); "
    code += "assert 'av' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.wav")], check=True)


def test_a_check_tells_a_reason_once_for_many_files(tmp_path):
    from ser.corpora.file_problems import reason_of

    reasons = set()
    for name in ("a", "b"):
        (tmp_path / f"{name}.wv").write_bytes(b"wvpk" + bytes(100))
        with pytest.raises(AudioError) as caught:
            probe(tmp_path / f"{name}.wv")
        reasons.add(reason_of(str(caught.value).removeprefix(f"{tmp_path / f'{name}.wv'}: ")))
    assert len(reasons) == 1
