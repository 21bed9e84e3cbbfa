"""The sizes that the headers of masks declare, held against the video and a bound before anything is decoded."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cyclevos.app.errors import MaskSizeError, TooLargeError
from cyclevos.naming import size_text
from cyclevos.pictures.bounds import picture_size

_LARGEST = 2**25  # pixels of one mask that is resized: 8K
_MOST_PIXELS = 2**32  # of all pictures of a result together: 2,000 frames of 1080p


def check_declared(path: Path, video: tuple[int, int], *, fit: bool) -> None:
    """Refuse a mask by the size in its header, whatever its format.

    Args:
        path: the file; what is wrong with one that is no picture is found by reading it.
        video: (height, width) of the video.
        fit: it is resized if it has another size.

    Raises:
        MaskSizeError: it has another size, and is not to be resized.
        TooLargeError: it is too large to be resized.
    """
    declared = picture_size(path)
    if declared is None:
        return
    if declared[::-1] != video and not fit:
        raise MaskSizeError(declared[::-1], video)
    check_sizes([declared], video)


def check_sizes(sizes: Iterable[tuple[int, int]], video: tuple[int, int]) -> None:
    """Refuse pictures of a result by their sizes (width, height).

    Raises:
        TooLargeError: one of them, or all together, have too many pixels.
    """
    total, largest = 0, max(_LARGEST, video[0] * video[1])
    for width, height in sizes:
        total += width * height
        if width * height > largest:
            raise TooLargeError(
                f"A mask declares {size_text((height, width))} pixels; at most {largest:,} are resized.",
                "Export it in the video's size.",
            )
    if total > _MOST_PIXELS:
        raise TooLargeError(
            f"The pictures have {total:,} pixels in all; at most {_MOST_PIXELS:,} are imported.",
            "Export the masks in the video's size, or as COCO JSON.",
        )
