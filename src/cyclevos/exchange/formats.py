"""The registry of output formats, and masks read, written and recognised in any of them.

To add a format, write a file in `exchange/registered` that defines ``FORMAT`` and add its name to `_FILES`.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.errors import ConfigError, MaskError
from cyclevos.exchange.candidate import Candidate
from cyclevos.exchange.format import Destination, Format, Need, ReadOptions
from cyclevos.exchange.unread import unknown_format
from cyclevos.files.atomic import output_errors, partial_path
from cyclevos.naming import index_name
from cyclevos.words import counted, names_text

if TYPE_CHECKING:
    from cyclevos.exchange.joined import Footage
    from cyclevos.exchange.track import MaskTrack

_FILES = (
    "masks",
    "overlay",
    "reliability",
    "probabilities",
    "coco",
    "coco_polygons",
    "youtube_vis",
    "mots",
    "cvat",
    "cvat_masks",
    "labelme",
    "via",
    "sa_v",
    "label_studio",
    "yolo",
    "sam",
    "supervisely",
    "objects",
    "objects_flat",
    "marks",
    "prores",
    "prores_objects",
    "webm",
    "webm_objects",
    "gif",
    "cutouts",
    "mattes",
    "exr",
    "npz",
)

RUN: frozenset[Need] = frozenset({"masks", "frames", "probabilities"})
"""What ``--save`` can make a format from, and ``convert --to`` from a finished run. Reliability is left out: every run
writes it anyway."""
APP: frozenset[Need] = frozenset({"masks", "frames", "reliability", "annotations"})
"""What the app can make a format from; it keeps no probabilities."""

_registered: dict[str, Format] = {}


def register(added: Format) -> None:
    """Add a format to ``--save``, ``convert`` and the app.

    Raises:
        ValueError: another format has its name or its file.
    """
    for other in _registered.values():
        if {added.name, *added.aliases} & {other.name, *other.aliases} or added.file == other.file:
            raise ValueError(f"the format {added.name} has the name or the file of {other.name}")
    _registered[added.name] = added


def all_formats() -> tuple[Format, ...]:
    """Return every format."""
    return tuple(_registered.values())


def offered(has: Collection[Need]) -> tuple[Format, ...]:
    """Return the formats that can be made from these things."""
    return tuple(each for each in all_formats() if each.is_written and each.needs <= set(has))


def readable() -> tuple[Format, ...]:
    """Return the formats that can be read."""
    return tuple(each for each in all_formats() if each.read is not None)


def find(name: str, among: Collection[Format] | None = None) -> Format | None:
    """Return the format of a name or alias.

    Args:
        name: the name.
        among: formats to choose from; None = all.

    Returns:
        The format, None where none of them has this name.
    """
    chosen = all_formats() if among is None else among
    return next((each for each in chosen if name in (each.name, *each.aliases)), None)


def chosen(wanted: Sequence[str]) -> tuple[Format, ...]:
    """Return the formats that ``--save`` names, each once.

    Raises:
        ConfigError: there are no names, or a name is not that of a format that a run can write.
    """
    allowed = offered(RUN)
    found = {name: find(name, allowed) for name in wanted}
    formats = {each.name: each for each in found.values() if each is not None}
    unknown = [name for name, each in found.items() if each is None]
    if unknown or not formats:
        raise ConfigError(
            f"--save {','.join(wanted)!r} names {', '.join(unknown) or 'nothing'}; expected any of "
            f"{','.join(each.name for each in allowed)}.",
            "Separate the names by commas.",
        )
    return tuple(formats.values())


def names(formats: Collection[Format]) -> str:
    """Return the names of formats, separated by commas."""
    return ", ".join(each.name for each in formats)


def detect(path: Path) -> str:
    """Recognise the format of a file or folder.

    Returns:
        Its name. YouTube-VIS counts as ``coco``: the reader distinguishes them by their content.

    Raises:
        MaskError: the file does not exist, or it matches none of the formats.
    """
    if not path.exists():
        raise MaskError(f"{path} does not exist.", f"Give masks in one of these formats: {names(readable())}.")
    given = Candidate(path)
    for each in sorted(readable(), key=lambda each: each.detected_last):
        if each.detects is not None and each.detects(given):
            return each.name
    raise unknown_format(given, f"Give masks in one of these formats: {names(readable())}; --from names it.")


def read_track(path: Path, kind: str | None = None, options: ReadOptions | None = None) -> MaskTrack:
    """Read masks in any format that can be read.

    Args:
        path: file or folder.
        kind: name of its format; None = recognise it.
        options: how they are read; None = the usual way.

    Raises:
        MaskError: the masks cannot be read in this format.
    """
    kind = kind or detect(path)
    found = find(kind, readable())
    if found is None or found.read is None:
        raise MaskError(f"Masks cannot be read in the format {kind}.", f"Choose one of {names(readable())}.")
    reads = found.reads or ("folder" if found.is_folder else "file")
    if reads not in ("either", "folder" if path.is_dir() else "file"):
        is_, wants = ("a folder", "a file") if path.is_dir() else ("not a folder", "a folder")
        raise MaskError(f"{path} is {is_}, but the format {kind} is {wants}.", "Choose another path or another format.")
    return found.read(path, options or ReadOptions())


def holds_one_picture(kind: str) -> bool:
    """Return whether a file in a format holds the masks of one picture, and only a folder of files those of several."""
    found = find(kind)
    return found is not None and found.reads == "either"


def write_track(track: MaskTrack, kind: str, path: Path, footage: Footage | None = None) -> list[str]:
    """Write masks in any format that a run can write.

    Args:
        track: the masks.
        kind: name of the format.
        path: file or folder to write.
        footage: the frames and probabilities that belong to the masks, as far as they are at hand.

    Returns:
        A text for each thing that the format cannot hold; empty if it can hold everything.

    Raises:
        ConfigError: the format is made from something that is not at hand.
        MissingExtraError: what it is written by is not installed.
        MaskError: the masks cannot be read, or they do not fit the frames.
        VideoError: a frame cannot be read.
        OutputError: the system refuses to write.
    """
    from cyclevos.exchange.joined import NO_FOOTAGE, joined
    from cyclevos.exchange.track import distinct_frames, no_object_error

    footage = footage or NO_FOOTAGE
    found = find(kind, offered(RUN))
    if found is None:
        raise ConfigError(f"The format {kind} cannot be made from masks.", f"Choose one of {names(offered(RUN))}.")
    _check_needs(found, footage)
    if found.room is None or found.room.frame_names:
        track = distinct_frames(track)
    if found.write is not None:
        found.write(track, path)
    elif found.writer is not None:
        destination = _destination(track, path, footage)
        if found.per_object:
            destination = replace(destination, objects=track.object_ids())
            if not destination.objects:
                raise no_object_error()
        with found.writer(destination) as writer:
            for result in joined(track, footage):
                writer.write(result)
    return losses(track, found)


def _check_needs(kind: Format, footage: Footage) -> None:
    if "frames" in kind.needs and footage.source is None:
        raise ConfigError(
            f"The format {kind.name} needs the frames besides the masks.",
            "Name the video or the folder of frames with --frames.",
        )
    if "probabilities" in kind.needs and footage.probabilities is None:
        raise ConfigError(
            f"The format {kind.name} is made from probabilities, and none were kept.",
            "Run cyclevos segment with --save masks,probabilities, and convert that run.",
        )
    if kind.check is not None:
        kind.check()


def _destination(track: MaskTrack, path: Path, footage: Footage) -> Destination:
    """Return where a track is written, and what is known of its video."""
    source, appearance = footage.source, track.appearance
    if source is None:
        return Destination(path, track.name, track.name, appearance)
    return Destination(path, track.name, source.name, appearance, source.frame_rate, playback=source.playback)


def remove_output(folder: Path) -> None:
    """Delete what a format wrote into its folder within a run folder, finished or not; anything else stays.

    Raises:
        OutputError: the system refuses to delete.
    """
    for each in all_formats():
        if each.remove is not None and each.file == folder.name:
            each.remove(folder)
            with output_errors(folder):
                if partial_path(folder).is_dir():  # by its name, all of it is ours
                    shutil.rmtree(partial_path(folder))


def losses(track: MaskTrack, kind: Format) -> list[str]:
    """Return a text for each property of some masks that a format cannot hold."""
    from cyclevos.pictures.palette import is_davis

    room = kind.room
    if room is None:
        return []
    lost = []
    if not room.object_names and track.object_names:
        lost.append(f"the names of the objects: {names_text(track.object_names)}")
    if not room.colours and not is_davis(track.palette):
        lost.append("the colours of the objects")
    if not room.frame_names or room.empty_frames == "not last":
        renamed = empty = 0
        for frame in track.frames():
            renamed += frame.name != index_name(frame.index)
            empty = empty + 1 if not frame.ids.any() else 0
        if renamed and not room.frame_names:
            lost.append(f"the names of {counted(renamed, 'frame')}")
        if empty and room.empty_frames == "not last":
            lost.append(f"{counted(empty, 'empty frame')} at the end (give --length when it is read)")
    return lost


for _file in _FILES:
    register(import_module(f"cyclevos.exchange.registered.{_file}").FORMAT)
