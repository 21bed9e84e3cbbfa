"""The meaning of the values in a mask file: 0 is background; 255 is decided once for a whole sequence."""

from __future__ import annotations

from collections.abc import Iterable

IGNORE = 255
"""Label of pixels that count neither as object nor as background, in training and scoring.

In masks that a user gives it means "unknown": such pixels start no object.
"""


UNKNOWN_NOTE = "255 beside other ids marks unknown pixels, which belong to no object; --keep-255 makes it an object"
"""What a user is told about such masks."""


def marks_one_object(labels: Iterable[int]) -> bool:
    """Return whether 255 marks the only object of a sequence, and not the pixels to ignore.

    Args:
        labels: every value that occurs in any mask of the sequence, 0..255.

    Returns:
        True if 0 (background) and 255 both occur, and no other value. Masks that are 255 everywhere are ignored
        pixels.

    >>> marks_one_object({0, 255}), marks_one_object({0, 1, 255}), marks_one_object({255})
    (True, False, False)
    """
    return set(labels) == {0, IGNORE}


def marks_one_given_object(labels: Iterable[int]) -> bool:
    """Return whether 255 marks the only object of the masks that a user gives for one video.

    Unlike in a data set, such a mask may cover the whole frame.

    Args:
        labels: every value that occurs in any of the masks, 0..255.

    >>> marks_one_given_object({0, 255}), marks_one_given_object({255}), marks_one_given_object({0, 1, 255})
    (True, True, False)
    """
    return marks_one_object({0, *labels})
