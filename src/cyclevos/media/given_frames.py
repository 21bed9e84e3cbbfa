"""Videos as a Python caller has them: files, lists of files, iterables of images, OpenCV's readers.

Shapes: T frames, H height, W width, in pixels.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.media.image_folder import ImageFiles
from cyclevos.media.open_source import open_source
from cyclevos.media.sources import FrameSource

logger = logging.getLogger(__name__)


def open_frames(frames: Any) -> FrameSource | Iterable[Any]:
    """Open what a caller gives as the frames of a video.

    Args:
        frames: an opened source; the path of a video file or a folder; a sequence of paths of image files; or an
            iterable of images, from which nothing is taken.

    Returns:
        A source, or an iterable of images.

    Raises:
        VideoError: the files cannot be read; or it is a single image, an OpenCV reader, or nothing that has frames in
            an order.
    """
    if isinstance(frames, FrameSource):
        return frames
    if isinstance(frames, str | os.PathLike):
        return open_source(frames if isinstance(frames, str) else Path(frames))  # an address is text
    if callable(getattr(frames, "isOpened", None)) and callable(getattr(frames, "read", None)):
        raise VideoError(
            f"The frames are an OpenCV reader ({type(frames).__name__}), whose channels are in the order blue, green, "
            "red; expected RGB.",
            "Write cyclevos.segment(network, cyclevos.bgr_frames(capture), masks), or give the video's path.",
        )
    one = isinstance(frames, Image.Image) or _is_one_image(frames)
    if one:
        shape = "" if isinstance(frames, Image.Image) else f" of shape {tuple(frames.shape)}"
        raise VideoError(
            f"The frames are one image ({type(frames).__name__}{shape}); expected all images of a video, (T,H,W,3).",
            "Give [image], or an array or iterable of images.",
        )
    if isinstance(frames, bytes | Mapping | Set) or not isinstance(frames, Iterable):
        raise VideoError(
            f"The frames are {type(frames).__name__}; expected a path or an iterable of images.",
            "Give a video file, a folder or a list of image files, or an iterable of images.",
        )
    if isinstance(frames, Sequence) and frames and all(isinstance(each, str | os.PathLike) for each in frames):
        return ImageFiles([Path(each) for each in frames])
    images: Iterable[Any] = frames
    return images


def bgr_frames(images: Any) -> Iterator[Any]:
    """Turn images of OpenCV, whose channels are in the order blue, green, red, into RGB frames for the loop.

    Args:
        images: a reader such as ``cv2.VideoCapture``, read to its end and not released; or images as ``cv2.imread``
            returns them.

    Yields:
        uint8 RGB (H,W,3), or (H,W) where OpenCV read grey. An image that is None, as a failed read gives, is passed on,
        and is refused with its number when it is reached.

    Raises:
        VideoError: the reader is not open, or an image is not an array as OpenCV has it.
    """
    if callable(getattr(images, "read", None)):
        _check_open(images)
        images = _read_all(images)
    elif not isinstance(images, Iterable) or isinstance(images, str | bytes | Mapping) or _is_one_image(images):
        found = "one image" if _is_one_image(images) else type(images).__name__
        raise VideoError(
            f"bgr_frames was given {found}; expected an OpenCV reader or images that OpenCV has read.",
            "Give cv2.VideoCapture(...), or a list of what cv2.imread returns.",
        )
    logger.info("images of OpenCV are taken as blue, green, red, and turned into RGB")
    return _rgb(images)


def _rgb(images: Iterable[Any]) -> Iterator[Any]:
    for index, image in enumerate(images):
        if image is not None and not isinstance(image, np.ndarray):
            raise VideoError(
                f"Image {index} of bgr_frames is {type(image).__name__}; expected a NumPy array, as OpenCV reads it.",
                "Give images of other libraries to cyclevos.segment as they are: they are RGB already.",
            )
        if image is not None and image.ndim == 3 and image.shape[2] == 3:
            yield np.ascontiguousarray(image[..., ::-1])
        else:
            yield image


def _check_open(reader: Any) -> None:
    is_open = getattr(reader, "isOpened", None)
    if callable(is_open) and not is_open():
        raise VideoError(
            f"The OpenCV reader ({type(reader).__name__}) is not open: OpenCV found no video there, or cannot read it.",
            "Check the path or the camera's number, or give cyclevos the path itself.",
        )


def _read_all(reader: Any) -> Iterator[Any]:
    while True:
        read, image = reader.read()
        if not read:
            return
        yield image


def _is_one_image(frames: Any) -> bool:
    """Return whether an array is a single image; (T,H,W) is a grey video if neither end can be a channel."""
    shape = getattr(frames, "shape", None)
    if not isinstance(shape, tuple) or len(shape) > 3:
        return False
    return len(shape) < 3 or shape[0] in (1, 3, 4) or shape[-1] in (1, 3, 4)
