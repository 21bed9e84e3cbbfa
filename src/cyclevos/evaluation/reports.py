"""An evaluation as JSON, as CSV and as the table on the terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from cyclevos.evaluation.scores import CategoryScores, Evaluation, Scores
from cyclevos.files.atomic import replacing

CSV_HEADER = (
    "sequence",
    "object_id",
    "J_mean",
    "J_recall",
    "J_decay",
    "F_mean",
    "F_recall",
    "F_decay",
    "J&F",
    "islands",
)


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Turn an evaluation into plain dictionaries of fractions.

    Returns:
        `{"overall": S, "sequences": {name: S + {"objects": {id: S}}}}` where `S` is
        `{"J": {"mean", "recall", "decay"}, "F": {the same}, "J&F": float, "islands": float}`; in addition
        `"protocol"` and, if categories are known, `"G": float`, `"seen": S or None` and `"unseen": S or None`.
    """
    return {
        "overall": _scores_to_json(evaluation.overall),
        "sequences": {
            name: {
                **_scores_to_json(sequence),
                "objects": {str(key): _scores_to_json(each) for key, each in sequence.objects.items()},
            }
            for name, sequence in evaluation.sequences.items()
        },
        "protocol": evaluation.protocol,
        **_categories_to_json(evaluation.categories),
    }


def write_json(evaluation: Evaluation, path: str | Path) -> None:
    """Write the result of `to_json` to a file, completely or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    write_whole(Path(path), json.dumps(to_json(evaluation), indent=2) + "\n")


def write_csv(evaluation: Evaluation, path: str | Path) -> None:
    """Write a row of fractions per object under `CSV_HEADER`, completely or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADER)
    for name, sequence in evaluation.sequences.items():
        for object_id, scores in sequence.objects.items():
            writer.writerow([name, object_id, *_figures(scores)])
    write_whole(Path(path), text.getvalue())


def table(evaluation: Evaluation) -> Table:
    """Return the table for the terminal: a row per object and the overall figures last, in percent."""
    result = Table(title=escape(evaluation.dataset), box=SIMPLE_HEAD, padding=0, show_edge=False)  # all in 80 columns
    result.add_column("sequence", no_wrap=True)
    result.add_column("id", justify="right")
    for heading in ("J&F", "J", "J recall", "J decay", "F", "F recall", "F decay", "islands"):
        result.add_column(heading, justify="right")
    for name, sequence in evaluation.sequences.items():
        for object_id, scores in sequence.objects.items():
            result.add_row(escape(name), str(object_id), *_percent(scores))
    result.add_section()
    result.add_row("overall", "", *_percent(evaluation.overall), style="bold")
    return result


def overall_line(evaluation: Evaluation) -> str:
    """Return the overall result as one line, in percent, with G on a second line if categories are known."""
    overall = evaluation.overall
    objects = sum(len(sequence.objects) for sequence in evaluation.sequences.values())
    line = (
        f"J&F {100 * overall.j_and_f:.1f}  J {100 * overall.J.mean:.1f}  F {100 * overall.F.mean:.1f}  "
        f"islands {100 * overall.islands:.1f}  (sequences: {len(evaluation.sequences)}, objects: {objects})"
    )
    if evaluation.categories is None:
        return line
    groups = {"seen": evaluation.categories.seen, "unseen": evaluation.categories.unseen}
    known = {name: each for name, each in groups.items() if each is not None}
    figures = [f"{name} J {100 * each.J.mean:.1f} F {100 * each.F.mean:.1f}" for name, each in known.items()]
    return f"{line}\nG {100 * evaluation.categories.g:.1f}  {'  '.join(figures)}"


def _categories_to_json(categories: CategoryScores | None) -> dict[str, Any]:
    if categories is None:
        return {}
    groups = {"seen": categories.seen, "unseen": categories.unseen}
    return {"G": categories.g} | {name: each and _scores_to_json(each) for name, each in groups.items()}


def _scores_to_json(scores: Scores) -> dict[str, Any]:
    """Return one level of the dictionary of `to_json`."""
    return {"J": scores.J._asdict(), "F": scores.F._asdict(), "J&F": scores.j_and_f, "islands": scores.islands}


def _figures(scores: Scores) -> list[float]:
    """Return all figures in the order of the CSV."""
    return [*scores.J, *scores.F, scores.j_and_f, scores.islands]


def _percent(scores: Scores) -> list[str]:
    """Return all figures in the order of the table."""
    return [f"{100 * value:.1f}" for value in (scores.j_and_f, *scores.J, *scores.F, scores.islands)]


def write_whole(path: Path, text: str) -> None:
    """Write a text file, completely or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
