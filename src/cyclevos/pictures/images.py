"""Reading an image file as a frame: upright, RGB, 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import open_picture
from cyclevos.pictures.paging import frame_positions

_ORIENTATION_TAG = 0x0112
# The transposition that undoes each EXIF orientation; 1 (upright) and unknown values need none.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image(path: Path) -> UInt8Array:
    """Read an image upright as uint8 RGB (H, W, 3).

    Transparent images are drawn on black, 16-bit grey keeps its upper byte, palettes are resolved, and the camera's
    orientation tag is applied.

    Raises:
        PictureTooLargeError: its header declares more pixels than `bounds.MAX_PIXELS`; nothing was decoded.
        OSError, ValueError: the file is missing or broken, or holds several frames; on broken files Pillow may raise
            others too.
    """
    with open_picture(path) as image:
        frames = len(frame_positions(image))
        if frames > 1:
            raise ValueError(f"it holds {frames} frames where one is expected")
        return upright_pixels(image)


def upright_pixels(image: Image.Image) -> UInt8Array:
    """Decode the picture that an opened file stands at; see :func:`read_image`.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        OSError, ValueError: it is broken, or its pixels have no known range; Pillow may raise others too.
    """
    image.load()
    orientation = _orientation(image)
    rgb = _to_rgb(image)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    array = np.array(rgb, dtype=np.uint8)  # (H, W, 3)
    if 0 in array.shape:
        raise ValueError(f"it has no pixels, its shape is {array.shape}")
    return array


def upright_size(path: Path) -> tuple[int, int]:
    """Return the (height, width) of read_image's result, without decoding the image.

    Raises:
        OSError: the file does not exist or is not an image.
        PictureTooLargeError: it is larger than any frame that can be read.
    """
    with open_picture(path) as image:
        if image.format == "TIFF":
            image.load()  # makes Pillow turn it upright
        width, height = image.size
        on_its_side = _orientation(image) in {5, 6, 7, 8}
    return (width, height) if on_its_side else (height, width)


def camera_turn(path: Path) -> Image.Transpose | None:
    """Return how `read_image` turns an image from its raw pixels to upright; None if it does not.

    Raises:
        OSError: the file does not exist or is not an image.
    """
    with Image.open(path) as image:
        return _UPRIGHT.get(_tag(image))


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turns TIFF images upright itself while loading them
    return _tag(image)


def _tag(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # a picture with a broken EXIF block is still usable
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("it holds floating-point pixels, whose range is unknown")
    if image.mode.startswith("I"):  # 16-bit grey, in Pillow's 16- or 32-bit modes
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        straight = image.convert("RGBA")
        black = Image.new("RGBA", straight.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, straight).convert("RGB")
    return image.convert("RGB")
