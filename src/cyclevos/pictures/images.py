"""Reading an image file as a frame: upright, RGB, 8 bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import open_picture
from cyclevos.pictures.exr import EXR_SUFFIX, exr_size, read_exr
from cyclevos.pictures.paging import frame_positions

_ORIENTATION_TAG = 0x0112
# Of TIFF: bits of each sample; what 0 means; whether samples lie beside each other or in planes.
_BITS, _PHOTOMETRIC, _PLANAR = 258, 262, 284
_WHITE_IS_ZERO, _IN_PLANES = 0, 2
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

    Transparent images are drawn on black, 16-bit samples keep their upper byte, palettes are resolved, and the camera's
    orientation tag is applied. OpenEXR is described in :func:`cyclevos.pictures.exr.read_exr`.

    Raises:
        MissingExtraError: it is OpenEXR, and the extra for that is not installed.
        PictureTooLargeError: its header declares more pixels than `bounds.MAX_PIXELS`; nothing was decoded.
        OSError, ValueError: the file is missing or broken, or holds several frames; on broken files Pillow may raise
            others too.
    """
    if is_exr(path):
        return read_exr(path)
    with open_picture(path) as image:
        frames = len(frame_positions(image))
        if frames > 1:
            raise ValueError(f"it holds {frames} frames where one is expected")
        return upright_pixels(image)


def is_exr(path: Path) -> bool:
    """Return whether a file is an OpenEXR picture, judged by its name."""
    return path.suffix.lower() == EXR_SUFFIX


def upright_pixels(image: Image.Image) -> UInt8Array:
    """Decode the picture that an opened file stands at; see :func:`read_image`.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        OSError, ValueError: it is broken, or its pixels have no known range; Pillow may raise others too.
    """
    _refuse_deep_planes(image)
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
    if is_exr(path):
        return exr_size(path)
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
    if is_exr(path):
        return None
    with Image.open(path) as image:
        return _UPRIGHT.get(_tag(image))


def _refuse_deep_planes(image: Image.Image) -> None:
    """Refuse a TIFF that Pillow would read wrongly without a word: it takes planes of 16-bit samples for 8 bits."""
    bits = _tiff_tag(image, _BITS)
    deep = isinstance(bits, tuple) and max(bits, default=8) > 8
    if deep and _tiff_tag(image, _PLANAR) == _IN_PLANES:
        raise ValueError("its 16-bit colours are stored in separate planes; expected them pixel by pixel (interleaved)")


def _tiff_tag(image: Image.Image, tag: int) -> Any:
    return image.tag_v2.get(tag) if isinstance(image, TiffImageFile) else None


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
        if _tiff_tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:  # Pillow turns only 8 bits round
            values = 65535 - values
        return Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        straight = image.convert("RGBA")
        black = Image.new("RGBA", straight.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, straight).convert("RGB")
    return image.convert("RGB")
