"""What a page asks for: one edit of masks, checked, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cyclevos.app.errors import AppError, ConflictError
from cyclevos.app.projects.project_file import ObjectId, ObjectInfo, ProjectFile

Finish = Literal["grow", "shrink", "smooth", "fill", "small", "away", "snap"]
MOST_PIXELS = {"grow": 100, "shrink": 100, "smooth": 50, "fill": 0, "small": 10**7, "away": 10**4, "snap": 30}

_At = Annotated[int, Field(strict=True, ge=0, le=2**31)]
_WORDS: Mapping[str, str] = {
    "grow": "Grow {0} by {1} px",
    "shrink": "Shrink {0} by {1} px",
    "smooth": "Smooth {0} by {1} px",
    "fill": "Fill the holes of {0}",
    "small": "Drop pieces of {0} below {1} px",
    "away": "Drop pieces of {0} more than {1} px away",
    "snap": "Snap {0} to the picture within {1} px",
}


class WantedEdit(BaseModel):
    """One edit of the masks of some frames.

    Attributes:
        op: what is done: objects are swapped, merged, moved to another id, deleted or split; their edges are finished;
            or pieces that come up are removed.
        object: the object that is changed; None = every one that is neither locked nor hidden (finish, islands).
        target: the other object; None = a new one (move, split).
        how: to finish edges.
        amount: its pixels.
        frame: where the piece that is split off was pointed at.
        x: column of that pixel.
        y: row of that pixel.
        first: the first frame that is changed.
        last: the last one.
        accepted: accepted frames are changed too.
    """

    model_config = ConfigDict(extra="forbid")

    op: Literal["swap", "merge", "move", "delete", "split", "finish", "islands"]
    object: ObjectId | None = None
    target: ObjectId | None = None
    how: Finish | None = None
    amount: _At = 1
    frame: _At = 0
    x: _At = 0
    y: _At = 0
    first: _At = 0
    last: _At = 2**31
    accepted: bool = False

    def in_frame(self, index: int) -> WantedEdit:
        """Return the same edit of one frame alone."""
        return self.model_copy(update={"first": index, "last": index, "frame": index})

    def within(self, frames: int, size: tuple[int, int]) -> WantedEdit:
        """Return the edit with its range cut to a video's frames.

        Args:
            frames: number of frames of the video.
            size: (H,W) of its masks.

        Raises:
            AppError: the edit is not whole, or not within the video.
        """
        last = min(self.last, frames - 1)
        if self.first > last:
            raise AppError(f"There are no frames from {self.first} to {last}.", "Choose a range within the video.")
        if self.op not in ("finish", "islands") and self.object is None:
            raise AppError("No object was chosen.", "Choose one in the list.")
        if (self.op in ("swap", "merge") and self.target is None) or self.object == self.target is not None:
            raise AppError("This takes two different objects.", "Choose another second object.")
        if self.op == "finish" and self.how is None:
            raise AppError("It was not said how the edges are finished.", "Choose one of the ways.")
        most = 0 if self.how is None else MOST_PIXELS[self.how]
        if self.op == "finish" and self.how != "fill" and not self.amount <= most:
            raise AppError(f"{self.amount} px is too much for this.", f"Choose at most {most} px.")
        if self.op == "split" and not (self.frame < frames and self.y < size[0] and self.x < size[1]):
            raise AppError("The point lies outside the video.", "Click a piece within the frame.")
        return self.model_copy(update={"last": last})

    def title(self, file: ProjectFile, frames: int) -> str:
        """Return the edit in words, for example "Swap car and bus from frame 12 on"."""
        names = {info.id: info.name for info in file.objects}
        first = "all objects" if self.object is None else names.get(self.object, f"object {self.object}")
        second = "a new object" if self.target is None else names.get(self.target, f"object {self.target}")
        words = {
            "swap": f"Swap {first} and {second}",
            "merge": f"Merge {first} into {second}",
            "move": f"Move {first} to {second}",
            "delete": f"Delete {first}",
            "split": f"Split a piece of {first} off into {second}",
            "islands": f"Remove pieces that come up of {first}",
            "finish": _WORDS[self.how or "fill"].format(first, f"{self.amount:,}"),
        }
        return f"{words[self.op]} {self._where(frames)}"

    def objects(self, file: ProjectFile) -> tuple[int, ...]:
        """Return the ids that the edit changes.

        Raises:
            NotFoundError: the list does not have the object.
            ConflictError: it is locked or hidden.
        """
        if self.object is None:
            return tuple(info.id for info in file.objects if not (info.locked or info.hidden))
        known = {info.id: info for info in file.objects}
        _check_open(file.object(self.object))
        if self.target in known:
            _check_open(known[self.target])
        return (self.object,)

    def _where(self, frames: int) -> str:
        if self.first == self.last:
            return f"in frame {self.first}"
        if self.last >= frames - 1:
            return f"from frame {self.first} on" if self.first else "in all frames"
        return f"in frames {self.first} to {self.last}" if self.first else f"up to frame {self.last}"


def _check_open(info: ObjectInfo) -> None:
    if info.locked or info.hidden:
        state, remedy = ("locked", "Unlock") if info.locked else ("hidden", "Show")
        raise ConflictError(f"{info.name} is {state}.", f"{remedy} it in the list of objects, then try again.")
