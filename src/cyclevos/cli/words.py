"""Words of the commands' answers: numbers with their nouns, and object ids."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, in the singular for 1.

    Args:
        number: how many.
        noun: in the singular.
        plural: the noun's plural; empty = with an s.

    >>> counted(1, "frame"), counted(0, "frame"), counted(2, "process", "processes")
    ('1 frame', '0 frames', '2 processes')
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def objects_text(object_ids: Sequence[int]) -> str:
    """Return object ids as text.

    >>> objects_text((3,)), objects_text((1, 4))
    ('object 3', 'objects 1, 4')
    """
    return f"{'object' if len(object_ids) == 1 else 'objects'} {', '.join(map(str, object_ids))}"
