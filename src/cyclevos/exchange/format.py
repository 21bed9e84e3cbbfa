"""What the registry knows of an output format, and where and from what a result is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.playback import Playback

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack
    from cyclevos.media.writers import ResultWriter

Need = Literal["masks", "frames", "probabilities", "reliability", "annotations"]
"""Something that a format is made from."""


Purpose = Literal["results", "annotation", "editing"]
"""To look at and go on from; for annotation tools and training; for editors of videos and pictures, and the web."""


class ReadOptions(NamedTuple):
    """How masks are read where their format leaves a choice.

    Attributes:
        video: name of the video, in a file that holds several.
        length: frames of the video, where the format does not record it; None = unknown.
        overlap: which object gets a pixel that two claim: ``first``, ``last``; ``error`` = none may.
        size: (H, W) of the video's frames, where the format does not record it; None = unknown.
        keep_255: 255 in pictures of ids is an id like any other.
    """

    video: str | None = None
    length: int | None = None
    overlap: str = "error"
    size: tuple[int, int] | None = None
    keep_255: bool = False


@dataclass(frozen=True)
class Destination:
    """Where one result is written, and what is known of its video.

    Attributes:
        path: file or folder to write.
        title: name of the video inside the result.
        source_name: name of the source.
        appearance: colours and names of the objects.
        frame_rate: frames per second; None where unknown.
        resume: keep what an interrupted run has written.
        playback: how the source is played; None where unknown.
        objects: ids of all objects that the video may show, for formats with a file or folder per object.
    """

    path: Path
    title: str = ""
    source_name: str = ""
    appearance: Appearance = PLAIN
    frame_rate: Fraction | None = None
    resume: bool = False
    playback: Playback | None = None
    objects: tuple[int, ...] = ()

    def of(self, kind: Format) -> Destination:
        """Return where a format's result lies if this is a run folder."""
        return replace(self, path=self.path / kind.file)


@dataclass(frozen=True)
class Room:
    """What a mask format can hold.

    Attributes:
        frame_names: names of the frames.
        object_names: names of the objects.
        colours: the palette.
        empty_frames: frames without any object: ``all`` of them; ``not alone``: if another frame shows an object;
            ``not last``: all but those at the end.
        notes: additions to the table of docs/formats.md, by attribute.
    """

    frame_names: bool
    object_names: bool
    colours: bool
    empty_frames: Literal["all", "not alone", "not last"] = "all"
    notes: Mapping[str, str] = field(default_factory=dict)

    def cells(self) -> Iterator[str]:
        """Yield the format's cells in the table of docs/formats.md."""
        for name in ("frame_names", "object_names", "colours"):
            note = self.notes.get(name)
            yield ("yes" if getattr(self, name) else "no") + (f", {note}" if note else "")
        yield {"all": "yes", "not alone": "if another frame shows an object", "not last": "except at the end"}[
            self.empty_frames
        ]


@dataclass(frozen=True)
class Format:
    """An output format. Its functions import what they need when they are called, so that help texts start at once.

    Attributes:
        name: its name in ``--save``, ``--to``, ``--from`` and the app's requests.
        label: its name on the app's page.
        summary: what it is, in a few words.
        file: name of its file or folder within a run folder, which no other format has; empty = the run folder itself.
        is_folder: it is a folder of files.
        reads: whether masks are read from a ``file``, a ``folder`` or ``either``; None = from what is written.
        needs: what it is made from; a command or the app offers it where it has all of that.
        uses: what makes it better where it is there: soft edges of probabilities, times of frames.
        room: what it can hold; None where it is not made to hold masks.
        writer: opens a writer that takes results frame by frame.
        write: writes finished masks; None = the writer does.
        read: reads masks; None = they cannot be read back.
        detects: returns whether a file or folder looks like this format; None = it is never recognised.
        detected_last: it is asked after the others, since it takes any folder of pictures.
        first_missing: names the first of a video's first frames that is not in the result, finished or not; None =
            the result is made from finished masks, or its frames cannot be told.
        remove: deletes from a folder what this format wrote there, and nothing else; None = it is a file.
        check: raises MissingExtraError if what it needs is not installed; called before anything is begun.
        aliases: older names, still accepted.
        per_object: it has a file or folder for each object (``Destination.objects``).
        in_order: the writer needs the frames from first to last.
        needs_object_names: the writer needs to know every object beforehand (``Destination.appearance.names``).
        preselected: the app's page ticks it.
        purpose: what it is for; the app's page shows formats for annotation and editing when they are asked for.
    """

    name: str
    label: str
    summary: str
    file: str
    is_folder: bool = False
    reads: Literal["file", "folder", "either"] | None = None
    needs: frozenset[Need] = frozenset({"masks"})
    uses: frozenset[Need] = frozenset()
    room: Room | None = None
    writer: Callable[[Destination], ResultWriter] | None = None
    write: Callable[[MaskTrack, Path], None] | None = None
    read: Callable[[Path, ReadOptions], MaskTrack] | None = None
    detects: Callable[[Candidate], bool] | None = None
    detected_last: bool = False
    first_missing: Callable[[Path, Sequence[str]], str | None] | None = None
    remove: Callable[[Path], None] | None = None
    check: Callable[[], None] | None = None
    aliases: tuple[str, ...] = ()
    per_object: bool = False
    in_order: bool = False
    needs_object_names: bool = False
    preselected: bool = False
    purpose: Purpose = "annotation"

    @property
    def is_written(self) -> bool:
        """Whether results can be written in this format; otherwise it is only read."""
        return self.writer is not None or self.write is not None

    def writes_by_frame(self, *, objects_known: bool) -> bool:
        """Return whether it is written frame by frame; otherwise it is made from finished masks.

        Args:
            objects_known: every object of the video is known beforehand.
        """
        return self.writer is not None and (objects_known or not self.needs_object_names)
