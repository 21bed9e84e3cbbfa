"""One segmentation job: from checked inputs to written results, resumable after a kill."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from types import TracebackType

from cyclevos.adaptation.outcome import AdaptationOutcome
from cyclevos.errors import VideoError
from cyclevos.exchange.format import Destination
from cyclevos.exchange.given.given_masks import GivenMasks
from cyclevos.exchange.object_names import OBJECT_NAMES, as_record
from cyclevos.jobs.adapted_network import RunNetwork, forget_adapted, network_of_run
from cyclevos.jobs.checks import check_save, open_job_source
from cyclevos.jobs.job import SegmentJob, resolve
from cyclevos.jobs.job_folder import job_folder
from cyclevos.jobs.progress import Advance, OpenBar, progress_bar
from cyclevos.jobs.results import Results, damaged_result, lost_result
from cyclevos.jobs.review import is_reported, report_reliability
from cyclevos.jobs.run_record import CONTENT
from cyclevos.jobs.run_state import frame_names
from cyclevos.jobs.starting_masks import Started, keep_masks, read_given, started
from cyclevos.media.appearance import Appearance
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.propagation.inner_size import ChosenSize
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.segment import Masks, make_propagator
from cyclevos.propagation.together import ClipFrame, ClipRun, segment_together

__all__ = ["JobResult", "SegmentJob", "SegmentRun", "run_job", "work_off"]

_SECONDS_BETWEEN_STATES = 10.0
_SECONDS_TO_FIRST_STATE = 2.0
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobResult:
    """What a job did.

    Attributes:
        frames: frames in the video.
        segmented: frames segmented by this run; the others were finished before.
        object_ids: ids seen.
        seconds: that the network took for each of them, reading and writing left out.
        names: of the objects that have one, by id.
        adaptation: what came of adapting the network; None = nothing was segmented with an adapted one.
        size: inside the network, as ``auto`` chose it; None where a size was asked for.
    """

    frames: int
    segmented: int
    object_ids: tuple[int, ...] = field(default_factory=tuple)
    seconds: tuple[float, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)
    adaptation: AdaptationOutcome | None = None
    size: ChosenSize | None = None


def run_job(job: SegmentJob, network: MemoryNetwork | None = None, open_bar: OpenBar | None = None) -> JobResult:
    """Run a job, or what is left of it.

    Args:
        job: the job.
        network: loaded already from the job's settings; None loads it.
        open_bar: opens the bar that shows the progress; None shows a bar of its own.

    Raises:
        CycleVOSError: something is wrong with the input; results written before stay.
    """
    return work_off(SegmentRun(job, network, open_bar))


def work_off(run: SegmentRun) -> JobResult:
    """Do what is left of a run that stands alone.

    Raises:
        CycleVOSError: as :func:`run_job`.
    """
    with run:
        clip = run.begin()
        with closing(segment_together([] if clip is None else [clip], 1)) as events:
            for event in events:
                if isinstance(event, ClipFrame):
                    run.take(event)
                elif event.error is not None:
                    raise event.error
        return run.end()


class SegmentRun:
    """One job at work in its folder: begun, given its frames one by one, and ended.

    As a context manager it reserves the folder. Whatever error leaves the block, the results written so far stay and
    the run can be continued.

    Args:
        job: the job.
        network: loaded already from the job's settings; None loads it when the run begins.
        open_bar: opens the bar that shows the progress; None shows a bar of its own.

    Raises:
        CycleVOSError: something is wrong with the job, its source or its masks.
    """

    def __init__(self, job: SegmentJob, network: MemoryNetwork | None = None, open_bar: OpenBar | None = None) -> None:
        check_save(job)
        self.job, self.source = job, open_job_source(job)
        given = self._read()
        self.resolved = resolve(job, network)
        self._started = self._start(given)
        self.images = self._started.images
        self.masks = {index: image.ids for index, image in self.images.items()}
        self.resolved = self.resolved.for_masks(self._annotations)
        self.folder = job_folder(job, self.source, self._started, self.resolved)
        palette = next((i.palette for i in self.images.values() if i.palette is not None), None)
        self.appearance = Appearance(palette)
        if isinstance(self.images, GivenMasks):
            self.appearance = Appearance(palette, self.images.names)
            self._note(self.images)
        self._network = network
        self._open_bar = open_bar or partial(progress_bar, unit="frames", quiet=job.results.quiet)
        self._finished: int | None = None  # frames of a run with nothing left to do
        self._clip: ClipRun | None = None
        self._used: RunNetwork | None = None
        self._results: Results | None = None
        self._advance: Advance | None = None
        self._seconds: list[float] = []
        self._given = frozenset(i for image in self.images.values() for i in image.object_ids)
        self._objects = set(self._given)
        self._saved, self._pause = 0.0, 0.0  # when the last state was, on the clock of time.monotonic; until the next
        self._lock, self._files = ExitStack(), ExitStack()

    def __enter__(self) -> SegmentRun:
        self._lock.enter_context(self.folder.sole_writer())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._files.__exit__(kind, error, trace)
            if isinstance(error, VideoError) and self._clip is not None and self.source.can_be_read_again:
                self.folder.allow_change(CONTENT)  # the user is asked to repair it, and continues then

    def begin(self) -> ClipRun | None:
        """Check the folder and return what is left to segment; None = nothing.

        Earlier results are removed only when the first frame has been segmented: until then something may be wrong
        with the inputs.

        Raises:
            CycleVOSError: the folder cannot be used, or the network cannot be loaded.
        """
        standing = self.folder.look()
        self._finished = self.folder.whole(standing, self.source, masks="masks" in self.job.results.save)
        if self._finished is not None and self._is_undamaged(self._finished):
            return None
        self._finished = None
        # The folder comes before the network: a refusal should not wait for it.
        loaded = self._load(str(standing.signature["dtype"]))
        self._used = used = network_of_run(
            loaded, self.job, self.source, self.masks, self.folder, self._open_bar, continues=standing.continues
        )
        fresh = self._propagator(used.network)
        direction = self.job.segmentation.direction
        # What a stream showed does not come again, so that its earlier results cannot be continued.
        resumable = direction == "forward" and self.source.can_be_read_again and used.same
        finished = standing.finished if resumable else frozenset()
        lost = partial(lost_result, self.job.output, self.job.results.save)
        propagator, start = self.folder.state.restore(fresh.fresh, self.source, finished, lost)
        self._objects = set(propagator.objects)
        self._saved, self._pause = time.monotonic(), min(_SECONDS_TO_FIRST_STATE, _SECONDS_BETWEEN_STATES)
        self._clip = ClipRun(propagator, self.source, self._annotations, direction, start)
        self._advance = self._files.enter_context(self._open_bar(self.job.title, self.source.len_hint))
        return self._clip

    def take(self, event: ClipFrame) -> None:
        """Queue the results of the next frame, with a state after two seconds, then every ten.

        Raises:
            OutputError: the system refuses to write.
        """
        results, prediction = self._results or self._open(event.run), event.prediction
        after: Callable[[], None] | None = None
        if event.run.direction == "forward" and time.monotonic() - self._saved > self._pause:
            table = partial(results.table_checksum, frame_names(self.source, prediction.index + 1))
            after = self.folder.state.save(event.run.propagator, prediction.index, table)
            self._saved, self._pause = time.monotonic(), _SECONDS_BETWEEN_STATES
        results.write(event.frame, prediction, after)
        self._seconds.append(event.seconds)
        self._objects.update(prediction.object_ids)
        if self._advance is not None:
            self._advance(event.run.start + len(self._seconds), "")

    def end(self) -> JobResult:
        """Write what is made from the finished masks, the reports, and that the run has ended.

        Raises:
            CycleVOSError: a result cannot be written.
        """
        if self._clip is None:
            frames = self._finished or 0
            if not is_reported(self.job.output, self.job.results.review):
                self._report()
        else:
            frames = self._clip.start + len(self._seconds)
            results = self._results or self._open(self._clip)
            self._files.close()
            results.finish(self.source)
            self._report()
        self.folder.finish(frames)
        if self.job.adaptation is not None:
            forget_adapted(self.job.output)
        outcome = None if self._used is None else self._used.outcome
        objects = tuple(sorted(self._objects))
        names, size = self.appearance.names, self.resolved.size
        return JobResult(frames, len(self._seconds), objects, tuple(self._seconds), names, outcome, size)

    def _read(self) -> Mapping[int, MaskImage]:
        """Read the masks that the job was given."""
        return read_given(self.job, self.source)

    def _start(self, given: Mapping[int, MaskImage]) -> Started:
        """Return the masks that the job starts from."""
        return started(self.job, self.source, given, self.resolved)

    def _propagator(self, network: MemoryNetwork) -> Propagator:
        """Return what gives each frame its masks, before it has seen any."""
        return make_propagator(network, self.resolved.segmentation)

    @property
    def _annotations(self) -> Masks:
        """The masks that the propagator is told, by frame index."""
        return self.masks

    def _note(self, given: GivenMasks) -> None:
        """Record what the masks' files hold besides the masks."""
        if given.notes:
            self.folder.note(warnings=list(given.notes))
        if given.names:
            self.folder.note(**{OBJECT_NAMES: as_record(given.names)})

    def _is_undamaged(self, frames: int) -> bool:
        """Return whether the results of a finished run are whole, as far as a quick look tells; warn if not."""
        save = self.job.results.save
        damage = damaged_result(self.job.output, save, frame_names(self.source, frames))
        if damage is not None:
            logger.warning("%s: segmenting again", damage)
        return damage is None

    def _load(self, dtype: str) -> MemoryNetwork:
        """Return the network in the dtype that the run began with, which need not be what ``auto`` stands for here."""
        network = self._network
        if dtype != self.resolved.network.dtype:
            logger.warning("%s: continuing in %s, in which this run began", self.job.output, dtype)
            network = None
        return network or replace(self.resolved.network, dtype=dtype).load()

    def _open(self, clip: ClipRun) -> Results:
        """Make the folder ready and open the results."""
        self.folder.note(reliability=clip.propagator.reliability.record())
        self.folder.begin()
        if self._used is not None:
            self._used.keep(self.job.output)
        output, source, resumed = self.job.output, self.source, clip.start > 0
        if self.job.prompting.prompts:
            keep_masks(output, source, self.masks, self.appearance)
        run = Destination(
            output,
            output.name,
            source.name,
            self.appearance,
            source.frame_rate,
            resume=resumed,
            playback=source.playback,
            objects=tuple(sorted(self._given | self._objects)),
        )
        results = Results(run, self.job.results.save, late=resumed or clip.direction == "backward")
        self._results = self._files.enter_context(results)
        return results

    def _report(self) -> None:
        report_reliability(self.job.output, self.source, self.job.results.review, self.appearance)
