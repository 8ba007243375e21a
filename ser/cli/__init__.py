"""The ``ser`` command. Each sub-command lives in a module of its own and imports late."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import shlex
import sys

COMMANDS: dict[str, str] = {
    "corpora": "list the corpora the package reads, with sizes, licences and where to get them",
    "check": "read a corpus and say what is in it and what is wrong with it",
    "fetch": "download a corpus that may be downloaded, verified and safely unpacked",
    "features": "compute and cache MFCCs and mel-spectrograms of a corpus",
    "run": "train and test rows of the ablation table: models x protocol x folds x seeds",
    "report": "tables, confusion matrices and paired tests from the records of runs",
    "predict": "emotion of your own recordings, by the model that comes along or a run's",
    "explain": "what of a recording an answer rests on; what tells a corpus's emotions apart",
    "export": "one ONNX file of a model a run has left, its features in it",
}

RESUMED = ("fetch", "features", "run")
"""Commands that take up where they were interrupted."""

EPILOG = """\
at once, on a recording of yours: ser predict me.wav

a first session, nothing to download (the built-in corpus is spoken by Praat, which is an extra:
pip install 'ser-book[synthetic]'):
  ser check synthetic
  ser run --model mfcc-lstm --protocol speakers --epochs 5 --out results/first
  ser report results/first

exit codes: 0 done, 1 a check found problems, 2 wrong usage or input,
            3 a run failed, 130 interrupted (the same command resumes)

'ser COMMAND --help' explains each command with examples."""


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """The argument parser; only *command*'s module is imported (all, if None)."""
    from ser import __version__

    parser = argparse.ArgumentParser(
        prog="ser",
        description="Speech emotion recognition with the Dual-Sequence LSTM.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ser {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary in COMMANDS.items():
        sub = subparsers.add_parser(
            name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        if command in (None, name):
            importlib.import_module(f"ser.cli.{name}").configure(sub)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run the command line *argv* and return the exit code."""
    from ser.errors import SerError, TrainingError, shortage
    from ser.logs import set_up_logging

    argv = list(sys.argv[1:] if argv is None else argv)
    if hasattr(sys.stdout, "reconfigure"):  # a name that the terminal's encoding lacks is told so
        sys.stdout.reconfigure(errors="backslashreplace")
    command = next((a for a in argv if a in COMMANDS), "")
    try:
        set_up_logging(_AboveBars())
        args = build_parser(command).parse_args(argv)
        args.words, args.command_line = argv, shlex.join(["ser", *argv])
        code = importlib.import_module(f"ser.cli.{args.command}").main(args)
        sys.stdout.flush()
        return int(code or 0)
    except SerError as error:
        print(f"ser: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        more = "; the same command takes up where it stopped" * (command in RESUMED)
        print(f"\nser: interrupted{more}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, MemoryError, RuntimeError) as error:
        told = shortage(error)
        if not told and not isinstance(error, OSError):
            raise
        where = f": {error.filename}" if getattr(error, "filename", None) else ""
        print(f"ser: {told or f'{error.strerror or error}{where}'}", file=sys.stderr)
        return TrainingError.exit_code if told and command == "run" else SerError.exit_code


class _AboveBars(logging.StreamHandler):
    """Messages on standard error, over a progress bar where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        if "tqdm" in sys.modules:
            sys.modules["tqdm"].tqdm.write(self.format(record), file=self.stream)
        else:
            super().emit(record)
