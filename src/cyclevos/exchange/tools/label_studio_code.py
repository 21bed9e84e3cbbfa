"""Label Studio's run-length code of a brush: how often each value of an RGBA picture repeats, packed into bits.

The code begins with the number of values (32 bits), the width of a value in bits minus 1 (5 bits), and the widths of
four kinds of counts minus 1 (4 bits each). Then come blocks: one bit that tells whether one value repeats, two bits for
the kind of count, the count minus 1, and the repeated value or as many single values. The last byte is filled up.

Source: format "rle-pack" of thi.ng/umbrella, which Label Studio's documentation names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import run_length
from cyclevos.exchange.contents.shapes import BoolArray, Shape
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array

_CHANNELS = 4  # red, green, blue and alpha of each pixel, row by row
_VALUE_BITS = 8
_COUNT_BITS = (3, 4, 8, 16)
_OPAQUE = 128  # alpha from which a pixel is painted
_AGAIN = "Export it again."


@dataclass(frozen=True)
class Brush(Shape):
    """A brush's strokes: the pixels that are at least half opaque.

    Attributes:
        size: (H, W) of the picture that was painted on.
        code: bytes of the code.
    """

    size: tuple[int, int]
    code: Sequence[int]

    def draw(self, size: tuple[int, int], where: str) -> BoolArray:
        """Decode the strokes; see :meth:`Shape.draw`."""
        height, width = run_length.check_size(size, where)
        if tuple(self.size) != tuple(size):
            raise MaskError(
                f"{where}: it was painted on a picture of {size_text(self.size)}, but the frame is {size_text(size)}.",
                _AGAIN,
            )
        try:
            alpha = _decoded_alpha(bytes(self.code), height * width)
        except ValueError as error:
            raise MaskError(f"{where}: its brush strokes cannot be decoded ({error}).", _AGAIN) from error
        painted: BoolArray = alpha.reshape(height, width) >= _OPAQUE
        return painted


def encoded(mask: BoolArray) -> list[int]:
    """Return the bytes of the code of a mask, bool (H, W), as numbers."""
    pixels = mask.ravel()
    starts = np.flatnonzero(np.diff(pixels)) + 1
    bounds = [0, *starts.tolist(), pixels.size]
    bits = [f"{pixels.size * _CHANNELS:032b}", f"{_VALUE_BITS - 1:05b}", *(f"{each - 1:04b}" for each in _COUNT_BITS)]
    for start, stop in pairwise(bounds):
        value = "1" * _VALUE_BITS if pixels[start] else "0" * _VALUE_BITS
        bits += [f"1{count}{value}" for count in _counts((stop - start) * _CHANNELS)]
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def _counts(length: int) -> Iterator[str]:
    """Yield the bits of the counts of a run: the kind of each, and itself minus 1."""
    longest = 2 ** _COUNT_BITS[-1]
    while length > 0:
        count = min(length, longest)
        kind = next(k for k, bits in enumerate(_COUNT_BITS) if count <= 2**bits)
        yield f"{kind:02b}{count - 1:0{_COUNT_BITS[kind]}b}"
        length -= count


class _Bits:
    """Bits of a code, read from the first on."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, width: int) -> int:
        """Return the next bits as a number."""
        end = self._at + width
        if end > 8 * len(self._data):
            raise ValueError("the code ends early")
        first, last = self._at // 8, -(-end // 8)
        value = int.from_bytes(self._data[first:last], "big") >> (8 * last - end)
        self._at = end
        return value & ((1 << width) - 1)

    def values(self, count: int, width: int) -> UInt8Array:
        """Return the next values of at most 8 bits."""
        end = self._at + count * width
        if end > 8 * len(self._data):
            raise ValueError("the code ends early")
        first = self._at // 8
        bits = np.unpackbits(np.frombuffer(self._data[first : -(-end // 8)], np.uint8))
        each = bits[self._at - 8 * first :][: count * width].reshape(count, width)
        self._at = end
        padded = np.pad(each, ((0, 0), (8 - width, 0)))
        return np.packbits(padded, axis=1)[:, 0]


def _decoded_alpha(data: bytes, pixels: int) -> UInt8Array:
    """Return the alpha of every pixel, the last of its four values.

    Args:
        data: the code.
        pixels: how many it must hold.

    Raises:
        ValueError: there are not exactly as many, or the code is broken.
    """
    code = _Bits(data)
    total, expected = code.number(32), pixels * _CHANNELS
    if total != expected:
        raise ValueError(f"it holds {total:,} values; expected {expected:,}, four for each pixel")
    value_bits = code.number(5) + 1
    if value_bits > 8:
        raise ValueError(f"its values have {value_bits} bits; expected 8 or fewer")
    count_bits = [code.number(4) + 1 for _ in range(4)]
    alpha = np.zeros(pixels, np.uint8)
    at = 0
    while at < total:
        repeats, kind = code.number(1), code.number(2)
        end = at + code.number(count_bits[kind]) + 1
        if end > total:
            raise ValueError("its runs are longer than the picture")
        ended = slice(at // _CHANNELS, end // _CHANNELS)  # pixels whose last value is among these
        if repeats:
            alpha[ended] = code.number(value_bits)
        else:
            alpha[ended] = code.values(end - at, value_bits)[(_CHANNELS - 1 - at) % _CHANNELS :: _CHANNELS]
        at = end
    return alpha
