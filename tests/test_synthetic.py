"""The synthetic corpus: same bytes, whole or not at all, readable, and acted as it says."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.corpora import load_corpus, synthetic
from ser.corpora.base import COLUMNS, EMOTIONS
from ser.corpora.synthetic import build, script, speech
from ser.errors import CorpusError

pytest.importorskip("parselmouth", reason="the synthetic corpus is spoken by Praat")

TURN = re.compile(r"Ses0[1-5][FM]_(impro\d\d[ab]?|script\d\d_\d[ab]?)_[FM]\d{3}")
SMALL = {"speakers": 4, "sentences": 2, "progress": False}
TINY = {"speakers": 1, "sentences": 1, "progress": False}


def contents(root: Path) -> dict[str, str]:
    files = sorted(p for p in root.rglob("*") if p.is_file())
    return {
        p.relative_to(root).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def verify(root: Path) -> bool:
    """Whether the corpus is, byte for byte, what was made."""
    return build.content_hash(root) == build.find(root)["sha256"]


def beside(root: Path) -> list[str]:
    return sorted(p.name for p in root.parent.iterdir() if p.name != root.name)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """4 speakers x 4 emotions x 2 sentences, in a folder with a difficult name."""
    return synthetic.make(tmp_path_factory.mktemp("small") / "Größe 1", jobs=2, **SMALL)


@pytest.fixture(scope="module")
def corpus(small):
    return load_corpus("synthetic", small)


# --- the same bytes every time ------------------------------------------------------------


def test_same_bytes_with_one_process(small, tmp_path):
    again = synthetic.make(tmp_path / "again", jobs=1, **SMALL)
    assert contents(again) == contents(small)
    assert beside(again) == []


def test_a_smaller_corpus_is_a_part_of_a_larger_one(corpus, tmp_path):
    part = synthetic.make(tmp_path / "part", **TINY)
    larger = {
        (r.speaker, r.text, r.emotion): Path(r.path).read_bytes() for r in corpus.table.itertuples()
    }
    found = load_corpus("synthetic", part).table
    assert sorted(found.emotion) == sorted(EMOTIONS)
    for row in found.itertuples():
        assert Path(row.path).read_bytes() == larger[row.speaker, row.text, row.emotion]


def test_the_plan_is_pinned():
    """A change of the draws must raise VERSION: numbers in the book depend on them."""
    lines = script.plan(10, 12)
    text = json.dumps([[*line.key, line.label, line.intensity, line.factors] for line in lines])
    assert script.VERSION == 1
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "953d13ac59a79c06"


# --- layout and table ---------------------------------------------------------------------


def test_counts_and_columns(corpus):
    table = corpus.table
    assert corpus.name == "synthetic" and corpus.problems == ()
    assert len(table) == len(corpus.everything) == 32
    assert dict(table.emotion.value_counts()) == dict.fromkeys(EMOTIONS, 8)
    assert sorted(set(table.speaker)) == ["Ses01F", "Ses01M", "Ses02F", "Ses02M"]
    assert set(table.groupby("speaker").emotion.value_counts()) == {2}
    assert set(table.gender) == {"female", "male"} and table.session.nunique() == 2
    assert set(table.text) == set(script.SENTENCES[:2])
    assert {*COLUMNS, *script.FACTORS, "intensity", "take"} <= set(table.columns)
    assert not table[[*script.FACTORS]].isna().any().any()
    assert "people" in corpus.licence and "espeak" in corpus.citation


def test_the_default_corpus_is_large_enough():
    assert len(script.VOICES) == 10 and len({v.variant for v in script.VOICES}) == 10
    assert len(set(script.SENTENCES[:12])) == 12
    lines = script.plan(10, 12)
    assert len(lines) == 480
    assert {e: sum(line.emotion == e for line in lines) for e in EMOTIONS} == dict.fromkeys(
        EMOTIONS, 120
    )


def test_names_and_label_files_are_those_of_iemocap(small):
    for wav in small.glob("Session*/sentences/wav/*/*.wav"):
        assert TURN.fullmatch(wav.stem) and wav.stem.startswith(wav.parent.name)
    labels = sorted(small.glob("Session*/dialog/EmoEvaluation/*.txt"))
    text = labels[0].read_text()
    assert text.startswith("% ")
    assert re.search(
        r"^\[\d+\.\d{4} - \d+\.\d{4}\]\tSes01\w+\t(ang|hap|exc|neu|sad)\t\[", text, re.M
    )
    assert re.search(r"^C-E1:\t\w+;\t\(\)$", text, re.M)
    assert re.search(r"^A-E1:\tval \d; act \d; dom  \d;\t\(\)$", text, re.M)
    assert b"\r" not in labels[0].read_bytes()


def test_iemocap_reader_reads_it(small, corpus):
    from ser.corpora import iemocap

    table = iemocap.read(small).table
    assert list(table.utterance) == list(corpus.table.utterance)
    assert list(table.emotion) == list(corpus.table.emotion)


def test_raters_disagree_but_a_majority_hears_the_label(tmp_path):
    from ser.corpora.synthetic import layout

    turns = layout.stage(script.plan(10, 12))
    documents = layout.documents(turns, {t.utterance: 1.0 for t in turns})
    words = {
        "ang": "Anger",
        "hap": "Happiness",
        "exc": "Excited",
        "neu": "Neutral",
        "sad": "Sadness",
    }
    agreed = []
    for name, text in documents.items():
        if "EmoEvaluation" in name:
            for block in text.strip().split("\n\n")[1:]:
                label = block.split("\t")[2]
                agreed.append(len(re.findall(rf"^C-E\d:\t{words[label]};", block, re.M)))
    assert len(agreed) == 480 and set(agreed) == {2, 3}
    assert 0.05 < agreed.count(2) / 480 < 0.5
    assert {t.line.label for t in turns} == set(words)


# --- how hard it is -----------------------------------------------------------------------


def test_no_model_gets_all_of_it_and_hearing_a_speaker_before_helps():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import recall_score
    from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    lines = script.plan(10, 12)
    x = np.array([[line.factors[name] for name in script.FACTORS] for line in lines])
    x[:, [0, 1, 2, 5]] = np.log2(x[:, [0, 1, 2, 5]])
    y = [line.emotion for line in lines]
    speaker = [line.voice for line in lines]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    disjoint = cross_val_predict(model, x, y, groups=speaker, cv=LeaveOneGroupOut())
    random = cross_val_predict(model, x, y, cv=StratifiedKFold(10, shuffle=True, random_state=0))
    ua = recall_score(y, disjoint, average="macro")
    assert 0.70 < ua < 0.88
    assert recall_score(y, random, average="macro") > ua + 0.03


def test_one_speakers_neutral_is_anothers_sad():
    lines = script.plan(10, 12)

    def median(voice, emotion, factor):
        return np.median(
            [x.factors[factor] for x in lines if x.voice == voice and x.emotion == emotion]
        )

    voices = range(10)
    for factor in ("level_db", "rate", "f0_range_semitones"):
        assert min(median(v, "neutral", factor) for v in voices) < max(
            median(v, "sad", factor) for v in voices
        )


# --- the sound ----------------------------------------------------------------------------


def test_format_no_clipping_no_digital_silence(corpus):
    for path in corpus.table.path:
        info = soundfile.info(path)
        assert (info.samplerate, info.channels, info.subtype) == (16000, 1, "PCM_16")
        assert 0.7 < info.duration < 4
        samples = soundfile.read(path, dtype="int16")[0]
        assert np.abs(samples.astype(int)).max() < 32000
        nonzero = np.flatnonzero(samples)
        assert np.diff(nonzero).max() < 16  # never 1 ms of zeros


def test_the_sound_follows_its_factors(corpus):
    import parselmouth

    table = corpus.table
    f0, level, speech = [], [], []
    for path in table.path:
        sound = parselmouth.Sound(path)
        hertz = sound.to_pitch_ac(pitch_floor=60, pitch_ceiling=500).selected_array["frequency"]
        f0.append(np.median(hertz[hertz > 0]))
        samples = sound.values[0]
        on = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
        samples = samples[on[0] : on[-1]]
        level.append(10 * np.log10(np.mean(samples**2)))
        speech.append(len(samples) / 16000)
    assert np.corrcoef(np.log(table.f0_hz), np.log(f0))[0, 1] > 0.9
    assert np.median(np.abs(np.array(f0) / table.f0_hz - 1)) < 0.05
    assert np.abs(np.array(level) - table.level_db).max() < 1.5
    plain = np.log(table.rate * speech)  # constant for one voice and one sentence
    assert plain.groupby(table.speaker + table.text).std().max() < 0.05


def act(**changed) -> np.ndarray:
    """One utterance with one factor changed, as float samples."""
    line = script.act(0, "neutral", 1)
    factors = {
        "f0_hz": 200.0,
        "f0_range_semitones": 1.5,
        "rate": 1.0,
        "level_db": -25.0,
        "tilt_db": 0.0,
        "jitter_percent": 0.3,
    }
    factors |= changed
    line = script.Line(line.voice, line.emotion, line.sentence, 1.0, factors)
    return act.speaker.speak(line) / 32768


def test_each_factor_has_its_effect():
    import parselmouth
    from parselmouth.praat import call

    act.speaker = speech.Speaker(script.VOICES[0], 2)

    def pitch(samples):
        hertz = parselmouth.Sound(samples, 16000).to_pitch_ac(pitch_floor=60, pitch_ceiling=500)
        hertz = hertz.selected_array["frequency"]
        return hertz[hertz > 0]

    def jitter(samples):
        sound = parselmouth.Sound(samples, 16000)
        process = call(sound, "To PointProcess (periodic, cc)", 60, 500)
        return 100 * call(process, "Get jitter (ppq5)", 0, 0, 1e-4, 0.02, 1.3)

    def tilt(samples):
        power = np.abs(np.fft.rfft(samples)) ** 2
        hertz = np.fft.rfftfreq(len(samples), 1 / 16000)
        return 10 * np.log10(power[hertz > 1000].sum() / power[hertz < 1000].sum())

    assert np.median(pitch(act(f0_hz=150.0))) == pytest.approx(150, rel=0.04)
    assert np.median(pitch(act(f0_hz=250.0))) == pytest.approx(250, rel=0.04)
    assert np.std(pitch(act(f0_range_semitones=3.0))) > 1.5 * np.std(pitch(act()))
    assert len(act(rate=0.8)) > 1.3 * len(act(rate=1.25))
    assert tilt(act(tilt_db=3.0)) > tilt(act()) + 2 > tilt(act(tilt_db=-3.0)) + 4
    assert jitter(act(jitter_percent=4.0)) > 1.5 + jitter(act())


def test_loud_and_sharp_never_clips():
    act.speaker = speech.Speaker(script.VOICES[4], 2)
    assert np.abs(act(level_db=-6.0, tilt_db=5.0)).max() <= 0.98


# --- whole or not at all ------------------------------------------------------------------


def test_a_kill_in_the_middle_leaves_no_corpus_and_the_next_call_goes_on(small, tmp_path):
    root = tmp_path / "killed"
    code = f"from ser.corpora.synthetic import make; make({str(root)!r}, jobs=1, **{SMALL!r})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.rglob("*.wav"))) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert not root.exists()
    done = {p.name: p.stat().st_mtime_ns for p in tmp_path.rglob("*.wav")}
    assert 5 <= len(done) < 32
    synthetic.make(root, **SMALL)
    assert contents(root) == contents(small)
    kept = {p.name: p.stat().st_mtime_ns for p in root.rglob("*.wav")}
    assert {name: kept[name] for name in done} == done  # not spoken again
    assert beside(root) == []


def test_two_at_the_same_time(small, tmp_path):
    root = tmp_path / "both"
    code = f"from ser.corpora.synthetic import make; make({str(root)!r}, jobs=1, **{SMALL!r})"
    makers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [maker.wait(60) for maker in makers] == [0, 0]
    assert contents(root) == contents(small)
    assert beside(root) == []


def test_made_again_is_nothing_done(small, monkeypatch):
    def never(*_):
        raise AssertionError("spoken again")

    monkeypatch.setattr(build, "speak_all", never)
    assert synthetic.make(small, **SMALL) == small


def test_another_size_is_refused(small):
    with pytest.raises(CorpusError, match=r"another size or version.*remove that folder"):
        synthetic.make(small, speakers=2, progress=False)


@pytest.mark.parametrize("existing", ["folder", "file", "half"])
def test_what_is_not_the_corpus_is_left_alone(existing, small, tmp_path):
    root = tmp_path / "mine"
    if existing == "folder":
        root.mkdir()
        (root / "thesis.txt").write_text("mine")
    elif existing == "file":
        root.write_text("mine")
    else:  # a copy that was cut short: without its marker it does not read as whole
        shutil.copytree(small, root)
        (root / build.MARKER).unlink()
    before = contents(root) if root.is_dir() else root.read_text()
    for call in (synthetic.make, synthetic.read):
        with pytest.raises(CorpusError, match="mine exists but is no synthetic corpus"):
            call(root)
    assert (contents(root) if root.is_dir() else root.read_text()) == before


def test_a_damaged_corpus_tells(small, tmp_path):
    root = tmp_path / "damaged"
    shutil.copytree(small, root)
    assert verify(root)
    wav = next(root.rglob("*.wav"))
    wav.unlink()
    assert not verify(root)
    corpus = synthetic.read(root)
    assert len(corpus.table) == 31 and any(wav.name in line for line in corpus.problems)
    next(root.glob("Session*/dialog/EmoEvaluation/*.txt")).unlink()
    assert any(line.startswith("altered: 32") for line in synthetic.read(root).problems)
    (root / "factors.csv").write_text("nonsense\n1\n")
    with pytest.raises(CorpusError, match=r"factors\.csv cannot be read"):
        synthetic.read(root)


def test_a_corpus_of_another_version_tells(small, tmp_path):
    root = tmp_path / "old"
    shutil.copytree(small, root)
    marker = json.loads((root / build.MARKER).read_text())
    (root / build.MARKER).write_text(json.dumps(marker | {"version": 0}))
    assert any("version 0" in line for line in synthetic.read(root).problems)


def test_made_on_first_use(monkeypatch, tmp_path):
    monkeypatch.setenv("SER_DATA", str(tmp_path / "data"))
    made = []

    def make(root):
        made.append(root)
        return build.make(root, **TINY)

    monkeypatch.setattr(synthetic, "make", make)
    assert len(load_corpus("synthetic")) == 4
    assert len(load_corpus("synthetic")) == 4
    assert made == [tmp_path / "data" / "synthetic"]


def test_an_empty_folder_is_filled(tmp_path):
    root = tmp_path / "empty"
    root.mkdir()
    assert verify(synthetic.make(root, **TINY))


# --- what can go wrong --------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"speakers": 0},
        {"speakers": 11},
        {"sentences": 17},
        {"speakers": 2.5},
    ],
)
def test_sizes_out_of_range(wrong, tmp_path):
    with pytest.raises(CorpusError, match=next(iter(wrong))):
        synthetic.make(tmp_path / "x", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_without_parselmouth(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "parselmouth", None)
    with pytest.raises(CorpusError, match=r"pip install 'ser-book\[synthetic\]'"):
        synthetic.make(tmp_path / "x", **TINY)


def test_reading_needs_no_parselmouth(small):
    code = (
        "import sys; sys.modules['parselmouth'] = None\n"
        f"from ser.corpora import load_corpus; print(len(load_corpus('synthetic', {str(small)!r})))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "32"


def test_too_little_space_is_told_before(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(build.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(CorpusError, match=r"nearly full.*MB are needed"):
        synthetic.make(tmp_path / "x", **TINY)


def test_disk_full_while_speaking(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    out = io.StringIO()
    job = {"voice": 0, "folder": str(tmp_path), "lines": [["a.wav", "sad", 0]]}
    monkeypatch.setattr(speech, "atomic_write", full)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(job).encode())))
    monkeypatch.setattr(sys, "stdout", out)
    assert speech.main() == 1
    last = json.loads(out.getvalue().splitlines()[-1])
    assert "the disk is full" in build._why(last, b"", "here")


def test_disk_full_at_the_end(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    root = tmp_path / "x"
    with monkeypatch.context() as patch:
        patch.setattr(build, "atomic_write", full)
        with pytest.raises(CorpusError, match="the disk is full"):
            synthetic.make(root, **TINY)
    assert not root.exists()
    synthetic.make(root, **TINY)
    assert verify(root) and beside(root) == []


def test_a_voice_that_fails_says_why(tmp_path):
    turns = build.stage(script.plan(1, 1))
    blocked = tmp_path / "parts"
    (blocked / turns[0].wav).parent.parent.mkdir(parents=True)
    (blocked / turns[0].wav).parent.write_text("a file where a folder should be")
    with pytest.raises(CorpusError, match=r"cannot be spoken: (FileExists|NotADirectory)Error"):
        build.speak_all(turns, blocked, 1, progress=False)
