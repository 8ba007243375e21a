"""The CNN front end and the alignment: fast against plain, lengths, bad input."""

from __future__ import annotations

import copy

import pytest
import torch
from reference import PlainFrontEnd, plain_align

from ser.nn import FrontEnd, align, aligned_lengths
from ser.nn.cpu import first_block
from ser.nn.frontend import ConvBlock

KINDS = {"s1": 40, "s2": 48}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def front_end(kind: str, fast: bool = True, channels=(64, 16)) -> FrontEnd:
    """With norms that are not at their start: some scales negative, some statistics kept."""
    front = FrontEnd(KINDS[kind], kind, channels, fast)
    draw = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for block in front.blocks:
            block.norm.weight.copy_(torch.randn(block.norm.weight.shape, generator=draw))
            block.norm.bias.copy_(torch.randn(block.norm.bias.shape, generator=draw))
            block.norm.running_mean.normal_(0.0, 1.0, generator=draw)
            block.norm.running_var.uniform_(0.5, 2.0, generator=draw)
    return front


def spectrogram(kind: str, batch=6, frames=41) -> torch.Tensor:
    """Like mel-spectrograms in dB: far from zero."""
    return 50 + 20 * torch.randn(batch, KINDS[kind], frames)


def results(module, x, lengths=None):
    output = module(x) if lengths is None else module(x, lengths)
    draw = torch.Generator().manual_seed(1)
    module.zero_grad()
    (output * torch.randn(output.shape, generator=draw).to(output.dtype)).sum().backward()
    grads = {n: p.grad.clone() for n, p in module.named_parameters()}
    return output.detach(), grads, {n: b.clone() for n, b in module.named_buffers()}


def assert_close(got, expected, tolerance):
    got, expected = got.double(), expected.double()
    got, expected = got.detach(), expected.detach()
    scale = max(float(expected.abs().max()), 1e-3)
    assert float((got - expected).abs().max()) <= tolerance * scale


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [None, [41, 16, 30, 41, 9, 22]], ids=["fixed", "lengths"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("channels", [64, 8, 5])
def test_first_block_fast_equals_plain(kind, lengths, training, channels):
    """Values, gradients and running statistics of the one-pass kernel, against float64."""
    fast = front_end(kind, channels=(channels, 2)).blocks[0].train(training)
    plain = copy.deepcopy(fast).double()
    plain.fast = False
    x = spectrogram(kind)[:, None]
    assert not first_block.why_not(fast, x, None)
    lengths = lengths and torch.tensor(lengths)
    out, grads, buffers = results(fast, x, lengths)
    expected, expected_grads, expected_buffers = results(plain, x.double(), lengths)
    assert_close(out, expected, 1e-5)
    for name, grad in expected_grads.items():
        if training and name == "conv.bias":
            assert float(grads[name].abs().max()) == 0.0  # exactly: the norm takes it out
            assert float(grad.abs().max()) < 1e-9
        else:
            assert_close(grads[name], grad, 1e-5)
    for name, buffer in expected_buffers.items():
        assert_close(buffers[name], buffer, 1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_front_end_equals_release_formulas(kind, training):
    front = front_end(kind).train(training)
    plain = PlainFrontEnd(front.blocks[0].kernel)
    plain.load_state_dict(dict(zip(plain.state_dict(), front.state_dict().values(), strict=True)))
    plain.train(training).double()
    x = spectrogram(kind)
    out, grads, buffers = results(front, x)
    expected, expected_grads, expected_buffers = results(plain, x.double())
    assert_close(out, expected, 1e-5)
    for name, got, want in zip(grads, grads.values(), expected_grads.values(), strict=True):
        if not (training and name.endswith("conv.bias")):
            assert_close(got, want, 1e-4)  # float32 convolution against float64
    for got, want in zip(buffers.values(), expected_buffers.values(), strict=True):
        assert_close(got, want, 1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_plain_path_gradcheck(kind):
    block = ConvBlock(1, 2, (4, 2) if kind == "s1" else (2, 4), fast=False).double()
    x = torch.randn(2, 1, 7, 9, dtype=torch.float64, requires_grad=True)
    block.norm.momentum = 0.0
    lengths = torch.tensor([9, 6])
    inputs = (x, *block.parameters())
    assert torch.autograd.gradcheck(lambda x, *_: block(x, lengths), inputs)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_padding_does_not_matter(kind, fast, training):
    front = front_end(kind, fast).train(training)
    lengths = torch.tensor([41, 16, 30, 19, 11, 22])
    x = spectrogram(kind)
    valid = (torch.arange(41) < lengths[:, None])[:, None]
    found = []
    for extra, fill in ((0, 0.0), (9, -77.0), (3, 1e20), (0, float("nan"))):
        padded = torch.full((6, KINDS[kind], 41 + extra), fill)
        padded[:, :, :41] = torch.where(valid, x, torch.tensor(fill))
        model = copy.deepcopy(front)
        out = model(padded, lengths)
        (out[:, : front.out_lengths(41)] ** 2).sum().backward()
        assert (out[:, front.out_lengths(41) :] == 0).all()
        assert (out[1, front.out_lengths(16) :] == 0).all()
        grads = [p.grad for n, p in model.named_parameters() if not n.endswith("conv.bias")]
        found.append([out[:, : front.out_lengths(41)], *grads, *model.buffers()])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert_close(b, a, 2e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fast", [True, False], ids=["fast", "plain"])
def test_each_clip_as_alone(kind, fast):
    front = front_end(kind, fast).eval()
    lengths = torch.tensor([41, 16, 30, 19, 11, 22])
    x = spectrogram(kind)
    together = front(x, lengths)
    for b, n in enumerate(lengths.tolist()):
        alone = front(x[b : b + 1, :, :n])
        assert alone.shape[1] == front.out_lengths(n) == front.out_lengths(lengths)[b]
        torch.testing.assert_close(together[b, : alone.shape[1]], alone[0], rtol=1e-4, atol=1e-4)


def test_equal_lengths_equal_no_lengths():
    for fast in (True, False):
        front = front_end("s1", fast)
        other = copy.deepcopy(front)
        x = spectrogram("s1")
        a, b = results(front, x), results(other, x, torch.full((6,), 41))
        assert_close(b[0], a[0], 1e-5)
        for name in a[2]:
            assert_close(b[2][name], a[2][name], 1e-5)


def test_threads_do_not_change_a_bit():
    outputs = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        torch.manual_seed(0)
        block = front_end("s1").blocks[0]
        outputs.append(results(block, spectrogram("s1", batch=7)[:, None]))
    for out, grads, buffers in outputs[1:]:
        assert torch.equal(out, outputs[0][0])
        for name, grad in grads.items():
            assert torch.equal(grad, outputs[0][1][name])
        assert all(torch.equal(buffers[n], outputs[0][2][n]) for n in buffers)


def test_digital_silence_and_constant_input_stay_finite():
    front = front_end("s1")
    out, grads, buffers = results(front, torch.full((3, 40, 41), -31.0))
    for tensor in (out, *grads.values(), *buffers.values()):
        assert torch.isfinite(tensor).all()


def test_nan_input_is_not_hidden():
    x = spectrogram("s1")
    x[2, 5, 5] = float("nan")
    for training in (True, False):
        assert torch.isnan(front_end("s1").train(training)(x)).any()


def test_where_the_kernel_does_not_apply_torch_computes():
    x = spectrogram("s1")[:, None]
    block = front_end("s1").blocks[0]
    assert not first_block.why_not(block, x, None)
    assert first_block.why_not(block, x.clone().requires_grad_(), None)
    assert first_block.why_not(copy.deepcopy(block).double(), x.double(), None)
    assert first_block.why_not(ConvBlock(1, 64, (4, 4)), x, None)
    leaf = spectrogram("s1").requires_grad_()
    front_end("s1")(leaf).sum().backward()
    assert leaf.grad is not None
    assert FrontEnd(40, (4, 4), (8, 4))(spectrogram("s1")).shape[0] == 6


def test_default_sizes_are_the_release_s():
    assert FrontEnd(128, "s1").size == 496 and FrontEnd(256, "s2").size == 1008
    assert FrontEnd(128, "s1").out_lengths(230) == 56
    assert FrontEnd(256, "s2").out_lengths(torch.tensor([120])).tolist() == [29]


def test_front_end_bad_input():
    front = FrontEnd(40, "s1")
    with pytest.raises(ValueError, match=r"\(B, 40, T\).*\(2, 41, 50\)"):
        front(torch.zeros(2, 41, 50))
    with pytest.raises(ValueError, match=r"has 4 frames.*at least 7"):
        front(torch.zeros(2, 40, 4))
    with pytest.raises(ValueError, match=r"has 3 frames.*at least 7"):
        front(torch.zeros(2, 40, 30), torch.tensor([30, 3]))
    with pytest.raises(ValueError, match="0 to 30"):
        front(torch.zeros(2, 40, 30), torch.tensor([30, 31]))
    with pytest.raises(ValueError, match="s1"):
        FrontEnd(40, "s3")
    with pytest.raises(ValueError, match="too few"):
        FrontEnd(4, "s1")


def test_align_equals_the_formula():
    for t1, t2 in ((56, 29), (9, 4), (12, 6), (60, 20), (4, 9)):
        x, y = torch.randn(2, t1, 3), torch.randn(2, t2, 5)
        got, expected = align(x, y), plain_align(x, y)
        for a, b in zip(got, expected, strict=True):
            torch.testing.assert_close(a, b)
        assert got[0].shape[1] == aligned_lengths(t1, t2) == min(t2, t1 // 2 - 1)


def test_align_with_lengths():
    x, y = torch.randn(3, 20, 3), torch.randn(3, 10, 5)
    x_lengths, y_lengths = torch.tensor([20, 8, 13]), torch.tensor([10, 9, 4])
    ax, ay, lengths = align(x, y, x_lengths, y_lengths)
    assert lengths.tolist() == [9, 3, 4] and ax.shape[1] == ay.shape[1] == 9
    for b in range(3):
        alone = align(x[b : b + 1, : x_lengths[b]], y[b : b + 1, : y_lengths[b]])
        torch.testing.assert_close(ax[b, : lengths[b]], alone[0][0])
        torch.testing.assert_close(ay[b, : lengths[b]], alone[1][0])


def test_align_gradients():
    x = torch.randn(1, 9, 2, dtype=torch.float64, requires_grad=True)
    y = torch.randn(1, 5, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(align, (x, y))


def test_align_bad_input():
    with pytest.raises(ValueError, match=r"too short.*3 steps"):
        align(torch.zeros(1, 3, 2), torch.zeros(1, 2, 2))
    lengths = torch.tensor([20, 3]), torch.tensor([10, 1])
    with pytest.raises(ValueError, match="too short"):
        align(torch.zeros(2, 20, 2), torch.zeros(2, 10, 2), *lengths)
    with pytest.raises(ValueError, match="both"):
        align(torch.zeros(2, 20, 2), torch.zeros(2, 10, 2), lengths[0])
    with pytest.raises(ValueError, match=r"\(B, T, size\)"):
        align(torch.zeros(2, 20, 2), torch.zeros(3, 10, 2))


@pytest.mark.parametrize("fast", [True, False])
def test_statistics_taken_anew_are_the_plain_mean(fast):
    """torch's update_bn sets momentum to None, which asks for the mean over all batches."""
    torch.manual_seed(0)
    front = FrontEnd(40, "s1", fast=fast)
    batches = [torch.randn(3, 40, 30) for _ in range(3)]
    torch.optim.swa_utils.update_bn(batches, front)
    plain = FrontEnd(40, "s1", fast=False)
    plain.load_state_dict(FrontEnd(40, "s1").state_dict() | dict(front.named_parameters()))
    torch.optim.swa_utils.update_bn(batches, plain)
    for a, b in zip(front.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert int(front.blocks[0].norm.num_batches_tracked) == 3


def test_a_norm_without_statistics_goes_the_plain_way():
    front, plain = FrontEnd(40, "s1"), FrontEnd(40, "s1", fast=False)
    plain.load_state_dict(front.state_dict())
    for one in (front, plain):
        for block in one.blocks:
            block.norm = torch.nn.BatchNorm2d(block.norm.num_features, track_running_stats=False)
    x = torch.randn(2, 40, 30)
    torch.testing.assert_close(front(x), plain(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("part", ["conv", "norm"])
@pytest.mark.parametrize("depth", [0, 1])
def test_who_listens_to_a_part_hears_it_and_changes_nothing(part, depth):
    front, x = front_end("s1"), spectrogram("s1")
    expected = results(copy.deepcopy(front), x)
    heard = []
    listened = getattr(front.blocks[depth], part)
    handle = listened.register_forward_hook(lambda _, __, out: heard.append(out.shape[1]))
    got = results(front, x)
    assert heard == [(64, 16)[depth]]
    assert_close(got[0], expected[0], 1e-4)
    handle.remove()
    front(x)
    assert len(heard) == 1
