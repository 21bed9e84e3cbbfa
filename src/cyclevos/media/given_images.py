"""Images as a Python caller has them, turned into frames' pixels: arrays, tensors, pictures, files.

Shapes: H height, W width, in pixels. Nothing here imports torch: tensors are recognised by their methods.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import check_pixels
from cyclevos.pictures.images import read_image, upright_pixels
from cyclevos.words import first_line

AnyArray = npt.NDArray[Any]

EXPECTED = "an image: uint8 (H,W,3) RGB or (H,W) grey, the same as float in [0, 1], a torch tensor, also (3,H,W)"


def rgb_image(image: Any, index: int = 0) -> UInt8Array:
    """Return an image of any accepted kind as uint8 RGB (H,W,3).

    Accepted are arrays and torch tensors on any device, (H,W,3), (3,H,W), (H,W), (H,W,1) or (1,H,W), uint8 or floats in
    [0, 1]; Pillow's images, turned upright and drawn on black as image files are; and paths of image files. A shape
    that can be read in two ways, such as (3,480,3), is (H,W,3).

    Args:
        image: the image.
        index: of its frame, for the error.

    Raises:
        VideoError: it is nothing of this kind, or its values are out of range.

    Example:
        >>> rgb_image(np.full((3, 2, 5), 0.5)).shape, rgb_image(np.full((3, 2, 5), 0.5))[0, 0]
        ((2, 5, 3), array([128, 128, 128], dtype=uint8))
    """
    if image is None:
        raise VideoError(
            f"Image {index} is None, so reading frame {index} has failed: OpenCV's readers return None then.",
            "Check that its file exists and is whole, or leave the frame out.",
        )
    if isinstance(image, str | os.PathLike):
        return _from_file(Path(image), index)
    if isinstance(image, Image.Image):
        return _from_picture(image, index)
    array = host_array(image)
    if array is None:
        raise VideoError(f"Image {index} is {type(image).__name__}; expected {EXPECTED}.", _conversion(image))
    return _in_bytes(_channels_last(array, index), index)


def host_array(value: Any) -> AnyArray | None:
    """Return an array or a tensor of any device as an array on the host; None for what is neither.

    A tensor of bfloat16, which NumPy does not have, becomes float32.
    """
    try:
        if is_tensor(value):
            value = value.detach().cpu()
            value = value.float() if "bfloat16" in str(value.dtype) else value
        array = np.asarray(value)
    except Exception:  # __array__ may raise anything
        return None
    return array if array.dtype.kind in "biufc" else None


def is_tensor(value: Any) -> bool:
    """Return whether a value is a tensor of torch, which need not be installed or imported."""
    return callable(getattr(value, "detach", None)) and callable(getattr(value, "cpu", None))


def _from_file(path: Path, index: int) -> UInt8Array:
    try:
        return read_image(path)
    except Exception as error:  # Pillow's decoders raise almost any exception on broken data
        raise VideoError(
            f"Image {index} cannot be read: {path} ({type(error).__name__}: {first_line(error)}). Expected a whole "
            "image file.",
            "Check the path, or replace the file.",
        ) from error


def _from_picture(picture: Image.Image, index: int) -> UInt8Array:
    try:
        check_pixels(*picture.size)
        return upright_pixels(picture)
    except Exception as error:
        raise VideoError(
            f"Image {index} is a Pillow image of mode {picture.mode} and cannot be used "
            f"({type(error).__name__}: {first_line(error)}).",
            'Convert it with image.convert("RGB") first.',
        ) from error


def _channels_last(array: AnyArray, index: int) -> AnyArray:
    """Return a checked array as (H,W,3) or (H,W,1).

    Raises:
        VideoError: it has another shape.
    """
    shape = array.shape
    if array.size and array.ndim == 2:
        return np.expand_dims(array, 2)
    if array.size and array.ndim == 3:
        for channels in (3, 1):
            if shape[2] == channels:
                return array
            if shape[0] == channels:
                return np.moveaxis(array, 0, 2)
    remedy = "Move the channels last and drop any batch dimension."
    if 0 in shape:
        remedy = "Check how it was cut or read: it has no pixels."
    elif len(shape) == 3 and shape[2] == 4:
        remedy = "Drop the alpha channel: image[..., :3]."
    elif len(shape) == 3 and shape[0] == 4:
        remedy = "Drop the alpha channel: image[:3]."
    elif len(shape) == 4 and shape[0] == 1:
        remedy = "Drop the batch dimension: image[0]."
    raise VideoError(
        f"Image {index} has shape {shape}; expected (H,W,3), (3,H,W) or grey (H,W), with at least one pixel.", remedy
    )


def _in_bytes(array: AnyArray, index: int) -> UInt8Array:
    """Return (H,W,3 or 1) of bytes or floats as uint8 (H,W,3).

    Raises:
        VideoError: the values are of another type, or out of range.
    """
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # also not a number
            raise VideoError(
                f"Image {index} is {array.dtype} with values from {low:g} to {high:g}; floats are expected in [0, 1].",
                _into_range(low, high),
            )
        array = (array * 255).round().astype(np.uint8)
    elif array.dtype != np.uint8:
        values = "" if array.dtype.kind in "bc" else f" with values from {array.min()} to {array.max()}"
        raise VideoError(
            f"Image {index} has dtype {array.dtype}{values}; expected uint8 with values 0..255, or floats in [0, 1].",
            "A mask goes where masks are expected."
            if array.dtype.kind == "b"
            else "Convert it: (image // 257).astype('uint8') from 16 bits, image.astype('uint8') if it holds 0..255.",
        )
    return np.ascontiguousarray(np.broadcast_to(array, (*array.shape[:2], 3)))


def _into_range(low: float, high: float) -> str:
    if low >= 0 and high <= 255:
        return "Divide it by 255."
    if low >= -10 and high <= 10:
        return "Undo the normalisation: image * std + mean."
    return "Scale it to [0, 1]; replace values that are not finite."


def _conversion(value: Any) -> str:
    """Say how an image of another library is turned into an array."""
    if callable(getattr(value, "to_ndarray", None)):
        return 'Convert it: frame.to_ndarray(format="rgb24").'
    return "Convert it to a NumPy array."
