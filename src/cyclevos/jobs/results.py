"""What a run writes: every format of ``--save`` and the reliability table, on a thread of its own."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from cyclevos.errors import OutputError
from cyclevos.exchange.format import Destination
from cyclevos.exchange.formats import chosen, write_track
from cyclevos.exchange.joined import Footage, joined
from cyclevos.exchange.track import MaskTrack
from cyclevos.files.atomic import partial_path, put_in_place
from cyclevos.jobs.finished_run import run_masks
from cyclevos.media.appearance import Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import Frame
from cyclevos.media.reliability_files import (
    RELIABILITY_FILE,
    REVIEW_FILE,
    ReliabilityWriter,
    rows_checksum,
    table_damage,
)
from cyclevos.media.sources import FrameSource
from cyclevos.media.write_behind import write_behind
from cyclevos.media.writers import ResultWriter
from cyclevos.propagation.prediction import Prediction

_PROBABILITIES = "probabilities"
_LARGEST_PARSED = 64 * 2**20  # bytes of a JSON file that are worth parsing to tell that it is whole
logger = logging.getLogger(__name__)


def result_names(save: Sequence[str]) -> list[str]:
    """Return the names of a run's results other than its masks, within the output folder."""
    return [each.file for each in chosen(save) if each.file]


def made_from_masks(save: Sequence[str]) -> list[str]:
    """Return the formats that a run makes from the finished masks, so that masks must be saved too."""
    return [each.name for each in chosen(save) if not each.writes_by_frame(objects_known=False)]


def needs_order(save: Sequence[str]) -> list[str]:
    """Return the formats that need the frames from first to last, or are made from finished masks otherwise."""
    return [each.name for each in chosen(save) if each.in_order]


def lost_result(folder: Path, save: Sequence[str], names: Sequence[str], table: bytes) -> str | None:
    """Return which result of an interrupted run no longer holds what a state was saved with; None if all do.

    Args:
        folder: of the run.
        save: names of the formats.
        names: names of the frames up to the state.
        table: checksum of their rows in the reliability table, from :meth:`Results.table_checksum`.
    """
    try:
        if rows_checksum(folder / RELIABILITY_FILE, names) != table:
            return f"{folder / RELIABILITY_FILE} does not hold the rows of the frames before it"
    except OutputError as error:
        return error.problem.removesuffix(".")
    return _lacking(folder, save, names)


def damaged_result(folder: Path, save: Sequence[str], names: Sequence[str]) -> str | None:
    """Return what is wrong with a result of a finished run, as far as a quick look tells; None if nothing is.

    Args:
        folder: of the run.
        save: names of the formats.
        names: names of all frames.
    """
    found = table_damage(folder / RELIABILITY_FILE, folder / REVIEW_FILE)
    if found is not None:
        return found.removesuffix(".")
    for name in result_names(save):
        path = folder / name
        if path.is_file() and not path.stat().st_size:
            return f"{path} is empty"
        if path.suffix == ".json" and path.stat().st_size <= _LARGEST_PARSED and not _is_json(path):
            return f"{path} is not valid JSON"
    return _lacking(folder, [each.name for each in chosen(save) if each.is_folder], names)


def _lacking(folder: Path, save: Sequence[str], names: Sequence[str]) -> str | None:
    for each in chosen(save) if save else ():
        missing = None if each.first_missing is None else each.first_missing(folder / each.file, names)
        if missing is not None:
            return f"{folder / each.file} lacks frame {missing}"
    return None


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return True


class Results:
    """All writers of a run as one context manager.

    Args:
        run: its path is the output folder, its title the name of the video in the results; `resume` keeps what an
            interrupted run has written.
        save: names of the formats.
        late: frames do not arrive from first to last, or the first ones are done already: formats that need the
            frames in order are made by :meth:`finish` from the masks on disk.
    """

    def __init__(self, run: Destination, save: Sequence[str], *, late: bool) -> None:
        self._run = run
        formats = chosen(save)
        self._late = [each for each in formats if late and each.in_order]
        self._made = [each for each in formats if not each.writes_by_frame(objects_known=False)]
        self._kept = next((each.file for each in formats if each.name == _PROBABILITIES), None)
        self._probabilities = any(_PROBABILITIES in each.needs | each.uses for each in formats)
        self._after = _After()
        writers: list[ResultWriter] = []
        for each in formats:
            if each.file and each not in self._made and each not in self._late and each.writer is not None:
                writers.append(each.writer(run.of(each)))
        self._table = ReliabilityWriter(
            run.path / RELIABILITY_FILE, run.source_name, resume=run.resume, appearance=run.appearance
        )
        writers.append(self._table)
        # Masks come last: a mask on disk means that the frame's other results are there too.
        writers += [each.writer(run) for each in formats if not each.file and each.writer is not None]
        self._behind = write_behind(_Together([*writers, self._after]))

    def write(self, frame: Frame, prediction: Prediction, after: Callable[[], None] | None = None) -> None:
        """Queue one frame's results; ``after`` is called once they are written."""
        if after is not None:
            self._after.calls[frame.index] = after
        result = FrameResult(
            frame,
            prediction.ids,
            prediction.probabilities.cpu().numpy() if self._probabilities else None,
            prediction.object_ids,
            prediction.reliability,
            annotated=prediction.annotated,
            calibrated=prediction.calibrated,
        )
        self._behind.write(result)

    def table_checksum(self, names: Sequence[str]) -> bytes:
        """Return the checksum of these frames' rows in the reliability table; for calls of ``after`` only."""
        return self._table.checksum(names)

    def finish(self, source: FrameSource | None) -> None:
        """Write what is made from the finished masks, once all masks are on disk.

        Args:
            source: the frames; None if the results are not late, so that none is made from frames here.

        Raises:
            MaskError: a mask cannot be read, or a format cannot hold the masks.
            OutputError: the system refuses to write.
        """
        folder = self._run.path
        self._finish_late(source)
        for each in self._made:
            path = folder / each.file
            if each.remove is None:
                write_track(self._track(), each.name, path)
            else:
                with _replacing_folder(path, each.remove) as partial:
                    write_track(self._track(), each.name, partial)

    def _finish_late(self, source: FrameSource | None) -> None:
        """Write the formats that need the frames in order, all in one pass."""
        if not self._late:
            return
        kept = None if self._kept is None else self._run.path / self._kept
        hard = [each.name for each in self._late if _PROBABILITIES in each.uses]
        if hard and kept is None:
            logger.warning(
                "%s: made from the finished masks, so the edges are hard. --save probabilities keeps what soft edges "
                "are made from",
                ", ".join(hard),
            )
        with ExitStack() as stack:
            writers = [stack.enter_context(each.writer(self._run.of(each))) for each in self._late if each.writer]
            for result in joined(self._track(), Footage(source, kept)):
                for writer in writers:
                    writer.write(result)

    def _track(self) -> MaskTrack:
        """Return the finished masks, with the names of the objects."""
        track = run_masks(self._run.path)
        return replace(track, appearance=Appearance(track.palette, self._run.appearance.names))

    def __enter__(self) -> Results:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._behind.__exit__(kind, error, trace)


@contextmanager
def _replacing_folder(path: Path, remove: Callable[[Path], None]) -> Iterator[Path]:
    """Give a folder to write into that becomes `path` when the block ends, so that `path` is never half written.

    Raises:
        OutputError: `path` holds files that cyclevos did not write, or the system refuses to write.
    """
    partial = partial_path(path)
    shutil.rmtree(partial, ignore_errors=True)  # of a run that was stopped here
    yield partial
    remove(path)
    put_in_place(partial, path)


class _After(ResultWriter):
    """Runs what has to wait until a frame's results are on disk."""

    def __init__(self) -> None:
        self.calls: dict[int, Callable[[], None]] = {}

    def write(self, result: FrameResult) -> None:
        """Run the frame's call, if it has one."""
        call = self.calls.pop(result.index, None)
        if call is not None:
            call()


class _Together(ResultWriter):
    """Hands every result to several writers."""

    def __init__(self, writers: Sequence[ResultWriter]) -> None:
        self._writers = writers

    def write(self, result: FrameResult) -> None:
        """Write with each writer in turn."""
        for writer in self._writers:
            writer.write(result)

    def close(self) -> None:
        """Close all, even if one fails."""
        with ExitStack() as stack:
            for writer in self._writers:
                stack.callback(writer.close)

    def abort(self) -> None:
        """Abort all, even if one fails."""
        with ExitStack() as stack:
            for writer in self._writers:
                stack.callback(writer.abort)
