"""One frame, and the check that all frames of a source are uint8 RGB of one size.

Shapes: H height, W width, in pixels as displayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclevos.errors import VideoError
from cyclevos.media.given_images import rgb_image
from cyclevos.naming import index_name, size_text
from cyclevos.pictures.arrays import UInt8Array


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame, upright, as a viewer would show it.

    Attributes:
        index: 0-based position in the source, in display order.
        name: the file's stem for a folder ("00012"), else the index with at least five digits.
        image: uint8 RGB, (H, W, 3).
        time: in seconds, from the container; None if it has no time stamps.
        path: the image file the frame came from, None for videos and arrays.
    """

    index: int
    name: str
    image: UInt8Array
    time: float | None = None
    path: Path | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.image.shape[0], self.image.shape[1]


def frames_from_arrays(images: Iterable[Any]) -> Iterator[Frame]:
    """Wrap images in memory as frames, one at a time.

    Args:
        images: any iterable of images of one size, of the kinds that :func:`~cyclevos.media.given_images.rgb_image`
            accepts. It is consumed one image at a time, as frames are requested.

    Yields:
        Frames named by their index, without a time.

    Raises:
        VideoError: an image has the wrong type, shape, range or size, or there are no images.

    >>> import numpy as np
    >>> [frame.name for frame in frames_from_arrays(np.zeros((2, 8, 8, 3), np.uint8))]
    ['00000', '00001']
    """
    first: Frame | None = None
    for index, image in enumerate(images):
        frame = Frame(index, index_name(index), rgb_image(image, index))
        first = first or frame
        check_same_size(first.name, first.size, frame.name, frame.size, "the given images")
        yield frame
    if first is None:
        raise VideoError(
            "No image was given: expected at least one.",
            "Check that the iterable has not been consumed already, and that a reader is not at its end.",
        )


def other_size(size: tuple[int, int], first_size: tuple[int, int]) -> str | None:
    """Return how a frame's size differs from the first one's, in words after "cannot be read: "; None if equal."""
    return None if size == first_size else f"it is {size_text(size)}, the first frame is {size_text(first_size)}"


def check_same_size(
    first_name: str, first_size: tuple[int, int], name: str, size: tuple[int, int], source: str
) -> None:
    """Raise VideoError unless a frame has the size of the first one; sizes are (height, width)."""
    if size != first_size:
        raise VideoError(
            f"The frames in {source} differ in size: {first_name} is {size_text(first_size)} but {name} is "
            f"{size_text(size)} (width x height). All frames of one source must have one size.",
            "Resize them, or split the source where the size changes.",
        )
