"""The clips that a network is adapted to: their frames opened, their masks read, those that cannot help left out."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyclevos.adaptation.draws import Draw, Reach
from cyclevos.errors import MaskError
from cyclevos.exchange.given.python_masks import read_video_masks
from cyclevos.exchange.given.reach import NothingToCarryError
from cyclevos.media.given_frames import open_frames
from cyclevos.media.sources import FrameSource
from cyclevos.propagation.frame_access import OpenFrames, length_of
from cyclevos.propagation.segment import Frames
from cyclevos.propagation.settings import Direction
from cyclevos.words import counted

logger = logging.getLogger(__name__)

NOT_BACK = "no mask could be carried to another frame and back"


@dataclass(frozen=True)
class GivenClip:
    """A video that a network is adapted to.

    Attributes:
        name: for people, where there are several.
        frames: of the video, in any order.
        masks: checked ids uint8 (H,W) by frame index.
    """

    name: str
    frames: OpenFrames
    masks: Mapping[int, NDArray[np.uint8]]

    @cached_property
    def annotated(self) -> list[int]:
        """Indices of the frames whose masks show an object, in order."""
        return sorted(index for index, ids in self.masks.items() if ids.any())


def opened_clip(frames: Frames, masks: Any, direction: Direction, name: str = "the video") -> GivenClip:
    """Open a clip's frames and read its masks, as :func:`cyclevos.segment` takes them.

    Raises:
        VideoError: the frames cannot be read.
        MaskError: the masks cannot be read.
    """
    opened = open_frames(frames)
    source = opened if isinstance(opened, FrameSource) else None
    given = read_video_masks(masks, source, direction=direction, frame_count=length_of(opened))
    return GivenClip(name, opened, {index: mask.ids for index, mask in given.items()})


def opened_clips(clips: Iterable[tuple[Frames, Any]], direction: Direction) -> list[GivenClip]:
    """Open several clips, as :func:`opened_clip` does one; those with nothing to adapt on are left out by name.

    Raises:
        VideoError, MaskError: as :func:`opened_clip`; no clip has anything to adapt on.
    """
    named = [
        (str(frames) if isinstance(frames, str | os.PathLike) else f"clip {number}", frames, masks)
        for number, (frames, masks) in enumerate(clips, start=1)
    ]
    return usable([(name, partial(opened_clip, frames, masks, direction, name)) for name, frames, masks in named])


def usable(clips: Sequence[tuple[str, Callable[[], GivenClip]]]) -> list[GivenClip]:
    """Open clips and return those from whose masks something can be carried; the others are left out by name.

    Args:
        clips: the name of each, and what opens it.

    Raises:
        MaskError: there is no clip, or no such one.
    """
    opened, refused = [], []
    for name, open_clip in clips:
        try:
            opened.append(open_clip())
        except NothingToCarryError as error:
            refused.append((name, error))
    if not opened:
        raise refused[0][1] if refused else MaskError("There is no clip to adapt to.", "Give at least one.")
    for name, refusal in refused:
        logger.warning("%s is left out of the adaptation. %s", name, refusal.problem)
    return opened


def warn_of_left_out(
    clips: Sequence[GivenClip], reach: Sequence[Reach], draws: Sequence[Draw], losses: Sequence[float], direction: str
) -> None:
    """Warn by name of those of several clips that had no part in an adaptation.

    Args:
        clips: all.
        reach: of each.
        draws: of every step.
        losses: of the steps that were taken; NaN where nothing could be reconstructed.
        direction: in which masks were carried.
    """
    known: dict[int, list[float]] = {draw.clip: [] for draw in draws}
    for draw, loss in zip(draws, losses, strict=False):
        known[draw.clip].append(loss)
    for number, clip in enumerate(clips if draws and len(clips) > 1 else ()):
        if not reach[number].starts(direction):
            why = nowhere_to_go(direction)
        elif number not in known:
            why = f"{counted(len(draws), 'step')} for {counted(len(clips), 'clip')} leave none for this one"
        elif known[number] and all(map(math.isnan, known[number])):
            why = NOT_BACK
        else:
            continue
        logger.warning("%s is left out of the adaptation: %s.", clip.name, why)


def nowhere_to_go(direction: str) -> str:
    """Return why masks cannot be carried in a direction, in words that follow a colon."""
    lacking = {"forward": "comes after an annotated one", "backward": "comes before an annotated one"}
    return f"there is nothing to adapt on, because no other frame {lacking.get(direction, 'is there')}"
