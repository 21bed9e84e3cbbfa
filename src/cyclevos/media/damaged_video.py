"""Decoding one pass of a damaged video file: every frame in its place, as a picture or as a gap.

FFmpeg conceals what it cannot decode with parts of other pictures, and predicts the next ones from that. Here a picture
that is damaged, or made from a damaged one, is a gap, so what is given out is as it was encoded. Decoding runs on one
thread: only then does FFmpeg say which packet an error belongs to, and mark every picture that it concealed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from cyclevos.media.addresses import Place
from cyclevos.media.video_decoding import DAMAGED, seek
from cyclevos.media.video_opening import error_text, open_video
from cyclevos.media.video_reach import Reach

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

CUT = "the file ends inside it"
FOLLOWS = "it is made from a frame that is damaged"
_REORDERED = 16  # packets: no codec shows a frame earlier than so many that are stored before it
_VP8_SHOWN = 0x10  # bit of the first byte of a VP8 frame
_REFERENCE, _TYPE, _SLICES = 0x60, 0x1F, range(1, 6)  # H.264: bits of nal_ref_idc and nal_unit_type; pictures' types


class Gap(NamedTuple):
    """A frame that cannot be shown.

    Attributes:
        pts: its time stamp.
        why: in words that follow "cannot be read: ".
        key_frame: always false: decoding does not begin here.
    """

    pts: int
    why: str
    key_frame: bool = False


@dataclass
class _Slot:
    """The place of one packet's frame: open until its picture is here, or it is known that none will come."""

    pts: int
    order: int  # in which packets are decoded
    is_disposable: bool  # no other frame is made from it
    picture: VideoFrame | None = None
    why: str | None = None
    is_open: bool = True


def decode_every(path: Place, seek_pts: int | None = None) -> Generator[VideoFrame | Gap, None, str | None]:
    """Decode a damaged video in display order, passing over what is damaged.

    Args:
        path: the video.
        seek_pts: start at the keyframe at or before this time stamp instead of at the beginning.

    Returns:
        How the file breaks off, in words; None if it does not. A file whose packets have no time stamps breaks off at
        its first damaged frame, as the places of the next ones are not known.

    Raises:
        VideoError: the file cannot be opened.
    """
    with open_video(path) as (container, stream):
        stream.thread_type = "NONE"
        if seek_pts is not None:
            seek(path, container, stream, seek_pts)
        careful = _CarefulPass(container, stream)
        yield from careful.frames()
        if careful.end is not None or seek_pts is not None:
            return careful.end
        missing = careful.reach.missing_seconds(careful.count)
        return f"the file declares {float(missing):.2f} s more" if missing else None


class _CarefulPass:
    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.container, self.stream = container, stream
        self.reach = Reach(container, stream)
        self.codec = stream.codec_context.name
        self.count = 0
        self.end: str | None = None
        self._slots: dict[int, _Slot] = {}  # by time stamp, those not given out yet
        self._due: list[int] = []  # heap of their time stamps
        self._open: set[int] = set()  # orders of the open ones
        self._keys: list[tuple[int, int]] = []  # order and time stamp of every keyframe
        self._damaged: list[int] = []  # orders of damaged packets that others may be made from, ascending
        self._packets = 0
        self._reached: int | None = None  # the last time stamp given out
        self._decoded_to: int | None = None  # the time stamp of the last picture
        self._is_over = False

    def frames(self) -> Iterator[VideoFrame | Gap]:
        """Yield every frame or why it is a gap; a frame waits until all that it may be made from is judged."""
        for packet in self._all_packets():
            slot = self._placed(packet)
            if self.end is not None:
                break
            for picture in self._decoded(packet, slot):
                self._take(picture)
            yield from self._ready()
        self._is_over = True
        for slot in self._slots.values():
            self._close(slot)
        yield from self._ready()

    def _all_packets(self) -> Iterator[Packet[Any]]:
        import av

        packets = self.container.demux(self.stream, *self.container.streams.audio)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError) as error:
                self.end = f"the file cannot be read on ({error_text(error)})"
                return
            if packet is None:
                return
            if self.reach.note(packet):
                yield packet

    def _placed(self, packet: Packet[Any]) -> _Slot | None:
        """Return the place of a packet's frame; None if it shows none."""
        if not packet.size or packet.is_discard or not (self._keys or packet.is_keyframe):
            return None  # the last case: a stream that was cut out of a longer one
        pts = packet.pts
        if pts is None or pts in self._slots or (self._reached is not None and pts <= self._reached):
            self.end = "its packets have no time stamps of their own, so the places of its next frames are not known"
            return None
        if self._is_hidden(packet) or (self._keys and pts < self._keys[0][1]):
            return None  # the last case: it is made from frames before the keyframe that the pass began with
        slot = self._slots[pts] = _Slot(pts, self._packets, self._is_disposable(packet))
        self._packets += 1
        self._open.add(slot.order)
        heappush(self._due, pts)
        if packet.is_keyframe:
            self._keys.append((slot.order, pts))
        return slot

    def _decoded(self, packet: Packet[Any], slot: _Slot | None) -> list[Any]:
        """Decode a packet, unless it cannot give an undamaged picture."""
        import av

        if packet.is_corrupt and not self.reach.is_lossy:
            self._spoil(slot, packet, CUT)
            return []
        if slot is not None and self._follows_damage(slot):
            self._close(slot)
            return []
        try:
            return packet.decode()
        except av.error.EOFError:
            return []
        except (av.error.FFmpegError, OSError):
            self._spoil(slot, packet, DAMAGED)
            return []

    def _spoil(self, slot: _Slot | None, packet: Packet[Any], why: str) -> None:
        if slot is None:
            return
        slot.why = why
        self._close(slot)
        if not packet.is_disposable:  # what it says itself cannot be trusted
            insort(self._damaged, slot.order)

    def _take(self, picture: VideoFrame) -> None:
        slot = self._slots.get(picture.pts) if picture.pts is not None else None
        if slot is None:
            return
        self._decoded_to = slot.pts
        for pts in self._due:
            if pts < slot.pts:
                self._close(self._slots[pts])  # passed over: no picture comes
        if picture.is_corrupt and not self.reach.is_lossy:
            slot.why = DAMAGED
            if not slot.is_disposable:
                insort(self._damaged, slot.order)
        else:
            slot.picture = picture
        self._close(slot)

    def _is_hidden(self, packet: Packet[Any]) -> bool:
        """Return whether a packet only helps to predict others; codecs after VP8 join it with the next one."""
        return self.codec in ("vp8", "libvpx") and not memoryview(packet)[0] & _VP8_SHOWN

    def _is_disposable(self, packet: Packet[Any]) -> bool:
        extra = self.stream.codec_context.extradata
        if self.codec == "h264" and extra and extra[0] == 1:  # as MP4 and Matroska store it
            return packet.is_disposable or _is_disposable_picture(memoryview(packet), (extra[4] & 3) + 1)
        return packet.is_disposable

    def _close(self, slot: _Slot) -> None:
        self._open.discard(slot.order)
        slot.is_open = False

    def _ready(self) -> Iterator[VideoFrame | Gap]:
        while self._due:
            slot = self._slots[self._due[0]]
            if slot.is_open or min(self._open, default=slot.order) < slot.order or self._may_be_too_early(slot):
                return
            heappop(self._due)
            del self._slots[slot.pts]
            self._reached = slot.pts
            why = slot.why or (FOLLOWS if self._follows_damage(slot) else None)
            if why is None and slot.picture is None:
                continue  # a frame that is never shown
            self.count += 1
            if why is None and slot.picture is not None:
                yield slot.picture
            else:
                yield Gap(slot.pts, why or DAMAGED)

    def _may_be_too_early(self, slot: _Slot) -> bool:
        """Return whether the packet of an earlier frame may be still to come: pictures alone come in their order."""
        if slot.picture is not None or self._is_over or self._packets - slot.order > _REORDERED:
            return False
        return self._decoded_to is None or slot.pts > self._decoded_to

    def _follows_damage(self, slot: _Slot) -> bool:
        """Return whether a damaged packet lies between a frame and the keyframe that its prediction begins at."""
        begin = next((key for key, pts in reversed(self._keys) if key <= slot.order and pts <= slot.pts), 0)
        at = bisect_left(self._damaged, begin)
        return at < len(self._damaged) and self._damaged[at] < slot.order


def _is_disposable_picture(data: memoryview, length: int) -> bool:
    """Return whether an H.264 packet, whose units each follow their length of so many bytes, says so of its picture."""
    at, found = 0, False
    while at + length < len(data):
        header = data[at + length]
        if header & _TYPE in _SLICES:
            found = not header & _REFERENCE
        at += length + int.from_bytes(data[at : at + length], "big")
    return found and at == len(data)
