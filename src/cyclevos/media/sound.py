"""The sound of a video, carried over to a video made from it while that is being written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

from cyclevos.media.addresses import Place
from cyclevos.media.video_opening import error_text, open_video

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet

logger = logging.getLogger(__name__)


class SoundCodecs(NamedTuple):
    """The sound that a kind of video file can hold.

    Attributes:
        copied: codecs that are copied as they are; the rest is encoded again.
        encoder: FFmpeg's name of the encoder for the rest.
        sample_format: that the encoder takes.
        rates: samples per second that the encoder takes; empty = any.
        frame_size: samples per channel that the encoder takes at a time.
        most_channels: that the encoder takes; sound with more is mixed down to two.
    """

    copied: frozenset[str]
    encoder: str
    sample_format: str
    rates: tuple[int, ...] = ()
    frame_size: int = 1024
    most_channels: int = 8


MP4_SOUND = SoundCodecs(
    frozenset({"aac", "mp3", "ac3", "eac3", "opus", "alac"}),  # what browsers play
    "aac",
    "fltp",
    (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000),
)
MOV_SOUND = SoundCodecs(
    frozenset({"aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_s32le"}),
    "pcm_s16le",  # every editor reads it
    "s16",
)
WEBM_SOUND = SoundCodecs(
    frozenset({"opus", "vorbis"}), "libopus", "flt", (48000, 24000, 16000, 12000, 8000), frame_size=960, most_channels=2
)


class SoundTrack:
    """Every sound stream of a file, for a video that is written beside it; holds no more than is due.

    Sound that cannot be read is left out from there on, with a warning: the picture does not depend on it.

    Args:
        source: the file with the sound.
        begins: seconds of its clock that become 0.
        output: the video; nothing has been written to it yet.
        codecs: what it can hold.
    """

    def __init__(
        self, source: Place, begins: Fraction, output: OutputContainer, codecs: SoundCodecs = MP4_SOUND
    ) -> None:
        import av

        self._source, self._begins, self._output = source, begins, output
        self._open = ExitStack()
        self._tracks: dict[int, _Track] = {}
        self._waiting: Packet[Any] | None = None
        self._packets: Iterator[Packet[Any]] = iter(())
        try:
            container, _ = self._open.enter_context(open_video(source))
            for stream in container.streams.audio:
                self._tracks[stream.index] = _track(stream, output, codecs)
            if self._tracks:
                self._packets = container.demux(*container.streams.audio)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._give_up(error)

    def write_until(self, seconds: Fraction | None) -> None:
        """Write what sounds before a time of the output; None = all that is left.

        Raises:
            OSError, FFmpegError: the system refuses to write.
        """
        while (packet := self._waiting or self._next()) is not None:
            self._waiting = packet
            time = packet.dts * packet.time_base - self._begins  # type: ignore[operator]  # _next sees to both
            if seconds is not None and time >= seconds:
                return
            self._waiting = None
            for each in self._written(packet):
                self._output.mux(each)

    def close(self, *, complete: bool) -> None:
        """Write what is left, if asked to, and close the source.

        Raises:
            OSError, FFmpegError: the system refuses to write.
        """
        with self._open:
            if complete:
                self.write_until(None)
                for track in self._tracks.values():
                    for packet in track.rest():
                        self._output.mux(packet)

    def _next(self) -> Packet[Any] | None:
        import av

        try:
            for packet in self._packets:
                if packet.size and packet.dts is not None and packet.time_base is not None:
                    return packet
        except (av.error.FFmpegError, OSError) as error:
            self._give_up(error)
        return None

    def _written(self, packet: Packet[Any]) -> list[Packet[Any]]:
        import av

        track = self._tracks[packet.stream.index]
        try:
            return track.take(packet, self._begins)
        except (av.error.FFmpegError, ValueError) as error:
            self._give_up(error)
            return []

    def _give_up(self, error: BaseException) -> None:
        logger.warning("the sound of %s is left out from here on (%s)", self._source, error_text(error))
        self._packets = iter(())


class _Track:
    """A stream whose packets are copied as they are."""

    def __init__(self, stream: AudioStream) -> None:
        self._stream = stream
        self._last: int | None = None

    def take(self, packet: Packet[Any], begins: Fraction) -> list[Packet[Any]]:
        """Return what a packet of the source becomes."""
        offset = 0 if packet.time_base is None else round(begins / packet.time_base)
        packet.dts = (packet.dts or 0) - offset
        packet.pts = packet.dts if packet.pts is None else packet.pts - offset
        if self._last is not None and packet.dts <= self._last:
            return []  # out of order, which no file may be
        self._last = packet.dts
        packet.stream = self._stream
        return [packet]

    def rest(self) -> list[Packet[Any]]:
        """Return what is left at the end."""
        return []


class _EncodedTrack(_Track):
    """A stream that the output does not hold as it is, encoded again."""

    def __init__(self, stream: AudioStream, resampler: Any) -> None:
        super().__init__(stream)
        self._resampler = resampler

    def take(self, packet: Packet[Any], begins: Fraction) -> list[Packet[Any]]:
        """Decode a packet of the source and encode what is complete of it."""
        packets: list[Packet[Any]] = []
        for sound in packet.decode():
            if sound.pts is not None:
                sound.pts -= 0 if sound.time_base is None else round(begins / sound.time_base)
            for piece in self._resampler.resample(sound):
                packets += self._stream.encode(piece)
        return packets

    def rest(self) -> list[Packet[Any]]:
        """Encode what the resampler and the encoder still hold."""
        pieces = self._resampler.resample(None)
        packets = [packet for piece in pieces if piece is not None for packet in self._stream.encode(piece)]
        return packets + list(self._stream.encode(None))


def _track(stream: AudioStream, output: OutputContainer, codecs: SoundCodecs) -> _Track:
    import av

    context = stream.codec_context
    if context.codec.canonical_name in codecs.copied:
        return _Track(output.add_stream_from_template(stream))
    rate = min(codecs.rates or (context.sample_rate,), key=lambda each: abs(each - context.sample_rate))
    layout = context.layout.name if context.layout.nb_channels <= codecs.most_channels else "stereo"
    encoded: Any = output.add_stream(codecs.encoder, rate=rate, layout=layout)
    encoded.codec_context.format = codecs.sample_format
    resampler = av.AudioResampler(format=codecs.sample_format, layout=layout, rate=rate, frame_size=codecs.frame_size)
    return _EncodedTrack(encoded, resampler)
