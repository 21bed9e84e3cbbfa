"""Videos with alpha of the objects, opened as a destination says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclevos.media.cutouts import CutoutVideo, ObjectVideos

if TYPE_CHECKING:
    from cyclevos.exchange.format import Destination
    from cyclevos.media.video_encoding import Encoding


def cutout_video(destination: Destination, encoding: Encoding) -> CutoutVideo:
    """Return the writer of a video of all objects together.

    Raises:
        OutputError: this build of PyAV lacks the encoder.
    """
    return CutoutVideo(
        destination.path, encoding, destination.frame_rate, destination.playback, title=destination.source_name
    )


def object_videos(destination: Destination, encoding: Encoding) -> ObjectVideos:
    """Return the writer of a folder with a video per object.

    Raises:
        OutputError: this build of PyAV lacks the encoder.
    """
    return ObjectVideos(
        destination.path,
        encoding,
        destination.objects,
        destination.appearance,
        destination.frame_rate,
        destination.playback,
    )
