"""The report: rows, their table, confusion matrices and paired comparisons."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from ser.errors import RecordError
from ser.report.comparison import Comparison, compare
from ser.report.load import Source, records_of
from ser.report.pool import Row, pool_records
from ser.report.summary import all_notes, row_dict
from ser.report.text import render

DEFAULT_PAIRS: tuple[tuple[str, str], ...] = (
    ("ds-lstm", "cnn-lstm-pair"),
    ("dual", "mfcc-lstm"),
    ("dual", "ds-lstm"),
)
"""The paper's claims: DS-LSTM against two LSTMs, fusion against its branches."""


class Report:
    """What records say, as a table, text, CSV, JSON.

    Attributes:
        rows: the lines of the table, in the order of the paper's table within each block
            (corpus, protocol).
        table: DataFrame, one line a row: ``corpus``, ``test_corpus``, ``protocol``, ``preset``,
            ``model``, ``label`` (the model, marked where it is transductive), ``selection``,
            ``seeds`` and ``folds`` (how many), ``folds_total``, ``n``
            utterances, ``n_expected`` (of the whole corpus), ``classes`` (how many were tested),
            ``emotions`` (the whole set),
            ``missing`` (of the corpus, in words), ``speakers``, ``wa``, ``wa_sd``, ``wa_low``,
            ``wa_high``, ``ua`` and so on (fractions of 1; sd over seeds is NaN with one seed),
            ``parameters``, ``epochs``, ``test_chosen``, ``transductive``, ``tuning`` (of
            baselines).
        notes: what the reader should know.
        resamples: bootstrap resamples behind every interval.

    Example:
        >>> report = make_report("book/results/emodb-loso")       # doctest: +SKIP
        >>> report.table[["model", "selection", "ua"]]            # doctest: +SKIP
        >>> report.paired("dual", "mfcc-lstm")[0].result.ua_p     # doctest: +SKIP
    """

    def __init__(self, rows: Sequence[Row], resamples: int = 2000) -> None:
        self.rows = list(rows)
        self.resamples = resamples
        self._dicts = [row_dict(row, resamples) for row in self.rows]
        wide = ("choice", "recalls", "confusion", "confusion_percent", "leak", "notes")
        self.table = pd.DataFrame(
            [{k: v for k, v in d.items() if k not in wide} for d in self._dicts]
        )
        self.table["classes"] = self.table["classes"].map(len)
        self.table["emotions"] = self.table["emotions"].map(tuple)
        self.table["missing"] = self.table["missing"].map("; ".join)
        self.table["n_expected"] = self.table["n_expected"].astype("Int64")
        for column in ("wa_sd", "wa_low", "wa_high", "ua_sd", "ua_low", "ua_high"):
            self.table[column] = self.table[column].astype(float)
        self.notes = all_notes(self.rows)

    def row(self, model: str, selection: str = "last", **where: str) -> Row:
        """The first row of *model*; *where* narrows by corpus, protocol, preset.

        Raises:
            RecordError: there is none; the message lists what there is.
        """
        return self._find(model, selection, **where)[0]

    def paired(
        self, row_a: str, row_b: str, selection: str = "last", **where: str
    ) -> list[Comparison]:
        """Compare two rows wherever both were run (each corpus, protocol and preset).

        Utterances that only one of the rows has answered so far are left out.

        Args:
            row_a, row_b: models.
            selection: of both.
            where: narrows by ``corpus``, ``test_corpus``, ``protocol``, ``preset``.

        Raises:
            RecordError: a row is missing, or the two share no utterance.
        """
        result = []
        others = self._find(row_b, selection, **where)
        for a in self._find(row_a, selection, **where):
            for b in others:
                if a.block == b.block and (a.preset == b.preset or not (a.preset and b.preset)):
                    result.append(compare(a, b, self.resamples))
        if not result:
            raise RecordError(
                f"{row_a} and {row_b} were not run on the same corpus, protocol and preset"
            )
        return result

    def default_pairs(self) -> list[Comparison]:
        """The paper's claims where the rows are there; else the two rows, if there are two.

        Rows that have no tested utterance in common (yet) are passed over, and a note says so.
        """
        where: dict[str, set] = {}
        for row in self.rows:
            if row.selection == "last":
                where.setdefault(row.model, set()).add((row.block, row.preset))
        pairs = [pair for pair in DEFAULT_PAIRS if set(pair) <= where.keys()]
        if not pairs and len(where) == 2:
            pairs = [tuple(reversed(where))]
        found = []
        for pair in pairs:
            if where[pair[0]] & where[pair[1]]:
                try:
                    found += self.paired(*pair)
                except RecordError as error:
                    note = f"not compared: {error}"
                    self.notes[:] = dict.fromkeys([*self.notes, note])
        return found

    def default_row(self) -> Row:
        """The row whose confusion is shown unasked: ``dual`` if there, else the table's last.

        The last epoch's, and one whose folds are all there, where there is one.
        """
        rows = [r for r in self.rows if r.selection == "last"] or self.rows
        rows = [r for r in rows if r.folds == r.folds_total] or rows
        return next((r for r in rows if r.model == "dual"), rows[-1])

    def to_json(self, comparisons: Sequence[Comparison] | None = None) -> str:
        """Everything as JSON; scores are fractions of 1, what is unknown is null.

        *comparisons* as given, or :meth:`default_pairs`.
        """
        if comparisons is None:
            comparisons = self.default_pairs()
        sets = {row.emotions for row in self.rows}
        body = {
            "schema": 1,
            "emotions": list(self.rows[0].emotions) if len(sets) == 1 else None,
            "resamples": self.resamples,
            "rows": self._dicts,
            "paired": [c.as_dict() for c in comparisons],
            "notes": self.notes,
        }
        return json.dumps(body, indent=1, allow_nan=False)

    def to_csv(self) -> str:
        """The table as CSV with one header line; fractions of 1, empty where unknown."""
        table = self.table.assign(emotions=self.table.emotions.map(", ".join))
        return table.to_csv(index=False, lineterminator="\n")

    def to_text(
        self,
        confusion: str | None = None,
        comparisons: Sequence[Comparison] | None = None,
    ) -> str:
        """The report for people: tables, notes, confusion matrices, comparisons.

        Args:
            confusion: ``"all"``, ``"none"``, a model's name, or None (:meth:`default_row`).
            comparisons: as given, or :meth:`default_pairs`.
        """
        if confusion is None:
            rows = [self.default_row()]
        elif confusion in ("all", "none"):
            rows = self.rows if confusion == "all" else []
        else:
            rows = self._find(confusion, None)
        if comparisons is None:
            comparisons = self.default_pairs()
        return render(self.rows, self._dicts, self.notes, rows, comparisons)

    def _find(self, model: str, selection: str | None, **where: str) -> list[Row]:
        found = [
            r
            for r in self.rows
            if r.model == model
            and selection in (None, r.selection)
            and all(getattr(r, k) == v for k, v in where.items())
        ]
        if not found:
            have = ", ".join(dict.fromkeys(f"{r.model} ({r.selection})" for r in self.rows))
            what = f"{model} ({selection})" if selection else model
            raise RecordError(f"no row {what} in these records; there are: {have}")
        return found


def make_report(
    source: Source,
    selection: str = "all",
    resamples: int = 2000,
) -> Report:
    """Read records and report on them.

    Args:
        source: results folder, several folders, or records already loaded.
        selection: ``"last"``, ``"dev"``, ``"test"`` or ``"all"``: which choice of epoch to show.
        resamples: bootstrap resamples of the intervals.

    Returns:
        :class:`Report`.

    Raises:
        RecordError: as :func:`ser.report.load_records`, or no row with that selection.
    """
    rows = pool_records(records_of(source))
    chosen = [r for r in rows if selection in ("all", r.selection)]
    if not chosen:
        have = ", ".join(dict.fromkeys(r.selection for r in rows))
        raise RecordError(f"no record has selection {selection!r}; these have: {have}")
    return Report(chosen, resamples)
