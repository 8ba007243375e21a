"""Random against unseen speakers: the table in the page, and that it moves in a browser."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from browser import after, checked_by_node
from bs4 import BeautifulSoup
from chapters.protocols import protocol_widget
from chapters.protocols.protocol_widget import interactive_protocols, protocol_table, recorded
from records_maker import make_results

from ser.report import load_records, make_report

MODELS = {"majority": 0.0, "mfcc-lstm": 0.8, "dual": 2.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("records with space")
    chosen = ("last", "dev", "test")
    for corpus in ("emodb", "other"):
        for protocol in ("loso", "random"):
            only = {"selections": chosen} if corpus == "other" else {}
            where = out / f"{corpus}-{protocol}"
            models = dict(MODELS, extra=1.0) if protocol == "loso" else MODELS
            models = {m: s + (protocol == "random") for m, s in models.items() if m != "extra"}
            make_results(where, models, corpus=corpus, protocol=protocol, **only)
    make_results(out / "alone-random", MODELS, corpus="alone", protocol="random")
    return out


@pytest.fixture(scope="module")
def records(folder):
    return [r for group in recorded(folder).values() for r in group]


@pytest.fixture(scope="module")
def page(records):
    return interactive_protocols(records, caption="A <caption>.", resamples=200)


def test_finds_the_corpora_that_have_both_protocols(folder, tmp_path):
    found = recorded(folder)
    assert list(found) == ["emodb", "other"]
    assert {r.corpus for r in found["emodb"]} == {"emodb"}
    assert recorded(tmp_path) == {}
    (tmp_path / "x-random").mkdir()
    (tmp_path / "x-loso" / "work").mkdir(parents=True)
    assert recorded(tmp_path) == {}, "folders without a record are no corpus"


def test_takes_records_with_a_dev_set_where_both_protocols_have_one(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    where = tmp_path / "copy"
    make_results(where / "emodb-loso-dev", MODELS, seeds=2, dev=4)
    assert {r.seed for r in recorded(where)["emodb"]} == {0}, "one protocol alone is no pair"
    make_results(where / "emodb-random-dev", MODELS, protocol="random", seeds=2, dev=4)
    found = recorded(where)
    assert {r.path.parents[1].name for r in found["emodb"]} == {
        "emodb-loso-dev",
        "emodb-random-dev",
    }
    assert {r.seed for r in found["emodb"]} == {0, 1} and {r.seed for r in found["other"]} == {0}


def test_leaves_out_rows_that_are_not_complete(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    next((tmp_path / "copy" / "emodb-loso" / "dual").glob("*.parquet")).unlink()
    shutil.rmtree(tmp_path / "copy" / "emodb-random" / "majority")
    kept = {r.data["model"] for r in recorded(tmp_path / "copy")["emodb"]}
    assert kept == {"mfcc-lstm"}


def test_the_table_is_that_of_the_report(folder, records):
    table = protocol_table(records, resamples=200)
    report = make_report([folder / "emodb-loso", folder / "emodb-random"], resamples=200)
    for name, protocol in (("unseen", "loso"), ("random", "random")):
        for selection in ("last", "test"):
            row = report.row("dual", selection, protocol=protocol)
            cell = table["emodb"]["dual"][name][selection]
            assert cell["ua"] == pytest.approx(100 * row.ua.mean(), abs=0.051)
            ends = row.interval("ua", 200)
            assert [cell["low"], cell["high"]] == pytest.approx([100 * e for e in ends], abs=0.051)
            assert cell["counts"] == row.confusion.tolist()
            assert len(cell["each"]) == 5
    stated = [
        [entry["test_ua"] for entry in r.data["history"]]
        for r in load_records(folder / "emodb-random")
        if r.data["model"] == "dual"
    ]
    curve = table["emodb"]["dual"]["random"]["curve"]["test"]
    assert curve == pytest.approx(100 * np.mean(stated, axis=0), abs=0.051)
    assert "dev" not in table["emodb"]["dual"]["random"]
    assert "dev" in table["other"]["dual"]["random"]
    assert table["emodb"]["majority"]["unseen"]["curve"] == {"train": [], "test": []}
    assert table["emodb"]["dual"]["unseen"]["test"]["epochs"] == [2]


def test_one_protocol_is_not_enough(folder):
    with pytest.raises(ValueError, match="no row was recorded under both"):
        protocol_table(load_records(folder / "alone-random"))


def test_stands_in_the_page_complete(page):
    assert len(page.html) < 400_000
    assert not re.search(r"""(?:src|href)=["'](?!data:)""", page.html)
    soup = BeautifulSoup(page.html, "html.parser")
    for field in soup.find_all(["input", "select"]):
        assert soup.find("label", attrs={"for": field["id"]}), field["id"]
    assert [len(f.find_all("input")) for f in soup.find_all("fieldset")] == [2, 3]
    assert all(f.find("legend").text for f in soup.find_all("fieldset"))
    assert soup.find(class_="controls").has_attr("hidden"), "without a script there is a table"
    cells = soup.find("noscript").find_all("td")
    assert len(cells) == 6 * len(MODELS) * 2
    assert "A <caption>." in soup.find("figcaption").text
    assert page.text.startswith("[protocols] A <caption>. UA of the same runs")
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))


def test_the_same_records_give_the_same_page(records, page):
    again = interactive_protocols(records, caption="A <caption>.", resamples=200)
    assert again.html == page.html
    name = re.compile(r'<figure class="ser-protocols" id="([\w-]+)"')
    other = interactive_protocols(records, caption="Another.", resamples=200)
    assert name.findall(other.html) != name.findall(page.html)


def test_a_name_cannot_end_the_script(tmp_path):
    for protocol in ("loso", "random"):
        make_results(
            tmp_path / f"x-{protocol}", {"dual": 1.0}, corpus="</script>", protocol=protocol
        )
    html = interactive_protocols(recorded(tmp_path)["</script>"], resamples=10).html
    assert html.count("</script>") == 2, "the table's and the program's"


def test_the_script_is_a_file_of_javascript():
    checked_by_node(Path(protocol_widget.__file__).with_suffix(".js"))


def test_one_speaker_has_no_interval(tmp_path):
    for protocol in ("loso", "random"):
        where = tmp_path / f"x-{protocol}"
        make_results(where, {"dual": 1.0}, speakers=1, corpus="x", protocol=protocol)
    cell = protocol_table(recorded(tmp_path)["x"], 10)["x"]["dual"]["random"]["last"]
    assert cell["low"] is None


def test_the_choices_move_everything_in_a_browser_without_a_network(page, records, tmp_path):
    table = protocol_table(records, resamples=200)["other"]["mfcc-lstm"]
    act = """
      function change(e, v) { e.value = v; e.dispatchEvent(new Event('change')); }
      change(document.querySelector('select.corpus'), 'other');
      change(document.querySelector('select.model'), 'mfcc-lstm');
      document.querySelector('fieldset.side input[value=random]').click();
      document.querySelector('fieldset.epoch input[value=test]').click();
      document.querySelector('input[type=checkbox]').click();
    """
    soup = after(page.html, act, tmp_path)
    now, base = table["random"]["test"], table["unseen"]["last"]
    said = soup.find("output").text
    assert said.startswith(
        "other, mfcc-lstm, random split (5 folds, 80 utterances, 1 seed), chosen"
    )
    assert f"UA {now['ua']:.1f} %, interval {now['low']:.1f} to {now['high']:.1f}." in said
    differs = now["ua"] - base["ua"]
    assert f"{'−' if differs < 0 else '+'}{abs(differs):.1f} points against" in said
    assert "no estimate of anything" in said
    svg = soup.find("svg")
    assert svg["aria-label"].startswith(said)
    assert float(svg.find("circle", class_="now")["cx"]) == pytest.approx(20 + 4.8 * now["ua"])
    assert svg.find("path", class_="base")
    shown = [t.text.replace("−", "-").lstrip("+") for t in svg.find_all("text", class_="cell")]
    percent = [np.array(c["counts"]) / np.sum(c["counts"], 1, keepdims=True) for c in (now, base)]
    expected = 100 * (percent[0] - percent[1]).ravel()
    assert np.abs(np.array(shown, dtype=float) - expected).max() <= 0.51
    heights = [float(r["height"]) for r in svg.find_all("rect", class_="speaker")]
    assert heights == pytest.approx([1.05 * v for v in now["each"]], abs=0.01)
    assert len(svg.find("polyline", class_="test")["points"].split()) == 3
    assert len(svg.find_all("line", class_="chosen")) == 1
    assert not soup.find(class_="controls").has_attr("hidden")


def test_a_choice_that_was_not_recorded_cannot_be_made(page, tmp_path):
    act = """
      var s = document.querySelector('select.corpus');
      s.value = 'other'; s.dispatchEvent(new Event('change'));
      document.querySelector('fieldset.epoch input[value=dev]').click();
      s.value = 'emodb'; s.dispatchEvent(new Event('change'));
    """
    soup = after(page.html, act, tmp_path)
    fields = {i["value"]: i for i in soup.select("fieldset.epoch input")}
    assert fields["dev"].has_attr("disabled")
    assert not fields["test"].has_attr("disabled")
    assert ", last epoch: UA" in soup.find("output").text, "falls back to the last epoch"


def test_a_row_without_epochs_is_shown_as_such(page, tmp_path):
    act = """
      var s = document.querySelector('select.model');
      s.value = 'majority'; s.dispatchEvent(new Event('change'));
    """
    soup = after(page.html, act, tmp_path)
    assert ", no epochs: UA" in soup.find("output").text
    assert "fitted in one go," in [t.text for t in soup.find_all("text")]
