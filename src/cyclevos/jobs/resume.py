"""What an earlier run of the same job has left: nothing to do, a state to go on from, or the beginning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load_file

from cyclevos.jobs.results import NAMES
from cyclevos.propagation.propagator import Propagator
from cyclevos.video import RELIABILITY_FILE, FrameSource
from cyclevos.video.frames import index_name

STATE = "state.safetensors"
"""Name of the memory that a run keeps within its output folder."""

_Propagator = TypeVar("_Propagator", bound=Propagator)


def frame_names(source: FrameSource) -> Sequence[str] | None:
    """Return the names of all frames, None where nobody can tell before the end."""
    if source.frame_names is not None or source.len_hint is None:
        return source.frame_names
    return [index_name(i) for i in range(source.len_hint)]


def is_complete(folder: Path, save: Sequence[str], names: Sequence[str], finished: set[str]) -> bool:
    """Tell whether an earlier run of the same job has left nothing to do.

    Args:
        folder: of the results.
        save: what is to be there.
        names: of all frames.
        finished: of the frames whose masks are there.
    """
    if "masks" not in save or (folder / STATE).exists():
        return False
    wanted = (*(NAMES[kind] for kind in save if kind in NAMES), RELIABILITY_FILE)
    return all((folder / name).exists() for name in wanted) and set(names) <= finished


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
