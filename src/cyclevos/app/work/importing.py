"""Somebody else's result: masks of all frames become the project's tracked masks."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cyclevos.app.errors import TooLargeError
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import ObjectInfo
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work.jobs import Job
from cyclevos.errors import MaskError
from cyclevos.exchange.contents.archives import is_archive, member_sizes
from cyclevos.exchange.given.given_masks import GivenMasks, read_source_masks
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.naming import is_picture_file
from cyclevos.pictures.headers import declared_size
from cyclevos.words import counted

logger = logging.getLogger(__name__)

_MOST_PIXELS = 2**32  # of all pictures together, which are read before they are fitted: 2,000 frames of 1080p


class ResultSizeError(MaskError):
    """The masks of a result are of another size than the video; the page offers to resize them."""


def import_result(project: Project, path: Path, name: str, job: Job, *, fit: bool) -> dict[str, Any]:
    """Make masks of all frames the tracked masks of a project; what a person marked stays.

    Args:
        project: the project.
        path: file or folder of masks, in any format of ``--masks``.
        name: what the person calls it, for errors and the step.
        job: takes the progress and says whether the import was cancelled, which it cannot be once it writes.
        fit: resize masks of another size.

    Returns:
        The number of frames with a mask, and notes about how they were read, a sentence each.

    Raises:
        ResultSizeError: the masks have another size.
        MaskError: they cannot be read, or belong to one frame.
        TooLargeError: their headers declare too many pixels.
    """
    job.progress(0, None, "reading the masks")
    try:
        check_pixels(path)
        given = read_source_masks(path, project.source, MaskReading(fit=fit, fix=True))
        shown = [index for index, mask in given.items() if mask.object_ids]
        _check_frames(given, shown, project.frames, name)
    except MaskError as error:
        raise _in_words(error, path, name) from error
    job.check()
    with project.step(f"Import {name}"):
        _know(project, given)
        project.drop_snapshots()
        blank = np.zeros(project.masks.size, np.uint8)
        for index in range(project.frames):
            mask = given.get(index)
            project.track_frame(index, blank if mask is None else mask.ids, FrameResult(), None)
            if index % 8 == 0:
                job.note, job.done, job.total = "importing", index, project.frames
                job.tell()
    return {"frames": len(shown), "notes": _notes(given, path, name)}


def check_pixels(path: Path) -> None:
    """Refuse pictures whose headers declare more pixels than are read, before any is decoded.

    Raises:
        TooLargeError: they do.
        MaskError: the archive cannot be read.
    """
    total = 0
    if is_archive(path):
        total = sum(width * height for width, height in member_sizes(path))
    else:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in files:
            declared = declared_size(file) if is_picture_file(file) and file.is_file() else None
            total += 0 if declared is None else declared[0] * declared[1]
    if total > _MOST_PIXELS:
        raise TooLargeError(
            f"The pictures have {total:,} pixels in all; at most {_MOST_PIXELS:,} are imported.",
            "Export the masks in the video's size, or as COCO JSON.",
        )


def _check_frames(given: GivenMasks, shown: list[int], frames: int, name: str) -> None:
    """Refuse masks of one frame alone, which would empty all the others, and of frames that do not exist."""
    beyond = [index for index in given if index >= frames]
    if beyond:
        raise MaskError(
            f"{name} holds masks up to frame {max(beyond)}, but the video ends with frame {frames - 1}.",
            "Choose the result of this video.",
        )
    if len(shown) < min(2, frames):
        raise MaskError(
            f"{name} shows an object in {counted(len(shown), 'frame')}; a result has masks of all frames.",
            "To import the mask of one frame, go to that frame and use Import PNG.",
        )


def _know(project: Project, given: GivenMasks) -> None:
    """Add the result's new objects to the list, by their names."""
    new = project.file.unlisted(i for mask in given.values() for i in mask.object_ids)
    if new:
        project.change(lambda file: file.add_objects(ObjectInfo(id=i, name=_name(given.names, i)) for i in new))


def _notes(given: GivenMasks, path: Path, name: str) -> list[str]:
    """Return what the person should know; that every id is as it stands is worth no word."""
    plain = all(value == str(label) for mask in given.values() for value, label in mask.found.items())
    notes = [note for note in given.notes if not (plain and " is background" in note)]
    return [note.replace(str(path), name) for note in notes if not note.endswith("read its files as masks.")]


def _name(names: Mapping[int, str], object_id: int) -> str:
    return names.get(object_id, "").strip()[:80].strip() or f"object {object_id}"


def _in_words(error: MaskError, path: Path, name: str) -> MaskError:
    """Return an error about what the person sent: its name, and no options of the command line."""
    problem, remedy = (text.replace(str(path), name) for text in (error.problem, error.remedy))
    if "--fit-mask" in remedy:
        return ResultSizeError(problem, "Export the masks in the video's size, or have them resized.")
    if "--" in remedy:
        remedy = "Export the masks again, in the video's size and as one object per pixel."
    return MaskError(problem, remedy)
