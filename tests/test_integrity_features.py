"""No damaged cache or pack gives other features: each kind of damage, by seed."""

from __future__ import annotations

import copy
import json
import logging
import shutil

import numpy as np
import pytest
from damage import COUNT, damages
from small_corpora import get, make_corpus, same, shards

from ser.errors import FeatureError
from ser.features import load_pack, save_pack
from ser.features.cache import FeatureStore


def test_a_damaged_shard_never_gives_other_features(tmp_path):
    random = np.random.default_rng(0)
    right = {
        f"key{i}": [random.normal(size=shape).astype(np.float32) for shape in ((5, 3), (4, i))]
        for i in range(8)
    }
    store = FeatureStore(tmp_path / "right")
    for part in (list(right)[:4], list(right)[4:]):
        store.write({key: (right[key], 100) for key in part})
    thrown = 0
    for number, data in enumerate(damages(shards(tmp_path / "right")[0].read_bytes(), COUNT)):
        folder = tmp_path / str(number)
        shutil.copytree(tmp_path / "right", folder)
        shards(folder)[0].write_bytes(data)
        late, store = FeatureStore(folder), FeatureStore(folder)
        store.check(right)
        thrown += len(store.damaged)
        store.throw_away()
        assert len(shards(folder)) in (1, 2)
        assert len(store.entries) in (4, 8)
        for key in store.entries:
            assert all(map(np.array_equal, store.read(key), right[key]))
            assert store.entries[key].samples == 100
        for key in late.entries:  # one that looked before the damage was thrown away
            try:
                assert all(map(np.array_equal, late.read(key), right[key]))
            except FeatureError as error:
                assert "run the same command again" in str(error)
        shutil.rmtree(folder)
    assert thrown > 0.9 * COUNT  # some change nothing


def test_damage_that_came_after_the_check_is_an_error(tmp_path):
    store = FeatureStore(tmp_path)
    store.write({"a": ([np.ones((2, 3))], 1)})
    (path,) = shards(tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[:-4] + b"\0\0\0\0")
    with pytest.raises(FeatureError, match=rf"{path.name}: damaged features .*; run the same"):
        store.read("a")


def test_a_damaged_cache_is_made_again_by_itself(tmp_path, caplog):
    corpus, cache = make_corpus(tmp_path / "corpus"), tmp_path / "c"
    right, caplog = get(corpus, tmp_path / "right"), caplog
    get(corpus, cache)
    for number in range(5):
        (path,) = shards(cache)
        data = list(damages(path.read_bytes(), 6, seed=number))[number]
        path.write_bytes(data)
        caplog.clear()
        with caplog.at_level(logging.WARNING, "ser"):
            again = get(corpus, cache)
        assert same(again, right)
        assert again.report["computed"] == 11
        assert "damaged features" in caplog.text and path.stem in caplog.text
        assert get(corpus, cache).report["computed"] == 0


def test_a_key_that_another_shard_has_too_is_taken_from_there(tmp_path):
    store, twin = FeatureStore(tmp_path), FeatureStore(tmp_path)
    for number, each in enumerate((store, twin)):
        each.write({"a": ([np.arange(6.0).reshape(2, 3)], 1), str(number): ([np.ones(1)], 1)})
    noticed = 0
    for path in shards(tmp_path):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + b"\1")
        fresh = FeatureStore(tmp_path)
        fresh.check(["a"])
        noticed += len(fresh.damaged)
        assert fresh.read("a")[0][1, 2] == 5
        path.write_bytes(data)
    assert noticed == 1, "the other one was not needed"


def test_a_damaged_pack_is_an_error_and_stays(tmp_path):
    features = get(make_corpus(tmp_path / "corpus"), tmp_path / "c")
    folder = save_pack(features, tmp_path / "pack")
    right = load_pack(folder)
    files = [folder / "meta.json", *shards(folder)]
    assert len(files) == 2
    for path in files:
        whole, refused = path.read_bytes(), 0
        for data in damages(whole, 30):
            path.write_bytes(data)
            try:
                pack = load_pack(folder)
                assert same(pack, right) and pack.table.equals(right.table)
                assert (pack.corpus, pack.preset) == (right.corpus, right.preset)
            except FeatureError as error:
                refused += 1
                assert str(folder) in str(error) and (
                    "again" in str(error) or "--out" in str(error)
                )
            assert path.read_bytes() == data, "it may be the only copy"
        path.write_bytes(whole)
        assert refused > 15
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    for change in (lambda m: m.pop("digest"), lambda m: m["corpus"].update(name="other")):
        body = copy.deepcopy(meta)
        change(body)
        (folder / "meta.json").write_text(json.dumps(body), "utf-8")
        with pytest.raises(FeatureError, match="digest"):
            load_pack(folder)
    path = folder / "meta.json"
    path.write_text(json.dumps(meta), "utf-8")
    data = shards(folder)[0].read_bytes()
    shards(folder)[0].write_bytes(data[:-1] + b"\x55")
    assert same(load_pack(save_pack(features, folder)), features), "mended"
