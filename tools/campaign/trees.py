"""Corpora whose folders went wrong, against the truth that their makers know.

Right is: each clip once, from the owners' bytes, with its own label and speaker; or an error; and
where something is missing or other than it was, a problem that says so.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from ser.audio import load_audio
from ser.corpora import load_corpus
from ser.corpora.check import check
from ser.errors import AudioError
from tools.campaign.pool import Wrong
from tools.campaign.sounds import RATE, voice

LETTERS = {
    "emodb": {"angry": "W", "happy": "F", "neutral": "N", "sad": "T"},
    "ravdess": {"angry": "05", "happy": "03", "neutral": "01", "sad": "04"},
    "cremad": {"angry": "ANG", "happy": "HAP", "neutral": "NEU", "sad": "SAD"},
    "urdu": {"angry": "Angry", "happy": "Happy", "neutral": "Neutral", "sad": "Sad"},
    "tess": {"angry": "angry", "happy": "happy", "neutral": "neutral", "sad": "sad"},
    "savee": {"angry": "a", "happy": "h", "neutral": "n", "sad": "sa"},
    "nemo": {"angry": "anger", "happy": "happiness", "neutral": "neutral", "sad": "sadness"},
    "manifest": {e: e for e in ("angry", "happy", "neutral", "sad")},
}
SPEAKERS = {
    "emodb": ("03", "08"),
    "ravdess": ("01", "02"),
    "cremad": ("1001", "1002"),
    "urdu": ("SM1", "SF2"),
    "tess": ("OAF", "YAF"),
    "savee": ("DC", "JE"),
    "nemo": ("EB0", "DJ1"),
    "manifest": ("anna", "ben"),
}


def clip_name(corpus: str, speaker: str, emotion: str, number: int) -> str:
    """Where a clip lies in the corpus's folder."""
    code = LETTERS[corpus][emotion]
    match corpus:
        case "emodb":
            return f"wav/{speaker}a0{number}{code}a.wav"
        case "ravdess":
            return f"Actor_{speaker}/03-01-{code}-01-01-0{number}-{speaker}.wav"
        case "cremad":
            return f"AudioWAV/{speaker}_{('IEO', 'TIE')[number - 1]}_{code}_XX.wav"
        case "urdu":
            return f"{code}/{speaker}_F{number}_{code[0]}00{number}.wav"
        case "tess":
            return f"{speaker}_{code}/{speaker}_{('back', 'bar')[number - 1]}_{code}.wav"
        case "savee":
            return f"AudioData/{speaker}/{code}0{number}.wav"
        case "nemo":
            return f"samples/{speaker}_{code}_{number}.wav"
        case _:
            return f"clips/{speaker}-{emotion}-{number}.wav"


class Trees:
    """Makes the cases of this kind (see :func:`tools.campaign.pool.run_cases`)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.folder = Path(tempfile.mkdtemp(prefix="campaign-"))
        self.originals = {name: self._make(name) for name in LETTERS}

    def _make(self, corpus: str) -> dict[str, tuple[str, str]]:
        """A whole tree; digest -> (emotion, speaker)."""
        root, truth, lines = self.folder / "whole" / corpus, {}, []
        for s, speaker in enumerate(SPEAKERS[corpus]):
            for e, emotion in enumerate(LETTERS[corpus]):
                for number in (1, 2):
                    path = root / clip_name(corpus, speaker, emotion, number)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    wave = voice(0.3 + 0.05 * e, seed=s * 100 + e * 10 + number)
                    soundfile.write(path, wave, RATE)
                    truth[digest(path)] = (emotion, speaker)
                    lines.append((path.relative_to(root).as_posix(), emotion, speaker))
        if corpus == "manifest":
            rows = "".join(f"{p},{e},{s}\n" for p, e, s in lines)
            (root / "my.csv").write_text("path,emotion,speaker\n" + rows)
        if corpus == "nemo":
            head = "file_id\temotion\traw_text\tnormalized_text\tspeaker_id\tgender\tage\n"
            rows = "".join(
                f"{Path(p).name}\t{LETTERS[corpus][e]}\tRaz.\traz\t   {s}\tfemale\t30\n"
                for p, e, s in lines
            )
            (root / "data.tsv").write_text(head + rows)
        return truth

    def __call__(self, number: int) -> tuple[str, Callable[[], str]]:
        rng = np.random.default_rng([self.seed, number])
        corpus = list(LETTERS)[number % len(LETTERS)]
        root = self.folder / "case"
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.folder / "whole" / corpus, root)
        todo = rng.permutation(len(MUTATIONS))[: int(rng.integers(1, 3))]
        done = [MUTATIONS[i](root, rng) for i in todo]
        return f"{corpus}: {'; '.join(done)}", lambda: self._check(corpus, root)

    def _check(self, corpus: str, root: Path) -> str:
        truth = self.originals[corpus]
        place = root / "my.csv" if corpus == "manifest" else root
        report = check(corpus, place)
        told = [p for p in report["problems"] if p["severity"] != "note"]
        table = load_corpus(corpus, place).table
        if table.utterance.duplicated().any() or table.path.duplicated().any():
            raise Wrong("a clip is there twice")
        seen = set()
        for row in table.itertuples():
            try:
                found = digest(Path(row.path))
            except OSError:
                continue
            if found in seen and not told:
                raise Wrong(f"{row.utterance}: the same bytes as another row, without a word")
            seen.add(found)
            if found in truth and (row.emotion, row.speaker) != truth[found] and not told:
                raise Wrong(f"{row.utterance} is {row.emotion} by {row.speaker}: {truth[found]}")
            if found not in truth and (not told or _readable(row.path)):
                raise Wrong(f"{row.path}: other bytes than the owners' are taken")
        if len(seen & set(truth)) < len(truth) and not told:
            raise Wrong(f"{len(seen & set(truth))} of {len(truth)} clips, without a word")
        return f"{len(table)} rows, {len(told)} problems told"


def _readable(path: str) -> bool:
    try:
        return len(load_audio(path)) > 0
    except AudioError:
        return False


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


ADDED = ("augmented", "laryngo", "noisy", "a", "zz", "16k", "copy of the data", "again", "__MACOSX")
"""Folders that mutations make."""


def _clips(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*") if p.suffix.lower() == ".wav" and p.is_file())


def _pick(root: Path, rng: np.random.Generator) -> Path:
    clips = [p for p in _clips(root) if p.relative_to(root).parts[0] not in ADDED]
    return clips[int(rng.integers(len(clips)))]


def _nested(root: Path, rng: np.random.Generator) -> str:
    top = sorted(p for p in root.iterdir() if p.is_dir())
    target = root / "copy of the data" / top[0].name
    shutil.copytree(top[0], target, dirs_exist_ok=True, symlinks=True)
    return f"{top[0].name} copied below another folder"


def _other_signal(root: Path, rng: np.random.Generator) -> str:
    name = ("augmented", "laryngo", "noisy")[int(rng.integers(3))]
    _changed(root, root / name)
    return f"the same names in {name}/, another signal"


def _second_version(root: Path, rng: np.random.Generator) -> str:
    name = ("a", "zz", "16k")[int(rng.integers(3))]
    _changed(root, root / name)
    return f"the same names in {name}/, another signal"


def _changed(root: Path, target: Path) -> None:
    for clip in _clips(root):
        parts = clip.relative_to(root).parts
        if parts[0] in ADDED:
            continue
        copy = target.joinpath(*parts[1:])
        copy.parent.mkdir(parents=True, exist_ok=True)
        try:
            wave, rate = soundfile.read(clip)
        except soundfile.LibsndfileError:
            continue
        soundfile.write(copy, wave[::-1], rate)


def _lower(root: Path, rng: np.random.Generator) -> str:
    for clip in _clips(root):
        clip.rename(clip.with_name(clip.name.lower()))
    return "names in small letters"


def _upper(root: Path, rng: np.random.Generator) -> str:
    for clip in _clips(root):
        clip.rename(clip.with_name(clip.name.upper()))
    return "names in capitals"


def _missing(root: Path, rng: np.random.Generator) -> str:
    clip = _pick(root, rng)
    clip.unlink()
    return f"{clip.name} gone"


def _cut(root: Path, rng: np.random.Generator) -> str:
    clip = _pick(root, rng)
    data = clip.read_bytes()
    clip.write_bytes(data[: int(rng.integers(len(data)))])
    return f"{clip.name} cut"


def _text(root: Path, rng: np.random.Generator) -> str:
    clip = _pick(root, rng)
    clip.write_text("<html>404 Not Found</html>")
    return f"{clip.name} is a web page"


def _pointer(root: Path, rng: np.random.Generator) -> str:
    clip = _pick(root, rng)
    clip.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n")
    return f"{clip.name} is a git-lfs pointer"


def _junk(root: Path, rng: np.random.Generator) -> str:
    clip = _pick(root, rng)
    shutil.copyfile(clip, clip.with_name("._" + clip.name))
    (clip.parent / "notes.txt").write_text("notes")
    (root / "__MACOSX").mkdir(exist_ok=True)
    shutil.copyfile(clip, root / "__MACOSX" / clip.name)
    return "leavings of a Mac"


def _link(root: Path, rng: np.random.Generator) -> str:
    (root / "again").symlink_to(root, target_is_directory=True)
    return "a link to the folder in itself"


def _same_sound(root: Path, rng: np.random.Generator) -> str:
    first, second = _pick(root, rng), _pick(root, rng)
    if first != second:
        shutil.copyfile(first, second)
    return f"{second.name} has the bytes of {first.name}"


MUTATIONS = (
    _nested, _other_signal, _second_version, _lower, _upper, _missing, _cut, _text, _pointer,
    _junk, _link, _same_sound,
)  # fmt: skip
