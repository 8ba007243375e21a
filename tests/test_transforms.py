"""Transforms of torch on every layer: each gives what it gives on the plain equations."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from ser.batch import NEEDS, Batch
from ser.features.presets import Preset
from ser.models import build_model
from ser.nn import DSLSTM, DSLSTMCell, FrontEnd, TimePool, align, lstm_output
from ser.nn.transforms import transformed


class _Asks(nn.Module):
    """x + 1 where nothing but computing is asked for, x + 2 elsewhere."""

    def forward(self, x):
        return x + (2 if transformed(x) else 1)


def test_the_guard_sees_who_follows_the_operations():
    x = torch.zeros(1)
    asks = _Asks()
    assert asks(x) == 1
    with torch.no_grad(), torch.autocast("cpu"):
        assert asks(x) == 1
    assert checkpoint(asks, x, use_reentrant=False) == 1
    assert torch.func.functional_call(asks, {}, (x,)) == 1
    assert torch.func.vmap(asks)(x[None]) == 2
    assert torch.func.jvp(asks, (x,), (x,))[0] == 2
    assert torch.export.export(asks, (x,)).module()(x) == 2
    assert torch.export.export(asks, (x,), strict=True).module()(x) == 2
    assert torch.compile(asks, backend="eager", fullgraph=True)(x) == 2
    with forward_ad.dual_level():
        assert asks(x) == 2
    with FlopCounterMode(display=False):
        assert asks(x) == 2


@pytest.mark.filterwarnings("ignore")
def test_the_guard_sees_tracing_by_torch_jit():
    assert torch.jit.trace(_Asks(), torch.zeros(1), check_trace=False)(torch.zeros(1)) == 2


def test_the_guard_sees_other_tensors_than_numbers_in_memory():
    assert "meta" in transformed(torch.zeros(1, device="meta"))
    assert "meta" in transformed(None, nn.Linear(1, 1, device="meta"))
    assert "FakeTensor" in transformed(FakeTensorMode().from_tensor(torch.zeros(1)))
    with FakeTensorMode():
        assert "FakeTensorMode" in transformed()
    with torch.device("meta"):
        assert not transformed()


STEPS = torch.tensor([3, 2])
FRAMES = torch.tensor([32, 30])
TINY = Preset("tiny", (64, 128))
Inputs = tuple[torch.Tensor, ...]


class Layer(nn.Module):
    """A module called as a function of tensors alone, which is what transforms take."""

    def __init__(self, module: nn.Module, call: Callable[..., torch.Tensor]):
        super().__init__()
        self.module, self.call = module, call

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.call(self.module, *inputs)


def _row(name: str) -> tuple[Layer, list[tuple[int, ...]]]:
    """A row of the results table on padded features, in evaluation."""
    model = build_model(name, preset=TINY, hidden=3, channels=(4, 2), seed=0).eval()
    shapes = {"mfcc": (2, 3, 39), "s1": (2, 16, 32), "s2": (2, 32, 16)}
    lengths = {"mfcc": STEPS, "s1": FRAMES, "s2": FRAMES // 2}
    names = [name for name in NEEDS if name in model.needs]

    def call(model, *given):
        fields = dict(zip(names, given, strict=True))
        fields |= {f"{name}_lengths": lengths[name] for name in names}
        return model(Batch(**fields))

    return Layer(model, call), [shapes[name] for name in names]


def _output_and_state(lstm: DSLSTM, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    output, state = lstm(x, y)
    return torch.cat([one.flatten() for one in (output, *state)])


def _layer(name: str) -> tuple[Layer, list[tuple[int, ...]]]:
    torch.manual_seed(0)
    norms = {"gate_norm": True, "output_norm": True}
    pair, front = [(2, 3, 3), (2, 3, 2)], {"n_mels": 12, "channels": (8, 4)}
    found = {
        "cell": (DSLSTMCell(3, 2, 4), lambda m, x, y: m(x, y)[0], [(2, 3), (2, 2)]),
        "ds-lstm": (
            DSLSTM(3, 2, 3, 2, batch_first=True),
            _output_and_state,
            [(2, 2, 3), (2, 2, 2)],
        ),
        "ds-lstm of two directions": (
            DSLSTM(3, 2, 2, batch_first=True, bidirectional=True),
            lambda m, x, y: m(x, y, STEPS)[0],
            pair,
        ),
        "ds-lstm with norms": (
            DSLSTM(3, 2, 3, batch_first=True, **norms).eval(),
            lambda m, x, y: m(x, y, STEPS)[0],
            pair,
        ),
        "lstm": (
            nn.LSTM(3, 3, 2, batch_first=True),
            lambda m, x: lstm_output(m, x),
            pair[:1],
        ),
        "lstm of two directions": (
            nn.LSTM(3, 2, batch_first=True, bidirectional=True),
            lambda m, x: lstm_output(m, x, STEPS),
            pair[:1],
        ),
        "front end": (FrontEnd(kernel="s1", **front).eval(), lambda m, x: m(x), [(2, 12, 12)]),
        "front end with lengths": (
            FrontEnd(kernel="s2", **front).eval(),
            lambda m, x: m(x, torch.tensor([14, 12])),
            [(2, 12, 14)],
        ),
        "alignment": (
            nn.Linear(3, 2),
            lambda m, x, y: torch.cat(align(m(x), y)[:2], dim=2),
            [(2, 8, 3), (2, 3, 2)],
        ),
        "mean over time": (TimePool(3), lambda m, x: m(x, STEPS), pair[:1]),
        "attention": (TimePool(3, "attention"), lambda m, x: m(x, STEPS), pair[:1]),
    }
    if name not in found:
        return _row(name)
    module, call, shapes = found[name]
    return Layer(module, call), shapes


LAYERS = (
    "cell", "ds-lstm", "ds-lstm of two directions", "ds-lstm with norms", "lstm",
    "lstm of two directions", "front end", "front end with lengths", "alignment",
    "mean over time", "attention", "dual", "cnn-lstm-pair", "concat-lstm",
)  # fmt: skip


class Case:
    """A layer, inputs and directions, and what the plain equations in double make of them."""

    def __init__(self, name: str):
        self.layer, shapes = _layer(name)
        random = torch.Generator().manual_seed(1)
        self.inputs = tuple(torch.randn(shape, generator=random) for shape in shapes)
        self.along = tuple(torch.randn(shape, generator=random) for shape in shapes)
        self.weights = dict(self.layer.named_parameters())
        plain = copy.deepcopy(self.layer).double()
        for module in plain.modules():
            if hasattr(module, "fast"):
                module.fast = False
            if isinstance(module, DSLSTM):
                module.reference = True
        self.plain = plain
        given = [one.double().requires_grad_() for one in self.inputs]
        output = plain(*given)
        everything = [*given, *plain.parameters()]
        found = torch.autograd.grad(output.square().sum(), everything, create_graph=True)
        self.gradients = [g.detach() for g in found]
        along = [one.double() for one in self.along]
        slope = sum((g * v).sum() for g, v in zip(found, along, strict=False))
        self.curvature = torch.zeros(())
        if slope.requires_grad:
            second = torch.autograd.grad(slope, given, retain_graph=True, allow_unused=True)
            pairs = zip(second, along, strict=True)
            self.curvature = sum((s * v).sum() for s, v in pairs if s is not None)
        # A vector-Jacobian product is linear in the vector: its own gradient is J v.
        vector = torch.zeros_like(output, requires_grad=True)
        products = torch.autograd.grad(output, given, vector, create_graph=True)
        slope = sum((g * v).sum() for g, v in zip(products, along, strict=True))
        (self.tangent,) = torch.autograd.grad(slope, vector)
        self.output = output.detach()


CASES: dict[str, Case] = {}


@pytest.fixture
def case(request) -> Case:
    name = request.param
    if name not in CASES:
        CASES[name] = Case(name)
    return CASES[name]


# Tracing takes seconds for each of the larger networks.
TRACED = [name for name in LAYERS if name not in ("cnn-lstm-pair", "concat-lstm")]
LINEARIZED = ["cell", "ds-lstm", "ds-lstm with norms", "lstm", "front end", "attention"]
every_layer = pytest.mark.parametrize("case", LAYERS, indirect=True)
NO_SECOND = "no second derivative"


def same(found, wanted, tolerance=2e-5):
    wanted = wanted.to(torch.float64)
    assert found.shape == wanted.shape
    away = float((found.detach().double() - wanted).abs().max())
    assert away <= tolerance * max(1.0, float(wanted.abs().max()))


@every_layer
def test_gradients_by_torch_func(case):
    def loss(inputs, weights):
        return functional_call(case.layer, weights, inputs).square().sum()

    by_inputs, by_weights = torch.func.grad(loss, (0, 1))(case.inputs, case.weights)
    for found, wanted in zip([*by_inputs, *by_weights.values()], case.gradients, strict=True):
        same(found, wanted)


@every_layer
def test_vmap(case):
    many = tuple(torch.stack([one, 0.5 * one, -one]) for one in case.inputs)
    found = torch.func.vmap(case.layer)(*many)
    for k in range(3):
        same(found[k], case.plain(*(one[k].double() for one in many)))


@every_layer
def test_forward_mode(case):
    output, tangent = torch.func.jvp(case.layer, case.inputs, case.along)
    same(output, case.output)
    same(tangent, case.tangent)
    with forward_ad.dual_level():
        duals = map(forward_ad.make_dual, case.inputs, case.along)
        output, tangent = forward_ad.unpack_dual(case.layer(*duals))
        assert tangent is not None
        same(tangent, case.tangent)


@every_layer
def test_jacobians(case):
    def line(share):
        moved = (x + share * v for x, v in zip(case.inputs, case.along, strict=True))
        return case.layer(*moved)

    for way in (torch.func.jacfwd, torch.func.jacrev):
        same(way(line)(torch.zeros(())), case.tangent)
    bent = torch.func.hessian(lambda share: line(share).square().sum())(torch.zeros(()))
    same(bent, case.curvature, 1e-4)


@pytest.mark.parametrize("case", LINEARIZED, indirect=True)
def test_linearize(case):
    output, push = torch.func.linearize(case.layer, *case.inputs)
    same(output, case.output)
    same(push(*case.along), case.tangent)


@pytest.mark.parametrize("case", TRACED, indirect=True)
def test_export(case):
    same(torch.export.export(case.layer, case.inputs).module()(*case.inputs), case.output)


@pytest.mark.parametrize("case", TRACED, indirect=True)
def test_compile(case):
    torch.compiler.reset()
    # Around torch.nn.LSTM torch 2.11 interrupts the graph, around nothing of ours.
    whole = not any(isinstance(module, nn.LSTM) for module in case.layer.modules())
    compiled = torch.compile(case.layer, backend="aot_eager", fullgraph=whole)
    given = [one.clone().requires_grad_() for one in case.inputs]
    case.layer.zero_grad()
    output = compiled(*given)
    same(output, case.output)
    output.square().sum().backward()
    for one, wanted in zip([*given, *case.weights.values()], case.gradients, strict=True):
        same(one.grad, wanted)


@every_layer
def test_checkpoint(case):
    given = [one.clone().requires_grad_() for one in case.inputs]
    case.layer.zero_grad()
    checkpoint(case.layer, *given, use_reentrant=False).square().sum().backward()
    for one, wanted in zip([*given, *case.weights.values()], case.gradients, strict=True):
        same(one.grad, wanted)


@every_layer
def test_shapes_without_numbers(case):
    meta = copy.deepcopy(case.layer).to("meta")(*(one.to("meta") for one in case.inputs))
    assert meta.is_meta and meta.shape == case.output.shape
    with FakeTensorMode(allow_non_fake_inputs=True):
        fake = case.layer(*(torch.empty(one.shape) for one in case.inputs))
        assert fake.shape == case.output.shape


@every_layer
def test_a_second_derivative_is_right_or_refused(case):
    given = [one.clone().requires_grad_() for one in case.inputs]
    output = case.layer(*given).square().sum()
    try:
        found = torch.autograd.grad(output, given, create_graph=True)
        slope = sum((g * v).sum() for g, v in zip(found, case.along, strict=True))
        if not slope.requires_grad:
            return
        second = torch.autograd.grad(slope, given, allow_unused=True)
    except RuntimeError as error:
        assert NO_SECOND in str(error)
        return
    pairs = zip(second, case.along, strict=True)
    same(sum((s * v).sum() for s, v in pairs if s is not None), case.curvature, 1e-4)


@every_layer
def test_a_batch_of_gradients_is_right_or_refused(case):
    given = [one.clone().requires_grad_() for one in case.inputs]
    output = case.layer(*given)
    vectors = torch.stack([output.detach(), -output.detach()])
    try:
        found = torch.autograd.grad(output, given, vectors, is_grads_batched=True)
    except RuntimeError as error:
        assert "one gradient at a time" in str(error)
        return
    for one, wanted in zip(found, case.gradients, strict=False):
        same(2 * one[0], wanted)
        same(-2 * one[1], wanted)


def test_lengths_may_differ_from_example_to_example():
    lstm = DSLSTM(3, 2, 4, batch_first=True, bidirectional=True).double()
    x, y = torch.randn(3, 2, 4, 3).double(), torch.randn(3, 2, 4, 2).double()
    lengths = torch.tensor([[4, 1], [2, 3], [4, 4]])
    found = torch.func.vmap(lambda *one: lstm(*one)[0])(x, y, lengths)
    for k in range(3):
        same(found[k], lstm(x[k], y[k], lengths[k])[0], 1e-12)


def test_statistics_are_not_moved_in_silence():
    """As torch's own batch norm: a transform of torch.func may not write into what it captured."""
    lstm = DSLSTM(3, 2, 3, batch_first=True, gate_norm=True, output_norm=True)
    with pytest.raises(RuntimeError, match="mutate a captured Tensor"):
        torch.func.grad(lambda x: lstm(x, torch.randn(2, 3, 2))[0].sum())(torch.randn(2, 3, 3))
    before = {name: one.clone() for name, one in lstm.named_buffers()}
    x, y = torch.randn(2, 3, 3), torch.randn(2, 3, 2)
    wanted = copy.deepcopy(lstm)
    wanted(x, y, STEPS)
    torch.compile(lstm, backend="eager", fullgraph=True)(x, y, STEPS)
    for name, one in wanted.named_buffers():
        torch.testing.assert_close(dict(lstm.named_buffers())[name], one)
        assert not torch.equal(one, before[name])


@pytest.mark.parametrize("case", ["ds-lstm of two directions", "lstm", "front end"], indirect=True)
def test_onnx(case):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    made = torch.onnx.export(case.layer, case.inputs, dynamo=True, verbose=False)
    data = made.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]
    given = {name: one.numpy() for name, one in zip(names, case.inputs, strict=True)}
    same(torch.from_numpy(session.run(None, given)[0]), case.output)


@pytest.mark.parametrize("steps", [torch.export.Dim("steps", min=2), torch.export.Dim.AUTO])
def test_an_open_number_of_steps_is_not_fixed_in_silence(steps):
    lstm = Layer(DSLSTM(3, 2, 2, batch_first=True), _output_and_state)
    given = torch.randn(1, 4, 3), torch.randn(1, 4, 2)
    with pytest.raises(ValueError, match="ScannedDSLSTM"):
        torch.export.export(lstm, given, dynamic_shapes=(({1: steps}, {1: steps}),))
    onnxruntime = pytest.importorskip("onnxruntime")
    free = Layer(nn.LSTM(3, 2, batch_first=True), lambda m, x: lstm_output(m, x))
    made = torch.onnx.export(
        free, given[:1], dynamic_shapes=(({1: torch.export.Dim.AUTO},),), verbose=False
    )
    data = made.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    x = torch.randn(1, 7, 3)
    name = session.get_inputs()[0].name
    same(torch.from_numpy(session.run(None, {name: x.numpy()})[0]), free(x))
