"""Reading the whole video of a project once, on a thread of its own, to count its frames and make it seekable."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cyclevos.app.errors import ConflictError, explain
from cyclevos.app.projects.video_index import index_video, write_index
from cyclevos.errors import CycleVOSError, VideoError
from cyclevos.words import counted

if TYPE_CHECKING:
    from cyclevos.app.projects.open_folder import OpenFolder

logger = logging.getLogger(__name__)

PUT_BACK = "Put back the video that the project belongs to."


def check_read(project: OpenFolder) -> None:
    """Refuse work on the whole video of a project while its frames are not counted yet.

    Raises:
        ConflictError: it is still being read.
        CycleVOSError: it cannot be read.
    """
    if project.problem is not None:
        raise project.problem
    if project.index is None:
        raise ConflictError("The video is still being read.", "Try again in a moment.")


def index_project(project: OpenFolder) -> None:
    """Read the video and give the project its index; what goes wrong becomes the project's problem."""

    def progress(done: int) -> None:
        project.read = done
        if project.index is None:
            project.hub.publish("reading", {"done": done, "total": project.source.len_hint})

    if project.index is not None and project.index.is_current:
        return
    try:
        seen = index_video(project.source, progress, project.closing)
        if seen is not None and project.file.frames not in (None, len(seen.times)):
            made = f"the project was made when it had {project.file.frames}"
            raise VideoError(f"{project.source.path} has a frame count of {len(seen.times)}, but {made}.", PUT_BACK)
        if seen is not None:
            length = len(seen.times)
            write_index(project.folder, seen)
            project.index = seen
            project.change(lambda file: setattr(file, "frames", length))
            if project.source.bad:
                logger.warning("%s: %s cannot be read", project.source.path, counted(len(project.source.bad), "frame"))
    except Exception as error:
        project.problem = explain(error)
        logger.warning("%s", project.problem, exc_info=not isinstance(error, CycleVOSError))
        project.hub.publish("changed", {})
