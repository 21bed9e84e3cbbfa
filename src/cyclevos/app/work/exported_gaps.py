"""What exports make of frames that cannot be read: black in videos, and a file that lists them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cyclevos.app.projects.project import Project
from cyclevos.app.projects.unreadable import unreadable_frames
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.media.frames import Frame
from cyclevos.words import counted

UNREADABLE = "unreadable_frames.csv"


def every_frame(project: Project) -> Iterator[Frame]:
    """Yield all frames in order; one that cannot be read is black, so that the others keep their places."""
    following = 0
    for frame in project.source:
        yield from (_black(project, index) for index in range(following, frame.index))
        yield frame
        following = frame.index + 1
    yield from (_black(project, index) for index in range(following, project.frames))


def list_unreadable(project: Project, folder: Path) -> list[str]:
    """List the frames that cannot be read in a file of an export.

    Args:
        project: of the frames.
        folder: of the export.

    Returns:
        A sentence about it; none where all frames can be read.

    Raises:
        OutputError: the file cannot be written.
    """
    bad = unreadable_frames(project)
    if not bad:
        return []
    table = io.StringIO(newline="")
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(("index", "frame", "reason"))
    rows.writerows((index, project.source.name_of(index), why) for index, why in bad.items())
    path = folder / UNREADABLE
    with output_errors(path), replacing(path) as temporary:
        temporary.write_text(table.getvalue(), encoding="utf-8", newline="\n")
    return [f"{counted(len(bad), 'frame')} cannot be read; {UNREADABLE} lists {'it' if len(bad) == 1 else 'them'}."]


def _black(project: Project, index: int) -> Frame:
    height, width = project.masks.size
    source = project.source
    return Frame(index, source.name_of(index), np.zeros((height, width, 3), np.uint8), source.time_of(index))
