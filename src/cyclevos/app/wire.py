"""Masks on the wire (one byte per pixel, row by row, compressed), and the validated bodies of requests."""

from __future__ import annotations

import gzip
import zlib
from typing import Annotated, Literal

import numpy as np
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cyclevos.app.errors import AppError
from cyclevos.app.project_file import Colour, Name, ObjectId, Settings
from cyclevos.exchange.formats import APP, find, names, offered
from cyclevos.pictures.arrays import UInt8Array

PathText = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Pixel = Annotated[int, Field(strict=True, ge=0, le=2**31)]


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


class BoxBody(_Body):
    """A box in a frame; right and bottom are exclusive."""

    left: Pixel
    top: Pixel
    right: Pixel
    bottom: Pixel


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


def unpack(body: bytes, encoding: str | None, size: tuple[int, int]) -> UInt8Array:
    """Read a mask that was sent.

    Args:
        body: one byte per pixel.
        encoding: ``gzip`` or None.
        size: required (H, W); never unpacks more than that.

    Returns:
        uint8 (H,W).

    Raises:
        AppError: it is not gzip data, or has another size.
    """
    wanted = size[0] * size[1]
    data = body
    if encoding == "gzip":
        unpacker = zlib.decompressobj(wbits=31)
        try:
            data = unpacker.decompress(body, wanted + 1)
        except zlib.error as error:
            raise AppError(f"The mask cannot be unpacked ({error}).", "Reload the page and try again.") from error
        if not unpacker.eof:
            data = b""
    if len(data) != wanted:
        raise AppError(
            f"The mask does not have one byte for each of the video's {wanted} pixels.",
            "Reload the page and try again.",
        )
    ids: UInt8Array = np.frombuffer(data, np.uint8).reshape(size).copy()
    return ids
