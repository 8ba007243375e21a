"""Temperatures from dev speakers, and the gap of women and men, from made-up records."""

from __future__ import annotations

import numpy as np
import pytest
from chapters.confusion.calibration import COLUMNS, calibration_table, dev_fit
from chapters.confusion.dev_logits import dev_answers
from chapters.confusion.groups import gender_gap
from chapters.confusion.temperature import (
    cross_fit_temperature,
    fit_temperature,
    negative_log_likelihood,
)
from records_maker import (
    corpus_rows,
    make_results,
    read,
    record,
    restated,
    rewrite,
    state_scores,
    write,
)
from scipy.special import log_softmax

from ser.errors import RecordError
from ser.experiments.records import fuse_records, select
from ser.metrics import ece, softmax
from ser.metrics.scores import count_recalls, count_ua
from ser.report import load_records, make_report

SPEAKERS, EACH, DEV, EPOCHS = 6, 16, 30, 4
FOLDS = [f"S{s:02d}" for s in range(SPEAKERS)]
CHOSEN = ("last", "dev", "test")


def network(model, fold, seed, heat=3.0):
    """A record of a network that is *heat* times too sure, with its dev side."""
    data = record(model, fold, seed, rows=corpus_rows(SPEAKERS, EACH), epochs=EPOCHS)
    rng = np.random.default_rng([len(model), FOLDS.index(fold), seed])
    labels = {"test": np.array(data["test"]["labels"])}
    # The same dev side for every model: it belongs to the fold.
    labels["dev"] = np.random.default_rng(FOLDS.index(fold)).integers(4, size=DEV)
    logits = {}
    for side, truth in labels.items():
        z = rng.normal(size=(EPOCHS, len(truth), 4))
        z[:, np.arange(len(truth)), truth] += np.linspace(0.3, 1.5, EPOCHS)[:, None]
        logits[side] = heat * (1 + 0.2 * FOLDS.index(fold)) * z
    for e, entry in enumerate(data["history"]):
        for side, truth in labels.items():
            state_scores(entry, truth, logits[side][e], side)
    data["dev_labels"] = labels["dev"].tolist()
    data["epoch_logits"] = {side: np.float32(np.float16(z)) for side, z in logits.items()}
    data["selection"] = select(data["history"], logits["test"], CHOSEN)
    return data


@pytest.fixture
def folder(tmp_path):
    for fold in FOLDS:
        for seed in range(2):
            parts = [network(m, fold, seed) for m in ("mfcc-lstm", "ds-lstm")]
            for data in [*parts, fuse_records("dual", parts, {"fold": fold, "seed": seed})]:
                write(tmp_path, data)
    make_results(tmp_path, {"majority": 0.0, "egemaps-lr": 1.0}, SPEAKERS, EACH)
    return tmp_path


def data_of(folder, model, fold, seed):
    return read(folder / model / f"loso-release-{fold}-seed{seed}.parquet")


def change(folder, model, edit):
    for path in (folder / model).glob("*.parquet"):
        data = read(path)
        edit(data)
        rewrite(path, restated(data))


@pytest.mark.parametrize("selection", CHOSEN)
@pytest.mark.parametrize("model", ["ds-lstm", "dual"])
def test_a_temperature_is_that_of_the_dev_logits_of_the_chosen_epoch(folder, model, selection):
    report = make_report(folder, resamples=20)
    fit = dev_fit(report, model, selection)
    table = fit.temperatures.set_index(["fold", "seed"])
    assert len(table) == 2 * SPEAKERS and set(table.dev) == {DEV}
    branches = ("mfcc-lstm", "ds-lstm") if model == "dual" else (model,)
    row = report.row(model, selection)
    expected = row.logits.copy()
    for (fold, seed), line in table.iterrows():
        parts = [data_of(folder, m, fold, seed) for m in branches]
        epoch = data_of(folder, model, fold, seed)["selection"][selection]["epoch"]
        dev = np.mean([p["epoch_logits"]["dev"][epoch - 1] for p in parts], axis=0, dtype=float)
        by_hand = fit_temperature(parts[0]["dev_labels"], dev)
        assert line.epoch == epoch
        assert line.temperature == pytest.approx(by_hand, rel=1e-6)
        assert line.dev_nll_before == pytest.approx(
            negative_log_likelihood(parts[0]["dev_labels"], dev)
        )
        mine = row.speakers == fold
        expected[int(seed), mine] /= by_hand
    np.testing.assert_allclose(fit.after, expected, rtol=1e-6)
    np.testing.assert_array_equal(fit.before, row.logits)
    assert table.temperature.nunique() == len(table)


def test_epochs_differ_between_the_selections(folder):
    """Else the test above could not tell a wrong epoch from the right one."""
    report = make_report(folder, resamples=20)
    for model in ("ds-lstm", "dual"):
        last, dev = (dev_fit(report, model, s).temperatures for s in ("last", "dev"))
        assert (last.epoch == EPOCHS).all() and (dev.epoch < EPOCHS).any()


def test_no_answer_changes_and_dev_is_never_worse(folder):
    report = make_report(folder, resamples=20)
    for model in ("mfcc-lstm", "ds-lstm", "dual"):
        fit = dev_fit(report, model)
        assert (fit.after.argmax(-1) == fit.before.argmax(-1)).all()
        assert not np.allclose(fit.after, fit.before)
        assert (fit.temperatures.dev_nll_after <= fit.temperatures.dev_nll_before).all()
        assert (fit.temperatures.temperature > 1).all()  # they were made too sure


def test_the_temperature_does_not_see_the_test_side(folder):
    before = dev_fit(make_report(folder, resamples=20), "ds-lstm").temperatures

    def mislabel(data):
        data["test"]["labels"] = [(y + 1) % 4 for y in data["test"]["labels"]]

    change(folder, "ds-lstm", mislabel)
    after = dev_fit(make_report(folder, resamples=20), "ds-lstm").temperatures
    assert (before.temperature == after.temperature).all()


def test_the_table_agrees_with_the_measures(folder):
    report = make_report(folder, resamples=200)
    table = calibration_table(report)
    assert list(table.columns) == list(COLUMNS)
    assert table.index.tolist() == [
        (m, w) for m in ("mfcc-lstm", "ds-lstm", "dual") for w in ("before", "dev", "others")
    ]
    for model in ("ds-lstm", "dual"):
        fit, row = dev_fit(report, model), report.row(model)
        crossed = [cross_fit_temperature(row.labels, z, row.speakers) for z in row.logits]
        stages = {"before": row.logits, "dev": fit.after, "others": [c.logits for c in crossed]}
        for when, logits in stages.items():
            line = table.loc[model, when]
            sure = np.mean([softmax(z).max(1).mean() for z in logits])
            assert line.ece == pytest.approx(100 * np.mean([ece(row.labels, z) for z in logits]))
            assert line.nll == pytest.approx(
                np.mean([negative_log_likelihood(row.labels, z) for z in logits])
            )
            assert line.accuracy == pytest.approx(100 * row.wa.mean())
            assert line.gap == pytest.approx(100 * (sure - row.wa.mean()))
        assert table.loc[(model, "dev"), "temperature"] == np.median(fit.temperatures.temperature)
        for name in ("ece", "nll"):
            lines = table.loc[model]
            difference = lines.loc["dev", name] - lines.loc["before", name]
            assert lines.loc["dev", f"{name}_change"] == pytest.approx(difference)
            assert np.isnan(lines.loc["before", f"{name}_change"])
            assert (lines[f"{name}_low"].iloc[1:] < lines[f"{name}_high"].iloc[1:]).all()
            assert lines.loc["dev", f"{name}_change"] < 0  # they were made too sure


def test_intervals_draw_speakers_with_all_their_seeds(folder):
    report = make_report(folder, resamples=50)
    fit, row = dev_fit(report, "ds-lstm"), report.row("ds-lstm")
    rng, found = np.random.default_rng(0), []
    names = np.unique(row.speakers)
    for times in rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=50):
        drawn = np.concatenate(
            [np.flatnonzero(row.speakers == n) for n, t in zip(names, times, strict=True)
             for _ in range(t)]
        )  # fmt: skip
        errors = [
            np.mean([ece(row.labels[drawn], each[drawn]) for each in z])
            for z in (fit.after, fit.before)
        ]
        found.append(100 * (errors[0] - errors[1]))
    line = calibration_table(report, ["ds-lstm"]).loc["ds-lstm", "dev"]
    assert [line.ece_low, line.ece_high] == pytest.approx(np.quantile(found, [0.025, 0.975]))


def test_branches_of_another_network_are_not_taken(folder, tmp_path):
    """Two sets of branches with one name: the set whose mean is the fused row's answer counts."""
    good = calibration_table(make_report(folder, resamples=20), ["dual"])
    for model in ("mfcc-lstm", "ds-lstm"):
        for fold in FOLDS:
            for seed in range(2):
                data = network(model, fold, seed, heat=1.0)
                data["config"]["hidden"] = 8
                path = write(folder / "more", data)
                assert path.is_file()
    report = make_report(folder, resamples=20)
    assert "ds-lstm [hidden 8]" in set(report.table.model)
    again = calibration_table(report, ["dual"])
    np.testing.assert_allclose(again.to_numpy(), good.to_numpy())


def test_rows_without_dev_logits_are_named(folder, tmp_path):
    report = make_report(folder, resamples=20)
    with pytest.raises(RecordError, match=r"(?s)egemaps-lr.*baseline.*--select last,dev"):
        calibration_table(report, ["egemaps-lr"])
    with pytest.raises(RecordError, match=r"dual.*mfcc-lstm/S00/seed0.*--select last,dev"):
        dev_fit(make_report(folder / "dual", resamples=20), "dual")
    change(folder, "ds-lstm", lambda data: data.update(dev_labels=[]))
    report = make_report(folder, resamples=20)
    with pytest.raises(RecordError, match=r"ds-lstm, fold S00, seed 0.*--select last,dev"):
        dev_fit(report, "ds-lstm")
    with pytest.raises(RecordError, match=r"dual.*lacks .*ds-lstm/S00"):
        dev_fit(report, "dual")
    assert set(calibration_table(report, ["mfcc-lstm"]).index.levels[0]) == {"mfcc-lstm"}
    with pytest.raises(RecordError, match=r"no row has dev logits.*--select last,dev"):
        calibration_table(make_report(folder / "majority", resamples=20))
    with pytest.raises(RecordError, match="no selection 'median'"):
        dev_answers(load_records(folder / "mfcc-lstm")[0], "median")


def test_logits_of_another_network_are_refused(folder):
    def swap(data):
        data["epoch_logits"]["test"] = data["epoch_logits"]["test"][:, ::-1]

    change(folder, "ds-lstm", swap)
    with pytest.raises(RecordError, match="not those of the network that was tested"):
        dev_fit(make_report(folder, resamples=20), "ds-lstm")


def test_one_speaker_has_no_interval(tmp_path):
    write(tmp_path, network("ds-lstm", "S00", 0))
    table = calibration_table(make_report(tmp_path, resamples=20)).loc["ds-lstm"]
    assert np.isfinite(table.loc["dev", ["ece", "nll", "ece_change"]].astype(float)).all()
    assert table.loc["others"].isna().all() and table[["ece_low", "nll_high"]].isna().all(axis=None)


def test_the_likelihood_by_hand(folder):
    report = make_report(folder, resamples=20)
    fit = dev_fit(report, "mfcc-lstm")
    p = log_softmax(fit.after, axis=-1)[:, np.arange(len(fit.row.labels)), fit.row.labels]
    table = calibration_table(report, ["mfcc-lstm"])
    assert table.loc[("mfcc-lstm", "dev"), "nll"] == pytest.approx(-p.mean())


def test_women_and_men(folder):
    row = make_report(folder, resamples=20).row("dual")
    table = gender_gap(row, resamples=300)
    assert table.index.tolist() == ["UA", "angry", "happy", "neutral", "sad"]
    assert table.attrs["speakers"] == {"female": 3, "male": 3}
    for name, odd in (("female", 1), ("male", 0)):
        mine = np.array([int(s[1:]) % 2 == odd for s in row.speakers])
        counts = np.zeros((2, 4, 4))
        for seed in range(2):
            np.add.at(counts[seed], (row.labels[mine], row.predictions[seed, mine]), 1)
        assert table.loc["UA", name] == pytest.approx(100 * count_ua(counts).mean())
        np.testing.assert_allclose(table[name].iloc[1:], 100 * count_recalls(counts).mean(0))
    np.testing.assert_allclose(table.difference, table.female - table.male)
    assert (table.low < table.high).all()
    with pytest.raises(RecordError, match="no speaker who is other"):
        gender_gap(row, "other")


def test_the_interval_of_a_gap_draws_speakers(tmp_path):
    """Speakers of a gender who are all answered alike leave nothing to chance."""
    for fold in FOLDS:
        data = record("dual", fold, 0, rows=corpus_rows(SPEAKERS, EACH))
        truth = np.array(data["test"]["labels"])
        answers = truth if int(fold[1:]) % 2 else (truth + 1) % 4
        data["selection"]["last"]["logits"] = np.eye(4)[answers].tolist()
        write(tmp_path, data)
    line = gender_gap(make_report(tmp_path, resamples=20).row("dual"), resamples=50).loc["UA"]
    assert [line.female, line.male, line.difference, line.low, line.high] == [100, 0, 100, 100, 100]
