"""The reliability of the masks that a project shows, whoever made them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyclevos.app.errors import AppError, ConflictError
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.unreadable import passed_over, unreadable_frames
from cyclevos.app.work.jobs import Job
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.project_network import network_of
from cyclevos.propagation.reviewing import make_reviewer, review_frames


def review(project: Project, holder: NetworkHolder, job: Job, restored: int) -> dict[str, Any]:
    """Compute the reliability of every frame's masks as they are shown.

    They are held against the first frame with an object that a person marked, else against the first with an object.

    Args:
        project: gets each frame's reliability as soon as it is computed.
        holder: of the network.
        job: takes the progress and says whether the review was cancelled.
        restored: `Steps.restored` when the masks that are to be reviewed were there.

    Returns:
        The number of frames reviewed; and ``passed``, a sentence, if frames could not be read.

    Raises:
        AppError: no frame shows an object.
        ConflictError: masks were undone, redone or brought back meanwhile, and with them what was known of them.
    """
    _check_same(project, restored)
    masks = ShownMasks(project)
    first = masks.first()
    if first is None:
        raise AppError("No frame shows an object.", "Paint one and track it, or import a result.")
    job.progress(0, None, "loading the network")
    network = network_of(project, holder).network
    reviewer = make_reviewer(network, project.file.settings.segmentation("forward"), masks, first)
    bad = unreadable_frames(project)
    frames = project.frames - len(bad)
    job.progress(0, frames, "reviewing")
    for count, (frame, p) in enumerate(review_frames(reviewer, project.source), start=1):
        scores = {} if p.annotated else dict(p.reliability)
        with project.lock:
            _check_same(project, restored)
            project.judge_frame(frame.index, scores, tag=masks.tags.pop(frame.index, ""), calibrated=p.calibrated)
        job.progress(count, frames, "reviewing")
    return {"frames": frames, **passed_over(project, bad)}


def _check_same(project: Project, restored: int) -> None:
    """Refuse to judge masks that have their own reliability back."""
    if project.steps.restored != restored:
        raise ConflictError(
            "The review stopped: the masks that it was for were undone, redone or brought back.",
            "What was known of the masks now shown is kept. Press Review to compute it again.",
        )


class ShownMasks(Mapping[int, NDArray[np.uint8]]):
    """The masks that a project shows, by frame index, each read from the disk when it is asked for.

    Attributes:
        tags: of the masks that were asked for.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self.tags: dict[int, str] = {}

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        """Return the mask of a frame."""
        if not 0 <= index < len(self):
            raise KeyError(index)
        mask = self._project.mask(index)
        self.tags[index] = mask.tag
        return mask.ids

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __len__(self) -> int:
        return self._project.frames

    def first(self) -> int | None:
        """Return the index of the frame that the others are held against; None if no frame shows an object."""
        marks, bad = self._project.masks.marks, unreadable_frames(self._project)
        return next((index for index in (*marks, *self) if index not in bad and self[index].any()), None)
