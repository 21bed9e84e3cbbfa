"""Objects cut out of their video, with straight alpha: pictures and videos."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from cyclevos.files.atomic import output_errors, partial_path, put_in_place, replacing
from cyclevos.media.alpha import coverage_levels, cut_out
from cyclevos.media.appearance import Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.playback import Playback
from cyclevos.media.video_encoding import Encoding, VideoEncoder
from cyclevos.media.writers import SIGNATURE, ResultWriter, check_not_foreign, is_whole_png, png_note
from cyclevos.naming import list_masks


class CutoutPictures(ResultWriter):
    """RGBA PNGs `<frame name>.png` with all objects; transparent pixels are black.

    Args:
        folder: output folder; created if needed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def write(self, result: FrameResult) -> None:
        """Write one picture.

        Raises:
            ValueError: the ids or the probabilities do not fit the frame.
            OutputError: a picture that cyclevos did not write has this name, or the system refuses to write.
        """
        path = self.folder / f"{result.name}.png"
        check_not_foreign(path)
        image = Image.fromarray(cut_out(result.frame.image, coverage_levels(result)))
        with replacing(path) as temporary, temporary.open("wb") as file:
            image.save(file, format="PNG", pnginfo=png_note(), compress_level=3)


def first_missing_picture(folder: Path, names: Iterable[str]) -> str | None:
    """Return the first of these frames whose picture is missing or cut off; None if all are there."""
    return next((name for name in names if not is_whole_png(folder / f"{name}.png")), None)


def remove_pictures(folder: Path) -> None:
    """Delete the pictures that :class:`CutoutPictures` wrote into a folder; anything else stays.

    Raises:
        OutputError: the system refuses to delete.
    """
    with output_errors(folder):
        for file in list_masks(folder) if folder.is_dir() else ():
            if is_whole_png(file):
                file.unlink()


class CutoutVideo(ResultWriter):
    """A video with alpha of one object or all, in the order in which the frames arrive.

    Args:
        path: the video.
        encoding: a kind of video with alpha.
        frame_rate: frames per second; None for 24.
        playback: how the source of the frames is played: its clock, pixel aspect and sound are kept; in a kind of
            video without a pixel aspect, pixels are made square.
        object_id: the object; None = all of them together.
        title: of the video, for those who look at its properties.

    Raises:
        OutputError: this build of PyAV lacks the encoder.
    """

    def __init__(
        self,
        path: str | Path,
        encoding: Encoding,
        frame_rate: Fraction | float | None = None,
        playback: Playback | None = None,
        object_id: int | None = None,
        title: str = "",
    ) -> None:
        self.path, self._object_id = Path(path), object_id
        self._stretched = playback if playback is not None and encoding.square and playback.pixel_aspect != 1 else None
        self._encoder = VideoEncoder(path, encoding, frame_rate, playback, title)

    def write(self, result: FrameResult) -> None:
        """Encode one frame.

        Raises:
            ValueError: the frame has another size than the first one, or the ids or probabilities do not fit it.
            OutputError: the system refuses to write, or the encoder refuses the size.
        """
        image, alpha = result.frame.image, coverage_levels(result, self._object_id)
        if self._stretched is not None:
            height, width = self._stretched.square_size(result.frame.size)
            # Apart, since Pillow would blacken the colours under transparent pixels.
            image, alpha = (
                np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.BILINEAR))
                for each in (image, alpha)
            )
        self._encoder.write(cut_out(image, alpha, margin=True), result.frame.time)

    def close(self) -> None:
        """Complete the file and give it its final name; without frames, no file is written."""
        self._encoder.close()

    def abort(self) -> None:
        """Delete what was encoded so far."""
        self._encoder.abort()


class ObjectVideos(ResultWriter):
    """A folder with a silent video with alpha of each object; it gets its final name when it is closed.

    Args:
        folder: the folder.
        encoding: a kind of video with alpha.
        objects: ids of all objects.
        appearance: names of the objects, for the files.
        frame_rate: frames per second; None for 24.
        playback: how the source of the frames is played: its clock and pixel aspect are kept.

    Raises:
        OutputError: this build of PyAV lacks the encoder.
    """

    def __init__(
        self,
        folder: str | Path,
        encoding: Encoding,
        objects: Collection[int],
        appearance: Appearance,
        frame_rate: Fraction | float | None = None,
        playback: Playback | None = None,
    ) -> None:
        self.path, self._suffix = Path(folder), encoding.container
        self._partial, self._objects = partial_path(self.path), frozenset(objects)
        self._begun = False
        # Layered over each other in an editor, videos with sound would play it several times.
        playback = Playback() if playback is None else playback.silent()
        self._videos = [
            CutoutVideo(
                self._partial / f"{appearance.file_name(i)}.{self._suffix}",
                encoding,
                frame_rate,
                playback,
                i,
                appearance.name(i),
            )
            for i in sorted(self._objects)
        ]

    def write(self, result: FrameResult) -> None:
        """Encode one frame of every object.

        Raises:
            ValueError: the frame shows an object that was not announced; or as :meth:`CutoutVideo.write`.
            OutputError: the system refuses to write, or the encoder refuses the size.
        """
        result.check_objects(self._objects)
        if not self._begun:
            self._begun = True
            shutil.rmtree(self._partial, ignore_errors=True)  # of a run that was killed
        for video in self._videos:
            video.write(result)

    def close(self) -> None:
        """Complete the files and give the folder its final name; without frames or objects, none is written.

        Raises:
            OutputError: the folder holds what cyclevos did not write, or the system refuses to write.
        """
        try:
            for video in self._videos:
                video.close()
            if self._partial.is_dir():
                remove_videos(self.path)
                put_in_place(self._partial, self.path)
        except BaseException:
            self.abort()
            raise

    def abort(self) -> None:
        """Delete what was encoded so far."""
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self._partial, ignore_errors=True)
            for video in self._videos:
                stack.callback(video.abort)


def remove_videos(folder: Path) -> None:
    """Delete the videos that cyclevos wrote into a folder; anything else stays.

    Raises:
        OutputError: the system refuses to delete.
    """
    with output_errors(folder):
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            if file.suffix in (".mov", ".webm") and _is_our_video(file):
                file.unlink()


def _is_our_video(file: Path) -> bool:
    import av

    try:
        with av.open(str(file)) as container:
            tags: Sequence[str] = [value for name, value in container.metadata.items() if name.lower() == "comment"]
    except (av.error.FFmpegError, OSError, ValueError):
        return False
    return SIGNATURE in tags
