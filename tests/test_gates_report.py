"""What the gates do: by hand, with padding, over speakers, to a file and back, and as a tool."""

from __future__ import annotations

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from chapters.ablations.gate_means import (
    GATES,
    QUANTITIES,
    SHARE,
    gate_means,
    gate_record,
    gates_by_emotion,
    gates_table,
    load_gates,
)
from chapters.ablations.gate_plot import gate_plot
from conftest import ROOT
from records_maker import edit_file

from ser.batch import Batch
from ser.corpora.base import EMOTIONS
from ser.errors import RecordError
from ser.experiments import RunConfig, run
from ser.nn.branches import DSBranch, MFCCBranch, aligned_pair
from ser.plots import describe
from ser.report import load_records
from ser.training import TrainConfig
from tools import gates as tool


def network(**options) -> DSBranch:
    """A small branch whose norms have seen something, so that they are not the identity."""
    torch.manual_seed(0)
    branch = DSBranch((16, 32), hidden=5, channels=(4, 3), **options)
    for _ in range(3):
        branch(batch())
    for layer in branch.lstm.layers:
        if layer.gate_norm is not None:
            torch.nn.init.normal_(layer.gate_norm.weight)
            torch.nn.init.normal_(layer.gate_norm.bias)
    return branch.eval()


def batch(lengths: tuple[int, ...] | None = None, seed: int = 1, n: int = 3) -> Batch:
    random = torch.Generator().manual_seed(seed)
    s1 = torch.randn(n, 16, 200, generator=random)
    s2 = torch.randn(n, 32, 100, generator=random)
    if lengths is None:
        return Batch(s1=s1, s2=s2)
    one = torch.tensor(lengths)
    return Batch(s1=s1, s2=s2, s1_lengths=one, s2_lengths=one // 2)


@pytest.mark.parametrize("norms", [False, True])
@pytest.mark.parametrize("lengths", [None, (200, 120, 160)])
@torch.no_grad()
def test_it_is_what_the_equations_say_utterance_by_utterance(norms, lengths):
    branch, given = network(gate_norm=norms, output_norm=norms), batch(lengths)
    seen = gate_means(branch, given)
    x, y, steps = aligned_pair(branch.front1, branch.front2, given)
    steps = [x.shape[1]] * 3 if steps is None else steps.tolist()
    pooled = []
    for i, T in enumerate(steps):
        below, above = x[i], y[i]
        for k, layer in enumerate(branch.lstm.layers):
            cell, norm = layer.cell, layer.gate_norm
            h = c = torch.zeros(5)
            kept: dict[str, list] = {name: [] for name in QUANTITIES}
            out = []
            for t in range(T):
                raw = torch.sigmoid(cell.W @ torch.cat([below[t], above[t], h]) + cell.b)
                gates = raw if norm is None else norm(raw[None], step=t)[0]
                f, iT, o, iF = gates.split(5)
                gT = torch.tanh(cell.W_T @ torch.cat([below[t], h]) + cell.b_T)
                gF = torch.tanh(cell.W_F @ torch.cat([above[t], h]) + cell.b_F)
                c = f * c + iT * gT + iF * gF
                h = o * torch.tanh(c)
                for name, gate, opening in zip(GATES, (f, iT, o, iF), raw.split(5), strict=True):
                    kept[name].append(gate)
                    kept[f"{name} sigmoid"].append(opening)
                    kept[f"{name} outside"].append(((gate < 0) | (gate > 1)).float())
                kept["iT*gT"].append((iT * gT).abs())
                kept["iF*gF"].append((iF * gF).abs())
                out.append(h if layer.output_norm is None else layer.output_norm(h[None])[0])
            by_hand = [torch.stack(kept[name]).mean().item() for name in QUANTITIES]
            assert seen.values()[i, k] == pytest.approx(by_hand, abs=2e-5)
            below = torch.stack(out)
        pooled.append(below.mean(0))
    # The layers were stacked as the network stacks them: its answer comes out.
    torch.testing.assert_close(branch.linear(torch.stack(pooled)), branch(given), atol=1e-4, rtol=0)
    if not norms:
        assert np.array_equal(seen.outside, np.zeros((3, 2, 4)))
        np.testing.assert_allclose(seen.gates, seen.openings, atol=1e-6)


def test_padding_has_no_influence():
    branch = network(gate_norm=True, output_norm=True)
    given = batch((200, 120, 160))
    other = batch((200, 120, 160))
    for i, frames in enumerate((200, 120, 160)):
        other.s1[i, :, frames:] = 77
        other.s2[i, :, frames // 2 :] = -77
    np.testing.assert_allclose(
        gate_means(branch, given).values(), gate_means(branch, other).values(), atol=1e-6
    )
    alone = Batch(
        s1=given.s1[1:2, :, :120],
        s2=given.s2[1:2, :, :60],
        s1_lengths=torch.tensor([120]),
        s2_lengths=torch.tensor([60]),
    )
    np.testing.assert_allclose(
        gate_means(branch, given).values()[1], gate_means(branch, alone).values()[0], atol=1e-5
    )


@pytest.mark.parametrize(
    ("branch", "said"),
    [
        (lambda: network().train(), "training mode"),
        (lambda: network(y_candidate=False), "one door"),
        (lambda: MFCCBranch(hidden=4).eval(), "no branch with a DS-LSTM"),
    ],
)
def test_what_cannot_be_measured_is_said(branch, said):
    with pytest.raises(ValueError, match=said):
        gate_means(branch(), batch())


def made(speakers: int = 8, each: int = 3, gap: float = 0.2, folds: int = 2):
    """Values and keys; every speaker has a level of its own, and angry is *gap* above the rest."""
    random = np.random.default_rng(0)
    keys = {k: [] for k in ("utterance", "emotion", "speaker", "fold", "seed")}
    values = []
    for s in range(speakers):
        level = random.normal(0, 1)
        for e in EMOTIONS:
            for i in range(each + s % 2):
                row = [f"S{s}{e}{i}", e, f"S{s}", str(s % folds), 0]
                for column, value in zip(keys.values(), row, strict=True):
                    column.append(value)
                noise = random.normal(0, 0.01, (2, len(QUANTITIES)))
                values.append(abs(5 + level + gap * (e == "angry") + noise))
    return np.array(values), keys


def test_the_difference_is_taken_within_speakers():
    values, keys = made()
    by = gates_by_emotion(gates_table(values, **keys), ["iT", SHARE])
    assert by.index.names == ["layer", "quantity", "emotion"]
    assert len(by) == 2 * 2 * 4
    angry, sad = by.loc[(1, "iT", "angry")], by.loc[(1, "iT", "sad")]
    assert angry.difference == pytest.approx(0.2, abs=0.01)
    assert sad.difference == pytest.approx(-0.2 / 3, abs=0.01)
    assert 0.17 < angry.difference_low < angry.difference < angry.difference_high < 0.23
    # The speakers' own levels make the mean uncertain and leave the difference alone.
    assert angry.high - angry.low > 0.5
    assert angry.n == sum(e == "angry" for e in keys["emotion"]) and angry.speakers == 8
    assert by.loc[(2, SHARE, "angry"), "mean"] == pytest.approx(0.5, abs=0.01)


def test_every_speaker_counts_the_same_by_hand():
    table = gates_table(*made()[:1], **made()[1])
    mine = table[(table.layer == 2)]
    cells = mine.groupby(["speaker", "emotion"])["iF"].mean().unstack()
    apart = cells.happy - cells[["angry", "neutral", "sad"]].mean(axis=1)
    line = gates_by_emotion(table, ["iF"], seed=3).loc[(2, "iF", "happy")]
    assert line["mean"] == pytest.approx(cells.happy.mean())
    assert line.difference == pytest.approx(apart.mean())
    drawn = np.random.default_rng(3).multinomial(8, np.full(8, 1 / 8), size=2000) @ apart / 8
    ends = np.quantile(drawn, [0.025, 0.975])
    assert [line.difference_low, line.difference_high] == pytest.approx(ends)


def test_one_speaker_or_one_emotion_is_no_interval():
    values, keys = made(speakers=1)
    line = gates_by_emotion(gates_table(values, **keys), ["iT"]).loc[(1, "iT", "sad")]
    assert np.isfinite([line["mean"], line.difference]).all()
    assert np.isnan([line.low, line.high, line.difference_low, line.difference_high]).all()
    table = gates_table(*made()[:1], **made()[1])
    line = gates_by_emotion(table[table.emotion == "sad"], ["iT"]).loc[(1, "iT", "sad")]
    assert np.isfinite([line.low, line.high]).all() and np.isnan(line.difference)
    some = table[(table.emotion != "sad") | (table.speaker == "S1")]
    line = gates_by_emotion(some, ["iT"]).loc[(1, "iT", "sad")]
    assert line.speakers == 1 and np.isnan(line.low)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.drop(columns=["speaker", "iT"]), "columns iT, speaker"),
        (lambda t: t[:0], "no utterances"),
        (lambda t: t.assign(emotion="bored"), "unknown emotions bored"),
    ],
)
def test_a_table_that_does_not_fit_is_named(change, said):
    table = gates_table(*made()[:1], **made()[1])
    with pytest.raises(RecordError, match=said):
        gates_by_emotion(change(table))


ABOUT = {"row": "ds-lstm", "corpus": {"name": "emodb"}}


def test_a_record_comes_back_as_it_was(tmp_path):
    values, keys = made()
    path = tmp_path / "a.json"
    path.write_text(json.dumps(gate_record(values, keys, ABOUT)), encoding="utf-8")
    record = load_gates(path)
    assert record.data["corpus"]["name"] == "emodb" and record.path == path
    pd.testing.assert_frame_equal(record.table, gates_table(np.round(values, 5), **keys))
    with pytest.raises(RecordError, match="no records in"):
        load_records(tmp_path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"kind": "runs"}, "not a whole record of gates"),
        ({"format": 9}, "later version"),
        ({"values": [[[1.0]]]}, "not a whole record"),
        ({"labels": [7]}, "not a whole record"),
        ({"speakers": []}, "names that do not fit"),
        ({"quantities": ["f"]}, "other quantities"),
        ({"corpus": None}, "not a whole record"),
    ],
)
def test_a_damaged_record_is_named(tmp_path, change, said):
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(gate_record(*made(), ABOUT) | change), encoding="utf-8")
    with pytest.raises(RecordError, match=said) as caught:
        load_gates(path)
    assert str(path) in str(caught.value)


def test_a_record_that_is_not_there_or_not_json(tmp_path):
    with pytest.raises(RecordError, match=r"cannot be read.*tools\.gates"):
        load_gates(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"kind": "ga', encoding="utf-8")
    with pytest.raises(RecordError, match="not a whole record"):
        load_gates(tmp_path / "half.json")


@pytest.mark.parametrize(
    "path", sorted((ROOT / "book" / "results" / "gates").glob("*.json")), ids=lambda p: p.stem
)
def test_the_records_of_the_book(path):
    record = load_gates(path)
    assert path.stat().st_size < 300_000
    assert not re.search(r"(?<![\w.])/(?:work|root|tmp|home|Users|var)/", path.read_text("utf-8"))
    assert not record.table.duplicated(["utterance", "seed", "layer"]).any()
    assert record.table[record.table.layer == 1].groupby("speaker").fold.nunique().max() == 1


def test_the_figure_says_twice_which_door_and_describes_itself():
    by = gates_by_emotion(gates_table(*made()[:1], **made()[1]))
    fig = gate_plot(by, ("iT", "iF"), title="Doors")
    assert len(fig.axes) == 2
    for ax in fig.axes:
        lines = [line for line in ax.lines if line.get_label() in ("iT", "iF")]
        assert len({line.get_marker() for line in lines}) == 2
        assert len({line.get_color() for line in lines}) == 2
        assert [t.get_text() for t in ax.get_yticklabels()] == list(EMOTIONS)
    said = describe(fig)
    assert "Layer 1" in said and "Layer 2" in said and "angry iT" in said
    apart = gate_plot(by, ("iT*gT", "iF*gF"), of="difference")
    assert "minus the mean of the others" in describe(apart)
    first = by.loc[(1, "iT*gT", "angry")]
    drawn = next(line for line in apart.axes[0].lines if line.get_label() == "iT*gT")
    assert drawn.get_xdata()[0] == pytest.approx(first.difference)


def test_a_figure_of_nothing_is_refused():
    by = gates_by_emotion(gates_table(*made()[:1], **made()[1]), ["iT"])
    for quantities, of in ((("iF",), "mean"), ((), "mean"), (("iT",), "median")):
        with pytest.raises(ValueError):
            gate_plot(by, quantities, of=of)


@pytest.fixture(scope="module")
def grid(tiny_root, tmp_path_factory):
    config = RunConfig(
        root=str(tiny_root),
        models=("ds-lstm",),
        folds=2,
        train=TrainConfig(epochs=1, batch_size=16, hidden=8),
        jobs=1,
        threads=1,
        progress=False,
        out=tmp_path_factory.mktemp("grid") / "out",
        cache=str(tmp_path_factory.mktemp("cache")),
    )
    run(config)
    return config


def call(grid, out, folder=None, *more) -> int:
    folder = grid.out if folder is None else folder
    words = ["--corpus", "synthetic", "--root", grid.root, "--models", str(folder)]
    return tool.main([*words, "--out", str(out), *more])


def test_the_tool_from_run_to_record(grid, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SER_CACHE", grid.cache)
    path = tmp_path / "gates" / "synthetic.json"
    assert call(grid, path) == 0
    assert "48 utterances" in capsys.readouterr().out
    record = load_gates(path)
    assert record.table.utterance.nunique() == 48
    assert sorted(set(record.table.layer)) == [1, 2]
    for run_record in load_records(grid.out):
        test = run_record.data["test"]
        mine = record.table[record.table.fold == run_record.fold]
        assert set(mine.utterance) == set(test["utterances"])
        assert set(mine.speaker) == set(test["speakers"])
    assert record.data["norms"] == {"gate_norm": True, "output_norm": True}
    assert grid.root not in path.read_text() and str(tmp_path) not in path.read_text()
    assert gates_by_emotion(record.table)["mean"].notna().all()
    monkeypatch.setattr(tool, "DRAWS", 30)
    assert call(grid, path, None, "--untrained") == 0
    before = load_gates(path)
    assert before.data["untrained"] and not record.data["untrained"]
    assert list(before.table.utterance) == list(record.table.utterance)
    # A gate's norm starts with scale 0.1 and shift 0, and knows its mean: so the gate's is near 0.
    acting = before.table[list(GATES)].mean()
    assert acting.abs().max() < 0.02 and (before.table["iF"] != record.table["iF"]).all()


def test_the_tool_says_what_is_missing(grid, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SER_CACHE", grid.cache)
    out = tmp_path / "a.json"

    def said(*given) -> str:
        assert call(grid, out, *given) == 2
        return capsys.readouterr().err

    copy = tmp_path / "copy"
    shutil.copytree(grid.out, copy)
    assert "no row ds-lstm-equations here, only ds-lstm" in said(copy, "--row", "ds-lstm-equations")
    assert "no row with a DS-LSTM" in said(copy, "--row", "dual")
    other = tmp_path / "other"
    shutil.copytree(grid.out, other)
    edit_file(other, lambda r: r | {"corpus": r["corpus"] | {"content_hash": "0"}})
    assert "other files of synthetic" in said(other)
    a, b = sorted((copy / "models" / "ds-lstm").iterdir())
    shutil.copytree(b, tmp_path / "b")
    shutil.rmtree(b)
    shutil.copytree(a, b)
    assert "does not answer as" in said(copy)
    shutil.rmtree(copy / "models")
    assert "--no-models" in said(copy)
    edit_file(copy, lambda r: r if r["protocol"]["fold"] == "1" else None)
    assert "1 of 2 folds" in said(copy)
    assert "no records" in said(tmp_path / "b")
    assert not out.exists()


def test_a_command_without_the_folders_of_a_machine():
    said = tool.plain("ser run --root /home/me/emodb --out 'a b/c' --seeds 1")
    assert said == "ser run --root emodb --out 'a b/c' --seeds 1"
