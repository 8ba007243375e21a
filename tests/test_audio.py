"""Every kind of file and every kind of damage that ``load_audio`` and ``probe`` meet."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from ser.audio import load_audio, probe, stream_audio
from ser.errors import AudioError


def tone(rate: int, seconds: float = 0.5, level: float = 0.5, hertz: float = 440.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "tone.wav"
    sf.write(path, tone(16000), 16000)
    return path


def refused(path, *words, function=load_audio, **options):
    """The error names the file, says *words* and shows no other exception to the user."""
    with pytest.raises(AudioError) as caught:
        function(path, **options)
    message = str(caught.value)
    assert message.startswith(str(path))
    for word in words:
        assert word in message
    return message


# what is read


@pytest.mark.parametrize(
    ("subtype", "step"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-23),
        ("PCM_32", 2**-23),
        ("FLOAT", 1e-7),
        ("DOUBLE", 1e-7),
        ("ULAW", 0.02),
        ("ALAW", 0.02),
    ],
)
def test_widths(tmp_path, subtype, step):
    path = tmp_path / "a.wav"
    sf.write(path, tone(16000), 16000, subtype=subtype)
    wave = load_audio(path)
    assert wave.dtype == np.float32 and wave.shape == (8000,)
    assert np.abs(wave - tone(16000)).max() <= step
    assert probe(path).subtype == subtype


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 24000, 24414, 44100, 48000, 96000])
def test_rates(tmp_path, rate):
    path = tmp_path / "a.wav"
    sf.write(path, tone(rate, 1.0), rate, subtype="FLOAT")
    wave = load_audio(path)
    assert abs(len(wave) - 16000) <= 1 and wave.dtype == np.float32
    middle = slice(1000, 15000)  # away from the ends, where the filter meets silence
    assert np.abs(wave[middle] - tone(16000, 1.0)[middle]).max() < 1e-4


def test_resampling_lets_nothing_alias(tmp_path):
    path = tmp_path / "a.wav"
    sf.write(path, tone(44100, 1.0, hertz=12000.0), 44100, subtype="FLOAT")
    assert np.abs(load_audio(path)[1000:15000]).max() < 1e-4


def test_16_khz_integers_are_exact(wav):
    integers, _ = sf.read(wav, dtype="int16")
    assert np.array_equal(load_audio(wav) * 32768, integers.astype(np.float32))


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_are_averaged(tmp_path, channels):
    path = tmp_path / "a.wav"
    sound = np.stack([tone(16000, level=0.1 * (c + 1)) for c in range(channels)], axis=1)
    sf.write(path, sound, 16000, subtype="FLOAT")
    assert np.allclose(load_audio(path), sound.mean(axis=1), atol=1e-7)
    assert probe(path).channels == channels


def test_wav_extensible(tmp_path):
    path = tmp_path / "a.wav"
    sf.write(path, tone(16000), 16000, format="WAVEX", subtype="PCM_24")
    assert load_audio(path).shape == (8000,)


@pytest.mark.parametrize("kind", ["flac", "ogg", "mp3", "aiff", "au", "rf64"])
def test_other_formats(tmp_path, kind):
    path = tmp_path / f"a.{kind}"
    sf.write(path, tone(44100, 1.0), 44100, format=kind.upper())
    wave = load_audio(path)
    assert abs(len(wave) - 16000) < 200
    assert 0.3 < np.abs(wave).max() < 0.7


def test_a_name_that_lies_about_the_format(tmp_path):
    path = tmp_path / "flac called.wav"
    sf.write(path, tone(16000), 16000, format="FLAC")
    assert load_audio(path).shape == (8000,)


def test_60_seconds(tmp_path):
    path = tmp_path / "long.wav"
    sf.write(path, tone(16000, 60.0), 16000)
    assert load_audio(path).shape == (960000,)
    assert probe(path).seconds == 60.0


def test_50_ms(tmp_path):
    path = tmp_path / "short.wav"
    sf.write(path, tone(16000, 0.05), 16000)
    assert load_audio(path).shape == (800,)


def test_digital_silence_is_sound(tmp_path):
    path = tmp_path / "silence.wav"
    sf.write(path, np.zeros(8000), 16000)
    assert not load_audio(path).any()


def test_float_above_full_scale_is_kept(tmp_path):
    path = tmp_path / "loud.wav"
    sf.write(path, tone(16000, level=3.0), 16000, subtype="FLOAT")
    assert 2.9 < load_audio(path).max() <= 3.0


@pytest.mark.parametrize("peak", [200.0, 32768.0, 1e30])
def test_samples_far_above_full_scale_are_a_mistake(tmp_path, peak):
    path = tmp_path / "scaled.wav"
    sf.write(path, tone(16000, level=peak).astype(np.float32), 16000, subtype="FLOAT")
    refused(path, "full scale is 1", "32768")
    with pytest.raises(AudioError, match=r"scaled\.wav.*full scale"):
        list(stream_audio(path))


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes are Linux's")
def test_a_name_that_is_no_utf8(tmp_path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.wav"))
    sf.write(os.fsencode(path), tone(16000), 16000)
    assert load_audio(path).shape == (8000,) and probe(path).rate == 16000


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    refused(path, "a pipe or a device", "--stream")


def test_spaces_and_umlauts(tmp_path):
    path = tmp_path / "Übung mit Löchern" / "ärger über 雨 .wav"
    path.parent.mkdir()
    sf.write(path, tone(16000), 16000)
    assert load_audio(path).shape == load_audio(str(path)).shape == (8000,)


def test_a_part_of_a_file(tmp_path):
    path = tmp_path / "dialogue.wav"
    sf.write(path, np.arange(48000) / 48000, 16000, subtype="FLOAT")
    part = load_audio(path, start=1.0, seconds=0.5)
    assert len(part) == 8000 and part[0] == pytest.approx(16000 / 48000)
    assert len(load_audio(path, start=2.5)) == 8000
    assert len(load_audio(path, start=2.5, seconds=0.55)) == 8000  # 50 ms over the end: rounding
    sf.write(path, np.zeros((88200, 2)), 44100)
    assert len(load_audio(path, start=0.5, seconds=1.0)) == 16000


@pytest.mark.parametrize(("start", "seconds"), [(1.0, None), (0.2, 0.5), (9.0, 1.0)])
def test_a_part_beyond_the_end(wav, start, seconds):
    refused(wav, "outside the recording", "0.500 s", start=start, seconds=seconds)


@pytest.mark.parametrize(("start", "seconds"), [(-1.0, None), (0.0, 0.0), (0.0, float("nan"))])
def test_a_part_that_makes_no_sense(wav, start, seconds):
    refused(wav, "positive", start=start, seconds=seconds)


def test_probe_agrees_with_load(wav):
    info = probe(wav)
    assert (info.rate, info.channels, info.frames, info.seconds) == (16000, 1, 8000, 0.5)
    assert (info.format, info.subtype) == ("WAV", "PCM_16")


# what is refused


@pytest.mark.parametrize("function", [load_audio, probe])
class TestRefusedByBoth:
    def test_missing_file(self, tmp_path, function):
        refused(tmp_path / "nothing.wav", "no such file", function=function)

    def test_missing_folder(self, tmp_path, function):
        refused(tmp_path / "nowhere" / "a.wav", "no such file", function=function)

    def test_folder(self, tmp_path, function):
        refused(tmp_path, "folder", function=function)

    def test_empty_file(self, tmp_path, function):
        path = tmp_path / "empty.wav"
        path.write_bytes(b"")
        refused(path, "empty", "again", function=function)

    @pytest.mark.parametrize("name", ["text.wav", "text.flac", "text.mp3", "text.raw", "text"])
    def test_text_called_wav(self, tmp_path, function, name):
        path = tmp_path / name
        path.write_text("these are words, no sound\n" * 20, encoding="utf-8")
        refused(path, "not a sound file", "text", "these are words", function=function)

    def test_web_page_called_wav(self, tmp_path, function):
        path = tmp_path / "login.wav"
        path.write_text("<!DOCTYPE html><title>Please sign in</title>")
        refused(path, "web page", "download", function=function)

    def test_git_lfs_pointer(self, tmp_path, function):
        path = tmp_path / "pointer.wav"
        path.write_text(
            "version https://git-lfs.github.com/spec/v1\n"
            "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
            "size 123456\n"
        )
        refused(path, "git-lfs pointer", "git lfs pull", function=function)

    @pytest.mark.parametrize("keep", [10, 20, 36, 44, 46, 8000, -2, -1])
    def test_truncated_wav(self, wav, function, keep):
        wav.write_bytes(wav.read_bytes()[:keep])
        refused(wav, "cut off", "header promises", function=function)

    @pytest.mark.parametrize("kind", ["AIFF", "AU", "RF64"])
    def test_other_truncated_formats(self, tmp_path, function, kind):
        path = tmp_path / "a.snd"
        sf.write(path, tone(16000), 16000, format=kind, subtype="PCM_16")
        path.write_bytes(path.read_bytes()[:-1000])
        refused(path, "cut off", "1000 bytes", function=function)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_truncated_flac(tmp_path, share):
    path = tmp_path / "a.flac"
    sound = np.random.default_rng(0).normal(0, 0.1, 40000)
    sf.write(path, sound, 16000)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    refused(path, "download")


def test_flac_cut_between_two_frames(tmp_path):
    """No damaged frame tells of it: only the count in the header does."""
    path = tmp_path / "a.flac"
    sf.write(path, np.random.default_rng(0).normal(0, 0.1, 40000), 16000)
    whole = path.read_bytes()
    marks = [i for i in range(len(whole) - 1) if whole[i] == 0xFF and whole[i + 1] in (0xF8, 0xF9)]
    assert len(marks) > 3
    for mark in marks[1:]:
        path.write_bytes(whole[:mark])
        refused(path, "cut off")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_samples(tmp_path, bad):
    path = tmp_path / "nan.wav"
    sound = tone(16000).astype(np.float32)
    sound[4000:4003] = bad
    sf.write(path, sound, 16000, subtype="FLOAT")
    refused(path, "3 of 8000", "NaN or infinite", "0.250 s")


def test_no_samples(tmp_path):
    path = tmp_path / "none.wav"
    sf.write(path, np.zeros(0), 16000)
    refused(path, "no sound")
    assert probe(path).frames == 0


@pytest.mark.parametrize("total", [0, 8, 36, 0xFFFFFFFF])
def test_a_stream_whose_data_size_says_0(tmp_path, total):
    path = tmp_path / "stream.wav"
    path.write_bytes(riff(FMT, chunk(b"data", SOUND, 0), size=total))
    assert np.array_equal(load_audio(path) * 32768, np.arange(1000))
    assert probe(path).frames == 1000 and sum(map(len, stream_audio(path))) == 1000


def test_no_sound_and_a_chunk_after_it_are_no_stream(tmp_path):
    path = tmp_path / "none.wav"
    path.write_bytes(riff(FMT, chunk(b"data", b""), chunk(b"LIST", b"x" * 2000)))
    refused(path, "0 samples", "2052 bytes", "audio editor")


@pytest.mark.parametrize("rate", [1, 8, 999, 800_000, 2**31 - 1])
@pytest.mark.parametrize("function", [load_audio, probe])
def test_a_rate_that_no_sound_has_is_an_error(tmp_path, rate, function):
    path = tmp_path / "rate.wav"
    speed = (2 * rate) & 0xFFFFFFFF
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, rate, speed, 2, 16))
    path.write_bytes(riff(form, chunk(b"data", SOUND)))
    refused(path, f"{rate} samples a second", "damaged", function=function)


def test_a_rate_that_contradicts_the_bytes_a_second_is_an_error(tmp_path):
    path = tmp_path / "rate.wav"
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 1024, 32000, 2, 16))
    path.write_bytes(riff(form, chunk(b"data", SOUND)))
    refused(path, "contradicts itself", "1024", "32000")


def test_a_length_limit_that_can_be_raised(tmp_path, monkeypatch):
    path = tmp_path / "long.flac"
    sf.write(path, np.zeros(16000 * 3601, np.int16), 16000)
    refused(path, "3,601 s", "SER_LONGEST", "name a part")
    assert len(load_audio(path, start=3600.0, seconds=1.0)) == 16000
    assert len(load_audio(path, start=3590.0)) == 11 * 16000
    assert sum(map(len, stream_audio(path))) == 3601 * 16000
    assert len(load_audio(path, longest=4000)) == 3601 * 16000
    monkeypatch.setenv("SER_LONGEST", "2")
    refused(path, "at most 2 s", start=0.0, seconds=2.5)


def test_long_sound_at_another_rate_is_resampled_piece_by_piece(tmp_path, monkeypatch):
    path = tmp_path / "long.wav"
    sf.write(path, tone(44100, 3.0), 44100)
    whole = load_audio(path)
    monkeypatch.setattr("ser.audio._LARGE", 44100)
    assert np.abs(load_audio(path) - whole).max() < 1e-5


@pytest.mark.parametrize(("rate", "samples"), [(16000, 399), (44100, 1102), (8000, 199)])
def test_too_short(tmp_path, rate, samples):
    path = tmp_path / "click.wav"
    sf.write(path, np.zeros(samples), rate)
    refused(path, "too short", "25 ms")
    sf.write(path, np.zeros(samples + 1), rate)
    assert len(load_audio(path)) >= 400


def test_unreadable_file(wav, monkeypatch):
    def denied(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", denied)
    refused(wav, "Permission denied")


# headers that look wrong and are not


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return name + struct.pack("<I", length) + body + b"\0" * (len(body) % 2)


FMT = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 16000, 32000, 2, 16))
SOUND = (np.arange(1000, dtype="<i2")).tobytes()


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(riff(FMT, chunk(b"data", SOUND)), id="plain"),
        pytest.param(riff(FMT, chunk(b"FLLR", b"\0" * 4044), chunk(b"data", SOUND)), id="filler"),
        pytest.param(riff(FMT, chunk(b"LIST", b"odd"), chunk(b"data", SOUND)), id="odd chunk"),
        pytest.param(riff(FMT, chunk(b"data", SOUND), chunk(b"id3 ", b"x" * 99)), id="after"),
        pytest.param(riff(FMT, chunk(b"data", SOUND)) + b"junk" * 25, id="trailing junk"),
        pytest.param(riff(FMT, chunk(b"data", SOUND), size=7), id="wrong total, small"),
        pytest.param(riff(FMT, chunk(b"data", SOUND), size=999999), id="wrong total, large"),
        pytest.param(riff(FMT, chunk(b"data", SOUND, 0), size=8), id="never closed"),
        pytest.param(riff(FMT, chunk(b"data", SOUND, 0xFFFFFFFF), size=0xFFFFFFFF), id="streamed"),
        pytest.param(riff(FMT, chunk(b"data", SOUND, 0x7FFFFFFF)), id="streamed, 2 GB"),
    ],
)
def test_odd_headers_of_whole_files(tmp_path, content):
    path = tmp_path / "odd.wav"
    path.write_bytes(content)
    wave = load_audio(path)
    assert np.array_equal(wave[:1000] * 32768, np.arange(1000))


def test_missing_pad_byte(tmp_path):
    unpadded = b"LIST" + struct.pack("<I", 3) + b"odd"
    path = tmp_path / "unpadded.wav"
    path.write_bytes(riff(FMT, unpadded, chunk(b"data", SOUND)))
    assert np.array_equal(load_audio(path) * 32768, np.arange(1000))
    assert probe(path).frames == 1000


def test_importing_needs_no_sound_library():
    code = "import sys, ser.audio; assert not {'soundfile', 'soxr', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_channels_can_be_heeded_before_they_are_mixed(tmp_path):
    left = np.random.default_rng(0).integers(-9000, 9000, 44100).astype(np.int16)
    path = tmp_path / "x.wav"
    sf.write(path, np.stack([left, -left], axis=1), 44100)
    for read in (load_audio, lambda *a, **k: np.concatenate(list(stream_audio(*a, **k)))):
        blocks = []
        assert not read(path, heed=blocks.append).any(), "they cancel"
        assert np.array_equal(np.concatenate(blocks)[:, 0], left / np.float32(32768))
