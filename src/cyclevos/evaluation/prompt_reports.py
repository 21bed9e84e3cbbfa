"""The evaluation of a prompter as JSON, as CSV and as the table on the terminal."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from cyclevos.evaluation.prompt_scores import (
    FEWEST_PIXELS,
    SLACKS,
    TARGETS,
    PromptedObject,
    PromptEvaluation,
    PromptSummary,
)
from cyclevos.evaluation.reports import write_whole
from cyclevos.words import counted

JSON_NAME, CSV_NAME = "prompts.json", "prompts.csv"


def to_json(evaluation: PromptEvaluation) -> dict[str, Any]:
    """Turn an evaluation into plain dictionaries; all J are fractions.

    Returns:
        `{"dataset", "prompter", "from", "repair", "clicks", "frames", "left_out", "overall": S,
        "sequences": {name: S + {"objects": [O]}}}`, where `S` is `{"count", "box": {slack: J}, "start": J or None,
        "after": {clicks: J}, "clicks_to": {J: clicks}, "missed": {J: objects}}` and `O` is
        `{"frame", "object_id", "pixels", "box", "start", "curve": [J], "clicks_to"}`. Keys are text.
    """
    return {
        "dataset": evaluation.dataset,
        "prompter": evaluation.prompter,
        "from": evaluation.begun_from,
        "repair": evaluation.repair,
        "clicks": evaluation.most_clicks,
        "frames": evaluation.frames,
        "left_out": evaluation.left_out,
        "overall": _summary_to_json(evaluation.overall),
        "sequences": {
            name: {
                **_summary_to_json(evaluation.summary(objects)),
                "objects": [_object_to_json(each, evaluation.most_clicks) for each in objects],
            }
            for name, objects in evaluation.sequences.items()
        },
    }


def write_json(evaluation: PromptEvaluation, path: Path) -> None:
    """Write the result of `to_json` to a file, completely or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    write_whole(path, json.dumps(to_json(evaluation), indent=2) + "\n")


def write_csv(evaluation: PromptEvaluation, path: Path) -> None:
    """Write a row per object, completely or not at all; J are fractions, and what was not measured is empty.

    Raises:
        OutputError: the file cannot be written.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(csv_header(evaluation))
    for each in evaluation.objects:
        writer.writerow(
            [
                *(each.sequence, each.frame, each.object_id, each.pixels),
                *(each.boxes.get(slack, "") for slack in SLACKS),
                "" if each.start is None else each.start,
                *(each.after(clicks) for clicks in evaluation.reported),
                *(each.clicks_to(target, evaluation.most_clicks) for target in TARGETS),
            ]
        )
    write_whole(path, text.getvalue())


def csv_header(evaluation: PromptEvaluation) -> list[str]:
    """Return the names of the columns of `write_csv`."""
    return [
        *("sequence", "frame", "object_id", "pixels"),
        *(f"J_box_{100 * slack:.0f}" for slack in SLACKS),
        "J_start",
        *(f"J_{clicks}" for clicks in evaluation.reported),
        *(f"NoC_{100 * target:.0f}" for target in TARGETS),
    ]


def table(evaluation: PromptEvaluation) -> Table:
    """Return the table for the terminal: a row per sequence, the mean over all objects last; J in percent."""
    # Without padding, so that eleven columns fit into eighty characters; the box has a space between columns.
    result = Table(title=escape(f"{evaluation.prompter} on {evaluation.dataset}"), box=SIMPLE_HEAD, padding=0)
    overall = evaluation.overall
    result.add_column("sequence", no_wrap=True)
    headings = ["n"]
    headings += ["box" if slack == 0 else f"±{100 * slack:.0f}%" for slack in overall.boxes]
    headings += [] if overall.start is None else ["J@0"]
    headings += [f"J@{clicks}" for clicks in overall.after]
    headings += [f"NoC@{100 * target:.0f}" for target in overall.clicks_to]
    for heading in headings:
        result.add_column(heading, justify="right")
    for name, objects in evaluation.sequences.items():
        result.add_row(escape(name), *_cells(evaluation.summary(objects)))
    result.add_section()
    result.add_row("overall", *_cells(overall), style="bold")
    return result


def notes(evaluation: PromptEvaluation) -> str:
    """Return what has to be known to read the table, a line each."""
    overall, most = evaluation.overall, evaluation.most_clicks
    begun = {
        "clicks": "Clicks begin from nothing",
        "box": "Clicks go with the true box",
        "masks": "Clicks repair the given masks",
    }[evaluation.begun_from]
    memory = "the probabilities of the click before are repaired" if evaluation.repair else "each answer is a fresh one"
    never = "; ".join(f"{100 * target:.0f} %: {number:,}" for target, number in overall.missed.items())
    lines = [
        f"{begun}; {memory}.",
        f"J@N: J in percent after N clicks. NoC@N: clicks until J is N %, at most {most}.",
        f"Objects (n) that never reach it, of {overall.count:,}: {never}.",
    ]
    if evaluation.left_out:
        lines.append(f"Left out: {counted(evaluation.left_out, 'object')} of fewer than {FEWEST_PIXELS} pixels.")
    return "\n".join(lines)


def _cells(summary: PromptSummary) -> list[str]:
    fractions = [*summary.boxes.values(), *([] if summary.start is None else [summary.start]), *summary.after.values()]
    return [
        str(summary.count),
        *(f"{100 * j:.1f}" for j in fractions),
        *(f"{clicks:.2f}" for clicks in summary.clicks_to.values()),
    ]


def _summary_to_json(summary: PromptSummary) -> dict[str, Any]:
    return {
        "count": summary.count,
        "box": _by_text(summary.boxes),
        "start": summary.start,
        "after": _by_text(summary.after),
        "clicks_to": _by_text(summary.clicks_to),
        "missed": _by_text(summary.missed),
    }


def _object_to_json(each: PromptedObject, most_clicks: int) -> dict[str, Any]:
    return {
        "frame": each.frame,
        "object_id": each.object_id,
        "pixels": each.pixels,
        "box": _by_text(each.boxes),
        "start": each.start,
        "curve": list(each.curve),
        "clicks_to": {f"{target:g}": each.clicks_to(target, most_clicks) for target in TARGETS},
    }


def _by_text(values: Any) -> dict[str, Any]:
    return {f"{key:g}": value for key, value in values.items()}
