"""The LSTM's cell and the DS-LSTM's, drawn: whole, or as far as a chapter has come.

Colours are roles of :data:`chapters.shared.svg.ROLES`; the chapters' equations use the same, as
``{\\color{#0067a3}{i^T_t}}``. Book: chapters "The LSTM" and "The DS-LSTM".
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ser.plots.html import Html

from chapters.shared.svg import Drawing, figure

__all__ = ["LSTM_PARTS", "cells", "ds_lstm_cell", "lstm_cell"]

WIDTH, HEIGHT = 400, 300
MEMORY, PRODUCT, GATE, BUS = 46, 108, 156, 232
"""Heights of the memory's line, of what is written, of the gates' edge, of the first input."""

LSTM_PARTS = ("forget", "write", "show")
"""The parts of the LSTM's cell that :func:`lstm_cell` draws."""

DS_PARTS = ("candidates", "gates", "forget", "show")
_READING = "× multiplies and + adds, element by element; a dot joins two lines."


def lstm_cell(parts: Collection[str] = LSTM_PARTS, lit: str = "", title: str = "") -> Drawing:
    """The LSTM's cell at step t, with those of :data:`LSTM_PARTS` that are named.

    Args:
        parts: ``"forget"``: the memory and the gate that keeps it; ``"write"``: candidate and input
            gate; ``"show"``: output gate and output.
        lit: the part that is new, drawn stronger.
        title: above the drawing.

    Example:
        >>> lstm_cell(["forget"]).described[:47]
        'The memory c of the step before, times the forg'
    """
    said = {
        "forget": "The memory c of the step before, times the forget gate f, goes on to the right.",
        "write": "The candidate g times the input gate i is added to it: the new memory c.",
        "show": "The tanh of the new memory times the output gate o is the output h.",
    }
    d = _canvas(title or "LSTM", parts, said, "Every gate and the candidate read x and the last h.")
    buses = {"x": (BUS, "mfcc", "$x_t$"), "h": (BUS + 40, "ink", "$h_{t-1}$")}
    _inputs(d, buses)
    _memory(d)
    _parts(
        d, buses, parts, lit,
        forget=("forget", 70), show=("show", 350),
        writes=[("write", "write", 160, 228, "$i_t$", "$g_t$", "mfcc", "xh", "xh")],
    )  # fmt: skip
    return d


def ds_lstm_cell(parts: Collection[str] = DS_PARTS, lit: str = "", title: str = "") -> Drawing:
    """The DS-LSTM's cell at step t, with those parts that are named.

    Args:
        parts: ``"candidates"``: what x and what y would write; ``"gates"``: an input gate for each
            and the sum; ``"forget"``; ``"show"``.
        lit: the part that is new, drawn stronger.
        title: above the drawing.

    Example:
        >>> "y" in ds_lstm_cell().described
        True
    """
    said = {
        "candidates": "Candidate gT reads x and the last h, candidate gF reads y and the last h.",
        "gates": "Each candidate, times its own input gate, iT or iF, is added to the memory.",
        "forget": "Before that the memory of the step before is multiplied by the forget gate f.",
        "show": "The tanh of the new memory times the output gate o is the output h.",
    }
    d = _canvas(title or "DS-LSTM", parts, said, "All gates read x, y and the last h.")
    buses = {
        "x": (BUS, "time", "$x_t$"),
        "y": (BUS + 20, "frequency", "$y_t$"),
        "h": (BUS + 40, "ink", "$h_{t-1}$"),
    }
    _inputs(d, buses)
    _memory(d)
    _parts(
        d, buses, parts, lit,
        forget=("forget", 70), show=("show", 356),
        writes=[
            ("gates", "candidates", 126, 180, "$i^T_t$", "$g^T_t$", "time", "xyh", "xh"),
            ("gates", "candidates", 240, 294, "$i^F_t$", "$g^F_t$", "frequency", "xyh", "yh"),
        ],
    )  # fmt: skip
    return d


def cells(*drawn: Drawing, caption: str) -> Html:
    """One cell, or several beside each other (below each other on a telephone), as a figure."""
    return figure(drawn, f"{caption} {_READING}")


def _canvas(title: str, parts: Collection[str], said: dict[str, str], reads: str) -> Drawing:
    if unknown := sorted(set(parts) - set(said)):
        raise ValueError(f"no part is called {unknown[0]!r}; there are {', '.join(said)}")
    described = " ".join([*(said[name] for name in said if name in parts), reads])
    d = Drawing(WIDTH, HEIGHT, title, described)
    d.text(WIDTH / 2, 18, title, bold=True)
    return d


def _inputs(d: Drawing, buses: dict[str, tuple[float, str, str]]) -> None:
    for y, role, name in buses.values():
        d.text(6, y + 5, name, role, anchor="start", bold=True)
        d.line((44, y), (372, y), role=role)


def _memory(d: Drawing) -> None:
    d.arrow((36, MEMORY), (372, MEMORY), role="memory", width=3)
    d.text(2, MEMORY + 5, "$c_{t-1}$", "memory", anchor="start", bold=True)
    d.text(376, MEMORY + 5, "$c_t$", "memory", anchor="start", bold=True)


def _parts(d: Drawing, buses, parts, lit, *, forget, show, writes: Sequence[tuple]) -> None:
    every = "".join(buses)

    def part(name: str):
        return d.group(lit=True if name == lit else None)

    if "forget" in parts:
        with part("forget"):
            _gate(d, forget[1], "$f_t$", "σ", "forget", buses, every)
            d.arrow((forget[1], GATE), (forget[1], MEMORY + 11), role="forget")
            d.circle(forget[1], MEMORY, 11, "×", "memory")
    for gate, candidate, at, beside, i, g, role, gate_reads, reads in writes:
        middle = (at + beside) / 2
        if candidate in parts:
            with part(candidate):
                _gate(d, beside, g, "tanh", role, buses, reads)
        if gate in parts:
            with part(gate):
                _gate(d, at, i, "σ", role, buses, gate_reads)
                d.arrow((at, GATE), (at, PRODUCT), (middle - 11, PRODUCT), role=role)
                d.arrow((beside, GATE), (beside, PRODUCT), (middle + 11, PRODUCT), role=role)
                d.circle(middle, PRODUCT, 11, "×", role)
                d.arrow((middle, PRODUCT - 11), (middle, MEMORY + 11), role=role)
                d.circle(middle, MEMORY, 11, "+", "memory")
    if "show" in parts:
        at = show[1]
        with part("show"):
            _gate(d, at, "$o_t$", "σ", "output", buses, every)
            d.arrow((at, GATE), (at, PRODUCT + 21), role="output")
            d.line((at, MEMORY), (at, 66), role="memory")
            d.box(at - 23, 64, 46, 22, role="memory", rounded=4)
            d.text(at, 80, "tanh", "memory", size=14)
            d.arrow((at, 86), (at, PRODUCT - 1), role="memory")
            d.circle(at, PRODUCT + 10, 11, "×", "output")
            d.arrow((at + 11, PRODUCT + 10), (WIDTH - 14, PRODUCT + 10))
            d.text(WIDTH - 2, PRODUCT + 32, "$h_t$", anchor="end", bold=True)


def _gate(d: Drawing, x: float, name: str, by: str, role: str, buses, reads: str) -> None:
    """A box that reads those *buses* that are named in *reads*."""
    lowest = max(buses[key][0] for key in reads)
    d.arrow((x, lowest), (x, GATE + 48), role=role)
    for key in reads:
        d.dot(x, buses[key][0], buses[key][1])
    d.box(x - 23, GATE, 46, 48, role=role)
    d.text(x, GATE + 24, name, role, size=16, bold=True)
    d.text(x, GATE + 42, by, "ink", size=13)
