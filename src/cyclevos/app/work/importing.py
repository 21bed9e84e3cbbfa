"""Somebody else's result: masks of all frames become the project's tracked masks."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cyclevos.app.projects.draft import Draft
from cyclevos.app.projects.project import Project
from cyclevos.app.work.declared_sizes import check_sizes
from cyclevos.app.work.jobs import Job
from cyclevos.errors import MaskError
from cyclevos.exchange.contents.archives import is_archive, member_sizes
from cyclevos.exchange.given.given_masks import GivenMasks, read_source_masks
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.naming import is_picture_file
from cyclevos.pictures.bounds import picture_size
from cyclevos.words import counted

logger = logging.getLogger(__name__)


class ResultSizeError(MaskError):
    """The masks of a result are of another size than the video; the page offers to resize them."""


def import_result(project: Project, path: Path, name: str, job: Job, *, fit: bool) -> tuple[dict[str, Any], int]:
    """Make masks of all frames the tracked masks of a project; what a person marked stays.

    Args:
        project: the project.
        path: file or folder of masks, in any format of ``--masks``.
        name: what the person calls it, for errors and the step.
        job: takes the progress; if it is cancelled, nothing is changed.
        fit: resize masks of another size.

    Returns:
        The number of frames with a mask, and notes about how they were read, a sentence each; and `Steps.restored`,
        for the review of exactly these masks.

    Raises:
        ResultSizeError: the masks have another size.
        MaskError: they cannot be read, or belong to one frame.
        TooLargeError: their headers declare too many pixels.
    """
    job.progress(0, None, "reading the masks")
    try:
        check_sizes(_sizes(path), project.masks.size)
        given = read_source_masks(path, project.source, MaskReading(fit=fit, fix=True))
        looked = _look(given)
        _check_frames(given, looked.frames, project.frames, name)
    except MaskError as error:
        raise _in_words(error, path, name) from error
    job.check()
    blank = np.zeros(project.masks.size, np.uint8)

    def make(index: int) -> None:
        mask = given.get(index)
        draft.track(index, blank if mask is None else mask.ids)

    with Draft(project, make) as draft:
        for index in range(project.frames):
            job.progress(index, project.frames, "importing")
            draft.add(index)
        with draft.step(f"Import {name}"):
            restored = project.steps.restored
            project.list_objects(looked.objects, given.names)
            project.drop_snapshots()
    return {"frames": len(looked.frames), "notes": _notes(given, looked, path, name)}, restored


def _sizes(path: Path) -> Iterator[tuple[int, int]]:
    """Yield the (width, height) in the headers of a result's pictures.

    Raises:
        MaskError: the archive cannot be read.
    """
    if is_archive(path):
        yield from member_sizes(path)
        return
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
        declared = picture_size(file) if is_picture_file(file) and file.is_file() else None
        if declared is not None:
            yield declared


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
            'To import the mask of one frame, go to that frame and choose "this frame" beside "Import".',
        )


class _Looked(NamedTuple):
    """What a look at each mask of a result tells.

    Attributes:
        frames: in which an object is shown.
        objects: their ids.
        is_plain: every value of the files is the id that it stands for.
    """

    frames: list[int]
    objects: set[int]
    is_plain: bool


def _look(given: GivenMasks) -> _Looked:
    frames, objects, is_plain = [], set[int](), True
    for index, mask in given.items():  # each is unpacked for this
        is_plain &= all(value == str(label) for value, label in mask.found.items())
        if ids := mask.object_ids:
            frames.append(index)
            objects.update(ids)
    return _Looked(frames, objects, is_plain)


def _notes(given: GivenMasks, looked: _Looked, path: Path, name: str) -> list[str]:
    """Return what the person should know; that every id is as it stands is worth no word."""
    notes = [note for note in given.notes if not (looked.is_plain and " is background" in note)]
    return [note.replace(str(path), name) for note in notes if not note.endswith("read its files as masks.")]


def _in_words(error: MaskError, path: Path, name: str) -> MaskError:
    """Return an error about what the person sent: its name, and no options of the command line."""
    problem, remedy = (text.replace(str(path), name) for text in (error.problem, error.remedy))
    if "--fit-mask" in remedy:
        return ResultSizeError(problem, "Export the masks in the video's size, or have them resized.")
    if "--" in remedy:
        remedy = "Export the masks again, in the video's size and as one object per pixel."
    return MaskError(problem, remedy)
