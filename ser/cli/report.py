"""``ser report``: tables, confusion matrices and paired tests from the records of runs."""

from __future__ import annotations

import argparse
import json
import sys

from ser.cli.options import positive

DESCRIPTION = """\
Reads the records that 'ser run' left in a folder (and in its sub-folders) and reports WA
(plain accuracy) and UA (mean recall of the classes), each on the pool of all folds: mean and
standard deviation over seeds, and a 95 % interval that resamples speakers. Nothing is trained
and nothing but the records is needed."""

EPILOG = """\
examples:
  ser report results/emodb-loso                     tables, one confusion matrix, comparisons
  ser report results/emodb-loso results/emodb-random       several folders at once
  ser report results/emodb-loso --selection last    only the last epoch's scores
  ser report results/emodb-loso --confusion         every row's confusion matrix
  ser report results/emodb-loso --confusion ds-lstm        that of one row
  ser report results/emodb-loso --compare dual mfcc-lstm   is the difference chance?
  ser report results/emodb-loso --json > report.json       for a program; fractions of 1
  ser report results/a --same-as results/b          do two runs of a grid give the same records?
  ser report results/emodb-loso --csv table.csv --figures figures

how to read it:
  last    the model after its last epoch; the honest number without a dev set
  dev     the epoch that a dev set, taken from the training side, chose
  test*   the epoch that the test fold itself chose, as the paper did; too good to be true
  (T)     transductive: it heard all recordings of a test speaker, though no label, before it
          answered; not to be set against rows that did not
  (E K)   enrolment: K neutral recordings of a test speaker, which are not tested, say what the
          voice is like
  (R)     running: what the speaker tested had said before counts; nor is this to be set against
          rows that answer from one recording
  n of    how much of the whole corpus was tested; UA over 3 classes is not UA over four
  folds   finished/all; the command that made the records runs the missing ones
  p       of swapping the two rows' answers for whole speakers; with n speakers never below 2/2^n
  detect  the least true difference that 4 of 5 studies with so many speakers would find; -: none

exit codes: 0 done, 1 not the same (--same-as), 2 no records, a damaged record, or wrong usage"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.description = DESCRIPTION
    parser.epilog = EPILOG
    parser.add_argument("folders", nargs="+", metavar="DIR", help="what 'ser run --out' wrote")
    parser.add_argument(
        "--selection",
        choices=("last", "dev", "test", "all"),
        default="all",
        help="which choice of epoch to show (default: all there are)",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        action="append",
        metavar=("ROW_A", "ROW_B"),
        help="paired comparison of two rows; may be given several times",
    )
    parser.add_argument(
        "--confusion",
        nargs="?",
        const="all",
        metavar="ROW",
        help="confusion matrices of ROW, or 'all' (also without ROW), or 'none' "
        "(default: dual, last epoch)",
    )
    parser.add_argument(
        "--resamples",
        type=positive,
        default=2000,
        metavar="N",
        help="bootstrap resamples of the intervals (default: 2000)",
    )
    parser.add_argument(
        "--same-as",
        metavar="DIR",
        help="compare run by run with the records there, and report nothing else",
    )
    parser.add_argument(
        "--tolerance",
        type=_tolerance,
        default=0.0,
        metavar="X",
        help="largest difference of a logit that counts as the same (default: 0)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--csv", metavar="FILE", help="write the table as CSV; - prints it")
    parser.add_argument(
        "--figures", metavar="DIR", help="write figures (PNG) and their descriptions there"
    )


def main(args: argparse.Namespace) -> int:
    """Print the report; 0, or an error of :mod:`ser.errors`."""
    from ser.errors import RecordError
    from ser.paths import atomic_write
    from ser.report import make_report

    if args.json and args.csv == "-":
        raise RecordError("--json and --csv - both want the screen; write the CSV to a file")
    if args.same_as:
        return _same(args)
    report = make_report(args.folders, args.selection, args.resamples)
    comparisons = None
    if args.compare:
        chosen = "last" if args.selection == "all" else args.selection
        comparisons = [c for a, b in args.compare for c in report.paired(a, b, chosen)]
    if args.csv == "-":
        text = report.to_csv()
    elif args.json:
        text = report.to_json(comparisons) + "\n"
    else:
        text = report.to_text(args.confusion, comparisons)
    if args.csv and args.csv != "-":
        with atomic_write(args.csv) as stream:
            stream.write(report.to_csv().encode("utf-8"))
    if args.figures:
        from ser.plots.gallery import write_gallery

        for path in write_gallery(report, args.figures, comparisons):
            print(path, file=sys.stderr)
    sys.stdout.write(text)
    return 0


def _same(args: argparse.Namespace) -> int:
    from ser.report.compare_runs import compare_records

    found = compare_records(args.folders, args.same_as, args.tolerance)
    text = json.dumps(found.as_dict(), indent=1, allow_nan=False) + "\n"
    sys.stdout.write(text if args.json else found.to_text())
    return 0 if found.same else 1


def _tolerance(text: str) -> float:
    value = float(text)
    if not value >= 0:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value
