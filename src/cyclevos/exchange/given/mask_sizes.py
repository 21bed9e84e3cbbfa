"""Masks that a user gives, in the size of their frames: turned and resized as the user allows, otherwise refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.naming import size_text
from cyclevos.pictures.fitting import LEFT, RIGHT, is_on_its_side, resized, turned
from cyclevos.pictures.headers import declared_size
from cyclevos.pictures.mask_files import MaskImage

CameraTurn = Callable[[int], Image.Transpose | None]
_DIRECTIONS = {LEFT: "to the left", RIGHT: "to the right"}


class MaskFitter:
    """Brings masks into the size of their frames.

    Args:
        size: (height, width) of the frames as they are displayed.
        reading: what the user allows.
        camera_turn: returns how the frame of an index was turned upright, None if it was not; see
            :meth:`cyclevos.media.sources.FrameSource.camera_turn`.
    """

    def __init__(self, size: tuple[int, int], reading: MaskReading, camera_turn: CameraTurn | None = None) -> None:
        self._size, self._reading = size, reading
        self._camera_turn: CameraTurn = camera_turn or (lambda _: None)

    def check_file(self, file: Path, index: int) -> None:
        """Refuse a mask by the size in its header, before it is decoded.

        Args:
            file: the mask's file.
            index: of its frame.

        Raises:
            MaskError: :meth:`fit` would refuse its size.
        """
        try:
            declared = declared_size(file)
        except OSError:  # reading it says why
            return
        if declared is not None:
            self._check(declared[::-1], index, file)

    def fit(self, mask: MaskImage, index: int, file: Path) -> MaskImage:
        """Return a mask in the frames' size.

        Args:
            mask: the mask.
            index: of its frame.
            file: the mask's file, for errors.

        Raises:
            MaskError: it has another size or its sides are swapped, and the user does not allow to change that; or
                its frame has no EXIF orientation to turn it by.
        """
        if self._reading.turn != "no":
            mask = self._turned(mask, index, file)
        self._check(mask.size, index, file, turned=True)
        return mask if mask.size == self._size else resized(mask, self._size)

    def _check(self, size: tuple[int, int], index: int, file: Path, *, turned: bool = False) -> None:
        """Refuse a size (height, width), which a turn may still change unless the mask was turned already."""
        allowed = {self._size} if turned or self._reading.turn == "no" else {self._size, self._size[::-1]}
        if size in allowed:
            return
        problem = f"{file} is {size_text(size)} but the video is {size_text(self._size)} (width x height)"
        may_turn = self._reading.turn != "no" and not turned
        if is_on_its_side(size, self._size) and not may_turn:
            raise self._swapped(problem, index)
        if not self._reading.fit:
            raise MaskError(
                f"{problem}. A mask must have its video's size.",
                "Export it again, or use --fit-mask to resize it by nearest neighbour.",
            )

    def _turned(self, mask: MaskImage, index: int, file: Path) -> MaskImage:
        if self._reading.turn != "auto":
            turn = LEFT if self._reading.turn == "left" else RIGHT
            return turned(mask, turn, f"turned {_DIRECTIONS[turn]}")
        given = self._camera_turn(index)
        if given is None:
            raise MaskError(
                f"{file} cannot be turned by --turn-mask auto: its frame has no EXIF orientation that says how, "
                "and its video no rotation.",
                "Use --turn-mask left or right, or leave it out.",
            )
        return turned(mask, given, f"turned {_way(given)}as its frame is for display")

    def _swapped(self, problem: str, index: int) -> MaskError:
        """Return the refusal of a mask whose sides are swapped."""
        given = None if self._reading.turn != "no" else self._camera_turn(index)
        if self._reading.turn != "no":
            why, remedy = "", "Leave out --turn-mask."
        elif given is None:
            why, remedy = "", "Use --turn-mask left or --turn-mask right, whichever is right, or export it again."
        else:
            why = (
                f" The camera turns the frames {_way(given)}for display (EXIF orientation or rotation of the video), "
                "and the mask was probably made from their raw pixels."
            )
            remedy = "Use --turn-mask auto to turn it as the frames are."
        return MaskError(f"{problem}: its sides are swapped, and resizing would distort it.{why}", remedy)


def _way(turn: Image.Transpose) -> str:
    return f"{_DIRECTIONS[turn]} " if turn in _DIRECTIONS else ""
