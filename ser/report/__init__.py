"""Tables, confusion matrices and paired comparisons, from records alone (``ser report``).

Book: chapters "EmoDB, measured" and "Ablations".

>>> from ser.report import make_report
>>> report = make_report("book/results/emodb-loso")     # doctest: +SKIP
>>> print(report.to_text())                             # doctest: +SKIP
>>> report.table                                        # doctest: +SKIP
"""

from ser.report.build import Report, make_report
from ser.report.compare_runs import RunsComparison, compare_records
from ser.report.comparison import Comparison, compare
from ser.report.load import load_records
from ser.report.pool import Row, pool_records, row_order
from ser.report.record import Record

__all__ = [
    "Comparison",
    "Record",
    "Report",
    "Row",
    "RunsComparison",
    "compare",
    "compare_records",
    "load_records",
    "make_report",
    "pool_records",
    "row_order",
]
