"""Networks of a reader's own: the same folds, loop and records; what is refused, and why."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from chapters.what_came_after import temporal_net
from torch import nn

from ser import add_row
from ser.batch import Batch
from ser.cli import main
from ser.errors import ModelError, RecordError
from ser.experiments import RunConfig, run, stored_records
from ser.loading import load_model
from ser.models import build_model, count_parameters
from ser.nn import mean_over_time
from ser.nn.branches import Branch
from ser.rows import ROWS
from ser.training import TrainConfig


class Mean(nn.Module):
    """The mean MFCC and a linear layer."""

    needs = frozenset({"mfcc"})

    def __init__(self, classes, bias=True):
        super().__init__()
        self.linear = nn.Linear(39, classes, bias=bias)

    def forward(self, batch):
        return self.linear(mean_over_time(batch.mfcc, batch.mfcc_lengths))


def test_a_branch_has_to_say_what_its_recurrent_layer_hears():
    with pytest.raises(TypeError, match="sequences"):
        Branch()


class Leaking(Mean):
    """Takes padding for frames."""

    def forward(self, batch):
        return self.linear(batch.mfcc.mean(1))


@pytest.fixture(autouse=True)
def rows_as_they_were():
    kept = dict(ROWS)
    yield
    ROWS.clear()
    ROWS.update(kept)


@pytest.fixture
def config(tiny_root, tmp_path, rows_as_they_were) -> RunConfig:
    add_row("mine", Mean, "the mean MFCC")
    return RunConfig(
        root=str(tiny_root),
        models=("mine",),
        folds=2,
        train=TrainConfig(epochs=2, batch_size=16),
        jobs=1,
        threads=1,
        progress=False,
        keep_models=False,
        out=tmp_path / "out",
        cache=str(tmp_path / "cache"),
    )


def test_a_network_of_ones_own_is_run_as_the_books_rows_are(config):
    add_row("mine", Mean, "the mean MFCC")
    train = replace(config.train, hidden=8)
    records = run(replace(config, models=("mine", "mfcc-lstm"), train=train))
    own, book = records[:2], records[2:]
    assert [r["model"] for r in own] == ["mine", "mine"]
    for a, b in zip(own, book, strict=True):
        assert a["test"] == b["test"] and a["protocol"] == b["protocol"]
        assert a["config"] == b["config"] and a["parameters"] == 39 * 4 + 4


def test_workers_are_told_of_it_and_find_the_same(config):
    add_row("mine", Mean)
    here = run(replace(config, out=None))
    there = run(replace(config, out=None, jobs=2))
    assert [r["selection"] for r in here] == [r["selection"] for r in there]


def test_another_network_under_the_same_name_is_not_taken_for_the_first(config):
    def record(make):
        add_row("mine", make)
        return run(config)[0]["fingerprint"]

    assert record(Mean) == record(Mean)
    with pytest.raises(RecordError, match="other settings"):
        record(partial(Mean, bias=False))

    class Other(Mean):
        def forward(self, batch):
            return super().forward(batch) * 2

    with pytest.raises(RecordError, match="other settings"):
        record(Other)


def double(values):
    return values * 2


class Helped(Mean):
    def forward(self, batch):
        return double(super().forward(batch))


def test_a_function_that_the_network_calls_belongs_to_its_source(monkeypatch):
    before = add_row("mine", Helped).source
    assert add_row("mine", Helped).source == before
    monkeypatch.setitem(globals(), "double", lambda values: values * 3)
    assert add_row("mine", Helped).source != before


def test_a_seed_gives_the_same_weights_and_options_reach_it():
    add_row("mine", Mean)
    a, b = (build_model("mine", seed=3).parts[0].linear.weight for _ in range(2))
    assert torch.equal(a, b)
    with pytest.raises(ModelError, match="mine does not take pooling"):
        build_model("mine", pooling="attention")
    assert count_parameters(build_model("mine", classes=7)) == 39 * 7 + 7


class NotANumber(Mean):
    """Answers NaN."""

    def forward(self, batch):
        return super().forward(batch) * float("nan")


class Cheat(Mean):
    """Asks for the labels."""

    def forward(self, batch):
        return super().forward(batch) + batch.labels.sum()


WRONG = {
    "NaN": (NotANumber, "not all finite"),
    "labels": (Cheat, r"AttributeError.*line \d+ of .*test_own_networks.py.*no labels"),
    "padding": (Leaking, "alone than in a batch"),
    "no needs": (lambda classes: nn.Linear(39, classes), "needs"),
    "no module": (lambda classes: 3, "torch.nn.Module"),
    "another parameter": (lambda classes, depth: None, "depth"),
    "other logits": (lambda: Mean(5), r"logits \(4, 4\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_trained_soundly_is_refused(name):
    make, told = WRONG[name]
    with pytest.raises(ModelError, match=told):
        add_row("mine", make)
    assert "mine" not in ROWS


def test_names_of_the_book_are_its_own():
    with pytest.raises(ModelError, match="another name"):
        add_row("ds-lstm", Mean)
    with pytest.raises(ModelError, match="small letters"):
        add_row("../mine", Mean)


def test_the_command_reads_a_file_of_rows(tiny_root, tmp_path, capsys):
    file, out = tmp_path / "mine.py", tmp_path / "out"
    file.write_text(
        "from ser import add_row\nfrom ser.nn import MFCCBranch\n"
        "class Mine(MFCCBranch):\n"
        "    def __init__(self, classes):\n"
        "        super().__init__(classes, hidden=4)\n"
        "add_row('mine', Mine)\n"
    )
    small = ["--epochs", "1", "--folds", "2", "--batch-size", "16", "--no-models", "--quiet"]
    command = ["run", "--root", str(tiny_root), "--model", "mine", "--out", str(out), *small]
    assert main([*command, "--rows", str(file), "--jobs", "2"]) == 0
    assert {row for row, _ in stored_records(out)} == {"mine"}
    ROWS.pop("mine")
    assert main(command) == 2 and "--rows FILE" in capsys.readouterr().err
    assert main([*command, "--rows", str(tmp_path / "none.py")]) == 2


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def (", "SyntaxError"),
        ("x = 1\nimport nowhere_to_be_found", "No module named 'nowhere_to_be_found' (line 2 of"),
        ("raise SystemExit(0)", "SystemExit: 0 (line 1 of"),
        ("\0", "null bytes"),
    ],
)
def test_a_file_of_rows_that_fails_is_named(body, told, tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(body)
    assert main(["run", "--rows", str(file), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"ser: --rows {file}: ") and told in error


def test_a_kept_network_is_asked_only_as_it_was_trained(config, tmp_path):
    run(replace(config, out=tmp_path, keep_models=True))
    folder = tmp_path / "models" / "mine" / "speakers-release-1-seed0"
    assert load_model(folder).row == "mine"
    add_row("mine", Shifted)
    with pytest.raises(ModelError, match="its source has changed"):
        load_model(folder)
    ROWS.pop("mine")
    with pytest.raises(ModelError, match=r"of your own.*ser\.add_row"):
        load_model(folder)


class Peeking(Mean):
    """Takes the labels where there are some, which made-up utterances do not show."""

    def forward(self, batch):
        told = 0.0 if batch.labels is None else 99.0 * nn.functional.one_hot(batch.labels, 4)
        return super().forward(batch) + told


def test_no_network_is_given_labels(config, tmp_path):
    add_row("peeking", Peeking)
    both = run(replace(config, models=("mine", "peeking"), out=tmp_path))
    found = {}
    for record in both:
        answers = np.argmax(record["selection"]["last"]["logits"], 1).tolist()
        found.setdefault(record["model"], []).append(answers == record["test"]["labels"])
    assert found["peeking"] == [False, False]


class Shifted(Mean):
    """The same weights, another answer."""

    def forward(self, batch):
        return -super().forward(batch)


class TestTemporalNet:
    """The chapter's network of TIM-Net's kind."""

    @pytest.fixture
    def batch(self):
        draw = torch.Generator().manual_seed(0)
        mfcc, lengths = torch.randn(3, 40, 39, generator=draw), torch.tensor([40, 25, 9])
        return Batch(mfcc=mfcc, mfcc_lengths=lengths)

    def test_it_can_be_a_row(self):
        assert add_row("temporal-net", temporal_net.TemporalNet).needs == {"mfcc"}
        assert count_parameters(build_model("temporal-net")) == 104_454

    def test_a_block_hears_the_past_alone_and_its_gate_is_half_open_at_least(self):
        torch.manual_seed(0)
        block = temporal_net.Block(3, dilation=2).eval()
        frames = torch.randn(17, 3).requires_grad_()
        out = block(frames, torch.tensor([*range(5), *range(12)]))
        share = out / frames
        assert share.min() >= 0.5 and share.max() < 1
        for frame, wanted in ((11, [7, 9, 11]), (7, [5, 7]), (5, [5])):
            (slope,) = torch.autograd.grad(out[frame].sum(), frames, retain_graph=True)
            assert slope.abs().sum(1).nonzero().flatten().tolist() == wanted

    def test_a_block_is_two_dilated_causal_convolutions(self):
        torch.manual_seed(0)
        block = temporal_net.Block(3, dilation=4).eval()
        gate = frames = torch.randn(1, 3, 20)
        for linear, norm in zip(block.convolutions, block.norms, strict=True):
            kernel = torch.stack([linear.weight[:, 3:], linear.weight[:, :3]], dim=2)
            past = nn.functional.pad(gate, (4, 0))
            gate = norm(nn.functional.conv1d(past, kernel, linear.bias, dilation=4)).relu()
        by_hand = (frames * gate.sigmoid())[0].T
        assert torch.allclose(block(frames[0].T, torch.arange(20)), by_hand, atol=1e-6)

    def test_backward_in_time_it_is_the_other_way(self, batch):
        network = temporal_net.TemporalNet().eval()
        network.ways[1], network.enter[1] = network.ways[0], network.enter[0]
        turned = batch.mfcc.clone()
        for i, length in enumerate(batch.mfcc_lengths.tolist()):
            turned[i, :length] = turned[i, :length].flip(0)
        there = Batch(mfcc=turned, mfcc_lengths=batch.mfcc_lengths)
        assert torch.allclose(network(batch), network(there), atol=1e-5)
        network.ways[1] = temporal_net.TemporalNet().ways[1]
        assert not torch.allclose(network(batch), network(there), atol=1e-4)

    def test_padding_has_no_part_in_training_either(self, batch):
        torch.manual_seed(0)
        network = temporal_net.TemporalNet().train()
        padded = nn.functional.pad(batch.mfcc, (0, 0, 0, 7), value=9.0)
        longer = Batch(mfcc=padded, mfcc_lengths=batch.mfcc_lengths)
        assert torch.allclose(network(batch), network(longer), atol=1e-5)
