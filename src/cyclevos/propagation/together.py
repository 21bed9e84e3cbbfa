"""Several clips at a time: their frames are taken in lock-step, so that a GPU always has work queued."""

from __future__ import annotations

import logging
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import ConfigError
from cyclevos.media.frames import Frame
from cyclevos.propagation.network_frame import NetworkFrame, encode_frames
from cyclevos.propagation.outcome import Outcome
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.segment import Frames, Masks, one_pass
from cyclevos.propagation.settings import Direction
from cyclevos.propagation.two_way import BackwardPass

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class ClipRun:
    """One clip among several.

    Attributes:
        propagator: its own, fresh or restored to continue; clips of one network share that network.
        frames: see :func:`cyclevos.segment`.
        masks: checked masks by frame index.
        direction: from each mask to later frames, to earlier ones, or both.
        start: index of the frame that a forward run begins with, from a path or an opened source only.
        last: index of the frame that a backward run begins with, likewise; None = the last there is.
        stopped: :meth:`stop` was called.
    """

    propagator: Propagator
    frames: Frames
    masks: Masks
    direction: Direction = "forward"
    start: int = 0
    last: int | None = None
    stopped: bool = field(default=False, init=False)

    def stop(self) -> None:
        """End this clip before its next frame, for example because its results cannot be written."""
        self.stopped = True


class ClipFrame(NamedTuple):
    """The next frame of a clip.

    Attributes:
        run: the clip.
        frame: the frame.
        prediction: its segmentation.
        seconds: network time of the frame: an equal share of the time of all frames of a round, in both directions
            where there are two.
    """

    run: ClipRun
    frame: Frame
    prediction: Prediction
    seconds: float


class ClipEnd(NamedTuple):
    """A clip has ended; nothing follows of it.

    Attributes:
        run: the clip.
        error: what ended it; None after its last frame or :meth:`ClipRun.stop`.
    """

    run: ClipRun
    error: Exception | None


@dataclass(eq=False)
class _Turn:
    """What one clip does in one round of the lock-step.

    Attributes:
        finish: makes the clip's result of the prediction; None where the frame has none yet.
        earlier: network time that the frame took in an earlier pass.
        seconds: network time of the frame so far, once the round is over.
    """

    run: ClipRun
    propagator: Propagator
    frame: Frame
    annotation: NDArray[np.uint8] | None
    finish: Callable[[Prediction], Prediction | None] | None = None
    earlier: float = 0.0
    seconds: float = 0.0
    fitted: NetworkFrame | None = None
    outcome: Outcome | None = None
    prediction: Prediction | None = None
    error: Exception | None = None


class LockStep:
    """Clips that are segmented together: each round takes the next frame of every clip.

    Args:
        batch: encode frames of one size in one batch; None = where the device is not the CPU, which is no faster
            with batches and rounds them differently.
    """

    def __init__(self, batch: bool | None = None) -> None:
        self._batch = batch
        self._turns: dict[ClipRun, Generator[_Turn, None, None]] = {}

    def __len__(self) -> int:
        """Return the number of clips that have not ended."""
        return len(self._turns)

    def add(self, run: ClipRun) -> None:
        """Add a clip; its frames are opened in the next round."""
        self._turns[run] = _turns(run)

    def round(self) -> list[ClipFrame | ClipEnd]:
        """Segment the next frame of every clip.

        Returns:
            The frames, then the ends of clips. The frames of a clip that has ended are closed. During the backward
            pass of a clip in both directions there is no frame of it.
        """
        turns, ends = self._next()
        begun = time.perf_counter()
        _take(turns, self._batch)
        seconds = (time.perf_counter() - begun) / max(1, len(turns))
        frames: list[ClipFrame | ClipEnd] = []
        for turn in turns:
            turn.seconds = turn.earlier + seconds
            if turn.error is not None:
                ends.append(ClipEnd(turn.run, turn.error))
            elif turn.prediction is not None:
                frames.append(ClipFrame(turn.run, turn.frame, turn.prediction, turn.seconds))
        for end in ends:
            self._turns.pop(end.run).close()
        return [*frames, *ends]

    def close(self) -> None:
        """Close the frames of all clips that have not ended."""
        while self._turns:
            self._turns.popitem()[1].close()

    def _next(self) -> tuple[list[_Turn], list[ClipEnd]]:
        """Read the next frame of every clip, and return the clips that end instead."""
        turns, ends = [], []
        for run, own in self._turns.items():
            try:
                turn = None if run.stopped else next(own, None)
            except Exception as error:  # whatever ends a clip is its own
                ends.append(ClipEnd(run, error))
                continue
            if turn is None:
                ends.append(ClipEnd(run, None))
            else:
                turns.append(turn)
        return turns, ends


def segment_together(
    runs: Iterable[ClipRun], at_once: int = 4, *, batch: bool | None = None
) -> Generator[ClipFrame | ClipEnd, None, None]:
    """Segment several clips in lock-step, one frame of each at a time.

    Masks are those of the clips one by one. A clip that fails ends alone; the others go on.

    Args:
        runs: the clips, taken from the iterable one by one as there is room for them.
        at_once: maximum number of clips at a time, at least 1.
        batch: see :class:`LockStep`.

    Returns:
        A generator of the frames of all clips, each clip's in its own order, and of one end for each clip.

    Raises:
        ConfigError: ``at_once`` is below 1.
    """
    if at_once < 1:
        raise ConfigError(f"Clips at once must be at least 1, got {at_once}.", "Give a whole number from 1.")
    return _rounds(iter(runs), at_once, batch)


def _rounds(waiting: Iterator[ClipRun], at_once: int, batch: bool | None) -> Generator[ClipFrame | ClipEnd, None, None]:
    with closing(LockStep(batch)) as clips:
        while True:
            for run in islice(waiting, at_once - len(clips)):
                clips.add(run)
            if not len(clips):
                return
            yield from clips.round()


def _turns(run: ClipRun) -> Generator[_Turn, None, None]:
    """Give the turns of a clip, frame by frame."""
    if run.direction == "both":
        yield from _both_ways(run)
        return
    for frame, annotation in one_pass(run.propagator, run.frames, run.masks, run.direction, run.start, run.last):
        yield _Turn(run, run.propagator, frame, annotation)


def _both_ways(run: ClipRun) -> Generator[_Turn, None, None]:
    """Go backward first, keeping the predictions on disk, then forward, merging them."""
    backward, spent = run.propagator.fresh(), defaultdict[int, float](float)
    with tempfile.TemporaryDirectory(prefix="cyclevos-") as folder:
        kept = BackwardPass(Path(folder), run.masks)

        def merge(prediction: Prediction) -> Prediction:
            merged = kept.merge(prediction)
            kept.drop(prediction.index)
            return merged

        for frame, annotation in one_pass(backward, run.frames, run.masks, "backward"):
            turn = _Turn(run, backward, frame, annotation, kept.keep)
            yield turn
            spent[frame.index] = turn.seconds
        for frame, annotation in one_pass(run.propagator, run.frames, run.masks):
            yield _Turn(run, run.propagator, frame, annotation, merge, spent[frame.index])


def _take(turns: list[_Turn], batch: bool | None) -> None:
    """Take one step in each clip: queue all the work first, fetch results only then."""
    for turn in turns:
        _attempt(turn, _fit)
    by_size: dict[object, list[_Turn]] = defaultdict(list)
    for turn in turns:
        fitted, propagator = turn.fitted, turn.propagator
        if fitted is not None and propagator.needs_query(fitted):
            joined = fitted.pixels.device.type != "cpu" if batch is None else batch
            by_size[(id(propagator.network), fitted.size) if joined else id(turn)].append(turn)
    for group in by_size.values():
        _encode(group)
    for turn in turns:
        _attempt(turn, _segment)
    for turn in turns:
        _attempt(turn, _commit)


def _attempt(turn: _Turn, work: Callable[[_Turn], None]) -> None:
    """Do a part of a turn; an error ends the turn."""
    if turn.error is None:
        try:
            work(turn)
        except Exception as error:  # whatever ends a clip is its own
            turn.error = error


def _fit(turn: _Turn) -> None:
    turn.fitted = turn.propagator.fit(turn.frame.index, turn.frame.image, turn.annotation)


def _encode(group: list[_Turn]) -> None:
    """Encode frames in one batch, or one by one where the batch fails: there may be room for each alone."""
    network = group[0].propagator.network
    if len(group) > 1:
        try:
            encoded = encode_frames(network, [turn.fitted for turn in group if turn.fitted is not None])
        except Exception:  # each is tried alone below, and its own error counts
            logger.warning("encoding %d frames at a time failed; encoding one at a time", len(group), exc_info=True)
        else:
            for turn, frame in zip(group, encoded, strict=True):
                turn.fitted = frame
            return
    for turn in group:
        _attempt(turn, _encode_alone)


def _encode_alone(turn: _Turn) -> None:
    if turn.fitted is not None:
        (turn.fitted,) = encode_frames(turn.propagator.network, [turn.fitted])


def _segment(turn: _Turn) -> None:
    if turn.fitted is not None:
        turn.outcome = turn.propagator.segment(turn.fitted)


def _commit(turn: _Turn) -> None:
    if turn.outcome is not None:
        prediction = turn.propagator.commit(turn.outcome)
        turn.fitted = turn.outcome = None  # their features are not needed while the next frame is read
        turn.prediction = prediction if turn.finish is None else turn.finish(prediction)
