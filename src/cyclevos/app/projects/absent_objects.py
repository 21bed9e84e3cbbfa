"""Saying that an object of a project is gone in a range of frames, or there again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from cyclevos.app.errors import AppError
from cyclevos.app.projects.absences import (
    MOST_ABSENCES,
    Absence,
    gone_at,
    with_absence,
    without_absence,
    without_objects,
)
from cyclevos.app.projects.object_pixels import areas
from cyclevos.app.projects.project_file import ProjectFile
from cyclevos.app.projects.result_log import FrameResult

if TYPE_CHECKING:
    from cyclevos.app.projects.open_folder import OpenFolder


def set_gone(project: OpenFolder, object_id: int, first: int, last: int, *, gone: bool) -> list[int]:
    """Say that an object is not in some frames, or take that back.

    The object vanishes from tracked masks, whose files stay as they are: taken back, it is shown again. What a person
    painted stays: in such frames it is not gone.

    Args:
        project: to change.
        object_id: of the object.
        first: of the frames.
        last: of the frames; the last frame of the video if it is beyond that.
        gone: whether it is gone.

    Returns:
        The frames in which it stays because a person painted or accepted it there.

    Raises:
        NotFoundError: there is no such object or frame.
        AppError: it is painted in all of these frames, or there are too many ranges.
    """
    last = min(last, project.frames - 1)
    if first > last:
        raise AppError("The range ends before it begins.", "Give a first frame that is not after the last one.")
    project.check_frame(first)
    with project.lock:
        info = project.file.object(object_id)
        by_hand = [] if not gone else _by_hand(project, object_id, first, last)
        if len(by_hand) == last - first + 1:
            raise AppError(
                f"{info.name} is painted or accepted in frame {first}{'' if first == last else f' to {last}'}.",
                "Erase it there or clear the frame; then say that it is gone.",
            )
        absences = without_absence(project.file.absences, object_id, first, last)
        if gone:
            absences = with_absence(project.file.absences, Absence(object=object_id, first=first, last=last))
            for index in by_hand:
                absences = without_absence(absences, object_id, index, index)
        if len(absences) > MOST_ABSENCES:
            raise AppError(f"The project has {MOST_ABSENCES} ranges in which objects are gone.", "End some of them.")

        def edit(file: ProjectFile) -> None:
            file.absences = absences

        where = f"in frame {first}" if first == last else f"in frames {first} to {last}"
        with project.step(f"{info.name} is {'gone' if gone else 'there again'} {where}"):
            project.change(edit)
    return by_hand


def end_absences(project: OpenFolder, index: int, shown: Collection[int]) -> None:
    """End the absence of objects in a frame in which a person shows them."""
    back = gone_at(project.file.absences, index).intersection(shown)
    if not back:
        return

    def edit(file: ProjectFile) -> None:
        file.absences = without_objects(file.absences, back, index)

    project.change(edit)


def known_results(project: OpenFolder) -> list[tuple[int, FrameResult]]:
    """Return what is known of each frame, without the objects that are not in it."""
    return [(index, present(project, index, row)) for index, row in project.results.items()]


def present(project: OpenFolder, index: int, row: FrameResult) -> FrameResult:
    """Return what is known of a frame without the reliability and the islands of objects that are not in it."""
    gone = gone_at(project.file.absences, index)
    if not gone:
        return row
    return replace(
        row,
        reliability={i: value for i, value in row.reliability.items() if i not in gone},
        islands={i: pixels for i, pixels in row.islands.items() if i not in gone},
    )


def _by_hand(project: OpenFolder, object_id: int, first: int, last: int) -> list[int]:
    """Return the frames in which a person painted an object, or accepted it as it is shown."""
    marks = project.masks.marks.items()
    given = [i for i, mark in marks if first <= i <= last and (mark.accepted or object_id in mark.objects)]
    return [index for index in given if object_id in areas(project.masks.read(index).ids)]
