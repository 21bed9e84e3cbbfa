"""The report's charts, as PNG files and as SVG that adapts to the colours of the page around it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from cyclevos.analysis.report.bars import BarChart
from cyclevos.analysis.report.measures import Measured
from cyclevos.analysis.report.runs import shared_prediction
from cyclevos.analysis.report.svg import inlined
from cyclevos.evaluation.calibration import FAILED
from cyclevos.naming import natural_key

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RUN_COLOURS = ("#4385c9", "#dd8133", "#3a9e78", "#a26bd0", "#cf5068", "#8f8b2e", "#2fa3b5", "#a0705a")
"""Colours of the runs, visible on white and on black; the ninth run gets the first colour again."""

_WIDTH = 10.0  # inches
_PANELS = 3  # of the calibration, in a row
_LONGEST = 28  # characters of a name; longer names are cut
MOST_BARS = 60
"""Sequences that a bar chart shows at most: those with the lowest values."""


@dataclass(frozen=True)
class Theme:
    """Colours of everything but the data.

    Attributes:
        ink: text.
        line: axes and grid.
        paper: behind the chart.
        legend: whether the chart names the runs itself.
    """

    ink: str
    line: str
    paper: str
    legend: bool


PRINTED = Theme("#333333", "#d8d8d8", "#ffffff", legend=True)
# Unique colours, which are replaced in the SVG by those of the page.
_ON_PAGE = Theme("#010203", "#040506", "none", legend=False)
_PAGE_COLOURS = {_ON_PAGE.ink: "var(--ink)", _ON_PAGE.line: "var(--line)"}


def run_colour(run: int) -> str:
    """Return the colour of a run by its number."""
    return RUN_COLOURS[run % len(RUN_COLOURS)]


def timeline_chart(measured: Measured, sequence: str, theme: Theme) -> Figure | None:
    """Draw J and reliability over time, with a row of panels per object and a line per run.

    Args:
        measured: the runs.
        sequence: its name.
        theme: its colours.

    Returns:
        A figure for :func:`to_svg` or :func:`to_png`; None if the sequence has no values.
    """
    from matplotlib.figure import Figure

    truth, trust = _lines(measured, sequence)
    names = {name for run in measured.runs for name in run.masks.get(sequence, {})}
    frames = sorted(names.union(*truth.values(), *trust.values()), key=natural_key)
    objects = sorted({key[1] for key in (*truth, *trust)})
    predicted = shared_prediction(measured.runs)
    columns = [(label, values) for label, values in (("J", truth), (predicted, trust)) if values]
    if not objects:
        return None
    with _style(theme):
        figure = Figure(figsize=(_WIDTH, 0.5 + 1.75 * len(objects)), layout="constrained")
        panels = figure.subplots(len(objects), len(columns), squeeze=False, sharex=True, sharey=True)
        for i, row in zip(objects, panels, strict=True):
            for panel, (label, values) in zip(row, columns, strict=True):
                for (run, object_id), line in values.items():
                    if object_id == i:
                        panel.plot(_over(frames, line), color=run_colour(run), linewidth=1.5)
                panel.set_title(label if len(objects) == 1 else f"{label}, object {i}", loc="left")
                panel.set_xlim(0, max(1, len(frames) - 1))
                panel.set_ylim(-0.02, 1.02)
        for panel in panels[-1]:
            panel.set_xlabel("frame")
        _legend(figure, measured, theme)
    return figure


def calibration_chart(measured: Measured, theme: Theme, runs: Sequence[int]) -> Figure | None:
    """Draw predicted J against true J of every mask, one panel per run; None if no run has both."""
    from matplotlib.figure import Figure

    points = {run: found for run in runs if (found := measured.predictions(run)) is not None}
    if not points:
        return None
    rows = -(-len(points) // _PANELS)
    columns = min(_PANELS, len(points))
    with _style(theme):
        figure = Figure(figsize=(_WIDTH * columns / _PANELS, 0.4 + 3.2 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, squeeze=False).ravel()
        for panel in panels[len(points) :]:
            panel.set_axis_off()
        for panel, (run, found) in zip(panels, points.items(), strict=False):
            _scatter(panel, found.predicted, found.truth, run_colour(run))
            panel.set_xlabel(measured.runs[run].prediction)
            panel.set_title(_short(measured.runs[run].name), loc="left")
    return figure


def bar_chart(bars: BarChart, measured: Measured, theme: Theme) -> Figure | None:
    """Draw bars of every sequence, or of the lowest :data:`MOST_BARS`: a group per sequence and a bar per run."""
    from matplotlib.figure import Figure

    if not bars.rows:
        return None
    count = len(measured.runs)
    thickness = 0.8 / count
    values = {name: [100 * (bar.value or 0) for bar in row] for name, row in bars.rows}
    lowest = sorted(values, key=lambda name: min(values[name]))[:MOST_BARS]
    shown = [name for name in values if name in lowest]
    with _style(theme):
        height = 0.8 + len(shown) * (0.12 + 0.13 * count)
        figure = Figure(figsize=(_WIDTH * 0.8, height), layout="constrained")
        panel = figure.subplots()
        for run in range(count):
            places = [y + (run - (count - 1) / 2) * thickness for y in range(len(shown))]
            panel.barh(places, [values[name][run] for name in shown], thickness * 0.9, color=run_colour(run))
        panel.set_yticks(range(len(shown)), [_short(name) for name in shown])
        panel.set_ylim(len(shown) - 0.5, -0.5)
        panel.set_xlim(0, 100)
        panel.grid(visible=False, axis="y")
        panel.set_xlabel(bars.measure)
        _legend(figure, measured, theme)
    return figure


def to_png(figure: Figure) -> bytes:
    """Draw a figure as PNG."""
    data = io.BytesIO()
    with _style(PRINTED):
        figure.savefig(data, format="png", dpi=110, facecolor=PRINTED.paper)
    return data.getvalue()


def on_page() -> Theme:
    """Return the theme of figures for :func:`to_svg`."""
    return _ON_PAGE


def to_svg(figure: Figure, description: str, prefix: str) -> str:
    """Draw a figure with the theme :func:`on_page` as an svg element; see :func:`.svg.inlined`."""
    text = io.StringIO()
    with _style(_ON_PAGE):
        figure.savefig(text, format="svg", transparent=True, metadata={"Date": None})
    return inlined(text.getvalue(), description, prefix, _PAGE_COLOURS)


@contextmanager
def _style(theme: Theme) -> Iterator[None]:
    """Set the style of charts; names of runs and sequences are text, never formulas."""
    from matplotlib import rc_context

    values: Any = {
        "text.parse_math": False,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.line,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9,
        "axes.labelsize": 8,
        "grid.color": theme.line,
        "grid.linewidth": 0.6,
        "xtick.color": theme.line,
        "ytick.color": theme.line,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "figure.facecolor": theme.paper,
        "legend.fontsize": 8,
        "svg.fonttype": "none",
        "svg.hashsalt": "cyclevos",
    }
    with rc_context(values), warnings.catch_warnings():
        # Names may be in any script; the browser has the letters that matplotlib's font lacks.
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


def _lines(
    measured: Measured, sequence: str
) -> tuple[dict[tuple[int, int], dict[str, float]], dict[tuple[int, int], dict[str, float]]]:
    """Return J and reliability by run and object, each by frame name."""
    truth: dict[tuple[int, int], dict[str, float]] = {}
    trust: dict[tuple[int, int], dict[str, float]] = {}
    for number, run in enumerate(measured.runs):
        scores = measured.scores[number].get(sequence)
        for each in scores.objects.values() if scores else ():
            truth[number, each.object_id] = dict(zip(each.frame_names, each.J_values, strict=True))
        for frame, objects in run.reliability.get(sequence, {}).items():
            for object_id, value in objects.items():
                trust.setdefault((number, object_id), {})[frame] = value
    return truth, trust


def _over(frames: Sequence[str], values: dict[str, float]) -> npt.NDArray[np.float64]:
    """Return the values in the order of the frames; frames without a value leave a gap."""
    return np.array([values.get(name, np.nan) for name in frames])


def _scatter(panel: Axes, predicted: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], colour: str) -> None:
    """Draw a point per mask, the diagonal, and the mean J of each tenth of the predictions."""
    panel.plot([0, 1], [0, 1], color="0.5", linewidth=0.8, linestyle="--")
    panel.axhline(FAILED, color="0.5", linewidth=0.6, linestyle=":")
    # A picture within the SVG, because thousands of points would be larger than everything else.
    panel.scatter(predicted, truth, s=7, color=colour, alpha=0.35, linewidths=0, rasterized=True)
    bins = np.clip((predicted * 10).astype(int), 0, 9)
    means = [(predicted[bins == b].mean(), truth[bins == b].mean()) for b in np.unique(bins)]
    panel.plot(*zip(*means, strict=True), color=colour, linewidth=1.2, marker="o", markersize=4.5)
    panel.set_xlim(-0.02, 1.02)
    panel.set_ylim(-0.02, 1.02)
    panel.set_aspect("equal")
    panel.set_ylabel("J")


def _legend(figure: Figure, measured: Measured, theme: Theme) -> None:
    """Draw the legend of the runs, unless the page has one."""
    from matplotlib.lines import Line2D

    if theme.legend and len(measured.runs) > 1:
        handles = [Line2D([], [], color=run_colour(number), linewidth=3) for number in range(len(measured.runs))]
        # Matplotlib leaves out labels that begin with an underscore.
        labels = [f" {_short(run.name)}" for run in measured.runs]
        figure.legend(handles, labels, loc="outside upper left", ncols=4, frameon=False)


def _short(name: str) -> str:
    """Shorten a name that would take too much room, and remove characters that cannot be drawn."""
    plain = "".join(letter if letter.isprintable() else " " for letter in name)
    return plain if len(plain) <= _LONGEST else f"{plain[: _LONGEST - 1]}\u2026"
