"""Which kind of source a path is."""

from __future__ import annotations

from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.media.animated_picture import AnimatedPicture, is_animated
from cyclevos.media.image_folder import ImageFolder
from cyclevos.media.sources import FrameSource
from cyclevos.media.video_file import VideoFile
from cyclevos.naming import IMAGE_SUFFIXES, numbered_neighbour


def open_source(path: str | Path, *, deinterlace: bool = False) -> FrameSource:
    """Open a video file, an animated picture, a folder of images or a single image.

    The first frame is decoded at once, so that a file that is not a video fails here.

    Args:
        path: a file that FFmpeg can read; an animated WebP, PNG or GIF, or a TIFF of several pages; or a folder of
            jpg, png, bmp, webp or tif images, which are taken in natural order (frame2 before frame10).
        deinterlace: make each frame of a video from one of its two fields.

    Raises:
        VideoError: there is nothing there, nothing that can be shown, or nothing that can be deinterlaced; or the path
            is one of a folder's numbered images, so that the folder was probably meant.
    """
    path = Path(path)
    if not path.exists():
        raise VideoError(
            f"{path} does not exist. Expected a video file or a folder of images.",
            "Check the spelling"
            + (f" (the folder {path.parent} exists)." if path.parent.is_dir() else f" of {path.parent}."),
        )
    animated = path.is_file() and is_animated(path)
    if not (path.is_dir() or animated or path.suffix.lower() in IMAGE_SUFFIXES):
        return VideoFile(path, deinterlace=deinterlace)
    if deinterlace:
        raise VideoError(f"{path} holds pictures, which have no fields to deinterlace.", "Leave out --deinterlace.")
    if animated:
        return AnimatedPicture(path)
    if not path.is_dir():
        _refuse_one_of_many(path)
    return ImageFolder(path)


def _refuse_one_of_many(path: Path) -> None:
    """Refuse an image that has a neighbour: as a source it would silently be a video of one frame."""
    neighbour = numbered_neighbour(path)
    if neighbour is not None:
        raise VideoError(
            f"{path} is one image of a sequence: {neighbour.name} lies beside it.",
            f"Give the folder, {path.parent}, to use all of its images. To use this one alone, copy it into a folder "
            "of its own.",
        )
