"""The bar chart of all sequences: the values of the bars and the figures next to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cyclevos.analysis.report.measures import Measured
from cyclevos.analysis.report.runs import shared_prediction
from cyclevos.analysis.report.tables import NOTHING, difference, percent


@dataclass(frozen=True)
class Bar:
    """One run's value for a sequence.

    Attributes:
        run: number of the run.
        value: 0..1, the length of the bar; None = no bar.
        figures: texts next to the bar, as many as the chart's header has.
    """

    run: int
    value: float | None
    figures: tuple[str, ...]


@dataclass(frozen=True)
class BarChart:
    """Bars of every sequence and run.

    Attributes:
        measure: what the bars show.
        header: titles of the figures next to the bars.
        rows: sequences with values, each with one bar per run.
        note: how to read it.
    """

    measure: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Bar, ...]], ...]
    note: str = ""


def sequence_bars(measured: Measured) -> BarChart:
    """Return bars of J&F for every sequence, or of mean reliability without ground truth, or else of agreement."""
    if measured.has_scores:
        return _score_bars(measured)
    if any(run.reliability for run in measured.runs):
        values = {name: _mean_reliability(measured, name) for name in measured.sequences}
        return _plain_bars(shared_prediction(measured.runs), values, "Percent, the mean over a sequence's masks.")
    others = range(1, len(measured.runs))
    values = {name: [None, *(measured.agreement_with(0, r, [name]) for r in others)] for name in measured.agreement}
    return _plain_bars("Agreement with the first", values, "J in percent between a run's masks and the first run's.")


def _score_bars(measured: Measured) -> BarChart:
    several = len(measured.runs) > 1
    rows = []
    for name in measured.sequences:
        bars = []
        first = measured.scores[0].get(name)
        for number, scores in enumerate(measured.scores):
            own = scores.get(name)
            figures = [NOTHING] * 4
            if own:
                figures = [percent(v) for v in (own.j_and_f, own.J.mean, own.F.mean, own.islands)]
            if several:
                figures.append(difference(own if number else None, first))
            bars.append(Bar(number, own.j_and_f if own else None, tuple(figures)))
        if any(bar.value is not None for bar in bars):
            rows.append((name, tuple(bars)))
    header = ("J&F", "J", "F", "islands", *(("against the first",) if several else ()))
    return BarChart("J&F", header, tuple(rows), "Percent, the mean over a sequence's objects.")


def _plain_bars(measure: str, values: dict[str, list[float | None]], note: str) -> BarChart:
    rows = [
        (name, tuple(Bar(r, value, (percent(value),)) for r, value in enumerate(own)))
        for name, own in values.items()
        if any(value is not None for value in own)
    ]
    return BarChart(measure, (measure,), tuple(rows), note)


def _mean_reliability(measured: Measured, name: str) -> list[float | None]:
    values = [run.reliability_values(name) for run in measured.runs]
    return [float(np.mean(own)) if own else None for own in values]
