"""What a record of a run says, each fact a field (book: "Ablations")."""

from __future__ import annotations

from collections.abc import Sequence


def given_options(words: Sequence[str]) -> dict[str, str]:
    """The options of a command, in the order in which they were given.

    Args:
        words: of the command, as a shell has taken it apart.

    Returns:
        Name -> value; ``""`` for an option without one, several values joined by a blank.

    Example:
        >>> given_options(["run", "--model", "dual", "--seeds=3", "--quiet"])
        {'--model': 'dual', '--seeds': '3', '--quiet': ''}
    """
    options: dict[str, str] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name, _, value = word.partition("=")
            options[name] = value
        elif name:
            options[name] = f"{options[name]} {word}".strip()
    return options
