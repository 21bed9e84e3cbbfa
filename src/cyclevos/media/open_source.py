"""Which kind of source a path is."""

from __future__ import annotations

from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.media.image_folder import ImageFolder
from cyclevos.media.sources import FrameSource
from cyclevos.media.video_file import VideoFile
from cyclevos.naming import IMAGE_SUFFIXES


def open_source(path: str | Path) -> FrameSource:
    """Open a video file, a folder of images or a single image.

    The first frame is decoded at once, so that a file that is not a video fails here.

    Args:
        path: a file that FFmpeg can read, or a folder of jpg, png, bmp, webp or tif images, which are
            taken in natural order (frame2 before frame10).

    Raises:
        VideoError: there is nothing there, or nothing that can be shown.
    """
    path = Path(path)
    if not path.exists():
        raise VideoError(
            f"{path} does not exist. Expected a video file or a folder of images.",
            "Check the spelling"
            + (f" (the folder {path.parent} exists)." if path.parent.is_dir() else f" of {path.parent}."),
        )
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFolder(path)
    return VideoFile(path)
