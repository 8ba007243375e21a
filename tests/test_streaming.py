"""A long recording, window by window: the same answers, in bounded memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch

from ser.audio import load_audio, stream_audio
from ser.cli import main
from ser.corpora import EMOTIONS, load_corpus
from ser.errors import AudioError, FeatureError, SerError
from ser.experiments import RunConfig, run
from ser.loading import load_model
from ser.prediction import predict
from ser.streaming import pcm_blocks, predict_stream, windows
from ser.training import TrainConfig


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def model_folder(kept):
    return kept("mfcc-lstm")


def noise(seconds, rate=16000, channels=1, seed=0):
    size = (round(seconds * rate), channels)
    return np.random.default_rng(seed).normal(scale=0.1, size=size).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 96000])
@pytest.mark.parametrize("kind", ["wav", "flac", "ogg"])
def test_blocks_are_the_whole_file(tmp_path, rate, kind):
    path = tmp_path / f"lang ä.{kind}"
    soundfile.write(path, noise(3.3, rate, 2), rate)
    whole = load_audio(path)
    parts = np.concatenate(list(stream_audio(path, seconds=0.21)))
    assert abs(len(parts) - len(whole)) <= 1
    size = min(len(parts), len(whole))
    assert np.abs(parts[:size] - whole[:size]).max() < 1e-5


@pytest.mark.parametrize("seconds", [0.7, 2.0, 2.01, 3.5, 4.0, 7.3])
@pytest.mark.parametrize("hop", [0.5, 1.5, 2.0])
def test_every_sample_is_in_a_window_and_in_its_place(seconds, hop):
    sound = np.arange(round(seconds * 16000), dtype=np.float32)
    covered = np.zeros(len(sound), dtype=bool)
    blocks = [sound[i : i + 3331] for i in range(0, len(sound), 3331)]
    found = list(windows(blocks, window=2.0, hop=hop))
    for start, wave in found:
        first = round(start * 16000)
        assert len(wave) == min(32000, len(sound))
        assert np.array_equal(wave, sound[first : first + len(wave)])
        covered[first : first + len(wave)] = True
    assert covered.all()
    starts = [start for start, _ in found]
    assert starts == sorted(set(starts))


@pytest.mark.parametrize(("window", "hop"), [(0.1, 0.1), (2, 0), (2, 3), (float("nan"), 1)])
def test_windows_that_make_no_sense_are_refused(window, hop):
    with pytest.raises(SerError):
        list(windows([np.zeros(64000)], window, hop))


def test_an_answer_is_that_of_the_stretch_alone(model_folder, tmp_path):
    path = tmp_path / "long.wav"
    soundfile.write(path, noise(6.2), 16000, subtype="FLOAT")
    model = load_model(model_folder)
    answers = list(predict_stream(path, model, window=2.0, hop=1.5))
    assert [a.start for a in answers] == [0.0, 1.5, 3.0, 4.2]
    assert answers[-1].end == pytest.approx(6.2)
    for answer in answers:
        alone = predict(load_audio(path, start=answer.start, seconds=2.0), model)
        assert answer.prediction.probabilities == pytest.approx(alone.probabilities, abs=1e-5)
        assert answer.level == pytest.approx(-20, abs=0.5)
        assert answer.compute_seconds > 0


def test_memory_does_not_grow_with_the_recording(tmp_path):
    peaks = []
    for minutes in (1, 8):
        path = tmp_path / f"{minutes}.wav"
        soundfile.write(path, np.tile(noise(60, 22050), (minutes, 1)), 22050)
        tracemalloc.start()
        count = sum(1 for _ in windows(stream_audio(path, seconds=0.25), 3.0, 1.0))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count >= 60 * minutes - 2
    assert peaks[1] < 1.2 * peaks[0]


def test_the_process_does_not_grow_with_the_recording(model_folder):
    """All of it, torch's memory too, which Python's own account does not see."""
    pytest.importorskip("resource", reason="Windows tells no peak of a process's memory this way")
    code = """if True:
        import resource, sys
        import numpy as np
        from ser.loading import load_model
        from ser.streaming import predict_stream

        def blocks(seconds):
            draw = np.random.default_rng(0)
            for _ in range(4 * seconds):
                yield draw.normal(scale=0.1, size=4000).astype(np.float32)

        model = load_model(sys.argv[1])
        for seconds in (30, 600):
            assert sum(1 for _ in predict_stream(blocks(seconds), model, 2.0, 2.0)) == seconds // 2
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    command = [sys.executable, "-c", code, str(model_folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    short, long = map(int, done.stdout.split())
    unit = 1 if sys.platform == "darwin" else 1024
    assert (long - short) * unit < 50e6, "a window and its features are about half a megabyte"


def test_an_answer_comes_before_the_stream_ends(model_folder):
    def endless():
        while True:
            yield noise(0.25)[:, 0]

    stream = predict_stream(endless(), load_model(model_folder), window=1.0, hop=1.0)
    assert [next(stream).start for _ in range(3)] == [0.0, 1.0, 2.0]
    stream.close()


def test_damage_in_the_middle_comes_after_the_answers_before_it(model_folder, tmp_path):
    sound = noise(5)
    sound[4 * 16000 + 8] = np.nan
    path = tmp_path / "nan.wav"
    soundfile.write(path, sound, 16000, subtype="FLOAT")
    stream = predict_stream(path, load_model(model_folder), window=1.0, hop=1.0)
    assert [next(stream).start for _ in range(4)] == [0.0, 1.0, 2.0, 3.0]
    with pytest.raises(AudioError, match=r"nan\.wav.*4\.00"):
        next(stream)


def test_silence_is_said_and_an_empty_stream_refused(model_folder):
    model = load_model(model_folder)
    (answer,) = predict_stream([np.zeros(16000, dtype=np.float32)], model, 1.0, 1.0)
    assert answer.level == -np.inf and "digital silence" in answer.to_text()
    assert answer.as_dict()["level_db"] is None
    with pytest.raises(AudioError, match="stream: holds no sound"):
        list(predict_stream([], model))
    with pytest.raises(FeatureError, match=r"my microphone, at 00:00\.0: .*at least 400"):
        list(predict_stream([np.ones(320, dtype=np.float32)], model, name="my microphone"))


def test_raw_samples_from_a_pipe():
    sound = (np.sin(np.arange(8000) / 9) * 20000).astype("<i2")
    blocks = list(pcm_blocks(io.BytesIO(sound.tobytes() + b"\x01"), rate=8000))
    assert 15990 <= sum(len(b) for b in blocks) <= 16010
    assert np.abs(np.concatenate(blocks)).max() == pytest.approx(20000 / 32768, abs=0.02)
    for head in (b"RIFF", b"FORM", b"fLaC", b"OggS", b"ID3", b".snd", b"caff", b"\0\0\0\x1cftyp"):
        with pytest.raises(AudioError, match="sound file"):
            list(pcm_blocks(io.BytesIO(head + bytes(100))))


def test_the_command_prints_a_line_an_answer(model_folder, tmp_path, capsys):
    path = tmp_path / "meine Rede.wav"
    soundfile.write(path, noise(4, 44100, 2), 44100)
    args = ["predict", str(path), "--checkpoint", str(model_folder), "--stream"]
    assert main([*args, "--window", "2", "--hop", "1", "--threads", "1"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 3 and out.startswith("00:00.0 - 00:02.0")
    assert "3 answers over 4.0 s" in err and "trained on" in err
    assert main([*args, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["start"] for r in rows] == [0.0, 1.0]
    assert rows[0]["path"] == str(path)


def test_standard_input(model_folder, monkeypatch, capsys):
    sound = (noise(2.0)[:, 0] * 32767).astype("<i2").tobytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(sound)))
    args = ["predict", "-", "--checkpoint", str(model_folder)]
    assert main([*args, "--stream", "--window", "1", "--hop", "1"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert main(args) == 2
    assert "--stream" in capsys.readouterr().err


def test_options_of_a_stream_alone_are_refused(model_folder, capsys):
    args = ["predict", "a.wav", "--checkpoint", str(model_folder)]
    assert main([*args, "--hop", "1"]) == 2
    assert "goes with --stream" in capsys.readouterr().err
    assert main([*args, "--threads", "0"]) == 2
    for window in ("nan", "inf", "1e9", "-1"):
        capsys.readouterr()
        assert main([*args, "--stream", "--window", window]) == 2
        assert "give 0.5 to 600 s" in capsys.readouterr().err
    assert main([*args, "--stream", "--rate", "8000"]) == 2
    assert "--rate is that of '-'" in capsys.readouterr().err
    assert main([*args, "--device", "mps"]) == 2
    assert main([*args, "--stream", "--hop", "0"]) == 2


class Short:
    """A pipe that gives what it has, an odd number of bytes at a time."""

    def __init__(self, data, most):
        self.data, self.most = data, most

    def read(self, size):
        some, self.data = self.data[: min(size, self.most)], self.data[min(size, self.most) :]
        return some


@pytest.mark.parametrize("most", [1, 3, 4097])
def test_a_read_that_ends_within_a_sample_shifts_nothing(most):
    values = (20000 * np.sin(np.arange(5001))).astype("<i2")
    whole = np.concatenate(list(pcm_blocks(io.BytesIO(values.tobytes()))))
    parts = np.concatenate(list(pcm_blocks(Short(values.tobytes(), most))))
    np.testing.assert_array_equal(parts, whole)


def test_a_pipe_that_does_not_wait_is_refused():
    class Empty:
        def read(self, _size):
            return None

    with pytest.raises(AudioError, match="open it blocking"):
        list(pcm_blocks(Empty()))


def test_whole_numbers_are_heard_at_their_full_scale(model_folder):
    wave = noise(2.0)[:, 0]
    ints = np.round(32767 * wave).astype(np.int16)
    answers = [
        next(predict_stream([blocks], model_folder)).as_dict()
        for blocks in (ints, ints / np.float32(32768), ints.astype(np.int32) * 65536)
    ]
    for answer in answers:
        answer.pop("compute_seconds")
    assert answers[0] == answers[1] == answers[2] and answers[0]["level_db"] < 0


@pytest.mark.parametrize(
    ("block", "match"),
    [
        (np.zeros((4000, 1), np.float32), r"one channel \(n,\) is expected, not \(4000, 1\)"),
        (np.full(4000, np.nan), "NaN or infinite"),
        (np.full(4000, 1e6), "full scale is 1"),
        (np.zeros(4000, np.uint8), "uint8 is not a sound"),
        (np.zeros(4000, complex), "complex128 is not a sound"),
    ],
)
def test_blocks_that_are_no_sound_are_refused_by_name(model_folder, block, match):
    with pytest.raises(AudioError, match=f"mic: .*{match}"):
        list(predict_stream([np.zeros(16000), block], model_folder, name="mic"))
    with pytest.raises(AudioError, match=f"samples: .*{match}"):
        predict(block, model_folder)


@pytest.fixture(scope="module")
def true_lengths(tiny_root, tmp_path_factory):
    """Records and model of a network that takes spectrograms as long as they are."""
    out = tmp_path_factory.mktemp("true")
    config = RunConfig(
        root=str(tiny_root),
        models=("ds-lstm",),
        protocol="random",
        folds=2,
        train=TrainConfig(epochs=1, batch_size=16, hidden=4, frames="true"),
        out=out,
        jobs=1,
        threads=1,
        progress=False,
        cache=str(tmp_path_factory.mktemp("cache")),
    )
    run(config)
    return config, out / "models" / "ds-lstm" / "random-release-1-seed0"


def test_a_clip_too_short_for_true_lengths_is_named_and_the_next_is_answered(
    true_lengths, tmp_path, capsys
):
    model = str(true_lengths[1])
    short, long = tmp_path / "short.wav", tmp_path / "long.wav"
    soundfile.write(short, noise(0.06), 16000)
    soundfile.write(long, noise(1.0), 16000)
    with pytest.raises(FeatureError, match=r"short.wav: 0.06 s is too short"):
        predict(short, model)
    for stream in ([], ["--stream"]):
        assert main(["predict", str(short), str(long), "--checkpoint", model, *stream]) == 2
        told = capsys.readouterr()
        assert "short.wav" in told.err and "too short" in told.err
        assert "Traceback" not in told.err and any(e in told.out for e in EMOTIONS)


def test_a_run_names_the_utterances_that_are_too_short(true_lengths, tmp_path):
    corpus = load_corpus("synthetic", true_lengths[0].root)
    table = corpus.table
    lines = ["path,emotion,speaker"]
    for i, (path, emotion, speaker) in enumerate(
        zip(table.path, table.emotion, table.speaker, strict=True)
    ):
        wave = load_audio(path)[: 960 if i == 5 else None]
        soundfile.write(tmp_path / f"clip {i}.wav", wave, 16000)
        lines.append(f"clip {i}.wav,{emotion},{speaker}")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    config = replace(
        true_lengths[0],
        corpus="manifest",
        root=str(tmp_path / "m.csv"),
        out=tmp_path / "out",
        cache=str(tmp_path / "cache"),
    )
    with pytest.raises(FeatureError, match=r"shortest utterances are clip 5.*\(0.06 s\)"):
        run(config)
