"""``ser check``: every kind of problem on a tree made for it, and the real corpora."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser.corpora.check import check
from ser.corpora.examine import examine
from ser.corpora.originals import file_digest, originals
from ser.errors import CorpusError
from tools.originals import pack as make_list

RATE = 16000
NAMES = [f"{s}a01{e}a" for s in ("03", "08", "09") for e in "WFNT"]


def noise(seed: int, seconds: float = 0.3, level: float = 0.1) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(int(seconds * RATE)).clip(-3, 3)


@pytest.fixture
def tree(tmp_path) -> Path:
    """Twelve clips named as EmoDB's: three speakers, four emotions; all sound."""
    folder = tmp_path / "Emo DB ä" / "wav"
    folder.mkdir(parents=True)
    for seed, name in enumerate(NAMES):
        soundfile.write(folder / f"{name}.wav", noise(seed, 0.3 + 0.01 * seed), RATE)
    return folder.parent


def kinds(report: dict, severity: str | None = None) -> dict[str, dict]:
    return {p["kind"]: p for p in report["problems"] if severity in (None, p["severity"])}


# --- the owners' lists ---------------------------------------------------------------------


@pytest.mark.parametrize("corpus", ["emodb", "nemo", "ravdess", "cremad", "urdu"])
def test_packed_originals_are_the_lists(shared, corpus):
    lines = (shared / "checksums" / f"{corpus}.txt").read_text("utf-8").splitlines()
    wanted = {(n, int(size), sha[:32]) for sha, n, size in (line.split() for line in lines)}
    known = originals(corpus)
    assert {(c.name, c.size, c.digest) for c in known.clips} == wanted
    assert len(known) == len(lines)


def test_packed_originals_are_small():
    from ser.corpora.originals import FOLDER

    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 600_000


def test_a_list_of_originals_refuses_another_form(tmp_path):
    (tmp_path / "a.txt").write_text("abc a.wav 12\n")
    with pytest.raises(CorpusError, match="line 1"):
        make_list(tmp_path / "a.txt", tmp_path / "a.xz")


def test_originals_of_an_odd_name():
    assert originals("../originals/emodb") is None


# --- one recording -------------------------------------------------------------------------


def test_same_sound_in_wav_and_flac_has_one_digest(tmp_path):
    wave = noise(1)
    soundfile.write(tmp_path / "a.wav", wave, RATE)
    samples, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    soundfile.write(tmp_path / "b.flac", samples, RATE)
    a, b = examine(tmp_path / "a.wav"), examine(tmp_path / "b.flac")
    assert a.sound == b.sound and a.digest != b.digest
    assert a.digest == file_digest(tmp_path / "a.wav")


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
def test_clipping_is_seen_in_every_width(tmp_path, subtype):
    wave = 0.5 * np.sin(np.arange(RATE) / 20)
    wave[100:104] = 1.0
    wave[200:206] = -1.0
    wave[300:302] = 1.0
    soundfile.write(tmp_path / "a.wav", wave, RATE, subtype=subtype)
    assert examine(tmp_path / "a.wav").clipped == 10


def test_loud_but_whole_is_not_clipped(tmp_path):
    soundfile.write(tmp_path / "a.wav", 0.999 * np.sin(np.arange(RATE) / 20), RATE)
    assert examine(tmp_path / "a.wav").clipped == 0


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"", "empty"),
        (b"not audio at all " * 100, "unreadable"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "pointer"),
        (None, "missing"),
    ],
)
def test_unusable_files_have_a_kind(tmp_path, content, kind):
    if content is not None:
        (tmp_path / "a.wav").write_bytes(content)
    clip = examine(tmp_path / "a.wav")
    assert clip.kind == kind and clip.error


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_the_folder_is_not_waited_for(tree):
    os.mkfifo(tree / "wav" / "16a01Wa.wav")
    (tree / "again").mkdir()
    os.mkfifo(tree / "again" / f"{NAMES[0]}.wav")  # a second file of one clip is compared by bytes
    command = [sys.executable, "-m", "ser", "check", "emodb", "--root", str(tree), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    told = kinds(json.loads(done.stdout))["unreadable"]
    assert told["files"] == ["wav/16a01Wa.wav"] and "a pipe or a device" in told["message"]


def test_nan_short_and_cut_files_are_refused(tmp_path):
    wave = noise(1).astype("float32")
    wave[5] = np.nan
    soundfile.write(tmp_path / "nan.wav", wave, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "short.wav", noise(1, 0.01), RATE)
    soundfile.write(tmp_path / "cut.wav", noise(1), RATE)
    data = (tmp_path / "cut.wav").read_bytes()
    (tmp_path / "cut.wav").write_bytes(data[: len(data) // 2])
    found = [examine(tmp_path / f"{name}.wav").kind for name in ("nan", "short", "cut")]
    assert found == ["unreadable", "short", "unreadable"]


# --- trees ---------------------------------------------------------------------------------


def test_counts_and_json(tree):
    report = check("emodb", tree)
    json.dumps(report)
    assert report["utterances"] == report["total"] == 12
    assert report["emotions"] == dict.fromkeys(("angry", "happy", "neutral", "sad"), 3)
    assert report["speakers"] == {"03": 4, "08": 4, "09": 4}
    assert report["speaker_emotions"]["08"]["sad"] == 1
    assert report["labels"] == {"F": 3, "N": 3, "T": 3, "W": 3}
    assert report["seconds"] == pytest.approx(sum(0.3 + 0.01 * i for i in range(12)), abs=0.01)
    assert report["rates"] == {"16000": 12} and report["ok"]
    assert "incomplete" in kinds(report, "warning")
    assert report["originals"]["matching"] == 0
    assert report["originals"]["differing"] + report["originals"]["unlisted"] == 12
    assert kinds(report, "warning")["not original"]


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"text " * 400, "unreadable"), (b"RIFF", "unreadable")],
)
def test_unusable_file_is_an_error(tree, content, kind):
    (tree / "wav" / "03a01Wa.wav").write_bytes(content)
    report = check("emodb", tree)
    assert not report["ok"]
    assert kinds(report, "error")[kind]["files"] == ["wav/03a01Wa.wav"]


def test_unusable_file_of_another_emotion_is_a_note(tree):
    (tree / "wav" / "03a01La.wav").write_bytes(b"")
    report = check("emodb", tree)
    assert report["ok"] and report["total"] == 13 and report["utterances"] == 12
    assert kinds(report, "note")["empty"]["files"] == ["wav/03a01La.wav"]


def test_git_lfs_pointer_says_pull(tree):
    (tree / "wav" / "03a01Wa.wav").write_text("version https://git-lfs.github.com/spec/v1\noid x\n")
    problem = kinds(check("emodb", tree), "error")["git-lfs pointer"]
    assert "git lfs pull" in problem["message"] and problem["count"] == 1


def test_silent_clip_is_an_error_and_a_hole_a_note(tree):
    soundfile.write(tree / "wav" / "03a01Wa.wav", np.zeros(RATE), RATE)
    wave = noise(77)
    wave[1000:1800] = 0
    soundfile.write(tree / "wav" / "03a01Fa.wav", wave, RATE)
    report = check("emodb", tree)
    assert kinds(report, "error")["silent"]["files"] == ["wav/03a01Wa.wav"]
    assert kinds(report, "note")["digital silence"]["files"] == ["wav/03a01Fa.wav"]
    assert "50 ms" in kinds(report)["digital silence"]["message"]


def test_channels_that_cancel_are_silent_to_a_run(tree):
    wave = noise(3)
    for name, other in (("03a01Wa", -wave), ("03a01Fa", 0 * wave)):
        stereo = np.stack([wave, other], axis=1)
        soundfile.write(tree / "wav" / f"{name}.wav", stereo, RATE)
    report = check("emodb", tree)
    assert kinds(report, "error")["silent"]["files"] == ["wav/03a01Wa.wav"]


def test_samples_far_above_full_scale_are_an_error(tree):
    wave = (32768 * noise(3)).astype(np.float32)
    soundfile.write(tree / "wav" / "03a01Wa.wav", wave, RATE, subtype="FLOAT")
    problem = kinds(check("emodb", tree), "error")["unreadable"]
    assert "full scale is 1" in problem["message"] and problem["files"] == ["wav/03a01Wa.wav"]


def test_clipped_clips_are_told(tree):
    soundfile.write(tree / "wav" / "03a01Wa.wav", (20 * noise(5)).clip(-1, 1), RATE)
    problem = kinds(check("emodb", tree))["clipped"]
    assert problem["files"] == ["wav/03a01Wa.wav"]


def test_duplicate_audio_is_an_error_also_across_formats(tree):
    samples, _ = soundfile.read(tree / "wav" / "03a01Wa.wav", dtype="int16")
    soundfile.write(tree / "wav" / "08a02Wb.flac", samples, RATE)
    report = check("emodb", tree)
    problem = kinds(report, "error")["duplicate audio"]
    assert set(problem["files"]) == {"wav/03a01Wa.wav", "wav/08a02Wb.flac"}


def test_duplicate_audio_with_different_labels_is_an_error(tree):
    shutil.copy(tree / "wav" / "03a01Wa.wav", tree / "wav" / "08a02Fb.wav")
    report = check("emodb", tree)
    assert kinds(report, "error")["duplicate audio with different labels"]["count"] == 2


def test_duplicates_outside_the_task_are_a_note(tree):
    soundfile.write(tree / "wav" / "03a01La.wav", noise(50), RATE)
    shutil.copy(tree / "wav" / "03a01La.wav", tree / "wav" / "08a02Lb.wav")
    report = check("emodb", tree)
    assert report["ok"] and kinds(report, "note")["duplicate audio"]["count"] == 2


def test_unknown_names_are_told(tree):
    soundfile.write(tree / "wav" / "99x99Qz.wav", noise(51), RATE)
    problem = kinds(check("emodb", tree), "warning")["unknown name"]
    assert "99x99Qz" in problem["files"][0]


def test_nested_copy_is_told_and_not_counted(tree):
    shutil.copytree(tree / "wav", tree / "copy" / "wav")
    report = check("emodb", tree)
    assert report["utterances"] == 12 and report["ok"]
    assert kinds(report, "warning")["nested copy"]["count"] == 12


def test_ravdess_nested_tree(tmp_path):
    for actor in (1, 2):
        for emotion in (1, 3, 4, 5):
            name = f"03-01-{emotion:02}-01-01-01-{actor:02}.wav"
            for base in (tmp_path, tmp_path / "audio_speech_actors_01-24"):
                folder = base / f"Actor_{actor:02}"
                folder.mkdir(parents=True, exist_ok=True)
                soundfile.write(folder / name, noise(10 * actor + emotion), RATE)
    report = check("ravdess", tmp_path)
    assert report["utterances"] == 8
    assert kinds(report, "warning")["nested copy"]["count"] == 8
    assert "duplicate audio" not in kinds(report)


def test_odd_formats_are_notes(tree):
    soundfile.write(tree / "wav" / "03a01Wa.wav", np.stack([noise(1), noise(2)], 1), 44100)
    report = check("emodb", tree)
    assert report["rates"] == {"16000": 11, "44100": 1}
    assert kinds(report, "note")["channels"]["files"] == ["wav/03a01Wa.wav"]
    assert kinds(report, "note")["sample rate"]["files"] == ["wav/03a01Wa.wav"]


def test_one_length_is_told(tree):
    for seed, name in enumerate(NAMES):
        soundfile.write(tree / "wav" / f"{name}.wav", noise(seed, 2.0), 22050)
    assert "one length" in kinds(check("emodb", tree), "warning")


def test_levels_of_the_classes(tree):
    for seed, name in enumerate(NAMES):
        level = 0.2 if name[5] == "W" else 0.02
        soundfile.write(tree / "wav" / f"{name}.wav", noise(seed, 0.3, level), RATE)
    problem = kinds(check("emodb", tree), "warning")["level"]
    assert "20 dB" in problem["message"] and "angry" in problem["message"]


def test_speaker_gives_the_class_away(tmp_path):
    """As in URDU: speakers with one emotion each."""
    seed = 0
    for folder in ("Angry", "Happy", "Neutral", "Sad"):
        (tmp_path / folder).mkdir()
        for number in range(1, 7):
            seed += 1
            who = "SM1" if number == 1 else f"SF{ord(folder[0])}"
            name = f"{who}_F{number}_{folder[0]}{number:03}.wav"
            soundfile.write(tmp_path / folder / name, noise(seed, 0.2 + 0.001 * seed), RATE)
    problem = kinds(check("urdu", tmp_path), "warning")["speaker predicts class"]
    # 5 of 6 clips of each class are of the class's own speaker, SM1 has one clip of each class.
    assert problem["count"] == 4 and f"{100 * 21 / 24:.0f} %" in problem["message"]


def test_balanced_speakers_are_not_told(tree):
    assert "speaker predicts class" not in kinds(check("emodb", tree))


def test_missing_file_of_a_manifest_is_an_error(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(1), RATE)
    (tmp_path / "m.csv").write_text(
        "path,emotion,speaker\na.wav,angry,x\nb.wav,sad,y\nc.wav,fear,y\n"
    )
    report = check("manifest", tmp_path / "m.csv")
    assert kinds(report, "error")["missing"]["files"] == ["b.wav"]
    assert kinds(report, "note")["missing"]["files"] == ["c.wav"]
    assert report["originals"] is None and report["utterances"] == 1


def test_segments_of_one_file_are_different_sounds(tmp_path):
    soundfile.write(tmp_path / "a.wav", noise(1, 2.0), RATE)
    (tmp_path / "m.csv").write_text(
        "path,emotion,speaker,start,seconds\n"
        "a.wav,angry,x,0,0.5\na.wav,sad,y,0.5,0.5\na.wav,happy,y,1,1\na.wav,neutral,x,9,1\n"
    )
    report = check("manifest", tmp_path / "m.csv")
    assert not any("duplicate" in kind for kind in kinds(report))
    assert kinds(report, "error")["unreadable"]["count"] == 1
    assert report["seconds"] == pytest.approx(2.0)


def test_other_layout_is_a_problem_and_no_folder_an_error(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    report = check("emodb", tmp_path)
    assert not report["ok"] and report["utterances"] == 0
    assert kinds(report, "error")["layout"]
    json.dumps(report)
    with pytest.raises(CorpusError, match="is not there"):
        check("emodb", tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="Did you mean 'emodb'"):
        check("emodbb", tmp_path)


def test_renamed_original_is_an_error(shared, tmp_path):
    folder = tmp_path / "wav"
    folder.mkdir()
    source = shared / "data" / "emodb" / "wav"
    shutil.copy(source / "03a01Fa.wav", folder / "03a01Wa.wav")
    shutil.copy(source / "03a01Nc.wav", folder / "03a01Nc.wav")
    report = check("emodb", tmp_path)
    assert kinds(report, "error")["renamed original"]["files"] == ["wav/03a01Wa.wav"]
    assert report["originals"]["matching"] == 1


# --- real corpora --------------------------------------------------------------------------


def test_real_emodb(shared):
    report = check("emodb", shared / "data" / "emodb")
    assert report["utterances"] == 339 and report["ok"]
    assert report["labels"] == {"F": 71, "N": 79, "T": 62, "W": 127}
    assert report["originals"]["matching"] == 339
    assert kinds(report, "note")["digital silence"]["count"] == 5
    assert not kinds(report, "warning")


def test_real_nemo(shared):
    report = check("nemo", shared / "data" / "nemo")
    assert (report["utterances"], report["total"]) == (3076, 4481) and report["ok"]
    assert report["emotions"] == {"angry": 749, "happy": 749, "neutral": 809, "sad": 769}
    assert set(kinds(report, "warning")) == {"not original"}
    assert kinds(report, "note")["missing"]["count"] == 1405


# --- the command ---------------------------------------------------------------------------


def ser(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from ser.cli import main; sys.exit(main())",
            *arguments,
        ],
        capture_output=True,
        encoding="utf-8",
    )


def test_command_line_exit_codes_and_json(tree, capsys):
    from ser.cli import main

    assert main(["check", "emodb", "--root", str(tree)]) == 0
    text = capsys.readouterr().out
    assert "12 utterances" in text and "warning (not original)" in text
    (tree / "wav" / "03a01Wa.wav").write_bytes(b"")
    assert main(["check", "emodb", "--root", str(tree), "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert main(["check", "emodb", "--root", str(tree / "nowhere")]) == 2
    assert "is not there" in capsys.readouterr().err


def test_json_is_alone_on_standard_output(tree):
    done = ser("check", "emodb", "--root", str(tree), "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["utterances"] == 12
