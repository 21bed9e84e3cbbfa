"""Files that hold several pictures: which of them are frames, and for how long each is shown."""

from __future__ import annotations

from PIL import Image

# Others hold several pictures too, but not one after the other: MPO holds a photograph and its depth or gain map.
_PAGED_FORMATS = frozenset({"GIF", "PNG", "TIFF", "WEBP"})
_SUBFILE_TAG = 254  # of TIFF
_NOT_A_PAGE = 0b101  # a smaller copy of another picture, or its transparency mask
_TOO_SHORT, _DEFAULT = 10.0, 100.0  # milliseconds; browsers too show for 100 what claims 10 or less


def frame_positions(image: Image.Image) -> list[int]:
    """Return the positions of an opened file's pictures that are frames; they can be given to its `seek`.

    Left out are an APNG's picture for programs that do not animate, and a TIFF's previews and masks.

    Args:
        image: an opened file that stands at its first picture, as it does afterwards.

    Returns:
        At least one position; ``[0]`` for a file of one picture.

    Raises:
        OSError, ValueError, EOFError: the file is broken.
    """
    count = getattr(image, "n_frames", 1) if image.format in _PAGED_FORMATS else 1
    if count == 1:
        return [0]
    if image.format == "PNG":
        return list(range(1 if image.info.get("default_image") else 0, count))
    if image.format != "TIFF":
        return list(range(count))
    pages = [position for position in range(count) if _is_page(image, position)]
    image.seek(0)
    return pages or [0]


def shown_milliseconds(image: Image.Image) -> float | None:
    """Return for how long a decoded picture is shown; None where the format has no times."""
    if image.format == "TIFF":
        return None
    try:
        duration = float(image.info.get("duration", 0))
    except (TypeError, ValueError):
        duration = 0.0
    return duration if duration > _TOO_SHORT else _DEFAULT


def _is_page(image: Image.Image, position: int) -> bool:
    image.seek(position)
    return not int(getattr(image, "tag_v2", {}).get(_SUBFILE_TAG, 0)) & _NOT_A_PAGE
