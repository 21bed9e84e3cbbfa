"""How far a project is, from what lies in its folder: the project need not be open.

That takes milliseconds for a long video, so it is done again only where a file of it has changed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cyclevos.app.projects.absences import Absence, gone_at
from cyclevos.app.projects.doubt import in_doubt, unjudged
from cyclevos.app.projects.mask_names import masks_in
from cyclevos.app.projects.result_log import RESULTS, read_reliability
from cyclevos.app.projects.video_index import INDEX, unreadable_in

_READ = ("marks", "masks", RESULTS, INDEX)
_SETTLED = 2 * 10**9  # nanoseconds: a file that changed just now may change again without a later time
_MOST_KEPT = 2000  # projects

Stamp = tuple[int, int]
"""When a file or folder was changed, in nanoseconds since 1970, and its size."""


class Progress(NamedTuple):
    """How far a project is.

    Attributes:
        tracked: number of frames with a tracked mask.
        doubtful: number of frames in doubt.
    """

    tracked: int
    doubtful: int


def progress(folder: Path, absences: Iterable[Absence]) -> Progress:
    """Return how far a project is.

    Args:
        folder: of the project.
        absences: where its objects are gone.
    """
    stamps, absences = tuple(_stamp(folder / name) for name in _READ), tuple(absences)
    is_settled = time.time_ns() - max(changed for changed, _ in stamps) > _SETTLED
    return (_kept if is_settled else _read)(folder, absences, stamps)


def _read(folder: Path, absences: tuple[Absence, ...], stamps: tuple[Stamp, ...]) -> Progress:
    """Read how far a project is; by the stamps of its files, what is kept tells whether it still holds."""
    tracked, marks = ({index for index, _ in masks_in(folder, kind)} for kind in ("masks", "marks"))
    known = unjudged(read_reliability(folder / RESULTS).items(), tracked, marks, unreadable_in(folder))
    if absences:
        known = [(index, _without(scores, gone_at(absences, index))) for index, scores in known]
    return Progress(len(tracked), len(in_doubt(known)))


def _without(scores: Mapping[int, float], gone: Collection[int]) -> dict[int, float]:
    return {i: score for i, score in scores.items() if i not in gone}


_kept = lru_cache(_MOST_KEPT)(_read)


def _stamp(path: Path) -> Stamp:
    try:
        stat = path.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size
