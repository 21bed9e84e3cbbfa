"""What is no file: addresses of videos on a network, and cameras."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from cyclevos.errors import VideoError

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/{1,2})")  # two letters or more: Windows has drives
_USER = re.compile(r"(?<=://)[^/?#]*@")
# What FFmpeg may open for an address, so that a playlist of a server does not make it read files of this machine.
_NETWORK = "http,https,tcp,tls,crypto,httpproxy"
_PROTOCOLS = {
    "http": _NETWORK,
    "https": _NETWORK,
    "rtsp": f"{_NETWORK},rtsp,rtp,udp",
    "rtsps": f"{_NETWORK},rtsp,rtsps,rtp,srtp,udp",
    "rtmp": f"{_NETWORK},rtmp",
    "rtmps": f"{_NETWORK},rtmps",
    "rtp": "rtp,srtp,udp",
    "srt": "srt,udp",
    "tcp": "tcp",
    "udp": "udp",
}
_DEVICE_FORMATS = {"linux": "v4l2", "darwin": "avfoundation"}
_DEVICE = re.compile(r"/dev/video[0-9]+")


@dataclass(frozen=True)
class Address:
    """Where FFmpeg finds a video that is no file; as text, without user name and password.

    Attributes:
        url: what FFmpeg opens.
        container_options: of FFmpeg, for opening it.
        format: of FFmpeg, for a camera; None = by the content.
    """

    url: str
    container_options: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None

    def __str__(self) -> str:
        return _USER.sub("", self.url) if self.format is None else f"camera {self.url}"

    @property
    def is_on_web(self) -> bool:
        """Whether it is of HTTP, which has files as well as streams."""
        return self.url.lower().startswith(("http://", "https://"))

    @property
    def name(self) -> str:
        """Its last part, for naming results: of an address the file, or else the server."""
        if self.format is not None:
            return f"camera{self.url}" if self.url.isdecimal() else PurePosixPath(self.url).name
        try:
            parts = urlsplit(self.url)
            return PurePosixPath(unquote(parts.path)).name or parts.hostname or "stream"
        except ValueError:  # brackets that hold no address
            return "stream"


Place = Path | Address
"""Where a video is."""


def address_of(place: str | Path) -> Address | None:
    """Return the address or the camera that a text means; None if it is a path.

    Args:
        place: an address such as ``https://host/clip.mp4`` or ``rtsp://camera/1``; the number of a camera; a device
            such as ``/dev/video0``; or a path. A number that is also the name of a file or folder is that.

    Raises:
        VideoError: it is an address that cannot be used, or a camera, and cameras have no numbers on this system.
    """
    text = str(place)
    match = _SCHEME.match(text)
    if match is not None:
        return _network(text, match[1].lower(), whole=match[2] == "//")
    if _DEVICE.fullmatch(text):
        return Address(text, format=_DEVICE_FORMATS["linux"])
    if text.isascii() and text.isdecimal() and not Path(text).exists():
        return _camera(text)
    return None


def _network(text: str, scheme: str, *, whole: bool) -> Address | None:
    if not whole:
        if scheme not in _PROTOCOLS or Path(text).exists():
            return None
        raise VideoError(
            f"{text} looks like an address that was made a path, by which it loses a slash.",
            "Give the address as text (str), not as a pathlib.Path.",
        )
    if scheme == "file":
        raise VideoError(f"{text} is a file's address; expected its path.", "Leave out file:// and give the path.")
    if scheme not in _PROTOCOLS:
        raise VideoError(
            f"{_USER.sub('', text)} cannot be opened: {scheme}:// is not known here. Expected one of "
            f"{', '.join(sorted(_PROTOCOLS))}.",
            "Download the video and give the file.",
        )
    options = {"protocol_whitelist": _PROTOCOLS[scheme]}
    if scheme.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # over UDP, packets that are lost damage pictures
    return Address(text, options)


def _camera(number: str) -> Address:
    kind = _DEVICE_FORMATS.get(sys.platform)
    if kind is None:
        raise VideoError(
            f"{number} does not exist, and cameras have no numbers on this system.",
            "Record the camera to a file first, or read its frames in Python: cyclevos.segment takes any iterable.",
        )
    return Address(f"/dev/video{int(number)}" if kind == "v4l2" else str(int(number)), format=kind)
