"""The masks of one video, one frame at a time: what every format is read into and written from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import Frame
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.words import counted

# Shapes: H height, W width. Ids: 0 background, 1..255 objects, gaps allowed.

_LONGEST_NAME = 200  # bytes; file systems allow 255, and endings are added
_NOT_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class MaskFrame:
    """The masks of one frame.

    Attributes:
        index: frame index, from 0.
        name: frame name.
        ids: object ids, uint8 (H, W).
    """

    index: int
    name: str
    ids: UInt8Array

    @property
    def object_ids(self) -> tuple[int, ...]:
        """Ids of the objects that the frame shows, in ascending order."""
        return tuple(int(i) for i in np.unique(self.ids) if i)


@dataclass(frozen=True)
class MaskTrack:
    """The masks of one video.

    Attributes:
        name: name of the video, may be empty.
        frames: returns an iterator over all frames in time order; may be called repeatedly.
        appearance: colours and names of the objects.
        by_position: the format has no names of frames, only their places in the video.
        notes: what a user should know about how they were read, a sentence each.
    """

    name: str
    frames: Callable[[], Iterator[MaskFrame]]
    appearance: Appearance = PLAIN
    by_position: bool = False
    notes: tuple[str, ...] = ()

    @property
    def object_names(self) -> Mapping[int, str]:
        """Names by object id, for the objects that have one."""
        return self.appearance.names

    def object_ids(self) -> tuple[int, ...]:
        """Return the ids of the objects that any frame shows, in ascending order; every frame is read for that."""
        return tuple(sorted({i for frame in self.frames() for i in frame.object_ids}))

    @property
    def palette(self) -> bytes | None:
        """768 bytes of RGB, None if there is no palette."""
        return self.appearance.palette


def check_frame_name(name: str, path: Path) -> str:
    """Return a frame name that another program wrote, if a file can be called so: results are.

    Raises:
        MaskError: it is empty, hidden or too long, leads into another folder, or has characters that no name can have.
    """
    if not name or name.startswith(".") or _NOT_IN_NAMES.search(name) or len(name.encode()) > _LONGEST_NAME:
        raise MaskError(
            f"{path} names a frame {name[:80]!r}, which no file can be called everywhere.",
            "Rename it there: letters, digits, spaces, hyphens.",
        )
    return name


def distinct_frames(track: MaskTrack) -> MaskTrack:
    """Return masks whose reading fails at a second frame of one name, in place of which the first would be written."""

    def frames() -> Iterator[MaskFrame]:
        seen: set[str] = set()
        for frame in track.frames():
            if frame.name in seen:
                raise MaskError(
                    f"Two frames are named {frame.name!r}, of different folders or endings; results are named after "
                    "their frames.",
                    "Export the pictures of one video by themselves, or choose a format without names of frames.",
                )
            seen.add(frame.name)
            yield frame

    return replace(track, frames=frames)


def no_object_error() -> MaskError:
    """Return the refusal of masks without any object by a format that has a file or folder per object."""
    return MaskError(
        "No mask shows an object, and folders of objects cannot hold a video without any.", "Choose another format."
    )


def as_result(frame: MaskFrame) -> FrameResult:
    """Return the masks as a writer takes them, over a frame of that name and size whose pixels are black."""
    pixels: UInt8Array = np.broadcast_to(np.uint8(0), (*frame.ids.shape, 3))
    return FrameResult(Frame(frame.index, frame.name, pixels), frame.ids)


def size_of_all(frame: MaskFrame, size: tuple[int, int] | None, holder: str) -> tuple[int, int]:
    """Return the (H, W) of a frame in a format that knows one size for a whole video.

    Args:
        frame: the frame.
        size: of the frames before it; None for the first one.
        holder: what has one size, for the error.

    Raises:
        MaskError: the frame has another size.
    """
    height, width = frame.ids.shape
    if size not in (None, (height, width)):
        raise MaskError(
            f"Frame {frame.name} is {size_text((height, width))}, the frames before it are {size_text(size)}, but "
            f"{holder} has one size.",
            "Choose another format, or convert the masks of each size separately.",
        )
    return height, width


def merge_objects(
    masks: Iterable[tuple[int, npt.NDArray[np.bool_]]], size: tuple[int, int], where: str, overlap: str = "error"
) -> UInt8Array:
    """Merge masks of single objects into one mask of ids.

    Args:
        masks: object ids with their masks, bool (H, W); each is asked for when its turn comes.
        size: (H, W) in pixels.
        where: what the masks belong to, for the error.
        overlap: which object gets a pixel that two claim: ``first``, ``last``; ``error`` = none may.

    Returns:
        Object ids, uint8 (H, W).

    Raises:
        MaskError: two objects overlap and ``overlap`` is ``error``.
    """
    ids = np.zeros(size, np.uint8)
    for object_id, mask in masks:
        taken = mask & (ids > 0)
        if overlap == "error" and taken.any():
            other = int(ids[taken][0])
            raise MaskError(
                f"{where}: objects {other} and {object_id} overlap in {counted(int(taken.sum()), 'pixel')}, but a mask "
                "of ids holds one object per pixel.",
                "Decide which object gets these pixels: --overlap first or --overlap last.",
            )
        ids[mask & ~taken if overlap == "first" else mask] = object_id
    return ids
