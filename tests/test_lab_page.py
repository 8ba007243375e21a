"""The page's own forward pass says what Python says: in node and in Chromium (book: "The listening
lab")."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from browser import after
from chapters.lab.model import LIBRARY, packed
from chapters.shared.gate_trace import trace
from chapters.shared.widget import PAGE
from conftest import ROOT

from ser import load_corpus, predict
from ser.audio import load_audio
from ser.batch import Batch
from ser.features import mel_pair, mfcc39
from ser.features.presets import get_preset
from ser.loading import load_model
from ser.nn.branches import aligned_pair
from ser.prediction import branch_logits


@pytest.fixture(scope="module")
def model():
    return load_model(device="cpu", recordings=1)


def gates(wave: np.ndarray, model) -> dict[str, np.ndarray]:
    """Input gates of the first layer, by the equations."""
    part, scale = model.branches["ds-lstm"], model.scales["ds-lstm"]
    pair = [
        (s - torch.from_numpy(scale[n][0])[:, None]) / torch.from_numpy(scale[n][1])[:, None]
        for n, s in zip(("s1", "s2"), mel_pair(wave), strict=True)
    ]
    s1, s2 = (s[None] for s in get_preset("release").squash(*pair))
    with torch.no_grad():
        x, y, _ = aligned_pair(part.front1, part.front2, Batch(s1=s1, s2=s2))
    return trace(part.lstm.layers[0], x[0], y[0])


def text(values: torch.Tensor | np.ndarray) -> str:
    return base64.b64encode(np.asarray(values, "<f4").tobytes()).decode("ascii")


def case(name: str, wave: np.ndarray, model) -> dict:
    with torch.no_grad():
        logits = {row: branch_logits(wave, model, row, name) for row in model.branches}
    s1, s2 = mel_pair(wave)
    seen = gates(wave, model)
    return {
        "name": name,
        "wave": text(wave),
        "s1": text(s1.T),
        "s2": text(s2.T),
        "mfcc": text(mfcc39(wave)),
        "iT": text(seen["iT"]),
        "iF": text(seen["iF"]),
        "branches": {row: v.tolist() for row, v in logits.items()},
        "probabilities": list(predict(wave, model).probabilities.values()),
    }


@pytest.fixture(scope="module")
def cases(model, tmp_path_factory) -> Path:
    """Ten sounds and more: the built-in corpus, digital silence, EmoDB where it is."""
    from ser.corpora.synthetic import make

    root = make(tmp_path_factory.mktemp("lab") / "synthetic", 2, 3, jobs=1, progress=False)
    paths = [Path(p) for p in load_corpus("synthetic", root).table.path]
    shared = Path(os.environ.get("SER_SHARED", ROOT.parent / "shared")) / "data" / "emodb" / "wav"
    chosen = paths[::3] + sorted(shared.glob("*.wav"))[::57]
    waves = {path.stem: load_audio(path) for path in chosen}
    waves["silence"] = np.zeros(16000, np.float32)
    waves["pauses of zeros"] = np.pad(waves[chosen[0].stem], 5000)
    waves["short"] = waves[chosen[0].stem][4000:9000]
    file = tmp_path_factory.mktemp("cases") / "cases.json"
    made = {"model": packed(model), "cases": [case(n, w, model) for n, w in waves.items()]}
    file.write_text(json.dumps(made), encoding="utf-8")
    return file


def test_by_nodes_own_test_runner(cases):
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node (Debian: apt-get install nodejs)")
    files = sorted((ROOT / "tests" / "page").glob("*.test.js"))
    files = [f for f in files if f.name != "enrolment.test.js"]  # tests/test_lab_enrol.py runs it
    done = subprocess.run(
        [node, "--test", *files],
        env={**os.environ, "SER_PAGE_CASES": str(cases)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:]
    assert "# skipped 0" in done.stdout


def test_in_chromium_to_a_thousandth(cases, tmp_path):
    library = "".join(f"<script>{p.read_text('utf-8')}</script>" for p in (PAGE, *LIBRARY))
    made = cases.read_text("utf-8")
    act = """
      const {model, cases} = JSON.parse(document.getElementById('cases').textContent);
      const dual = new serPage.Dual(serPage.unpack(model));
      const said = cases.map(one => {
        const bytes = Uint8Array.from(atob(one.wave), c => c.charCodeAt(0));
        return dual.hear(new Float32Array(bytes.buffer)).branches;
      });
      document.body.innerHTML = `<p>${JSON.stringify(said)}</p>`;
    """
    page = f'<body>{library}<script type="application/json" id="cases">{made}</script>'
    soup = after(page, act, tmp_path)
    wanted = [one["branches"] for one in json.loads(made)["cases"]]
    found = json.loads(soup.p.text)
    assert len(found) == len(wanted) >= 10
    for one, other in zip(found, wanted, strict=True):
        for branch, logits in other.items():
            assert np.abs(np.subtract(one[branch], logits)).max() < 1e-3


def test_the_weights_fit_a_page_and_other_networks_are_refused(model):
    from dataclasses import replace

    assert len(json.dumps(packed(model))) < 1_800_000
    with pytest.raises(ValueError, match="not \\('dual', 'paper'"):
        packed(replace(model, preset="paper"))


def test_the_library_comes_before_the_script_that_needs_it():
    from chapters.shared.widget import svg, widget

    made = widget(LIBRARY[1], {}, lambda _: svg(9, 9), kind="a", title="a", described="A.",
                  uses=LIBRARY[:1])  # fmt: skip
    places = [made.html.index(p.read_text("utf-8")) for p in (PAGE, LIBRARY[0], LIBRARY[1])]
    assert places == sorted(places)
