"""``ser run``: train and test rows of the ablation table."""

from __future__ import annotations

import argparse
import functools
import json
from collections.abc import Callable
from dataclasses import fields

from ser.cli.options import add_emotions

PROTOCOLS = ("speakers", "loso", "sessions", "random", "cross")

DESCRIPTION = """\
Train and test rows of the paper's ablation table on a corpus.

Every combination of model, fold and seed is one run. A finished run leaves a
record under --out, in one file of them all, records.parquet, which 'ser report'
makes tables of (pandas reads it too). Interrupt at any time: the same command
takes up where it stopped and does nothing twice. Fused rows (dual, mfcc+...)
are made from their branches, which are trained once.

models (--model, comma-separated):
{rows}

protocols (--protocol):
  speakers   k folds, no test speaker heard in training       (default)
  loso       leave one speaker out
  sessions   leave one recording session out (IEMOCAP's usual protocol)
  random     k stratified folds, speakers on both sides (what the paper does)
  cross      train on --corpus, test on --test-corpus

epoch selection (--select):
  last       the last epoch
  dev        the best epoch on speakers held out from the training side
  test       the best epoch on the test side: what the paper did; it shows what
             peeking does and estimates nothing
"""

EPILOG = """\
examples:
  ser run --model mfcc-lstm --epochs 5 --batch-size 32 --out results/first
  ser run --corpus emodb --root data/emodb --model mfcc-lstm,ds-lstm,dual \\
          --protocol loso --seeds 1 --epochs 30 --batch-size 32 --out results/emodb-loso
  ser run --corpus iemocap --root IEMOCAP_full_release --model all --protocol sessions \\
          --select last,dev --seeds 3 --device auto --out results/iemocap
  ser run --corpus emodb --root data/emodb --protocol cross --test-corpus nemo \\
          --test-root data/nemo --model dual --out results/emodb-to-nemo
  ser run --corpus emodb --root data/emodb --model dual --permute-labels 0 \\
          --epochs 15 --batch-size 32 --out results/emodb-permuted      # UA must be about 25 %
  ser run --corpus emodb --root data/emodb --model dual --select last,dev --batch-size 32 \\
          --normalise train --dropout 0.3 --ema 0.98 --out results/emodb-options
  ser run --corpus nemo --root data/nemo --model prosody-lstm+egemaps-lr --protocol loso \\
          --settings small --normalise enrol:3 --select last --out results/nemo-enrolled
  ser run --corpus ravdess --root data/ravdess --emotions all,calm=neutral \\
          --model egemaps-lr,prosody-lstm --protocol loso --settings small --out results/ravdess-7
  ser run --corpus manifest --root mine.csv --emotions bored,curious,angry \\
          --model egemaps-lr --out results/mine-3        # words of your own; guessing gives 33 %
  ser run --corpus emodb --root data/emodb --also nemo=data/nemo --model prosody-lstm \\
          --protocol loso --settings small --normalise speaker --out results/emodb-with-nemo
  ser run --features pack --model ds-lstm --device cuda --out results/gpu
  ser run --corpus nemo --root data/nemo --protocol loso --choose options.toml --out results/nemo
  ser run --rows mine.py --model mine,mfcc-lstm --protocol loso --out results/mine

The defaults of --epochs, --batch-size, --lr and the schedule are the release's
(50, 128, Adam 1e-3 halved after epochs 10, 20 and 30). 128 is too large for a
corpus of a few hundred utterances: use --batch-size 32 there."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``ser run``."""
    from ser.rows import ROWS

    width = max(map(len, ROWS))
    rows = "\n".join(f"  {name:<{width}}  {row.summary}" for name, row in ROWS.items())
    rows += f"""
  {"A+B":<{width}}  any rows, their probabilities averaged: prosody-lstm+egemaps-lr
  {"all":<{width}}  all but the variants, compare-lr, ssl-lr and what hears prosody"""
    parser.description = DESCRIPTION.format(rows=rows)
    parser.epilog = EPILOG
    group = parser.add_argument_group("what to run")
    add = group.add_argument
    add("--corpus", default="synthetic", metavar="NAME", help="corpus (default: synthetic)")
    add("--root", metavar="DIR", help="its folder; the CSV file of a manifest")
    add_emotions(group)
    add("--features", metavar="DIR", help="a feature pack of 'ser features --out', not a corpus")
    add("--also", action="append", default=[], metavar="NAME=DIR", help="another corpus whose "
        "utterances join the training side of every fold, and no dev or test side; give it again "
        "for a third. Its speakers are normalised, enrolled and balanced as people of their own; "
        "sound that both corpora have is refused")  # fmt: skip
    add("--test-corpus", metavar="NAME", help="the corpus to test on (protocol cross)")
    add("--test-root", metavar="DIR", help="its folder")
    add("--test-features", metavar="DIR", help="its feature pack")
    add("--model", default="dual", metavar="ROW[,ROW]", help="rows to run (default: dual)")
    add("--rows", action="append", default=[], metavar="FILE", help="a Python file of yours, run "
        "first, whose calls of ser.add_row add networks of your own to the models")  # fmt: skip
    add(
        "--protocol",
        default="speakers",
        choices=PROTOCOLS,
    )
    add("--folds", type=int, default=5, metavar="K", help="of speakers and random (default: 5)")
    add("--split-seed", type=int, default=0, metavar="S", help="of the division (default: 0)")
    add("--distinct-speakers", action="store_true", help="speakers whose names differ only in "
        "capitals, blanks, hyphens or zeros (3, 03, 3.0) are different people; else protocols that "
        "keep speakers apart refuse them")  # fmt: skip
    add(
        "--seeds",
        type=_seeds,
        default="1",
        metavar="N",
        help="training seeds: a number, or a list as 0,3,7",
    )
    add("--select", default="last,test", metavar="RULES", help="default: last,test")
    add("--dev", type=float, default=0.2, metavar="SHARE", help="held out for 'dev' (default: 0.2)")
    add("--preset", default="release", choices=("release", "paper"), help="of the spectrograms")
    add("--choose", metavar="FILE", help="a TOML file of options, a table each: its name, then a "
        "model and anything that says how to train, as here but without dashes. Each fold chooses "
        "among them on inner folds of its training speakers, and tests its choice: row 'chosen'. "
        "What all share is given in the command")  # fmt: skip
    add("--inner", type=int, default=3, metavar="J", help="inner folds of --choose: K options cost "
        "K x J + 1 trainings a fold (default: 3)")  # fmt: skip

    add = parser.add_argument_group("how to train").add_argument
    add("--settings", default="release", choices=("release", "small"),
        help="by name: the release's; or small, for voices not heard before: 64 units, front ends "
        "of 8 channels, 8 epochs of 32, one-cycle AdamW up to 3e-3, labels smoothed by 0.1, every "
        "second row of MFCCs and prosody, mean and deviation over time, a tenth of the recurrent "
        "weights dropped. What is given beside it goes before it (default: release)")  # fmt: skip
    _add_settings(add, off=False)
    add("--joint", action="store_true", help="train fused rows as one network")
    add("--permute-labels", type=int, metavar="SEED",
        help="shuffle the labels of each fold's training side (test labels stay true): the check "
        "that training sees nothing of the test side, for UA must then be chance, 25 %% with four",
    )  # fmt: skip
    add("--leave-dev", action="store_true",
        help="baselines, which choose no epoch, leave the dev set out of their training too, to "
        "learn from as little as the networks")  # fmt: skip
    add("--baseline-tuning", default="nested", choices=("nested", "nested-robust", "fixed"),
        help="C and class weights of LR and SVM: nested, chosen in each fold on inner folds of its "
        "training side, by speaker (random: at random); nested-robust, and with them whether "
        "numbers are clipped, at 6, 4 or 3 deviations; fixed, C = 1 without weights "
        "(default: nested)")  # fmt: skip
    add("--ssl", default="WAV2VEC2_BASE", metavar="NAME", help="pipeline of torchaudio that "
        "ssl-lr has its features from; its weights must be there (WAV2VEC2_BASE)")  # fmt: skip

    add = parser.add_argument_group("what may lift it (all off by default)").add_argument
    _add_settings(add, off=True)
    add("--allow-one-class-speakers", action="store_true",
        help="normalise by speaker (this option, or rows with a plus) even so")  # fmt: skip

    add = parser.add_argument_group("where and how").add_argument
    add("--out", default="results", metavar="DIR", help="folder of records (default: results)")
    add("--study", default="", metavar="WORD", help="what the runs are made for, kept in their "
        "records, by which a page finds them")  # fmt: skip
    add("--device", default="auto", metavar="DEV", help="auto, cpu, cuda, cuda:1 (default: auto)")
    add("--jobs", type=int, default=0, metavar="N", help="runs at a time (default: one a core)")
    add("--threads", type=int, default=0, metavar="N", help="CPU threads a run")
    add("--cache", metavar="DIR", help="feature cache (default: the user's cache folder)")
    add("--no-models", action="store_true", help="do not keep the trained networks")
    add("--skip-bad", action="store_true", help="leave out utterances that cannot be read")
    add("--dry-run", action="store_true", help="say what would be run, and stop (features are "
        "made, for folds and what they share need them)")  # fmt: skip
    add("--quiet", action="store_true", help="do not tell how far it is: no bar in a terminal, no "
        "lines elsewhere")  # fmt: skip
    add("--json", action="store_true", help="print the report as JSON")


def _add_settings(add: Callable[..., argparse.Action], off: bool) -> None:
    """An option for each field of TrainConfig that is off, or not, as its docstring has it."""
    from ser.training.config import NAMED, TrainConfig, described

    says, by_name = described(), {name for changes in NAMED.values() for name in changes}
    for setting in fields(TrainConfig):
        known, default = setting.metadata, setting.default
        if (default in (0, (), "none")) != off:
            continue
        kind, metavar = type(default), {int: "N", float: "X", str: "WHO"}.get(type(default))
        shown = f"{default:g}" if kind is float else str(default)
        if kind is tuple:
            number = type(default[0]) if default else float
            shown, metavar = ",".join(map(str, default)), "A,B"
            kind = functools.partial(_numbers, kind=number)
        bounds = [] if known["choices"] else [known["allowed"]]
        bounds += [] if off else [f"default: {shown}"]
        add(
            f"--{setting.name.replace('_', '-')}",
            type=kind,
            choices=known["choices"],
            metavar=None if known["choices"] else metavar,
            default=None if setting.name in by_name else default,
            help=f"{says.get(setting.name, '')} [{'; '.join(bounds)}]".replace("%", "%%"),
        )


def main(args: argparse.Namespace) -> int:
    """Run the grid and print its table."""
    for file in args.rows:
        _read_rows(file)
    if args.choose:
        from ser.cli.run_options import choose_among

        out = choose_among(args, run_config)
    else:
        from ser.cli.run_options import given
        from ser.errors import SerError
        from ser.experiments.idle import check_taken

        config, asked = run_config(args), given(args)
        if "inner" in asked:
            raise SerError("--inner goes with --choose")
        check_taken([config], asked)
        if args.dry_run:
            return _dry_run(config, args.json)
        from ser.experiments.grid import run

        run(config)
        out = config.out

    from ser.report import make_report

    report = make_report(out)
    print(report.to_json() if args.json else report.to_text())
    if not args.json:
        print(f"\nRecords: {out}. More of them: ser report {out} --help")
    return 0


def run_config(args: argparse.Namespace):
    """The grid that the options of the command ask for."""
    from ser.experiments.config import RunConfig
    from ser.experiments.record_schema import given_options

    words = {field.name for field in fields(RunConfig)} & vars(args).keys()
    given = {name: getattr(args, name) for name in words}
    given |= {
        "models": _models(args.model),
        "seeds": args.seeds,
        "train": _training(args),
        "permute": args.permute_labels,
        "keep_models": not args.no_models,
        "progress": not args.quiet,
        "command": args.command_line,
        "options": given_options(args.words),
        "inner": 0,  # the command's is that of --choose
        "also": tuple(args.also),
    }
    return RunConfig(**given)


def _read_rows(file: str) -> None:
    import runpy
    from pathlib import Path

    from ser.errors import ModelError, SerError, where

    if not Path(file).is_file():
        raise ModelError(f"--rows {file}: no such file")
    try:
        runpy.run_path(file, run_name="__main__")
    except SerError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"--rows {file}: {where(error)}") from error


def _training(args: argparse.Namespace):
    from ser.errors import SerError, TrainingError
    from ser.training.config import NAMED, TrainConfig

    schedule = args.schedule or NAMED[args.settings].get("schedule", TrainConfig.schedule)
    falls = (args.milestones, args.gamma) != (TrainConfig.milestones, TrainConfig.gamma)
    if schedule == "one-cycle" and falls:
        raise SerError("--milestones and --gamma go with --schedule steps, not with one-cycle")
    given = {field.name: getattr(args, field.name) for field in fields(TrainConfig)}
    given = {name: value for name, value in given.items() if value is not None}
    try:
        return TrainConfig.named(args.settings, **given)
    except TrainingError as error:  # before any run: wrong usage, not a run that failed
        raise SerError(str(error)) from None


def _models(text: str) -> tuple[str, ...]:
    from ser.rows import ROWS

    if text == "all":
        left = (r.variant or r.needs_weights or r.beyond for r in ROWS.values())
        return tuple(name for name, out in zip(ROWS, left, strict=True) if not out)
    return tuple(t.strip() for t in text.split(",") if t.strip())


def _seeds(text: str) -> tuple[int, ...]:
    numbers = _numbers(text)
    return tuple(range(numbers[0])) if "," not in text and numbers else numbers


def _numbers(text: str, kind: type = int) -> tuple:
    try:
        return tuple(kind(t) for t in text.split(",") if t.strip())
    except ValueError:
        whole = "whole numbers" if kind is int else "numbers"
        raise argparse.ArgumentTypeError(f"{text}: {whole} separated by commas, please") from None


def _dry_run(config, as_json: bool) -> int:
    from ser.corpora.problems import many
    from ser.errors import RecordError
    from ser.experiments.grid import finished_record, plan
    from ser.experiments.grid_inputs import load_inputs
    from ser.experiments.record_folder import stored_records

    corpora = load_inputs(config, set(config.models))
    trained, fused = plan(config, *corpora)
    stored = stored_records(config.out)
    names = [f"{t.row}/{t.name}" for t in trained]
    if as_json:
        print(json.dumps({"train": names, "fuse": [f"{t.row}/{t.name}" for t in fused]}, indent=1))
        return 0
    print(f"{many(len(trained), 'run')} to train or fit, {len(fused)} to fuse from them:")
    in_the_way = None
    for task in [*trained, *fused]:
        try:
            state = "to do" if finished_record(task, *corpora, stored) is None else "done"
        except RecordError as error:
            state, in_the_way = "other", in_the_way or error
        print(f"  {state:5}  {task.row:24} {task.name}  {task.leak['told']}")
    if in_the_way is not None:
        raise in_the_way
    return 0
