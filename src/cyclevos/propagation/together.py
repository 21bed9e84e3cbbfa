"""Several clips at a time: their frames are taken in lock-step, so that a GPU always has work queued."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import ConfigError
from cyclevos.media.frames import Frame
from cyclevos.propagation.network_frame import NetworkFrame, encode_frames
from cyclevos.propagation.outcome import Outcome
from cyclevos.propagation.propagator import Prediction, Propagator
from cyclevos.propagation.segment import Frames, Masks, one_pass

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class ClipRun:
    """One clip among several.

    Attributes:
        propagator: its own, fresh or restored to continue; clips of one network share that network.
        frames: see :func:`cyclevos.segment`.
        masks: checked masks by frame index.
        direction: from each mask to later frames or to earlier ones.
        start: index of the frame that a forward run begins with, from a path or an opened source only.
        last: index of the frame that a backward run begins with, likewise; None = the last there is.
        stopped: :meth:`stop` was called.
    """

    propagator: Propagator
    frames: Frames
    masks: Masks
    direction: Literal["forward", "backward"] = "forward"
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
        seconds: network time of the frame, an equal share of the time of all frames taken together.
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
    """What one clip does in one round of the lock-step."""

    run: ClipRun
    frame: Frame
    annotation: NDArray[np.uint8] | None
    fitted: NetworkFrame | None = None
    outcome: Outcome | None = None
    prediction: Prediction | None = None
    error: Exception | None = None


def segment_together(
    runs: Iterable[ClipRun], at_once: int = 4, *, batch: bool | None = None
) -> Iterator[ClipFrame | ClipEnd]:
    """Segment several clips in lock-step, one frame of each at a time.

    Masks are those of the clips one by one. A clip that fails ends alone; the others go on.

    Args:
        runs: the clips, taken from the iterable one by one as there is room for them.
        at_once: clips in work at a time, at least 1.
        batch: encode frames of one size in one batch; None = where the device is not the CPU, which is no faster
            with batches and rounds them differently.

    Returns:
        A generator of the frames of all clips, each clip's in its own order, and of one end for each clip.

    Raises:
        ConfigError: ``at_once`` is below 1.
    """
    if at_once < 1:
        raise ConfigError(f"Clips at once must be at least 1, got {at_once}.", "Give a whole number from 1.")
    return _rounds(iter(runs), at_once, batch)


def _rounds(waiting: Iterator[ClipRun], at_once: int, batch: bool | None) -> Iterator[ClipFrame | ClipEnd]:
    passes: dict[ClipRun, Iterator[tuple[Frame, NDArray[np.uint8] | None]]] = {}
    while True:
        ends = _start(waiting, passes, at_once)
        turns = []
        for run, frames in list(passes.items()):
            try:
                frame, annotation = (None, None) if run.stopped else next(frames, (None, None))
            except Exception as error:  # whatever ends a clip is its own
                ends.append(ClipEnd(run, error))
                continue
            if frame is None:
                ends.append(ClipEnd(run, None))
            else:
                turns.append(_Turn(run, frame, annotation))
        begun = time.perf_counter()
        _take(turns, batch)
        seconds = (time.perf_counter() - begun) / max(1, len(turns))
        ends += [ClipEnd(turn.run, turn.error) for turn in turns if turn.error is not None]
        for end in ends:
            passes.pop(end.run, None)  # closes its frames before the caller hears of it
        for turn in turns:
            if turn.prediction is not None:
                yield ClipFrame(turn.run, turn.frame, turn.prediction, seconds)
        yield from ends
        if not passes and not ends:
            return


def _start(
    waiting: Iterator[ClipRun], passes: dict[ClipRun, Iterator[tuple[Frame, NDArray[np.uint8] | None]]], at_once: int
) -> list[ClipEnd]:
    """Open waiting clips while there is room, and return those that cannot be opened."""
    ends = []
    while len(passes) < at_once:
        run = next(waiting, None)
        if run is None:
            break
        try:
            passes[run] = one_pass(run.propagator, run.frames, run.masks, run.direction, run.start, run.last)
        except Exception as error:
            ends.append(ClipEnd(run, error))
    return ends


def _take(turns: list[_Turn], batch: bool | None) -> None:
    """Take one step in each clip: queue all the work first, fetch results only then."""
    for turn in turns:
        _attempt(turn, _fit)
    by_size: dict[object, list[_Turn]] = defaultdict(list)
    for turn in turns:
        fitted, propagator = turn.fitted, turn.run.propagator
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
    turn.fitted = turn.run.propagator.fit(turn.frame.index, turn.frame.image, turn.annotation)


def _encode(group: list[_Turn]) -> None:
    """Encode frames in one batch, or one by one where the batch fails: there may be room for each alone."""
    network = group[0].run.propagator.network
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
        (turn.fitted,) = encode_frames(turn.run.propagator.network, [turn.fitted])


def _segment(turn: _Turn) -> None:
    if turn.fitted is not None:
        turn.outcome = turn.run.propagator.segment(turn.fitted)


def _commit(turn: _Turn) -> None:
    if turn.outcome is not None:
        turn.prediction = turn.run.propagator.commit(turn.outcome)
