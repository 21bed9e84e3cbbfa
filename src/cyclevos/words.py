"""Words of answers and warnings: numbers with their nouns, lists, and object ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


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


def listed(texts: Sequence[str], most: int = 8) -> str:
    """Return texts separated by commas, and dots in place of those behind the first ones.

    Args:
        texts: what is listed.
        most: how many are shown.

    >>> listed(["a", "b", "c"], most=2), listed(["a"]), listed([])
    ('a, b, ...', 'a', '')
    """
    return ", ".join([*texts[:most], *(["..."] if len(texts) > most else [])])


def first_line(error: BaseException) -> str:
    r"""Return the first line of an error's text; its type if it has no text.

    >>> first_line(ValueError("no such file\nat line 3")), first_line(KeyError())
    ('no such file', 'KeyError')
    """
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def objects_text(object_ids: Sequence[int], names: Mapping[int, str] | None = None) -> str:
    """Return object ids as text, with the names of those that have one.

    >>> objects_text((3,)), objects_text((1, 4), {4: "car"})
    ('object 3', 'objects 1, 4 (car)')
    """
    shown = [f"{i} ({names[i]})" if names and i in names else str(i) for i in object_ids]
    return f"{'object' if len(object_ids) == 1 else 'objects'} {', '.join(shown)}"


def names_text(names: Mapping[int, str]) -> str:
    """Return which object has which name.

    >>> names_text({2: "car", 1: "box"})
    '1 is box, 2 is car'
    """
    return ", ".join(f"{object_id} is {name}" for object_id, name in sorted(names.items()))
