"""A run that has ended, read back: its masks, frames and probabilities, to make other formats from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cyclevos.errors import MaskError, OutputError, VideoError
from cyclevos.exchange.format import Format
from cyclevos.exchange.formats import find
from cyclevos.exchange.object_names import recorded_names
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.files.locks import sole_writer
from cyclevos.jobs.run_record import CONTENT, SOURCE, RunRecord
from cyclevos.media.appearance import Appearance
from cyclevos.media.open_source import open_source
from cyclevos.media.sources import DEINTERLACED, FrameSource
from cyclevos.media.writers import is_finished_mask
from cyclevos.naming import list_masks
from cyclevos.pictures.mask_files import read_ground_truth


def run_masks(folder: Path) -> MaskTrack:
    """Return the masks of a run, with their palette and the names of the objects; pictures of others are left out.

    Raises:
        MaskError: there are none.
    """
    files = [file for file in list_masks(folder) if is_finished_mask(file)]
    if not files:
        raise MaskError(f"{folder} holds no masks of a run.", "Run cyclevos segment with masks among --save.")

    def frames() -> Iterator[MaskFrame]:
        for index, file in enumerate(files):
            yield MaskFrame(index, file.stem, read_ground_truth(file).ids)

    appearance = Appearance(read_ground_truth(files[0]).palette, recorded_names(folder))
    return MaskTrack(folder.resolve().name, frames, appearance)


@dataclass(frozen=True)
class FinishedRun:
    """The folder of a run that has ended.

    Attributes:
        folder: of the run.
        record: its run.json.
    """

    folder: Path
    record: RunRecord

    @classmethod
    def of(cls, folder: Path) -> FinishedRun | None:
        """Return the run whose results a folder holds; None if it holds none.

        Raises:
            OutputError: the run has not ended.
        """
        try:
            record = RunRecord.read(folder) if folder.is_dir() else None
        except OutputError:
            return None  # the masks are whole without it
        if record is None:
            return None
        if record.finished is None:
            raise OutputError(
                f"The run in {folder} has not come to its end, so masks are missing.",
                "Repeat its command to continue it; or use --from masks and --output for the masks that are there.",
            )
        return cls(folder, record)

    def masks(self) -> MaskTrack:
        """Return the masks; see :func:`run_masks`."""
        return run_masks(self.folder)

    @property
    def probabilities(self) -> Path | None:
        """The folder of the probabilities; None if they were not kept."""
        kept = find("probabilities")
        name = "" if kept is None else kept.file
        return self.folder / name if name in self.record.outputs and (self.folder / name).is_dir() else None

    def source(self) -> FrameSource:
        """Open the frames that the run was made from.

        Raises:
            VideoError: they are no longer there, or no longer the same.
        """
        place, content = str(self.record.signature.get(SOURCE)), str(self.record.signature.get(CONTENT))
        try:
            source = self._opened(place)
        except VideoError as error:
            raise VideoError(
                f"{place}, from which the run in {self.folder} was made, cannot be read any more: {error.problem}",
                "Say with --frames where the video or the folder of frames is now.",
            ) from error
        if source.content != content:
            raise VideoError(
                f"{place} has changed since the run in {self.folder} was made from it ({content} then, "
                f"{source.content} now), so that its masks may not fit.",
                "Name the original with --frames, or segment the new video.",
            )
        return source

    def source_at(self, place: str | Path) -> tuple[FrameSource, bool]:
        """Open frames in another place.

        Args:
            place: where they are, as :func:`cyclevos.media.open_source.open_source` takes it.

        Returns:
            The frames, and whether they are the very ones that the run was made from.

        Raises:
            VideoError: they cannot be read.
        """
        source = self._opened(place)
        return source, source.content == self.record.signature.get(CONTENT)

    def place(self, kind: Format) -> Path:
        """Return where ``--save`` would have written a format.

        Raises:
            OutputError: it is there already.
        """
        path = self.folder / kind.file
        if not kind.file or path.exists():
            raise OutputError(f"{path} is there already.", "Name another file or folder with --output.")
        return path

    @contextmanager
    def adding(self, kind: Format) -> Iterator[None]:
        """Reserve the folder while a format is added to it, and record that this is one of the run's results.

        Raises:
            OutputError: another process writes there, or the system refuses to write.
        """
        with sole_writer(self.folder):
            if kind.file not in self.record.outputs:
                replace(self.record, outputs=(*self.record.outputs, kind.file)).write(self.folder)
            yield

    def _opened(self, place: str | Path) -> FrameSource:
        deinterlaced = str(self.record.signature.get(CONTENT)).endswith(f", {DEINTERLACED}")
        return open_source(place, deinterlace=deinterlaced)
