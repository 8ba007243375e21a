"""``ser run --choose FILE``: options by name, each some words of the command in a TOML table."""

from __future__ import annotations

import argparse
import contextlib
import io
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser.errors import ProtocolError, SerError

if TYPE_CHECKING:
    from ser.experiments.config import RunConfig

SHARED = frozenset(
    {
        *("corpus", "root", "features", "test-corpus", "test-root", "test-features", "rows"),
        *("protocol", "folds", "split-seed", "distinct-speakers", "seeds", "select", "dev"),
        *("preset", "choose", "inner", "permute-labels", "leave-dev", "out", "study", "device"),
        *("jobs", "threads", "cache", "no-models", "skip-bad", "dry-run", "quiet", "json", "help"),
        "allow-one-class-speakers",
    }
)
"""What all options have in common, so that it is given in the command."""


def choose_among(
    args: argparse.Namespace, run_config: Callable[[argparse.Namespace], RunConfig]
) -> Path:
    """Do what ``--choose`` asks for; return the folder of records.

    Args:
        args: of the command.
        run_config: what makes a grid of the words of an option.
    """
    from ser.experiments.choice import choose
    from ser.experiments.idle import check_taken

    if args.dry_run:
        raise SerError("--dry-run does not go with --choose: the choice decides what is run")
    if args.select not in ("last,test", "last"):
        raise ProtocolError(
            "--choose chooses an option on training speakers, and no epoch beside: --select last"
        )
    options: dict[str, RunConfig] = {}
    own: dict[str, set[str]] = {}
    shared = given(args)
    for name, parsed in read_options(args.choose, args.words).items():
        parsed.words, parsed.command_line = args.words, args.command_line
        try:
            options[name] = run_config(parsed)
            own[name] = {word for word in given(parsed) if _differs(parsed, args, word)}
            check_taken([options[name]], own[name])
        except SerError as error:
            raise type(error)(f"--choose {args.choose}: [{name}]: {error}") from error
    if dropped := sorted(shared & _in_all(args.choose) - {"also"}):
        raise SerError(
            f"--{dropped[0].replace('_', '-')} is that of no option of --choose {args.choose}, for "
            "every one has its own: add an option, or leave it out of the command"
        )
    check_taken(list(options.values()), shared)
    choose(options, args.inner)
    return Path(args.out)


def _in_all(file: str) -> set[str]:
    """Options of the command that every table of a file that could be read has."""
    tables = tomllib.loads(Path(file).read_text(encoding="utf-8")).values()
    if not tables:
        return set()
    return set.intersection(*({key.replace("-", "_") for key in table} for table in tables))


def given(args: argparse.Namespace) -> set[str]:
    """Options whose value is not the command's own."""
    from ser.cli import build_parser

    usual = build_parser("run").parse_args(["run"])
    return {name for name in vars(usual) if _differs(args, usual, name)}


def _differs(one: argparse.Namespace, other: argparse.Namespace, name: str) -> bool:
    return getattr(one, name) != getattr(other, name)


def read_options(file: str, words: list[str]) -> dict[str, argparse.Namespace]:
    """Name of an option -> the command's words with the option's behind them, parsed.

    Args:
        file: TOML, a table an option: ``model = "mfcc-lstm"``, ``clip-z = 4``, ``joint = true``.
        words: of the command.

    Raises:
        SerError: no such file, no TOML, or an option with a word that cannot be; it names both.
    """
    from ser.cli import build_parser

    try:
        tables = tomllib.loads(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise SerError(f"--choose {file}: {error.strerror}") from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise SerError(f"--choose {file}: not TOML ({error})") from None
    found = {}
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise SerError(
                f"--choose {file}: {name} is no option; write its name in brackets, [small], and "
                'below it what it is, model = "prosody-lstm"'
            )
        if wrong := sorted(SHARED & table.keys()):
            raise SerError(
                f"--choose {file}: [{name}]: {', '.join(wrong)} is the same for all options: give "
                "it in the command, as --" + wrong[0]
            )
        more = [word for key, value in table.items() for word in _words(key, value)]
        heard = io.StringIO()
        try:
            with contextlib.redirect_stderr(heard):
                parsed = build_parser("run").parse_args([*words, *more, "--select", "last"])
        except SystemExit:
            told = heard.getvalue().strip().rpartition("error: ")[2]
            raise SerError(f"--choose {file}: [{name}]: {told}") from None
        found[name] = parsed
    return found


def _words(key: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{key}"] if value else []
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return [f"--{key}={text}"]
