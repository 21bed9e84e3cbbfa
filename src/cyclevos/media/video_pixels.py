"""Pixels of a decoded picture: RGB of an ordinary screen, turned upright, of one field if asked."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from PIL import Image

from cyclevos.media.sources import DEINTERLACED
from cyclevos.media.tone_mapping import is_high_dynamic_range, tone_mapped
from cyclevos.pictures.arrays import UInt8Array

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_DEINTERLACER = "estdif"  # of FFmpeg's, the one that needs no other picture


@dataclass(frozen=True)
class Conversion:
    """How the pictures of one video become frames.

    Attributes:
        transfer: the video's transfer characteristics, as ITU-T H.273 numbers them; 2 where unknown.
        deinterlace: keep the first field of each picture and make the other lines from it.
    """

    transfer: int = 2
    deinterlace: bool = False

    @property
    def treatment(self) -> str:
        """What is done to the frames beside decoding them, in a word; empty for nothing."""
        return DEINTERLACED if self.deinterlace else ""


PLAIN_CONVERSION = Conversion()
"""Neither tone mapping nor deinterlacing."""


def upright_rgb(
    picture: VideoFrame, conversion: Conversion = PLAIN_CONVERSION, size: tuple[int, int] | None = None
) -> UInt8Array:
    """Convert a decoded picture to uint8 RGB, rotated by its display matrix.

    Args:
        picture: the decoder's.
        conversion: how it becomes RGB.
        size: (h, w), upright, smaller than the picture: it is reduced while it is converted; None = as it is.

    Returns:
        (H, W, 3), or (h, w, 3).
    """
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")
    scale: dict[str, Any] = {}
    if size is not None:
        height, width = size[::-1] if is_on_its_side(picture) else size
        scale = {"width": width, "height": height, "interpolation": "AREA"}
    if conversion.deinterlace:
        picture = deinterlaced(picture)
    # Older PyAV respects the source's colour matrix only if a target is named; RGB itself has none.
    image: Any
    if is_high_dynamic_range(conversion.transfer):
        # Planes, since FFmpeg 8.0 converts ten bits to interleaved samples of 16 bits wrongly.
        image = picture.to_ndarray(format="gbrp16le", dst_colorspace="ITU601", **scale)
        image = tone_mapped(image, conversion.transfer)
    else:
        image = picture.to_ndarray(format="rgb24", dst_colorspace="ITU601", **scale)
    upright: UInt8Array = image if matrix is None else apply_display_matrix(image, bytes(matrix))
    return upright


def can_deinterlace() -> bool:
    """Return whether FFmpeg's filter for it is in this build of PyAV."""
    import av

    return _DEINTERLACER in av.filter.filters_available


def deinterlaced(picture: VideoFrame) -> VideoFrame:
    """Keep the first of a picture's two fields and interpolate the other's lines along edges.

    Only this picture is looked at, so that a frame is the same in whichever order frames are read.
    """
    import av

    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=picture.width,
            height=picture.height,
            format=picture.format,
            time_base=picture.time_base or Fraction(1, 1000),
        ),
        graph.add(_DEINTERLACER, "mode=frame"),
        graph.add("buffersink"),
    ).configure()
    graph.push(picture)
    graph.push(None)
    return cast("VideoFrame", graph.pull())


def display_turn(picture: VideoFrame) -> Image.Transpose | None:
    """Return how `upright_rgb` turns a picture by its display matrix; None if it does not."""
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return None
    corners = np.array([[[0], [1]], [[2], [3]]], np.uint8)  # one of each, so that every turn gives another image
    upright = apply_display_matrix(corners, bytes(matrix))[..., 0]
    image = Image.fromarray(corners[..., 0])
    return next((turn for turn in Image.Transpose if np.array_equal(np.asarray(image.transpose(turn)), upright)), None)


def is_on_its_side(picture: VideoFrame) -> bool:
    """Return whether a picture's display matrix exchanges its width and its height."""
    matrix: Any = picture.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False
    a, b, _, c, d = _entries(bytes(matrix))
    return abs(b) + abs(c) > abs(a) + abs(d)


def apply_display_matrix(image: UInt8Array, matrix: bytes) -> UInt8Array:
    """Turn and flip an image by the right-angled part of a display matrix.

    Args:
        image: (H, W, C).
        matrix: nine native-endian int32, the rows (a b u)(c d v)(x y w), of which a, b, c, d are 16.16 fixed
            point: a pixel at (x, y) is shown at (a x + c y, b x + d y).

    Returns:
        A contiguous image, (H, W, C) or (W, H, C).

    >>> quarter_turn = np.array([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], np.int32).tobytes()
    >>> apply_display_matrix(np.array([[[1], [2]]], np.uint8), quarter_turn)[..., 0]
    array([[1],
           [2]], dtype=uint8)
    """
    a, b, _, c, d = _entries(matrix)
    if abs(b) + abs(c) > abs(a) + abs(d):
        image = image.transpose(1, 0, 2)  # (W, H, C): x is shown along y
        flip_x, flip_y = c < 0, b < 0
    else:
        flip_x, flip_y = a < 0, d < 0
    if flip_x:
        image = image[:, ::-1]
    if flip_y:
        image = image[::-1]
    return np.ascontiguousarray(image)


def _entries(matrix: bytes) -> tuple[int, ...]:
    """Return the entries a, b, u, c, d of a display matrix."""
    return tuple(int(value) for value in np.frombuffer(matrix, np.int32)[:5])
