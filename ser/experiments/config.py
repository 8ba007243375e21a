"""What a grid of runs consists of: rows x folds x seeds of one protocol on one corpus."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from ser.corpora.emotion_set import Emotions, emotion_set
from ser.errors import ModelError, ProtocolError, SerError
from ser.experiments.baselines import TUNINGS
from ser.threads import cores
from ser.training.config import TrainConfig

MOST = 1024
"""Jobs or threads: far beyond any machine's use, and OpenMP dies without a word of too many."""


@dataclass(frozen=True)
class RunConfig:
    """The settings of ``ser run``.

    Attributes:
        corpus, root: corpus name and folder (see :func:`ser.load_corpus`).
        emotions: the classes, as :func:`ser.load_corpus` takes them; None: angry, happy, neutral
            and sad, of a pack its own.
        features: folder of a feature pack (``ser features --out``), instead of a corpus.
        test_corpus, test_root, test_features: the other corpus of protocol ``cross``.
        also: other corpora whose utterances join the training side of every fold, each ``NAME`` or
            ``NAME=FOLDER`` (:mod:`ser.experiments.mixing`).
        models: row names (:data:`ser.models.ROWS`).
        protocol, folds, split_seed: see :func:`ser.protocols.split`.
        distinct_speakers: names that may be one person's (``3`` and ``03``) are different people;
            without this, protocols that keep speakers apart refuse them.
        seeds: training seeds.
        select: epoch selections to report: ``last``, ``dev``, ``test``.
        dev: share of the training side held out where ``dev`` is selected.
        preset: spectrogram preset, ``release`` or ``paper``.
        train: see :class:`~ser.training.TrainConfig`.
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:1``.
        jobs: runs at a time; 0 means one a core (one in all on a GPU).
        threads: CPU threads a run; 0 divides the cores among the jobs.
        joint: train fused rows as one network instead of fusing their branches' logits.
        permute: None, or a seed: the labels of each fold's training side (dev included) change
            places among each other. The check that no test label finds its way into training: UA
            must then be chance, 25 % with four classes. Such networks are not kept.
        leave_dev: baselines, which choose no epoch, are trained without the dev set too, so that
            they learn from as little as the networks.
        baseline_tuning: ``nested``: C and class weights of baselines are chosen in each fold, on
            inner folds of its training side, by speaker but for ``random``
            (:func:`ser.experiments.baselines.tune`); ``nested-robust``: the clip as well, none or
            one of :data:`ser.experiments.baselines.CLIPS`; ``fixed``: C = 1 and no class weights.
        ssl: pipeline of torchaudio whose features the row ``ssl-lr`` reads
            (:func:`ser.features.learnt.learnt`).
        allow_one_class_speakers: normalise by speaker even where a speaker is heard in one class
            only, which takes away what tells that class from others.
        out: folder of records; None keeps nothing on disk.
        keep_models: leave the trained networks under ``out/models`` for ``ser predict``.
        cache: folder of the feature cache; None means the user's.
        skip_bad: leave out utterances whose audio cannot be read, instead of stopping.
        progress: tell how far it is: a bar in a terminal, elsewhere lines of ``logging``.
        command: the command line, for the records.
        options: its options, name -> value as given, for the records.
        inner: not 0: instead of each fold so many inner folds of its training side, by speaker,
            named ``FOLD / 1`` and so on (:func:`ser.experiments.choice.choose`).
        only: names of the folds that are run; empty: all.
        study: what the runs are made for, a word for the records (``main``, ``recipe``), by which
            a page finds them.
    """

    corpus: str = "synthetic"
    root: str | None = None
    emotions: Emotions = None
    features: str | None = None
    test_corpus: str | None = None
    test_root: str | None = None
    test_features: str | None = None
    models: tuple[str, ...] = ("dual",)
    protocol: str = "speakers"
    folds: int = 5
    split_seed: int = 0
    distinct_speakers: bool = False
    seeds: tuple[int, ...] = (0,)
    select: tuple[str, ...] = ("last", "test")
    dev: float = 0.2
    preset: str = "release"
    train: TrainConfig = field(default_factory=TrainConfig)
    device: str = "auto"
    jobs: int = 0
    threads: int = 0
    joint: bool = False
    permute: int | None = None
    leave_dev: bool = False
    baseline_tuning: str = "nested"
    ssl: str = "WAV2VEC2_BASE"
    allow_one_class_speakers: bool = False
    out: Path | None = None
    keep_models: bool = True
    cache: str | None = None
    skip_bad: bool = False
    progress: bool = True
    command: str = ""
    options: dict[str, str] = field(default_factory=dict)
    study: str = ""
    inner: int = 0
    only: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        from ser.rows import get_row

        if self.emotions is not None:
            object.__setattr__(self, "emotions", emotion_set(self.emotions))
        for name in ("models", "select"):
            value = getattr(self, name)
            value = value.split(",") if isinstance(value, str) else value
            object.__setattr__(self, name, tuple(dict.fromkeys(value)))
        seeds = range(self.seeds) if isinstance(self.seeds, int) else self.seeds
        object.__setattr__(self, "seeds", tuple(dict.fromkeys(int(s) for s in seeds)))
        if self.out is not None:
            object.__setattr__(self, "out", Path(self.out))
        if self.permute is not None:
            object.__setattr__(self, "keep_models", False)
        if not self.models or not self.seeds:
            raise ModelError("name at least one model and one seed")
        for model in self.models:
            get_row(model)
        unknown = set(self.select) - {"last", "dev", "test"}
        if unknown or not self.select:
            raise ProtocolError(
                f"unknown selection {', '.join(sorted(unknown)) or '(none)'}; "
                "choose from last, dev, test"
            )
        if "dev" in self.select and not 0 < self.dev < 1:
            raise ProtocolError(
                f"choosing an epoch by 'dev' needs a dev set, and --dev {self.dev:g} holds none "
                "out: give a share between 0 and 1, e.g. 0.2, or leave 'dev' out of --select"
            )
        if self.leave_dev and not self.dev_share:
            raise ProtocolError(
                "nothing is held out that baselines could leave: choose 'dev' as well "
                "(--select last,dev)"
            )
        if self.leave_dev and all(get_row(m).kind != "baseline" for m in self.models):
            raise ModelError("--leave-dev is about baselines, and no row asked for is one")
        if self.baseline_tuning not in TUNINGS:
            raise ModelError(
                f"unknown tuning {self.baseline_tuning!r}; choose from {', '.join(TUNINGS)}"
            )
        if self.train.clip_z and self.baseline_tuning == "nested-robust":
            raise SerError(
                "--clip-z sets the clip, --baseline-tuning nested-robust chooses it: give one"
            )
        for name in ("jobs", "threads", "split_seed"):
            if getattr(self, name) < 0:
                raise SerError(f"--{name.replace('_', '-')} {getattr(self, name)}: give 0 or more")
        for name in ("jobs", "threads"):
            if getattr(self, name) > MOST:
                raise SerError(
                    f"--{name} {getattr(self, name)}: at most {MOST}; more than there are cores "
                    f"(here {cores()}) makes nothing faster"
                )
        if self.test_root is not None and self.test_corpus is None:
            raise ProtocolError("--test-root goes with --test-corpus and protocol 'cross'")
        crossing = self.test_corpus is not None or self.test_features is not None
        if crossing != (self.protocol == "cross"):
            raise ProtocolError("protocol 'cross' and --test-corpus go together")

    def training(self, row: str) -> TrainConfig:
        """The settings *row* is trained with: those of the run, and the row's own recipe.

        A row that hears prosody is normalised by the training side where the run normalises by
        nothing: its columns have units of their own, from hundredths to thousands. A row without
        a spectrogram has no convolutions, so their channels are no setting of its.
        """
        from ser.rows import get_row

        own = get_row(row)
        train = replace(self.train, **own.recipe)
        prosody = "prosody" in own.needs or (self.joint and row == "triple")
        if prosody and train.normalise == "none":
            train = replace(train, normalise="train")
        if not any(get_row(branch).needs & {"s1", "s2"} for branch in own.branches):
            train = replace(train, channels=TrainConfig().channels)
        if train.clip_z and train.normalise == "none" and own.kind != "baseline":
            raise SerError(
                f"--clip-z {train.clip_z:g} counts in deviations, and {row}'s features are not "
                "normalised: say by whom, e.g. --normalise train"
            )
        return train

    @property
    def dev_share(self) -> float:
        """The share really held out: 0 unless ``dev`` is selected."""
        return self.dev if "dev" in self.select else 0.0
