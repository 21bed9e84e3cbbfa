"""Small masks inside text files: base64 of a PNG, compressed once more or not. Bounded before they are decoded."""

from __future__ import annotations

import base64
import binascii
import io
import zlib

import numpy as np
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.shapes import BoolArray
from cyclevos.pictures.bounds import check_pixels

_MAX_BYTES = 2**26
"""Bytes of the largest embedded file once it is unpacked."""
_ROWS = 256  # that are looked at together


def embedded_mask(text: str, where: str) -> BoolArray:
    """Decode a picture in base64, a PNG or one in zlib's format; what is not black and not transparent is the object.

    Args:
        text: the base64.
        where: what it belongs to, for the error.

    Returns:
        bool (h, w).

    Raises:
        MaskError: it is not such a picture, or declares too many pixels or bytes.
    """
    try:
        data = base64.b64decode(text, validate=True)
        if not data.startswith(b"\x89PNG"):
            data = inflated(data)
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            check_pixels(*image.size)
            image.load()
            return _object(image)
    except (binascii.Error, zlib.error, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise MaskError(
            f"{where}: its mask cannot be read ({error}). Expected a PNG in base64.", "Export the file again."
        ) from error


def inflated(data: bytes) -> bytes:
    """Unpack zlib's format.

    Raises:
        ValueError: it would have more than 64 MiB, or ends early.
        zlib.error: it is something else.
    """
    unpacker = zlib.decompressobj()
    unpacked = unpacker.decompress(data, _MAX_BYTES)
    if unpacker.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {_MAX_BYTES:,} bytes")
    if not unpacker.eof:
        raise ValueError("it ends early")
    return unpacked


def _object(image: Image.Image) -> BoolArray:
    if image.mode in ("P", "1", "L") and "transparency" not in image.info:
        return np.asarray(image).astype(np.bool_)
    opaque = np.zeros((image.height, image.width), np.bool_)
    coloured = np.zeros_like(opaque)
    for top in range(0, image.height, _ROWS):  # all rows at once take a dozen bytes for each pixel
        rows = slice(top, min(top + _ROWS, image.height))
        rgba = np.asarray(image.crop((0, rows.start, image.width, rows.stop)).convert("RGBA"))
        opaque[rows], coloured[rows] = rgba[..., 3] >= 128, rgba[..., :3].any(-1)
    return opaque & coloured if opaque.all() else opaque
