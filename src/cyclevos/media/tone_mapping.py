"""High dynamic range (PQ and HLG) to what an ordinary screen shows.

Shapes: H height, W width. Light is in nits (candela per square metre) as an HDR screen of 1000 nits emits it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from cyclevos.pictures.arrays import UInt8Array

FloatArray = npt.NDArray[np.float32]

PQ, HLG = 16, 18
"""Transfer characteristics as ITU-T H.273 numbers them."""

_LEVELS = 2**16
_WHITE = 203.0  # nits of a sheet of paper in HDR (ITU-R BT.2408); the brightest that the result has
_PEAK = 1000.0  # nits of the brightest highlight that is told from white
_GAMMA = 2.4  # of an ordinary screen (BT.1886)
_LUMINANCE_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)
_2020_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)  # BT.2087
# Constants of PQ (SMPTE ST 2084).
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
# Constants of HLG (ARIB STD-B67).
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073


def is_high_dynamic_range(transfer: int) -> bool:
    """Return whether pixels of a video need tone mapping, by the number of their transfer characteristics."""
    return transfer in (PQ, HLG)


def tone_mapped(image: npt.NDArray[np.uint16], transfer: int) -> UInt8Array:
    """Map an HDR picture in BT.2020 colours to an ordinary one in BT.709 colours.

    Paper white and all that is darker than half of it keep their light (ITU-R BT.2390), highlights are compressed into
    what is left, by one factor for all three colours of a pixel.

    Args:
        image: R'G'B', uint16 (H, W, 3), full range.
        transfer: PQ or HLG.

    Returns:
        R'G'B', uint8 (H, W, 3).

    Raises:
        ValueError: the transfer is neither.
    """
    if not is_high_dynamic_range(transfer):
        raise ValueError(f"expected transfer {PQ} or {HLG}, got {transfer}")
    light = _to_nits(transfer)[image]  # (H, W, 3)
    if transfer == HLG:  # the screen's own brightening, BT.2100: by the pixel's luminance to the power of 1.2 - 1
        luminance = light @ _LUMINANCE_2020 / np.float32(_PEAK)
        light *= np.power(luminance, np.float32(0.2))[..., None]
    brightest = light.max(axis=-1)
    place = np.sqrt(np.minimum(brightest / np.float32(_PEAK), 1)) * (_LEVELS - 1)  # finer where it is dark
    light *= _compression()[place.astype(np.uint16)][..., None]
    ordinary = np.clip(light @ _2020_TO_709.T / np.float32(_WHITE), 0, 1)
    levels: UInt8Array = _screen_levels()[(ordinary * (_LEVELS - 1)).astype(np.uint16)]
    return levels


def pq_code(nits: npt.ArrayLike) -> Any:
    """Return the PQ code, 0..1, of light in nits.

    >>> round(float(pq_code(203)), 3)
    0.581
    """
    power = (np.asarray(nits, np.float64) / 10000) ** _M1
    return ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2


def _pq_nits(code: Any) -> Any:
    root = np.asarray(code, np.float64) ** (1 / _M2)
    return 10000 * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)


@lru_cache
def _to_nits(transfer: int) -> FloatArray:
    """Nits of every 16-bit level; of HLG those of a screen without the brightening."""
    code = np.linspace(0, 1, _LEVELS)
    if transfer == PQ:
        return _pq_nits(code).astype(np.float32)  # type: ignore[no-any-return]
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - _C) / _A) + _B) / 12)
    return (_PEAK * scene).astype(np.float32)


@lru_cache
def _compression() -> FloatArray:
    """Factor of the light by the brightest colour of a pixel, from 0 to _PEAK, at the square root's steps."""
    nits = _PEAK * np.linspace(0, 1, _LEVELS) ** 2
    scale = pq_code(_PEAK)
    code = pq_code(nits) / scale
    highest = pq_code(_WHITE) / scale
    knee = 1.5 * highest - 0.5
    t = np.clip((code - knee) / (1 - knee), 0, 1)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * highest
    mapped = _pq_nits(np.where(code < knee, code, spline) * scale)
    factor: FloatArray = np.divide(mapped, nits, out=np.ones(_LEVELS), where=nits > 0).astype(np.float32)
    return factor


@lru_cache
def _screen_levels() -> UInt8Array:
    """8-bit level of every light from 0 to white."""
    return np.rint(255 * np.linspace(0, 1, _LEVELS) ** (1 / _GAMMA)).astype(np.uint8)
