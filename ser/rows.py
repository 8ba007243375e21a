"""The rows of the results table, by name (the paper's ablations; book: "Ablations").

Nothing here imports torch, so the command line can list rows at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from ser.errors import ModelError


@dataclass(frozen=True)
class ModelRow:
    """One line of the results table.

    Attributes:
        name: what ``--model`` takes.
        release: the row's name in the authors' code, "" if it is ours.
        kind: ``"network"``; ``"fused"``: the mean of other rows' logits; ``"baseline"``: no
            network at all.
        branches: the rows that a fused row fuses, or the row itself.
        summary: one line for people.
        needs: features a network reads.
        options: of the DS-LSTM.
        base: of a row with a recipe, the row whose network it trains.
        recipe: settings of :class:`ser.training.TrainConfig` that belong to the row and replace
            those of the run.
        own: of a network that is not the book's, what makes it (:func:`ser.models.add_row`).
        source: SHA-256 of the source of such a network.
        needs_weights: whether it needs a file of weights that does not come with the package;
            ``--model all`` leaves such rows out.
    """

    name: str
    release: str
    kind: str
    branches: tuple[str, ...]
    summary: str
    needs: frozenset[str] = frozenset()
    options: dict[str, bool] = field(default_factory=dict)
    base: str = ""
    recipe: dict[str, Any] = field(default_factory=dict)
    own: Callable[..., Any] | None = None
    source: str = ""
    needs_weights: bool = False
    fusion: str = "logits"

    @property
    def variant(self) -> bool:
        """Whether the row is another row with a part changed, or with a recipe."""
        return bool(self.recipe) or any(
            self.name.endswith(suffix) for suffix in _VARIANTS if suffix
        )

    @property
    def beyond(self) -> bool:
        """Whether it hears prosody or ComParE's functionals: features that take long to make."""
        return any("prosody" in part or "compare" in part for part in self.branches)


_NORMS = {"gate_norm": True, "output_norm": True, "y_candidate": True}
_VARIANTS = {
    "": ({}, "", "as released"),
    "-no-y-candidate": ({"y_candidate": False}, "model1", "no y-candidate"),
    "-no-gate-norm": ({"gate_norm": False}, "model2", "without the gates' norm"),
    "-no-output-norm": ({"output_norm": False}, "model3", "without the output's norm"),
    "-equations": (
        {"gate_norm": False, "output_norm": False},
        "",
        "the paper's equations, no norm",
    ),
}

PLUS: dict[str, Any] = {"normalise": "speaker"}
"""The recipe of ``dual+``, chosen on EmoDB's dev speakers (book: "What lifts it, honestly").

It is transductive: every speaker's features are normalised by all of that speaker's utterances,
those of the test included, though never by a label.
"""


def _rows() -> dict[str, ModelRow]:
    both = frozenset({"s1", "s2"})
    rows = [
        ModelRow("mfcc-lstm", "base1", "network", ("mfcc-lstm",), "LSTM on MFCCs",
            frozenset({"mfcc"})),
        ModelRow("cnn-lstm-s1", "base2", "network", ("cnn-lstm-s1",),
            "CNN and LSTM on the time-fine spectrogram", frozenset({"s1"})),
        ModelRow("cnn-lstm-s2", "base3", "network", ("cnn-lstm-s2",),
            "CNN and LSTM on the frequency-fine spectrogram", frozenset({"s2"})),
        ModelRow("cnn-lstm-pair", "base4", "network", ("cnn-lstm-pair",),
            "both spectrograms, pooled outputs concatenated", both),
        ModelRow("mfcc+cnn-lstm-s1", "base6", "fused", ("mfcc-lstm", "cnn-lstm-s1"),
            "mfcc-lstm and cnn-lstm-s1, logits averaged"),
        ModelRow("mfcc+cnn-lstm-pair", "base5", "fused", ("mfcc-lstm", "cnn-lstm-pair"),
            "mfcc-lstm and cnn-lstm-pair, logits averaged"),
        ModelRow("concat-lstm", "", "network", ("concat-lstm",),
            "both spectrograms, one plain LSTM over them side by side", both),
    ]  # fmt: skip
    for suffix, (change, _, text) in _VARIANTS.items():
        name = "ds-lstm" + suffix
        release = "" if suffix else "model10"
        rows.append(
            ModelRow(name, release, "network", (name,), f"DS-LSTM on both spectrograms, {text}",
                both, {**_NORMS, **change})
        )  # fmt: skip
    for suffix, (_, release, text) in _VARIANTS.items():
        branch = "ds-lstm" + suffix
        rows.append(
            ModelRow("dual" + suffix, release if suffix else "model4", "fused",
                ("mfcc-lstm", branch), f"mfcc-lstm and {branch} ({text}), logits averaged")
        )  # fmt: skip
    rows += recipe_rows(rows, PLUS)
    rows += [
        ModelRow("prosody-lstm", "", "network", ("prosody-lstm",),
            "LSTM on prosody, frame by frame (eGeMAPS's 25 descriptors)", frozenset({"prosody"})),
        ModelRow("ds-lstm-prosody", "", "network", ("ds-lstm-prosody",),
            "DS-LSTM on MFCCs and prosody at one clock, no CNN", frozenset({"mfcc", "prosody"})),
        ModelRow("triple", "", "fused", ("mfcc-lstm", "ds-lstm", "prosody-lstm"),
            "dual and prosody-lstm, logits averaged"),
    ]  # fmt: skip
    rows += [
        ModelRow("majority", "", "baseline", ("majority",), "always the most frequent emotion"),
        ModelRow("egemaps-svm", "", "baseline", ("egemaps-svm",),
            "eGeMAPS functionals and an RBF SVM"),
        ModelRow("egemaps-lr", "", "baseline", ("egemaps-lr",),
            "eGeMAPS functionals and logistic regression"),
        ModelRow("compare-lr", "", "baseline", ("compare-lr",),
            "ComParE's 6,373 functionals and logistic regression"),
        ModelRow("ssl-lr", "", "baseline", ("ssl-lr",),
            "features learnt from much speech (--ssl) and logistic regression",
            needs_weights=True),
        ModelRow("level-lr", "", "baseline", ("level-lr",),
            "only the sound level, logistic regression"),
        ModelRow("duration-lr", "", "baseline", ("duration-lr",),
            "only the duration, logistic regression"),
    ]  # fmt: skip
    rows += [
        replace(row, name=f"{row.name}+", branches=(f"{row.name}+",), base=row.name, recipe=PLUS,
                summary=f"{row.summary}, functionals normalised by speaker as dual+ has it")
        for row in rows
        if row.name.startswith("egemaps")
    ]  # fmt: skip
    return {row.name: row for row in rows}


def recipe_rows(rows: list[ModelRow], recipe: dict[str, Any]) -> list[ModelRow]:
    """``mfcc-lstm+``, ``ds-lstm+`` and ``dual+``: the same networks, trained by *recipe*.

    >>> [row.branches for row in recipe_rows(list(ROWS.values()), {"dropout": 0.3})][-1]
    ('mfcc-lstm+', 'ds-lstm+')
    """
    told, found = ", ".join(f"{k} {v}" for k, v in recipe.items()), []
    for base in (row for row in rows if row.name in ("mfcc-lstm", "ds-lstm", "dual")):
        change = {"name": f"{base.name}+", "release": "", "base": base.name, "recipe": recipe}
        branches = tuple(f"{branch}+" for branch in base.branches)
        summary = f"{base.name}, by our recipe: {told}"
        found.append(replace(base, **change, branches=branches, summary=summary))
    return found


def _averaged(name: str, parts: tuple[str, ...]) -> ModelRow:
    """Raises ModelError where a part is fused itself, or named twice."""
    if len(set(parts)) < len(parts):
        raise ModelError(f"{name} names a row twice")
    if fused := [part for part in parts if ROWS[part].kind == "fused"]:
        raise ModelError(
            f"{name}: {fused[0]} is fused itself; name its branches, "
            f"{' and '.join(ROWS[fused[0]].branches)}"
        )
    told = f"{', '.join(parts[:-1])} and {parts[-1]}, probabilities averaged"
    return ModelRow(name, "", "fused", parts, told, fusion="probabilities")


ROWS: dict[str, ModelRow] = _rows()
"""Every row by name, in the order of the table; :func:`ser.models.add_row` puts more behind it."""


def get_row(name: str) -> ModelRow:
    """The row of that name; of names joined by ``+``, the row that averages their probabilities.

    Raises:
        ModelError: no such row; the message lists close names.

    >>> get_row("dual").branches
    ('mfcc-lstm', 'ds-lstm')
    >>> get_row("prosody-lstm+egemaps-lr").summary
    'prosody-lstm and egemaps-lr, probabilities averaged'
    """
    if name in ROWS:
        return ROWS[name]
    parts = re.split(r"\+(?=[A-Za-z])", name)  # dual+ is a name, its plus no joint
    if len(parts) > 1 and all(part in ROWS for part in parts):
        return _averaged(name, tuple(parts))
    close = difflib.get_close_matches(name, ROWS, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"there are {', '.join(ROWS)}"
    raise ModelError(
        f"no model is called {name!r}; {hint} (a network of your own is added first: ser.add_row, "
        "or ser run --rows FILE)"
    )
