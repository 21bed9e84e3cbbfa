"""Writing "CVAT for video 1.1" XML: a track per object, with its outline in every frame.

CVAT has no tracks of masks: of one it imports the first frame alone. So an object is a track of polygons, of which CVAT
keeps one per frame; pieces and holes are joined to it by lines without width. Every frame is a keyframe, so that CVAT
interpolates nothing.
Source: https://docs.cvat.ai/docs/dataset_management/formats/format-xml
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.outlines import outline
from cyclevos.exchange.track import MaskTrack
from cyclevos.files.atomic import replacing
from cyclevos.naming import size_text
from cyclevos.pictures.palette import palette_colours

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_cvat(track: MaskTrack, path: Path) -> None:
    """Write "CVAT for video 1.1" XML.

    Args:
        track: the masks.
        path: the file.

    Raises:
        MaskError: there is no frame, or frames differ in size, which a video's cannot.
        OutputError: the system refuses to write.
    """
    length, size, points = _survey(track, path)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n')
        file.writelines(_meta(track, length, size, sorted(points)))
        for object_id in sorted(points):
            file.writelines(_track(object_id, track.appearance.name(object_id), points[object_id], length))
        file.write("</annotations>\n")


def _survey(track: MaskTrack, path: Path) -> tuple[int, tuple[int, int], dict[int, dict[int, str]]]:
    """Return how many frames there are, the size of all, and each object's points by frame index, as text."""
    sizes: dict[tuple[int, int], str] = {}
    length = 0
    points: dict[int, dict[int, str]] = {}
    for frame in track.frames():
        length = max(length, frame.index + 1)
        height, width = frame.ids.shape
        sizes.setdefault((height, width), frame.name)
        for object_id in frame.object_ids:
            corners = outline(frame.ids == object_id)
            points.setdefault(object_id, {})[frame.index] = ";".join(f"{x},{y}" for x, y in corners)
        if len(sizes) > 1:
            (first, name), (other, name_) = sizes.items()
            raise MaskError(
                f"{path} cannot be written: frame {name} is {size_text(first)}, frame {name_} is {size_text(other)}, "
                "but frames of a CVAT video have one size.",
                "Choose another format.",
            )
    if not sizes:
        raise MaskError(f"{path} cannot be written: there is no frame.", "Give masks of at least one frame.")
    return length, next(iter(sizes)), points


def _meta(track: MaskTrack, length: int, size: tuple[int, int], shown: list[int]) -> Iterator[str]:
    yield (
        f"  <meta>\n    <task>\n      <name>{escape(_text(track.name))}</name>\n      <size>{length}</size>\n"
        f"      <mode>interpolation</mode>\n      <start_frame>0</start_frame>\n"
        f"      <stop_frame>{length - 1}</stop_frame>\n      <labels>\n"
    )
    colours = palette_colours(track.palette)
    for name, object_id in {track.appearance.name(i): i for i in reversed(shown)}.items():
        colour = "".join(f"{int(value):02x}" for value in colours[object_id])
        yield (
            f"        <label>\n          <name>{escape(_text(name))}</name>\n          <color>#{colour}</color>\n"
            "          <type>any</type>\n          <attributes>\n          </attributes>\n        </label>\n"
        )
    height, width = size
    yield (
        f"      </labels>\n      <original_size>\n        <width>{width}</width>\n        <height>{height}</height>\n"
        "      </original_size>\n    </task>\n  </meta>\n"
    )


def _track(object_id: int, name: str, points: Mapping[int, str], length: int) -> Iterator[str]:
    """Yield an object's track; its group equals its id, by which our reader knows that the id counts."""
    yield f'  <track id="{object_id}" label={quoteattr(_text(name))} source="auto" group_id="{object_id}">\n'
    for index, text in points.items():
        yield _polygon(index, text, outside=0)
        if index + 1 < length and index + 1 not in points:
            yield _polygon(index + 1, text, outside=1)  # CVAT's mark that it is not seen from here on
    yield "  </track>\n"


def _polygon(index: int, points: str, outside: int) -> str:
    return (
        f'    <polygon frame="{index}" keyframe="1" outside="{outside}" occluded="0" points="{points}" z_order="0">\n'
        "    </polygon>\n"
    )


def _text(name: str) -> str:
    """Replace characters that XML cannot hold."""
    return _NOT_XML.sub("?", name)
