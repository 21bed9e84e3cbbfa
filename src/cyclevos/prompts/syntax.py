"""Prompts as texts of the command line: read and written. It needs no torch.

A point is ``[FRAME:]X,Y[:ID]``, a box ``[FRAME:]X0,Y0,X1,Y1[:ID]``: pixels of the picture as shown, the frame's index
from 0, and the object's id from 1 to 255.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import NamedTuple

from cyclevos.errors import PromptError
from cyclevos.prompts.prompts import Click, Prompts, VideoPrompts, prompts_of

_NUMBER = r"[+-]?(?:[0-9]{1,9}(?:\.[0-9]*)?|\.[0-9]+)"
_POINT, _BOX = (
    re.compile(f"(?:(?P<frame>[0-9]{{1,9}}):)?(?P<numbers>{numbers})(?::(?P<id>[0-9]{{1,3}}))?")
    for numbers in (",".join([_NUMBER] * 2), ",".join([_NUMBER] * 4))
)
_SHOWN = 60  # characters of a text that is refused


class _Placed(NamedTuple):
    """One option's text.

    Attributes:
        frame: index of its frame.
        object_id: of its object.
        numbers: the pixels.
    """

    frame: int
    object_id: int
    numbers: tuple[float, ...]


def read_prompts(
    points: Iterable[str] = (), not_points: Iterable[str] = (), boxes: Iterable[str] = (), frame: int = 0
) -> VideoPrompts:
    """Read the texts of ``--point``, ``--not-point`` and ``--box``.

    Args:
        points: clicks on objects.
        not_points: clicks beside them.
        boxes: around objects; one for each object and frame.
        frame: index of the frame of texts that name none.

    Returns:
        Prompts by frame index and object id, both in ascending order.

    Raises:
        PromptError: a text is not a point or a box, two contradict each other, or there are too many.

    >>> read_prompts(["412,230", "30:40,50:2"])[30][2].clicks
    (Click(x=40.0, y=50.0, positive=True),)
    """
    clicks: dict[tuple[int, int], list[Click]] = {}
    drawn: dict[tuple[int, int], tuple[float, ...]] = {}
    for option, texts in (("--point", points), ("--not-point", not_points)):
        for text in texts:
            placed = _read(text, option, frame)
            x, y = placed.numbers
            clicks.setdefault((placed.frame, placed.object_id), []).append(Click(x, y, option == "--point"))
    for text in boxes:
        placed = _read(text, "--box", frame)
        if drawn.setdefault((placed.frame, placed.object_id), placed.numbers) is not placed.numbers:
            raise PromptError(
                f"There are two boxes for object {placed.object_id} in frame {placed.frame}; expected one.",
                "Give one box that holds the whole object, or another object's id: --box 10,20,110,220:2.",
            )
    found: dict[int, dict[int, Prompts]] = {}
    for where in sorted({*clicks, *drawn}):
        made = clicks.get(where, [])
        _check_agreement(made, *where)
        signs = [int(click.positive) for click in made]
        found.setdefault(where[0], {})[where[1]] = prompts_of([(c.x, c.y) for c in made], signs, drawn.get(where))
    return found


def write_prompts(prompts: VideoPrompts) -> list[str]:
    """Write prompts as the options that :func:`read_prompts` reads, each as ``--point=0:412,230:1``.

    >>> write_prompts({3: {2: Prompts((Click(412.5, 230),))}})
    ['--point=3:412.5,230:2']
    """
    texts = []
    for frame, objects in sorted(prompts.items()):
        for object_id, each in sorted(objects.items()):
            places: list[tuple[str, tuple[float, ...]]] = [
                ("--point" if c.positive else "--not-point", (c.x, c.y)) for c in each.clicks
            ]
            places += [] if each.box is None else [("--box", each.box)]
            texts += [f"{option}={frame}:{','.join(map(_plain, at))}:{object_id}" for option, at in places]
    return texts


def _read(text: str, option: str, frame: int) -> _Placed:
    form, sample, pattern = (
        ("[FRAME:]X0,Y0,X1,Y1[:ID]", "40,30,210,330", _BOX)
        if option == "--box"
        else ("[FRAME:]X,Y[:ID]", "412,230", _POINT)
    )
    found = pattern.fullmatch(re.sub(r"\s*([,:])\s*", r"\1", text.strip()))
    object_id = int(found["id"] or 1) if found is not None else 0
    if found is None or not 1 <= object_id <= 255:
        what = "a box" if option == "--box" else "a point"
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise PromptError(
            f"{option} {shown!r} is not {what}; expected {form}: the index of the frame from 0, pixels, and the "
            "object's id from 1 to 255.",
            f"For example: {option} {sample} for object 1 in the first frame, {option} 30:{sample}:2 for object 2 in "
            "frame 30.",
        )
    numbers = tuple(map(float, found["numbers"].split(",")))
    return _Placed(frame if found["frame"] is None else int(found["frame"]), object_id, numbers)


def _check_agreement(clicks: list[Click], frame: int, object_id: int) -> None:
    """Refuse pixels that are said to be both on an object and beside it."""
    both = {c.pixel for c in clicks if c.positive} & {c.pixel for c in clicks if not c.positive}
    if both:
        row, column = min(both)
        raise PromptError(
            f"--point and --not-point both name the pixel {column},{row} of object {object_id} in frame {frame}.",
            "Leave one of them out.",
        )


def _plain(number: float) -> str:
    """Write a number exactly, without an exponent."""
    text = format(Decimal(repr(float(number))), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
