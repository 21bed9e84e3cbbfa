"""The segmentation loop: a generator from frames and masks to a prediction for every frame."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import MaskError, VideoError
from cyclevos.labels import IGNORE, marks_one_given_object
from cyclevos.media.frames import Frame, frames_from_arrays
from cyclevos.media.open_source import open_source
from cyclevos.media.read_ahead import read_ahead
from cyclevos.media.sources import FrameSource
from cyclevos.naming import size_text
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.settings import Direction, MemoryBound, MemoryEvery, SegmentationSettings
from cyclevos.propagation.two_way import BackwardPass

__all__ = ["Direction", "check_masks", "make_propagator", "segment", "segment_frames"]

logger = logging.getLogger(__name__)

# Shapes: K objects, H W pixels.

Masks = Mapping[int, NDArray[np.uint8]]
OpenFrames = FrameSource | Iterable[NDArray[np.uint8]]
Frames = str | Path | OpenFrames


def segment(
    network: MemoryNetwork,
    frames: Frames,
    masks: Mapping[int, Any] | NDArray[np.uint8],
    *,
    size: int | Literal["auto"] | None = "auto",
    memory_every: MemoryEvery = "auto",
    max_memory_frames: MemoryBound = "auto",
    direction: Direction = "forward",
    correction: Correction | str | None = None,
) -> Iterator[Prediction]:
    """Segment a video from the masks of some of its frames.

    Args:
        network: from :func:`cyclevos.load_network`.
        frames: a video file, a folder of frames, a pattern or list of images, or an address, as
            :func:`cyclevos.media.open_source.open_source` takes them; or any iterable of uint8 RGB arrays (H,W,3),
            which is consumed one frame at a time.
        masks: annotations: object ids uint8 (H,W) by frame index, or one array for frame 0. An object may first
            appear in any frame and be annotated several times; 0 is the background. Masks of 0 and 255 alone show
            object 1.
        size: shorter side inside the network in pixels; ``"auto"`` = the size at which the weights work best, None =
            the frames' own size.
        memory_every: every n-th frame stays in memory; ``"auto"`` = as the network likes it.
        max_memory_frames: most frames in memory, including annotated frames and the previous one; ``"auto"`` = as the
            network likes it, None = no bound.
        direction: ``forward`` from each mask to later frames, ``backward`` to earlier ones (the last frame is
            yielded first), or ``both``: every frame from the annotations on either side, weighted by distance.
            ``backward`` and ``both`` need a path or a sequence.
        correction: how masks are corrected: a :class:`Correction`, the name of a preset (``paper``,
            ``default``), or None. With ``reference="all"``, later annotated frames are references too, if the frames
            are a path or a sequence.

    Returns:
        A generator of one prediction per frame. In frames that no annotation of an object reaches, the object has no
        pixels.

    Raises:
        VideoError: the frames cannot be read; the predictions yielded before stay valid.
        MaskError: a mask has another size than the frames, or its frame does not exist.
        ConfigError: an option is out of range.
    """
    if isinstance(correction, str):
        correction = Correction.preset(correction)
    settings = SegmentationSettings(size, memory_every, max_memory_frames, direction, correction)
    propagator = make_propagator(network, settings)
    given = check_masks(masks if isinstance(masks, Mapping) else {0: masks})
    return (p for _, p in segment_frames(propagator, frames, given, direction))


def make_propagator(network: MemoryNetwork, settings: SegmentationSettings) -> Propagator:
    """Create a propagator from settings; the direction is an argument of :func:`segment_frames`.

    Raises:
        ConfigError: a value is out of range.
    """
    settings = settings.resolved(network.traits)
    return Propagator(network, settings.inner_size, settings.policy(network.traits), settings.correction)


def check_masks(masks: Mapping[int, Any], *, exact: bool = False) -> dict[int, NDArray[np.uint8]]:
    """Check masks by frame index and return them as uint8 arrays.

    Args:
        masks: integers or bool (H,W). If 255 is the only value of all masks besides 0, it becomes object 1.
        exact: 255 is an id like any other; for masks whose 255 has been decided when they were read.

    Raises:
        MaskError: an index or a mask is of the wrong kind, or no mask shows an object.
    """
    checked: dict[int, NDArray[np.uint8]] = {}
    for index, mask in masks.items():
        array = np.asarray(mask)
        numbered = isinstance(index, int | np.integer) and index >= 0
        integers = array.dtype == bool or np.issubdtype(array.dtype, np.integer)
        fits = integers and (not array.size or 0 <= array.min() <= array.max() <= 255)
        if not numbered or array.ndim != 2 or not fits:
            values = f", values {array.min()}..{array.max()}" if integers and array.size else ""
            raise MaskError(
                f"The mask of frame {index!r} is {array.dtype} of shape {array.shape}{values}; expected integers "
                "0..255 of shape (H,W) for a frame index from 0.",
                "Give object ids as an integer array (H,W), by frame index.",
            )
        checked[int(index)] = array.astype(np.uint8)
    if not any(mask.any() for mask in checked.values()):
        raise MaskError("No mask shows an object: every pixel is background 0.", "Give a mask with object ids 1..255.")
    return checked if exact else _decided_255(checked)


def _decided_255(masks: dict[int, NDArray[np.uint8]]) -> dict[int, NDArray[np.uint8]]:
    """Read 255 as object 1 if it is the only object of the masks, as the commands do; otherwise warn of it."""
    if not any((mask == IGNORE).any() for mask in masks.values()):
        return masks
    if marks_one_given_object(int(label) for mask in masks.values() for label in np.unique(mask)):
        return {index: (mask > 0).astype(np.uint8) for index, mask in masks.items()}
    logger.warning(
        "The masks hold 255 beside other ids, and it is segmented as object 255. Where it marks unknown pixels, as in "
        "files of PASCAL VOC and DAVIS, set them to 0."
    )
    return masks


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
        frames: see :func:`segment`.
        masks: checked masks by frame index.
        direction: see :func:`segment`.
        start: index of the frame that a forward run begins with, from a path or an opened source only.
        last: index of the frame that a backward run begins with, from a path or an opened source only; None = the last
            frame.

    Raises:
        VideoError: the frames cannot be read.
        MaskError: a mask's frame does not exist or its size is wrong.
    """
    opened = open_source(frames) if isinstance(frames, str | Path) else frames
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
    opened = open_source(frames) if isinstance(frames, str | Path) else frames
    _check_reached(opened, masks)
    _announce(propagator, opened, masks)
    if direction == "backward":
        ahead = {i: m for i, m in masks.items() if last is None or i <= last}
        return _with_masks(_iterate(opened, reverse=True, start=last), ahead)
    ahead = {i: m for i, m in masks.items() if i >= start}
    return _with_masks(_iterate(opened, start=start), ahead)


def _announce(propagator: Propagator, frames: OpenFrames, masks: Masks) -> None:
    """Announce annotated frames to a propagator that looks ahead, if the frames can be read in any order."""
    if not propagator.looks_ahead:
        return
    for index, mask in masks.items():
        image = None
        if isinstance(frames, FrameSource):
            frame = next(frames.iterate(start=index), None) if frames.can_be_read_again else None
            image = None if frame is None else frame.image
        elif isinstance(frames, list | tuple | np.ndarray) and index < len(frames):
            one: Any = frames[index : index + 1]
            image = next(frames_from_arrays(one)).image
        if image is not None and mask.any():
            propagator.announce(index, image, mask)


def _steps(
    propagator: Propagator, frames: Iterator[tuple[Frame, NDArray[np.uint8] | None]]
) -> Iterator[tuple[Frame, Prediction]]:
    for frame, mask in frames:
        yield frame, propagator.step(frame.index, frame.image, mask)


def _with_masks(frames: Iterator[Frame], masks: Masks) -> Iterator[tuple[Frame, NDArray[np.uint8] | None]]:
    """Pair each frame with its annotation, in the order in which the frames come."""
    missing = set(masks)
    last = 0
    for number, frame in enumerate(frames):
        if number == 0:  # now, and not when the mask's frame is reached, which may be hours later
            _check_sizes(masks, frame.size)
        missing.discard(frame.index)
        last = max(last, frame.index)
        yield frame, masks.get(frame.index)
    if missing:
        raise _unreached(missing, last)


def _check_reached(frames: OpenFrames, masks: Masks) -> None:
    """Refuse frames that are none, and masks of frames past the end, if the number of frames is known."""
    if not isinstance(frames, FrameSource | Iterable):
        raise VideoError(
            f"The frames are {type(frames).__name__}; expected a path or an iterable of images.",
            "Give a video file, a folder of frames, or uint8 RGB arrays (H,W,3).",
        )
    count = frames.len_hint if isinstance(frames, FrameSource) else len(frames) if isinstance(frames, Sized) else None
    if count and any(index >= count for index in masks):
        raise _unreached({index for index in masks if index >= count}, count - 1)


def _unreached(indices: Collection[int], last: int) -> MaskError:
    return MaskError(
        f"Masks were given for frames {sorted(indices)}, but the video ends with frame {last} (counted from 0).",
        "Remove these masks, or check their frame numbers.",
    )


def _check_sizes(masks: Masks, size: tuple[int, int]) -> None:
    for index, mask in masks.items():
        if mask.shape != size:
            raise MaskError(
                f"The mask of frame {index} is {size_text((mask.shape[0], mask.shape[1]))} but the frames are "
                f"{size_text(size)} (width x height).",
                "Give the mask in the frames' size; the commands resize it with --fit-mask.",
            )


def _iterate(frames: OpenFrames, *, reverse: bool = False, start: int | None = None) -> Iterator[Frame]:
    if isinstance(frames, FrameSource):
        # Decode in parallel with the network. A user's own iterable is read frame by frame, on the user's thread.
        return read_ahead(frames.iterate(reverse=reverse, start=start))
    if not reverse:
        return frames_from_arrays(frames)
    if not isinstance(frames, Sequence) and not isinstance(frames, np.ndarray):
        raise VideoError(
            f"Going backward needs frames that can be read from the end; got a {type(frames).__name__}.",
            "Give a path, a list or an array.",
        )
    count = len(frames)
    turned: Iterator[Any] = (frames[count - 1 - i] for i in range(count))
    return (replace(f, index=count - 1 - f.index) for f in frames_from_arrays(turned))


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
