"""Frames of a project's video that cannot be read: which, why, and what may not be done with them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cyclevos.app.errors import UnreadableError
from cyclevos.words import counted

if TYPE_CHECKING:
    from cyclevos.app.projects.project import Project


def unreadable_frames(project: Project) -> dict[int, str]:
    """Return why frames cannot be read, by index, in order; as far as it is known until the video has been read."""
    return dict(sorted((project.source.bad or {}).copy().items()))


def check_readable(project: Project, index: int) -> int:
    """Return a frame's index.

    Raises:
        NotFoundError: the video does not have this frame.
        UnreadableError: the frame cannot be read, so nobody sees what would be done with it.
    """
    why = project.source.why_unreadable(project.check_frame(index))
    if why is not None:
        raise unreadable(index, why)
    return index


def unreadable(index: int, why: str) -> UnreadableError:
    """Return the refusal of what needs a frame's picture."""
    return UnreadableError(
        f"Frame {index} cannot be read: {why}.", "Choose another frame, or replace the video with an undamaged copy."
    )


def passed_over(project: Project, frames: Iterable[int]) -> dict[str, str]:
    """Return what a job's result says of frames that it passed over, under ``passed``; nothing if there are none."""
    count = sum(project.source.why_unreadable(index) is not None for index in frames)
    was = "was" if count == 1 else "were"
    return {"passed": f"{counted(count, 'frame')} cannot be read and {was} passed over."} if count else {}
