"""Which picture files hold labels unchanged, how many pictures they hold, and their values pixel by pixel.

Shapes: H height, W width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.pictures.blurred import steadied
from cyclevos.pictures.bounds import check_pixels, open_picture
from cyclevos.pictures.paging import frame_positions
from cyclevos.pictures.palette import palette_colours

_LOSSLESS = frozenset({"PNG", "TIFF", "BMP", "DIB", "GIF"})
_BLURRING_IN_TIFF = frozenset({"jpeg", "tiff_jpeg", "webp"})
_WEBP_HEADER = 12
_WEBP_LOSSY, _WEBP_LOSSLESS, _WEBP_FRAME = b"VP8 ", b"VP8L", b"ANMF"
_DEEPEST = 65535


class LabelFile(NamedTuple):
    """An opened file of labels.

    Attributes:
        image: the file; it stands at its first picture.
        positions: of its pictures, for :meth:`at`.
        is_blurred: its format does not keep ids.
        first: mode and palette of the first picture, whose values those of a GIF's later ones are traced back to.
    """

    image: Image.Image
    positions: Sequence[int]
    is_blurred: bool
    first: tuple[str, bytes]

    def at(self, position: int) -> Image.Image:
        """Return the picture at a position, decoded.

        Raises:
            MaskError: it holds a colour that the first one's palette lacks; without the file.
            OSError, ValueError: it is broken or too large; Pillow may raise others too.
        """
        if position != self.image.tell():
            self.image.seek(position)
        check_pixels(*self.image.size)
        self.image.load()
        if self.is_blurred:
            return steadied(self.image)
        if self.image.format != "GIF" or position == self.positions[0]:
            return self.image
        return _indexed(self.image, *self.first)


@contextmanager
def open_labels(path: Path, *, blurred: bool = False) -> Iterator[LabelFile]:
    """Open a picture file that may hold labels; nothing is decoded yet.

    Args:
        path: the file.
        blurred: formats that blur labels are accepted.

    Raises:
        MaskError: its format blurs or renumbers labels; without the file.
        OSError, ValueError: it is missing, broken or too large; Pillow may raise others too.
    """
    with open_picture(path) as image:
        is_blurred = not _is_lossless(path, image)
        if is_blurred and not blurred:
            raise _blurs(path, image.format)
        yield LabelFile(image, frame_positions(image), is_blurred, (image.mode, bytes(image.getpalette("RGB") or b"")))


def count_pictures(path: Path) -> int:
    """Return how many pictures a file holds; 1 for a file that cannot be opened, which reading reports."""
    try:
        with open_picture(path) as image:
            return len(frame_positions(image))
    except Exception:  # Pillow may raise any exception on a broken file
        return 1


def grey_values(image: Image.Image | npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Return the values of a decoded grey picture (H, W) of any depth as int64.

    Raises:
        MaskError: they are not whole, below 0, or above 65535; without the file.
    """
    values = np.asarray(image)
    if values.dtype.kind == "f" and (not np.isfinite(values).all() or (values != np.rint(values)).any()):
        raise MaskError(
            "holds floating-point values that are not whole. Expected ids.",
            "Save whole numbers, or a matte as OpenEXR, which is thresholded at half.",
        )
    low, high = values.min(), values.max()
    if low < 0 or high > _DEEPEST:
        raise MaskError(f"holds values from {low:g} to {high:g}. Expected ids 0 to 255.", "Number the objects from 1.")
    return values.astype(np.int64)


def _is_lossless(path: Path, image: Image.Image) -> bool:
    if image.format == "WEBP":
        return _is_lossless_webp(path)
    if image.format == "TIFF":
        return image.info.get("compression") not in _BLURRING_IN_TIFF
    return image.format in _LOSSLESS


def _is_lossless_webp(path: Path) -> bool:
    """Return whether a WebP's first picture is stored without loss, by the file's chunks."""
    with path.open("rb") as file:
        file.seek(_WEBP_HEADER)
        while len(header := file.read(8)) == 8:
            kind, size = header[:4], int.from_bytes(header[4:], "little")
            if kind in (_WEBP_LOSSY, _WEBP_LOSSLESS):
                return kind == _WEBP_LOSSLESS
            # A frame of an animation holds chunks of its own after 16 bytes; chunks have an even length.
            file.seek(16 if kind == _WEBP_FRAME else size + size % 2, 1)
    return False


def _blurs(path: Path, kind: str | None) -> MaskError:
    what = {"WEBP": "lossy WebP", "TIFF": "JPEG-compressed TIFF"}.get(str(kind), str(kind))
    article = "an" if what[0] in "AEIOH" else "a"
    return MaskError(
        f"is {article} {what} file. Expected PNG, TIFF, BMP, GIF or lossless WebP, because other formats blur or "
        "renumber ids.",
        f"Export the mask as an indexed or grey PNG ({path.stem}.png), or use --fix-mask of segment or erf to move "
        "every pixel to the nearest solid value.",
    )


def _indexed(image: Image.Image, mode: str, palette: bytes) -> Image.Image:
    """Trace a picture's colours back to the values of a GIF's first picture; later ones are decoded as colours."""
    rgba = np.asarray(image.convert("RGBA")).astype(np.int64)  # (H, W, 4)
    entries = palette_colours(palette) if mode == "P" else np.repeat(np.arange(256)[:, None], 3, 1)
    weights = np.array([1 << 16, 1 << 8, 1])
    codes, first = np.unique((entries.astype(np.int64) * weights).sum(-1), return_index=True)
    wanted = (rgba[..., :3] * weights).sum(-1)  # (H, W)
    places = np.searchsorted(codes, wanted).clip(max=len(codes) - 1)
    clear = rgba[..., 3] == 0
    if ((codes[places] != wanted) & ~clear).any():
        raise MaskError(
            "shows colours that its first picture's palette lacks, so that their ids are not known.",
            "Export one palette for all pictures, or a PNG for each.",
        )
    values = np.where(clear, 0, first[places]).astype(np.uint8)
    return Image.fromarray(values)
