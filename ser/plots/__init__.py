"""Figures of a report and of one run; each function takes data and returns a matplotlib ``Figure``.

A figure stands on a light card of its own with dark text, so that it reads the same on a light
and on a dark page (no single text colour has enough contrast on both). Colours are Okabe and
Ito's, which colour-blind readers can tell apart; shape or text says the same again. Fonts stay
readable when a telephone shrinks the figure to its width. Nothing here keeps a figure
in pyplot.

:func:`describe` says in words what a figure shows; :func:`show` puts a figure on a page with
caption and alternative text.

>>> from ser.plots import confusion_matrix, describe
>>> fig = confusion_matrix([[3, 1, 0, 0], [0, 2, 0, 0], [0, 0, 1, 1], [0, 0, 0, 4]])
>>> describe(fig)[:62]
'Confusion matrix of 12 answers, rows true: angry recalled 75 %'
"""

from ser.plots.html import Html
from ser.plots.results import confusion_matrix, paired_difference, results_table_plot
from ser.plots.style import EMOTION_COLOURS, describe, show
from ser.plots.training import learning_curves, reliability_diagram

__all__ = [
    "EMOTION_COLOURS",
    "Html",
    "confusion_matrix",
    "describe",
    "learning_curves",
    "paired_difference",
    "reliability_diagram",
    "results_table_plot",
    "show",
]
