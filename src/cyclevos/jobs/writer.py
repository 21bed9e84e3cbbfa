"""Writing predictions from Python, in every format of ``--save``, into a folder that the commands read as a run's."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from cyclevos.errors import ConfigError, OutputError, VideoError
from cyclevos.exchange.format import Destination
from cyclevos.exchange.formats import RUN, chosen, find, names, offered
from cyclevos.exchange.object_names import OBJECT_NAMES, as_record
from cyclevos.files.atomic import check_folder
from cyclevos.jobs.results import Results, made_from_masks, result_names
from cyclevos.jobs.run_folder import Identity, RunFolder
from cyclevos.jobs.run_record import RunRecord
from cyclevos.media.appearance import Appearance
from cyclevos.media.given_frames import open_frames
from cyclevos.media.reliability_files import RELIABILITY_FILE
from cyclevos.media.sources import FrameSource
from cyclevos.propagation.prediction import Prediction
from cyclevos.words import objects_text


class Writer:
    """Writes each prediction when it is given, on a separate thread.

    The folder holds what ``cyclevos segment --save`` would have written, ``reliability.csv`` and ``run.json`` with the
    names of the objects, so ``cyclevos convert`` reads it too. Nothing is written before the second prediction, or the
    end. An error within the block leaves the masks written so far; videos and JSON files appear when they are complete.

    For example::

        with cyclevos.Writer("out", save="masks,overlay", frames="holiday.mp4") as writer:
            for prediction in cyclevos.segment(network, "holiday.mp4", {0: mask}):
                writer.write(prediction)

    Args:
        folder: for the results; created if needed.
        save: names of the formats, as those of ``--save``: a sequence, or a text with commas.
        frames: path of the video or folder that the predictions are of, or the opened source: videos are written with
            its frame rate, pixel aspect and sound. The pictures come from the predictions, but for predictions that go
            from the last frame to the first: then it is needed for videos.
        overwrite: replace what cyclevos has written to the folder before.

    Raises:
        ConfigError: a format is unknown, or is made from masks that are not saved.
        VideoError: the frames cannot be read.
        OutputError: the folder holds something already.
    """

    def __init__(
        self,
        folder: str | Path,
        save: str | Sequence[str] = ("masks",),
        *,
        frames: Any = None,
        overwrite: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self._save = _checked_save(save)
        self._source = _checked_source(frames)
        self._ordered = [each.name for each in chosen(self._save) if each.in_order]
        _check_folder(self.folder, overwrite=overwrite)
        self._open_files = ExitStack()
        self._run: RunFolder | None = None
        self._results: Results | None = None
        self._names: dict[int, str] = {}
        self._objects: set[int] = set()  # known when the first prediction came
        self._first: Prediction | None = None  # held back until the second shows the direction
        self._last: int | None = None
        self._backward = False
        self._count = 0

    def write(self, prediction: Prediction) -> None:
        """Write one frame's results.

        Raises:
            ConfigError: the prediction carries no frame, or a format cannot take it after the one before.
            OutputError: the system refuses to write.
        """
        if prediction.frame is None:
            raise ConfigError(
                f"The prediction of frame {prediction.index} carries no frame; expected one from cyclevos.segment or "
                "Propagator.step.",
                "Give it its frame: dataclasses.replace(prediction, frame=cyclevos.media.frames.Frame(...)).",
            )
        self._names.update(prediction.names)
        if self._results is None and self._first is None:
            self._first, self._last = prediction, prediction.index
            return
        results = self._results or self._begin(backward=prediction.index < (self._last or 0))
        self._check_order(prediction.index)
        self._check_objects(prediction)
        self._last = prediction.index
        self._write(results, prediction)

    def close(self) -> None:
        """Complete all results; without a prediction, nothing is written.

        Raises:
            MaskError: a format cannot hold the masks.
            OutputError: the system refuses to write.
        """
        if self._results is None and self._first is not None:
            self._begin(backward=False)
        if self._results is None or self._run is None:
            return
        with self._open_files:
            self._results.__exit__(None, None, None)
            if made_from_masks(self._save) or self._backward:
                self._results.finish(self._source)
            record = RunRecord.read(self.folder)
            if record is not None and self._names:
                extra: Mapping[str, Any] = {**record.extra, OBJECT_NAMES: as_record(self._names)}
                replace(record, extra=extra).write(self.folder)
            self._run.finish(self._count)
        self._results = self._first = None

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
            return
        with self._open_files:
            if self._results is not None:
                self._results.__exit__(kind, error, trace)

    def _begin(self, *, backward: bool) -> Results:
        """Make the folder ready, open the results and write the first prediction."""
        first, source = self._first, self._source
        if first is None:
            raise ValueError("there is no first prediction to begin with")
        if backward and self._ordered:
            _check_made_later(self._ordered, self._save, source)
        names = [*result_names(self._save), RELIABILITY_FILE]
        begun = {
            "written_by": "cyclevos.Writer",
            "begun": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "source": None if source is None else str(source.path.resolve()),
            "save": list(self._save),
        }
        self._run = RunFolder(self.folder, Identity(begun), results=names, overwrite=True)
        self._open_files.enter_context(self._run.sole_writer())
        self._run.begin()
        destination = Destination(
            self.folder,
            self.folder.resolve().name,
            self.folder.resolve().name if source is None else source.name,
            Appearance(first.appearance.palette, self._names),  # names that come later reach the formats too
            None if source is None else source.frame_rate,
            playback=None if source is None else source.playback,
            objects=first.all_ids,
        )
        self._backward, self._objects = backward, {*first.all_ids, *first.object_ids}
        self._results = Results(destination, self._save, late=backward)
        self._write(self._results, first)
        return self._results

    def _write(self, results: Results, prediction: Prediction) -> None:
        if prediction.frame is not None:
            results.write(prediction.frame, prediction)
            self._count += 1

    def _check_order(self, index: int) -> None:
        last = index if self._last is None else self._last
        goes_on = index < last if self._backward else index > last
        if self._ordered and not goes_on:
            raise ConfigError(
                f"Frame {index} comes after frame {last}, but {', '.join(self._ordered)} "
                f"{'needs' if len(self._ordered) == 1 else 'need'} the frames in order.",
                "Write each frame once and in order, or save masks alone and convert them with cyclevos convert.",
            )

    def _check_objects(self, prediction: Prediction) -> None:
        """Refuse an object that formats with a file per object have not been told of."""
        late = sorted(set(prediction.object_ids) - self._objects)
        formats = [each.name for each in chosen(self._save) if each.per_object]
        if late and formats:
            raise ConfigError(
                f"{objects_text(late, self._names)} came after the first prediction, but {', '.join(formats)} "
                f"{'has' if len(formats) == 1 else 'have'} a file for each object known then.",
                "Save masks, with probabilities for soft edges, and make these formats of them with cyclevos convert.",
            )


def _checked_save(save: str | Sequence[str]) -> tuple[str, ...]:
    """Return the names of formats.

    Raises:
        ConfigError: there are none, one is unknown, or one is made from masks that are not saved.
    """
    wanted = tuple(name.strip() for name in (save.split(",") if isinstance(save, str) else save))
    allowed = offered(RUN)
    unknown = [name for name in wanted if find(name, allowed) is None]
    if unknown or not wanted:
        raise ConfigError(
            f"save names {', '.join(map(repr, unknown)) or 'no format'}; expected any of {names(allowed)}.",
            'Write save=("masks", "overlay"), for example.',
        )
    formats = tuple(each.name for each in chosen(wanted))
    made = made_from_masks(formats)
    if made and "masks" not in formats:
        raise ConfigError(
            f"These results are made from the masks at the end: {', '.join(made)}.", 'Add "masks" to save.'
        )
    return formats


def _checked_source(frames: Any) -> FrameSource | None:
    if frames is None:
        return None
    source = open_frames(frames)
    if not isinstance(source, FrameSource):
        raise VideoError(
            f"The writer's frames are {type(frames).__name__}; expected the path of a video or folder.",
            "Leave them out for images in memory: each prediction carries its own.",
        )
    return source


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    check_folder(folder)
    held = folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir())
    if held and not overwrite:
        raise OutputError(
            f"{folder} holds files already; expected a new or an empty folder.",
            "Choose another one, or write Writer(..., overwrite=True) to replace what cyclevos has written there.",
        )


def _check_made_later(ordered: Sequence[str], save: Sequence[str], source: FrameSource | None) -> None:
    """Refuse formats that need the frames in order, where they come backward and cannot be read again."""
    if "masks" not in save or source is None:
        raise ConfigError(
            f"The predictions go from the last frame to the first, so {', '.join(ordered)} "
            f"{'is' if len(ordered) == 1 else 'are'} made at the end, from the masks and the frames.",
            'Add "masks" to save, and give the video: Writer(..., frames="holiday.mp4").',
        )
