"""The mask of one frame as a project shows it: its pixels, who made them, and what follows from them.

Shapes: H height, W width.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from cyclevos.app.projects.islands import islands
from cyclevos.app.projects.mask_pngs import Mark
from cyclevos.app.projects.object_pixels import areas
from cyclevos.pictures.arrays import UInt8Array

Status = Literal["empty", "tracked", "marked", "accepted"]


@dataclass(frozen=True, eq=False)
class FrameMask:
    """The mask of one frame.

    Attributes:
        ids: uint8 (H,W).
        mark: the person's annotation; None = none.
        tracked: whether there is a tracked mask.
        order: of two states of one frame, the one with the larger number is the later one.
    """

    ids: UInt8Array
    mark: Mark | None
    tracked: bool
    order: int = 0

    @property
    def status(self) -> Status:
        """The state as one word."""
        return status_of(self.mark, tracked=self.tracked)

    @cached_property
    def tag(self) -> str:
        """Hash of the mask and its mark; the same after a restart."""
        digest = hashlib.sha1(self.ids.tobytes(), usedforsecurity=False)
        objects = [] if self.mark is None else sorted(self.mark.objects)
        digest.update(f"{self.status} {objects}".encode())
        return digest.hexdigest()[:18]

    @cached_property
    def areas(self) -> dict[int, int]:
        """Pixels of each object that is there."""
        return areas(self.ids)

    @cached_property
    def islands(self) -> dict[int, int]:
        """Pixels of each object that lie away from its largest piece."""
        return islands(self.ids)


def status_of(mark: Mark | None, *, tracked: bool) -> Status:
    """Return a frame's state as one word."""
    if mark is not None:
        return "accepted" if mark.accepted else "marked"
    return "tracked" if tracked else "empty"


def describe_mask(mask: FrameMask) -> dict[str, Any]:
    """Describe a frame's mask, without its pixels, as JSON values."""
    objects = [] if mask.mark is None else sorted(mask.mark.objects)
    status = {"status": mask.status, "tracked": mask.tracked, "objects": objects}
    return {"tag": mask.tag, "order": mask.order, **status, "areas": mask.areas, "islands": mask.islands}
