"""The segmentation loop: a generator from frames and masks to a prediction for every frame."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import MaskError
from cyclevos.exchange.given.given_masks import GivenMasks
from cyclevos.exchange.given.python_masks import read_video_masks
from cyclevos.media.appearance import Appearance
from cyclevos.media.frames import Frame
from cyclevos.media.given_frames import open_frames
from cyclevos.media.sources import FrameSource
from cyclevos.naming import size_text
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.weights import as_network
from cyclevos.prompts.prompter import Prompter
from cyclevos.propagation.frame_access import OpenFrames, image_at, iterate, length_of
from cyclevos.propagation.inner_size import sized
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.prompted import Asked, ask
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.settings import Direction, SegmentationSettings
from cyclevos.propagation.two_way import BackwardPass

__all__ = ["Direction", "make_propagator", "segment_frames", "segment_given"]

# Shapes: K objects, H W pixels.

Masks = Mapping[int, NDArray[np.uint8]]
Frames = str | Path | OpenFrames
Prepare = Callable[[MemoryNetwork, OpenFrames, Masks], MemoryNetwork]
"""Makes the network that segments a video of another one, the video's frames, and its checked masks."""


def segment_given(
    network: MemoryNetwork | str | Path,
    frames: Frames,
    masks: Any,
    settings: SegmentationSettings,
    *,
    prompts: Any = None,
    prompter: Prompter | str | Path = "default",
    prepare: Prepare | None = None,
) -> Iterator[Prediction]:
    """Segment a video from what people give, as :func:`cyclevos.segment` does.

    Args:
        network: see :func:`cyclevos.segment`.
        frames: the same.
        masks: the same.
        settings: the settings.
        prompts: see :func:`cyclevos.segment`.
        prompter: the same.
        prepare: makes the network that segments the video of the one that is given.

    Returns:
        See :func:`cyclevos.segment`.

    Raises:
        VideoError, MaskError, PromptError, ConfigError, WeightsError: see :func:`cyclevos.segment`.
    """
    direction = settings.direction
    opened = open_frames(frames)
    given = _given_masks(masks, opened, direction, prompted=prompts is not None)
    ids: Masks = {index: mask.ids for index, mask in given.items()}
    asked = Asked({}) if prompts is None else ask(prompts, prompter, opened, ids, direction)
    ids = {**ids, **asked.masks}
    network = as_network(network)  # last: a refusal should not wait for it
    if prepare is not None:
        network = prepare(network, opened, ids)
    propagator = make_propagator(network, sized(settings, network.traits, ids)[0])
    palette = next((mask.palette for mask in given.values() if mask.palette is not None), None)
    look = Appearance(palette, given.names)
    if asked.later is None:
        pairs = segment_frames(propagator, opened, ids, direction)
    else:
        pairs = _steps(propagator, asked.later(one_pass(propagator, opened, ids)))
    shown = tuple(sorted({*asked.object_ids, *(i for mask in given.values() for i in mask.object_ids)}))
    return (replace(p, frame=frame, appearance=look, all_ids=shown) for frame, p in pairs)


def _given_masks(masks: Any, frames: OpenFrames, direction: Direction, *, prompted: bool) -> GivenMasks:
    """Return the masks that a caller gives; none where there are prompts instead."""
    if masks is None and prompted:
        return GivenMasks({})
    if masks is None:
        raise MaskError(
            "There are neither masks nor prompts; expected at least one object to follow.",
            'Give a mask, {0: mask}, or a click, prompts={0: {1: {"points": [(412, 230)]}}}.',
        )
    source = frames if isinstance(frames, FrameSource) else None
    return read_video_masks(masks, source, direction=direction, frame_count=length_of(frames))


def make_propagator(network: MemoryNetwork, settings: SegmentationSettings) -> Propagator:
    """Create a propagator from settings; the direction is an argument of :func:`segment_frames`.

    A size that is still ``"auto"`` is chosen by the first annotated frame.

    Raises:
        ConfigError: a value is out of range.
    """
    settings = settings.resolved(network.traits)
    return Propagator(network, settings.size, settings.policy(network.traits), settings.correction)


def segment_frames(
    propagator: Propagator,
    frames: Frames,
    masks: Masks,
    direction: Direction = "forward",
    start: int = 0,
    last: int | None = None,
) -> Iterator[tuple[Frame, Prediction]]:
    """Run the loop that all commands share, yielding each frame with its prediction.

    Args:
        propagator: a fresh one, or one restored to continue at ``start`` or ``last``.
        frames: see :func:`cyclevos.segment`.
        masks: checked masks by frame index.
        direction: see :func:`cyclevos.segment`.
        start: index of the frame that a forward run begins with, from a path or an opened source only.
        last: index of the frame that a backward run begins with, from a path or an opened source only; None = the last
            frame.

    Raises:
        VideoError: the frames cannot be read.
        MaskError: a mask's frame does not exist or its size is wrong.
    """
    opened = open_frames(frames)
    if direction == "both":
        return _both(propagator, opened, masks)
    return _steps(propagator, one_pass(propagator, opened, masks, direction, start, last))


def one_pass(
    propagator: Propagator,
    frames: Frames,
    masks: Masks,
    direction: Literal["forward", "backward"] = "forward",
    start: int = 0,
    last: int | None = None,
) -> Iterator[tuple[Frame, NDArray[np.uint8] | None]]:
    """Announce annotated frames, then yield each frame of one direction with its annotation.

    Arguments and errors are those of :func:`segment_frames`.
    """
    opened = open_frames(frames)
    _check_reached(opened, masks)
    _announce(propagator, opened, masks)
    if direction == "backward":
        ahead = {i for i in masks if last is None or i <= last}
        return _with_masks(iterate(opened, reverse=True, start=last), masks, ahead)
    ahead = {i for i in masks if i >= start}
    return _with_masks(iterate(opened, start=start), masks, ahead)


def _announce(propagator: Propagator, frames: OpenFrames, masks: Masks) -> None:
    """Announce annotated frames to a propagator that looks ahead, if the frames can be read in any order."""
    if not propagator.looks_ahead:
        return
    for index, mask in masks.items():
        image = image_at(frames, index)
        if image is not None and mask.any():
            propagator.announce(index, image, mask)


def _steps(
    propagator: Propagator, frames: Iterator[tuple[Frame, NDArray[np.uint8] | None]]
) -> Iterator[tuple[Frame, Prediction]]:
    for frame, mask in frames:
        yield frame, propagator.advance(frame.index, frame.image, mask)


def _with_masks(
    frames: Iterator[Frame], masks: Masks, ahead: Collection[int]
) -> Iterator[tuple[Frame, NDArray[np.uint8] | None]]:
    """Pair each frame with its annotation, in the order in which the frames come; `ahead` are annotated."""
    missing = set(ahead)
    last = 0
    for number, frame in enumerate(frames):
        if number == 0:  # now, and not when the mask's frame is reached, which may be hours later
            _check_sizes(masks, ahead, frame.size)
        missing.discard(frame.index)
        last = max(last, frame.index)
        yield frame, masks[frame.index] if frame.index in ahead else None
    if missing:
        raise _unreached(missing, last)


def _check_reached(frames: OpenFrames, masks: Masks) -> None:
    """Refuse masks of frames past the end, if the number of frames is known."""
    count = length_of(frames)
    if count and any(index >= count for index in masks):
        raise _unreached({index for index in masks if index >= count}, count - 1)


def _unreached(indices: Collection[int], last: int) -> MaskError:
    return MaskError(
        f"Masks were given for frames {sorted(indices)}, but the video ends with frame {last} (counted from 0).",
        "Remove these masks, or check their frame numbers.",
    )


def _check_sizes(masks: Masks, ahead: Collection[int], size: tuple[int, int]) -> None:
    for index in sorted(ahead):
        height, width = masks[index].shape
        if (height, width) != size:
            raise MaskError(
                f"The mask of frame {index} is {size_text((height, width))} but the frames are "
                f"{size_text(size)} (width x height).",
                "Give the mask in the frames' size; the commands resize it with --fit-mask.",
            )


def _both(propagator: Propagator, frames: OpenFrames, masks: Masks) -> Iterator[tuple[Frame, Prediction]]:
    """Run backward first, store the predictions on disk, then merge them into the forward pass."""
    backward = propagator.fresh()
    with tempfile.TemporaryDirectory(prefix="cyclevos-") as folder:
        seen = BackwardPass(Path(folder), masks)
        for _, p in _steps(backward, one_pass(backward, frames, masks, "backward")):
            seen.keep(p)
        for frame, p in _steps(propagator, one_pass(propagator, frames, masks)):
            yield frame, seen.merge(p)
            seen.drop(p.index)
