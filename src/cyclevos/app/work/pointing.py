"""Pointing at an object in a frame of a project: prompts in, the rectangle of a mask out. It waits for no job.

Shapes: H W pixels of the frame, h w pixels of the rectangle.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.app.projects.project import Project
from cyclevos.app.work.prompter_holder import PrompterHolder
from cyclevos.prompts.boxes import bounds


class Pointed(NamedTuple):
    """What a person points at in a frame, in pixels.

    Attributes:
        points: of the clicks, (x, y).
        labels: 1 for each click on the object and 0 for each one beside it; None = all on it.
        box: left, top, right and bottom.
        mask: bool (H,W), the object's mask before these clicks, which they repair.
        candidate: counts what the prompts may mean; 0 = what is most likely.
    """

    points: Sequence[tuple[float, float]]
    labels: Sequence[int] | None
    box: tuple[float, float, float, float] | None
    mask: NDArray[np.bool_] | None
    candidate: int


class Found(NamedTuple):
    """The mask of what was pointed at.

    Attributes:
        piece: bool (h,w), the smallest rectangle that holds all its pixels; (0,0) where it has none.
        left: column of the rectangle's left edge.
        top: row of its upper edge.
        candidates: number of masks that the prompts may mean; 0 = not asked.
    """

    piece: NDArray[np.bool_]
    left: int
    top: int
    candidates: int


def get_ready(project: Project, holder: PrompterHolder, index: int) -> None:
    """Do what the first click in a frame would wait for: load the prompter, decode the frame, and have it looked at.

    Raises:
        CycleVOSError: the frame or the prompter cannot be read.
    """
    image = project.reader.image(project.check_frame(index))
    height, width = image.shape[:2]
    with holder.borrow() as prompter:
        prompter(image, [(width / 2, height / 2)], [1])


def point_at(project: Project, holder: PrompterHolder, index: int, pointed: Pointed) -> Found:
    """Return the mask of what is pointed at in a frame; nothing is stored.

    Args:
        project: that the frame belongs to.
        holder: of the prompter.
        index: of the frame.
        pointed: the prompts, and the mask that they repair.

    Raises:
        PromptError: there is no prompt, or one lies outside the frame.
        CycleVOSError: the prompter or the frame cannot be read.
    """
    image = project.reader.image(project.check_frame(index))
    asked = (image, pointed.points, pointed.labels, pointed.box, pointed.mask)
    with holder.borrow() as prompter:
        found = prompter.candidates(*asked) if pointed.candidate else [prompter(*asked)]
    return _cut(found[pointed.candidate % len(found)] > 0.5, len(found) if pointed.candidate else 0)


def _cut(mask: NDArray[np.bool_], candidates: int) -> Found:
    box = bounds(mask)
    if box is None:
        return Found(mask[:0, :0], 0, 0, candidates)
    left, top, right, bottom = map(int, box)
    return Found(mask[top:bottom, left:right], left, top, candidates)
