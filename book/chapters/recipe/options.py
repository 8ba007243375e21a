"""The ways of training that are tried, by name: what ``ser run`` is told, and where records lie.

Book: chapter "What lifts it, honestly".
"""

from __future__ import annotations

from ser.errors import RecordError

BASE = "as-released"
"""The run without any option."""

OPTIONS: dict[str, str] = {
    BASE: "",
    "normalise-train": "--normalise train",
    "normalise-utterance": "--normalise utterance",
    "normalise-speaker": "--normalise speaker",
    "level": "--level 6",
    "speed": "--speed 0.9,1.1",
    "masks": "--spec-augment 1",
    "mixup": "--mixup 0.2",
    "dropout": "--dropout 0.3",
    "dropout-masks": "--dropout 0.3 --spec-augment 1",
    "weight-decay": "--optimiser adamw --weight-decay 0.01",
    "small": "--channels 32,8 --hidden 100",
    "attention": "--pooling attention",
    "average": "--ema 0.98",
    "longer": "--epochs 30",
}
"""Name of a recipe -> what ``ser run`` is told; the order is that of the tables.

A name with a plus is a combination: ``average+small`` is told both.
"""

ROWS_TRIED: tuple[str, ...] = ("dual", "ds-lstm", "mfcc-lstm")
"""The rows that recipes are tried on, in the order of the tables."""

FOLDER = "recipe"
"""Folder of EmoDB's recipes below the results; that of corpus X is ``recipe-X``."""


def options_of(name: str) -> str:
    """What ``ser run`` is told for a recipe, or for a combination of several.

    Args:
        name: one of :data:`OPTIONS`, or several joined by ``+``.

    Raises:
        RecordError: no such recipe.

    Example:
        >>> options_of("average+small")
        '--ema 0.98 --channels 32,8 --hidden 100'
    """
    parts = name.split("+")
    if unknown := [part for part in parts if part not in OPTIONS]:
        raise RecordError(f"no recipe {unknown[0]!r}; there are: {', '.join(OPTIONS)}")
    return " ".join(filter(None, (OPTIONS[part] for part in parts)))


def recipe_folder(corpus: str) -> str:
    """Name of a corpus's folder of recipes.

    >>> recipe_folder("emodb"), recipe_folder("nemo")
    ('recipe', 'recipe-nemo')
    """
    return FOLDER if corpus == "emodb" else f"{FOLDER}-{corpus}"


def command(name: str, corpus: str = "emodb", seeds: int = 1) -> str:
    """The command that makes the records of a recipe.

    Args:
        name: as for :func:`options_of`.
        corpus: short name; its folder is left as a word in capitals.
        seeds: how many.

    Raises:
        RecordError: no such recipe.

    Example:
        >>> command("average").split()[-4:]
        ['--ema', '0.98', '--out', 'results/recipe/average']
    """
    parts = [
        f"ser run --corpus {corpus} --root {corpus.upper()} --model mfcc-lstm,ds-lstm,dual",
        f"--protocol speakers --select last,dev,test --seeds {seeds} --epochs 15 --batch-size 32",
        "--no-models --quiet",
        options_of(name),
        f"--out results/{recipe_folder(corpus)}/{name}",
    ]
    return " ".join(filter(None, parts))
