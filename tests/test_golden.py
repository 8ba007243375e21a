"""The released code's numbers (golden vectors, float64) to 1e-10."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ser.nn import DSLSTM, FrontEnd, align

TOLERANCE = {"rtol": 1e-10, "atol": 1e-10}


def load(path):
    with np.load(path, allow_pickle=False) as data:
        return {k: torch.from_numpy(data[k]) for k in data.files}


def parameter_map(model: DSLSTM) -> dict[str, torch.Tensor]:
    """Golden name -> parameter of ours."""
    named = {}
    for k, layer in enumerate(model.layers):
        cell = layer.cell
        named |= {f"l{k}.W.weight": cell.W, f"l{k}.W.bias": cell.b}
        named |= {f"l{k}.WTc.weight": cell.W_T, f"l{k}.WTc.bias": cell.b_T}
        named |= {f"l{k}.WFc.weight": cell.W_F, f"l{k}.WFc.bias": cell.b_F}
        for name, norm in (("gatebn", layer.gate_norm), ("outbn", layer.output_norm)):
            if norm is not None:
                named |= {f"l{k}.{name}.weight": norm.weight, f"l{k}.{name}.bias": norm.bias}
    return named


def build(gold: dict, norms: bool, reference: bool, prefix: str = "") -> DSLSTM:
    _, steps, x_size, y_size, hidden, layers = gold["sizes"].tolist()
    model = DSLSTM(
        x_size, y_size, hidden, layers, gate_norm=norms, output_norm=norms, max_steps=steps,
        reference=reference,
    ).double()  # fmt: skip
    with torch.no_grad():
        for name, parameter in parameter_map(model).items():
            parameter.copy_(gold[name])
        for name, buffer in running(model).items():
            buffer.copy_(gold[prefix + name])
    return model


def running(model: DSLSTM) -> dict[str, torch.Tensor]:
    found = {}
    for k, layer in enumerate(model.layers):
        for name, norm in (("gatebn", layer.gate_norm), ("outbn", layer.output_norm)):
            if norm is not None:
                found[f"l{k}.{name}.running_mean"] = norm.running_mean
                found[f"l{k}.{name}.running_var"] = norm.running_var
    return found


def check(model, gold, prefix):
    x = gold[prefix + "inputx"].permute(2, 0, 1).requires_grad_()
    y = gold[prefix + "inputy"].permute(2, 0, 1).requires_grad_()
    output, state = model(x, y)
    torch.testing.assert_close(output.permute(1, 2, 0), gold[prefix + "output"], **TOLERANCE)
    if prefix + "grad_output" not in gold:
        return state
    (output.permute(1, 2, 0) * gold[prefix + "grad_output"]).sum().backward()
    for got, name in ((x.grad, "grad_inputx"), (y.grad, "grad_inputy")):
        torch.testing.assert_close(got.permute(1, 2, 0), gold[prefix + name], **TOLERANCE)
    for name, parameter in parameter_map(model).items():
        expected = gold[f"{prefix}grad.{name}"]
        torch.testing.assert_close(parameter.grad, expected, **TOLERANCE, msg=lambda m: name + m)  # noqa: B023
    return state


@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
@pytest.mark.parametrize("size", ["small", "medium"])
@pytest.mark.parametrize("case", ["bnoff", "bnfresh", "bntrained"])
def test_dslstm(shared, size, case, reference):
    gold = load(shared / "golden" / f"ftlstm_{size}_{case}.npz")
    model = build(gold, case != "bnoff", reference).eval()
    h, c = check(model, gold, "")
    torch.testing.assert_close(h, gold["h_final"], **TOLERANCE)
    torch.testing.assert_close(c, gold["c_final"], **TOLERANCE)


@pytest.mark.parametrize("reference", [False, True], ids=["fast", "reference"])
@pytest.mark.parametrize("size", ["small", "medium"])
def test_dslstm_training_pass(shared, size, reference):
    gold = load(shared / "golden" / f"ftlstm_{size}_bntrained.npz")
    model = build(gold, True, reference, prefix="before_train.").train()
    check(model, gold, "train.")
    for name, buffer in running(model).items():
        torch.testing.assert_close(buffer, gold[name], **TOLERANCE, msg=lambda m, n=name: n + m)


@pytest.mark.parametrize("case", ["bnoff", "bnfresh", "bntrained"])
def test_dslstm_every_step(shared, case):
    gold = load(shared / "golden" / f"ftlstm_small_{case}.npz")
    model = build(gold, case != "bnoff", reference=True).eval()
    x, y = (gold[k].permute(2, 0, 1) for k in ("inputx", "inputy"))
    for t in range(len(x)):
        for fast in (False, True):
            model.reference = not fast
            output, (h, c) = model(x[: t + 1], y[: t + 1])
            torch.testing.assert_close(output[t], gold["out_steps"][-1, t], **TOLERANCE)
            torch.testing.assert_close(h, gold["h_steps"][:, t], **TOLERANCE)
            torch.testing.assert_close(c, gold["c_steps"][:, t], **TOLERANCE)


@pytest.mark.parametrize("case", range(3))
def test_alignment(shared, case):
    gold = load(shared / "golden" / "alignment.npz")
    x, y = (gold[f"case{case}.input{k}"].transpose(1, 2) for k in (1, 2))
    got = align(x, y)
    for tensor, name in zip(got, "xy", strict=True):
        expected = gold[f"case{case}.{name}"].transpose(1, 2)
        torch.testing.assert_close(tensor, expected, **TOLERANCE)


@pytest.mark.parametrize(("branch", "kernel"), [("b0", "s1"), ("b1", "s2")])
@pytest.mark.parametrize("mode", ["eval", "train"])
@pytest.mark.parametrize("lengths", [False, True], ids=["fixed", "lengths"])
def test_cnn(shared, branch, kernel, mode, lengths):
    gold = load(shared / "golden" / "cnn_branches.npz")
    x = gold[f"{branch}.input"][:, 0].double()
    front = FrontEnd(x.shape[1], kernel, channels=(4, 3)).double()
    with torch.no_grad():
        for k, block in enumerate(front.blocks):
            for module, name in ((block.conv, "conv"), (block.norm, "bn")):
                for key, tensor in module.state_dict().items():
                    if tensor.dtype.is_floating_point:
                        tensor.copy_(gold[f"{branch}.l{k}.{name}.{key}"])
    front.train(mode == "train")
    output = front(x, torch.full((len(x),), x.shape[2]) if lengths else None)
    expected = gold[f"{branch}.output_{mode}"].transpose(1, 2)
    torch.testing.assert_close(output, expected, **TOLERANCE)
    size, steps = gold[f"{branch}.dimension"].tolist()
    assert (front.size, front.out_lengths(x.shape[2])) == (size, steps)
