"""Masks on the wire (one byte per pixel, row by row, compressed), and the validated bodies of requests."""

from __future__ import annotations

import base64
import gzip
import zlib
from typing import Annotated, Literal

import numpy as np
from fastapi.responses import Response
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cyclevos.app.errors import AppError
from cyclevos.app.project_file import Colour, Name, ObjectId, Settings
from cyclevos.exchange.formats import APP, find, names, offered
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.prompts.prompts import MOST_CLICKS

_WINDOWS = {"gzip": 31, "deflate": 15}  # zlib's name for each encoding

PathText = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Pixel = Annotated[int, Field(strict=True, ge=0, le=2**31)]
Coordinate = Annotated[float, Field(allow_inf_nan=False, ge=-(2**31), le=2**31)]


def _check_format(name: str) -> str:
    if find(name, offered(APP)) is None:
        raise ValueError(f"expected one of {names(offered(APP))}, got {name!r}")
    return name


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SessionBody(_Body):
    """The token, once."""

    token: Annotated[str, StringConstraints(max_length=200)]


class OpenBody(_Body):
    """Which video: a path in one of the folders, or the name of a demo clip."""

    path: PathText | None = None
    demo: PathText | None = None
    name: Name | None = None


class ChangeBody(_Body):
    """Changes of a project."""

    name: Name | None = None
    settings: Settings | None = None


class ObjectBody(_Body):
    """A new object, or changes of one."""

    name: Name | None = None
    colour: Colour | None = None
    hidden: bool | None = None
    locked: bool | None = None


class AcceptBody(_Body):
    """Whether the frame is finished."""

    accepted: bool


class PieceBody(_Body):
    """A rectangle of a mask; `data` is base64 of zlib, one byte for each of its pixels, 0 or 1."""

    left: Pixel
    top: Pixel
    width: Annotated[int, Field(strict=True, ge=1, le=2**16)]
    height: Annotated[int, Field(strict=True, ge=1, le=2**16)]
    data: Annotated[str, StringConstraints(max_length=48 * 2**20)]


class PointBody(_Body):
    """What a person points at in a frame, in pixels: clicks, 1 on the object and 0 beside it (all on it
    without labels); a box by its edges.

    `mask` is the object's mask before these clicks, which they repair; `candidate` counts what they may mean.
    """

    points: Annotated[list[tuple[Coordinate, Coordinate]], Field(max_length=MOST_CLICKS)] = []
    labels: Annotated[list[Literal[0, 1]], Field(max_length=MOST_CLICKS)] | None = None
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate] | None = None
    mask: PieceBody | None = None
    candidate: Annotated[int, Field(strict=True, ge=0, le=1000)] = 0


class TrackBody(_Body):
    """Direction of tracking."""

    direction: Literal["forward", "backward", "both"] = "forward"


class HeatBody(_Body):
    """Frame and object of a heat map."""

    frame: Pixel
    object: ObjectId


class ExportBody(_Body):
    """What to export, and into which folder; without a folder it is packed as a zip."""

    kinds: Annotated[list[Annotated[str, AfterValidator(_check_format)]], Field(min_length=1, max_length=100)]
    folder: PathText | None = None


def mask_response(ids: UInt8Array, headers: dict[str, str]) -> Response:
    """Answer with a mask, one byte per pixel, compressed with gzip."""
    data = gzip.compress(ids.tobytes(), 1, mtime=0)
    headers = {"Cache-Control": "no-store", "Content-Encoding": "gzip", **headers}
    return Response(data, media_type="application/octet-stream", headers=headers)


def bits_response(piece: NDArray[np.bool_], left: int, top: int, headers: dict[str, str]) -> Response:
    """Answer with a rectangle of a mask (h,w): one bit per pixel, row by row, the first in the highest bit."""
    height, width = piece.shape
    place = {"X-Left": left, "X-Top": top, "X-Width": width, "X-Height": height}
    return mask_response(np.packbits(piece), {name: str(number) for name, number in place.items()} | headers)


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
