"""Measuring training steps: settings, memory, records that resume, profiles, figures."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap

import pytest
import torch
from chapters.shared.profiling import kind_of, profile_work
from conftest import ROOT

from benchmarks import throughput, throughput_record
from benchmarks.random_corpus import CORPUS, Plan, random_dataset
from benchmarks.trainer import (
    Setting,
    Trainer,
    measure,
    precision,
)
from ser.errors import ModelError, TrainingError
from ser.models import build_model

SMALL = Plan(utterances=8, longest=2.0, hidden=8, warmup=0, rounds=2, round_seconds=0.0)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_random_corpus_has_the_shapes_of_the_release():
    data = random_dataset(SMALL, frozenset({"mfcc", "s1", "s2"}))
    batch = data.batch(range(4))
    assert batch.s1.shape == (4, 128, 230)
    assert batch.s2.shape == (4, 256, 120)
    assert 100 <= int(batch.mfcc_lengths.min()) <= int(batch.mfcc_lengths.max()) <= 200
    assert 20 < float(batch.s1.mean()) < 80
    assert sorted(data.batch().labels.tolist()) == [0, 0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("model", ["mfcc-lstm", "ds-lstm", "dual"])
def test_measures_every_model_in_both_precisions(model):
    for kind in ("float32", "bfloat16"):
        found = measure(Setting(model, 4, kind), SMALL)
        assert found["low"] <= found["utterances_per_second"] <= found["high"]
        assert len(found["rates"]) == 2
        rate = found["utterances_per_second"]
        assert found["epoch_seconds"] == pytest.approx(CORPUS / rate, rel=0.01)
        assert found["step_seconds"] == pytest.approx(4 / rate, rel=0.01)
        assert found["batch_seconds"] > 0
        assert json.dumps(found)


def test_a_step_is_the_training_loops_step():
    from ser.training import TrainConfig, train

    setting = Setting("dual", 4)
    trainer = Trainer(setting, SMALL, "cpu")
    losses = [trainer.step() for _ in range(2)]
    model = build_model("dual", hidden=8, seed=0)
    config = TrainConfig(epochs=1, batch_size=4, milestones=())
    data = random_dataset(SMALL, model.needs)
    done = train(model, config, data)
    assert done.history[0]["loss"] == pytest.approx(sum(losses) / 2, abs=1e-5)
    for a, b in zip(trainer.model.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)


def test_autocast_reaches_the_products_and_spares_the_states():
    trainer = Trainer(Setting("ds-lstm", 4, "bfloat16"), SMALL, "cpu")
    seen = {}
    branch = trainer.model.parts[0]
    branch.front1.register_forward_hook(lambda *a: seen.update(front=a[2].dtype))
    branch.lstm.register_forward_hook(lambda *a: seen.update(lstm=a[2][0].dtype))
    with precision("bfloat16", "cpu") as cast:
        assert trainer.step(cast) > 0
    assert seen == {"front": torch.bfloat16, "lstm": torch.float32}
    assert all(p.grad.dtype == torch.float32 for p in trainer.model.parameters())


def test_precision_is_put_back():
    before = torch.get_float32_matmul_precision()
    with pytest.raises(ZeroDivisionError), precision("tf32", "cpu"):
        assert torch.get_float32_matmul_precision() == "high"
        raise ZeroDivisionError
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (("mfcc-lstm", 4, "float8"), "no 'float8'"),
        (("mfcc-lstm", 4, "float32", "moon"), "no 'moon'"),
        (("mfcc-lstm", 1), "at least two"),
        (("mfcc-lstm", 9), "from 8 utterances"),
        (("mfcc-lstm", 4, "tf32"), "NVIDIA"),
        (("mfcc-lstm", 4, "float32", "pinned"), "nothing is copied"),
    ],
)
def test_what_cannot_be_measured_is_said(setting, message):
    with pytest.raises(TrainingError, match=message):
        measure(Setting(*setting), SMALL)
    with pytest.raises(ModelError, match="no model"):
        measure(Setting("dul", 4), SMALL)


def test_profile_finds_what_a_step_does(capfd):
    found = profile_work(Trainer(Setting("ds-lstm", 4), SMALL, "cpu").step, warmup=1, most=10)
    kinds = {o["kind"] for o in found["operators"]}
    assert {"convolution", "matrix product", "recurrence", "optimiser"} <= kinds
    assert "looking at a part" in kinds
    assert found["calls"] == sum(o["calls"] for o in found["operators"])
    assert found["launches"] == 0
    assert sum(o["cpu_ms"] for o in found["operators"]) <= 1.2 * found["wall_ms"]
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("aten::cudnn_convolution", "convolution"),
        ("aten::_cudnn_rnn_backward", "LSTM of torch"),
        ("aten::mkldnn_rnn_layer", "LSTM of torch"),
        ("MkldnnRnnLayerBackward0", "LSTM of torch"),
        ("aten::mm", "matrix product"),
        ("mkldnn::_linear_pointwise", "matrix product"),
        ("mkldnn::_reorder_linear_weight", "matrix product"),
        *(
            (name, "matrix product")
            for name in (
                *("aten::addmm", "aten::addmm_", "aten::bmm", "aten::baddbmm_", "aten::addmv_"),
                *("aten::mkldnn_linear_backward_weights", "mkl::_mkl_linear", "aten::linear"),
                *("aten::matmul", "aten::einsum", "aten::_scaled_mm", "aten::dot"),
                *("AddmmBackward0", "autograd::engine::evaluate_function: MmBackward0"),
            )
        ),
        ("aten::upsample_bilinear2d", "everything else"),
        ("aten::lgamma_", "everything else"),
        ("aten::cummax", "everything else"),
        ("Recurrence", "recurrence"),
        ("GraphRecurrenceBackward", "recurrence"),
        ("SegmentsBackward", "recurrence"),
        ("aten::cudnn_batch_norm", "batch norm"),
        ("aten::_foreach_addcdiv_", "optimiser"),
        ("aten::slice", "looking at a part"),
        ("aten::_to_copy", "moving data"),
        ("aten::tanh_", "everything else"),
    ],
)
def test_kinds(name, kind):
    assert kind_of(name) == kind


OPTIONS = ["--device", "cpu", "--threads", "1", "--models", "mfcc-lstm", "--utterances", "8"]
OPTIONS += ["--hidden", "8", "--rounds", "2", "--round-seconds", "0", "--precisions", "float32"]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A record that the command line has left, and its path."""
    path = tmp_path_factory.mktemp("a folder ä") / "cpu.json"
    command = [sys.executable, "-m", "benchmarks.throughput", *OPTIONS, "--batches", "4,2"]
    command += ["--out", str(path), "--note", "a test"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "utterances/s" in done.stdout
    return json.loads(path.read_text(encoding="utf-8")), path


def test_command_leaves_a_record(record):
    body, path = record
    assert list(body["cells"]) == ["mfcc-lstm/2/float32/device", "mfcc-lstm/4/float32/device"]
    assert list(body["profiles"]) == ["mfcc-lstm/8/float32/device"]
    assert body["command"].startswith("python -m benchmarks.throughput --device cpu")
    assert body["note"] == "a test"
    assert body["device"]["type"] == "cpu"
    assert body["device"]["threads"] == 1
    assert {"torch", "python"} <= set(body["versions"])
    assert "commit" in body["package"]
    assert len(body["code"]) == 12
    assert body["plan"]["utterances"] == 8
    assert [p.name for p in path.parent.iterdir()] == ["cpu.json"]


def test_memory_is_measured_on_linux(record):
    sizes = [cell["step_bytes"] for cell in record[0]["cells"].values()]
    if not sys.platform.startswith("linux"):
        assert sizes == [None, None]
    else:
        assert 0 <= sizes[0] < 2**30
        assert 0 < sizes[1] < 2**30


def argv(path, *more: str) -> list[str]:
    return [*OPTIONS, "--out", str(path), "--quiet", *more]


def test_goes_on_where_it_stopped(record, tmp_path, monkeypatch):
    body, _ = record
    path = tmp_path / "r.json"
    path.write_text(json.dumps(body), encoding="utf-8")
    done = []

    def pretend(self, work, setting):
        if setting.batch == 8 and work is throughput._measured:
            raise KeyboardInterrupt
        done.append(setting.key)
        return body["cells"]["mfcc-lstm/2/float32/device"] | {"batch": setting.batch}

    monkeypatch.setattr(throughput.Worker, "run", pretend)
    assert throughput.main(argv(path, "--batches", "2,4,6,8")) == 130
    assert done == ["mfcc-lstm/6/float32/device"]
    stored = json.loads(path.read_text(encoding="utf-8"))
    assert list(stored["cells"])[-1] == "mfcc-lstm/6/float32/device"
    done.clear()
    assert throughput.main(argv(path, "--batches", "2,4,6")) == 0
    assert done == []


def test_other_code_or_settings_are_not_mixed(record, tmp_path, capsys):
    body, _ = record
    path = tmp_path / "r.json"
    path.write_text(json.dumps(body | {"code": "other"}), encoding="utf-8")
    assert throughput.main(argv(path, "--batches", "2")) == 2
    assert "another code" in capsys.readouterr().err
    path.write_text(json.dumps(body), encoding="utf-8")
    assert throughput.main(argv(path, "--batches", "2", "--rounds", "3")) == 2
    assert "another plan" in capsys.readouterr().err
    path.write_text("{", encoding="utf-8")
    assert throughput.main(argv(path, "--batches", "2")) == 2
    assert "--fresh" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "dul"], "did you mean dual"),
        (["--models", "majority"], "takes no steps"),
        (["--batches", "many"], "whole numbers"),
        (["--batches", "16"], "--utterances"),
        (["--precisions", "float8"], "no 'float8'"),
        (["--device", "tpu"], "no device"),
        (["--precisions", "tf32"], "NVIDIA"),
    ],
)
def test_wrong_options_are_said_in_words(options, message, tmp_path, capsys):
    command = argv(tmp_path / "r.json", "--no-profile", "--batches", "2", *options)
    assert throughput.main(command) == 2
    assert message in capsys.readouterr().err


def test_grid_of_a_gpu():
    args = throughput.parser().parse_args(["--models", "dual", "--batches", "64,32"])
    plan, settings = throughput.planned(args, "cuda")
    assert plan.utterances == CORPUS
    names = [s.key for s in settings]
    assert "dual/32/tf32/device" in names
    assert "dual/64/float32/pinned" in names
    assert "dual/64/bfloat16/host" not in names
    assert len(names) == 2 * 3 + 2 * 2


@pytest.mark.parametrize("name", throughput_record.MEASURED)
def test_the_code_that_is_measured_counts_into_its_digest(name, tmp_path, monkeypatch):
    whole = throughput_record.ROOT / name
    files = [whole] if whole.is_file() else sorted(whole.rglob("*.py"))
    assert files
    for file in files:
        copy = tmp_path / file.relative_to(throughput_record.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    monkeypatch.setattr(throughput_record, "ROOT", tmp_path)
    before = throughput_record.code_digest()
    copy.write_bytes(copy.read_bytes() + b"\n")
    assert throughput_record.code_digest() != before


def test_a_gpu_that_is_too_small_is_noted(monkeypatch):
    def work(*_):
        raise torch.cuda.OutOfMemoryError("no more")

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    found = throughput.Worker(SMALL, "cuda", 1).run(work, Setting("dual", 1024))
    assert found["error"] == "out of memory"
    assert "out of memory" in throughput_record.table(
        {"cells": {"dual": found}, "device": {"name": "GPU"}, "command": "c"}
    )


def test_imports_without_sound_libraries_or_jupyter():
    code = """
        import sys
        class Absent:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] in {"soundfile", "librosa", "soxr", "opensmile", "IPython",
                                          "parselmouth", "torchaudio", "jupyter", "nbformat"}:
                    raise ImportError(name + " is not installed")
        sys.meta_path.insert(0, Absent())
        sys.modules["tqdm"] = sys.modules["safetensors"] = None
        import benchmarks.study
        from benchmarks.throughput import main
        from benchmarks.trainer import Plan, Setting, Trainer
        print(Trainer(Setting("dual", 2), Plan(utterances=2, hidden=4), "cpu").step() > 0)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("data", ["device", "host", "pinned"])
def test_on_a_gpu(data):
    for kind in ("float32", "tf32", "bfloat16") if data == "device" else ("float32",):
        found = measure(Setting("dual", 4, kind, data), SMALL, "cuda")
        assert found["utterances_per_second"] > 0
        assert found["step_bytes"] > 0
    trainer = Trainer(Setting("dual", 4, data=data), SMALL, "cuda")
    found = profile_work(trainer.step, "cuda")
    assert found["launches"] > 100
    assert sum(o["device_ms"] for o in found["operators"]) > 0


def test_help_teaches(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "90")
    with pytest.raises(SystemExit, match="0"):
        throughput.main(["--help"])
    told = capsys.readouterr().out
    for part in ("examples:", "--device cuda", "bfloat16", "Interrupt at any"):
        assert part in told
