"""Opening a video with PyAV: readable errors, the main stream, and no more pixels than memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclevos.errors import VideoError
from cyclevos.media.addresses import Address, Place
from cyclevos.pictures.bounds import MAX_PIXELS, PictureTooLargeError, check_pixels
from cyclevos.pictures.headers import declared_size
from cyclevos.words import counted

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# FFmpeg's marks of streams that are not a video of their own.
_ATTACHED_PICTURE, _DEPENDENT = 0x0400, 0x80000
_LIMITS = {"max_pixels": str(MAX_PIXELS)}
_PATIENCE = (20.0, 60.0)  # seconds to wait for an address to open, and for its next data


@contextmanager
def open_video(place: Place) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a video and its main stream.

    Raises:
        VideoError: it is not a video, has sound only, or holds one picture in tiles; or nothing answers at an address.
    """
    with _open_stream(place) if isinstance(place, Address) else _open_file(place) as container:
        stream = _main_stream(place, container)
        stream.thread_type = "AUTO"
        stream.codec_context.options |= _LIMITS
        yield container, stream


def _open_file(path: Path) -> InputContainer:
    import av

    # Checked here for its message; the decoders check whatever format claims more, each before it allocates.
    _check_declared_size(path)
    try:
        # Only the file itself: a playlist posing as a video must not make FFmpeg fetch the addresses that it lists.
        return av.open(str(path.resolve()), options=_LIMITS, container_options={"protocol_whitelist": "file"})
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            f"{path} cannot be read as a video ({error_text(error)}). Expected a whole file that FFmpeg can "
            "decode, e.g. mp4, mov, mkv, webm or avi.",
            "Repair or repeat a recording that was cut off and lacks its index; put images into a folder.",
        ) from error


def _open_stream(address: Address) -> InputContainer:
    import av

    try:
        return av.open(
            address.url,
            format=address.format,
            options=_LIMITS,
            container_options=dict(address.container_options),
            timeout=_PATIENCE,
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        late = isinstance(error, av.error.ExitError)  # what FFmpeg is made to say when its time is up
        why = f"no answer in {_PATIENCE[0]:.0f} seconds" if late else error_text(error)
        if address.format is not None:
            raise VideoError(
                f"{address} cannot be opened ({why}).",
                "Check that it is connected and that no other program uses it, or record it to a file first.",
            ) from error
        raise VideoError(
            f"{address} cannot be read as a video ({why}).",
            "Check the address in a player such as VLC, or download the video and give the file.",
        ) from error


def real_video_streams(container: InputContainer) -> list[VideoStream]:
    """Return a file's video streams without those that hold cover art."""
    return [stream for stream in container.streams.video if not _disposition(stream) & _ATTACHED_PICTURE]


def _main_stream(path: Place, container: InputContainer) -> VideoStream:
    """Return the largest stream: a small preview, or the still of an animated AVIF, may come before it.

    Among equals, FFmpeg's choice counts; where streams differ in size it would often take the first.
    """
    streams = real_video_streams(container)
    if not streams:
        kinds = ", ".join(sorted({stream.type for stream in container.streams})) or "no stream at all"
        raise VideoError(
            f"{path} holds no video stream; found: {kinds}.",
            "Give a whole file that has a picture; repair a recording that was cut off and lacks its index.",
        )
    best = container.streams.best("video")

    def rank(stream: VideoStream) -> tuple[bool, int, bool]:
        is_best = best is not None and stream.index == best.index
        return stream.frames != 1, stream.width * stream.height, is_best

    chosen = max(streams, key=rank)
    if _disposition(chosen) & _DEPENDENT:
        raise VideoError(
            f"{path} holds a picture in {counted(len(streams), 'tile')}, which cannot be put together here.",
            "Convert it to PNG or JPEG.",
        )
    return chosen


def _check_declared_size(path: Path) -> None:
    try:
        size = declared_size(path)
        if size is not None:
            check_pixels(*size)
    except PictureTooLargeError as error:
        raise VideoError(f"{path} cannot be decoded: {error}.", "Make it smaller first.") from error
    except OSError:  # opening it says why
        return


def error_text(error: BaseException | str) -> str:
    """Return the message of FFmpeg or the system without the path, which our message names already; text is kept."""
    return str(getattr(error, "strerror", None) or error)


def _disposition(stream: VideoStream) -> int:
    disposition: Any = getattr(stream, "disposition", 0)
    return int(getattr(disposition, "value", disposition))  # a flag without a number's methods in older PyAV
