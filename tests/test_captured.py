"""Training steps as CUDA graphs: the choice, the care for state, and on a GPU the results."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from chapters.training.random_corpus import Plan, random_dataset

from ser.batch import Batch
from ser.models import build_model
from ser.training import TrainConfig, train
from ser.training import captured as module
from ser.training.captured import Captured, Replayed, training_forward

SIZES = {"s1": (128, 230), "s2": (256, 120)}


def batch_of(size: int, lengths: bool = False) -> Batch:
    spectrograms = {k: torch.randn(size, *shape) for k, shape in SIZES.items()}
    if lengths:
        spectrograms |= {f"{k}_lengths": torch.full((size,), s[1]) for k, s in SIZES.items()}
    return Batch(
        mfcc=torch.randn(size, 20, 39), mfcc_lengths=torch.full((size,), 20), **spectrograms
    )


class Captures:
    """Stands in for :class:`Replayed`: notes what it is given, warms up."""

    def __init__(self, off: float = 0.0) -> None:
        self.made, self.off = [], off

    def __call__(self, function, sample):
        self.made.append(tuple(t.shape[0] for t in sample))
        for _ in range(3):
            function(*sample).sum().backward()
        return lambda *tensors: function(*tensors) + self.off


@pytest.fixture
def dual():
    torch.manual_seed(0)
    return build_model("dual", hidden=4, seed=0, channels=(2, 2)).train()


def test_second_batch_of_a_shape_is_captured_and_no_more_than_two_shapes(dual):
    captures = Captures()
    forward = Captured(dual, captures)
    for size in (4, 4, 3, 3, 2, 2, 2, 4):
        assert [tuple(logits.shape) for logits in forward(batch_of(size))] == [(size, 4)] * 2
    assert captures.made == [(4, 4), (3, 3)]


def test_what_has_lengths_is_not_captured(dual):
    captures = Captures()
    forward = Captured(dual, captures)
    for _ in range(3):
        forward(batch_of(3, lengths=True))
    assert captures.made == []


def test_a_branch_that_someone_listens_to_is_not_captured(dual):
    """A replay would call no hook."""
    captures, heard = Captures(), []
    forward = Captured(dual, captures)
    handle = dual.parts[1].front1.register_forward_hook(lambda *_: heard.append(1))
    for _ in range(3):
        forward(batch_of(3))
    assert captures.made == [] and len(heard) == 3
    handle.remove()
    forward(batch_of(3))
    forward(batch_of(3))
    assert captures.made == [(3, 3)]


def test_capturing_leaves_statistics_and_random_numbers_alone(dual):
    """The same batches with and without: same logits, same running statistics, same next draw."""
    other = build_model("dual", hidden=4, seed=0, channels=(2, 2)).train()
    forward, found = Captured(dual, Captures()), []
    batches = [batch_of(4) for _ in range(3)]
    for run in (forward, training_forward(other, "cpu")):
        torch.manual_seed(1)
        logits = [run(batch) for batch in batches]
        found.append((torch.cat([t for pair in logits for t in pair]), torch.rand(3)))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)
    for a, b in zip(dual.buffers(), other.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


@pytest.mark.parametrize("way", ["broken", "wrong"])
def test_what_does_not_work_is_told_once_and_costs_nothing(dual, caplog, way):
    def broken(*_):
        raise RuntimeError("operation not permitted when stream is capturing")

    forward = Captured(dual, broken if way == "broken" else Captures(off=1.0))
    batches = [batch_of(4) for _ in range(4)]
    plain = build_model("dual", hidden=4, seed=0, channels=(2, 2)).train()
    for batch in batches:
        for a, b in zip(forward(batch), plain.branches(batch).values(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert ("not permitted" if way == "broken" else "differ") in caplog.text


def test_only_on_a_gpu_and_only_where_asked(dual):
    assert not isinstance(training_forward(dual, "cpu"), Captured)
    assert not isinstance(training_forward(dual, "cuda", capture=False), Captured)
    assert not isinstance(training_forward(torch.nn.Linear(2, 2), "cuda"), Captured)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU that torch sees")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("row", ["ds-lstm", "cnn-lstm-pair", "dual"])
def test_on_a_gpu_training_is_the_same(monkeypatch, caplog, row, precision):
    """Losses of the first steps agree, and the captured branch was really replayed."""
    plan = Plan(utterances=22, longest=2.0)
    config = TrainConfig(epochs=3, batch_size=8, lr=1e-4, precision=precision)
    labels, losses = np.arange(22) % 4, []
    for capture in (True, False):
        model = build_model(row, seed=0)
        data = random_dataset(plan, model.needs, "cuda")
        data.labels = torch.as_tensor(labels, device="cuda")
        if not capture:
            monkeypatch.setattr(module, "SHAPES", 0)
        losses.append([e["loss"] for e in train(model, config, data, device="cuda").history])
    assert not caplog.records
    np.testing.assert_allclose(losses[0], losses[1], rtol=2e-2)
    assert losses[0][-1] < losses[0][0]


def test_a_second_forward_pass_before_the_backward_pass_is_refused():
    """The graph keeps one result; gradients of the first would be those of the second."""

    class Graph:
        def replay(self):
            pass

    replayed = Replayed.__new__(Replayed)
    replayed.given, replayed.parameters = (torch.zeros(2),), (torch.zeros(3, requires_grad=True),)
    replayed.forward = replayed.backward = Graph()
    replayed.grad, replayed.grads, replayed.turn = torch.zeros(2), (torch.ones(3),), 0
    replayed.found = torch.zeros(2)
    replayed(torch.ones(2)).sum().backward()
    assert replayed.parameters[0].grad.tolist() == [1.0] * 3
    first, second = replayed(torch.ones(2)), replayed(torch.ones(2))
    with pytest.raises(RuntimeError, match="call backward after each"):
        first.sum().backward()
    second.sum().backward()
