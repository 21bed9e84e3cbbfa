"""A look: a square part of the picture at the size that the network reads. Shapes: H W pixels, S side of a look."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from cyclevos.pictures.arrays import UInt8Array
from cyclevos.prompts.prompts import Box, Click

_GREY = 127  # beyond the picture's edges
_GAP = 2.0  # a much larger picture is first reduced by whole numbers, to twice the look's size or more
_LEAST = 8  # pixels of the smallest look
_ROWS = 64  # that are enlarged at once, so that they stay in the processor's cache


class Look(NamedTuple):
    """A square of the picture; parts of it may lie beyond the edges.

    Attributes:
        left: column of its left edge.
        top: row of its upper edge.
        side: its side in pixels of the picture.
    """

    left: int
    top: int
    side: int

    @classmethod
    def around(cls, box: Box, margin: float) -> Look:
        """Return the square around the centre of a box, `margin` times as long as the box's longer side."""
        side = max(_LEAST, round(margin * max(box.right - box.left, box.bottom - box.top)))
        centre_x, centre_y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        return cls(round(centre_x - side / 2), round(centre_y - side / 2), side)

    @classmethod
    def whole(cls, size: tuple[int, int]) -> Look:
        """Return the look at a whole picture (height, width)."""
        return cls.around(Box(0, 0, size[1], size[0]), 1.0)

    def crop(self, image: UInt8Array, size: int) -> UInt8Array:
        """Return the picture (H,W,3) in this look, uint8 (S,S,3), grey beyond the edges."""
        canvas = np.full((size, size, 3), _GREY, np.uint8)
        self._fill(canvas, image, Image.Resampling.BILINEAR)
        return canvas

    def crop_mask(self, mask: NDArray[np.float32], size: int) -> NDArray[np.float32]:
        """Return probabilities (H,W) in this look, float32 (S,S), 0 beyond the edges."""
        canvas = np.zeros((size, size), np.float32)
        self._fill(canvas, mask, Image.Resampling.BILINEAR)
        return canvas

    def crop_labels(self, labels: UInt8Array, size: int, beyond: int) -> UInt8Array:
        """Return labels (H,W) in this look, uint8 (S,S), `beyond` where there is no picture."""
        canvas = np.full((size, size), beyond, np.uint8)
        self._fill(canvas, labels, Image.Resampling.NEAREST)
        return canvas

    def clicks(self, clicks: Iterable[Click], size: int) -> list[Click]:
        """Return clicks in pixels of the look."""
        scale = size / self.side
        return [Click((x - self.left) * scale, (y - self.top) * scale, positive) for x, y, positive in clicks]

    def shows(self, click: Click) -> bool:
        """Return whether a click lies in this look."""
        return 0 <= click.x - self.left < self.side and 0 <= click.y - self.top < self.side

    def box(self, box: Box, size: int) -> Box:
        """Return a box in pixels of the look."""
        scale = size / self.side
        left, right = ((x - self.left) * scale for x in (box.left, box.right))
        top, bottom = ((y - self.top) * scale for y in (box.top, box.bottom))
        return Box(left, top, right, bottom)

    def box_out(self, box: Box, size: int) -> Box:
        """Return a box in pixels of the look as one in pixels of the picture."""
        scale = self.side / size
        return Box(
            self.left + box.left * scale,
            self.top + box.top * scale,
            self.left + box.right * scale,
            self.top + box.bottom * scale,
        )

    def probabilities(self, logits: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
        """Return the logits (S,S) of this look as probabilities of the whole picture (H,W), 0 outside of the look."""
        whole = np.zeros(size, np.float32)
        inside = self._inside(size)
        if inside is None:
            return whole
        left, top, right, bottom = inside
        cells = torch.from_numpy(logits)
        x0, x1, x = self._between(left - self.left, right - left, len(logits))
        wide = torch.lerp(cells[:, x0], cells[:, x1], x)  # (S,w)
        y0, y1, y = self._between(top - self.top, bottom - top, len(logits))
        shown = torch.from_numpy(whole)[top:bottom, left:right]  # (h,w), filled in place
        for k in range(0, bottom - top, _ROWS):
            part = slice(k, k + _ROWS)
            shown[part] = torch.lerp(wide[y0[part]], wide[y1[part]], y[part, None]).sigmoid_()
        return whole

    def _between(self, first: int, count: int, size: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return for pixels of the picture the cells (of S) on either side, and how near each is to the second one."""
        at = ((torch.arange(first, first + count) + 0.5) * (size / self.side) - 0.5).clamp(0, size - 1)
        before = at.long()
        return before, (before + 1).clamp(max=size - 1), at - before

    def _fill(self, canvas: NDArray[np.generic], source: NDArray[np.generic], how: Image.Resampling) -> None:
        """Draw the part of a picture that lies in this look onto the look, in place."""
        inside = self._inside((source.shape[0], source.shape[1]))
        if inside is None:
            return
        left, top, right, bottom = inside
        scale = len(canvas) / self.side
        x0, y0 = round((left - self.left) * scale), round((top - self.top) * scale)
        x1 = max(x0 + 1, round((right - self.left) * scale))
        y1 = max(y0 + 1, round((bottom - self.top) * scale))
        part = Image.fromarray(np.ascontiguousarray(source[top:bottom, left:right]))
        drawn = np.asarray(part.resize((x1 - x0, y1 - y0), how, reducing_gap=_GAP))
        height, width = canvas[y0:y1, x0:x1].shape[:2]
        canvas[y0:y1, x0:x1] = drawn[:height, :width]

    def _inside(self, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
        """Return left, top, right, bottom of the part that lies in a picture (height, width); None if nothing does."""
        left, top = max(0, self.left), max(0, self.top)
        right, bottom = min(size[1], self.left + self.side), min(size[0], self.top + self.side)
        return (left, top, right, bottom) if right > left and bottom > top else None
