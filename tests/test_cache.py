"""``extract`` and its cache: content, bad files, damage, a full disk, kills, several processes."""

from __future__ import annotations

import errno
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from small_corpora import get, make_corpus, same, shards

from ser.corpora.base import Corpus, make_table
from ser.errors import FeatureError
from ser.features import PRESETS, mel_pair, mfcc39
from ser.features.cache import FeatureStore


@pytest.fixture
def corpus(tmp_path):
    return make_corpus(tmp_path / "Körper und Stimme")


# what comes out


@pytest.mark.parametrize("preset", PRESETS)
def test_features_are_those_of_each_file(corpus, tmp_path, preset):
    features = get(corpus, tmp_path / "c", preset=preset)
    assert len(features) == len(corpus.table) == 12
    assert features.table.equals(corpus.table)
    for i, path in enumerate(corpus.table.path):
        wave = sf.read(path, dtype="float32")[0]
        pair = mel_pair(wave, preset)
        assert np.allclose(features.mfcc(i), mfcc39(wave), atol=1e-3)  # threads may round
        assert np.allclose(features.mel(i)[0], pair.s1, atol=1e-3)
        assert np.allclose(features.mel(i)[1], pair.s2, atol=1e-3)
        lengths = [features.mfcc(i).shape[0], pair.s1.shape[1], pair.s2.shape[1]]
        assert features.lengths[i].tolist() == lengths
        assert features.samples[i] == len(wave)


def test_arrays_may_be_changed_without_harm(corpus, tmp_path):
    features = get(corpus, tmp_path / "c")
    before = features.mel(1)[0].copy()
    features.mel(1)[0][:] = 7
    torch.from_numpy(features.mfcc(1)).zero_()
    assert np.array_equal(features.mel(1)[0], before) and features.mfcc(1).any()


def test_nothing_is_computed_twice(corpus, tmp_path, monkeypatch):
    first = get(corpus, tmp_path / "c")
    assert first.report["computed"] == 11, "the copied clip is computed once"
    monkeypatch.setattr("ser.features.compute.load_audio", None)
    second = get(corpus, tmp_path / "c")
    assert second.report["computed"] == 0 and same(first, second)


def test_keys_follow_content_not_names(corpus, tmp_path):
    first = get(corpus, tmp_path / "c")
    assert first.keys[-1] == first.keys[-2] != first.keys[0]
    moved = make_corpus(tmp_path / "moved")
    assert get(moved, tmp_path / "c").report["computed"] == 0
    sf.write(moved.table.path[3], np.ones(2000) * 0.1, 16000)
    changed = get(moved, tmp_path / "c")
    assert changed.report["computed"] == 1 and changed.content_hash != first.content_hash


def test_presets_do_not_mix(corpus, tmp_path):
    get(corpus, tmp_path / "c")
    assert get(corpus, tmp_path / "c", preset="paper").report["computed"] == 11


def test_segments_of_one_recording(tmp_path):
    path, random = tmp_path / "dialogue.wav", np.random.default_rng(0)
    sound = random.normal(0, 0.1, 48000).astype(np.float32)
    sf.write(path, sound, 16000, subtype="FLOAT")
    rows = [
        {"utterance": f"u{i}", "path": str(path), "emotion": "sad", "speaker": "1",
         "start": start, "seconds": 0.5, "segment": True}
        for i, start in enumerate((0.0, 1.0, 2.25))
    ]  # fmt: skip
    table = make_table(rows)
    features = get(Corpus("d", tmp_path, table, table, "", ""), tmp_path / "c")
    assert len(set(features.keys)) == 3
    assert np.allclose(features.mfcc(1), mfcc39(sound[16000:24000]), atol=1e-3)


def test_content_hash_depends_on_labels_and_speakers(corpus, tmp_path):
    whole = get(corpus, tmp_path / "c")
    for column in ("emotion", "speaker", "utterance"):
        table = corpus.table.copy()
        table.loc[0, column] = "other"
        other = get(Corpus("made", corpus.root, table, table, "", ""), tmp_path / "c")
        assert other.content_hash != whole.content_hash


def test_subset_and_pickle(corpus, tmp_path):
    features = get(corpus, tmp_path / "c")
    part = features.subset([5, 2])
    assert part.table.utterance.tolist() == ["clip005", "clip002"]
    assert np.array_equal(part.mfcc(0), features.mfcc(5))
    size = len(pickle.dumps(features))  # for worker processes: no arrays go along
    assert size < 50_000 and same(pickle.loads(pickle.dumps(features)), features)


# what cannot be read


def test_unreadable_files_are_all_named_before_stopping(corpus, tmp_path):
    Path(corpus.table.path[2]).write_bytes(b"")
    Path(corpus.table.path[5]).write_text("words")
    Path(corpus.table.path[7]).unlink()
    with pytest.raises(FeatureError) as caught:
        get(corpus, tmp_path / "c")
    message = str(caught.value)
    assert "3 of 12" in message and "ser check made" in message and "--skip-bad" in message
    for row in (2, 5, 7):
        assert corpus.table.path[row] in message
    features = get(corpus, tmp_path / "c", skip_bad=True)
    assert len(features) == 9 and features.report["computed"] == 0, "the readable ones were kept"
    assert "clip005" not in features.table.utterance.tolist()
    assert len(features.report["left_out"]) == 3
    expected = mfcc39(sf.read(corpus.table.path[3])[0])
    assert np.allclose(features.mfcc(2), expected, atol=1e-3)


def test_nothing_readable_at_all(corpus, tmp_path):
    for path in corpus.table.path:
        Path(path).write_bytes(b"")
    with pytest.raises(FeatureError, match="12 of 12"):
        get(corpus, tmp_path / "c", skip_bad=True)


def test_empty_table(corpus, tmp_path):
    empty = Corpus("none", corpus.root, corpus.table.iloc[:0], corpus.table, "", "")
    with pytest.raises(FeatureError, match="no utterances"):
        get(empty, tmp_path / "c")


# damage to the cache


def test_truncated_shard_is_computed_again(corpus, tmp_path):
    first = get(corpus, tmp_path / "c")
    (data,) = shards(tmp_path / "c")
    intact = [first.mfcc(i) for i in range(len(first))]
    data.write_bytes(data.read_bytes()[:-4])
    second = get(corpus, tmp_path / "c")
    assert second.report["computed"] == 11
    assert all(np.array_equal(second.mfcc(i), mfcc) for i, mfcc in enumerate(intact))
    assert get(corpus, tmp_path / "c").report["computed"] == 0


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 9, b"\x02" + b"\0" * 7 + b"{}"])
def test_a_file_that_is_no_shard_is_computed_again(corpus, tmp_path, content):
    get(corpus, tmp_path / "c")
    (shard,) = shards(tmp_path / "c")
    shard.write_bytes(content)
    assert get(corpus, tmp_path / "c").report["computed"] == 11


def test_a_lost_shard_is_computed_again(corpus, tmp_path):
    first = get(corpus, tmp_path / "c")
    shards(tmp_path / "c")[0].unlink()
    again = get(corpus, tmp_path / "c")
    assert again.report["computed"] == 11 and again.keys == first.keys


def test_leftover_temporary_files_are_ignored(corpus, tmp_path):
    folder = Path(get(corpus, tmp_path / "c").report["folder"])
    (folder / ".abc.safetensors.x.tmp").write_bytes(b"half")
    (folder / ".abc.safetensors").write_bytes(b"half")
    assert get(corpus, tmp_path / "c").report["computed"] == 0


def test_shard_lost_while_in_use(corpus, tmp_path):
    features = get(corpus, tmp_path / "c")
    for path in shards(tmp_path / "c"):
        path.unlink()
    with pytest.raises(FeatureError, match="run the same command again"):
        features.mfcc(0)


def test_full_disk(corpus, tmp_path, monkeypatch):
    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FeatureError, match=r"No space left.*SER_CACHE"):
        get(corpus, tmp_path / "c")
    assert not [p for p in (tmp_path / "c").rglob("*") if p.is_file()], "no half-written file"
    monkeypatch.undo()
    assert len(get(corpus, tmp_path / "c")) == 12


def test_damage_in_a_read_only_folder_names_the_way_out(corpus, tmp_path, monkeypatch):
    get(corpus, tmp_path / "c")
    (shard,) = shards(tmp_path / "c")
    shard.write_bytes(shard.read_bytes()[:-4])

    def refuse(*_args, **_kwargs):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(shard))

    monkeypatch.setattr(Path, "unlink", refuse)
    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with pytest.raises(FeatureError, match=r"cannot write features.*Permission denied.*--cache"):
        get(corpus, tmp_path / "c")


def test_what_another_process_made_again_is_not_thrown_away(tmp_path):
    item = {"a": ([np.ones(3)], 3)}
    FeatureStore(tmp_path).write(item)
    (shard,) = tmp_path.glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    first, second = FeatureStore(tmp_path), FeatureStore(tmp_path)
    for store in (first, second):
        store.check("a")
        assert list(store.damaged) == [shard.stem]
    first.throw_away()
    first.write(item)
    second.throw_away()
    assert FeatureStore(tmp_path).read("a")[0].tolist() == [1, 1, 1]


def test_cache_folder_that_is_a_file(corpus, tmp_path):
    (tmp_path / "c").write_text("in the way")
    with pytest.raises(FeatureError, match="cannot write features"):
        get(corpus, tmp_path / "c")


# kills and company

WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import ser.features.compute as compute
from small_corpora import make_corpus, get
compute.TASK = 4
load = compute.load_audio
def slow(*args, **options):
    time.sleep({delay})
    return load(*args, **options)
compute.load_audio = slow
print(get(make_corpus(Path({corpus!r}), 40, write=False), {cache!r}).content_hash)
"""


def worker(tmp_path: Path, cache: Path, delay: float) -> subprocess.Popen:
    folder = tmp_path / "many"
    code = WORKER.format(
        tests=str(Path(__file__).parent),
        delay=delay,
        corpus=str(folder),
        cache=str(cache),
    )
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )


def test_kill_in_the_middle_costs_at_most_one_shard(tmp_path):
    corpus = make_corpus(tmp_path / "many", 40)
    cache = tmp_path / "c"
    process = worker(tmp_path, cache, delay=0.05)
    deadline = time.monotonic() + 60
    while len(shards(cache)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    process.communicate()
    complete = len(shards(cache))
    assert 2 <= complete < 10, "killed in the middle"
    resumed = get(corpus, cache)
    assert resumed.report["computed"] == 39 - 4 * complete
    assert same(resumed, get(corpus, tmp_path / "in one go"))


def test_several_processes_at_once(tmp_path):
    corpus = make_corpus(tmp_path / "many", 40)
    cache = tmp_path / "c"
    processes = [worker(tmp_path, cache, 0.002) for _ in range(3)]
    hashes = {process.communicate(timeout=120)[0].strip() for process in processes}
    assert all(process.returncode == 0 for process in processes)
    features = get(corpus, cache)
    assert features.report["computed"] == 0 and hashes == {features.content_hash}
    assert same(features, get(corpus, tmp_path / "alone"))


def test_a_file_that_changes_while_it_is_read_is_not_kept_under_the_old_hash(
    corpus, tmp_path, monkeypatch
):
    from ser.features import compute

    path, loads = corpus.table.path[3], compute.load_audio

    def changes(name, **options):
        wave = loads(name, **options)
        if name == path:
            os.utime(path, ns=(1, 1))
        return wave

    before = os.stat(path)
    monkeypatch.setattr(compute, "load_audio", changes)
    with pytest.raises(FeatureError, match="changed while it was read; give the command again"):
        get(corpus, tmp_path / "c")
    monkeypatch.undo()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert len(get(corpus, tmp_path / "c")) == 12
