"""What an earlier run of the same job has left: nothing to do, a state to go on from, or the beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file

from cyclevos.jobs.results import result_names
from cyclevos.media.reliability_files import RELIABILITY_FILE
from cyclevos.media.sources import FrameSource
from cyclevos.naming import index_name
from cyclevos.propagation.propagator import Propagator

STATE = "state.safetensors"
"""Name of the memory that a run keeps within its output folder."""

_Propagator = TypeVar("_Propagator", bound=Propagator)


def whole_count(
    folder: Path, save: Sequence[str], source: FrameSource, finished: set[str], ended: int | None
) -> int | None:
    """Return the number of frames where an earlier run of the same job has left nothing to do, else None.

    Args:
        folder: of the results.
        save: what is to be there.
        source: the frames.
        finished: names of the frames whose masks are there.
        ended: number of frames that its run came to its end with, None where it did not.
    """
    count = source.len_hint if ended is None else ended  # a stream may not say how long it is, but its run does
    wanted = [folder / name for name in (*result_names(save), RELIABILITY_FILE)]
    if count is None or (folder / STATE).exists() or not all(path.exists() for path in wanted):
        return None
    if "masks" not in save:
        return ended
    names = source.frame_names or [index_name(i) for i in range(count)]
    return len(names) if set(names) <= finished else None


def restored(
    folder: Path, make: Callable[[], _Propagator], source: FrameSource, finished: set[str]
) -> tuple[_Propagator, int]:
    """Return a propagator with the memory of a killed forward run, and the first frame left to do.

    Args:
        folder: of the results.
        make: makes a propagator that has seen nothing; that is what comes where there is no memory to go on from.
        source: the frames.
        finished: names of the frames whose masks are there.
    """
    file = folder / STATE
    if not finished or not file.is_file():
        return make(), 0
    propagator = make()
    try:
        snapshot = load_file(file)
        start = int(snapshot.pop("index")) + 1
        names = source.frame_names
        done = [index_name(i) if names is None else names[i] for i in range(start)]
        if not set(done) <= finished:
            return make(), 0
        propagator.restore(snapshot)
    except (SafetensorError, KeyError, ValueError, IndexError, RuntimeError):
        return make(), 0  # a state that cannot be used costs time, not results
    return propagator, start
