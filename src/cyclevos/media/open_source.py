"""Which kind of source a text or a path means."""

from __future__ import annotations

from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.media.addresses import Address, address_of
from cyclevos.media.animated_picture import AnimatedPicture, is_animated
from cyclevos.media.image_folder import ImageFiles, ImageFolder
from cyclevos.media.image_lists import LIST_SUFFIXES, is_pattern, listed_files, numbered_files
from cyclevos.media.live_stream import LiveStream
from cyclevos.media.passing_video import PassingVideo
from cyclevos.media.sources import FrameSource
from cyclevos.media.video_file import VideoFile
from cyclevos.media.video_opening import open_video
from cyclevos.naming import IMAGE_SUFFIXES, is_raw, numbered_neighbour, raw_refusal


def open_source(place: str | Path, *, deinterlace: bool = False, pass_over: bool = False) -> FrameSource:
    """Open a video file, an animated picture, a folder of images, a single image, or what lists or streams frames.

    The first frame is decoded at once, so that a file that is not a video fails here.

    Args:
        place: a file that FFmpeg can read; an animated WebP, PNG or GIF, or a TIFF of several pages; a folder of
            jpg, png, bmp, webp, tif or exr images, which are taken in natural order (frame2 before frame10); a pattern
            of numbered images (``frames/%05d.jpg``); a list of images (a text file of paths); or, as text, an address
            (``https://``, ``rtsp://``), a camera's number, or its device (``/dev/video0``).
        deinterlace: make each frame of a video from one of its two fields.
        pass_over: pass over the frames of a file or folder that cannot be read, and note them in its `bad`.

    Raises:
        VideoError: there is nothing there, nothing that can be shown, or nothing that can be deinterlaced; or the path
            is one of a folder's numbered images, so that the folder was probably meant.
        MissingExtraError: the images are OpenEXR, and the extra for that is not installed.
    """
    address = address_of(place)
    if address is not None:
        return _open_address(address, deinterlace=deinterlace)
    path = Path(place)
    images = _open_images(path, pass_over)
    if images is None:
        if is_raw(path):
            raise raw_refusal(path)
        return (PassingVideo if pass_over else VideoFile)(path, deinterlace=deinterlace)
    if deinterlace:
        raise VideoError(f"{path} holds pictures, which have no fields to deinterlace.", "Leave out --deinterlace.")
    return images


def _open_images(path: Path, pass_over: bool) -> FrameSource | None:
    """Open pictures; return None for a file that is something else.

    Raises:
        VideoError: there is nothing there, or no picture that can be used.
    """
    if not path.exists():
        if is_pattern(path):
            return ImageFiles(numbered_files(path), path, pass_over=pass_over)
        raise VideoError(
            f"{path} does not exist. Expected a video file or a folder of images.",
            "Check the spelling"
            + (f" (the folder {path.parent} exists)." if path.parent.is_dir() else f" of {path.parent}."),
        )
    if path.is_dir():
        return ImageFolder(path, pass_over=pass_over)
    if path.suffix.lower() in LIST_SUFFIXES:
        return ImageFiles(listed_files(path), path, pass_over=pass_over)
    if is_raw(path):  # some are TIFF inside, of previews
        return None
    if is_animated(path):
        return AnimatedPicture(path, pass_over=pass_over)
    if path.suffix.lower() not in IMAGE_SUFFIXES:
        return None
    neighbour = numbered_neighbour(path)
    if neighbour is not None:  # as a source it would silently be a video of one frame
        raise VideoError(
            f"{path} is one image of a sequence: {neighbour.name} lies beside it.",
            f"Give the folder, {path.parent}, to use all of its images. To use this one alone, copy it into a folder "
            "of its own.",
        )
    return ImageFolder(path, pass_over=pass_over)


def _open_address(address: Address, *, deinterlace: bool) -> FrameSource:
    """Open a file on a server, which can be read again and in any order, or a stream, which cannot."""
    if address.is_on_web:
        with open_video(address) as (container, _):
            lasting = bool(container.duration) and container.format.name != "hls"
        if lasting:
            return VideoFile(address, deinterlace=deinterlace)
    return LiveStream(address, deinterlace=deinterlace)
