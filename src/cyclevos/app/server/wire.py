"""Pictures and masks on the wire; masks are one byte per pixel, row by row, compressed, or bits of one object alone."""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Callable
from enum import IntEnum
from typing import Annotated

import numpy as np
from fastapi import Header
from fastapi.responses import Response
from numpy.typing import NDArray

from cyclevos.app.errors import AppError
from cyclevos.app.server.bodies import PieceBody
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.reduced import reduced_ids, reduced_size

IfNoneMatch = Annotated[str | None, Header()]


class Width(IntEnum):
    """Widths that frames and masks may be asked for at, for playing; few, so that what is kept is asked for again."""

    W960 = 960
    W1280 = 1280
    W1600 = 1600
    W1920 = 1920
    W2560 = 2560


_WINDOWS = {"gzip": 31, "deflate": 15}  # zlib's name for each encoding


def jpeg_response(read: Callable[[], bytes], tag: str, known: str | None) -> Response:
    """Answer with a JPEG, or with 304 where the browser's copy is current."""
    headers = {"Cache-Control": "private, no-cache", "ETag": tag}
    if known == tag:
        return Response(status_code=304, headers=headers)
    return Response(read(), media_type="image/jpeg", headers=headers)


def mask_response(ids: UInt8Array, headers: dict[str, str], width: Width | None = None) -> Response:
    """Answer with a mask (H,W), one byte per pixel, compressed with gzip; reduced to a width if it is larger."""
    if width is not None:
        size = reduced_size(ids.shape, width)
        ids = reduced_ids(ids, size)
        headers = {"X-Width": str(size[1]), "X-Height": str(size[0]), **headers}
    return _packed_response(ids, headers)


def bits_response(piece: NDArray[np.bool_], left: int, top: int, headers: dict[str, str]) -> Response:
    """Answer with a rectangle of a mask (h,w): one bit per pixel, row by row, the first in the highest bit."""
    height, width = piece.shape
    place = {"X-Left": left, "X-Top": top, "X-Width": width, "X-Height": height}
    return _packed_response(np.packbits(piece), {name: str(number) for name, number in place.items()} | headers)


def read_piece(body: PieceBody, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return a rectangle that was sent as a whole mask, bool (H,W).

    Raises:
        AppError: it reaches beyond the frame of `size` (H,W), or its data is not what it says.
    """
    bottom, right = body.top + body.height, body.left + body.width
    if bottom > size[0] or right > size[1]:
        raise AppError("The mask reaches beyond the frame.", "Reload the page and try again.")
    try:
        packed = base64.b64decode(body.data, validate=True)
    except ValueError as error:
        raise AppError("The mask is not base64.", "Reload the page and try again.") from error
    whole = np.zeros(size, np.bool_)
    whole[body.top : bottom, body.left : right] = unpack(packed, "deflate", (body.height, body.width)) > 0
    return whole


def unpack(body: bytes, encoding: str | None, size: tuple[int, int]) -> UInt8Array:
    """Read a mask that was sent.

    Args:
        body: one byte per pixel.
        encoding: ``gzip``, ``deflate`` or None.
        size: required (H, W); never unpacks more than that.

    Returns:
        uint8 (H,W).

    Raises:
        AppError: it cannot be unpacked, or has another size.
    """
    wanted = size[0] * size[1]
    data = body
    if encoding in _WINDOWS:
        unpacker = zlib.decompressobj(wbits=_WINDOWS[encoding])
        try:
            data = unpacker.decompress(body, wanted + 1)
        except zlib.error as error:
            raise AppError(f"The mask cannot be unpacked ({error}).", "Reload the page and try again.") from error
        if not unpacker.eof:
            data = b""
    if len(data) != wanted:
        raise AppError(
            f"The mask does not have one byte for each of its {wanted} pixels.",
            "Reload the page and try again.",
        )
    ids: UInt8Array = np.frombuffer(data, np.uint8).reshape(size).copy()
    return ids


def _packed_response(data: UInt8Array, headers: dict[str, str]) -> Response:
    packed = gzip.compress(data.tobytes(), 1, mtime=0)
    headers = {"Cache-Control": "no-store", "Content-Encoding": "gzip", **headers}
    return Response(packed, media_type="application/octet-stream", headers=headers)
