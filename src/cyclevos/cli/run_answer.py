"""What the commands answer once a video is done: how many frames, and which of them to check first."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cyclevos.words import counted, objects_text

if TYPE_CHECKING:
    from cyclevos.jobs.segment_job import JobResult
    from cyclevos.propagation.inner_size import ChosenSize, GivenObject

_SHOWN = 3  # frames of the review list that the answer names


def tell_result(result: JobResult, output: Path, done: str) -> None:
    """Say how many frames and objects there are, which size was chosen, and where the results lie.

    Args:
        result: of the job.
        output: folder of the results.
        done: what to say after the objects; empty = nothing.
    """
    objects = objects_text(result.object_ids, result.names)
    typer.echo(f"{counted(result.frames, 'frame')}, {objects}{done}. Results: {output}")
    if result.size is not None and result.size.smallest is not None:
        typer.echo(_size_text(result.size, result.size.smallest, result.names))


def _size_text(chosen: ChosenSize, smallest: GivenObject, names: Mapping[int, str]) -> str:
    """Return which size was chosen, and why."""
    which = objects_text((smallest.object_id,), names)
    if not chosen.is_closer:
        return f"Size inside the network: {chosen.size}, large enough for {which}, the smallest one."
    area = f"{counted(smallest.pixels, 'pixel')} in its first mask"
    return f"Size inside the network: {chosen.size} instead of {chosen.own}, because {which} is small ({area})."


def tell_worst(output: Path) -> None:
    """Say which frames to check first, if there are any.

    Args:
        output: folder of the results, with its reports.
    """
    from cyclevos.jobs.review import REVIEW_FOLDER
    from cyclevos.jobs.run_folder import TIMELINE
    from cyclevos.media.reliability_files import REVIEW_FILE, ReliabilityRow, prediction_name

    worst = json.loads((output / REVIEW_FILE).read_text(encoding="utf-8"))["review"][:_SHOWN]
    if worst:
        shown = ", ".join(f"{row['frame']} ({row['reliability']:.2f})" for row in worst)
        name = prediction_name(ReliabilityRow(**row) for row in worst)
        typer.echo(f"Check first ({name}): {shown}. Timeline: {output / REVIEW_FOLDER / TIMELINE}")
