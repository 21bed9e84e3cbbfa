"""The report's tables and notes, with figures formatted for both pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cyclevos.analysis.report.measures import Measured
from cyclevos.evaluation.calibration import FAILED, calibrate
from cyclevos.evaluation.scores import Scores
from cyclevos.media.reliability_files import CALIBRATED, UNCALIBRATED

NOTHING = "\u2013"
EQUAL = 0.001
"""Two runs count as equal in a sequence if their J&F differ by less than this."""


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        title: title of the table.
        header: title of each column.
        rows: for each row, as many texts as the header has.
        note: how to read it.
        best: rows and columns of the best values, which are highlighted.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    best: frozenset[tuple[int, int]] = frozenset()


def overall_table(measured: Measured) -> Table:
    """Return the scores of each run over the sequences that all runs have, and the differences from the first run."""
    several = len(measured.runs) > 1
    header = ["Run", "J&F", "J", "J recall", "J decay", "F", "F recall", "F decay", "Islands"]
    header += ["J&F against the first", "Sequences better / equal / worse"] if several else []
    rows = []
    first = measured.overall(0)
    for number, run in enumerate(measured.runs):
        scores = measured.overall(number)
        row = [run.name, *_figures(scores)]
        if several:
            row += [difference(scores if number else None, first), _balance(measured, number)]
        rows.append(tuple(row))
    objects = sum(len(next(s for s in measured.scores if s)[name].objects) for name in measured.common)
    note = f"Percent, the mean over all objects of {_count(len(measured.common), 'sequence')} ({objects} in all)."
    if len(measured.common) < len(measured.sequences):
        note += f" These are the sequences, of {len(measured.sequences)} in the data set, that every run has."
    note += " Islands: the share of frames with a false piece far from the object."
    if several:
        note += f" A sequence is better or worse where its J&F differs by {100 * EQUAL:.1f} or more."
    return Table("Overall", tuple(header), tuple(rows), note, _best(rows) if several else frozenset())


def reliability_table(measured: Measured) -> Table | None:
    """Return predicted J of the runs' masks and its error; None if no run has predicted J."""
    if not any(run.reliability for run in measured.runs):
        return None
    header = ["Run", "Calibration", "Masks", "Mean predicted J", "Lowest", f"Below {FAILED:g}"]
    if measured.has_scores:
        header += ["Compared", "Rank correlation with J", "within sequences", f"AUROC of J < {FAILED:g}", "Mean error"]
    rows = []
    for number, run in enumerate(measured.runs):
        values = np.array([v for name in measured.sequences for v in run.reliability_values(name)])
        if not len(values):
            rows.append((run.name, *[NOTHING] * (len(header) - 1)))
            continue
        row = [
            CALIBRATED if run.calibrated else UNCALIBRATED,
            f"{len(values):,}",
            *(f"{v:.3f}" for v in (values.mean(), values.min())),
        ]
        row.append(f"{(values < FAILED).mean():.1%}")
        if measured.has_scores:
            predictions = measured.predictions(number)
            found = None if predictions is None else calibrate(*predictions)
            figures = [found.spearman, found.spearman_within, found.auroc, found.mean_error] if found else [None] * 4
            row += [f"{found.masks:,}" if found else NOTHING]
            row += [NOTHING if value is None else f"{value:.3f}" for value in figures]
        rows.append((run.name, *row))
    note = "Predicted J, 0 to 1, of every mask except annotations."
    if measured.has_scores:
        note += (
            " The masks that have ground truth are compared; the rank correlation is Spearman's, and the AUROC is the "
            "probability that a good mask has a higher predicted J than a failed one."
        )
    if not all(run.calibrated for run in measured.runs):
        note += (
            f" {UNCALIBRATED.capitalize()}: no predictor was fitted to the network, so a formula orders the masks, and "
            "its values are no estimates of J; cyclevos calibrate fits one."
        )
    return Table("Reliability", tuple(header), tuple(rows), note)


def agreement_table(measured: Measured) -> Table | None:
    """Return J between the masks of every two runs; None for a single run."""
    if len(measured.runs) < 2:
        return None
    names = [run.name for run in measured.runs]
    rows = [
        (name, *(NOTHING if r == s else percent(measured.agreement_with(r, s)) for s in range(len(names))))
        for r, name in enumerate(names)
    ]
    note = (
        "J in percent between the masks of two runs, over all frames that both have, including annotated frames. It "
        "measures how similar the masks are, not which are correct."
    )
    return Table("Agreement", ("Run", *names), tuple(rows), note)


def speed_table(measured: Measured) -> Table | None:
    """Return speed and memory as recorded by the runs; None without records."""
    if not any(run.record for run in measured.runs):
        return None
    header = (
        "Run",
        "Sequences done",
        "Failed",
        "Frames",
        "Frames/s, network alone",
        "Frames/s, reading and writing included",
        "Peak memory, MB",
    )
    rows = []
    for run in measured.runs:
        record = run.record
        if record is None:
            rows.append((run.name, *[NOTHING] * (len(header) - 1)))
            continue
        figures = [f"{v:.2f}" if v is not None else NOTHING for v in (record.network_rate, record.whole_rate)]
        frames, memory = (f"{v:,.0f}" if v is not None else NOTHING for v in (record.frames, record.peak_memory_mb))
        rows.append((run.name, str(record.clips), str(len(record.failed)), frames, *figures, memory))
    note = (
        "From the runs' own records. Network alone: propagation, synchronised, without the first frames of each "
        "sequence (warm-up). Memory: the highest of all sequences."
    )
    return Table("Speed and memory", header, tuple(rows), note)


def notes(measured: Measured) -> list[str]:
    """Return sentences about missing data."""
    sentences = []
    if measured.dataset is None:
        sentences.append("No data set was given, so nothing is scored and no frames are shown.")
    elif not any(sequence.frames for sequence in measured.dataset):
        sentences.append(f"{measured.dataset.name} was opened without frames, so masks are shown on black.")
    for run, unscored in zip(measured.runs, measured.unscored, strict=True):
        own = [*run.problems]
        missing = [name for name in measured.sequences if name not in run.masks]
        if missing:
            own.append(f"no masks for {_listing(missing)}")
        ignored = [name for name in run.masks if name not in measured.sequences]
        if ignored and measured.dataset is not None:
            own.append(f"{_listing(ignored)} ignored, not among the sequences to report")
        own += [f"{name} is not scored: {reason}" for name, reason in unscored.items()]
        silent = [name for name in measured.sequences if name in run.masks and name not in run.reliability]
        if silent:
            own.append("no reliability" + (f" for {_listing(silent)}" if run.reliability else ""))
        if run.record is None:
            own.append("no manifest, so its speed, memory, command, versions and weights are unknown")
        else:
            own += [f"{name} failed: {reason}" for name, reason in run.record.failed.items()]
            if run.record.unreadable:
                own.append(f"{_count(run.record.unreadable, 'line')} of its manifest cannot be read")
        sentences += [f"{run.name}: {each}" for each in own]
    sentences += [f"{name} is not compared between runs: {reason}" for name, reason in measured.not_compared.items()]
    return sentences


def percent(value: float | None) -> str:
    """Format a fraction in percent, as `cyclevos evaluate` prints it."""
    return NOTHING if value is None else f"{100 * value:.1f}"


def signed(value: float) -> str:
    """Format a difference of fractions in percent, with its sign.

    >>> signed(0.0123), signed(-0.5), signed(-0.0001)
    ('+1.2', '-50.0', '0.0')
    """
    text = f"{100 * value:+.1f}"
    return text[1:] if float(text) == 0 else text


def difference(scores: Scores | None, first: Scores | None) -> str:
    """Format the change of J&F in percent, with its sign."""
    return NOTHING if scores is None or first is None else signed(scores.j_and_f - first.j_and_f)


def _figures(scores: Scores | None) -> list[str]:
    if scores is None:
        return [NOTHING] * 8
    return [percent(v) for v in (scores.j_and_f, *scores.J, *scores.F, scores.islands)]


def _best(rows: Sequence[tuple[str, ...]]) -> frozenset[tuple[int, int]]:
    """Find the best of each of the eight figures in the overall table, as printed; of decay and islands, the lowest."""
    found = set()
    for column in range(1, 9):
        values = {r: float(row[column]) for r, row in enumerate(rows) if row[column] != NOTHING}
        best = (min if column in (4, 7, 8) else max)(values.values(), default=None)
        winners = {(r, column) for r, value in values.items() if value == best}
        found |= winners if len(winners) < len(values) else set()
    return frozenset(found)


def _balance(measured: Measured, run: int) -> str:
    if run == 0 or not measured.scores[0] or not measured.scores[run]:
        return NOTHING
    changes = [measured.scores[run][name].j_and_f - measured.scores[0][name].j_and_f for name in measured.common]
    better, worse = sum(v >= EQUAL for v in changes), sum(v <= -EQUAL for v in changes)
    return f"{better} / {len(changes) - better - worse} / {worse}"


def _listing(names: Sequence[str], limit: int = 8) -> str:
    return ", ".join(names[:limit]) + (f" and {len(names) - limit} more" if len(names) > limit else "")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
