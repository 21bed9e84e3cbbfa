"""The reliability report of a finished run: the review list and the timeline."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors
from cyclevos.jobs.run_folder import TIMELINE
from cyclevos.media.appearance import Appearance
from cyclevos.media.overlay import blend
from cyclevos.media.reliability_files import (
    RELIABILITY_FILE,
    REVIEW_FILE,
    read_reliability,
    read_review_rows,
    write_reliability,
    write_review,
)
from cyclevos.media.sources import FrameSource
from cyclevos.media.timeline import write_timeline
from cyclevos.naming import index_name
from cyclevos.pictures.mask_files import read_ground_truth

REVIEW_FOLDER = "review"
REPORTS = (RELIABILITY_FILE, REVIEW_FILE, REVIEW_FOLDER)
"""Names of the reports within an output folder."""

logger = logging.getLogger(__name__)


def report_reliability(folder: Path, source: FrameSource, count: int, appearance: Appearance) -> None:
    """Write the review list and the timeline of a finished run.

    Args:
        folder: output folder with the CSV, and the masks if they were saved.
        source: the frames; of a stream that plays once the timeline has no pictures.
        count: frames to list.
        appearance: its palette colours the pictures.

    Raises:
        OutputError: the CSV cannot be read, or the system refuses to write.
    """
    rows = read_reliability(folder / RELIABILITY_FILE)
    review = write_review(folder / REVIEW_FILE, rows, count)
    names = _names(source, [row.frame for row in rows])
    thumbnails = {}
    for entry in review if source.can_be_read_again else ():
        frame = next(source.iterate(start=names.index(entry["frame"])), None)
        mask = folder / f"{entry['frame']}.png"
        if frame is not None:
            picture = frame.image
            if mask.is_file():
                picture = blend(picture, read_ground_truth(mask).ids, appearance.palette)
            step = max(1, picture.shape[1] // 320)
            thumbnails[entry["frame"]] = picture[::step, ::step]
    with output_errors(folder / REVIEW_FOLDER):
        (folder / REVIEW_FOLDER).mkdir(exist_ok=True)
    write_timeline(folder / REVIEW_FOLDER / TIMELINE, names, rows, review, thumbnails, appearance)


def is_reported(folder: Path, count: int) -> bool:
    """Return whether a finished run has its reports, whole and with a review list of that length.

    Args:
        folder: output folder, whose CSV is whole.
        count: frames to list.

    Raises:
        OutputError: the CSV cannot be read.
    """
    listed = read_review_rows(folder / REVIEW_FILE)
    if listed is None or listed[0] != count or len(listed[1]) != len(read_reliability(folder / RELIABILITY_FILE)):
        return False
    return _is_whole_picture(folder / REVIEW_FOLDER / TIMELINE)


def join_reliability(folder: Path, sequences: Sequence[str], count: int) -> None:
    """Write one CSV and one review list for all sequences of a data set.

    Args:
        folder: holds a folder of results per sequence.
        sequences: names of the sequences.
        count: frames to list.

    Raises:
        OutputError: the system refuses to write.
    """
    rows = []
    for file in (folder / name / RELIABILITY_FILE for name in sequences):
        try:
            rows += read_reliability(file) if file.is_file() else []
        except OutputError as error:  # of a sequence that failed: the others have theirs
            logger.warning("%s It is left out of %s.", error.problem, folder / RELIABILITY_FILE)
    write_reliability(folder / RELIABILITY_FILE, rows)
    write_review(folder / REVIEW_FILE, rows, count)


def _is_whole_picture(path: Path) -> bool:
    try:
        with Image.open(path) as picture:
            picture.verify()  # the checksum of every part, up to the end
        return True
    except Exception:  # Pillow may raise any exception on a broken file
        return False


def _names(source: FrameSource, seen: Sequence[str]) -> list[str]:
    """Return the names of all frames; if their number is unknown, up to the last frame in the CSV."""
    if source.frame_names is not None:
        return list(source.frame_names)
    last = max((int(name) for name in seen), default=0)
    return [index_name(i) for i in range(max(last + 1, source.len_hint or 0))]
