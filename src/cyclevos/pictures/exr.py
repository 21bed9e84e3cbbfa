"""Reading an OpenEXR picture as a frame: linear light to what an ordinary screen shows.

Shapes: H height, W width of the display window.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cyclevos.errors import MissingExtraError
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import MAX_PIXELS, PictureTooLargeError, check_pixels
from cyclevos.words import counted, listed

EXR_SUFFIX = ".exr"
_COLOURS = ("R", "G", "B")
_USUAL_CHANNELS = 4  # red, green, blue and alpha; files with more hold as many times fewer pixels


_Choose = Callable[[Mapping[str, Any]], tuple[str, ...]]


class _Window(NamedTuple):
    """A rectangle of pixels, the last ones included."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return max(0, self.bottom - self.top + 1), max(0, self.right - self.left + 1)


def read_exr(path: Path) -> UInt8Array:
    """Read an OpenEXR picture as uint8 RGB (H, W, 3), as an editor's sRGB view shows it.

    Light is taken as linear with the primaries of sRGB; what is brighter than 1 becomes white. The frame is the display
    window: outside of the data window it is black. Channels are R, G and B, or Y, or those of the only layer that has
    them. Colours are premultiplied by alpha already, so that transparent pixels are black.

    Raises:
        MissingExtraError: OpenEXR is not installed.
        PictureTooLargeError: its header declares more than is decoded; nothing was decoded.
        ValueError, RuntimeError: it is broken, or has no channels that can be shown.
    """
    planes = _planes(path, _shown_channels, (np.float16, np.float32))
    return np.stack([displayed(planes[min(index, len(planes) - 1)]) for index in range(3)], axis=-1)


def read_matte(path: Path) -> Any:
    """Read an OpenEXR matte: its only channel, or alpha, or, where everything is opaque, luminance or red.

    Returns:
        float or uint32 (H, W), as stored; 0 outside of the data window.

    Raises:
        MissingExtraError, PictureTooLargeError, ValueError, RuntimeError: as read_exr.
    """
    first, *others = _planes(path, _matte_channels, (np.float16, np.float32, np.uint32))
    return others[0] if others and (np.asarray(first) >= 1).all() else first


def exr_size(path: Path) -> tuple[int, int]:
    """Return the (height, width) of read_exr's result, without decoding the picture.

    Raises:
        MissingExtraError, PictureTooLargeError, ValueError, RuntimeError: as read_exr.
    """
    with openexr().File(str(path), header_only=True) as opened:
        return _windows(opened.header(0))[1].size


def displayed(linear: Any) -> UInt8Array:
    """Return the 8-bit sRGB level of linear light, float16 or float32 of any shape; what is no number is black.

    >>> displayed(np.array([-1.0, 0.0, 0.2140, 1.0, 9.0], np.float32))
    array([  0,   0, 127, 255, 255], dtype=uint8)
    """
    with np.errstate(over="ignore", invalid="ignore"):  # more than a half float holds is white
        halves = np.ascontiguousarray(linear, np.float16)
    levels: UInt8Array = _levels()[halves.view(np.uint16)]
    return levels


def openexr() -> Any:
    """Import OpenEXR.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import OpenEXR  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ModuleNotFoundError as error:
        raise MissingExtraError.of("An OpenEXR picture", "the library OpenEXR", "cyclevos[exr]") from error
    return OpenEXR


def _planes(path: Path, choose: _Choose, kinds: tuple[type, ...]) -> list[Any]:
    """Return channels of a picture, each in its display window (H, W).

    Args:
        path: the file.
        choose: returns the names of the channels.
        kinds: types that their values may have.
    """
    library = openexr()
    with library.File(str(path), header_only=True) as opened:
        header = opened.header(0)
        data, shown = _windows(header)
        names = choose({channel.name: channel for channel in header["channels"]})
    # Only whole files can be decoded, so all channels were counted.
    with library.File(str(path), separate_channels=True) as opened:
        if not opened.parts:  # OpenEXR drops what it cannot decode
            raise ValueError("its pixels are damaged or cut off")
        channels = opened.channels(0)
        planes = [np.asarray(channels[name].pixels) for name in names]
    for name, plane in zip(names, planes, strict=True):
        if plane.dtype not in kinds or plane.shape != data.size:
            raise ValueError(f"channel {name} is {plane.dtype} of shape {plane.shape}; expected floats {data.size}")
    return [_within(plane, data, shown) for plane in planes]


def _within(plane: Any, data: _Window, shown: _Window) -> Any:
    """Return the part of a channel that the display window shows."""
    if data == shown:
        return plane
    whole = np.zeros(shown.size, plane.dtype)
    top, left = max(data.top, shown.top), max(data.left, shown.left)
    bottom, right = min(data.bottom, shown.bottom) + 1, min(data.right, shown.right) + 1
    if top < bottom and left < right:
        part = plane[top - data.top : bottom - data.top, left - data.left : right - data.left]
        whole[top - shown.top : bottom - shown.top, left - shown.left : right - shown.left] = part
    return whole


def _matte_channels(channels: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the channels that may be a matte, the likelier first."""
    names = tuple(name for name in ("A", "Y", "R") if name in channels)
    if len(channels) == 1:
        names = tuple(channels)
    if not names:
        found = listed(sorted(channels), most=12) or "none"
        raise ValueError(f"none of its channels is alpha, luminance or red (channels: {found})")
    return names[:2]


def _windows(header: Mapping[str, Any]) -> tuple[_Window, _Window]:
    """Return the data window and the display window, both within bounds."""
    found = []
    for name in ("dataWindow", "displayWindow"):
        (left, top), (right, bottom) = header[name]
        window = _Window(int(left), int(top), int(right), int(bottom))
        height, width = window.size
        check_pixels(width, height)
        if not height * width:
            raise ValueError(f"its {name} has no pixels")
        found.append(window)
    height, width = found[0].size
    channels = len(header["channels"])
    if height * width * channels > MAX_PIXELS * _USUAL_CHANNELS:
        raise PictureTooLargeError(
            f"it declares {width}x{height} pixels with {channels} channels; expected at most "
            f"{MAX_PIXELS * _USUAL_CHANNELS:,} values"
        )
    return found[0], found[1]


def _shown_channels(channels: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the channels that are the picture: three, or one of luminance.

    Raises:
        ValueError: there are none, they are several layers, or their resolutions differ.
    """
    names = _named(channels)
    for name in names:
        if channels[name].xSampling != 1 or channels[name].ySampling != 1:
            raise ValueError(f"channel {name} has another resolution than the picture")
    return names


def _named(channels: Collection[str]) -> tuple[str, ...]:
    if set(_COLOURS) <= set(channels):
        return _COLOURS
    if "Y" in channels:
        if {"RY", "BY"} & set(channels):
            raise ValueError("its colours are stored as luminance and chroma; expected channels R, G and B")
        return ("Y",)
    layers = [
        name.removesuffix("R")
        for name in channels
        if name.endswith(".R") and {name[:-1] + "G", name[:-1] + "B"} <= set(channels)
    ]
    if len(layers) != 1:
        found = listed(sorted(channels), most=12) or "none"
        raise ValueError(f"it has {counted(len(layers), 'layer')} of colours where one is expected (channels: {found})")
    return tuple(layers[0] + colour for colour in _COLOURS)


@lru_cache
def _levels() -> UInt8Array:
    """8-bit sRGB level of every half float, by its bits (IEC 61966-2-1)."""
    light = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float64)
    light = np.clip(np.nan_to_num(light, nan=0.0), 0, 1)
    curve = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.power(light, 1 / 2.4) - 0.055)
    levels: UInt8Array = np.rint(255 * curve).astype(np.uint8)
    return levels
