"""Any set of emotions: read, checked, trained, recorded, reported, answered, exported, drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
import trees
from torch import nn

from ser.cli import main
from ser.corpora import EMOTIONS, load_corpus
from ser.corpora.check import check
from ser.corpora.emotion_set import FOUR, emotion_set
from ser.errors import CorpusError, ModelError, ProtocolError, RecordError
from ser.experiments import RunConfig, run
from ser.features import extract, load_pack, save_pack
from ser.loading import load_model
from ser.metrics import paired_test
from ser.models import ROWS, add_row, build_model
from ser.plots import EMOTION_COLOURS
from ser.plots.gallery import write_gallery
from ser.plots.voices import colours_of
from ser.prediction import predict
from ser.report import load_records, make_report

SEVEN = [f"wav/{s}a0{t}{e}a.wav" for s in ("03", "08", "09") for t in (1, 2) for e in "WLEAFTN"]
OWN = ("curious", "bored", "very_angry")
CREMAD = [f"AudioWAV/1001_IEO_{e}_HI.wav" for e in ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")]
NEMO = [f"EB0_{e}_1" for e in ("anger", "fear", "happiness", "neutral", "sadness", "surprised")]
RAVDESS = [f"Actor_01/03-01-{e:02d}-01-01-01-01.wav" for e in range(1, 9)]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Four speakers, three words of the table's own and neutral, four utterances of each."""
    folder = tmp_path_factory.mktemp("own")
    lines = ["path,emotion,speaker"]
    for s in range(4):
        for word in ("Curious", "boredom", "very angry", "neutral"):
            for k in range(4):
                name = f"{s}{word[0]}{k}.wav"
                trees.tone(folder / name, seconds=0.4 + 0.05 * k)
                lines.append(f"{name},{word},s{s}")
    return trees.text(folder / "mine.csv", "\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def done(own, tmp_path_factory):
    """Runs of three words: a folder of records and of networks."""
    out = tmp_path_factory.mktemp("runs") / "three"
    asked = ["run", "--corpus", "manifest", "--root", str(own), "--emotions", ",".join(OWN)]
    how = ["--settings", "small", "--epochs", "1", "--hidden", "8", "--folds", "2", "--jobs", "1"]
    rows = ["--model", "majority,level-lr,mfcc-lstm", "--select", "last", "--mixup", "0.2"]
    assert main([*asked, *how, *rows, "--quiet", "--out", str(out)]) == 0
    return out


# The set -----------------------------------------------------------------------------------------


def test_what_may_be_written():
    assert emotion_set("angry,happy,neutral,sad").words == FOUR.words == EMOTIONS
    assert emotion_set(" Anger , fear,Boredom").words == ("angry", "fearful", "bored")
    assert emotion_set("sad,angry,sadness").words == ("sad", "angry")
    merged = emotion_set("angry=bad,sad=bad,happy=good")
    assert merged.words == ("bad", "good") and merged.counts_as("sad") == "bad"
    assert emotion_set("happy,excited").counts_as("excited") == "excited"
    assert emotion_set("happy,frustrated").counts_as("excited") == "happy"
    assert emotion_set("all,excited").counts_as("excited") == "excited"
    assert emotion_set(str(emotion_set("all,calm=neutral"))) == emotion_set("all,calm=neutral")


@pytest.mark.parametrize(
    "text, told",
    [
        ("angry", "two emotions at least"),
        ("angry,anger", "two emotions at least"),
        ("calm=neutral,calm,sad", "calm cannot be a class and count as neutral"),
        ("calm=neutral,neutral=sad,angry", "neutral counts as sad; merge into that"),
        ("calm=neutral,calm=sad", "calm cannot count as two emotions"),
        ("=neutral,sad", "is no emotion; a merge is written calm=neutral"),
        ("all,bored", "all takes bored already"),
        ("angry,xxx", "nobody could tell"),
    ],
)
def test_what_may_not(text, told):
    with pytest.raises(CorpusError, match=told):
        emotion_set(text)


# Corpora -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, make, asked, wanted",
    [
        ("emodb", lambda r: trees.files(r, *SEVEN), "all",
         (*EMOTIONS, "fearful", "disgusted", "bored")),
        ("emodb", lambda r: trees.files(r, *SEVEN), "boredom,fear", ("bored", "fearful")),
        ("cremad", lambda r: trees.files(r, *CREMAD), "all", (*EMOTIONS, "fearful", "disgusted")),
        ("nemo", lambda r: trees.nemo(r, *NEMO), "all", (*EMOTIONS, "fearful", "surprised")),
        ("ravdess", lambda r: trees.files(r, *RAVDESS), "all",
         (*EMOTIONS, "fearful", "disgusted", "surprised", "calm")),
        ("ravdess", lambda r: trees.files(r, *RAVDESS), "all,calm=neutral",
         (*EMOTIONS, "fearful", "disgusted", "surprised")),
    ],
)  # fmt: skip
def test_corpora_have_all_their_emotions(name, make, asked, wanted, tmp_path):
    corpus = load_corpus(name, make(tmp_path), asked)
    assert corpus.emotions == wanted and set(corpus.table.emotion) == set(wanted)
    assert corpus.check_command.endswith(f"--emotions {emotion_set(asked)}")
    four = load_corpus(name, tmp_path)
    assert four.emotions == EMOTIONS and set(four.table.emotion) == set(EMOTIONS)
    assert len(four.table) < len(four.everything) == len(corpus.everything)


def test_ravdess_calm_counts_as_neutral(tmp_path):
    table = load_corpus("ravdess", trees.files(tmp_path, *RAVDESS), "all,calm=neutral").table
    assert set(table.label[table.emotion == "neutral"]) == {"calm", "neutral"}
    assert len(table) == 8


def test_iemocaps_five_have_excited_among_the_happy(tmp_path):
    turns = {f"Ses01F_impro01_F00{k}": label for k, label in
             enumerate(("neu", "exc", "hap", "ang", "sad", "fru", "xxx"))}  # fmt: skip
    root = trees.iemocap(tmp_path, turns, {})
    five = load_corpus("iemocap", root, [*EMOTIONS, "frustrated"])
    assert five.table.emotion.value_counts().to_dict() == {
        "happy": 2, "neutral": 1, "angry": 1, "sad": 1, "frustrated": 1,
    }  # fmt: skip
    assert "excited" in set(load_corpus("iemocap", root, "excited,happy").table.emotion)
    assert load_corpus("iemocap", root, "all").emotions == (*EMOTIONS, "frustrated")


def test_a_word_that_a_corpus_lacks_lists_what_it_has(tmp_path):
    trees.files(tmp_path, *SEVEN)
    with pytest.raises(CorpusError, match=r"no utterance is calm; there are angry 6.*bored 6"):
        load_corpus("emodb", tmp_path, "calm,angry")
    with pytest.raises(CorpusError, match="Did you mean 'bored'"):
        load_corpus("emodb", tmp_path, "borred,angry")
    with pytest.raises(CorpusError, match=r"did you mean calm=neutral"):
        load_corpus("emodb", tmp_path, "all,clam=neutral")


def test_an_emotion_without_any_sound_is_told_as_such(tmp_path):
    trees.nemo(tmp_path, *NEMO)
    (tmp_path / "samples/EB0_fear_1.wav").unlink()
    with pytest.raises(CorpusError, match=r"without any sound here: fearful \(1 listed\)"):
        load_corpus("nemo", tmp_path, "fear,angry")
    assert "fearful" not in load_corpus("nemo", tmp_path, "all").emotions


def test_a_tables_own_words_need_a_set(own):
    with pytest.raises(
        CorpusError, match=r"nobody knows the emotion 'Curious'.*--emotions curious"
    ):
        load_corpus("manifest", own)
    assert load_corpus("manifest", own, "all").emotions == ("neutral", "bored", "curious",
                                                            "very_angry")  # fmt: skip
    three = load_corpus("manifest", own, OWN)
    assert three.emotions == OWN and len(three.table) == 48 and len(three.everything) == 64


def test_check_counts_each_and_what_is_left_out(own, capsys):
    report = check("manifest", own, emotions=OWN)
    assert report["emotions"] == dict.fromkeys(OWN, 16) and report["left_out"] == {"neutral": 16}
    main(["check", "manifest", "--root", str(own), "--emotions", ",".join(OWN)])
    told = capsys.readouterr().out
    assert "48 utterances of 3 emotions" in told and "not asked for    neutral 16" in told


def test_corpora_counts_any_set(capsys):
    assert main(["corpora", "--json", "--emotions", "fear,surprise"]) == 0
    rows = {row["name"]: row["emotions"] for row in json.loads(capsys.readouterr().out)}
    assert rows["ravdess"] == {"fearful": 192, "surprised": 192}
    assert rows["emodb"] == {"fearful": 69} and rows["urdu"] == {}


# Features and runs -------------------------------------------------------------------------------


def test_a_pack_carries_its_set_and_gives_a_part_of_it(own, tmp_path):
    features = extract(load_corpus("manifest", own, OWN), progress=False)
    pack = load_pack(save_pack(features, tmp_path / "pack"))
    assert pack.emotions == OWN and pack.content_hash == features.content_hash
    assert pack.chosen(None) is pack
    part = pack.chosen("very_angry,curious")
    assert part.emotions == ("very_angry", "curious") and len(part) == 32
    with pytest.raises(CorpusError, match="no utterance is neutral; there are bored 16"):
        pack.chosen("neutral,curious")


def test_the_four_by_name_are_todays_task(tiny_root):
    config = {"corpus": "synthetic", "root": str(tiny_root), "models": ("majority",), "folds": 2}
    plain, named = (run(RunConfig(**config, emotions=e)) for e in (None, ",".join(EMOTIONS)))
    assert [r["fingerprint"] for r in plain] == [r["fingerprint"] for r in named]
    assert "emotions" not in named[0]
    turned = run(RunConfig(**config, emotions="sad,neutral,happy,angry"))
    assert turned[0]["emotions"] == ["sad", "neutral", "happy", "angry"]
    assert turned[0]["fingerprint"] != plain[0]["fingerprint"]


def test_records_name_the_set_and_chance_is_a_third(done):
    records = load_records(done)
    assert {r.emotions for r in records} == {OWN}
    assert {r.logits["last"].shape[1] for r in records} == {3}
    assert {r.epoch_logits["test"].shape[2] for r in records if r.epoch_logits} == {3}
    guess = make_report(done).row("majority")
    assert guess.ua.mean() == pytest.approx(1 / 3) and guess.confusion.shape == (3, 3)


def test_the_report_names_the_set(done, capsys):
    assert main(["report", str(done), "--confusion", "mfcc-lstm"]) == 0
    told = capsys.readouterr().out
    assert "3 emotions: curious, bored, very_angry" in told and "all three classes" in told
    main(["report", str(done), "--json"])
    assert json.loads(capsys.readouterr().out)["emotions"] == list(OWN)


def test_other_sets_are_kept_apart_by_name(own, done, tmp_path):
    other = tmp_path / "two"
    config = RunConfig(corpus="manifest", root=str(own), emotions="curious,bored", folds=2,
                       models=("majority", "level-lr"), out=other, keep_models=False)  # fmt: skip
    run(config)
    report = make_report([done, other])
    blocks = {row.block[3] for row in report.rows}
    assert blocks == {"3 emotions: curious, bored, very_angry", "2 emotions: curious, bored"}
    assert sorted(len(row.confusion) for row in report.rows if row.model == "majority") == [2, 3]
    assert {c.a.emotions == c.b.emotions for c in report.paired("level-lr", "majority")} == {True}
    two, three = (r for r in report.rows if r.model == "level-lr")
    with pytest.raises(RecordError, match="tell other emotions apart"):
        from ser.report import compare

        compare(two, three)
    with pytest.raises(RecordError, match="other settings"):
        run(RunConfig(**{**vars(config), "emotions": "bored,curious"}))


def test_figures_of_another_set(done, tmp_path):
    names = [path.name for path in write_gallery(make_report(done), tmp_path, dpi=40)]
    matrix = [n for n in names if n.startswith("confusion-") and "majority" in n]
    assert "curious+bored+very_angry" in matrix[0]
    said = json.loads((tmp_path / "figures.json").read_text())
    assert "very_angry" in said[matrix[0]]
    assert "3 emotions" in said["ua.png"]


def test_colours_of_the_four_stay_and_others_differ():
    words = (*EMOTIONS, "fearful", "disgusted", "surprised", "bored", "calm", "frustrated")
    colours = colours_of(words)
    assert {e: colours[e] for e in EMOTIONS} == EMOTION_COLOURS
    assert len(set(colours.values())) == len(words)


# Networks ----------------------------------------------------------------------------------------


def test_the_network_answers_with_the_words(done, own):
    folder = next((done / "models/mfcc-lstm").iterdir())
    model = load_model(folder, "cpu")
    assert model.emotions == OWN
    assert (
        "one of 3 emotions: curious, bored, very_angry; guessing gives 33.3 %" in model.describe()
    )
    answer = predict(str(own.parent / "0b1.wav"), model)
    assert tuple(answer.probabilities) == OWN and answer.emotion in OWN
    assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_the_onnx_file_names_the_words(done, tmp_path):
    pytest.importorskip("onnxscript")
    import onnxruntime

    folder = next((done / "models/mfcc-lstm").iterdir())
    assert main(["export", str(folder), "--out", str(tmp_path / "m.onnx")]) == 0
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    assert json.loads(session.get_modelmeta().custom_metadata_map["emotions"]) == list(OWN)
    assert session.run(None, {"waveform": np.zeros(9000, np.float32)})[0].shape == (3,)


class Deaf(nn.Module):
    """Answers with four logits, whatever it is asked."""

    needs = frozenset({"s1"})

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(128, 4)

    def forward(self, batch):
        return self.linear(batch.s1.mean(2))


def test_a_network_of_ones_own_that_knows_four_only_is_told():
    add_row("deaf-row", Deaf)
    try:
        assert build_model("deaf-row").training
        with pytest.raises(ModelError, match=r"logits \(4, 3\).*`classes`"):
            build_model("deaf-row", classes=3)
    finally:
        del ROWS["deaf-row"]


def test_cross_needs_the_set_in_both(own, tiny_root):
    config = {"corpus": "manifest", "root": str(own), "protocol": "cross", "models": ("majority",),
              "test_corpus": "synthetic", "test_root": str(tiny_root)}  # fmt: skip
    with pytest.raises(CorpusError, match=r"synthetic: .*no utterance is curious"):
        run(RunConfig(**config, emotions="curious,neutral"))
    with pytest.raises(ProtocolError, match=r"manifest alone has bored, curious, very_angry"):
        run(RunConfig(**config, emotions="all"))


def test_enrolment_needs_neutral(own):
    with pytest.raises(ProtocolError, match="neutral is none of the emotions here"):
        from ser.training import TrainConfig

        run(RunConfig(corpus="manifest", root=str(own), emotions=OWN, models=("majority",), folds=2,
                      train=TrainConfig(normalise="enrol:1")))  # fmt: skip


def test_a_class_that_few_speakers_act_is_told(tmp_path, caplog):
    from ser.protocols import split

    names = [name for name in SEVEN if "L" not in name or name.startswith("wav/03")]
    corpus = load_corpus("emodb", trees.files(tmp_path, *names), "bored,angry,sad")
    with caplog.at_level("INFO"), pytest.raises(ProtocolError, match="leaves no bored to train"):
        split(corpus, "loso")
    told = [p["message"] for p in check("emodb", tmp_path, emotions="bored,angry")["problems"]]
    assert any("heard from few of the 3 speakers: bored from 1" in text for text in told)
    corpus = load_corpus("emodb", trees.files(tmp_path, "wav/08a01La.wav"), "bored,angry,sad")
    with caplog.at_level("INFO"):
        split(corpus, "loso")
    assert "bored is heard from 2 of 3 speakers, and not on the test side of 1 of 3" in caplog.text


def test_tests_of_two_rows_over_seven_classes():
    labels, by = list(range(7)) * 3, ["a"] * 7 + ["b"] * 7 + ["c"] * 7
    result = paired_test(labels, labels, [0] * 21, by, classes=7)
    assert result.ua_difference == pytest.approx(6 / 7)
    assert torch.tensor(result.mcnemar_p) < 0.01
