"""Which frames of a video the masks that a user gives can reach in a run's direction."""

from __future__ import annotations

from collections.abc import Sequence

from cyclevos.errors import MaskError
from cyclevos.words import counted


class NothingToCarryError(MaskError):
    """The masks are sound, but show no object that could be carried to another frame."""


def check_reach(shown: Sequence[int], direction: str, count: int | None) -> None:
    """Refuse masks from which no other frame of the video can be reached.

    Args:
        shown: indices of the frames whose masks show an object.
        direction: of the run.
        count: number of frames; None if unknown, then only the beginning is checked.

    Raises:
        NothingToCarryError: no other frame lies in the direction.
    """
    if count == 1:
        return
    if direction == "backward" and max(shown) == 0:
        where, way, instead = "the first frame", "earlier", "forward"
    elif direction == "forward" and count is not None and min(shown) >= count - 1:
        where, way, instead = f"frame {count - 1}, the last one,", "later", "backward"
    else:
        return
    raise NothingToCarryError(
        f"Only the mask of {where} shows an object, and --direction {direction} propagates it to {way} frames, "
        "of which there are none.",
        f"Use --direction {instead} or both, or give the mask of another frame.",
    )


def reach_notes(
    shown: Sequence[int], blank: Sequence[int], direction: str, count: int | None, names: Sequence[str] | None = None
) -> list[str]:
    """Return what a user should know about masks without an object, and about frames that no mask reaches.

    Args:
        shown: indices of the frames whose masks show an object.
        blank: indices of the frames whose masks show none.
        direction: of the run.
        count: number of frames; None if unknown.
        names: of all frames; None where they are named by their index.
    """
    return [*_note_of_blank(blank, names), *_note_of_reach(shown, direction, count, names)]


def _note_of_blank(blank: Sequence[int], names: Sequence[str] | None) -> list[str]:
    if not blank:
        return []
    listed = ", ".join(_called(index, names) for index in blank)
    frames = f"mask of frame {listed} shows" if len(blank) == 1 else f"masks of frames {listed} show"
    effect = "it has no effect" if len(blank) == 1 else "they have no effect"
    return [f"The {frames} no object, so {effect}: objects known from earlier frames are still predicted there."]


def _note_of_reach(shown: Sequence[int], direction: str, count: int | None, names: Sequence[str] | None) -> list[str]:
    """Return a note of the frames that no mask reaches in the run's direction."""
    first, last = min(shown), max(shown)
    if direction == "forward" and first > 0:
        which, given, empty = "first", first, range(first)
    elif direction == "backward" and count is not None and last < count - 1:
        which, given, empty = "last", last, range(last + 1, count)
    else:
        return []
    begin, end = _called(empty[0], names), _called(empty[-1], names)
    stay = (
        f"frame {begin} stays empty"
        if len(empty) == 1
        else (f"frames {begin} to {end} stay empty: {counted(len(empty), 'frame')}")
    )
    counting = ", counted from 0 (ffmpeg counts from 1)" if names is None else ""
    return [
        f"The {which} mask is that of frame {_called(given, names)}{counting}, so {stay}. Give a mask there, or use "
        "--direction both."
    ]


def _called(index: int, names: Sequence[str] | None) -> str:
    return str(index) if names is None else names[index]
