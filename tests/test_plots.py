"""Figures: what they draw, that all can read them, and their descriptions."""

from __future__ import annotations

import base64
import io
import itertools
import re
import subprocess
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from chapters.shared import distributions, sound_figures
from chapters.shared.probabilities import branch_probabilities
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from records_maker import make_results

from ser import plots
from ser.plots.results import heatmap
from ser.plots.style import CARD, INK, MUTED, WIDTH, drawing, png
from ser.report import make_report

RNG = np.random.default_rng(0)
HISTORY = [
    {"epoch": e, "loss": 2 / e, "train_ua": 1 - 0.5 / e, "test_ua": u, "test_wa": u, "dev_ua": None}
    for e, u in enumerate([0.4, 0.7, 0.6], start=1)
]
TABLE = pd.DataFrame(
    {
        "emotion": ["angry", "happy", "neutral", "sad"] * 10,
        "speaker": [f"S{i // 8}" for i in range(40)],
        "F0": np.arange(40.0),
    }
)
COUNTS = np.array([[8, 2, 0, 0], [5, 5, 0, 0], [0, 0, 10, 0], [0, 0, 1, 9]])


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plots")
    make_results(folder / "loso", {"majority": 0.0, "mfcc-lstm": 0.8, "dual": 2.0}, each=8)
    make_results(folder / "random", {"dual": 2.5}, each=8, protocol="random")
    return make_report(folder, resamples=100)


def all_figures(report) -> dict[str, Figure]:
    row = report.row("dual")
    s1, s2 = RNG.normal(size=(128, 60)), RNG.normal(size=(256, 30))
    even = [0.25] * 4
    return {
        "confusion": plots.confusion_matrix(COUNTS, "a long title that has to be broken in two"),
        "table": plots.results_table_plot(report.table),
        "paired": plots.paired_difference(report.default_pairs()),
        "learning": plots.learning_curves([HISTORY, HISTORY]),
        "reliability": plots.reliability_diagram(row.labels, row.logits[0]),
        "branches": branch_probabilities({"dual": even, "ds-lstm": [0.7, 0.1, 0.1, 0.1]}),
        "waveform": sound_figures.waveform(RNG.normal(size=40000) * 0.1),
        "spectrogram": sound_figures.spectrogram(s1),
        "pair": sound_figures.spectrogram_pair(s1, s2),
        "mfcc": sound_figures.mfcc(RNG.normal(size=(50, 39))),
        "feature": distributions.feature_by_emotion(TABLE, "F0", "Hz"),
    }


@pytest.fixture(scope="module")
def figures(report):
    return all_figures(report)


def test_every_figure_has_a_card_a_description_and_labelled_axes(figures):
    for name, fig in figures.items():
        assert matplotlib.colors.to_hex(fig.get_facecolor()) == CARD, name
        assert len(plots.describe(fig)) > 30, name
        assert any(ax.get_xlabel() or len(ax.get_xticklabels()) for ax in fig.axes), name
        assert fig.get_size_inches()[0] == WIDTH, name


def test_text_is_readable_on_a_telephone_and_inside_the_figure(figures):
    for name, fig in figures.items():
        canvas = FigureCanvasAgg(fig)
        canvas.draw()
        for text in fig.findobj(matplotlib.text.Text):
            if text.get_text().strip() and text.get_visible():
                # At 340 pixels' width.
                assert text.get_fontsize() / 72 * 340 / WIDTH >= 9.9, (name, text.get_text())
        written = [t for legend in fig.legends for t in legend.get_texts()]
        for ax in fig.axes:
            written += [ax._left_title, ax.xaxis.label, ax.yaxis.label, *ax.texts]
        for text in written:
            if text.get_text().strip():
                box = text.get_window_extent(canvas.get_renderer())
                inside = box.x0 >= 0 and box.x1 <= fig.bbox.width
                assert inside and box.y0 >= 0 and box.y1 <= fig.bbox.height, (name, text.get_text())


def luminance(colour) -> float:
    """Relative luminance of a colour as WCAG defines it, 0 (black) to 1 (white)."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(a, b) -> float:
    """Contrast ratio of two colours, 1 to 21; text needs 4.5 (WCAG AA)."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_text_and_marks():
    assert contrast(INK, CARD) >= 7
    assert contrast(MUTED, CARD) >= 4.5
    shades = np.linspace(0, 1, 101)
    with drawing() as (_, ax):
        heatmap(ax, shades[None], [["x"] * 101], range(101), ["x"])
    for text, colour in zip(ax.texts, matplotlib.colormaps["Blues"](shades), strict=True):
        assert contrast(text.get_color(), colour) >= 4.5


# Machado, Oliveira, Fernandes (2009): complete protanopia, deuteranopia, tritanopia.
BLINDNESS = {
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def lab(linear: np.ndarray) -> np.ndarray:
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ np.clip(linear, 0, 1) / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("kind", BLINDNESS)
def test_emotions_differ_for_colour_blind_readers(kind):
    seen = {}
    for emotion, colour in plots.EMOTION_COLOURS.items():
        rgb = np.array(matplotlib.colors.to_rgb(colour))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        seen[emotion] = lab(np.array(BLINDNESS[kind]) @ linear)
    for a, b in itertools.combinations(seen, 2):
        assert np.linalg.norm(seen[a] - seen[b]) > 15, (kind, a, b)


def test_luminance_is_wcags():
    assert luminance("white") == pytest.approx(1)
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.01)


def test_png_is_the_same_every_time():
    first, second = (png(plots.confusion_matrix(COUNTS)) for _ in range(2))
    assert first == second


def test_style_is_left_as_it_was(report):
    before = dict(matplotlib.rcParams)
    plots.confusion_matrix(COUNTS)
    assert dict(matplotlib.rcParams) == before


def test_pyplot_comes_with_a_matrix_alone():
    code = (
        "import sys; from ser import plots; plots.learning_curves([{'epoch': 1, 'loss': 1.0}]);"
        "early = 'matplotlib.pyplot' in sys.modules; plots.confusion_matrix([[1]*4]*4);"
        "from matplotlib import pyplot; sys.exit(early or bool(pyplot.get_fignums()))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_show_is_a_figure_with_picture_caption_and_alt():
    shown = plots.show(plots.confusion_matrix(COUNTS), caption="Who & <what>")
    html = shown._repr_html_()
    assert "<figcaption" in html and "Who &amp; &lt;what&gt;" in html
    assert "max-width:100%" in html
    alt = re.search(r'alt="([^"]+)"', html)[1]
    assert "angry recalled 80 %" in alt
    data = base64.b64decode(re.search(r"base64,([^\"]+)\"", html)[1])
    image = matplotlib.image.imread(io.BytesIO(data))
    assert image.shape[1] >= 800
    assert repr(shown) == "[figure] Who & <what>"


def test_show_needs_a_description():
    fig = Figure()
    with pytest.raises(ValueError, match="alt="):
        plots.show(fig, caption="what")
    assert 'alt="a line"' in plots.show(fig, alt="a line").html


def test_confusion_shows_counts_and_percent_of_rows():
    fig = plots.confusion_matrix(COUNTS)
    said = [t.get_text() for t in fig.axes[0].texts]
    assert said[:2] == ["80 %\n8", "20 %\n2"]
    assert "happy taken for angry, 50 %" in plots.describe(fig)
    absent = plots.confusion_matrix([[1, 0, 0, 0], [0] * 4, [0] * 4, [0] * 4])
    assert "happy" not in plots.describe(absent)
    assert "–\n0" in [t.get_text() for t in absent.axes[0].texts]


def test_table_marks_test_chosen_and_each_protocol(report):
    fig = plots.results_table_plot(report.table)
    assert len(fig.axes) == 2
    assert "test-chosen*" in [t.get_text() for t in fig.legends[0].texts]
    assert "too good to be true" in plots.describe(fig)
    only = plots.results_table_plot(report.table[report.table.selection == "last"])
    assert "test" not in plots.describe(only)
    with pytest.raises(ValueError, match="no rows"):
        plots.results_table_plot(report.table[:0])


def test_learning_curves_find_the_best_test_epoch():
    text = plots.describe(plots.learning_curves(HISTORY))
    assert "best test epoch is 2 with 70 %" in text
    assert "dev" not in text
    without = [{**point, "train_ua": None} for point in HISTORY]
    assert "training ends" not in plots.describe(plots.learning_curves(without))
    plots.learning_curves([HISTORY, HISTORY[:2]])
    with pytest.raises(ValueError, match="no epochs"):
        plots.learning_curves([[], []])


def test_spectrogram_times_and_frequencies():
    s = np.full((128, 100), -80.0)
    s[40] = 0  # one band
    fig = sound_figures.spectrogram(s)
    assert fig.axes[0].get_xlim()[1] == pytest.approx(100 * 256 / 16000)
    librosa = pytest.importorskip("librosa")
    center = librosa.mel_frequencies(130, fmin=0, fmax=8000)[41]
    said = float(re.search(r"near (\d+) Hz", plots.describe(fig))[1])
    assert said == pytest.approx(center, abs=15)
    squashed = sound_figures.spectrogram(s, seconds=2.5)
    assert squashed.axes[0].get_xlim()[1] == 2.5
    sound_figures.spectrogram(np.zeros((8, 4)))  # no range of levels at all
    with pytest.raises(ValueError, match="n_mels"):
        sound_figures.spectrogram(np.zeros(5))


def test_waveform_keeps_its_scale_and_its_peaks():
    wave = np.zeros(100_000)
    wave[777] = 0.5
    fig = sound_figures.waveform(wave)
    assert fig.axes[0].get_ylim() == (-1, 1)
    drawn = fig.axes[0].collections[0].get_paths()[0].vertices
    assert drawn[:, 1].max() == 0.5
    assert "peak 0.50" in plots.describe(fig)
    with pytest.raises(ValueError, match="no samples"):
        sound_figures.waveform([])


def test_branches_must_be_probabilities():
    with pytest.raises(ValueError, match="sum to 1"):
        branch_probabilities({"dual": [1, 2, 3, 4]})
    with pytest.raises(ValueError, match="no answers"):
        branch_probabilities({})


def test_a_feature_is_drawn_for_the_emotions_that_have_it():
    three = TABLE[TABLE.emotion != "sad"]
    fig = distributions.feature_by_emotion(three, "F0", "Hz")
    assert [t.get_text() for t in fig.axes[0].get_xticklabels()] == ["angry", "happy", "neutral"]
    assert "sad" not in plots.describe(fig)
    with pytest.raises(ValueError, match="no values"):
        distributions.feature_by_emotion(TABLE.assign(F0=np.nan), "F0", "Hz")


def test_axes_of_ones_own_are_drawn_into():
    fig = Figure()
    for ax in fig.subplots(1, 2):
        assert sound_figures.waveform(np.ones(100) * 0.1, ax=ax) is fig
    assert plots.describe(fig).count("Waveform") == 2


def test_nothing_to_compare_is_told():
    with pytest.raises(ValueError, match="no comparisons"):
        plots.paired_difference([])
