"""What is said of a finished run's reliability: the frames to look at, and the timeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cyclevos.files.atomic import output_errors
from cyclevos.jobs.run_folder import TIMELINE
from cyclevos.media.overlay import blend
from cyclevos.media.reliability_files import (
    RELIABILITY_FILE,
    REVIEW_FILE,
    read_reliability,
    write_reliability,
    write_review,
)
from cyclevos.media.sources import FrameSource
from cyclevos.media.timeline import write_timeline
from cyclevos.naming import index_name
from cyclevos.pictures.mask_files import read_ground_truth

_FOLDER = "review"
REPORTS = (RELIABILITY_FILE, REVIEW_FILE, _FOLDER)
"""Names of the results within an output folder."""


def report_reliability(folder: Path, source: FrameSource, count: int, palette: bytes | None) -> None:
    """Write the review list and the timeline of a finished run.

    Args:
        folder: holds the CSV, and the masks if they were saved.
        source: the frames.
        count: frames to list.
        palette: of the pictures; None = DAVIS's.

    Raises:
        OutputError: the CSV is broken or the disk refuses.
    """
    rows = read_reliability(folder / RELIABILITY_FILE)
    review = write_review(folder / REVIEW_FILE, rows, count)
    names = _names(source, [row.frame for row in rows])
    thumbnails = {}
    for entry in review:
        frame = next(source.iterate(start=names.index(entry["frame"])), None)
        mask = folder / f"{entry['frame']}.png"
        if frame is not None:
            picture = blend(frame.image, read_ground_truth(mask).ids, palette) if mask.is_file() else frame.image
            step = max(1, picture.shape[1] // 320)
            thumbnails[entry["frame"]] = picture[::step, ::step]
    with output_errors(folder / _FOLDER):
        (folder / _FOLDER).mkdir(exist_ok=True)
    write_timeline(folder / _FOLDER / TIMELINE, names, rows, review, thumbnails, palette)


def is_reported(folder: Path, count: int) -> bool:
    """Tell whether the reports of a finished run list as many frames as are wanted."""
    try:
        listed = json.loads((folder / REVIEW_FILE).read_text(encoding="utf-8"))["count"]
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return bool(listed == count) and (folder / _FOLDER / TIMELINE).exists()


def join_reliability(folder: Path, sequences: Sequence[str], count: int) -> None:
    """Write one CSV and one review list over the sequences of a data set.

    Raises:
        OutputError: a sequence's CSV is broken or the disk refuses.
    """
    files = [folder / name / RELIABILITY_FILE for name in sequences]
    rows = [row for file in files if file.is_file() for row in read_reliability(file)]
    write_reliability(folder / RELIABILITY_FILE, rows)
    write_review(folder / REVIEW_FILE, rows, count)


def _names(source: FrameSource, seen: Sequence[str]) -> list[str]:
    """Names of all frames; where nobody knows how many there are, up to the last one seen."""
    if source.frame_names is not None:
        return list(source.frame_names)
    last = max((int(name) for name in seen), default=0)
    return [index_name(i) for i in range(max(last + 1, source.len_hint or 0))]
