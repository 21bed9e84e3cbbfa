"""Masks that a user gives, in the size of their frames: turned and resized as the user allows, otherwise refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.mask_reading import MaskReading
from cyclevos.naming import size_text
from cyclevos.pictures.fitting import LEFT, RIGHT, is_on_its_side, resized, turned
from cyclevos.pictures.images import camera_turn
from cyclevos.pictures.mask_files import MaskImage

_DIRECTIONS = {LEFT: "to the left", RIGHT: "to the right"}


class MaskFitter:
    """Brings masks into the size of their frames.

    Args:
        size: (height, width) of the frames as they are displayed.
        reading: what the user allows.
        frame_files: image files of the frames by index, whose EXIF orientations count; None where they have none.
    """

    def __init__(self, size: tuple[int, int], reading: MaskReading, frame_files: Sequence[Path] | None = None) -> None:
        self._size, self._reading, self._frame_files = size, reading, frame_files

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
        if mask.size == self._size:
            return mask
        problem = f"{file} is {size_text(mask.size)} but the video is {size_text(self._size)} (width x height)"
        if is_on_its_side(mask.size, self._size):
            raise self._swapped(problem, index)
        if not self._reading.fit:
            raise MaskError(
                f"{problem}. A mask must have its video's size.",
                "Export it again, or use --fit-mask to resize it by nearest neighbour.",
            )
        return resized(mask, self._size)

    def _turned(self, mask: MaskImage, index: int, file: Path) -> MaskImage:
        if self._reading.turn != "auto":
            turn = LEFT if self._reading.turn == "left" else RIGHT
            return turned(mask, turn, f"turned {_DIRECTIONS[turn]}")
        given = self._camera_turn(index)
        if given is None:
            raise MaskError(
                f"{file} cannot be turned by --turn-mask auto: its frame has no EXIF orientation that says how.",
                "Use --turn-mask left or right, or leave it out.",
            )
        return turned(mask, given, f"turned {_way(given)}as the EXIF orientation of its frame says")

    def _swapped(self, problem: str, index: int) -> MaskError:
        """Return the refusal of a mask whose sides are swapped."""
        given = None if self._reading.turn != "no" else self._camera_turn(index)
        if self._reading.turn != "no":
            why, remedy = "", "Leave out --turn-mask."
        elif given is None:
            why, remedy = "", "Use --turn-mask left or --turn-mask right, whichever is right, or export it again."
        else:
            why = (
                f" The camera's EXIF orientation turns the frames {_way(given)}for display, and the mask was probably "
                "made from their raw pixels."
            )
            remedy = "Use --turn-mask auto to turn it as the frames are."
        return MaskError(f"{problem}: its sides are swapped, and resizing would distort it.{why}", remedy)

    def _camera_turn(self, index: int) -> Image.Transpose | None:
        if self._frame_files is None or index >= len(self._frame_files):
            return None
        try:
            return camera_turn(self._frame_files[index])
        except OSError:  # it is reported when the frame is read
            return None


def _way(turn: Image.Transpose) -> str:
    return f"{_DIRECTIONS[turn]} " if turn in _DIRECTIONS else ""
